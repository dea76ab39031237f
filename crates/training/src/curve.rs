//! The loss curve: on the terminal, and as one SVG file.

use std::fmt::Write;

use serde::{Deserialize, Serialize};

/// A measurement in the course of a run.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// Steps done.
    pub step: u64,
    /// Mean loss of training since the measurement before, nats per token.
    pub training: f64,
    /// Loss of the chats held back, nats per token.
    pub chats: f64,
    /// Bits per byte of their text, speaker and gap tokens counted in.
    pub bits_per_byte: f64,
}

/// What a curve spans.
struct Span {
    steps: f64,
    low: f64,
    high: f64,
}

impl Span {
    fn of(records: &[Record]) -> Option<Self> {
        let losses = || records.iter().flat_map(|record| [record.training, record.chats]);
        let steps = records.last()?.step.max(1) as f64;
        let low = losses().fold(f64::INFINITY, f64::min);
        let high = losses().fold(f64::NEG_INFINITY, f64::max).max(low + 1e-3);
        Some(Self { steps, low, high })
    }

    /// From the left and from the top, as parts of the whole.
    fn place(&self, step: u64, loss: f64) -> (f64, f64) {
        (step as f64 / self.steps, (self.high - loss) / (self.high - self.low))
    }
}

/// The curve in characters: `.` is training, `o` the chats held back.
pub fn terminal(records: &[Record]) -> String {
    const WIDTH: usize = 64;
    const HEIGHT: usize = 12;
    let Some(span) = Span::of(records) else { return String::new() };
    let mut cells = [[' '; WIDTH]; HEIGHT];
    for record in records {
        for (loss, mark) in [(record.training, '.'), (record.chats, 'o')] {
            let (x, y) = span.place(record.step, loss);
            let cell = |part: f64, cells: usize| (part * (cells - 1) as f64).round() as usize;
            if let Some(cell) =
                cells.get_mut(cell(y, HEIGHT)).and_then(|row| row.get_mut(cell(x, WIDTH)))
            {
                *cell = mark;
            }
        }
    }
    let mut page = String::new();
    for (i, row) in cells.iter().enumerate() {
        let label = match i {
            0 => format!("{:7.3}", span.high),
            _ if i == HEIGHT - 1 => format!("{:7.3}", span.low),
            _ => " ".repeat(7),
        };
        let row: String = row.iter().collect();
        let _ = writeln!(page, "{label} |{}", row.trim_end());
    }
    let _ = writeln!(page, "{:7} +{} step {}", "", "-".repeat(WIDTH - 12), span.steps);
    page + "         nats per token: . training, o chats held back\n"
}

/// The curve as an SVG page of its own.
pub fn svg(records: &[Record]) -> String {
    const LEFT: f64 = 60.0;
    const TOP: f64 = 30.0;
    const WIDTH: f64 = 720.0;
    const HEIGHT: f64 = 320.0;
    let mut page = String::from(
        r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 800 400" font-family="sans-serif" font-size="13"><rect width="800" height="400" fill="#fff"/>"##,
    );
    let Some(span) = Span::of(records) else { return page + "</svg>\n" };
    for line in 0..=4 {
        let part = f64::from(line) / 4.0;
        let (y, loss) = (TOP + part * HEIGHT, span.high - part * (span.high - span.low));
        let _ = write!(
            page,
            r##"<line x1="{LEFT}" x2="{0}" y1="{y:.1}" y2="{y:.1}" stroke="#ddd"/><text x="8" y="{1:.1}">{loss:.3}</text>"##,
            LEFT + WIDTH,
            y + 4.0,
        );
    }
    type Loss = fn(&Record) -> f64;
    let lines: [(&str, &str, f64, Loss); 2] = [
        ("training", "#4477aa", LEFT, |record| record.training),
        ("chats held back", "#bb5566", 160.0, |record| record.chats),
    ];
    for (name, colour, x, loss) in lines {
        let _ = write!(
            page,
            r#"<text x="{x}" y="20" fill="{colour}">{name}</text><polyline fill="none" stroke-width="2" stroke="{colour}" points=""#
        );
        for record in records {
            let (right, down) = span.place(record.step, loss(record));
            let _ = write!(page, "{:.1},{:.1} ", LEFT + right * WIDTH, TOP + down * HEIGHT);
        }
        page += r#""/>"#;
    }
    for record in records {
        let (right, down) = span.place(record.step, record.chats);
        let _ = write!(
            page,
            r##"<circle r="3" cx="{:.1}" cy="{:.1}" fill="#bb5566"><title>step {}: {:.4} nats per token, {:.4} bits per byte</title></circle>"##,
            LEFT + right * WIDTH,
            TOP + down * HEIGHT,
            record.step,
            record.chats,
            record.bits_per_byte,
        );
    }
    let _ = write!(
        page,
        r#"<text x="{LEFT}" y="385">0</text><text x="780" y="385" text-anchor="end">{} steps</text></svg>"#,
        span.steps
    );
    page + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(step: u64, training: f64, chats: f64) -> Record {
        Record { step, training, chats, bits_per_byte: chats / 2.0 }
    }

    #[test]
    fn both_curves_show_their_values() {
        let records = [record(10, 4.0, 5.0), record(20, 2.0, 3.0), record(40, 1.0, 2.5)];
        let page = terminal(&records);
        assert!(page.starts_with("  5.000 |") && page.contains("\n  1.000 |"), "{page}");
        let marks = |mark| {
            page.lines()
                .filter(|line| line.contains(" |"))
                .map(|line| line.matches(mark).count())
                .sum::<usize>()
        };
        // One point of each curve per measurement; the scale has dots of its own.
        assert_eq!((marks("o"), marks(".")), (3, 3 + 2));
        let svg = svg(&records);
        assert_eq!(svg.matches("<polyline").count(), 2);
        assert!(
            svg.contains("780.0,350.0 "),
            "the last training loss is lowest at the right: {svg}"
        );
        assert!(svg.contains("step 20: 3.0000 nats per token, 1.5000 bits per byte"));
    }

    #[test]
    fn a_run_without_measurements_has_an_empty_curve() {
        assert_eq!(terminal(&[]), "");
        assert!(svg(&[]).ends_with("</svg>\n"));
    }
}

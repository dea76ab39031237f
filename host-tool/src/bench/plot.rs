//! The picture of a run as SVG: writing speed and time to the first token, case by case.
//!
//! A bar is the median, the line across its end goes from the 10th to the 90th percentile, and
//! each dot is one repeat.

use std::fmt::Write as _;

use super::facts::Run;
use super::report::figure;
use super::row::Row;
use super::statistics::Spread;
use super::summary::{DECODE_SPEED, FIRST_TOKEN, Group, MEASURES, Summary};

/// Width of the picture, of the names at its left, and of the figures at its right.
const WIDTH: f64 = 860.0;
const NAMES: f64 = 230.0;
const FIGURES: f64 = 80.0;
/// Height of a case, of its bar, of a panel's heading and axis, of the title, and of the legend.
const CASE: f64 = 28.0;
const BAR: f64 = 14.0;
const HEADING: f64 = 40.0;
const AXIS: f64 = 34.0;
const TITLE: f64 = 74.0;
const FOOT: f64 = 26.0;

const LEGEND: &str =
    "bar: median; line: 10th to 90th percentile; dot: one measurement; seconds are the board's";

/// Two colours that people who see few of them tell apart too (Okabe and Ito, "Color Universal
/// Design").
const BLUE: &str = "#0072b2";
const VERMILION: &str = "#d55e00";

/// What is drawn in one panel.
struct Panel {
    measure: &'static str,
    heading: &'static str,
    colour: &'static str,
}

const PANELS: [Panel; 2] = [
    Panel { measure: DECODE_SPEED, heading: "Writing, tokens per second", colour: BLUE },
    Panel { measure: FIRST_TOKEN, heading: "First token after, milliseconds", colour: VERMILION },
];

/// The picture.
pub fn svg(run: &Run, summary: &Summary, rows: &[Row]) -> String {
    let panel_height = HEADING + CASE * summary.cases.len() as f64 + AXIS;
    let height = TITLE + panel_height * PANELS.len() as f64 + FOOT;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" \
         width=\"{WIDTH}\" height=\"{height}\" font-family=\"system-ui, sans-serif\" \
         font-size=\"13\" fill=\"#222\">\n<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n"
    );
    text(&mut svg, (24.0, 34.0), "font-size=\"18\" font-weight=\"600\"", &run.title());
    text(&mut svg, (24.0, 56.0), "fill=\"#666\"", &subtitle(run, summary));
    for (number, panel) in PANELS.iter().enumerate() {
        draw(&mut svg, panel, TITLE + panel_height * number as f64, summary, rows);
    }
    let place = (24.0, height - 16.0);
    text(&mut svg, place, "font-size=\"11\" fill=\"#666\"", LEGEND);
    svg.push_str("</svg>\n");
    svg
}

fn subtitle(run: &Run, summary: &Summary) -> String {
    let date = run.date.split('T').next().unwrap_or_default();
    let mut words = format!("wisp {}, {date}, {} measurements", run.wisp, summary.rows);
    if let Some(warning) = run.clock_warning() {
        words.push_str("; ");
        words.push_str(warning);
    }
    words
}

fn draw(svg: &mut String, panel: &Panel, top: f64, summary: &Summary, rows: &[Row]) {
    let of = MEASURES.iter().find(|measure| measure.name == panel.measure);
    let spread = |group: &Group| group.get(panel.measure).copied();
    let largest = summary.overall.get(panel.measure).map_or(0.0, |spread| spread.max);
    let step = tick(largest);
    let end = (largest / step).ceil().max(1.0) * step;
    let room = WIDTH - NAMES - FIGURES;
    let x = |value: f64| NAMES + room * (value / end).clamp(0.0, 1.0);
    let (first, last) = (top + HEADING, top + HEADING + CASE * summary.cases.len() as f64);
    text(svg, (24.0, top + 22.0), "font-size=\"14\" font-weight=\"600\"", panel.heading);
    for number in 0..=(end / step).round() as u32 {
        let value = f64::from(number) * step;
        line(svg, (x(value), first), (x(value), last), "stroke=\"#e4e4e4\"");
        let style = "font-size=\"11\" fill=\"#666\" text-anchor=\"middle\"";
        text(svg, (x(value), last + 16.0), style, &trimmed(value));
    }
    for (number, case) in summary.cases.iter().enumerate() {
        let middle = first + CASE * (number as f64 + 0.5);
        let style = "text-anchor=\"end\"";
        text(svg, (NAMES - 12.0, middle + 4.5), style, &case.case);
        let Some(spread) = spread(&case.group) else {
            text(svg, (NAMES + 8.0, middle + 4.5), "fill=\"#888\"", why_not(&case.group));
            continue;
        };
        bar(svg, &spread, middle, &x, panel.colour);
        for row in rows.iter().filter(|row| row.case == case.case) {
            let Some(value) = of.and_then(|measure| (measure.of)(row)) else { continue };
            let _ = writeln!(
                svg,
                "<circle cx=\"{:.1}\" cy=\"{middle:.1}\" r=\"2.5\" fill=\"#222\" \
                 fill-opacity=\"0.55\"/>",
                x(value)
            );
        }
        let style = "font-weight=\"600\"";
        let end = x(spread.max.max(spread.median));
        text(svg, (end + 10.0, middle + 4.5), style, &figure(spread.median));
    }
    line(svg, (NAMES, first), (NAMES, last), "stroke=\"#888\"");
}

fn bar(svg: &mut String, spread: &Spread, middle: f64, x: &impl Fn(f64) -> f64, colour: &str) {
    let _ = writeln!(
        svg,
        "<rect x=\"{NAMES}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{BAR}\" fill=\"{colour}\" \
         fill-opacity=\"0.8\"/>",
        middle - BAR / 2.0,
        x(spread.median) - NAMES
    );
    let style = "stroke=\"#222\" stroke-width=\"1.5\"";
    line(svg, (x(spread.p10), middle), (x(spread.p90), middle), style);
    for value in [spread.p10, spread.p90] {
        line(svg, (x(value), middle - 5.0), (x(value), middle + 5.0), style);
    }
}

fn why_not(group: &Group) -> &'static str {
    match group {
        Group { rows: 0, .. } => "not measured",
        Group { silent, rows, .. } if silent == rows => "silent",
        _ => "no figure",
    }
}

/// The distance of ticks that makes four to ten of them: 1, 2 or 5 times a power of ten.
fn tick(largest: f64) -> f64 {
    if !largest.is_finite() || largest <= 0.0 {
        return 1.0;
    }
    let power = 10_f64.powf((largest / 4.0).log10().floor());
    let factor = [5.0, 2.0].into_iter().find(|factor| largest / (factor * power) >= 4.0);
    factor.unwrap_or(1.0) * power
}

/// A tick's value without the dust of binary fractions.
fn trimmed(value: f64) -> String {
    let text = format!("{value:.4}");
    text.trim_end_matches('0').trim_end_matches('.').to_string()
}

fn line(svg: &mut String, from: (f64, f64), to: (f64, f64), style: &str) {
    let ((x1, y1), (x2, y2)) = (from, to);
    let _ = writeln!(
        svg,
        "<line x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\" {style}/>"
    );
}

fn text(svg: &mut String, place: (f64, f64), style: &str, words: &str) {
    let (x, y) = place;
    let _ = writeln!(svg, "<text x=\"{x:.1}\" y=\"{y:.1}\" {style}>{}</text>", escaped(words));
}

fn escaped(words: &str) -> String {
    words.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::super::row::Outcome;
    use super::super::row::tests::row;
    use super::super::summary::State;
    use super::*;

    #[test]
    fn every_case_is_in_both_panels_and_every_repeat_is_a_dot() {
        let names = ["a", "b", "c"].map(String::from);
        let rows = [
            row("a", 1, Outcome::Answered),
            row("a", 2, Outcome::Answered),
            row("b", 1, Outcome::Silent),
        ];
        let summary = Summary::new(&names, &rows, 6, State::Interrupted, "");
        let mut run = Run::default();
        run.persona.digest = "<script>".into();
        let svg = svg(&run, &summary, &rows);
        for name in ["a", "b", "c"] {
            assert_eq!(svg.matches(&format!(">{name}</text>")).count(), 2);
        }
        assert_eq!(svg.matches("<circle").count(), 4);
        assert_eq!(svg.matches(">silent</text>").count(), 2);
        assert_eq!(svg.matches(">not measured</text>").count(), 2);
        assert!(!svg.contains("<script>") && !svg.contains("NaN") && !svg.contains("inf"));
        // Every element is closed.
        assert_eq!(svg.matches("<text").count(), svg.matches("</text>").count());
        assert_eq!(svg.matches('<').count(), svg.matches('>').count());
    }

    #[test]
    fn a_run_without_a_row_has_a_picture_too() {
        let summary = Summary::new(&["a".to_string()], &[], 1, State::Interrupted, "");
        let svg = svg(&Run::default(), &summary, &[]);
        assert!(svg.ends_with("</svg>\n") && !svg.contains("NaN"));
    }

    #[test]
    fn ticks_are_round_and_few() {
        for (largest, distance) in
            [(0.0, 1.0), (f64::NAN, 1.0), (1.0, 0.2), (9.0, 2.0), (24.0, 5.0), (812.0, 200.0)]
        {
            assert!((tick(largest) - distance).abs() < 1e-9, "{largest}: {}", tick(largest));
        }
        for exponent in -3..6 {
            for digit in 1..100 {
                let largest = f64::from(digit) * 10_f64.powi(exponent) / 10.0;
                let count = largest / tick(largest);
                assert!((3.999..=10.001).contains(&count), "{largest}: {count}");
            }
        }
    }
}

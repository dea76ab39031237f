//! Plots as SVG: bars, drawn by hand. Every bar tells its number when pointed at.

use std::fmt::Write;

/// A bar, or two on top of each other.
pub(super) struct Bar {
    /// Under or beside the bar.
    pub(super) label: String,
    /// Shown when pointed at.
    pub(super) title: String,
    /// The lower and the upper part.
    pub(super) parts: [f64; 2],
}

/// Text as HTML shows it.
pub(crate) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for it in text.chars() {
        match it {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            it if it.is_control() => escaped.push('\u{fffd}'),
            it => escaped.push(it),
        }
    }
    escaped
}

/// The width of a plot over the whole page, in its own units, which are pixels on a wide screen.
pub(super) const WIDE: f64 = 880.0;
/// The width of one of two plots side by side.
pub(super) const HALF: f64 = 430.0;
/// Room for the numbers at the left.
const LEFT: f64 = 52.0;
/// The height of the bars' space.
const HEIGHT: f64 = 180.0;
/// Room for what is above the highest bar.
const TOP: f64 = 14.0;

/// Upright bars with a scale at the left. `unit` is appended to the numbers of the scale.
pub(super) fn columns(name: &str, bars: &[Bar], unit: &str, plot_width: f64) -> String {
    let highest = bars.iter().map(|bar| bar.parts.iter().sum()).fold(0.0, f64::max);
    let step = nice_step(highest / 4.0);
    let top = (highest / step).ceil().max(1.0) * step;
    let y = |value: f64| TOP + HEIGHT * (1.0 - value / top);
    let mut svg = open(name, plot_width, TOP + HEIGHT + 26.0);
    let lines = (top / step).round() as usize;
    for line in 0..=lines {
        let value = line as f64 * step;
        let _ = write!(
            svg,
            r#"<line class="grid" x1="{LEFT}" x2="{plot_width}" y1="{0:.1}" y2="{0:.1}"/><text class="scale" x="{1}" y="{2:.1}">{3}{unit}</text>"#,
            y(value),
            LEFT - 8.0,
            y(value) + 4.0,
            number(value),
        );
    }
    let slot = (plot_width - LEFT) / bars.len().max(1) as f64;
    let width = (slot * 0.72).min(64.0);
    let longest = bars.iter().map(|bar| bar.label.chars().count()).max().unwrap_or(0);
    let label = 7.0 * longest as f64 + 12.0;
    let every = (bars.len() as f64 * label / (plot_width - LEFT)).ceil().max(1.0) as usize;
    for (index, bar) in bars.iter().enumerate() {
        let middle = LEFT + slot * (index as f64 + 0.5);
        let [lower, upper] = bar.parts;
        let _ = write!(svg, "<g><title>{}</title>", escape(&bar.title));
        for (class, from, to) in [("own", 0.0, lower), ("others", lower, lower + upper)] {
            if to > from {
                let _ = write!(
                    svg,
                    r#"<rect class="{class}" x="{:.1}" y="{:.1}" width="{width:.1}" height="{:.1}"/>"#,
                    middle - width / 2.0,
                    y(to),
                    (y(from) - y(to)).max(0.5),
                );
            }
        }
        // A label at the right end would leave the plot.
        let fits = middle + label / 2.0 <= plot_width || slot >= label;
        if index.is_multiple_of(every) && fits {
            let _ = write!(
                svg,
                r#"<text class="label" x="{middle:.1}" y="{:.1}">{}</text>"#,
                TOP + HEIGHT + 18.0,
                escape(&bar.label)
            );
        }
        svg.push_str("</g>");
    }
    svg + "</svg>"
}

/// Lying bars with their names at the left and their numbers at the right.
pub(super) fn rows(name: &str, bars: &[Bar]) -> String {
    const ROW: f64 = 26.0;
    const NAMES: f64 = 150.0;
    const NUMBERS: f64 = 70.0;
    let longest = bars.iter().map(|bar| bar.parts.iter().sum()).fold(0.0, f64::max).max(1.0);
    let mut svg = open(name, WIDE, ROW * bars.len() as f64 + 4.0);
    for (index, bar) in bars.iter().enumerate() {
        let value: f64 = bar.parts.iter().sum();
        let width = ((WIDE - NAMES - NUMBERS) * value / longest).max(1.0);
        let top = ROW * index as f64;
        let _ = write!(
            svg,
            r#"<g><title>{title}</title><text class="name" x="{names}" y="{text:.1}">{label}</text><rect class="dropped" x="{NAMES}" y="{rect:.1}" width="{width:.1}" height="16"/><text class="value" x="{end:.1}" y="{text:.1}">{value}</text></g>"#,
            title = escape(&bar.title),
            names = NAMES - 10.0,
            text = top + 17.0,
            label = escape(&bar.label),
            rect = top + 4.0,
            end = NAMES + width + 6.0,
            value = number(value),
        );
    }
    svg + "</svg>"
}

fn open(name: &str, width: f64, height: f64) -> String {
    let name = escape(name);
    format!(
        r#"<svg viewBox="0 0 {width} {height:.0}" role="img" aria-label="{name}" xmlns="http://www.w3.org/2000/svg">"#
    )
}

/// A step of a scale: 1, 2 or 5 times a power of ten, at least as large as `rough`.
fn nice_step(rough: f64) -> f64 {
    if rough <= 0.0 || !rough.is_finite() {
        return 1.0;
    }
    let power = 10f64.powf(rough.log10().floor());
    let steps = [1.0, 2.0, 5.0, 10.0];
    steps.into_iter().map(|step| step * power).find(|step| *step >= rough).unwrap_or(10.0 * power)
}

fn number(value: f64) -> String {
    if value.fract().abs() < 1e-9 { super::grouped(value as u64) } else { format!("{value:.1}") }
}

#[cfg(test)]
mod tests {
    use super::{Bar, HALF, WIDE, columns, escape, nice_step, rows};

    #[test]
    fn steps_are_round() {
        for (rough, step) in [(0.0, 1.0), (0.3, 0.5), (1.0, 1.0), (12.0, 20.0), (430.0, 500.0)] {
            assert!((nice_step(rough) - step).abs() < 1e-9, "{rough}");
        }
    }

    #[test]
    fn names_cannot_become_markup() {
        assert_eq!(escape("<b>\"&'\u{7}"), "&lt;b&gt;&quot;&amp;&#39;\u{fffd}");
        let bar = || Bar { label: "<x>".into(), title: "<y>".into(), parts: [1.0, 2.0] };
        for svg in [
            columns("<n>", &[bar()], " %", HALF),
            rows("<n>", &[bar()]),
            columns("n", &[], "", WIDE),
        ] {
            assert!(!svg.contains("<x>") && !svg.contains("<y>") && !svg.contains("<n>"));
            assert!(svg.starts_with("<svg ") && svg.ends_with("</svg>"));
            assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
        }
    }
}

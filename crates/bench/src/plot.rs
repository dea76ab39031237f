//! The figures of the reference shape as a picture: an SVG without scripts or fonts of its own.

mod svg;

use crate::PARTS;
use crate::emulator::MEMORIES;
use crate::figures::Figures;
use svg::{Anchor, Svg};

/// Speeds that others published, to be beaten: tokens per second, what, and where it is said.
const PUBLISHED: [(f64, &str, &str); 3] = [
    (1.0 / 2.2, "0.45", "first project of this kind: 2.2 s a token"),
    (1.0 / 0.223, "4.5", "llama.zero, llama.cpp under Linux: 223 ms a token"),
    (1.0 / 0.082, "12.2", "PiTorch, on the GPU, f32: 82 ms a token (its docs/profiling.md)"),
];

/// Colour-blind safe: Wong, "Points of view: Color blindness", Nature Methods 8 (2011), and tints.
const PART_COLOURS: [(&str, &str, &str); 10] = [
    ("projection", "attention matrices", "#0072b2"),
    ("feed_forward", "feed-forward matrices", "#56b4e9"),
    ("classifier", "classifier", "#a6d8f0"),
    ("attention", "attention, KV cache", "#d55e00"),
    ("activation", "SwiGLU", "#e69f00"),
    ("norm", "RMSNorm", "#f0e442"),
    ("quantise", "quantising", "#009e73"),
    ("rotation", "RoPE", "#cc79a7"),
    ("sampling", "sampling", "#882255"),
    ("other", "the rest", "#999999"),
];

/// From the slowest memory to the fastest.
const SPEED_COLOURS: [&str; 3] = ["#9ecae1", "#0072b2", "#08306b"];

const WIDTH: f64 = 960.0;
const LEFT: f64 = 130.0;
const RIGHT: f64 = 70.0;
const BAR: f64 = 13.0;

/// Draws the paths with these prefixes; the words are shown beside their bars.
pub fn draw(paths: &[(&str, &str)], figures: &Figures) -> String {
    let mut svg = Svg::new(WIDTH);
    svg.title(
        28.0,
        "Wisp: a 15-million-parameter model on a Raspberry Pi Zero, no operating system",
    );
    svg.note(
        48.0,
        "Instructions counted in QEMU, cycles modelled, 1 GHz. Not measured on a board.",
    );
    let end = speeds(&mut svg, 84.0, paths, figures);
    let end = work(&mut svg, end + 44.0, paths, figures);
    svg.finish(end + 16.0)
}

/// The next round number above, for the end of an axis.
fn round_up(value: f64, step: f64) -> f64 {
    (value / step).ceil().max(1.0) * step
}

/// Tokens per second for each path and memory. Returns where the panel ends.
fn speeds(svg: &mut Svg, top: f64, paths: &[(&str, &str)], figures: &Figures) -> f64 {
    svg.heading(
        top,
        "Modelled tokens per second at position 0, by memory bandwidth; dashed: what others report",
    );
    let memories: Vec<&str> =
        MEMORIES.iter().map(|(name, _)| *name).filter(|name| *name != "perfect").collect();
    let value = |prefix: &str, memory: &str| {
        figures.get(&format!("{prefix}_tokens_per_second_{memory}_pos0")).unwrap_or(0.0)
    };
    let most = paths
        .iter()
        .flat_map(|(prefix, _)| memories.iter().map(|memory| value(prefix, memory)))
        .fold(0.0, f64::max);
    let end_of_axis = round_up(most, 10.0);
    let x = |value: f64| LEFT + value / end_of_axis * (WIDTH - LEFT - RIGHT);

    let labels = top + 22.0;
    let bars = labels + PUBLISHED.len() as f64 * 16.0 + 8.0;
    let group = memories.len() as f64 * BAR + 12.0;
    let bottom = bars + paths.len() as f64 * group;
    for tick in (0..=(end_of_axis / 10.0) as u32).map(|tick| f64::from(tick) * 10.0) {
        svg.line(x(tick), bars - 4.0, x(tick), bottom, "#dddddd", false);
        svg.text(x(tick), bottom + 14.0, Anchor::Middle, &format!("{tick:.0}"));
    }
    for (row, (prefix, name)) in paths.iter().enumerate() {
        let y = bars + row as f64 * group;
        svg.text(LEFT - 8.0, y + group / 2.0, Anchor::End, name);
        for ((bar, memory), colour) in memories.iter().enumerate().zip(SPEED_COLOURS) {
            let speed = value(prefix, memory);
            let y = y + bar as f64 * BAR;
            svg.bar(x(0.0), y, x(speed) - x(0.0), BAR - 2.0, colour);
            let label = format!("{speed:.1}");
            svg.small(x(speed) + 4.0, y + BAR - 4.0, Anchor::Start, &label);
        }
    }
    // What others reached: a label a line, above the bars.
    for (row, (speed, short, words)) in PUBLISHED.iter().enumerate() {
        let y = labels + row as f64 * 16.0;
        svg.line(x(*speed), y - 4.0, x(*speed), bottom, "#c00000", true);
        svg.text(x(*speed) + 6.0, y, Anchor::Start, &format!("{short}  {words}"));
    }
    let mut place = LEFT;
    for (memory, colour) in memories.iter().zip(SPEED_COLOURS) {
        place = svg.key(place, bottom + 34.0, colour, &format!("{memory} MB/s"));
    }
    bottom + 40.0
}

/// Instructions of a token by part, first and last position. Returns where the panel ends.
fn work(svg: &mut Svg, top: f64, paths: &[(&str, &str)], figures: &Figures) -> f64 {
    svg.heading(top, "Counted: million instructions a token, by part, at positions 0 and 255");
    let value = |prefix: &str, part: &str, position: usize| {
        figures.get(&format!("{prefix}_{part}_instructions_pos{position}")).unwrap_or(0.0) / 1e6
    };
    let total = |prefix: &str, position: usize| {
        PARTS.iter().map(|part| value(prefix, part, position)).sum::<f64>()
    };
    let most = paths
        .iter()
        .flat_map(|(prefix, _)| [0, 255].map(|position| total(prefix, position)))
        .fold(0.0, f64::max);
    let end_of_axis = round_up(most, 5.0);
    let x = |value: f64| LEFT + value / end_of_axis * (WIDTH - LEFT - RIGHT);
    let bars = top + 18.0;
    let height = BAR + 3.0;
    let group = 2.0 * height + 10.0;
    let bottom = bars + paths.len() as f64 * group;
    for tick in (0..=(end_of_axis / 5.0) as u32).map(|tick| f64::from(tick) * 5.0) {
        svg.line(x(tick), bars - 4.0, x(tick), bottom, "#dddddd", false);
        svg.text(x(tick), bottom + 14.0, Anchor::Middle, &format!("{tick:.0}"));
    }
    for (row, (prefix, name)) in paths.iter().enumerate() {
        let y = bars + row as f64 * group;
        svg.text(LEFT - 34.0, y + group / 2.0, Anchor::End, name);
        for (bar, position) in [0, 255].into_iter().enumerate() {
            let y = y + bar as f64 * height;
            svg.small(LEFT - 6.0, y + height - 5.0, Anchor::End, &position.to_string());
            let mut done = 0.0;
            for (part, _, colour) in PART_COLOURS {
                let length = value(prefix, part, position);
                svg.bar(x(done), y, x(done + length) - x(done), height - 2.0, colour);
                done += length;
            }
            let label = format!("{done:.1}");
            svg.small(x(done) + 4.0, y + height - 5.0, Anchor::Start, &label);
        }
    }
    let mut place = LEFT;
    let mut y = bottom + 34.0;
    for (index, (_, words, colour)) in PART_COLOURS.into_iter().enumerate() {
        if index == PART_COLOURS.len() / 2 {
            (place, y) = (LEFT, y + 18.0);
        }
        place = svg.key(place, y, colour, words);
    }
    y + 6.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figures::Unit;

    #[test]
    fn every_part_has_a_colour() {
        let mut drawn: Vec<&str> = PART_COLOURS.iter().map(|(part, ..)| *part).collect();
        let mut parts = PARTS.to_vec();
        drawn.sort_unstable();
        parts.sort_unstable();
        assert_eq!(drawn, parts);
    }

    #[test]
    fn bars_are_as_long_as_their_figures() {
        let mut figures = Figures::default();
        for (memory, speed) in [("330", 10.0), ("450", 20.0), ("600", 40.0)] {
            let name = format!("int8_tokens_per_second_{memory}_pos0");
            figures.add(name, speed, Unit::TokensPerSecond);
        }
        let picture = draw(&[("int8", "int8 <in place>")], &figures);
        // 40 tokens/s end the axis: 760 units. The others in proportion.
        for length in ["width=\"190.0\"", "width=\"380.0\"", "width=\"760.0\""] {
            assert!(picture.contains(length), "{length}");
        }
        assert!(picture.contains("int8 &lt;in place&gt;"), "words are escaped");
        assert!(picture.starts_with("<svg ") && picture.trim_end().ends_with("</svg>"));
    }
}

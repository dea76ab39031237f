//! The few shapes that the picture is made of.

use std::fmt::Write;

/// Which end of a text lies at its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Anchor {
    Start,
    Middle,
    End,
}

/// A picture in the making.
pub(super) struct Svg {
    width: f64,
    shapes: String,
}

impl Svg {
    pub(super) fn new(width: f64) -> Self {
        Self { width, shapes: String::new() }
    }

    pub(super) fn title(&mut self, y: f64, words: &str) {
        self.words(20.0, y, Anchor::Start, "font-size=\"18\" font-weight=\"bold\"", words);
    }

    pub(super) fn note(&mut self, y: f64, words: &str) {
        self.words(20.0, y, Anchor::Start, "font-size=\"12\" fill=\"#555555\"", words);
    }

    pub(super) fn heading(&mut self, y: f64, words: &str) {
        self.words(20.0, y, Anchor::Start, "font-size=\"14\" font-weight=\"bold\"", words);
    }

    pub(super) fn text(&mut self, x: f64, y: f64, anchor: Anchor, words: &str) {
        self.words(x, y, anchor, "font-size=\"12\"", words);
    }

    pub(super) fn small(&mut self, x: f64, y: f64, anchor: Anchor, words: &str) {
        self.words(x, y, anchor, "font-size=\"10\" fill=\"#333333\"", words);
    }

    fn words(&mut self, x: f64, y: f64, anchor: Anchor, style: &str, words: &str) {
        let anchor = match anchor {
            Anchor::Start => "start",
            Anchor::Middle => "middle",
            Anchor::End => "end",
        };
        let words = words.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
        self.add(format_args!(
            "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\" {style}>{words}</text>"
        ));
    }

    pub(super) fn bar(&mut self, x: f64, y: f64, width: f64, height: f64, colour: &str) {
        self.add(format_args!(
            "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\" \
             fill=\"{colour}\"/>"
        ));
    }

    pub(super) fn line(
        &mut self,
        x1: f64,
        y1: f64,
        x2: f64,
        y2: f64,
        colour: &str,
        is_dashed: bool,
    ) {
        let dashes = if is_dashed { " stroke-dasharray=\"4 3\"" } else { "" };
        self.add(format_args!(
            "<line x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\" \
             stroke=\"{colour}\"{dashes}/>"
        ));
    }

    /// A coloured square and what it stands for; returns where the next may begin.
    pub(super) fn key(&mut self, x: f64, y: f64, colour: &str, words: &str) -> f64 {
        self.bar(x, y - 10.0, 12.0, 12.0, colour);
        self.text(x + 18.0, y, Anchor::Start, words);
        // About seven units for a letter of 12.
        x + 44.0 + words.chars().count() as f64 * 6.6
    }

    /// The whole file. A light ground, so that it can be read on a dark page too.
    pub(super) fn finish(self, height: f64) -> String {
        let Self { width, shapes } = self;
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width:.0}\" height=\"{height:.0}\" \
             viewBox=\"0 0 {width:.0} {height:.0}\" font-family=\"sans-serif\">\n\
             <rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n{shapes}</svg>\n"
        )
    }

    fn add(&mut self, shape: std::fmt::Arguments<'_>) {
        // Writing to a string cannot fail.
        let _ = writeln!(self.shapes, "{shape}");
    }
}

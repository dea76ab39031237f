//! The beginning of a line in WhatsApp's text: date, clock, and where the rest starts.
//!
//! `[31.12.23, 21:08:15] NAME: text` (iPhone), `12/31/23, 9:08 PM - NAME: text` (Android), in as many
//! ways of writing dates as there are countries.

use crate::chats::export::is_direction;

/// Date and time of a line, with the fields of the date in the line's order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    /// The three numbers of the date.
    pub(super) fields: [u32; 3],
    /// How many digits each has.
    pub(super) digits: [usize; 3],
    /// What stands between them.
    pub(super) separator: char,
    /// 0 to 23.
    pub(super) hour: u32,
    /// 0 to 59.
    pub(super) minute: u32,
    /// 0 to 59, if it is written.
    pub(super) second: Option<u32>,
    /// The line is written as on an iPhone.
    pub(super) bracketed: bool,
}

/// Date and time of a line, and what comes after them; nothing if the line has none.
pub(super) fn header(line: &str) -> Option<(Stamp, &str)> {
    let line = line.trim_start_matches(|it: char| is_direction(it) || it == ' ');
    let bracketed = line.starts_with('[');
    let mut scan = Scan(line.strip_prefix('[').unwrap_or(line));
    let (first, first_digits) = scan.number(4)?;
    let separator = scan.one_of(&['.', '/', '-'])?;
    scan.spaces();
    let (second, second_digits) = scan.number(2)?;
    scan.one_of(&[separator])?;
    scan.spaces();
    let (third, third_digits) = scan.number(4)?;
    let _ = scan.one_of(&['.']);
    let comma = scan.one_of(&[',', '،', '、']).is_some();
    (scan.spaces() || comma).then_some(())?;
    let early_half = scan.half_before()?;
    let (hour, _) = scan.number(2)?;
    let colon = scan.one_of(&[':', '.'])?;
    let minute = scan.two_digits()?;
    let second_of_minute = match scan.one_of(&[colon]) {
        Some(_) => Some(scan.two_digits()?),
        None => None,
    };
    let (late_half, rest) = scan.half_and_end(bracketed)?;
    let hour = match early_half.or(late_half) {
        None => hour,
        Some(_) if hour > 12 => return None,
        Some(Half::Morning) => hour % 12,
        Some(Half::Afternoon) => hour % 12 + 12,
    };
    let in_range = hour < 24 && minute < 60 && second_of_minute.is_none_or(|it| it < 60);
    let stamp = Stamp {
        fields: [first, second, third],
        digits: [first_digits, second_digits, third_digits],
        separator,
        hour,
        minute,
        second: second_of_minute,
        bracketed,
    };
    in_range.then_some((stamp, rest))
}

/// Half of a day of 12 hours.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Half {
    Morning,
    Afternoon,
}

/// How the halves are written, in small letters, without dots and spaces.
fn half(written: &str) -> Option<Half> {
    match written {
        "am" | "a" | "vm" | "ص" | "ق" | "上午" | "午前" | "오전" | "öö" | "fm" | "πμ" | "de" => {
            Some(Half::Morning)
        }
        "pm" | "p" | "nm" | "م" | "下午" | "午後" | "오후" | "ös" | "em" | "μμ" | "du" => {
            Some(Half::Afternoon)
        }
        _ => None,
    }
}

/// The value of a digit in the scripts in which phones write dates.
pub(in crate::chats) fn digit(it: char) -> Option<u32> {
    let zeros = ['0', '\u{660}', '\u{6f0}', '\u{966}', '\u{9e6}', '\u{ff10}'];
    zeros
        .iter()
        .find_map(|zero| u32::from(it).checked_sub(u32::from(*zero)).filter(|value| *value < 10))
}

fn is_space(it: char) -> bool {
    it.is_whitespace() || is_direction(it)
}

/// What is left of a line.
struct Scan<'a>(&'a str);

impl<'a> Scan<'a> {
    /// A number of 1 to `most` digits, and how many it has.
    fn number(&mut self, most: usize) -> Option<(u32, usize)> {
        let (mut value, mut count) = (0, 0);
        let mut rest = self.0.chars();
        while let Some(digit) = rest.clone().next().and_then(digit) {
            if count == most {
                return None;
            }
            (value, count) = (value * 10 + digit, count + 1);
            rest.next();
        }
        self.0 = rest.as_str();
        (count > 0).then_some((value, count))
    }

    fn two_digits(&mut self) -> Option<u32> {
        self.number(2).filter(|(_, digits)| *digits == 2).map(|(value, _)| value)
    }

    fn one_of(&mut self, wanted: &[char]) -> Option<char> {
        // Arabic dates have marks of direction between their numbers.
        let text = self.0.trim_start_matches(is_direction);
        let it = text.chars().next().filter(|it| wanted.contains(it))?;
        self.0 = text.get(it.len_utf8()..)?.trim_start_matches(is_direction);
        Some(it)
    }

    /// Skips spaces; whether there were any.
    fn spaces(&mut self) -> bool {
        let trimmed = self.0.trim_start_matches(is_space);
        let skipped = trimmed.len() < self.0.len();
        self.0 = trimmed;
        skipped
    }

    /// The half of the day where it is written before the clock; fails on anything else there.
    fn half_before(&mut self) -> Option<Option<Half>> {
        let end = self.0.find(|it| digit(it).is_some()).filter(|end| *end <= 24)?;
        let (written, rest) = self.0.split_at_checked(end)?;
        self.0 = rest;
        let written = squeeze(written);
        if written.is_empty() { Some(None) } else { half(&written).map(Some) }
    }

    /// The half of the day after the clock, the end of the header, and what comes after that.
    fn half_and_end(self, bracketed: bool) -> Option<(Option<Half>, &'a str)> {
        let ends: &[&str] = if bracketed { &["]"] } else { &[" - ", " – ", ": "] };
        let (at, end) = ends
            .iter()
            .filter_map(|end| Some((self.0.find(end)?, *end)))
            .min()
            .filter(|(at, _)| *at <= 24)?;
        let written = squeeze(self.0.get(..at)?);
        let found = if written.is_empty() { None } else { Some(half(&written)?) };
        let rest = self.0.get(at + end.len()..)?;
        Some((found, rest.strip_prefix(' ').unwrap_or(rest)))
    }
}

/// In small letters, without dots, spaces and marks of direction.
fn squeeze(text: &str) -> String {
    text.chars().filter(|it| !is_space(*it) && *it != '.').flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::header;

    #[test]
    fn headers_of_many_countries() {
        // The line, the date, the clock, the second, and what comes after.
        type Case = (&'static str, [u32; 3], [u32; 2], Option<u32>, &'static str);
        let cases: &[Case] = &[
            ("[31.12.23, 21:08:15] A: b", [31, 12, 23], [21, 8], Some(15), "A: b"),
            (
                "\u{200e}[31/12/2023, 9:08:15\u{202f}PM] A: b",
                [31, 12, 2023],
                [21, 8],
                Some(15),
                "A: b",
            ),
            ("12/31/23, 12:08\u{202f}AM - A: b", [12, 31, 23], [0, 8], None, "A: b"),
            ("12/31/23, 12:08 PM - A: b", [12, 31, 23], [12, 8], None, "A: b"),
            ("31/12/2023 21:08 - A: b", [31, 12, 2023], [21, 8], None, "A: b"),
            ("31/12/23 9:08 p.\u{a0}m. - A: b", [31, 12, 23], [21, 8], None, "A: b"),
            ("31/12/23, 9:08 a. m. - A: b", [31, 12, 23], [9, 8], None, "A: b"),
            ("2023-12-31 21.08 - A: b", [2023, 12, 31], [21, 8], None, "A: b"),
            ("2023. 12. 31. 오후 9:08 - A: b", [2023, 12, 31], [21, 8], None, "A: b"),
            ("2023/12/31, 下午9:08 - A: b", [2023, 12, 31], [21, 8], None, "A: b"),
            (
                "\u{200f}٣١\u{200f}/١٢\u{200f}/٢٠٢٣، ٩:٠٨ م - A: b",
                [31, 12, 2023],
                [21, 8],
                None,
                "A: b",
            ),
            ("31-12-2023 21:08 - A: b", [31, 12, 2023], [21, 8], None, "A: b"),
            ("31/12/23 21:08:15: A: b", [31, 12, 23], [21, 8], Some(15), "A: b"),
            ("31/12/23, 21:08 - no sender", [31, 12, 23], [21, 8], None, "no sender"),
            ("[31.12.23, 21:08:15] ", [31, 12, 23], [21, 8], Some(15), ""),
        ];
        for (line, fields, clock, second, rest) in cases {
            let (stamp, found) = header(line).unwrap_or_else(|| panic!("{line:?}"));
            assert_eq!(stamp.fields, *fields, "{line:?}");
            assert_eq!(([stamp.hour, stamp.minute], stamp.second), (*clock, *second), "{line:?}");
            assert_eq!((found, stamp.bracketed), (*rest, line.contains('[')), "{line:?}");
        }
    }

    #[test]
    fn what_is_no_header() {
        for line in [
            "",
            "hello",
            "12/31/23",
            "12/31/23, 9:08",
            "12/31/23, 25:08 - A: b",
            "12/31/23, 13:08 PM - A: b",
            "12/31/23, 9:61 - A: b",
            "12/31/23, 9:08 XM - A: b",
            "12/31-23, 9:08 - A: b",
            "31.12.23 we meet at 9:08 - bring cake",
            "12345/1/1, 9:08 - A: b",
            "10 - 12 - 14",
            "[9:08] A: b",
            "٣١",
        ] {
            assert!(header(line).is_none(), "{line:?}");
        }
    }
}

//! Phone numbers, and what has as many digits but is none.

use crate::chats::readers::digit;

/// A run of digits with what stands between them.
pub(super) struct Run {
    /// `+` or `00` in front.
    pub(super) international: bool,
    /// The groups of digits.
    pub(super) groups: Vec<String>,
    /// What stands between a group and the next.
    pub(super) separators: Vec<String>,
}

impl Run {
    /// All digits.
    pub(super) fn digits(&self) -> String {
        self.groups.concat()
    }
}

/// Between the groups of a number stand at most this many characters: `) ` and ` - `.
const WIDEST_SEPARATOR: usize = 3;

/// The runs of digits in a text. A run ends at a letter and does not touch one.
pub(super) fn runs(text: &str) -> Vec<Run> {
    let mut runs = Vec::new();
    let mut open: Option<Run> = None;
    let mut separator = String::new();
    let mut previous = ' ';
    // A space ends the last run.
    for it in text.chars().chain(['\n']) {
        if let Some(value) = digit(it) {
            let value = char::from_digit(value, 10).unwrap_or('0');
            match &mut open {
                Some(run) if separator.is_empty() => {
                    if let Some(group) = run.groups.last_mut() {
                        group.push(value);
                    }
                }
                Some(run) => {
                    run.separators.push(std::mem::take(&mut separator));
                    run.groups.push(value.to_string());
                }
                // A run inside a word is none: it is dropped when it ends.
                None => {
                    let international = previous == '+';
                    let inside = previous.is_alphanumeric() || previous == '#';
                    let groups = vec![if inside { String::new() } else { value.to_string() }];
                    open = Some(Run { international, groups, separators: Vec::new() });
                }
            }
        } else if open.is_some()
            && " -./()\u{2011}–".contains(it)
            && separator.chars().count() < WIDEST_SEPARATOR
        {
            separator.push(it);
        } else {
            let touches = it.is_alphanumeric() && separator.is_empty();
            runs.extend(
                open.take().filter(|run| !touches && run.groups.iter().all(|it| !it.is_empty())),
            );
            separator.clear();
        }
        previous = it;
    }
    runs
}

/// Whether there is a phone number.
pub(super) fn has_phone(text: &str) -> bool {
    runs(text).iter().any(is_phone)
}

/// How many digits a phone number has (E.164: at most 15).
const PHONE_DIGITS: std::ops::RangeInclusive<usize> = 7..=15;

fn is_phone(run: &Run) -> bool {
    let (groups, separators) = without_date(&run.groups, &run.separators);
    let digits = groups.concat();
    if !PHONE_DIGITS.contains(&digits.len()) || all_equal(&digits) {
        return false;
    }
    let first = groups.first().map_or("", String::as_str);
    if run.international || first.starts_with("00") {
        return true;
    }
    let year =
        |group: &String| group.len() == 4 && (group.starts_with("19") || group.starts_with("20"));
    let counted = digits.len() < 2 * groups.len();
    let years = groups.len() > 1 && groups.iter().all(year);
    let dotted = separators.iter().all(|it| it == ".");
    let decimal = dotted && groups.len() == 2 && (!first.starts_with('0') || first == "0");
    let thousands = groups.len() > 1
        && groups.iter().skip(1).all(|group| group.len() == 3)
        && first.len() <= 3
        && (dotted || groups.last().is_some_and(|group| group == "000"));
    let round = groups.len() == 1 && digits.ends_with("000");
    // From ten thirty to eleven: 10.30-11.00.
    let clocks = groups.len() == 4
        && groups.iter().all(|group| group.len() <= 2)
        && matches!(separators, [one, to, other] if one == "." && other == "." && to != ".");
    !(counted || years || decimal || thousands || round || clocks)
}

/// The groups after a date in front: `12.05.2023 10` is a date and the beginning of a time.
fn without_date<'a>(
    groups: &'a [String],
    separators: &'a [String],
) -> (&'a [String], &'a [String]) {
    let ([first, second, third, rest @ ..], [one, other, ..]) = (groups, separators) else {
        return (groups, separators);
    };
    let lengths = [first.len(), second.len(), third.len()];
    let date = matches!(lengths, [1..=2, 1..=2, 2 | 4] | [4, 1..=2, 1..=2]);
    let below =
        |group: &str, most: u32| group.parse::<u32>().is_ok_and(|it| (1..=most).contains(&it));
    let long_year = lengths.contains(&4);
    let days = if lengths[0] == 4 {
        below(second, 12) && below(third, 31)
    } else {
        below(first, 31) && below(second, 12) || below(first, 12) && below(second, 31)
    };
    let usual = matches!(one.as_str(), "." | "/" | "-") && one == other;
    // Pairs of digits are a way to write phone numbers: then only a year of four digits is a date.
    if date && days && usual && (long_year || groups.len() == 3) {
        (rest, separators.get(3..).unwrap_or_default())
    } else {
        (groups, separators)
    }
}

/// A key held down: `55555555`.
pub(super) fn all_equal(digits: &str) -> bool {
    digits.bytes().all(|it| Some(it) == digits.bytes().next())
}

#[cfg(test)]
mod tests {
    use super::has_phone;

    #[test]
    fn phone_numbers() {
        for text in [
            "+49 170 1234567",
            "call 0170/1234567 please",
            "(555) 123-4567",
            "555-1234",
            "555.123.4567",
            "06 12 34 56 78",
            "612 345 678",
            "my number: 5551234567.",
            "0049 170 123 45 67",
            "+٤٩ ١٧٠ ١٢٣٤٥٦٧",
            "2023-05-12 0170 1234567",
        ] {
            assert!(has_phone(text), "{text}");
        }
    }

    #[test]
    fn other_numbers() {
        for text in [
            "12.05.2023",
            "2023-05-12 10:30",
            "12/05/23, 10:30",
            "12.05.2023 10.30",
            "1 000 000",
            "1.234.567",
            "5000000",
            "2010-2015",
            "2020 2021 2022",
            "1 2 3 4 5 6 7 8 9",
            "10 9 8 7 6 5 4 3 2 1",
            "4 8 15 16 23 42",
            "3.14159265",
            "0.03131234",
            "55555555",
            "10.30-11.30",
            "abc1234567",
            "1234567abc",
            "#1234567",
            "1234 x 5678",
            "88888",
            "1988",
            "from 9 to 5, 24/7",
            "",
        ] {
            assert!(!has_phone(text), "{text}");
        }
    }
}

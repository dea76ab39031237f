//! Which number of a WhatsApp date is the day: decided for each file from all of its dates.

use clap::ValueEnum;
use jiff::civil::DateTime;

use super::Trouble;
use super::whatsapp_line::Stamp;

/// The order of the numbers in a date.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum DateOrder {
    /// Day, month, year.
    Dmy,
    /// Month, day, year.
    Mdy,
    /// Year, month, day.
    Ymd,
}

impl DateOrder {
    const ALL: [Self; 3] = [Self::Dmy, Self::Mdy, Self::Ymd];

    /// The date and time of a stamp read in this order, if there is such a day.
    pub(super) fn read(self, stamp: &Stamp) -> Option<DateTime> {
        let ([first, second, third], digits) = (stamp.fields, stamp.digits);
        let (day, month, year, year_digits) = match self {
            Self::Dmy => (first, second, third, digits[2]),
            Self::Mdy => (second, first, third, digits[2]),
            Self::Ymd => (third, second, first, digits[0]),
        };
        let year = match year_digits {
            4 => year,
            2 => year + 2000,
            _ => return None,
        };
        let small = |value: u32| i8::try_from(value).ok();
        DateTime::new(
            i16::try_from(year).ok()?,
            small(month)?,
            small(day)?,
            small(stamp.hour)?,
            small(stamp.minute)?,
            small(stamp.second.unwrap_or(0))?,
            0,
        )
        .ok()
    }
}

/// Steps back in time of more than this are no late delivery and no change of clocks.
const STEP_BACK_HOURS: i64 = 26;

/// The order of all dates in a file; `stamps` are the line numbers and stamps in the file's order.
///
/// An order must make days of all dates. If two do, the one in which time runs forwards is right:
/// a chat is written in order. A date with dots has the day before the month.
pub(super) fn decide(stamps: &[(usize, Stamp)]) -> Result<DateOrder, Trouble> {
    let fits = |order: &DateOrder| stamps.iter().all(|(_, stamp)| order.read(stamp).is_some());
    let mut orders: Vec<_> = DateOrder::ALL.into_iter().filter(fits).collect();
    // A year of two digits in front is not written by phones: only if nothing else fits.
    let long_year = stamps.iter().any(|(_, stamp)| stamp.digits[0] == 4);
    if orders.len() > 1 && !long_year {
        orders.retain(|order| *order != DateOrder::Ymd);
    }
    if orders.contains(&DateOrder::Dmy) && stamps.iter().any(|(_, it)| it.separator == '.') {
        return Ok(DateOrder::Dmy);
    }
    match orders.as_slice() {
        [] => Err(misfit(stamps)),
        [order] => Ok(*order),
        [one, other, ..] => {
            let same = stamps.iter().all(|(_, stamp)| one.read(stamp) == other.read(stamp));
            let (back_one, back_other) = (steps_back(*one, stamps), steps_back(*other, stamps));
            match back_one.cmp(&back_other) {
                _ if same => Ok(*one),
                std::cmp::Ordering::Less => Ok(*one),
                std::cmp::Ordering::Greater => Ok(*other),
                std::cmp::Ordering::Equal => Err(Trouble::DateOrder),
            }
        }
    }
}

/// The first line whose date is in none of the orders that were possible until then.
pub(super) fn misfit(stamps: &[(usize, Stamp)]) -> Trouble {
    let mut orders = DateOrder::ALL.to_vec();
    let line = stamps.iter().find_map(|(line, stamp)| {
        orders.retain(|order| order.read(stamp).is_some());
        orders.is_empty().then_some(*line)
    });
    Trouble::MixedDates { line: line.unwrap_or(1) }
}

fn steps_back(order: DateOrder, stamps: &[(usize, Stamp)]) -> usize {
    let times: Vec<_> = stamps.iter().filter_map(|(_, stamp)| order.read(stamp)).collect();
    let hours = |pair: &[DateTime]| match pair {
        [before, after] => before.duration_since(*after).as_hours(),
        _ => 0,
    };
    times.windows(2).filter(|pair| hours(pair) > STEP_BACK_HOURS).count()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::{DateOrder, decide};
    use crate::chats::readers::Trouble;
    use crate::chats::readers::whatsapp_line::header;

    fn order(dates: &[&str]) -> Result<DateOrder, Trouble> {
        let line = |date: &&str| header(&format!("{date}, 10:00 - A: b")).unwrap().0;
        let stamps: Vec<_> = dates.iter().map(line).enumerate().collect();
        decide(&stamps)
    }

    #[test]
    fn a_number_above_12_decides() {
        assert_eq!(order(&["1/2/23", "13/2/23"]).unwrap(), DateOrder::Dmy);
        assert_eq!(order(&["1/2/23", "2/13/23"]).unwrap(), DateOrder::Mdy);
        assert_eq!(order(&["2023-02-01"]).unwrap(), DateOrder::Ymd);
        assert_eq!(order(&["99/02/01"]).unwrap(), DateOrder::Ymd);
    }

    #[test]
    fn dots_and_the_direction_of_time_decide() {
        assert_eq!(order(&["1.2.23"]).unwrap(), DateOrder::Dmy);
        assert_eq!(order(&["3/1/23", "4/1/23", "1/2/23"]).unwrap(), DateOrder::Dmy);
        assert_eq!(order(&["1/3/23", "1/4/23", "2/1/23"]).unwrap(), DateOrder::Mdy);
        assert_eq!(order(&["1/1/23", "2/2/23"]).unwrap(), DateOrder::Dmy);
    }

    #[test]
    fn what_cannot_be_told_is_not_guessed() {
        assert!(matches!(order(&["3/4/23", "3/5/23"]), Err(Trouble::DateOrder)));
        assert!(matches!(order(&["3/4/23"]), Err(Trouble::DateOrder)));
        let mixed = order(&["13/1/23", "1/13/23", "1/14/23"]);
        assert!(matches!(mixed, Err(Trouble::MixedDates { line: 1 })), "{mixed:?}");
        assert!(matches!(order(&["31/2/2023"]), Err(Trouble::MixedDates { line: 0 })));
    }
}

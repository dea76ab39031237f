//! How fast the serial line is: as fast as it can be, or as the user says.

use std::fmt;
use std::str::FromStr;

use link::{BASE_BAUD, Rates};

/// Speed of the serial line in bits per second that every program on the board begins with.
pub const USUAL_BAUD: u32 = BASE_BAUD;

/// What the user wants.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Speed {
    /// [`USUAL_BAUD`] at first, then the best that adapter and board can do.
    #[default]
    Auto,
    /// At most this, in bits per second; one below [`USUAL_BAUD`] is used as it is.
    AtMost(u32),
}

impl Speed {
    /// What the port is opened with, in bits per second.
    pub fn first(self) -> u32 {
        match self {
            Self::Auto => USUAL_BAUD,
            Self::AtMost(baud) => baud.min(USUAL_BAUD),
        }
    }

    /// What the board may choose from.
    pub fn rates(self) -> Rates {
        match self {
            Self::Auto => Rates::ALL,
            Self::AtMost(most) => Rates::of(|rate| rate <= most),
        }
    }
}

impl From<u32> for Speed {
    fn from(baud: u32) -> Self {
        Self::AtMost(baud)
    }
}

impl FromStr for Speed {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match (text, text.parse()) {
            ("auto", _) => Ok(Self::Auto),
            (_, Ok(baud)) if baud > 0 => Ok(Self::AtMost(baud)),
            _ => Err("it is `auto`, or bits per second like 115200"),
        }
    }
}

impl fmt::Display for Speed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::AtMost(baud) => write!(f, "{baud}"),
        }
    }
}

/// A speed in bits per second, for people.
pub fn in_words(baud: u32) -> String {
    match (baud / 1_000_000, baud % 1_000_000) {
        (millions @ 1.., 0) => format!("{millions} Mbaud"),
        (millions @ 1.., rest) if rest % 100_000 == 0 => {
            format!("{millions}.{} Mbaud", rest / 100_000)
        }
        _ => format!("{baud} baud"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn speeds_are_read_and_written() {
        for text in ["auto", "115200", "3000000"] {
            assert_eq!(text.parse::<Speed>().map(|speed| speed.to_string()).as_deref(), Ok(text));
        }
        for text in ["", "0", "fast", "-1", "1.5"] {
            assert!(text.parse::<Speed>().is_err(), "{text}");
        }
        let firsts = [Speed::Auto, Speed::AtMost(9600), Speed::AtMost(1_000_000)].map(Speed::first);
        assert_eq!(firsts, [115_200, 9600, 115_200]);
        assert_eq!(Speed::AtMost(1_200_000).rates().highest(), Some(1_000_000));
        assert_eq!(Speed::AtMost(115_200).rates(), Rates::NONE);
    }

    #[test]
    fn speeds_in_words() {
        let words = [115_200, 921_600, 1_000_000, 1_500_000, 3_000_000].map(in_words);
        assert_eq!(words, ["115200 baud", "921600 baud", "1 Mbaud", "1.5 Mbaud", "3 Mbaud"]);
    }
}

//! Weight formats as words: `f32`, `fp8`, `int8`, `int4`.

use std::fmt;
use std::str::FromStr;

use model_format::WeightFormat;

/// A weight format on the command line and in reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FormatName(pub WeightFormat);

impl FromStr for FormatName {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let known = WeightFormat::ALL.map(Self);
        let found = known.into_iter().find(|format| format.to_string() == text);
        found.ok_or("the formats are f32, fp8, int8 and int4")
    }
}

impl fmt::Display for FormatName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            WeightFormat::F32 => "f32",
            WeightFormat::Fp8E4M3 => "fp8",
            WeightFormat::Int8 => "int8",
            WeightFormat::Int4 => "int4",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::FormatName;

    #[test]
    fn names_come_back() {
        for name in ["f32", "fp8", "int8", "int4"] {
            assert_eq!(name.parse::<FormatName>().unwrap().to_string(), name);
        }
        for wrong in ["", "fp16", "F32", "int8:32", "int"] {
            assert!(wrong.parse::<FormatName>().is_err(), "{wrong}");
        }
    }
}

//! Weight formats as words: `f32`, `fp8`, `int8` or `int8:32`.

use std::fmt;
use std::str::FromStr;

use model_format::WeightFormat;

/// Weights per scale of plain `int8`: what llama2.c uses.
const DEFAULT_GROUP: usize = 64;

/// A weight format on the command line and in reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FormatName(pub WeightFormat);

impl FromStr for FormatName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, group) = match text.split_once(':') {
            Some((name, group)) => (name, Some(group)),
            None => (text, None),
        };
        match (name, group) {
            ("f32", None) => Ok(Self(WeightFormat::F32)),
            ("fp8", None) => Ok(Self(WeightFormat::Fp8E4M3)),
            ("int8", None) => Ok(Self(WeightFormat::Int8 { group: DEFAULT_GROUP })),
            ("int8", Some(group)) => {
                let most = WeightFormat::MAX_GROUP;
                let group = group.parse().ok().filter(|group| (4..=most).contains(group));
                match group.filter(|group| group % 4 == 0) {
                    Some(group) => Ok(Self(WeightFormat::Int8 { group })),
                    None => Err(format!("the group must be a multiple of 4 from 4 to {most}")),
                }
            }
            _ => Err("the formats are f32, fp8, int8 and int8:GROUP".to_owned()),
        }
    }
}

impl fmt::Display for FormatName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            WeightFormat::F32 => write!(f, "f32"),
            WeightFormat::Fp8E4M3 => write!(f, "fp8"),
            WeightFormat::Int8 { group } => write!(f, "int8:{group}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::FormatName;

    #[test]
    fn names_come_back() {
        for name in ["f32", "fp8", "int8:4", "int8:64", "int8:4096"] {
            assert_eq!(name.parse::<FormatName>().unwrap().to_string(), name);
        }
        assert_eq!("int8".parse::<FormatName>().unwrap().to_string(), "int8:64");
        for wrong in ["", "fp16", "f32:4", "int8:", "int8:0", "int8:6", "int8:8192", "int8:x"] {
            assert!(wrong.parse::<FormatName>().is_err(), "{wrong}");
        }
    }
}

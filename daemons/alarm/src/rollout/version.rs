//! Versions of the appliance, as `IMAGE_VERSION` of os-release(5) and the names of files have them.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// Most numbers in a version: year, month, day and a count are four.
const NUMBERS_MAX: usize = 6;

/// A dotted number, `2026.11.3`. Ordered as systemd orders it: number by number, and the longer of two that begin alike
/// is the newer.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Version(Vec<u32>);

/// What a version is not.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is no version: at most six numbers with dots between, without zeros before them, such as 2026.11.3"
)]
pub struct BadVersion(String);

impl FromStr for Version {
    type Err = BadVersion;

    fn from_str(text: &str) -> Result<Self, BadVersion> {
        let numbers: Option<Vec<u32>> = text.split('.').map(number).collect();
        let numbers = numbers.filter(|numbers| numbers.len() <= NUMBERS_MAX);
        numbers.map(Self).ok_or_else(|| BadVersion(text.chars().take(64).collect()))
    }
}

/// One spelling for one number: a name tells the version and the version the name.
fn number(text: &str) -> Option<u32> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    text.parse().ok().filter(|_| plain)
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let numbers: Vec<_> = self.0.iter().map(u32::to_string).collect();
        f.write_str(&numbers.join("."))
    }
}

impl From<Version> for String {
    fn from(version: Version) -> Self {
        version.to_string()
    }
}

impl TryFrom<String> for Version {
    type Error = BadVersion;

    fn try_from(text: String) -> Result<Self, BadVersion> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn version(text: &str) -> Version {
        text.parse().unwrap()
    }

    #[test]
    fn versions_in_their_order() {
        let ascending =
            ["0", "1", "1.0", "1.0.0", "1.0.1", "1.2", "1.10", "2", "10", "2026.11.3", "4294967295"];
        for (at, text) in ascending.iter().enumerate() {
            assert_eq!(version(text).to_string(), *text);
            for later in &ascending[at + 1..] {
                assert!(version(text) < version(later), "{text} < {later}");
            }
        }
    }

    #[test]
    fn what_is_no_version() {
        let long = "1.1.1.1.1.1.1";
        for text in
            ["", ".", "1.", ".1", "1..2", "v1", "1-2", "01", "1.00", "+1", " 1", "1_2", "4294967296", long]
        {
            let error = text.parse::<Version>().unwrap_err().to_string();
            assert!(error.contains(&format!("{text:?}")), "{error}");
        }
    }

    proptest! {
        #[test]
        fn a_version_has_one_spelling(text in "[0-9.]{0,12}") {
            if let Ok(read) = text.parse::<Version>() {
                prop_assert_eq!(read.to_string(), text);
            }
        }

        #[test]
        fn a_newer_number_anywhere_is_a_newer_version(
            numbers in prop::collection::vec(0u32..1000, 1..=NUMBERS_MAX),
            at in 0usize..NUMBERS_MAX,
        ) {
            let at = at % numbers.len();
            let mut newer = numbers.clone();
            newer[at] += 1;
            newer.truncate(at + 1);
            prop_assert!(Version(newer) > Version(numbers));
        }
    }
}

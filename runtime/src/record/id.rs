//! The names of runs.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// What names a run: `20261123-061530-4f2a`, the UTC time it started and four hexadecimal digits.
///
/// Sorts by time. Whoever starts the run makes it: the library has no clock.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RunId(String);

/// Text that names no run.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error(
    "not the id of a run\n  expected a date, a time and four hexadecimal digits, as in `20261123-061530-4f2a`\n  found    `{found}`"
)]
pub struct BadRunId {
    /// The text, cut to its first 100 characters.
    pub found: String,
}

impl RunId {
    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for RunId {
    type Err = BadRunId;

    fn from_str(text: &str) -> Result<Self, BadRunId> {
        match is_run_id(text) {
            true => Ok(Self(text.to_owned())),
            false => Err(BadRunId {
                found: text.chars().take(100).collect(),
            }),
        }
    }
}

impl TryFrom<String> for RunId {
    type Error = BadRunId;

    fn try_from(text: String) -> Result<Self, BadRunId> {
        text.parse()
    }
}

impl From<RunId> for String {
    fn from(id: RunId) -> Self {
        id.0
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

fn is_run_id(text: &str) -> bool {
    const FORM: &[u8] = b"dddddddd-dddddd-xxxx";
    let fits = |(form, byte): (&u8, u8)| match form {
        b'd' => byte.is_ascii_digit(),
        b'x' => matches!(byte, b'0'..=b'9' | b'a'..=b'f'),
        _ => byte == *form,
    };
    text.len() == FORM.len() && FORM.iter().zip(text.bytes()).all(fits)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn ids_sort_by_time() {
        let early: RunId = "20261123-061530-ffff".parse().unwrap();
        let late: RunId = "20261123-061531-0000".parse().unwrap();
        assert!(early < late);
        assert_eq!(early.to_string(), "20261123-061530-ffff");
    }

    #[test]
    fn other_text_is_refused() {
        let texts = [
            "",
            "20261123",
            "20261123-061530-4F2A",
            "20261123-061530-4f2g",
            "20261123_061530_4f2a",
            "../../../../../../ab",
        ];
        for text in texts {
            assert!(text.parse::<RunId>().is_err(), "{text}");
        }
    }
}

//! The names a pipeline gives to its steps and sources.

use std::borrow::Borrow;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Most bytes in a name: names become parts of file names.
const MOST_BYTES: usize = 64;

/// Why a text is not a name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not a name: a lower-case letter, then at most 63 lower-case letters, digits, `-` or `_`"
)]
pub struct NameProblem(pub String);

/// Whether `text` can be a name: `[a-z][a-z0-9_-]*`, at most 64 bytes.
///
/// The rule holds for steps, sources, params and ports alike.
pub(crate) fn is_name(text: &str) -> bool {
    let mut bytes = text.bytes();
    text.len() <= MOST_BYTES
        && bytes.next().is_some_and(|first| first.is_ascii_lowercase())
        && bytes.all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_'))
}

macro_rules! names {
    ($($(#[$doc:meta])* $name:ident)+) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = NameProblem;

            fn from_str(text: &str) -> Result<Self, NameProblem> {
                Self::try_from(text.to_owned())
            }
        }

        impl TryFrom<String> for $name {
            type Error = NameProblem;

            fn try_from(text: String) -> Result<Self, NameProblem> {
                if is_name(&text) { Ok(Self(text)) } else { Err(NameProblem(text)) }
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }
    )+};
}

names! {
    /// The name of a step: `[a-z][a-z0-9_-]*`, at most 64 bytes.
    StepName
    /// The name of a source: `[a-z][a-z0-9_-]*`, at most 64 bytes.
    SourceName
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_kebab_or_snake_case() {
        for good in ["a", "read-csv", "late_flights2", &"a".repeat(64)] {
            assert!(is_name(good), "{good}");
        }
        for bad in [
            "",
            "2a",
            "-a",
            "A",
            "aB",
            "a.b",
            "é",
            "a b",
            &"a".repeat(65),
        ] {
            assert!(!is_name(bad), "{bad}");
        }
    }

    #[test]
    fn the_problem_shows_the_name() {
        let problem = "Read"
            .parse::<StepName>()
            .map_err(|problem| problem.to_string());
        assert_eq!(
            problem,
            Err("`Read` is not a name: a lower-case letter, then at most 63 lower-case letters, digits, `-` or `_`".to_owned())
        );
    }
}

//! What the error types of every module share: advice, places in authored files, and layout.
//!
//! An error's text is a lower-case fragment, then indented facts (`expected` before `found`, then
//! `in`). Advice is not part of it: it is asked for through [`Hint`] and printed by the command line.

pub mod amount;
mod place;

use std::fmt;

pub use self::place::{Place, SourceText};

/// Advice that goes with an error, printed after it as `hint: …`.
pub trait Hint {
    /// The command or the edit that mends it, if one is known to.
    fn hint(&self) -> Option<String>;
}

/// Indented lines of `label value`, with the values aligned.
///
/// Written on new lines below whatever was written before; nothing if there are no facts.
pub(crate) struct Facts<'a>(pub(crate) &'a [(&'a str, String)]);

impl fmt::Display for Facts<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = self.0.iter().map(|(label, _)| label.len()).max();
        let width = width.unwrap_or_default();
        for (label, value) in self.0 {
            write!(f, "\n  {label:width$} {value}")?;
        }
        Ok(())
    }
}

/// Characters that are shown of a literal, and of a line.
const LITERAL: usize = 160;
const LINE: usize = 800;

/// As much of one line as people read: what it quotes from an authored file may be pages long.
///
/// Of a long literal in backticks the beginning and the end are kept, and of a long line the beginning.
pub(crate) fn readable(line: &str) -> String {
    let parts = line.split('`').enumerate().map(|(at, part)| {
        let is_literal = at % 2 == 1;
        match part.char_indices().nth(LITERAL) {
            Some(_) if is_literal => {
                let start = part.chars().take(LITERAL / 2);
                let end = part.char_indices().rev().nth(LITERAL / 4);
                let end = end.and_then(|(end, _)| part.get(end..));
                format!("{}…{}", start.collect::<String>(), end.unwrap_or_default())
            }
            _ => part.to_owned(),
        }
    });
    let line = parts.collect::<Vec<_>>().join("`");
    match line.char_indices().nth(LINE) {
        Some((end, _)) => format!("{}…", line.get(..end).unwrap_or_default()),
        None => line,
    }
}

/// The names in backticks, separated by commas; `none` if there are none.
pub(crate) fn listed<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let names: Vec<String> = names.into_iter().map(|name| format!("`{name}`")).collect();
    if names.is_empty() {
        "none".to_owned()
    } else {
        names.join(", ")
    }
}

/// The candidate that `name` was most likely meant to be, if any is near enough.
///
/// Near enough is one edit in three characters. Of equally near ones the first is taken.
pub fn closest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let most_edits = (name.chars().count() / 3).max(1);
    candidates
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(name, candidate), candidate))
        .filter(|(edits, _)| *edits <= most_edits)
        .min_by_key(|(edits, _)| *edits)
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_closest_name_is_near() {
        let names = ["flights", "label", "split"];
        assert_eq!(closest("flihgts", names), Some("flights"));
        assert_eq!(closest("spilt", names), Some("split"));
        assert_eq!(closest("weather", names), None);
    }

    #[test]
    fn a_literal_of_pages_is_shown_in_part() {
        let long = "é".repeat(100_000);
        let shown = readable(&format!("`{long}` is no column, in `a`"));
        assert!(shown.ends_with("é` is no column, in `a`"), "{shown}");
        assert!(shown.chars().count() < 2 * LITERAL, "{shown}");
        assert_eq!(readable(&long).chars().count(), LINE + 1);
        assert_eq!(readable("a `b` c"), "a `b` c");
    }

    #[test]
    fn facts_are_aligned() {
        let facts = [("expected", "a".to_owned()), ("in", "b".to_owned())];
        assert_eq!(Facts(&facts).to_string(), "\n  expected a\n  in       b");
    }
}

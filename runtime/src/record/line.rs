//! Lines as they are written, each with a check over everything so far.

use serde::{Deserialize, Serialize};

use super::{LineProblem, RECORD_VERSION, RecordError, RunEnd, RunStart, StepRecord};
use crate::digest::{Digest, StructuredHasher};

/// What stands between a line's own facts and the digest that checks them.
const CHECK: &str = ",\"check\":\"";
/// What a line ends with.
const END: &str = "\"}";

/// One line of a record: an object whose first key, `line`, says which.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "line", rename_all = "kebab-case")]
pub enum Line {
    /// What the run was given.
    Run(Box<RunStart>),
    /// What a step did.
    Step(Box<StepRecord>),
    /// How the run ended.
    Outcome(RunEnd),
}

/// The checks of the lines so far. Writer and reader each keep one, from the first line on.
///
/// The check of a line is the structured hash `pinion record v1` of, as option, the digest of the line
/// before, and, as text, the line without its check.
#[derive(Clone, Debug, Default)]
pub struct Chain {
    last: Option<Digest>,
}

impl Chain {
    /// The text of the next line, with its check and its newline.
    ///
    /// # Errors
    /// [`serde_json::Error`], if it cannot be written.
    pub fn seal(&mut self, line: &Line) -> Result<String, serde_json::Error> {
        let mut text = serde_json::to_string(line)?;
        let check = self.next(&text);
        text.pop();
        text.push_str(CHECK);
        text.push_str(&check.to_string());
        text.push_str(END);
        text.push('\n');
        Ok(text)
    }

    /// Reads the next line, given without its newline.
    ///
    /// # Errors
    /// [`LineProblem::Check`] and [`LineProblem::Json`].
    pub fn open(&mut self, line: &[u8]) -> Result<Line, LineProblem> {
        let (text, check) = split(line).ok_or(LineProblem::Check)?;
        if self.next(&text) != check {
            return Err(LineProblem::Check);
        }
        serde_json::from_str(&text).map_err(LineProblem::Json)
    }

    fn next(&mut self, text: &str) -> Digest {
        let mut hasher = StructuredHasher::new("pinion record v1");
        hasher.option_tag(self.last.is_some());
        if let Some(last) = &self.last {
            hasher.digest(last);
        }
        hasher.text(text);
        *self.last.insert(hasher.finish())
    }
}

/// The line without its check, and the check.
fn split(line: &[u8]) -> Option<(String, Digest)> {
    let line = std::str::from_utf8(line).ok()?.strip_suffix(END)?;
    let (text, check) = line.rsplit_once(CHECK)?;
    Some((format!("{text}}}"), check.parse().ok()?))
}

/// Refuses a record of a newer version, whatever else its first line has.
pub(super) fn check_version(line: &[u8], file: &str) -> Result<(), RecordError> {
    #[derive(Deserialize)]
    struct Version {
        format: u32,
    }

    match serde_json::from_slice::<Version>(line) {
        Ok(Version { format }) if format > RECORD_VERSION => Err(RecordError::UnsupportedVersion {
            file: file.to_owned(),
            found: format,
        }),
        // A line that is no such object at all is refused when it is read.
        _ => Ok(()),
    }
}

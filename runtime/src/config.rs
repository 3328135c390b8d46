//! The user's config: what holds for everything that a user runs, whatever a project says.
//!
//! Text in, values out: where the file lies, and what the environment and the command line say instead, is the
//! command line's to know. A table of the file is a field of [`Config`], a name in `TABLES` and a function
//! that reads it.

use crate::caps::{Cap, Caps, Limit};
use crate::error::{Place, SourceText};
use crate::pipeline::reader::{Entry, Section, document};
use crate::pipeline::{LIMITS, PipelineError, read_limit};

/// The tables that the file may have.
const TABLES: &[&str] = &["caps"];

/// Bytes that the file may have.
pub const MOST_CONFIG_BYTES: u64 = 1 << 20;

/// What a config file says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Config {
    /// `[caps]`: the most that any step may use.
    pub caps: Caps,
}

impl Config {
    /// Reads the text of a config file, which messages call `file`.
    ///
    /// # Errors
    /// As of a pipeline file: what is no TOML, an unknown key, a value of the wrong form, each with its line.
    pub fn parse(text: &str, file: &str) -> Result<Self, PipelineError> {
        let source = SourceText::new(file, text);
        let document = document("config", &source, text)?;
        let root = Section::root(&source, document.as_table());
        root.allow(TABLES)?;
        Ok(Self {
            caps: root.get("caps").map_or(Ok(Caps::default()), read_caps)?,
        })
    }
}

fn read_caps(entry: Entry<'_>) -> Result<Caps, PipelineError> {
    let section = entry.section()?;
    section.allow(LIMITS)?;
    let mut caps = Caps::default();
    for limit in Limit::ALL {
        if let Some(entry) = section.get(limit.key()) {
            let most = read_limit(limit, &entry)?;
            let set_by = set_by(limit, &entry.place);
            caps.set(limit, Cap { most, set_by });
        }
    }
    Ok(caps)
}

fn set_by(limit: Limit, place: &Place) -> String {
    format!("`{}` in {place}", limit.key())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::error::Hint as _;

    /// The first line of what is said, the line of the file, and the advice.
    #[track_caller]
    fn refused(text: &str) -> (String, u32, Option<String>) {
        let error = Config::parse(text, "config.toml").unwrap_err();
        let said = error.to_string();
        assert!(said.contains("config.toml, line"), "{said}");
        let line = error.places.first().map_or(0, crate::error::Place::line);
        (said.lines().next().unwrap().to_owned(), line, error.hint())
    }

    #[test]
    fn every_cap_can_be_set() {
        let text = "[caps]\nfuel = 1_000\nlog = 1024\nmemory = \"2 GiB\"\noutput = \"1 GiB\"\nscratch = \"4 GiB\"\ntime = \"10 min\"\n";
        let config = Config::parse(text, "config.toml").unwrap();
        let set: Vec<String> = config
            .caps
            .iter()
            .map(|(limit, cap)| format!("{} by {}", limit.shown(cap.most), cap.set_by))
            .collect();
        assert_eq!(
            set,
            [
                "1_000 fuel by `fuel` in config.toml, line 2",
                "1 KiB by `log` in config.toml, line 3",
                "2 GiB by `memory` in config.toml, line 4",
                "1 GiB by `output` in config.toml, line 5",
                "4 GiB by `scratch` in config.toml, line 6",
                "10 min by `time` in config.toml, line 7",
            ]
        );
        assert_eq!(set.len(), LIMITS.len());
        assert_eq!(Config::parse("", "config.toml").unwrap(), Config::default());
    }

    #[test]
    fn a_slip_is_told_and_nothing_is_passed_over() {
        let (said, line, hint) = refused("[cap]\n");
        assert_eq!(
            (said.as_str(), line),
            ("unknown key `cap` at the top level", 1)
        );
        assert_eq!(hint.as_deref(), Some("did you mean `caps`?"));
        let (said, line, hint) = refused("[caps]\nmemmory = \"2 GiB\"\n");
        assert_eq!(
            (said.as_str(), line),
            ("unknown key `memmory` in `[caps]`", 2)
        );
        assert_eq!(hint.as_deref(), Some("did you mean `memory`?"));
        let (said, line, _) = refused("[caps]\nlog = 1\nmemory = \"2 GB\"\n");
        assert_eq!(
            (said.as_str(), line),
            ("`caps.memory` has a wrong value", 3)
        );
        let (said, ..) = refused("[caps]\nfuel = 0\n");
        assert_eq!(said, "`caps.fuel` has a wrong value");
        let (said, ..) = refused("[caps\n");
        assert!(said.starts_with("the config is not valid TOML: "), "{said}");
        let (said, ..) = refused("caps = 3\n");
        assert_eq!(said, "`caps` has a wrong value");
    }
}

//! The user's config file and what the environment and the command line say instead.

use std::ffi::OsString;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use etcetera::BaseStrategy;
use pinion_runtime::caps::{Cap, Caps, Limit};
use pinion_runtime::config::{Config, MOST_CONFIG_BYTES};
use pinion_runtime::pipeline::{limit_form, parse_limit};
use pinion_runtime::sandbox::StepError;

use crate::args::CapArgs;
use crate::failure::Failure;
use crate::file;
use crate::key;

/// Names another file, which has to be there; empty, none is read.
const FILE: &str = "PINION_CONFIG";

/// The caps that the environment and the command line can set: variable, option.
const SETTABLE: [(Limit, &str, &str); 3] = [
    (Limit::Fuel, "PINION_MAX_FUEL", "--max-fuel"),
    (Limit::Memory, "PINION_MAX_MEMORY", "--max-memory"),
    (Limit::Time, "PINION_MAX_TIME", "--max-time"),
];

/// The config file.
pub(crate) struct ConfigFile {
    pub(crate) path: PathBuf,
    /// What it says; none if it is not there, which is well for the one where it usually is.
    pub(crate) config: Option<Config>,
}

/// The config file of this user; none where there is to be none, or no home.
pub(crate) fn file() -> Result<Option<ConfigFile>, Failure> {
    let (path, named) = match std::env::var_os(FILE) {
        Some(named) if named.is_empty() => return Ok(None),
        Some(named) => (PathBuf::from(named), true),
        None => match etcetera::choose_base_strategy() {
            Ok(places) if key::is_the_users(&places.config_dir()) => (
                places.config_dir().join("pinion").join("config.toml"),
                false,
            ),
            Ok(_) | Err(_) => return Ok(None),
        },
    };
    let config = match file::read_text(&path, MOST_CONFIG_BYTES) {
        Ok(text) => Some(Config::parse(&text, &path.display().to_string())?),
        Err(error) if error.kind() == ErrorKind::NotFound && !named => None,
        Err(error) => return Err(unreadable(&path, named, error)),
    };
    Ok(Some(ConfigFile { path, config }))
}

fn unreadable(path: &Path, named: bool, error: std::io::Error) -> Failure {
    let failure = Failure::on_path("read the config", path.display(), error);
    match named {
        true => failure.hint(format!(
            "`{FILE}` names it; to read none, set that to nothing"
        )),
        false => failure,
    }
}

/// What no step may use more than. Of each limit the command line says it, else the environment, else the config.
pub(crate) fn caps(asked: &CapArgs) -> Result<Caps, Failure> {
    let file = file()?.and_then(|file| file.config);
    resolved(
        file.unwrap_or_default(),
        &|name| std::env::var_os(name),
        asked,
    )
}

fn resolved(
    config: Config,
    environment: &dyn Fn(&str) -> Option<OsString>,
    asked: &CapArgs,
) -> Result<Caps, Failure> {
    let mut caps = config.caps;
    for (limit, variable, option) in SETTABLE {
        let asked = match limit {
            Limit::Fuel => asked.max_fuel,
            Limit::Memory => asked.max_memory,
            _ => asked.max_time,
        };
        let (most, set_by) = match (asked, environment(variable)) {
            (Some(most), _) => (most, option),
            (None, Some(value)) if !value.is_empty() => {
                (amount(limit, variable, &value)?, variable)
            }
            (None, _) => continue,
        };
        let set_by = format!("`{set_by}`");
        caps.set(limit, Cap { most, set_by });
    }
    Ok(caps)
}

fn amount(limit: Limit, variable: &str, value: &OsString) -> Result<u64, Failure> {
    let amount = value.to_str().and_then(|text| parse_limit(limit, text));
    amount.ok_or_else(|| {
        Failure::wrong(format!(
            "`{variable}` in the environment has a wrong value\n  expected {}\n  found    `{}`",
            limit_form(limit),
            value.to_string_lossy()
        ))
    })
}

/// What to do about a step that reached a limit which is a cap.
pub(crate) fn advice(error: &StepError, caps: &Caps) -> Option<String> {
    let cap = match error {
        StepError::LimitReached(reached) => caps.binding(reached.what, reached.limit),
        StepError::OutOfTime(late) => caps.binding(Limit::Time.key(), late.limit_ms),
        _ => None,
    }?;
    Some(format!(
        "no step may have more of it here; to allow more, raise the cap that is set by {}",
        cap.set_by
    ))
}

/// The failure of a step, with [`advice`].
pub(crate) fn advised(error: StepError, caps: &Caps) -> Failure {
    let hint = advice(&error, caps);
    Failure {
        hint,
        ..Failure::from(error)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn of(
        config: &str,
        environment: &[(&str, &str)],
        asked: &CapArgs,
    ) -> Result<Vec<String>, String> {
        let config = Config::parse(config, "config.toml").unwrap();
        let get = |name: &str| {
            let found = environment.iter().find(|(variable, _)| *variable == name);
            found.map(|(_, value)| OsString::from(value))
        };
        let caps = resolved(config, &get, asked).map_err(|failure| failure.error.to_string())?;
        let shown =
            |(limit, cap): (Limit, &Cap)| format!("{} by {}", limit.shown(cap.most), cap.set_by);
        Ok(caps.iter().map(shown).collect())
    }

    #[test]
    fn an_option_is_before_the_environment_and_that_before_the_config() {
        let config = "[caps]\nfuel = 5\nmemory = \"1 MiB\"\ntime = \"1 s\"\nlog = 7\n";
        let environment = [
            ("PINION_MAX_MEMORY", "2 MiB"),
            ("PINION_MAX_TIME", "2 s"),
            ("PINION_MAX_FUEL", ""),
        ];
        let asked = CapArgs {
            max_time: Some(3_000),
            ..CapArgs::default()
        };
        assert_eq!(
            of(config, &environment, &asked).unwrap(),
            [
                "5 fuel by `fuel` in config.toml, line 2",
                "7 B by `log` in config.toml, line 5",
                "2 MiB by `PINION_MAX_MEMORY`",
                "3 s by `--max-time`",
            ]
        );
        assert!(of("", &[], &CapArgs::default()).unwrap().is_empty());
    }

    #[test]
    fn a_variable_that_cannot_be_read_is_not_passed_over() {
        let told = of("", &[("PINION_MAX_MEMORY", "2 GB")], &CapArgs::default()).unwrap_err();
        assert_eq!(
            told,
            "`PINION_MAX_MEMORY` in the environment has a wrong value\n  expected number of bytes, or text such as `512 MiB`\n  found    `2 GB`"
        );
    }
}

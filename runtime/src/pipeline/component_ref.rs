//! How a step names the component it uses.

use std::fmt;

use semver::{BuildMetadata, Version, VersionReq};

use super::file_path::normal_path;
use super::name::is_name;

/// The namespace of the standard components, which travel with the binary.
const STANDARD: &str = "std";

/// What the `use` of a step names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ComponentRef {
    /// A standard component, `std:read-csv@0.1`.
    Std {
        /// The name without `std:`.
        name: String,
        /// `~0.1` for `@0.1`, which means the newest 0.1.x, and `=0.1.0` for `@0.1.0`.
        version: VersionReq,
    },
    /// A directory with a Rust crate, `./steps/label-late`.
    Crate {
        /// In normal form, relative to the pipeline, without the `./`.
        path: String,
    },
    /// A file, `./label.wasm`.
    File {
        /// In normal form, relative to the pipeline, without the `./`.
        path: String,
    },
}

impl ComponentRef {
    /// What the lockfile calls the component: the reference without a version.
    pub fn lock_name(&self) -> String {
        match self {
            Self::Std { name, .. } => format!("{STANDARD}:{name}"),
            Self::Crate { path } | Self::File { path } => format!("./{path}"),
        }
    }

    /// Parses the text of a `use`.
    ///
    /// # Errors
    /// Why the text names no component, as a fragment without the text itself, and a hint.
    pub(super) fn parse(text: &str) -> Result<Self, (String, Option<String>)> {
        if text.starts_with("./") {
            let path = normal_path(text).map_err(|problem| (problem.to_string(), None))?;
            return Ok(if path.ends_with(".wasm") {
                Self::File { path }
            } else {
                Self::Crate { path }
            });
        }
        if text.starts_with("../") {
            let hint = "put the component beside or below the pipeline file";
            return Err((
                "it leaves the directory of the pipeline".into(),
                Some(hint.into()),
            ));
        }
        let (reference, version) = match text.split_once('@') {
            Some((reference, version)) => (reference, Some(version)),
            None => (text, None),
        };
        let Some((namespace, name)) = reference
            .split_once(':')
            .filter(|(space, name)| is_name(space) && is_name(name))
        else {
            let hint = match normal_path(text) {
                Ok(path) if !text.contains([':', '@']) => {
                    format!("a path begins with `./`: `use = \"./{path}\"`")
                }
                _ => "write `std:name@version`, `./path/to/crate` or `./file.wasm`".into(),
            };
            return Err(("it is neither a component nor a path".into(), Some(hint)));
        };
        if namespace != STANDARD {
            let hint = "use a `std:` component, or a crate or a `.wasm` file beside the pipeline";
            let problem = format!(
                "components of `{namespace}` would come from a registry, which this version cannot do"
            );
            return Err((problem, Some(hint.into())));
        }
        let Some(version) = version else {
            let hint = format!("add the version, as in `{reference}@0.1` for the newest 0.1.x");
            return Err(("it has no version".into(), Some(hint)));
        };
        let Some(version) = requirement(version) else {
            let hint = format!(
                "write `{reference}@0.1` for the newest 0.1.x, or `{reference}@0.1.0` for exactly that one"
            );
            return Err((format!("`{version}` is not a version"), Some(hint)));
        };
        Ok(Self::Std {
            name: name.to_owned(),
            version,
        })
    }
}

/// `1` and `1.2` mean the newest that begins so, `1.2.3` means itself.
fn requirement(text: &str) -> Option<VersionReq> {
    let partial = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    if partial && text.matches('.').count() < 2 {
        return VersionReq::parse(&format!("~{text}")).ok();
    }
    let version = Version::parse(text).ok()?;
    (version.build == BuildMetadata::EMPTY)
        .then(|| VersionReq::parse(&format!("={version}")).ok())?
}

/// Writes the reference as the pipeline file does.
impl fmt::Display for ComponentRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.lock_name())?;
        if let Self::Std { version, .. } = self {
            write!(f, "@{}", version.to_string().trim_start_matches(['~', '=']))?;
        }
        Ok(())
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn a_short_version_means_the_newest_that_begins_so() {
        let cases = [
            ("0.1", ["0.1.0", "0.1.9"], ["0.2.0", "0.0.9"]),
            ("1", ["1.0.0", "1.7.2"], ["2.0.0", "0.9.0"]),
            ("0.1.3", ["0.1.3", "0.1.3"], ["0.1.4", "0.1.2"]),
            (
                "0.1.3-rc.1",
                ["0.1.3-rc.1", "0.1.3-rc.1"],
                ["0.1.3", "0.1.3-rc.2"],
            ),
        ];
        for (text, inside, outside) in cases {
            let written = format!("std:read-csv@{text}");
            let reference = ComponentRef::parse(&written).unwrap();
            assert_eq!(reference.to_string(), written);
            assert_eq!(reference.lock_name(), "std:read-csv");
            let ComponentRef::Std { version, .. } = reference else {
                panic!("{written}")
            };
            for version_inside in inside {
                assert!(
                    version.matches(&Version::parse(version_inside).unwrap()),
                    "{text}"
                );
            }
            for version_outside in outside {
                assert!(
                    !version.matches(&Version::parse(version_outside).unwrap()),
                    "{text}"
                );
            }
        }
    }

    #[test]
    fn paths_begin_with_a_dot() {
        let file = ComponentRef::parse("./bin//label.wasm").unwrap();
        assert_eq!(
            file,
            ComponentRef::File {
                path: "bin/label.wasm".into()
            }
        );
        let steps = ComponentRef::parse("./steps/label-late/").unwrap();
        assert_eq!(
            steps,
            ComponentRef::Crate {
                path: "steps/label-late".into()
            }
        );
        assert_eq!(steps.to_string(), "./steps/label-late");
    }

    #[test]
    fn what_is_refused_says_why() {
        let refused = |text| {
            let (problem, hint) = ComponentRef::parse(text).unwrap_err();
            format!("{problem}; {}", hint.unwrap_or_default())
        };
        insta::assert_snapshot!(refused("std:read-csv"), @"it has no version; add the version, as in `std:read-csv@0.1` for the newest 0.1.x");
        insta::assert_snapshot!(refused("std:read-csv@^0.1"), @"`^0.1` is not a version; write `std:read-csv@0.1` for the newest 0.1.x, or `std:read-csv@0.1.0` for exactly that one");
        insta::assert_snapshot!(refused("std:read-csv@0.1.0+a"), @"`0.1.0+a` is not a version; write `std:read-csv@0.1` for the newest 0.1.x, or `std:read-csv@0.1.0` for exactly that one");
        insta::assert_snapshot!(refused("std:read-csv@"), @"`` is not a version; write `std:read-csv@0.1` for the newest 0.1.x, or `std:read-csv@0.1.0` for exactly that one");
        insta::assert_snapshot!(refused("acme:geocode@1.2.0"), @"components of `acme` would come from a registry, which this version cannot do; use a `std:` component, or a crate or a `.wasm` file beside the pipeline");
        insta::assert_snapshot!(refused("steps/label"), @r#"it is neither a component nor a path; a path begins with `./`: `use = "./steps/label"`"#);
        insta::assert_snapshot!(refused("ghcr.io/acme/x:1"), @"it is neither a component nor a path; write `std:name@version`, `./path/to/crate` or `./file.wasm`");
        insta::assert_snapshot!(refused("../x"), @"it leaves the directory of the pipeline; put the component beside or below the pipeline file");
        insta::assert_snapshot!(refused("./a/../../x"), @"it leaves the directory of the pipeline with `..`; ");
    }
}

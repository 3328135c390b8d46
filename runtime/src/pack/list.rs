//! The list at the beginning of a pack.

use serde::{Deserialize, Serialize};

use super::{PACK_VERSION, PackError, STORE};
use crate::digest::Digest;
use crate::pipeline::normal_path;
use crate::record::RunId;

/// What the list is called in the pack.
pub(super) const NAME: &str = "pinion-pack.json";
/// Most bytes of a list: some millions of files.
pub(super) const MOST_BYTES: u64 = 1 << 30;

/// Every file of a pack but the list itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct List {
    /// [`PACK_VERSION`] of the writer.
    pub(super) format: u32,
    /// The run that was packed.
    pub(super) run: RunId,
    /// Whether what the run made is there.
    pub(super) results: bool,
    /// In byte order of their paths, each once.
    pub(super) files: Vec<Entry>,
}

/// A file of a pack.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Entry {
    /// Relative to the project, with `/`.
    pub(super) path: String,
    /// How many bytes it has.
    pub(super) bytes: u64,
    /// Of its bytes.
    pub(super) digest: Digest,
}

/// As much of any list as says which version it is of.
#[derive(Deserialize)]
struct Version {
    format: u32,
}

impl List {
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, PackError> {
        let malformed = |error: serde_json::Error| PackError::NotAPack {
            problem: format!("its list cannot be read: {error}"),
        };
        let Version { format } = serde_json::from_slice(bytes).map_err(malformed)?;
        if format != PACK_VERSION {
            return Err(PackError::UnsupportedVersion { found: format });
        }
        let list: Self = serde_json::from_slice(bytes).map_err(malformed)?;
        list.files
            .iter()
            .try_for_each(|file| check_path(&file.path))?;
        for pair in list.files.windows(2) {
            if let [before, after] = pair
                && before.path >= after.path
            {
                return Err(PackError::Order {
                    path: after.path.clone(),
                });
            }
        }
        Ok(list)
    }

    pub(super) fn to_bytes(&self) -> Result<Vec<u8>, PackError> {
        let mut bytes = serde_json::to_vec(self).map_err(|error| PackError::NotAPack {
            problem: format!("its list cannot be written: {error}"),
        })?;
        bytes.push(b'\n');
        Ok(bytes)
    }
}

/// Makes sure that a path stays inside of the directory it is relative to, means the same everywhere, and that
/// no program takes orders from what is called so: outside of the store, files are data and components.
pub(super) fn check_path(path: &str) -> Result<(), PackError> {
    let refused = |problem: String| PackError::Path {
        path: path.to_owned(),
        problem,
    };
    let normal = normal_path(path).map_err(|problem| refused(problem.to_string()))?;
    if normal != path {
        return Err(refused("it is not in normal form".to_owned()));
    }
    if path == NAME {
        return Err(refused("the list of a pack is called so".to_owned()));
    }
    if path.starts_with(STORE) {
        return Ok(());
    }
    match path.split('/').find_map(order) {
        Some(problem) => Err(refused(problem.to_owned())),
        None => Ok(()),
    }
}

/// Why a part of a path is not one of data, if it is not. With a manifest, a directory would be a crate, and
/// its build script would run outside of any sandbox with the next `pinion run`; `.cargo`, `.git` and their
/// like are as bad.
fn order(part: &str) -> Option<&'static str> {
    // Some systems take no notice of case, and of characters that are not seen.
    let name: String = part.chars().filter(char::is_ascii).collect();
    if part.starts_with('.') {
        Some("a part of it begins with a dot, which is for the settings of programs")
    } else if name.eq_ignore_ascii_case("Cargo.toml") || name.eq_ignore_ascii_case("build.rs") {
        Some("it would be part of a crate, which is built and not read")
    } else {
        None
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn list(paths: &[&str]) -> Vec<u8> {
        let entry = |path: &&str| Entry {
            path: (*path).to_owned(),
            bytes: 1,
            digest: Digest::of(b"a"),
        };
        let list = List {
            format: PACK_VERSION,
            run: "20261123-061530-4f2a".parse().unwrap(),
            results: false,
            files: paths.iter().map(entry).collect(),
        };
        list.to_bytes().unwrap()
    }

    #[test]
    fn a_list_is_read_as_it_was_written() {
        let bytes = list(&[".pinion/runs/a", "data/a.csv", "pinion.toml"]);
        let read = List::parse(&bytes).unwrap();
        assert_eq!(read.files.len(), 3);
        assert_eq!(read.to_bytes().unwrap(), bytes);
    }

    #[test]
    fn paths_that_lead_out_or_come_twice_are_refused() {
        for path in [
            "../a",
            "data/../../a",
            "/etc/passwd",
            "c:a",
            "data\\a",
            "data//a",
            "./a",
            "a/",
            "",
            "a\0b",
            NAME,
        ] {
            let refused = List::parse(&list(&[path])).unwrap_err();
            assert!(
                matches!(refused, PackError::Path { .. }),
                "{path}: {refused}"
            );
        }
        for paths in [["a", "a"], ["b", "a"]] {
            let refused = List::parse(&list(&paths)).unwrap_err();
            assert!(matches!(refused, PackError::Order { .. }), "{refused}");
        }
    }

    #[test]
    fn paths_that_programs_take_orders_from_are_refused() {
        for path in [
            "steps/label/Cargo.toml",
            "steps/label/cargo.TOML",
            "steps/label/Cargo\u{200c}.toml",
            "steps/label/Cargo.toml.",
            "steps/label/build.rs",
            ".cargo/config.toml",
            ".git/hooks/pre-commit",
            "data/.hidden/a.csv",
            ".pinionrc",
        ] {
            let refused = List::parse(&list(&[path])).unwrap_err();
            assert!(
                matches!(refused, PackError::Path { .. }),
                "{path}: {refused}"
            );
        }
        let honest = [
            ".pinion/runs/a",
            "data/Cargo.csv",
            "data/a.b.csv",
            "steps/label/tests/one/inputs/rows.csv",
        ];
        assert!(List::parse(&list(&honest)).is_ok());
    }

    #[test]
    fn another_version_is_told_from_a_list_that_is_none() {
        let newer = br#"{"format":2,"what":"ever"}"#;
        assert!(matches!(
            List::parse(newer),
            Err(PackError::UnsupportedVersion { found: 2 })
        ));
        for text in [&b"{}"[..], b"", b"[]", br#"{"format":1}"#] {
            assert!(matches!(List::parse(text), Err(PackError::NotAPack { .. })));
        }
    }
}

//! The standard components, as the build script made them from `plugins/`, and all that were ever released.

use std::sync::LazyLock;

use pinion_runtime::component::StdComponent;
use pinion_runtime::digest::ComponentDigest;
use pinion_runtime::lock::ComponentKey;
use semver::Version;
use toml_edit::DocumentMut;

/// Every standard component, by name.
static STANDARD: &[StdComponent] = include!(concat!(env!("OUT_DIR"), "/std_components.rs"));

/// Every standard component, by name.
pub(crate) fn standard() -> &'static [StdComponent] {
    STANDARD
}

/// Every release of every standard component, by name, version and bytes. It only ever grows.
static RELEASED: &str = include_str!("../../../plugins/digests.toml");

/// Whether bytes are those that were released as a standard component in this version, or those that this binary
/// carries as that, which is one that is being worked on.
pub(crate) fn is_released(key: &ComponentKey, digest: &ComponentDigest) -> bool {
    static LIST: LazyLock<Vec<Release>> = LazyLock::new(|| releases(RELEASED).unwrap_or_default());
    let (Some(name), Some(version)) = (key.name.strip_prefix("std:"), &key.version) else {
        return false;
    };
    let is_carried = |carried: &StdComponent| {
        carried.name == name && carried.version == *version && carried.digest == *digest
    };
    let is_listed = |listed: &Release| {
        listed.name == name && listed.version == *version && listed.digest == *digest
    };
    STANDARD.iter().any(is_carried) || LIST.iter().any(is_listed)
}

/// The bytes of a standard component in one version.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Release {
    name: String,
    version: Version,
    digest: ComponentDigest,
}

/// The releases that a list has, in its order; or what is wrong with it.
fn releases(list: &str) -> Result<Vec<Release>, String> {
    let list: DocumentMut = list.parse().map_err(|error| format!("{error}"))?;
    let mut releases = Vec::new();
    for (name, versions) in list.iter() {
        let versions = versions
            .as_table()
            .ok_or_else(|| format!("`{name}` is no table of versions"))?;
        for (version, digest) in versions {
            let wrong = |problem: &str| format!("`{name}`, `{version}`: {problem}");
            releases.push(Release {
                name: name.to_owned(),
                version: version.parse().map_err(|_| wrong("it is no version"))?,
                digest: digest
                    .as_str()
                    .and_then(|digest| digest.parse().ok())
                    .ok_or_else(|| wrong("it has no digest"))?,
            });
        }
    }
    Ok(releases)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use std::fmt::Write as _;
    use std::path::{Path, PathBuf};

    use super::*;

    fn carried() -> Vec<Release> {
        let release = |component: &StdComponent| Release {
            name: component.name.to_owned(),
            version: component.version.clone(),
            digest: component.digest,
        };
        STANDARD.iter().map(release).collect()
    }

    /// The list with all that is carried and is in no version of it yet; or what must not be.
    fn appended(list: &[Release], carried: &[Release]) -> Result<Vec<Release>, String> {
        let mut appended = list.to_vec();
        for component in carried {
            let Release { name, version, .. } = component;
            let is_same = |known: &&Release| known.name == *name && known.version == *version;
            let known: Vec<_> = list.iter().filter(is_same).collect();
            let newer = list
                .iter()
                .find(|known| known.name == *name && known.version > *version);
            match (known.as_slice(), newer) {
                ([], Some(newer)) => {
                    return Err(format!(
                        "`{name}` {version} is older than {}, which is released: raise the version in plugins/{name}/Cargo.toml",
                        newer.version
                    ));
                }
                ([], None) => appended.push(component.clone()),
                (known, _) if known.contains(&component) => {}
                ([known, ..], _) => {
                    return Err(format!(
                        "the bytes of `{name}` have changed, and {version} is released with others\n  expected {}\n  found    {}\n\nhint: changed bytes are a new version: raise it in plugins/{name}/Cargo.toml (`version = \"…\"` in place of `version.workspace`, or the workspace's for all), then run `BLESS=1 cargo test -p pinion-cli digests`; a line of plugins/digests.toml is never changed",
                        known.digest, component.digest
                    ));
                }
            }
        }
        appended.sort();
        Ok(appended)
    }

    fn text(list: &[Release]) -> String {
        let mut text = String::from(
            "# All bytes of the standard components that were ever released, by name and version. Lines are only added:\n# `BLESS=1 cargo test -p pinion-cli digests` does, and changed bytes go under a new version.\n",
        );
        let mut last = None;
        for Release {
            name,
            version,
            digest,
        } in list
        {
            if last != Some(name) {
                write!(text, "\n[{name}]\n").unwrap();
            }
            last = Some(name);
            writeln!(text, "\"{version}\" = \"{digest}\"").unwrap();
        }
        text
    }

    fn workspace() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
    }

    /// What is carried is in the committed list, under its version. `BLESS=1` adds what is not, and changes nothing
    /// that is there.
    #[test]
    fn digests_are_those_committed() {
        for component in STANDARD {
            let digest = ComponentDigest::of(component.bytes);
            assert_eq!(component.digest, digest, "{}", component.name);
        }
        let file = workspace().join("plugins/digests.toml");
        let committed = std::fs::read_to_string(&file).unwrap();
        let list = releases(&committed).unwrap();
        let appended = appended(&list, &carried()).unwrap_or_else(|problem| panic!("{problem}"));
        if std::env::var_os("BLESS").is_some() {
            std::fs::write(&file, text(&appended)).unwrap();
            return;
        }
        let mut missing = appended.iter().filter(|release| !list.contains(release));
        assert_eq!(
            missing.next(),
            None,
            "to add it to plugins/digests.toml, run `BLESS=1 cargo test -p pinion-cli digests`"
        );
        assert_eq!(text(&list), committed);
    }

    /// Every release has left its list beside its receipt: whatever was in one is in today's.
    #[test]
    fn released_digests_are_never_removed() {
        let list = releases(RELEASED).unwrap();
        let mut receipts = 0;
        for entry in std::fs::read_dir(workspace().join("tests/old-formats")).unwrap() {
            let file = entry.unwrap().path().join("digests.toml");
            let Ok(then) = std::fs::read_to_string(&file) else {
                continue;
            };
            receipts += 1;
            for release in releases(&then).unwrap() {
                assert!(
                    list.contains(&release),
                    "{release:?}, which {} has, is not in plugins/digests.toml any more: restore its line",
                    file.display()
                );
            }
        }
        assert!(receipts > 0);
    }

    #[test]
    fn the_list_only_grows() {
        let release = |name: &str, version: &str, bytes: &[u8]| Release {
            name: name.to_owned(),
            version: version.parse().unwrap(),
            digest: ComponentDigest::of(bytes),
        };
        let list = [release("a", "0.1.0", b"1"), release("b", "0.1.0", b"2")];
        let found = appended(&list, &list).unwrap();
        assert_eq!(found, list);
        // One that is gone stays in the list, and a new version comes after the old.
        let found = appended(&list, &[release("a", "0.1.1", b"3")]).unwrap();
        assert_eq!(
            found,
            [&list[..1], &[release("a", "0.1.1", b"3")], &list[1..]].concat()
        );
        assert_eq!(releases(&text(&found)).unwrap(), found);
        let changed = appended(&list, &[release("a", "0.1.0", b"3")]).unwrap_err();
        assert!(
            changed.contains("raise it in plugins/a/Cargo.toml"),
            "{changed}"
        );
        let older = appended(&list, &[release("b", "0.0.9", b"3")]).unwrap_err();
        assert!(older.contains("is older than 0.1.0"), "{older}");
    }

    #[test]
    fn bytes_are_known_by_name_version_and_digest() {
        let key = |name: &str, version: &str| ComponentKey {
            name: name.to_owned(),
            version: version.parse().ok(),
        };
        for Release {
            name,
            version,
            digest,
        } in carried().into_iter().chain(releases(RELEASED).unwrap())
        {
            let name = format!("std:{name}");
            assert!(is_released(&key(&name, &version.to_string()), &digest));
            assert!(!is_released(&key(&name, "99.0.0"), &digest));
            assert!(!is_released(
                &key("std:another", &version.to_string()),
                &digest
            ));
            assert!(!is_released(&key(&name, ""), &digest));
            let other = ComponentDigest::of(b"forged");
            assert!(!is_released(&key(&name, &version.to_string()), &other));
        }
    }

    /// A component that names a directory of the machine it was built on differs from machine to machine.
    #[test]
    fn no_component_names_a_place_of_this_machine() {
        let workspace = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../..")
            .canonicalize()
            .unwrap();
        let mut places = vec![workspace];
        places.extend(std::env::home_dir());
        places.extend(std::env::var_os("CARGO_HOME").map(Into::into));
        places.extend(std::env::var_os("RUSTUP_HOME").map(Into::into));
        for component in STANDARD {
            for place in &places {
                let place = format!("{}/", place.display());
                let found = component
                    .bytes
                    .windows(place.len())
                    .any(|window| window == place.as_bytes());
                assert!(!found, "`{}` names {place}", component.name);
            }
        }
    }
}

//! The standard components, as the build script made them from `plugins/`.

use pinion_runtime::component::StdComponent;
use pinion_runtime::digest::ComponentDigest;
use semver::Version;

/// Every standard component, by name.
static STANDARD: &[StdComponent] = include!(concat!(env!("OUT_DIR"), "/std_components.rs"));

/// Every standard component, by name.
pub(crate) fn standard() -> &'static [StdComponent] {
    STANDARD
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use std::fmt::Write as _;
    use std::path::Path;

    use super::*;

    /// What is released is what is in the committed list. `BLESS=1` writes the list anew.
    #[test]
    fn digests_are_those_committed() {
        let mut list = String::from(
            "# The bytes of the standard components, by name and version. `BLESS=1 cargo test -p pinion-cli digests` rewrites it.\n",
        );
        for component in STANDARD {
            assert_eq!(
                component.digest,
                ComponentDigest::of(component.bytes),
                "{}",
                component.name
            );
            let StdComponent {
                name,
                version,
                digest,
                ..
            } = component;
            write!(list, "\n[{name}]\n\"{version}\" = \"{digest}\"\n").unwrap();
        }
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../plugins/digests.toml");
        if std::env::var_os("BLESS").is_some() {
            std::fs::write(&file, &list).unwrap();
        }
        assert_eq!(list, std::fs::read_to_string(&file).unwrap_or_default());
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

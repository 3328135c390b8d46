//! What goes by the name of a standard component.

use insta::assert_snapshot;
use pinion_runtime::digest::ComponentDigest;
use pinion_tests::project::Project;

use super::{PIPELINE, rows};
use crate::days::that_ran;

/// A project whose lockfile calls somebody's bytes `std:filter-rows`, and whose store has them; with the name in
/// full and the digest.
fn project() -> (Project, String, String) {
    let project = Project::with(&[("pinion.toml", PIPELINE), ("rows.csv", &rows())]);
    project.pinion(&["run"]).succeeded();
    let lock = String::from_utf8(project.read("pinion.lock")).unwrap();
    // Other bytes that do the same, so that all that could give them away is their digest.
    let filter = lock
        .split("[[component]]")
        .find(|entry| entry.contains("std:filter-rows"));
    let words: Vec<&str> = filter.unwrap().split('"').collect();
    let digest = *words
        .iter()
        .find(|word| word.starts_with("sha256:"))
        .unwrap();
    let name = format!("std:filter-rows@{}", words[3]);
    let honest = digest.strip_prefix("sha256:").unwrap();
    let mut bytes = project.read(&format!(".pinion/components/{honest}.wasm"));
    // A custom section called `a`, which is empty.
    bytes.extend([0, 2, 1, b'a']);
    let forged = ComponentDigest::of(&bytes);
    project.write(&format!(".pinion/components/{}.wasm", forged.hex()), &bytes);
    project.write(
        "pinion.lock",
        lock.replace(digest, &forged.to_string()).as_bytes(),
    );
    (project, name, forged.to_string())
}

#[test]
fn other_bytes_do_not_go_by_the_name_of_a_standard_component() {
    let (project, name, _) = project();
    let said = project.pinion(&["run", "--frozen"]);
    assert_snapshot!(said.snapshot().replace(&name, "std:filter-rows@0.1.0"), @r#"
    exit 3
    --- stderr
    error: component `std:filter-rows@0.1.0` is locked to bytes that are not known as its own
      expected the bytes of a release
      found    sha256:[DIGEST]
      in       pinion.lock
      in       pinion.toml, line 15, used by step `keep`
        15 | use = "std:filter-rows@0.1"
           |       ^^^^^^^^^^^^^^^^^^^^^

    hint: to lock the one of this `pinion`, run `pinion update std:filter-rows`; if a newer `pinion` locked it, use that; to take over what somebody else calls so, run `pinion adopt std:filter-rows@0.1.0`
    "#);
    for args in [
        &["run"][..],
        &["plan"],
        &["lock"],
        &["run", "--locked"],
        &["doctor"],
    ] {
        let said = project.pinion(args);
        assert_eq!(
            said.code,
            Some(3),
            "{args:?}: {}{}",
            said.stdout,
            said.stderr
        );
        let text = said.stdout + &said.stderr;
        assert!(
            text.contains(&format!(
                "component `{name}` is locked to bytes that are not known as its own"
            )),
            "{args:?}: {text}"
        );
    }
    // Whatever else it is said to be, the name decides.
    project.pinion(&["update", "std:filter-rows"]).succeeded();
    project.pinion(&["run", "--frozen"]).succeeded();
}

#[test]
fn adopted_bytes_do() {
    let (project, name, digest) = project();
    let said = project
        .pinion(&["adopt", &name, "--by", "anna"])
        .succeeded();
    assert!(
        said.stderr
            .contains(&format!("adopted component {name} as {digest}")),
        "{}",
        said.stderr
    );
    let ran = project
        .pinion(&["run", "--frozen", "--json"])
        .succeeded()
        .json();
    assert_eq!(that_ran(&ran), ["keep"]);
    let doctor = project.pinion(&["doctor"]).succeeded();
    assert!(
        doctor
            .stdout
            .contains(&format!("component `{name}` was adopted by anna")),
        "{}",
        doctor.stdout
    );
    project.pinion(&["verify"]).succeeded();
    // What is kept for the run stays adopted.
    project
        .pinion(&["gc", "--keep", "1", "--older-than", "0s"])
        .succeeded();
    project.pinion(&["run", "--frozen"]).succeeded();

    // To somebody else that says nothing, and the pack has to be adopted anew.
    project.pinion(&["pack", "-o", "run.tar"]).succeeded();
    let refused = project.pinion(&["unpack", "run.tar", "there"]);
    assert_eq!(refused.code, Some(3));
    assert!(!project.path().join("there").exists());
    assert!(
        refused
            .stderr
            .contains(&format!("run `pinion unpack --adopt {name}`")),
        "{}",
        refused.stderr
    );
    project
        .pinion(&["unpack", "run.tar", "there", "--adopt", &name])
        .succeeded();
    project
        .pinion(&["run", "-C", "there", "--frozen"])
        .succeeded();
    let unknown = project.pinion(&[
        "unpack",
        "run.tar",
        "other",
        "--adopt",
        "std:read-csv@0.1.0",
        "--adopt",
        &name,
    ]);
    assert_eq!(unknown.code, Some(2), "{}", unknown.stderr);
    // Another key did not adopt it.
    let said = super::verbs::with_key(&project, &"c".repeat(64), &["run", "--frozen"]);
    assert_eq!(said.code, Some(3), "{}", said.stderr);
}

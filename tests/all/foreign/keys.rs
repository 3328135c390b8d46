//! Keys of stores: the user's own, those of teams, and those that are none.

use std::fs;
use std::process::Command;

use pinion_tests::project::{Project, Said};

use super::{PIPELINE, rows};
use crate::days::that_ran;
use crate::golden::copy;

const KEY: &str = "00112233445566778899aabbccddeeff00112233445566778899AABBCCDDEEFF";

fn project() -> Project {
    Project::with(&[("pinion.toml", PIPELINE), ("rows.csv", &rows())])
}

/// What another user has, or the same user on another machine: another key, and no compiled code.
fn on_machine(project: &Project, machine: &str, args: &[&str]) -> Command {
    let mut command = project.command(args);
    command.env("PINION_CACHE_DIR", project.path().join(machine));
    command
}

fn said(project: &Project, command: &mut Command) -> Said {
    project.said(command.output())
}

/// As CI keeps a store between its jobs, or a team shares one.
#[test]
fn a_store_that_was_restored_elsewhere_hits_with_its_key_and_not_without() {
    let project = project();
    project.write("team.key", format!("{KEY}\n").as_bytes());
    private(&project, "team.key", 0o600);
    let run = ["run", "--json", "--store-key", "team.key"];
    let first = said(&project, &mut on_machine(&project, "one", &run))
        .succeeded()
        .json();
    let kept = project.path().join("kept");
    copy(&project.path().join(".pinion"), &kept);
    let restore = || {
        fs::remove_dir_all(project.path().join(".pinion")).unwrap();
        copy(&kept, &project.path().join(".pinion"));
    };
    // With the key, from its file or from the environment.
    restore();
    let again = said(&project, &mut on_machine(&project, "two", &run))
        .succeeded()
        .json();
    assert_eq!(that_ran(&again), [""; 0]);
    restore();
    let mut by_name = on_machine(&project, "two", &["run", "--json"]);
    let again = said(
        &project,
        by_name.env("PINION_STORE_KEY", KEY.to_lowercase()),
    );
    assert_eq!(that_ran(&again.succeeded().json()), [""; 0]);
    // Without it, and with another.
    for key in ["", &KEY.replace('0', "1")] {
        restore();
        let mut without = on_machine(&project, "two", &["run", "--json"]);
        let again = said(&project, without.env("PINION_STORE_KEY", key))
            .succeeded()
            .json();
        assert_eq!(that_ran(&again), ["read", "keep", "sort", "fit"], "{key:?}");
        assert_eq!(again["run_digest"], first["run_digest"]);
    }
}

#[test]
fn without_a_place_for_a_key_the_cache_is_private_to_the_run() {
    let project = project();
    let nowhere = |args: &[&str]| {
        let mut command = project.command(args);
        command.env_remove("PINION_CACHE_DIR");
        for name in ["HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME"] {
            command.env(name, "/dev/null/nowhere");
        }
        said(&project, &mut command).succeeded()
    };
    let first = nowhere(&["run", "--json"]);
    let lines = first.stderr.matches("private to this run").count();
    assert_eq!(lines, 1, "{}", first.stderr);
    let again = nowhere(&["run", "--json"]);
    assert_eq!(that_ran(&again.json()), ["read", "keep", "sort", "fit"]);
    assert_eq!(again.json()["run_digest"], first.json()["run_digest"]);
}

#[cfg(unix)]
fn private(project: &Project, file: &str, mode: u32) {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(project.path().join(file), fs::Permissions::from_mode(mode)).unwrap();
}

#[cfg(not(unix))]
fn private(_: &Project, _: &str, _: u32) {}

#[cfg(unix)]
#[test]
fn what_is_no_key_is_said_and_never_shown() {
    let project = project();
    let secret = &KEY[..40];
    project.write("short.key", secret.as_bytes());
    project.write("open.key", KEY.as_bytes());
    project.write("binary.key", &[0xff; 64]);
    for (file, mode) in [
        ("short.key", 0o600),
        ("open.key", 0o644),
        ("binary.key", 0o600),
    ] {
        private(&project, file, mode);
    }
    let file = |name: &str| project.pinion(&["run", "--store-key", name]);
    let named = |key: &str| {
        let mut command = project.command(&["run"]);
        said(&project, command.env("PINION_STORE_KEY", key))
    };
    let all = [
        file("short.key"),
        file("open.key"),
        file("binary.key"),
        file("no.key"),
        file("."),
        named(secret),
    ];
    let codes: Vec<_> = all.iter().map(|said| said.code).collect();
    assert_eq!(codes, [2, 3, 2, 2, 2, 2].map(Some));
    let text: Vec<String> = all.iter().map(Said::snapshot).collect();
    assert!(
        text.iter().all(|text| !text.contains(&secret[..12])),
        "{text:?}"
    );
    assert!(
        text[0].contains(
            "`short.key` is not a key\n  expected 64 hexadecimal digits\n  found    40 characters"
        ),
        "{text:?}"
    );
    assert!(
        text[1].contains("the key `open.key` is not safe: others can read it"),
        "{text:?}"
    );
    assert!(
        text[5].contains("`PINION_STORE_KEY` is not a key"),
        "{text:?}"
    );
    assert!(!project.path().join(".pinion").exists());
}

/// What is in the user's own place has to be a key, and the user's alone.
#[cfg(unix)]
#[test]
fn the_users_own_key_has_to_be_the_users_alone() {
    let project = project();
    let run = || said(&project, &mut on_machine(&project, "home", &["plan"]));
    run().succeeded();
    private(&project, "home/secret/code.key", 0o644);
    let refused = |code, message: &str| {
        let said = run();
        assert_eq!(said.code, Some(code), "{}", said.stderr);
        assert!(said.stderr.contains(message), "{}", said.stderr);
    };
    refused(3, "secret/code.key` is not safe: others can read it");
    private(&project, "home/secret/code.key", 0o600);
    private(&project, "home/secret", 0o777);
    refused(3, "secret/code.key` is not safe: others can replace it");
    private(&project, "home/secret", 0o700);
    project.write("home/secret/code.key", b"short");
    refused(2, "is not a key\n  expected 32 bytes\n  found    5 bytes");
}

//! What a user lets any step use, whatever a pipeline sets.

use std::fs;

use pinion_tests::project::{Project, Said};

/// A pipeline with one step of its own limits.
fn project(limits: &str) -> Project {
    let pipeline = format!(
        "[pipeline]\nname = \"trips\"\n\n[sources.trips]\npath = \"trips.csv\"\n\n[steps.trips]\nuse = \"std:read-csv@0.1\"\ninput = \"sources.trips\"\n{limits}"
    );
    Project::with(&[("pinion.toml", &pipeline), ("trips.csv", "day,km\n1,2\n")])
}

const MORE: &str = "limits = { memory = \"64 GiB\" }\n";

fn with(project: &Project, variables: &[(&str, &str)], args: &[&str]) -> Said {
    let mut command = project.command(args);
    command.envs(variables.iter().copied());
    project.said(command.output())
}

#[track_caller]
fn assert_refused(said: &Said, by: &str) {
    assert_eq!(said.code, Some(2), "{said:?}");
    for part in [
        "step `trips` asks for a larger limit of memory than it may have",
        "expected at most 2 GiB",
        by,
        "found    64 GiB",
        "pinion.toml, line 10",
    ] {
        assert!(said.stderr.contains(part), "{part}: {}", said.stderr);
    }
}

#[test]
fn a_step_that_asks_for_more_is_refused_before_anything_is_made() {
    let project = project(MORE);
    for verb in ["run", "plan", "lock", "update"] {
        assert_refused(
            &project.pinion(&[verb, "--max-memory", "2 GiB"]),
            "`--max-memory`",
        );
    }
    assert!(!project.path().join("pinion.lock").exists());
    assert_refused(
        &with(&project, &[("PINION_MAX_MEMORY", "2 GiB")], &["run"]),
        "`PINION_MAX_MEMORY`",
    );
    project.write("user.toml", b"[caps]\nmemory = \"2 GiB\"\n");
    let file = [("PINION_CONFIG", "user.toml")];
    assert_refused(&with(&project, &file, &["run"]), "user.toml, line 2");
    // The command line goes before the file.
    with(&project, &file, &["run", "--max-memory", "64 GiB"]).succeeded();
    assert_refused(&with(&project, &file, &["verify"]), "user.toml, line 2");
    assert_refused(
        &with(&project, &file, &["step", "run", "trips"]),
        "user.toml, line 2",
    );
}

#[test]
fn defaults_are_lowered_and_the_record_says_so() {
    let project = project("");
    project.write(
        "user.toml",
        b"[caps]\nmemory = \"128 MiB\"\nlog = \"1 KiB\"\n",
    );
    let file = [("PINION_CONFIG", "user.toml")];
    with(&project, &file, &["run"]).succeeded();
    let limits = project.pinion(&["show", "trips", "--json"]).json()["limits"].clone();
    assert_eq!(limits["memory_bytes"], 128 << 20, "{limits}");
    assert_eq!(limits["log_bytes"], 1 << 10, "{limits}");
    // They are no part of a key.
    let again = project.pinion(&["run", "--json"]).succeeded();
    assert_eq!(again.json()["steps"][0]["units"]["run"], 0);
}

#[test]
fn caps_hold_in_every_call_and_for_what_is_known() {
    let project = project("");
    // Nobody has described itself yet: that is the first call.
    let said = project.pinion(&["plan", "--max-fuel", "1"]);
    assert_ne!(said.code, Some(0), "{said:?}");
    assert!(
        said.stderr.contains("the fuel limit is reached"),
        "{}",
        said.stderr
    );
    assert!(
        said.stderr.contains("set by `--max-fuel`"),
        "{}",
        said.stderr
    );
    project.pinion(&["run"]).succeeded();
    let said = project.pinion(&["run", "--max-fuel", "1"]);
    assert_eq!(said.code, Some(1), "{said:?}");
    assert!(
        said.stderr.contains("its fuel limit is reached"),
        "{}",
        said.stderr
    );
    assert!(
        said.stderr.contains("set by `--max-fuel`"),
        "{}",
        said.stderr
    );
}

#[test]
fn a_config_that_cannot_be_read_is_never_passed_over() {
    let project = project("");
    let refused = |text: &str, part: &str| {
        project.write("user.toml", text.as_bytes());
        let file = [("PINION_CONFIG", "user.toml")];
        for args in [
            &["run"][..],
            &["lock"],
            &["step", "test", "std:read-csv", "--cases", "."],
        ] {
            let said = with(&project, &file, args);
            assert_eq!(said.code, Some(2), "{said:?}");
            assert!(said.stderr.contains(part), "{part}: {}", said.stderr);
        }
        let said = with(&project, &file, &["doctor"]);
        assert_eq!(said.code, Some(1), "{said:?}");
        assert!(said.stdout.contains(part), "{part}: {}", said.stdout);
    };
    refused("[caps]\nmemmory = 1\n", "unknown key `memmory`");
    refused("[caps\n", "the config is not valid TOML");
    fs::remove_file(project.path().join("user.toml")).unwrap();
    let said = with(&project, &[("PINION_CONFIG", "user.toml")], &["run"]);
    assert_eq!(said.code, Some(2), "{said:?}");
    assert!(
        said.stderr.contains("cannot read the config `user.toml`"),
        "{}",
        said.stderr
    );
    assert!(!project.path().join("pinion.lock").exists());
}

#[cfg(unix)]
#[test]
fn doctor_says_which_file_is_read_and_what_holds() {
    let project = project("");
    project.write("home/pinion/config.toml", b"[caps]\ntime = \"10 min\"\n");
    let mut command = project.command(&["doctor"]);
    command
        .env_remove("PINION_CONFIG")
        .env("XDG_CONFIG_HOME", project.path().join("home"));
    let said = project.said(command.output());
    assert!(
        said.stdout.contains("home/pinion/config.toml`"),
        "{}",
        said.stdout
    );
    assert!(
        said.stdout.contains("time at most 10 min, by `time` in "),
        "{}",
        said.stdout
    );
}

//! What `pinion new` and `pinion step new` write works as it is, away from this repository.

use std::fs;
use std::path::Path;
use std::process::Command;

use insta::assert_snapshot;
use pinion_runtime::digest::ComponentDigest;
use pinion_tests::fixtures::{stripped_by_linker, target_dir, workspace};
use pinion_tests::project::Project;

#[test]
fn a_new_project_runs_and_runs_again_from_the_store() {
    let place = Project::new();
    place.pinion(&["new", "churn"]).succeeded();
    let first = place
        .pinion(&["run", "-C", "churn", "--json"])
        .succeeded()
        .json();
    assert_eq!(first["outcome"], "succeeded");
    let second = place
        .pinion(&["run", "-C", "churn", "--locked", "--json"])
        .succeeded()
        .json();
    assert_eq!(second["run_digest"], first["run_digest"]);
    for step in second["steps"].as_array().into_iter().flatten() {
        assert_eq!(step["outcome"], "cached", "{step}");
    }
}

/// The test that each template comes with, without the network: the SDK's dependencies are those that
/// this repository was just built with.
#[test]
fn a_new_step_of_every_kind_passes_its_own_test() {
    let place = Project::new();
    place.pinion(&["new", "churn"]).succeeded();
    for kind in ["source", "row-map", "reduce", "whole-table"] {
        let name = format!("a-{kind}");
        place
            .pinion(&["step", "new", &name, "--kind", kind, "-C", "churn"])
            .succeeded();
        let lockfile = place.read("churn/Cargo.lock");
        let mut cargo = Command::new("cargo");
        cargo
            .args(["test", "--offline", "--target-dir"])
            .arg(target_dir(&workspace()).join("scaffold"))
            .current_dir(place.path().join("churn/steps").join(&name));
        let said = place.said(cargo.output()).succeeded();
        assert!(said.stdout.contains("1 passed"), "{}", said.stdout);
        assert!(!said.stderr.contains("warning"), "{}", said.stderr);
        // The first build drops what is not needed. After that a new step changes nothing of the others.
        if kind != "source" {
            assert_eq!(place.read("churn/Cargo.lock"), lockfile, "{kind}");
        }
    }
}

/// The whole way of somebody who has cargo and nothing else of ours.
#[test]
fn an_installed_pinion_makes_a_project_and_a_step_and_builds_it_when_it_is_edited() {
    let place = Project::new();
    let mut install = Command::new("cargo");
    install
        .args(["install", "--locked", "--path", "runtime/cli", "--offline"])
        // As the tests are built: everything is there.
        .args(cfg!(debug_assertions).then_some("--debug"))
        .arg("--target-dir")
        .arg(target_dir(&workspace()))
        .arg("--root")
        .arg(place.path().join("installed"))
        .current_dir(workspace());
    place.said(install.output()).succeeded();
    let installed = place.path().join("installed/bin/pinion");
    let pinion = |args: &[&str]| {
        let ours = place.command(args);
        let mut command = Command::new(&installed);
        command.args(args).current_dir(place.path());
        for (name, value) in ours.get_envs() {
            command.env(name, value.unwrap_or_default());
        }
        place.said(command.output())
    };

    pinion(&["new", "churn"]).succeeded();
    pinion(&["step", "new", "mark-fast", "-C", "churn"]).succeeded();
    let mut pipeline = String::from_utf8_lossy(&place.read("churn/pinion.toml")).into_owned();
    pipeline.push_str(
        "\n[steps.fast]\nuse = \"./steps/mark-fast\"\ninput = \"speed\"\nparams = { column = \"km_per_hour\", threshold = 20.0 }\n",
    );
    place.write("churn/pinion.toml", pipeline.as_bytes());
    let run = || pinion(&["run", "-C", "churn", "--json"]).succeeded().json();
    let first = run();
    let built = place.read("churn/components/mark-fast.wasm");
    assert_eq!(run()["run_digest"], first["run_digest"]);

    // Names and line tables are taken out without a trace.
    let root = place.path().join("churn");
    let target = place.path().join("linked");
    let linked = stripped_by_linker(&root.join("steps/mark-fast"), &root, &target);
    assert!(
        linked == built,
        "{} and {} bytes",
        linked.len(),
        built.len()
    );
    fs::remove_dir_all(target).unwrap();

    // Each kind of step comes with a case that holds, and breaks when the step does.
    for kind in ["source", "reduce", "whole-table"] {
        let name = format!("a-{kind}");
        pinion(&["step", "new", &name, "--kind", kind, "-C", "churn"]).succeeded();
        let step = format!("churn/steps/{name}");
        pinion(&["step", "test", &step]).succeeded();
    }
    let test = ["step", "test", "-C", "churn"];
    assert_snapshot!(pinion(&test).succeeded().stdout, @"
    ./steps/mark-fast: 1 case, 1 passed, 0 failed
      marks-above  ok
    ");

    // Elsewhere, where cargo finds nothing of this project built, it is the same bytes.
    copy(
        &place.path().join("churn"),
        &place.path().join("else/where"),
    );
    let elsewhere = pinion(&[
        "step",
        "build",
        "else/where/steps/mark-fast",
        "-C",
        "else/where",
        "--json",
    ]);
    assert_eq!(
        elsewhere.succeeded().json()["digest"],
        ComponentDigest::of(&built).to_string()
    );

    let source = "churn/steps/mark-fast/src/lib.rs";
    let text = String::from_utf8_lossy(&place.read(source)).into_owned();
    // Built again to the same bytes, it is the same step.
    place.write(source, format!("{text}\n// Nothing new.\n").as_bytes());
    let rebuilt = pinion(&["run", "-C", "churn", "--json"]).succeeded();
    let told = "building ./steps/mark-fast: its sources changed";
    assert!(rebuilt.stderr.contains(told), "{}", rebuilt.stderr);
    assert_eq!(place.read("churn/components/mark-fast.wasm"), built);
    for step in rebuilt.json()["steps"].as_array().into_iter().flatten() {
        assert_eq!(step["outcome"], "cached", "{step}");
    }

    let edited = text.replace("value > self", "value >= self");
    place.write(source, edited.as_bytes());
    let differs = pinion(&[&test[..], &["fast"]].concat());
    assert_eq!(differs.code, Some(1));
    assert_snapshot!(differs.stdout, @"
    ./steps/mark-fast: 1 case, 0 passed, 1 failed
      marks-above  differs
        port  row  column  expected  found
        rows  2    above   false     true
    ");
    let locked = pinion(&["run", "-C", "churn", "--locked", "--json"]).succeeded();
    assert_eq!(locked.json()["run_digest"], first["run_digest"]);
    assert!(!locked.stderr.contains("building"), "{}", locked.stderr);
    let second = pinion(&["run", "-C", "churn", "--json"]).succeeded();
    assert!(second.stderr.contains(told), "{}", second.stderr);
    assert_ne!(place.read("churn/components/mark-fast.wasm"), built);
    assert_ne!(second.json()["run_digest"], first["run_digest"]);

    // The step as it was, on what the last run gave it; neither lockfile nor component is written.
    place.write(source, text.as_bytes());
    let (lock, component) = (
        place.read("churn/pinion.lock"),
        place.read("churn/components/mark-fast.wasm"),
    );
    let replayed = pinion(&["step", "run", "fast", "-C", "churn", "--json"])
        .succeeded()
        .json();
    assert_eq!(replayed["same_step"], false, "{replayed:#}");
    assert!(replayed["equal"].is_boolean(), "{replayed:#}");
    assert!(place.read("churn/pinion.lock") == lock);
    assert!(place.read("churn/components/mark-fast.wasm") == component);

    // A panic tells function and line.
    let panics = text.replace(
        "        let above: BooleanArray",
        "        assert!(values.len() != 6, \"too few rows\");\n        let above: BooleanArray",
    );
    assert_ne!(panics, text);
    place.write(source, panics.as_bytes());
    let trapped = pinion(&["run", "-C", "churn"]);
    let message = trapped.snapshot();
    let message = &message[message.find("error: ").unwrap_or(0)..];
    assert_snapshot!(message, @"
    error: step `fast` failed: it trapped: wasm `unreachable` instruction executed
      stderr    panicked at steps/mark-fast/src/lib.rs:43: too few rows
      at        steps/mark-fast/src/lib.rs:43 in <mark_fast::MarkAbove as pinion_sdk::step::RowMap>::apply
      partition 0
      in        pinion.toml, line 28, component ./steps/mark-fast

    hint: to run exactly this again, run `pinion step run fast --run [RUN] --partition 0 -C churn`
    ");

    place.write(source, b"fn broken( {}\n");
    let broken = pinion(&["run", "-C", "churn"]);
    assert_eq!(broken.code, Some(2), "{}", broken.stderr);
    assert!(broken.stderr.contains("src/lib.rs:1:"), "{}", broken.stderr);
}

/// Copies a project without what cargo made of its own crates, but with what it made of others: those are
/// named by where they are from, not by where they are built.
fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap_or_else(|error| panic!("{}: {error}", to.display()));
    for entry in fs::read_dir(from).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let text = name.to_string_lossy();
        if ["mark", "pinion_sdk", "pinion-sdk", "libmark", "libpinion"]
            .iter()
            .any(|own| text.starts_with(own))
            && from.components().any(|part| part.as_os_str() == "target")
        {
            continue;
        }
        let (source, target) = (entry.path(), to.join(&name));
        if source.is_dir() {
            copy(&source, &target);
        } else {
            let metadata = entry.metadata();
            fs::copy(&source, &target)
                .unwrap_or_else(|error| panic!("{}: {error}", target.display()));
            // Cargo goes by the times of files.
            let modified = metadata.and_then(|metadata| metadata.modified());
            let file = fs::File::options().write(true).open(&target);
            if let (Ok(modified), Ok(file)) = (modified, file) {
                let _ = file.set_modified(modified);
            }
        }
    }
}

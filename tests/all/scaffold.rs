//! What `pinion new` and `pinion step new` write works as it is, away from this repository.

use std::process::Command;

use pinion_tests::fixtures::{target_dir, workspace};
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
        let mut cargo = Command::new("cargo");
        cargo
            .args(["test", "--offline", "--target-dir"])
            .arg(target_dir(&workspace()).join("scaffold"))
            .current_dir(place.path().join("churn/steps").join(&name));
        let said = place.said(cargo.output()).succeeded();
        assert!(said.stdout.contains("1 passed"), "{}", said.stdout);
        assert!(!said.stderr.contains("warning"), "{}", said.stderr);
    }
}

#[test]
fn a_new_step_is_built_and_run_with_the_pipeline_and_again_when_it_is_edited() {
    let place = Project::new();
    place.pinion(&["new", "churn"]).succeeded();
    place
        .pinion(&["step", "new", "mark-fast", "-C", "churn"])
        .succeeded();
    let mut pipeline = String::from_utf8_lossy(&place.read("churn/pinion.toml")).into_owned();
    pipeline.push_str(
        "\n[steps.fast]\nuse = \"./steps/mark-fast\"\ninput = \"speed\"\nparams = { column = \"km_per_hour\", threshold = 20.0 }\n",
    );
    place.write("churn/pinion.toml", pipeline.as_bytes());
    let run = || {
        place
            .pinion(&["run", "-C", "churn", "--json"])
            .succeeded()
            .json()
    };
    let first = run();
    let built = place.read("churn/components/mark-fast.wasm");
    assert_eq!(run()["run_digest"], first["run_digest"]);

    let source = "churn/steps/mark-fast/src/lib.rs";
    let edited =
        String::from_utf8_lossy(&place.read(source)).replace("value > self", "value >= self");
    place.write(source, edited.as_bytes());
    let locked = place
        .pinion(&["run", "-C", "churn", "--locked", "--json"])
        .succeeded();
    assert_eq!(locked.json()["run_digest"], first["run_digest"]);
    assert!(!locked.stderr.contains("building"), "{}", locked.stderr);
    let second = place.pinion(&["run", "-C", "churn", "--json"]).succeeded();
    let told = "building ./steps/mark-fast: its sources changed";
    assert!(second.stderr.contains(told), "{}", second.stderr);
    assert_ne!(place.read("churn/components/mark-fast.wasm"), built);
    assert_ne!(second.json()["run_digest"], first["run_digest"]);

    place.write(source, b"fn broken( {}\n");
    let broken = place.pinion(&["run", "-C", "churn"]);
    assert_eq!(broken.code, Some(2), "{}", broken.stderr);
    assert!(broken.stderr.contains("src/lib.rs:1:"), "{}", broken.stderr);
}

//! A person's path: a project, a feature of one's own, what ran, what changed, where a row came from, what never
//! had a part in it, and the proof on another machine.

use pinion_tests::fixtures::component;
use pinion_tests::project::Project;

use crate::days;

const PIPELINE: &str = r#"
[pipeline]
name = "loans"

[sources.people]
path = "people.csv"

[steps.people]
use = "std:read-csv@0.1"
input = "sources.people"

[steps.adults]
use = "std:filter-rows@0.1"
input = { from = "people", except = ["gender"] }
params = { where = "age >= 18" }

[steps.fit]
use = "std:fit-linear@0.1"
input = "adults"
params = { target = "debt", features = ["age", "income"] }

[steps.predict]
use = "std:predict@0.1"
inputs = { rows = "adults", model = "fit" }

[steps.evaluate]
use = "std:evaluate-regression@0.1"
input = "predict"
params = { target = "debt" }
"#;

/// A feature by a component of one's own, which the model and what follows it read.
const FEATURE: &str = r#"
[steps.older]
use = "./add-one.wasm"
input = "adults"
params = { column = "age", at_least = 0 }
"#;

fn people() -> String {
    let row = |number: i64| {
        let (age, income) = (15 + number * 7 % 40, 20 + number * 13 % 31);
        let gender = ["f", "m"][number as usize % 2];
        format!(
            "{number},{gender},{age},{income},{}\n",
            2 * age + 3 * income + number % 3
        )
    };
    "id,gender,age,income,debt\n".to_owned() + &(0..40).map(row).collect::<String>()
}

#[test]
fn from_a_feature_of_ones_own_to_the_proof_elsewhere() {
    let project = Project::with(&[("pinion.toml", PIPELINE), ("people.csv", &people())]);
    days::run(&project, &[]);

    // Only the feature, the model and what follows it run.
    project.write("add-one.wasm", component("add-one"));
    let text = PIPELINE.replace("input = \"adults\"", "input = \"older.kept\"") + FEATURE;
    project.write("pinion.toml", text.as_bytes());
    let second = days::run(&project, &[]);
    assert_eq!(
        days::that_ran(&second),
        ["older", "fit", "predict", "evaluate"]
    );

    // The comparison says what was added.
    let diff = project.pinion(&["diff", "--markdown"]).succeeded().stdout;
    assert!(diff.contains("| `older` | step | none | added |"), "{diff}");
    assert!(diff.contains("`fit` | input"), "{diff}");

    // A prediction goes back to one line of the file.
    let ids = days::column(&project, "predict", "id");
    let traced = project
        .pinion(&["lineage", "predict", "--row", "5", "--json"])
        .succeeded()
        .json();
    let rows = traced["rows"].as_array().unwrap();
    let line = rows.last().unwrap()["file_row"].as_u64().unwrap();
    assert_eq!(line.to_string(), ids[5]);

    // What was withheld never reached the model; what was not, did.
    for (column, code) in [("gender", 0), ("income", 1)] {
        let never = project.pinion(&["lineage", "fit", "--never", column]);
        assert_eq!(
            never.code,
            Some(code),
            "{column}: {}{}",
            never.stdout,
            never.stderr
        );
    }

    // Elsewhere there is the pack alone, and the same bits come out.
    project.pinion(&["pack", "-o", "loans.tar"]).succeeded();
    let elsewhere = Project::new();
    elsewhere.write("loans.tar", &project.read("loans.tar"));
    elsewhere
        .pinion(&["unpack", "loans.tar", "there"])
        .succeeded();
    let verified = elsewhere
        .pinion(&["verify", "-C", "there", "--json"])
        .succeeded()
        .json();
    assert_eq!(verified["found_run_digest"], second["run_digest"]);
}

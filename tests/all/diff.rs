//! `diff` says what differs between two runs, and why, in text, in JSON and in Markdown.

use insta::assert_snapshot;
use pinion_tests::fixtures::component;
use pinion_tests::project::Project;
use serde_json::{Value, json};

/// Everything that a run can differ in: params, a component of one's own, sources, figures, a model.
const PIPELINE: &str = r#"
[pipeline]
name = "loans"

[params]
factor = 2
least = 0.5

[sources.loans]
path = "loans"

[steps.read]
use = "std:read-csv@0.1"
input = "sources.loans"

[steps.more]
use = "./add-one.wasm"
input = "read"
params = { column = "years", at_least = 0 }

[steps.derive]
use = "std:derive-columns@0.1"
input = "more.kept"
params = { columns = { product = "amount * ${params.factor}" } }

[steps.keep]
use = "std:filter-rows@0.1"
input = "derive"
params = { where = "amount > 0" }

[steps.fit]
use = "std:fit-scaler@0.1"
input = "keep"
params = { columns = ["product"] }

[steps.evaluate]
use = "std:evaluate-classification@0.1"
input = "keep"
params = { target = "late", probability = "chance", by = ["city"], threshold = "${params.least}" }
"#;

const LOANS: &str = "\
city,years,amount,late,chance
Oslo,1,10.5,1,0.75
Oslo,2,20.25,0,0.5
Turin,3,30,1,0.25
Turin,4,40.125,0,0.125
";

fn project() -> Project {
    let project = Project::with(&[("pinion.toml", PIPELINE), ("loans/2023.csv", LOANS)]);
    project.write("add-one.wasm", component("add-one"));
    project
}

#[track_caller]
fn run(project: &Project, args: &[&str]) -> String {
    let said = project.pinion(&[&["run", "--json"], args].concat());
    let id = said.succeeded().json()["run"].clone();
    id.as_str().unwrap().to_owned()
}

/// The same component with a section that says nothing.
fn other_bytes(component: &[u8]) -> Vec<u8> {
    let mut bytes = component.to_vec();
    bytes.extend([0, 6, 4]);
    bytes.extend(b"note!");
    bytes
}

/// Two runs between which everything differs that can.
fn edited() -> Project {
    let project = project();
    run(&project, &[]);
    let text = String::from_utf8(project.read("pinion.toml")).unwrap();
    let text = text
        .replace("factor = 2", "factor = 3")
        .replace("least = 0.5", "least = 0.625")
        .replace(
            "input = \"keep\"\nparams = { columns",
            "input = \"derive\"\nparams = { columns",
        )
        + "\n[steps.cities]\nuse = \"std:group-rows@0.1\"\ninput = \"read\"\nparams = { by = [\"city\"] }\n";
    project.write("pinion.toml", text.as_bytes());
    project.write("loans/2023.csv", LOANS.replace("0.75", "0.5").as_bytes());
    project.write(
        "loans/2024.csv",
        b"city,years,amount,late,chance\nLyon,5,50.5,1,0.875\n",
    );
    project.write("add-one.wasm", &other_bytes(component("add-one")));
    project.pinion(&["update"]).succeeded();
    run(&project, &[]);
    project
}

#[test]
fn equal_runs_are_equal() {
    let project = project();
    let first = run(&project, &[]);
    run(&project, &[]);
    assert_snapshot!(project.pinion(&["diff", "--exit-code"]).snapshot(), @"");
    let view = project
        .pinion(&["diff", &first, "--json"])
        .succeeded()
        .json();
    assert_eq!(view["equal"], true);
    for part in [
        "settings",
        "params",
        "components",
        "sources",
        "steps",
        "outputs",
        "figures",
        "blobs",
    ] {
        assert_eq!(view[part], json!([]), "{part}");
    }
}

#[test]
fn a_param_that_differs_is_followed_to_everything_it_changes() {
    let project = project();
    run(&project, &[]);
    run(&project, &["--set", "factor=3"]);
    assert_snapshot!(project.pinion(&["diff"]).snapshot(), @"");
    assert_eq!(project.pinion(&["diff", "--exit-code"]).code, Some(1));
}

#[test]
fn everything_that_can_differ_is_told_in_text() {
    let project = edited();
    assert_snapshot!(project.pinion(&["diff"]).snapshot(), @"");
}

#[test]
fn everything_that_can_differ_is_told_in_markdown() {
    let project = edited();
    let said = project.pinion(&["diff", "--markdown", "--limit", "3"]);
    assert_snapshot!(said.snapshot(), @"");
    // It is a comment that is replaced by each build: the same runs are the same text.
    assert_eq!(
        project.pinion(&["diff", "--markdown", "--limit", "3"]),
        said
    );
}

#[test]
fn everything_that_can_differ_is_told_in_json() {
    let project = edited();
    let said = project.pinion(&["diff", "--json"]).succeeded();
    let view = said.json();
    assert_eq!(view["equal"], false);
    assert_eq!(view["unread"], json!([]));
    let part = |name: &str| serde_json::to_string_pretty(&view[name]).unwrap();
    assert_snapshot!(part("params"), @"");
    assert_snapshot!(part("figures"), @"");
    let reasons: Vec<Value> = view["steps"]
        .as_array()
        .unwrap()
        .iter()
        .map(|step| {
            json!([
                step["name"],
                step["presence"],
                step["effect"],
                step["reason"]["key"]["part"]
            ])
        })
        .collect();
    let reasons: Vec<String> = reasons.iter().map(Value::to_string).collect();
    assert_snapshot!(reasons.join("\n"), @"");
}

#[test]
fn runs_that_failed_or_were_interrupted_are_compared_as_far_as_they_came() {
    let project = project();
    run(&project, &[]);
    let text = String::from_utf8(project.read("pinion.toml")).unwrap();
    let failing = text.replace("target = \"late\"", "target = \"years\"");
    project.write("pinion.toml", failing.as_bytes());
    let failed = project.pinion(&["run", "--keep-going"]);
    assert_eq!(failed.code, Some(1), "{}", failed.stderr);
    assert_snapshot!(project.pinion(&["diff"]).snapshot(), @"");

    // A record that ends after its third step is one of a run that was killed there.
    project.write("pinion.toml", text.as_bytes());
    let killed = run(&project, &[]);
    let record = format!(".pinion/runs/{killed}.jsonl");
    let lines = String::from_utf8(project.read(&record)).unwrap();
    let lines: Vec<&str> = lines.split_inclusive('\n').take(4).collect();
    project.write(&record, lines.concat().as_bytes());
    let first = project.pinion(&["runs", "--json"]).json()["runs"][2]["run"].clone();
    let said = project.pinion(&["diff", first.as_str().unwrap()]);
    assert_snapshot!(said.snapshot(), @"");
}

#[test]
fn runs_of_some_steps_only_are_compared_in_those() {
    let project = project();
    run(&project, &["derive"]);
    run(&project, &["fit"]);
    assert_snapshot!(project.pinion(&["diff"]).snapshot(), @"");
}

#[test]
fn what_is_gone_from_the_store_is_said_to_be() {
    let project = project();
    run(&project, &[]);
    run(&project, &["--set", "factor=3"]);
    for kind in ["tables", "blobs"] {
        std::fs::remove_dir_all(project.path().join(".pinion").join(kind)).unwrap();
    }
    let view = project.pinion(&["diff", "--json"]).succeeded().json();
    assert!(!view["unread"].as_array().unwrap().is_empty(), "{view:#}");
    assert_eq!(view["params"][0]["path"], "factor");
    let mut steps = view["steps"].as_array().unwrap().iter();
    let derive = steps.find(|step| step["name"] == "derive").unwrap();
    assert_eq!(derive["reason"]["key"]["part"], "param");
}

#[test]
fn runs_that_cannot_be_compared() {
    let project = project();
    assert_snapshot!(project.pinion(&["diff"]).snapshot(), @"");
    let first = run(&project, &["read"]);
    assert_snapshot!(project.pinion(&["diff"]).snapshot(), @"");
    let nearly = format!("{}zz", &first[..first.len() - 2]);
    assert_snapshot!(project.pinion(&["diff", &nearly]).snapshot().replace(&nearly, "[NEARLY]"), @"");
    project.write(
        "pinion.toml",
        b"[pipeline]\nname = \"other\"\n\n[sources.loans]\npath = \"loans\"\n\n[steps.load]\nuse = \"std:read-csv@0.1\"\ninput = \"sources.loans\"\n",
    );
    let other = run(&project, &[]);
    assert_snapshot!(project.pinion(&["diff"]).snapshot(), @"");
    assert_snapshot!(project.pinion(&["diff", &other]).snapshot(), @"");
}

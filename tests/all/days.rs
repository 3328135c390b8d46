//! A small pipeline over one file a day, cut so fine that every step has several units.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use pinion_tests::project::Project;
use serde_json::Value;

/// Three days of 20 rows are nine partitions of at most eight rows, three a day.
///
/// `keep` and what follows it never read `b`; `sign` and what follows it read nothing else.
pub(crate) const PIPELINE: &str = r#"
[pipeline]
name = "days"
batch_rows = 4
partition_batches = 2

[params]
factor = 2

[sources.days]
path = "days"

[sources.names]
path = "names.csv"

[steps.read]
use = "std:read-csv@0.1"
input = "sources.days"

[steps.names]
use = "std:read-csv@0.1"
input = "sources.names"

[steps.keep]
use = "std:filter-rows@0.1"
input = "read"
params = { where = "a % 3 <> 0" }

[steps.fit-kept]
use = "std:fit-scaler@0.1"
input = "keep"
params = { columns = ["a"] }

[steps.multiply]
use = "std:derive-columns@0.1"
input = "keep"
params = { columns = { product = "a * ${params.factor}" } }

[steps.sign]
use = "std:derive-columns@0.1"
input = "read"
params = { columns = { b = "CASE WHEN b < 0 THEN -1 ELSE 1 END" } }

[steps.positive]
use = "std:filter-rows@0.1"
input = "sign"
params = { where = "b > 0" }

[steps.join]
use = "std:join-tables@0.1"
inputs = { left = "multiply", right = "names" }
params = { on = "key", columns = ["name"], how = "left" }

[steps.check]
use = "std:check-table@0.1"
input = "join"
params = { not_null = ["a"] }

[steps.split]
use = "std:split-by-time@0.1"
input = "check.rows"
params = { column = "day", cut = "2024-01-02" }

[steps.drop]
use = "std:select-columns@0.1"
input = "split.after"
params = { drop = ["name"] }

[steps.fit]
use = "std:fit-scaler@0.1"
input = "split.before"
params = { columns = ["a"] }

[steps.scale]
use = "std:transform@0.1"
inputs = { rows = "split.after", scaler = "fit" }
params = { scale = ["a"] }
"#;

/// One row of a day's file.
pub(crate) struct Row {
    pub(crate) day: i64,
    pub(crate) number: i64,
    pub(crate) a: i64,
    pub(crate) b: i64,
    /// A column that is there if every row has it.
    pub(crate) c: Option<i64>,
}

/// A project with three days.
pub(crate) fn project() -> Project {
    let project = Project::with(&[
        ("pinion.toml", PIPELINE),
        ("names.csv", "key,name\nk0,zero\nk1,one\n"),
    ]);
    write(&project, 3, |_| {});
    project
}

/// Writes the files of the first days, every row edited.
pub(crate) fn write(project: &Project, days: i64, edit: impl Fn(&mut Row)) {
    for day in 1..=days {
        let rows: Vec<Row> = (0..20)
            .map(|number| {
                let (a, b) = (100 * day + number, 7 * number + day);
                let mut row = Row {
                    day,
                    number,
                    a,
                    b,
                    c: None,
                };
                edit(&mut row);
                row
            })
            .collect();
        let new = if rows.iter().all(|row| row.c.is_some()) {
            ",c"
        } else {
            ""
        };
        let mut text = format!("day,key,a,b{new}\n");
        for Row {
            day,
            number,
            a,
            b,
            c,
        } in rows
        {
            let c = c.map_or_else(String::new, |c| format!(",{c}"));
            text.push_str(&format!("2024-01-0{day},k{},{a},{b}{c}\n", number % 3));
        }
        project.write(&format!("days/day-{day}.csv"), text.as_bytes());
    }
}

/// Runs the pipeline and gives the summary.
#[track_caller]
pub(crate) fn run(project: &Project, args: &[&str]) -> Value {
    project
        .pinion(&[&["run", "--json"], args].concat())
        .succeeded()
        .json()
}

/// Units run and units cached of every step.
#[track_caller]
pub(crate) fn units(summary: &Value) -> BTreeMap<&str, (u64, u64)> {
    let steps = summary["steps"].as_array().unwrap().iter();
    let units = |step: &Value| {
        (
            step["units"]["run"].as_u64().unwrap(),
            step["units"]["cached"].as_u64().unwrap(),
        )
    };
    steps
        .map(|step| (step["name"].as_str().unwrap(), units(step)))
        .collect()
}

/// The summary of one step.
#[track_caller]
pub(crate) fn step<'a>(summary: &'a Value, name: &str) -> &'a Value {
    let mut steps = summary["steps"].as_array().unwrap().iter();
    steps.find(|step| step["name"] == name).unwrap()
}

/// The steps of which at least one unit ran, in pipeline order.
#[track_caller]
pub(crate) fn that_ran(summary: &Value) -> Vec<&str> {
    let steps = summary["steps"].as_array().unwrap().iter();
    let ran = steps.filter(|step| step["units"]["run"] != 0);
    ran.map(|step| step["name"].as_str().unwrap()).collect()
}

/// Everything of a run that must not depend on how it came about.
#[track_caller]
pub(crate) fn results(summary: &Value) -> Vec<&Value> {
    let steps = summary["steps"].as_array().unwrap().iter();
    let results = steps.flat_map(|step| {
        [
            &step["name"],
            &step["outputs"],
            &step["fuel"],
            &step["memory_bytes"],
        ]
    });
    [&summary["run_digest"]]
        .into_iter()
        .chain(results)
        .collect()
}

/// Asserts that the run of `summary` gave what a run gives that knows nothing.
#[track_caller]
pub(crate) fn assert_as_cold(project: &Project, summary: &Value) {
    let cold = tempfile::tempdir().unwrap();
    let cold = run(project, &["--store", cold.path().to_str().unwrap()]);
    assert_eq!(results(summary), results(&cold));
}

/// A column of a step's output, exported as CSV.
#[track_caller]
pub(crate) fn column(project: &Project, output: &str, name: &str) -> Vec<String> {
    project
        .pinion(&["export", output, "-o", "out.csv"])
        .succeeded();
    let text = String::from_utf8(project.read("out.csv")).unwrap();
    let mut lines = text.lines().map(|line| line.split(','));
    let at = lines.next().unwrap().position(|column| column == name);
    let at = at.unwrap_or_else(|| panic!("`{output}` has no column `{name}`: {text}"));
    lines
        .map(|mut line| line.nth(at).unwrap().to_owned())
        .collect()
}

/// Paths of all files under a directory of the store, relative to it, in order.
pub(crate) fn stored(project: &Project, directory: &str) -> Vec<String> {
    fn walk(directory: &Path, prefix: &str, found: &mut Vec<String>) {
        // What vanishes while somebody else works there was not there.
        for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
            let path = format!("{prefix}{}", entry.file_name().to_string_lossy());
            if entry.path().is_dir() {
                walk(&entry.path(), &format!("{path}/"), found);
            } else {
                found.push(path);
            }
        }
    }
    let mut found = Vec::new();
    walk(
        &project.path().join(".pinion").join(directory),
        "",
        &mut found,
    );
    found.sort();
    found
}

/// The units that the store knows: a recipe each.
pub(crate) fn recipes(project: &Project) -> Vec<String> {
    let mut recipes = stored(project, "units");
    recipes.retain(|path| !path.contains("/questions/"));
    recipes
}

/// Asserts that every byte of the store is as stored.
#[track_caller]
pub(crate) fn assert_sound(project: &Project) {
    project.pinion(&["doctor"]).succeeded();
}

//! The steps that put tables together and apart, as components of a pipeline.
//!
//! What they compute is compared with other programs natively, in their own tests. Here it is the same
//! through the wall, whatever the layout, and no more runs than has to. Rows and parts that are spelled out
//! are those of the formulas in `tests/oracles/tables.py`.

use pinion_tests::project::Project;

use crate::days::{self, assert_as_cold, column, run, that_ran, units};

const PIPELINE: &str = r#"
[pipeline]
name = "tables"
batch_rows = 4
partition_batches = 2

[sources.days]
path = "days"

[steps.read]
use = "std:read-csv@0.1"
input = "sources.days"

[steps.even]
use = "std:filter-rows@0.1"
input = "read"
params = { where = "a % 2 = 0" }

[steps.wide]
use = "std:derive-columns@0.1"
input = "read"
params = { columns = { c = "2 * a" } }

[steps.union]
use = "std:union-tables@0.1"
inputs = { first = "even", second = "wide" }
params = { missing = "null", origin = "from", labels = { first = "even" } }

[steps.distinct]
use = "std:distinct-rows@0.1"
input = "union"
params = { by = ["a"], keep = "last" }

[steps.sample]
use = "std:sample-rows@0.1"
input = "read"
params = { rows = 10, seed = 7 }

[steps.strata]
use = "std:sample-rows@0.1"
input = "read"
params = { rows = 2, by = ["key"], seed = 7 }

[steps.some]
use = "std:sample-rows@0.1"
input = "read"
params = { fraction = 0.5 }

[steps.hash]
use = "std:split-by-hash@0.1"
input = "read"
params = { by = ["day", "key"], weights = { train = 2, validation = 1, test = 1 }, salt = "days" }

[steps.group]
use = "std:split-by-group@0.1"
input = "read"
params = { by = ["day", "key"], weights = { train = 2, test = 1 }, seed = 3 }

[steps.count]
use = "std:group-rows@0.1"
input = "read"
params = { by = ["day"], aggregates = { keys = { column = "key", function = "count-distinct" } } }
"#;

fn project(pipeline: &str) -> Project {
    let project = Project::with(&[("pinion.toml", pipeline)]);
    days::write(&project, 3, |_| {});
    project
}

/// The values of `a` in the rows of these numbers, a day having 20.
fn a(rows: impl IntoIterator<Item = i64>) -> Vec<String> {
    rows.into_iter()
        .map(|row| (100 * (row / 20 + 1) + row % 20).to_string())
        .collect()
}

/// Row numbers where the day, from 0, and the number of the key are as asked.
fn of(days: i64, is_wanted: impl Fn(i64, i64) -> bool) -> impl Iterator<Item = i64> {
    (0..20 * days).filter(move |row| is_wanted(row / 20, row % 20 % 3))
}

#[test]
fn tables_are_put_together_and_apart() {
    let project = project(PIPELINE);
    run(&project, &[]);

    let even = || (0..60).filter(|row| row % 2 == 0);
    let union = column(&project, "union", "a");
    assert_eq!(union, [a(even()), a(0..60)].concat());
    let from = column(&project, "union", "from");
    assert!(from[..30].iter().all(|from| from == "even"));
    assert!(from[30..].iter().all(|from| from == "second"));
    let c = column(&project, "union", "c");
    assert!(c[..30].iter().all(String::is_empty));
    assert_eq!(c[30..32], ["200", "202"]);

    assert_eq!(column(&project, "distinct", "a"), a(0..60));
    assert_eq!(column(&project, "distinct", "from"), from[30..90]);

    let sample = [1, 8, 10, 21, 26, 31, 36, 43, 44, 52];
    assert_eq!(column(&project, "sample", "a"), a(sample));
    let strata = [1, 8, 31, 43, 44, 52];
    assert_eq!(column(&project, "strata", "a"), a(strata));

    assert_eq!(column(&project, "count", "keys"), ["3"; 3]);
}

/// Days and keys in each part.
const VALIDATION: [(i64, i64); 1] = [(1, 2)];
const TEST: [(i64, i64); 2] = [(0, 1), (2, 1)];

#[test]
fn parts_for_learning_are_those_of_the_formulas() {
    let project = project(PIPELINE);
    run(&project, &[]);
    let part = |step: &str| {
        ["train", "validation", "test"].map(|part| column(&project, &format!("{step}.{part}"), "a"))
    };

    let parts: [Vec<String>; 3] = [
        a(of(3, |day, key| {
            !VALIDATION.contains(&(day, key)) && !TEST.contains(&(day, key))
        })),
        a(of(3, |day, key| VALIDATION.contains(&(day, key)))),
        a(of(3, |day, key| TEST.contains(&(day, key)))),
    ];
    assert_eq!(part("hash"), parts);

    let test = [(2, 2), (1, 0), (2, 0)];
    let parts = [
        a(of(3, |day, key| !test.contains(&(day, key)))),
        Vec::new(),
        a(of(3, |day, key| test.contains(&(day, key)))),
    ];
    assert_eq!(part("group"), parts);
}

#[test]
fn the_layout_changes_nothing() {
    let fine = project(PIPELINE);
    let coarse = project(&PIPELINE.replace("batch_rows = 4", "batch_rows = 16"));
    run(&fine, &[]);
    run(&coarse, &[]);
    for output in [
        "union",
        "distinct",
        "sample",
        "strata",
        "some",
        "hash.train",
        "group.test",
    ] {
        let of = |project| column(project, output, "a");
        assert_eq!(of(&fine), of(&coarse), "{output}");
    }
    let some = column(&fine, "some", "a").len();
    assert!((15..45).contains(&some), "{some}");
}

#[test]
fn another_seed_of_the_pipeline_is_another_sample() {
    let project = project(PIPELINE);
    run(&project, &[]);
    let before = column(&project, "some", "a");
    let pipeline = PIPELINE.replace("[pipeline]", "[pipeline]\nseed = 1");
    project.write("pinion.toml", pipeline.as_bytes());
    let again = run(&project, &[]);
    assert_eq!(that_ran(&again), ["some"]);
    assert_ne!(column(&project, "some", "a"), before);
    assert_eq!(column(&project, "sample", "a")[0], "101");
}

#[test]
fn values_that_nobody_reads_run_none_of_them() {
    let project = project(PIPELINE);
    run(&project, &[]);
    days::write(&project, 3, |row| row.b += 1000);
    let second = run(&project, &[]);
    assert_eq!(that_ran(&second), ["read"]);
    // And yet the new values come through.
    for output in ["union", "distinct", "sample", "hash.test", "group.test"] {
        let b = column(&project, output, "b");
        assert!(
            b.iter().all(|b| b.parse::<i64>().unwrap() > 1000),
            "{output}"
        );
    }
    assert_as_cold(&project, &second);
}

#[test]
fn appended_rows_move_no_other_row_of_a_split_by_hash() {
    let project = project(PIPELINE);
    run(&project, &[]);
    let test = column(&project, "hash.test", "a");
    let some = column(&project, "some", "a");
    days::write(&project, 4, |_| {});
    let second = run(&project, &[]);
    assert_eq!(units(&second)["hash"], (3, 9));
    assert_eq!(column(&project, "hash.test", "a")[..test.len()], test);
    assert_eq!(column(&project, "some", "a")[..some.len()], some);
    assert_as_cold(&project, &second);
}

#[test]
fn a_union_of_whole_partitions_stores_no_rows() {
    // A day's 20 rows end in a short batch: so it can be told that a partition ends there.
    let fine = PIPELINE.replace("batch_rows = 4", "batch_rows = 3");
    let pipeline = format!(
        "{}{}",
        &fine[..fine.find("[steps.even]").unwrap()],
        "[steps.union]\nuse = \"std:union-tables@0.1\"\ninputs = { first = \"read\", second = \"read\" }\n"
    );
    let project = project(&pipeline);
    let summary = run(&project, &[]);
    let union = days::step(&summary, "union");
    assert_eq!(union["bytes"]["read"], 0, "{union:#}");
    assert_eq!(union["bytes"]["stored"], 0, "{union:#}");
    assert_eq!(
        column(&project, "union", "a"),
        [a(0..60), a(0..60)].concat()
    );
}

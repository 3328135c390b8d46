//! Only what changed runs, and what is not run gives the same as if it were.

use pinion_tests::project::Project;
use serde_json::{Value, json};

use crate::days::{self, PIPELINE, assert_as_cold, column, results, run, that_ran, units};

#[test]
fn a_column_that_a_step_ignores_runs_nothing_of_it_and_passes_through_new() {
    let project = days::project();
    run(&project, &[]);
    days::write(&project, 3, |row| row.b += 1000);
    let second = run(&project, &[]);
    assert_eq!(that_ran(&second), ["read", "sign"]);
    // Through a filter, and through everything after it.
    let kept = (1..=3)
        .flat_map(|day| (0..20).map(move |number| (100 * day + number, 7 * number + day + 1000)));
    let kept: Vec<String> = kept
        .filter(|(a, _)| a % 3 != 0)
        .map(|(_, b)| b.to_string())
        .collect();
    assert_eq!(column(&project, "keep", "b"), kept);
    let scaled = column(&project, "scale", "b");
    assert_eq!(scaled, kept[kept.len() - scaled.len()..]);
    assert_as_cold(&project, &second);
}

#[test]
fn a_new_column_runs_only_those_who_ask_for_all_columns_and_appears_downstream() {
    let project = days::project();
    run(&project, &[]);
    days::write(&project, 3, |row| row.c = Some(row.a * row.b));
    let second = run(&project, &[]);
    assert_eq!(that_ran(&second), ["read", "drop"]);
    for output in [
        "keep",
        "multiply",
        "join",
        "check.rows",
        "split.before",
        "drop",
        "scale",
        "positive",
    ] {
        assert!(!column(&project, output, "c").is_empty());
    }
    assert_eq!(column(&project, "keep", "c")[0], "100");
    assert_as_cold(&project, &second);
}

#[test]
fn a_column_that_is_read_runs_its_readers_on_the_rows_that_changed() {
    let project = days::project();
    run(&project, &[]);
    // One value of the first of three partitions of the first of three files.
    days::write(&project, 3, |row| {
        row.a += if (row.day, row.number) == (1, 0) {
            1000
        } else {
            0
        }
    });
    let second = run(&project, &[]);
    let units = units(&second);
    for (step, expected) in [
        ("read", (3, 6)),
        ("keep", (1, 8)),
        ("multiply", (1, 8)),
        ("sign", (0, 9)),
        // It reads `key` alone: the new value passes.
        ("join", (0, 9)),
        // One partial, the merges above it in a tree of nine, and the end.
        ("fit-kept", (1 + 4 + 1, 18 - 6)),
    ] {
        assert_eq!(units[step], expected, "{step}");
    }
    assert_as_cold(&project, &second);
}

#[test]
fn an_append_runs_new_partitions_and_the_right_edge_of_the_merge_tree() {
    let project = days::project();
    run(&project, &[]);
    days::write(&project, 4, |_| {});
    let second = run(&project, &[]);
    let units = units(&second);
    for step in ["read", "keep", "multiply", "sign"] {
        assert_eq!(units[step], (3, 9), "{step}");
    }
    // Of twelve partitions the first eight stay one subtree, and four make a new one: three new partials,
    // three merges of four, the root, and the end.
    assert_eq!(units["fit-kept"], (3 + 3 + 1 + 1, 9 + 7));
    assert_as_cold(&project, &second);
}

/// The file that grew is read again whole, for its units observe the digest of all its bytes; the files
/// beside it are not, and everything after the source sees that its earlier ranges are what they were.
#[test]
fn appended_rows_run_the_partitions_they_are_in_and_the_right_edge_of_the_merge_tree() {
    let project = days::project();
    run(&project, &[]);
    let last = "days/day-3.csv";
    let mut text = String::from_utf8(project.read(last)).unwrap();
    for number in 20..26 {
        text.push_str(&format!("2024-01-03,k0,{},{number}\n", 300 + number));
    }
    project.write(last, text.as_bytes());
    let second = run(&project, &[]);
    let units = units(&second);
    // Of 8, 8 and 4 rows become 8, 8, 8 and 2: the ninth partition is another, and the tenth is new.
    assert_eq!(units["read"], (4, 6));
    for step in ["keep", "multiply", "sign", "join"] {
        assert_eq!(units[step], (2, 8), "{step}");
    }
    // Two partials, their merge, the root, and the end; eight partials and the seven merges above them.
    assert_eq!(units["fit-kept"], (2 + 1 + 1 + 1, 8 + 7));
    assert_as_cold(&project, &second);
}

/// One file, several rounds: partials and merges of round 0 are what an append can find again.
#[test]
fn rows_appended_to_a_single_file_run_its_source_and_new_partitions_only() {
    let rows = |count: i64| {
        let row = |n: i64| format!("{},{n},{}\n", (n * 37) % 11, (n * 5 + 3) % 7);
        let label = |n: i64| (n * 13) % 5 < 2;
        let rows = (0..count).map(|n| format!("{},{}", label(n), row(n)));
        format!("late,x,y,z\n{}", rows.collect::<String>())
    };
    let pipeline = r#"
[pipeline]
name = "log"
batch_rows = 4
partition_batches = 2

[sources.log]
path = "log.csv"

[steps.read]
use = "std:read-csv@0.1"
input = "sources.log"

[steps.double]
use = "std:derive-columns@0.1"
input = "read"
params = { columns = { twice = "x * 2" } }

[steps.fit]
use = "std:fit-logistic@0.1"
input = "double"
params = { features = ["x", "z"], target = "late" }
"#;
    let project = Project::with(&[("pinion.toml", pipeline), ("log.csv", &rows(32))]);
    let first = run(&project, &[]);
    // Four partitions: four partials, three merges, and the end.
    assert_eq!(units(&first)["fit"], (4 + 3 + 1, 0));
    project.write("log.csv", rows(44).as_bytes());
    let second = run(&project, &[]);
    let units = units(&second);
    assert_eq!(units["read"], (6, 0));
    assert_eq!(units["double"], (2, 4));
    // Four of six partitions stay one subtree: two partials, their merge, the root, and the end.
    assert_eq!(units["fit"], (2 + 1 + 1 + 1, 4 + 3));
    assert_as_cold(&project, &second);
}

#[test]
fn a_column_that_nobody_reads_runs_its_source_and_passes_through_new() {
    let project = days::project();
    days::write(&project, 3, |row| row.c = Some(1));
    run(&project, &[]);
    days::write(&project, 3, |row| row.c = Some(2));
    let second = run(&project, &[]);
    assert_eq!(that_ran(&second), ["read"]);
    assert_eq!(units(&second)["read"], (9, 0));
    for output in ["keep", "join", "check.rows", "split.after", "drop", "scale"] {
        let column = column(&project, output, "c");
        assert!(
            !column.is_empty() && column.iter().all(|value| value == "2"),
            "{output}: {column:?}"
        );
    }
    assert_as_cold(&project, &second);
}

#[test]
fn a_column_that_one_step_reads_runs_this_step() {
    let project = days::project();
    run(&project, &[]);
    let day = "days/day-2.csv";
    let text = String::from_utf8(project.read(day)).unwrap();
    project.write(day, text.replace(",k0,", ",k1,").as_bytes());
    let second = run(&project, &[]);
    // `join` looks `key` up, and what it finds, `name`, is read by nobody.
    assert_eq!(that_ran(&second), ["read", "join"]);
    assert_eq!(units(&second)["read"], (3, 6));
    assert_as_cold(&project, &second);
}

#[test]
fn a_file_that_goes_runs_no_row_map() {
    let project = days::project();
    let first = run(&project, &[]);
    days::write(&project, 4, |_| {});
    run(&project, &[]);
    std::fs::remove_file(project.path().join("days/day-4.csv")).unwrap();
    let third = run(&project, &[]);
    assert_eq!(that_ran(&third), Vec::<&str>::new());
    assert_eq!(results(&third), results(&first));
}

#[test]
fn a_changed_step_with_equal_output_leaves_everything_after_it_cached() {
    let project = days::project();
    run(&project, &[]);
    let other = PIPELINE.replace("a % 3 <> 0", "NOT (a % 3 = 0)");
    project.write("pinion.toml", other.as_bytes());
    let second = run(&project, &[]);
    assert_eq!(that_ran(&second), ["keep"]);
    assert_eq!(units(&second)["keep"], (9, 0));
    assert_as_cold(&project, &second);
}

/// The same code under another digest, as after a build that changed nothing that matters.
#[test]
fn a_changed_component_with_equal_output_leaves_everything_after_it_cached() {
    let project = days::project();
    let first = run(&project, &[]);
    let digest = days::step(&first, "keep")["digest"].as_str().unwrap();
    let (_, hex) = digest.split_once(':').unwrap();
    let mut component = project.read(&format!(".pinion/components/{hex}.wasm"));
    // A custom section, named `v` and empty.
    component.extend([0, 2, 1, b'v']);
    project.write("keep.wasm", &component);
    let other = PIPELINE.replacen("std:filter-rows@0.1", "./keep.wasm", 1);
    project.write("pinion.toml", other.as_bytes());
    let second = run(&project, &[]);
    assert_ne!(days::step(&second, "keep")["digest"], digest);
    assert_eq!(that_ran(&second), ["keep"]);
    assert_eq!(units(&second)["keep"], (9, 0));
    assert_as_cold(&project, &second);
}

/// Limits are for each unit, also where a reduce step is known as a whole, which took the fuel of all.
#[test]
fn a_hit_that_used_more_than_is_allowed_today_fails_as_when_it_runs() {
    let project = days::project();
    run(&project, &[]);
    let show = |step| {
        let said = project.pinion(&["show", step, "--json"]).succeeded();
        (step, said.json())
    };
    for (step, shown) in ["multiply", "fit-kept"].map(show) {
        assert!(
            shown["peak_fuel"].as_u64() < shown["fuel"].as_u64(),
            "{shown:#}"
        );
        for (what, used) in [
            ("fuel", "peak_fuel"),
            ("memory", "memory_bytes"),
            ("output", "output_bytes"),
        ] {
            // Of fuel one more is needed: what has none left is stopped.
            let enough = shown[used].as_u64().unwrap() + u64::from(what == "fuel");
            let limit = |limit: u64| {
                let head = format!("[steps.{step}]\n");
                let limited = format!("{head}limits = {{ {what} = {limit} }}\n");
                project.write("pinion.toml", PIPELINE.replace(&head, &limited).as_bytes());
            };
            limit(enough);
            assert_eq!(that_ran(&run(&project, &[step])), Vec::<&str>::new());
            run(&project, &[step, "--no-cache"]);
            limit(enough - 1);
            for args in [[step, "--json"].as_slice(), &[step, "--json", "--no-cache"]] {
                let said = project.pinion(&[&["run"], args].concat());
                assert_eq!(said.code, Some(1), "{step} {what} {args:?}");
                let error = &said.json()["error"];
                assert_eq!(
                    (&error["step"], &error["code"]),
                    (&json!(step), &json!("limit-reached"))
                );
                let expected = format!("its {what} limit is reached");
                assert!(
                    error["message"].as_str().unwrap().contains(&expected),
                    "{error:#}"
                );
            }
        }
    }
}

#[test]
fn a_step_may_have_another_name_or_file_and_is_known_still() {
    let project = days::project();
    run(&project, &[]);
    let other = PIPELINE
        .replace("[steps.keep]", "[steps.kept]")
        .replace("\"keep\"", "\"kept\"")
        .replace("path = \"days\"", "path = \"per-day/*.csv\"");
    project.write("pinion.toml", other.as_bytes());
    std::fs::rename(project.path().join("days"), project.path().join("per-day")).unwrap();
    let second = run(&project, &[]);
    assert_eq!(that_ran(&second), Vec::<&str>::new());
    assert_as_cold(&project, &second);
}

#[test]
fn a_second_run_runs_nothing_and_no_cache_everything_with_one_run_digest() {
    let project = days::project();
    let first = run(&project, &[]);
    let second = run(&project, &["--frozen"]);
    assert_eq!(that_ran(&second), Vec::<&str>::new());
    for step in second["steps"].as_array().unwrap() {
        assert_eq!(step["outcome"], "cached", "{step}");
    }
    let third = run(&project, &["--no-cache"]);
    for (step, (_, cached)) in units(&third) {
        assert_eq!(cached, 0, "{step}");
    }
    assert_eq!(results(&second), results(&first));
    assert_eq!(results(&third), results(&first));
    days::assert_sound(&project);
}

#[test]
fn threads_and_directories_decide_nothing() {
    let (one, two, four) = (days::project(), days::project(), days::project());
    let first = run(&one, &["--threads", "1"]);
    for (project, threads) in [(&two, "2"), (&four, "4")] {
        let other = run(project, &["--threads", threads]);
        assert_eq!(results(&other), results(&first));
        for directory in ["blobs", "chunks", "components", "tables"] {
            assert_eq!(
                days::stored(project, directory),
                days::stored(&one, directory),
                "{directory}"
            );
        }
        assert_eq!(days::recipes(project), days::recipes(&one));
    }
}

/// What `plan` says of every step: whether it is cached, and why not.
#[track_caller]
fn plan(project: &Project, args: &[&str]) -> Vec<(String, Value, Value)> {
    let plan = project
        .pinion(&[&["plan", "--json"], args].concat())
        .succeeded()
        .json();
    let steps = plan["steps"].as_array().unwrap().iter();
    let name = |step: &Value| step["name"].as_str().unwrap().to_owned();
    steps
        .map(|step| (name(step), step["cached"].clone(), step["reason"].clone()))
        .collect()
}

#[track_caller]
fn planned(plan: &[(String, Value, Value)], step: &str) -> (Value, Value) {
    let (_, cached, reason) = plan.iter().find(|(name, ..)| name == step).unwrap();
    (cached.clone(), reason.clone())
}

fn depends(on: &str) -> (Value, Value) {
    (Value::Null, json!({ "part": "depends", "name": on }))
}

#[test]
fn plan_knows_what_has_not_run_and_what_has() {
    let project = days::project();
    let before = plan(&project, &[]);
    assert_eq!(
        planned(&before, "read"),
        (json!(false), json!({ "part": "new" }))
    );
    assert_eq!(planned(&before, "keep"), depends("read"));
    assert_eq!(planned(&before, "scale"), depends("split"));
    assert!(
        !project.path().join("pinion.lock").exists(),
        "`plan` writes nothing"
    );
    run(&project, &[]);
    for (step, cached, reason) in plan(&project, &[]) {
        assert_eq!((cached, reason), (json!(true), Value::Null), "{step}");
    }
}

#[test]
fn plan_names_the_param_the_component_and_the_input_that_changed() {
    let project = days::project();
    let first = run(&project, &[]);

    let param = plan(&project, &["--set", "factor=3"]);
    let reason = json!({
        "part": "params", "name": "columns.product", "old": r#""a * 2""#, "new": r#""a * 3""#,
    });
    assert_eq!(planned(&param, "multiply"), (json!(false), reason));
    assert_eq!(planned(&param, "join"), depends("multiply"));
    for step in ["read", "keep", "fit-kept", "positive"] {
        assert_eq!(planned(&param, step), (json!(true), Value::Null), "{step}");
    }

    let step = "[steps.positive]\nuse = \"std:filter-rows@0.1\"\ninput = \"sign\"\nparams = { where = \"b > 0\" }";
    let other = "[steps.positive]\nuse = \"std:coalesce@0.1\"\ninput = \"sign\"";
    project.write("pinion.toml", PIPELINE.replace(step, other).as_bytes());
    let (cached, reason) = planned(&plan(&project, &[]), "positive");
    assert_eq!(
        (&cached, &reason["part"]),
        (&json!(false), &json!("component"))
    );
    assert_eq!(reason["old"], days::step(&first, "positive")["digest"]);
    assert_ne!(reason["new"], reason["old"]);
    project.write("pinion.toml", PIPELINE.as_bytes());

    days::write(&project, 3, |row| row.b += 1);
    let source = plan(&project, &[]);
    let (cached, reason) = planned(&source, "read");
    assert_eq!(cached, false);
    assert_eq!(
        (&reason["part"], &reason["name"]),
        (&json!("input"), &json!("sources.days"))
    );
    assert_ne!(reason["old"], reason["new"]);
    assert_eq!(planned(&source, "keep"), depends("read"));
    assert_eq!(planned(&source, "names"), (json!(true), Value::Null));
}

/// Once the source was read, it is known that the change concerns `sign` and nobody else.
#[test]
fn plan_tells_those_who_read_a_changed_column_from_those_who_do_not() {
    let project = days::project();
    run(&project, &[]);
    days::write(&project, 3, |row| row.b += 1);
    run(&project, &["read"]);
    let plan = plan(&project, &[]);
    for step in ["read", "keep", "multiply", "join", "scale", "fit"] {
        assert_eq!(planned(&plan, step), (json!(true), Value::Null), "{step}");
    }
    let (cached, reason) = planned(&plan, "sign");
    assert_eq!(cached, false);
    assert_eq!(
        (&reason["part"], &reason["name"]),
        (&json!("input"), &json!("read.table (b)"))
    );
    assert_eq!(planned(&plan, "positive"), depends("sign"));
}

#[test]
fn a_source_without_rows_is_not_called_cached() {
    let pipeline = "[pipeline]\nname = \"none\"\n\n[sources.none]\npath = \"none.csv\"\n\n[steps.none]\nuse = \"std:read-csv@0.1\"\ninput = \"sources.none\"\n";
    let project = Project::with(&[("pinion.toml", pipeline), ("none.csv", "a,b\n")]);
    for _ in 0..2 {
        let step = &run(&project, &[])["steps"][0];
        assert_eq!(step["outcome"], "succeeded", "{step:#}");
        assert_eq!(step["units"], json!({ "run": 0, "cached": 0 }));
    }
    let plan = project.pinion(&["plan", "--json"]).succeeded().json();
    assert_eq!(plan["steps"][0]["cached"], true, "{plan:#}");
}

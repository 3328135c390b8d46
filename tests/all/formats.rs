//! Tables that leave Pinion as files and come back.

use pinion_tests::project::Project;

/// Reads every file format from what was exported of one table, in partitions of 14 rows.
const PIPELINE: &str = r#"[pipeline]
name = "formats"
batch_rows = 7
partition_batches = 2

[sources.csv]
path = "data/rows.csv"

[steps.csv]
use = "std:read-csv@0.1"
input = "sources.csv"
"#;

fn reading(format: &str) -> String {
    format!(
        "\n[sources.{format}]\npath = \"data/rows.{format}\"\n\n\
         [steps.{format}]\nuse = \"std:read-{format}@0.1\"\ninput = \"sources.{format}\"\n"
    )
}

#[test]
fn exported_tables_are_read_again() {
    let mut rows = String::from("id,day,word,value,even\n");
    for id in 0..100 {
        let word = ["", "left", "right", "zoë 🜁"][id % 4];
        let value = if id % 7 == 0 {
            String::new()
        } else {
            format!("{}.25", id * id)
        };
        rows += &format!(
            "{id},2024-02-{:02},{word},{value},{}\n",
            id % 29 + 1,
            id % 2 == 0
        );
    }
    let project = Project::with(&[("pinion.toml", PIPELINE), ("data/rows.csv", &rows)]);
    project.pinion(&["run"]).succeeded();
    let mut pipeline = PIPELINE.to_owned();
    for format in ["arrow", "parquet"] {
        let file = format!("data/rows.{format}");
        project.pinion(&["export", "csv", "-o", &file]).succeeded();
        pipeline += &reading(format);
    }
    project.write("pinion.toml", pipeline.as_bytes());
    let run = project.pinion(&["run", "--json"]).succeeded().json();
    for step in run["steps"].as_array().unwrap() {
        assert_eq!(step["outputs"][0]["rows"], 100, "{run:#}");
    }
    let text = |step: &str| {
        project
            .pinion(&["export", step, "-o", "out.csv"])
            .succeeded();
        String::from_utf8(project.read("out.csv")).unwrap()
    };
    let expected = text("csv");
    assert_eq!(expected.lines().count(), 101);
    for format in ["arrow", "parquet"] {
        assert_eq!(text(format), expected, "{format}");
    }
}

/// The same rows as a Parquet file made by a step, in batches of so many rows.
fn written(batch_rows: usize, params: &str) -> Vec<u8> {
    let mut rows = String::from("id,word,value\n");
    for id in 0..3000 {
        let value = if id % 7 == 0 { "" } else { "0.25" };
        rows += &format!("{id},word {},{value}\n", id % 400);
    }
    let pipeline = PIPELINE.replace("batch_rows = 7", &format!("batch_rows = {batch_rows}"))
        + &format!(
            "\n[steps.write]\nuse = \"std:write-parquet@0.1\"\ninput = \"csv\"\nparams = {params}\n"
        );
    let project = Project::with(&[("pinion.toml", &pipeline), ("data/rows.csv", &rows)]);
    project.pinion(&["run"]).succeeded();
    project
        .pinion(&["export", "write", "-o", "data/rows.parquet"])
        .succeeded();
    // What was written is what was read.
    project
        .pinion(&["export", "csv", "-o", "expected.csv"])
        .succeeded();
    project.write("pinion.toml", (pipeline + &reading("parquet")).as_bytes());
    project.pinion(&["run"]).succeeded();
    project
        .pinion(&["export", "parquet", "-o", "found.csv"])
        .succeeded();
    assert_eq!(project.read("found.csv"), project.read("expected.csv"));
    project.read("data/rows.parquet")
}

#[test]
fn a_written_file_is_the_same_bytes_however_the_table_is_cut() {
    for params in ["{}", "{ compression = \"none\", row_group_rows = 1250 }"] {
        let whole = written(10_000, params);
        for batch_rows in [7, 1024] {
            assert!(
                written(batch_rows, params) == whole,
                "{params} {batch_rows}"
            );
        }
    }
}

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

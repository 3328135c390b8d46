//! Sources that are not there, are not what they were, or are not what they seem.

use std::fs;
use std::sync::Arc;

use arrow_array::{ArrayRef, Int64Array, RecordBatch};
use insta::assert_snapshot;
use parquet::arrow::ArrowWriter;
use pinion_tests::fixtures::workspace;
use pinion_tests::project::Project;

use super::{READS, TRIPS, project, refused};

fn with_trips(trips: &[u8]) -> Project {
    let project = project("");
    project.write("data/trips.csv", trips);
    project
}

#[test]
fn missing_sources() {
    let project = project("");
    fs::remove_file(project.path().join("data/trips.csv")).unwrap();
    assert_snapshot!(refused(&project, &["run"]), @"
    exit 2
    --- stderr
    error: source `trips` has no files
      expected data/trips.csv
      in       pinion.toml, line 7

    hint: paths are relative to the directory of `pinion.toml`
    ");

    let missing = READS.replace("data/trips.csv", "data/*.parquet");
    project.write("pinion.toml", missing.as_bytes());
    assert_snapshot!(refused(&project, &["run"]), @"
    exit 2
    --- stderr
    error: source `trips` has no files
      expected data/*.parquet
      in       pinion.toml, line 7

    hint: paths are relative to the directory of `pinion.toml`
    ");
}

#[test]
fn sources_outside_the_project() {
    let outside = READS.replace("data/trips.csv", "../trips.csv");
    let project = Project::with(&[("pinion.toml", &outside)]);
    assert_snapshot!(refused(&project, &["run"]), @r#"
    exit 2
    --- stderr
    error: path `../trips.csv` cannot be used: it leaves the directory of the pipeline with `..`
      in pinion.toml, line 8
        8 | path = "../trips.csv"
          |        ^^^^^^^^^^^^^^
    "#);
}

#[test]
fn changed_sources_under_frozen() {
    let project = project("");
    project.pinion(&["lock"]).succeeded();
    project.write("data/trips.csv", TRIPS.replace("Lyon", "Bern").as_bytes());
    assert_snapshot!(refused(&project, &["run", "--frozen"]), @"
    exit 2
    --- stderr
    error: source `trips` is not the one that was locked, and `--frozen` was given
      expected blake3:[DIGEST], 134 bytes
      found    blake3:[DIGEST], 134 bytes
      in       data/trips.csv

    hint: to accept the sources as they are, run `pinion lock`, or run without `--frozen`
    ");
    project.pinion(&["run", "--locked"]).succeeded();
}

#[test]
fn no_lockfile_under_locked() {
    assert_snapshot!(refused(&project(""), &["run", "--locked"]), @"
    exit 2
    --- stderr
    error: there is no `pinion.lock`, and it may not be written now

    hint: to write it, run `pinion lock`
    ");
}

#[test]
fn rows_of_other_lengths() {
    let ragged = TRIPS.replace("Oslo,10.25,41", "Oslo,10.25,41,uphill");
    assert_snapshot!(refused(&with_trips(ragged.as_bytes()), &["run"]), @"
    exit 2
    --- stderr
    error: step `trips` cannot read its source
      in data/trips.csv
      in pinion.toml, line 10
    caused by: line 4 of the CSV file (row 3) has 5 fields instead of 4
    ");
}

#[test]
fn text_that_is_not_utf8() {
    let trips = TRIPS.replace("Turin", "Tur?n").into_bytes();
    let trips: Vec<u8> = trips
        .into_iter()
        .map(|byte| if byte == b'?' { 0xed } else { byte })
        .collect();
    assert_snapshot!(refused(&with_trips(&trips), &["run"]), @"
    exit 2
    --- stderr
    error: step `trips` cannot read its source
      in data/trips.csv
      in pinion.toml, line 10
    caused by: line 3 of the CSV file (row 2) is not UTF-8 in column `city`
    ");
}

#[test]
fn an_empty_file() {
    assert_snapshot!(refused(&with_trips(b""), &["run"]), @"
    exit 2
    --- stderr
    error: step `trips` cannot read its source
      in data/trips.csv
      in pinion.toml, line 10
    caused by: the CSV file is empty
    ");
}

#[test]
fn truncated_parquet() {
    let pipeline = READS
        .replace("trips.csv", "planes.parquet")
        .replace("read-csv", "read-parquet");
    let project = Project::with(&[("pinion.toml", &pipeline)]);
    let planes = fs::read(workspace().join("examples/flight-delays/data/planes.parquet")).unwrap();
    project.write("data/planes.parquet", &planes[..planes.len() - 100]);
    assert_snapshot!(refused(&project, &["run"]), @"
    exit 2
    --- stderr
    error: step `trips` cannot read its source
      in data/planes.parquet
      in pinion.toml, line 10
    caused by: the source is not a Parquet file, or was cut short
    ");

    // With the footer of the whole file, but not its pages.
    let cut = [&planes[..100], &planes[planes.len() / 2..]].concat();
    project.write("data/planes.parquet", &cut);
    assert_snapshot!(refused(&project, &["run"]), @"
    exit 2
    --- stderr
    error: step `trips` cannot read its source
      in data/planes.parquet
      in pinion.toml, line 10
    caused by: the footer of the Parquet file is damaged: row group 0 has column `year` at byte 9946, 2417 long, in a file of 11108
    ");
}

/// Rows are reserved by what a row takes, and names are looked for as often as they are there.
#[test]
fn a_csv_of_more_columns_than_a_spreadsheet_has() {
    let names: Vec<String> = (0..35_000).map(|at| format!("c{at}")).collect();
    let numbers = vec!["1"; names.len()].join(",");
    let project = with_trips(format!("{}\n{numbers}\n", names.join(",")).as_bytes());
    let run = project.pinion(&["run", "--json"]).succeeded().json();
    assert_eq!(run["steps"][0]["rows"], 1);
}

/// What a row group costs does not grow with their number: quadratic, this would run into the limit of fuel.
#[test]
fn a_parquet_file_with_a_row_group_for_every_row() {
    let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values(0..32_000));
    let rows = RecordBatch::try_from_iter([("number", numbers)]).unwrap();
    let mut file = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut file, rows.schema(), None).unwrap();
    for row in 0..rows.num_rows() {
        writer.write(&rows.slice(row, 1)).unwrap();
        writer.flush().unwrap();
    }
    writer.close().unwrap();

    let pipeline = READS
        .replace("trips.csv", "rows.parquet")
        .replace("read-csv", "read-parquet");
    let pipeline = format!("{pipeline}limits = {{ fuel = 6_000_000_000 }}\n");
    let project = Project::with(&[("pinion.toml", &pipeline)]);
    project.write("data/rows.parquet", &file);
    let run = project.pinion(&["run", "--json"]).succeeded().json();
    assert_eq!(run["steps"][0]["rows"], 32_000);
}

#[test]
fn truncated_arrow() {
    let pipeline = READS
        .replace("trips.csv", "trips.arrow")
        .replace("read-csv", "read-arrow");
    let project = Project::with(&[("pinion.toml", &pipeline)]);
    let folder = workspace().join("plugins/read-arrow/tests/data");
    let rows = fs::read(folder.join("rows.arrow")).unwrap();
    project.write("data/trips.arrow", &rows[..rows.len() - 100]);
    assert_snapshot!(refused(&project, &["run"]), @"
    exit 2
    --- stderr
    error: step `trips` cannot read its source
      in data/trips.arrow
      in pinion.toml, line 10
    caused by: the Arrow file was cut short: it does not end with `ARROW1`
    ");

    // With the footer of the whole file, but not its record batch.
    let cut = [&rows[..100], &rows[rows.len() / 2..]].concat();
    project.write("data/trips.arrow", &cut);
    assert_snapshot!(refused(&project, &["run"]), @"
    exit 2
    --- stderr
    error: step `trips` cannot read its source
      in data/trips.arrow
      in pinion.toml, line 10
    caused by: the footer of the Arrow file is damaged: it tells of messages that are not in the file
    ");

    // With all of its metadata, but not what it stands for.
    let mut zeroed = rows.clone();
    zeroed[6000..16_000].fill(0x81);
    project.write("data/trips.arrow", &zeroed);
    assert_snapshot!(refused(&project, &["run"]), @"
    exit 1
    --- stderr
      locked std:read-arrow@0.1.1 sha256:[DIGEST]
      locked source trips, 1 file
      trips  std:read-arrow@0.1                          failed
    run [RUN] failed: 1 step, 0 cached,[TIME]
    error: step `trips` failed: column `word` cannot be read from record batch 0: offsets run backwards
      column       word
      record batch 0
      partition    1
      in           pinion.toml, line 10, component std:read-arrow@0.1
    ");

    let union = fs::read(folder.join("refused-union.arrow")).unwrap();
    project.write("data/trips.arrow", &union);
    assert_snapshot!(refused(&project, &["run"]), @"
    exit 2
    --- stderr
    error: step `trips` cannot read its source
      in data/trips.arrow
      in pinion.toml, line 10
    caused by: column `column` has type union, which is not supported
    ");
}

#[test]
fn text_read_as_arrow() {
    let project = project("");
    project.write(
        "pinion.toml",
        READS.replace("read-csv", "read-arrow").as_bytes(),
    );
    assert_snapshot!(refused(&project, &["run"]), @"
    exit 2
    --- stderr
    error: step `trips` cannot read its source
      in data/trips.csv
      in pinion.toml, line 10
    caused by: the source is not an Arrow IPC file
    ");
}

#[test]
fn text_read_as_parquet() {
    let project = project("");
    project.write(
        "pinion.toml",
        READS.replace("read-csv", "read-parquet").as_bytes(),
    );
    assert_snapshot!(refused(&project, &["run"]), @"
    exit 2
    --- stderr
    error: step `trips` cannot read its source
      in data/trips.csv
      in pinion.toml, line 10
    caused by: the source is not a Parquet file, or was cut short
    ");
}

#[test]
fn files_of_one_source_that_differ() {
    let project = project("");
    project.write(
        "pinion.toml",
        READS.replace("trips.csv", "*.csv").as_bytes(),
    );
    project.write(
        "data/walks.csv",
        b"day,city,km,steps\n2024-03-01,Oslo,3.5,4000\n",
    );
    assert_snapshot!(refused(&project, &["run"]), @"
    exit 2
    --- stderr
    error: the files that step `trips` reads differ
      expected column 4 as nullable `minutes` int64 in data/trips.csv
      found    column 4 as nullable `steps` int64 in data/walks.csv
      in       pinion.toml, line 10
    ");
}

#[test]
fn an_unwritable_store() {
    let project = project("");
    project.write("taken", b"");
    assert_snapshot!(refused(&project, &["run", "--store", "taken"]), @"
    exit 2
    --- stderr
    error: cannot open the store `taken`
    caused by: File exists (os error 17)

    hint: to keep results elsewhere, give `--store DIR`
    ");
    assert_snapshot!(refused(&project, &["run", "--store", "taken/below"]), @"
    exit 2
    --- stderr
    error: cannot open the store `taken/below`
    caused by: Not a directory (os error 20)

    hint: to keep results elsewhere, give `--store DIR`
    ");
    assert_snapshot!(refused(&project, &["run", "--store", "data"]), @"
    exit 2
    --- stderr
    error: the directory is not a store
      found `trips.csv` in it

    hint: to use a store there, name a directory that is empty or does not exist yet
    ");
}

#[test]
fn a_check_that_does_not_hold() {
    let project = project(
        r#"
[steps.check]
use = "std:check-table@0.1"
input = "trips"
params = { not_null = ["km"], range = { minutes = { max = 40 } } }
"#,
    );
    assert_snapshot!(refused(&project, &["run"]), @"
    exit 1
    --- stderr
      locked std:check-table@0.1.1 sha256:[DIGEST]
      locked std:read-csv@0.1.1 sha256:[DIGEST]
      locked source trips, 1 file
      trips  std:read-csv@0.1                     5 rows[TIME]
      check  std:check-table@0.1                          failed
    run [RUN] failed: 2 steps, 0 cached,[TIME]
    error: step `check` failed: 2 of 2 checks failed
      not_null `km` is null in 1 of 5 rows
      row      1: `km` is null
      range    `minutes` is not at most 40 in 1 of 5 rows
      row      2: `minutes` is 41
      in       pinion.toml, line 14, component std:check-table@0.1
    ");
}

#[test]
fn values_that_cannot_be_cast() {
    let project = project(
        r#"
[steps.cast]
use = "std:cast-columns@0.1"
input = "trips"
params = { columns = { city = "int64" } }
"#,
    );
    assert_snapshot!(refused(&project, &["run"]), @"
    exit 1
    --- stderr
      locked std:cast-columns@0.1.1 sha256:[DIGEST]
      locked std:read-csv@0.1.1 sha256:[DIGEST]
      locked source trips, 1 file
      trips  std:read-csv@0.1                      5 rows[TIME]
      cast   std:cast-columns@0.1                          failed
    run [RUN] failed: 2 steps, 0 cached,[TIME]
    error: step `cast` failed: a value in column `city` cannot be cast to `int64`
      column    city
      value     `Oslo`
      row       0 of its batch
      partition 0
      in        pinion.toml, line 14, component std:cast-columns@0.1
    ");
}

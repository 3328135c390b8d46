//! Steps that do not fit together: columns, types and ports, found before any data is read.

use insta::assert_snapshot;

use super::{project, refused};

#[test]
fn wrong_column_names() {
    let project = project(
        r#"
[steps.whole]
use = "std:coalesce@0.1"
input = "trips"

[steps.select]
use = "std:select-columns@0.1"
input = "whole"
params = { keep = ["day", "minuets"] }
"#,
    );
    assert_snapshot!(refused(&project, &["run"]), @"
    exit 2
    --- stderr
    error: step `select` cannot take what it is given: there is no column `minuets`
      column  minuets
      port    rows
      from    whole.rows
      columns day, city, km, minutes
      in      pinion.toml, line 21

    hint: did you mean `minutes`?
    ");
}

#[test]
fn wrong_column_names_in_an_expression() {
    let project = project(
        r#"
[steps.short]
use = "std:filter-rows@0.1"
input = "trips"

[steps.short.params]
where = "minuets <= ${params.most}"
"#,
    );
    assert_snapshot!(refused(&project, &["run"]), @"
    exit 2
    --- stderr
    error: step `short` cannot take what it is given: there is no column `minuets`
      in minuets <= 60
         ^
      column  minuets
      port    rows
      from    trips.table
      columns day, city, km, minutes
      in      pinion.toml, line 19

    hint: did you mean `minutes`?
    ");
}

#[test]
fn wrong_column_names_of_a_side_input() {
    let project = project(
        r#"
[steps.join]
use = "std:join-tables@0.1"
inputs = { left = "trips", right = "trips" }
params = { on = ["town"] }
"#,
    );
    assert_snapshot!(refused(&project, &["run"]), @"
    exit 2
    --- stderr
    error: step `join` cannot take what it is given: there is no column `town`
      column  town
      port    left
      from    trips.table
      columns day, city, km, minutes
      in      pinion.toml, line 17
    ");
}

#[test]
fn wrong_column_types() {
    let project = project(
        r#"
[steps.scale]
use = "std:fit-scaler@0.1"
input = "trips"
params = { columns = ["km", "city"] }
"#,
    );
    assert_snapshot!(refused(&project, &["run"]), @"
    exit 2
    --- stderr
    error: step `scale` cannot take what it is given: column `city` has the wrong type
      column   city
      expected a number: an integer, float32, float64 or boolean
      found    utf8
      port     rows
      from     trips.table
      in       pinion.toml, line 17

    hint: `std:cast-columns` gives `city` another type
    ");
}

#[test]
fn wrong_column_types_in_an_expression() {
    let project = project(
        r#"
[steps.short]
use = "std:filter-rows@0.1"
input = "trips"
params = { where = "city < 3" }
"#,
    );
    assert_snapshot!(refused(&project, &["run"]), @"
    exit 2
    --- stderr
    error: step `short` cannot take what it is given: `VARCHAR` and `INTEGER` cannot be compared without a cast
      in city < 3
         ^
      column city
      port   rows
      from   trips.table
      in     pinion.toml, line 17
    ");
}

#[test]
fn casts_to_no_type() {
    let project = project(
        r#"
[steps.cast]
use = "std:cast-columns@0.1"
input = "trips"
params = { columns = { km = "flaot32" } }
"#,
    );
    assert_snapshot!(refused(&project, &["run"]), @"
    exit 2
    --- stderr
    error: step `cast` cannot take what it is given: `columns` gives column `km` an unknown type
      expected such as `int64`, `float64`, `boolean`, `utf8`, `date32`, `timestamp[us]`, `timestamp[us, UTC]` or `decimal128(10, 2)`
      found    `flaot32`
      in       pinion.toml, line 17
    ");
}

#[test]
fn unknown_input_ports() {
    let project = project(
        r#"
[steps.join]
use = "std:join-tables@0.1"
inputs = { left = "trips", rigth = "trips" }
params = { on = ["day"] }
"#,
    );
    assert_snapshot!(refused(&project, &["run"]), @"
    exit 2
    --- stderr
    error: step `join` has no input port `rigth`
      expected one of `left`, `right`
      in       pinion.toml, line 16

    hint: did you mean `right`?
    ");
}

#[test]
fn unknown_output_ports() {
    let project = project(
        r#"
[steps.whole]
use = "std:coalesce@0.1"
input = "trips.tabel"
"#,
    );
    assert_snapshot!(refused(&project, &["run"]), @"
    exit 2
    --- stderr
    error: step `whole` cannot read `trips.tabel`
      expected one of `trips.table`
      in       pinion.toml, line 16

    hint: did you mean `trips.table`?
    ");
}

#[test]
fn output_ports_that_have_to_be_named() {
    let project = project(
        r#"
[steps.split]
use = "std:split-by-time@0.1"
input = "trips"
params = { column = "day", cut = "2024-03-02" }

[steps.whole]
use = "std:coalesce@0.1"
input = "split"
"#,
    );
    assert_snapshot!(refused(&project, &["run"]), @"
    exit 2
    --- stderr
    error: step `whole` cannot read `split` without a port
      expected one of `split.before`, `split.after`
      in       pinion.toml, line 21
    ");
}

#[test]
fn plain_input_for_a_step_of_several_ports() {
    let project = project(
        r#"
[steps.join]
use = "std:join-tables@0.1"
input = "trips"
params = { on = ["day"] }
"#,
    );
    assert_snapshot!(refused(&project, &["run"]), @r#"
    exit 2
    --- stderr
    error: step `join` has nothing at its input port `right`
      expected a table
      port     The columns to add, or the keys to choose by. Its keys and times are held in memory.
      in       pinion.toml, line 14

    hint: name the step or source that it reads: `inputs = { left = "trips", right = "…" }`
    "#);
}

#[test]
fn unbound_ports() {
    let project = project(
        r#"
[steps.join]
use = "std:join-tables@0.1"
inputs = { left = "trips" }
params = { on = ["day"] }
"#,
    );
    assert_snapshot!(refused(&project, &["run"]), @r#"
    exit 2
    --- stderr
    error: step `join` has nothing at its input port `right`
      expected a table
      port     The columns to add, or the keys to choose by. Its keys and times are held in memory.
      in       pinion.toml, line 14

    hint: name the step or source that it reads: `inputs = { left = "trips", right = "…" }`
    "#);
}

#[test]
fn a_blob_where_a_table_belongs() {
    let project = project(
        r#"
[steps.scale]
use = "std:fit-scaler@0.1"
input = "trips"
params = { columns = ["km"] }

[steps.whole]
use = "std:coalesce@0.1"
input = "scale"
"#,
    );
    assert_snapshot!(refused(&project, &["run"]), @"
    exit 2
    --- stderr
    error: step `whole` cannot take this at its input port `rows`
      expected a table
      found    application/vnd.pinion.scaler+json from `scale.scaler`
      in       pinion.toml, line 21
    ");
}

#[test]
fn a_table_where_a_blob_belongs() {
    let project = project(
        r#"
[steps.predict]
use = "std:predict@0.1"
inputs = { rows = "trips", model = "trips" }
"#,
    );
    assert_snapshot!(refused(&project, &["run"]), @"
    exit 2
    --- stderr
    error: step `predict` cannot take this at its input port `model`
      expected application/vnd.pinion.logistic+json or application/vnd.pinion.linear+json
      found    a table from `trips.table`
      in       pinion.toml, line 16
    ");
}

#[test]
fn a_blob_of_another_kind() {
    let project = project(
        r#"
[steps.scale]
use = "std:fit-scaler@0.1"
input = "trips"
params = { columns = ["km"] }

[steps.predict]
use = "std:predict@0.1"
inputs = { rows = "trips", model = "scale" }
"#,
    );
    assert_snapshot!(refused(&project, &["run"]), @"
    exit 2
    --- stderr
    error: step `predict` cannot take this at its input port `model`
      expected application/vnd.pinion.logistic+json or application/vnd.pinion.linear+json
      found    application/vnd.pinion.scaler+json from `scale.scaler`
      in       pinion.toml, line 21
    ");
}

#[test]
fn a_source_where_a_table_belongs() {
    let project =
        project("\n[steps.whole]\nuse = \"std:coalesce@0.1\"\ninput = \"sources.trips\"\n");
    assert_snapshot!(refused(&project, &["run"]), @"
    exit 2
    --- stderr
    error: step `whole` cannot take this at its input port `rows`
      expected a table
      found    files from `sources.trips`
      in       pinion.toml, line 16

    hint: make a table of the files first, with a step that uses `std:read-csv`, `std:read-parquet` or `std:read-arrow`
    ");
}

#[test]
fn a_step_where_a_source_belongs() {
    let project = project(
        r#"
[steps.file]
use = "std:write-parquet@0.1"
input = "trips"

[steps.back]
use = "std:read-parquet@0.1"
input = "file"
"#,
    );
    assert_snapshot!(refused(&project, &["run"]), @"
    exit 2
    --- stderr
    error: step `back` cannot take this at its input port `source`
      expected files, as in `sources.NAME`
      found    what comes from `file.file`
      in       pinion.toml, line 20
    ");
}

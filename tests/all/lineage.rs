//! What led to what: columns by what was read, rows by where they were, and columns that are withheld.

use std::collections::BTreeMap;

use pinion_tests::project::Project;
use serde_json::Value;

use crate::days;

const PEOPLE: &str = "name,gender,age,income\n\
    ann,f,31,5\nbob,m,25,4\ncat,f,44,9\ndan,m,52,7\neve,f,28,6\n";

/// A pipeline that reads people and fits a scaler, with `steps` between: they end in a step `last`.
fn people(steps: &str) -> Project {
    let text = people_text(steps);
    let project = Project::with(&[("pinion.toml", &text), ("people.csv", PEOPLE)]);
    project.pinion(&["run"]).succeeded();
    project
}

fn people_text(steps: &str) -> String {
    format!(
        "[pipeline]\nname = \"people\"\n\
        [sources.people]\npath = \"people.csv\"\n\
        [steps.read]\nuse = \"std:read-csv@0.1\"\ninput = \"sources.people\"\n\
        {steps}\n\
        [steps.fit]\nuse = \"std:fit-scaler@0.1\"\ninput = \"last\"\nparams = {{ columns = [\"age\"] }}\n"
    )
}

fn step(name: &str, component: &str, input: &str, params: &str) -> String {
    format!(
        "[steps.{name}]\nuse = \"std:{component}@0.1\"\ninput = {input}\nparams = {{ {params} }}\n"
    )
}

/// The exit code of `--never gender`, and what `--from gender` says.
fn gender(project: &Project, target: &str) -> (Option<i32>, String) {
    let never = project.pinion(&["lineage", target, "--never", "gender"]);
    let from = project.pinion(&["lineage", target, "--from", "gender", "--json"]);
    let from = from.succeeded().json();
    assert_eq!(
        from["path"] == Value::Array(Vec::new()),
        from["influence"] == "no path"
    );
    // That no step failed counts only if it is asked for.
    let success = project.pinion(&["lineage", target, "--never", "gender", "--success"]);
    assert_eq!(
        success.code == Some(0),
        from["influence"] == "no path",
        "{}",
        success.stdout
    );
    (never.code, from["influence"].as_str().unwrap().to_owned())
}

#[test]
fn a_column_that_chose_the_rows_reaches_a_model_fitted_without_it() {
    let filtered = people(&step(
        "last",
        "filter-rows",
        "\"read\"",
        "where = \"gender = 'f'\"",
    ));
    assert_eq!(
        gender(&filtered, "fit"),
        (Some(1), "through rows".to_owned())
    );
    let sorted = people(&step("last", "sort-rows", "\"read\"", "by = [\"gender\"]"));
    assert_eq!(gender(&sorted, "fit"), (Some(1), "through rows".to_owned()));
    insta::assert_snapshot!(
        filtered.pinion(&["lineage", "fit", "--never", "gender"]).snapshot(),
        @"
    exit 1
    --- stdout
    through rows: `gender` reaches `fit.scaler`
      read.table.gender
      rows of last.rows  `last` read it and decided on the rows
      fit.scaler         `fit` was handed these rows
    "
    );
}

#[test]
fn a_column_that_was_derived_from_it_reaches_the_model_by_its_values() {
    let derive = "columns = { age = \"CASE WHEN gender = 'f' THEN age ELSE age + 1 END\" }";
    let derived = people(&step("last", "derive-columns", "\"read\"", derive));
    assert_eq!(
        gender(&derived, "fit"),
        (Some(1), "through column".to_owned())
    );
    // Under another name it is the same column.
    let renamed = step(
        "renamed",
        "select-columns",
        "\"read\"",
        "rename = { gender = \"g\" }",
    ) + &step(
        "last",
        "derive-columns",
        "\"renamed\"",
        "columns = { age = \"CASE WHEN g = 'f' THEN 1 ELSE 2 END\" }",
    );
    assert_eq!(
        gender(&people(&renamed), "fit"),
        (Some(1), "through column".to_owned())
    );
}

#[test]
fn a_column_that_no_step_read_does_not_reach_the_model() {
    // It passes through the filter, and is only read later, by a step that does not lead to the model.
    let steps = step("last", "filter-rows", "\"read\"", "where = \"age > 26\"")
        + &step(
            "other",
            "filter-rows",
            "\"last\"",
            "where = \"gender = 'm'\"",
        );
    let project = people(&steps);
    assert_eq!(gender(&project, "fit"), (Some(0), "no path".to_owned()));
    assert_eq!(gender(&project, "other").0, Some(1));
    // A step that checks it and promises all rows decides nothing but whether the run goes on.
    let checked = people(
        &step("last", "check-table", "\"read\"", "not_null = [\"gender\"]")
            .replace("last", "check")
            .add_last(),
    );
    assert_eq!(
        gender(&checked, "fit"),
        (Some(0), "through success".to_owned())
    );
    insta::assert_snapshot!(
        checked.pinion(&["lineage", "fit", "--never", "gender"]).snapshot(),
        @"
    exit 0
    --- stdout
    through success: `gender` reaches `fit.scaler` only in that no step failed
      read.table.gender
      rows of check.rows  `check` read it, did not fail, and decided nothing else
      rows of last.rows   `last` was handed these rows
      fit.scaler          `fit` was handed these rows
    "
    );
}

trait AddLast {
    fn add_last(self) -> String;
}

impl AddLast for String {
    /// With a step `last` that passes on the rows of `check`.
    fn add_last(self) -> String {
        self + &step(
            "last",
            "select-columns",
            "\"check.rows\"",
            "drop = [\"name\"]",
        )
    }
}

#[test]
fn what_is_withheld_never_reaches_a_step_and_the_record_says_so() {
    let withheld = "{ from = \"read\", except = [\"gender\", \"name\"] }";
    let steps = step("last", "filter-rows", withheld, "where = \"age > 26\"");
    let project = people(&steps);
    assert_eq!(gender(&project, "fit"), (Some(0), "no path".to_owned()));
    assert_eq!(gender(&project, "last"), (Some(0), "no path".to_owned()));
    let shown = project
        .pinion(&["show", "last", "--json"])
        .succeeded()
        .json();
    assert_eq!(
        shown["inputs"][0]["withheld"],
        serde_json::json!(["name", "gender"])
    );
    let shown = project.pinion(&["show", "last.rows", "--json"]).succeeded();
    let schema = shown.json()["schema"].clone();
    let names = schema
        .as_array()
        .unwrap()
        .iter()
        .map(|field| field["name"].clone());
    assert_eq!(names.collect::<Vec<_>>(), ["age", "income"]);
    // What is not handed over changes, and nothing but the source runs.
    project.write("people.csv", PEOPLE.replace(",f,", ",x,").as_bytes());
    let second = days::run(&project, &[]);
    assert_eq!(days::that_ran(&second), ["read"]);
    days::assert_as_cold(&project, &second);
    // `columns` says the same from the other end.
    let only = steps.replace(
        "except = [\"gender\", \"name\"]",
        "columns = [\"income\", \"age\"]",
    );
    let text = String::from_utf8(project.read("pinion.toml")).unwrap();
    project.write("pinion.toml", text.replace(&steps, &only).as_bytes());
    let third = days::run(&project, &[]);
    assert_eq!(days::results(&third), days::results(&second));
}

#[test]
fn what_is_withheld_is_not_there() {
    let project = people(&step(
        "last",
        "filter-rows",
        "\"read\"",
        "where = \"age > 26\"",
    ));
    let text = String::from_utf8(project.read("pinion.toml")).unwrap();
    let with = |input: &str, condition: &str| {
        let text = text
            .replace("input = \"read\"", &format!("input = {input}"))
            .replace("age > 26", condition);
        project.write("pinion.toml", text.as_bytes());
        project.pinion(&["run"]).snapshot()
    };
    insta::assert_snapshot!(with("{ from = \"read\", except = [\"gender\"] }", "gender = 'f'"), @"
    exit 2
    --- stderr
    error: step `last` cannot take what it is given: there is no column `gender`
      in gender = 'f'
         ^
      column   gender
      port     rows
      from     read.table
      columns  name, age, income
      withheld `gender`, which the pipeline keeps from this step
      in       pinion.toml, line 11

    hint: to write the text gender, put it in single quotes: 'gender'
    ");
    insta::assert_snapshot!(with("{ from = \"read\", except = [\"gendre\"] }", "age > 26"), @"
    exit 2
    --- stderr
    error: step `last` cannot be handed or denied column `gendre`: `read.table` has none of this name
      expected one of `name`, `gender`, `age`, `income`
      in       pinion.toml, line 10

    hint: did you mean `gender`?
    ");
    insta::assert_snapshot!(with("{ from = \"read\", except = [\"age\"], columns = [\"age\"] }", "age > 26"), @r#"
    exit 2
    --- stderr
    error: an input has both `columns` and `except`
      in pinion.toml, line 10
        10 | input = { from = "read", except = ["age"], columns = ["age"] }
           |                          ^^^^^^

    hint: `columns` lists what the step is handed, `except` what it is not; one of them says it all
    "#);
    insta::assert_snapshot!(with("{ from = \"read\", without = [\"age\"] }", "age > 26"), @r#"
    exit 2
    --- stderr
    error: unknown key `without` in `[steps.last.input]`
      expected `columns`, `except`, `from`
      in       pinion.toml, line 10
        10 | input = { from = "read", without = ["age"] }
           |                          ^^^^^^^
    "#);
}

/// A step that sees all partitions at once and passes all rows on, in order, decided nothing.
#[test]
fn all_rows_of_many_partitions_are_not_chosen() {
    let project = days::project();
    days::run(&project, &[]);
    for (step, chosen) in [("check", false), ("multiply", false), ("keep", true)] {
        let told = project
            .pinion(&["lineage", step, "--json"])
            .succeeded()
            .json();
        let last = told["steps"].as_array().unwrap().last().unwrap();
        assert_eq!(last["outputs"][0]["rows_chosen"], chosen, "{step}");
    }
}

/// Every row of a table is where the file says it was.
#[test]
fn rows_are_traced_to_the_rows_of_files() {
    let project = days::project();
    days::run(&project, &[]);
    for (table, least) in [("split.after", 14), ("positive", 60), ("join", 40)] {
        let columns: BTreeMap<&str, Vec<String>> = ["day", "a"]
            .map(|name| (name, days::column(&project, table, name)))
            .into();
        let rows = columns["a"].len();
        assert!(rows >= least, "{table} has {rows} rows");
        for row in (0..rows).step_by(7) {
            let traced = project.pinion(&["lineage", table, "--row", &row.to_string(), "--json"]);
            let traced = traced.succeeded().json();
            let rows = traced["rows"].as_array().unwrap();
            let read = rows
                .iter()
                .find(|row| row["table"] == "read.table")
                .unwrap();
            let file = String::from_utf8(project.read(read["file"].as_str().unwrap())).unwrap();
            let at = usize::try_from(read["file_row"].as_u64().unwrap()).unwrap();
            let line = file.lines().nth(1 + at).unwrap();
            let found: Vec<&str> = line.split(',').collect();
            assert_eq!(
                (found[0], found[2]),
                (&*columns["day"][row], &*columns["a"][row]),
                "{table} {row}"
            );
        }
    }
    insta::assert_snapshot!(project.pinion(&["lineage", "scale", "--row", "3"]).snapshot(), @"
    exit 0
    --- stdout
    scale.rows row 3  columns made here may depend on all 5 rows that `scale` saw
      split.after row 3  which row stands here may depend on all 5 rows that `split` saw
        check.rows row 17
          join.rows row 17  which row stands here may depend on all 7 rows that `join` saw
            multiply.rows row 17  columns made here may depend on all 5 rows that `multiply` saw
              keep.rows row 17  which row stands here may depend on all 8 rows that `keep` saw
                read.table row 25  days/day-2.csv row 5
    ");
    insta::assert_snapshot!(project.pinion(&["lineage", "scale", "--row", "4000"]).snapshot(), @"
    exit 2
    --- stderr
    error: `scale.rows` has no row 4000
      expected a number below 26, counted from 0
    ");
    insta::assert_snapshot!(project.pinion(&["lineage", "fit", "--row", "0"]).snapshot(), @"
    exit 2
    --- stderr
    error: `fit.scaler` has no columns and no rows
      expected a table
      found    application/vnd.pinion.scaler+json
    ");
}

#[test]
fn rows_of_a_sorted_table_and_rows_that_were_made_are_told_apart() {
    let group = "by = [\"gender\"], aggregates = { n = { function = \"count\" } }";
    let project = people(
        &(step("last", "sort-rows", "\"read\"", "by = [\"age\"]")
            + &step("grouped", "group-rows", "\"last\"", group)),
    );
    let row = |table: &str, row: &str| {
        project
            .pinion(&["lineage", table, "--row", row])
            .succeeded()
            .stdout
    };
    insta::assert_snapshot!(row("last", "0"), @"
    last.rows row 0  which row stands here may depend on all 5 rows that `last` saw
      read.table row 1  people.csv row 1
    ");
    insta::assert_snapshot!(row("last", "4"), @"
    last.rows row 4  which row stands here may depend on all 5 rows that `last` saw
      read.table row 3  people.csv row 3
    ");
    insta::assert_snapshot!(row("grouped", "1"), @"
    grouped.groups row 1  columns made here, and which row stands here, may depend on all 5 rows that `grouped` saw
      last.rows row 0  which row stands here may depend on all 5 rows that `last` saw
        read.table row 1  people.csv row 1
    ");
}

#[test]
fn steps_are_drawn() {
    let withheld = "{ from = \"read\", except = [\"gender\"] }";
    let project = people(&step(
        "last",
        "filter-rows",
        withheld,
        "where = \"age > 26\"",
    ));
    let drawn = |format: &str| {
        project
            .pinion(&["lineage", "fit", "--format", format])
            .succeeded()
            .stdout
    };
    insta::assert_snapshot!(drawn("text"), @"
    sources.people  files     people.csv
    read            read      sources.people: its bytes
                    made      read.table: age, gender, income, name
                    rows      read.table: made by the step
    last            read      read.table: age
                    withheld  read.table: gender
                    kept      last.rows: age, income, name
                    rows      last.rows: chosen among those of read.table
    fit             read      last.rows: age
                    made      fit.scaler
    ");
    insta::assert_snapshot!(drawn("mermaid"), @r#"
    flowchart TD
        n0[("sources.people")]
        n1["read<br>std:read-csv@0.1"]
        n2["last<br>std:filter-rows@0.1"]
        n3["fit<br>std:fit-scaler@0.1"]
        n0 -->|"its bytes"| n1
        n1 -->|"age<br>without gender"| n2
        n2 -->|"age"| n3
    "#);
    insta::assert_snapshot!(drawn("dot"), @r#"
    digraph lineage {
        node [shape=box];
        n0 [label="sources.people", shape=cylinder];
        n1 [label="read\nstd:read-csv@0.1"];
        n2 [label="last\nstd:filter-rows@0.1"];
        n3 [label="fit\nstd:fit-scaler@0.1"];
        n0 -> n1 [label="its bytes"];
        n1 -> n2 [label="age\nwithout gender"];
        n2 -> n3 [label="age"];
    }
    "#);
    let svg = drawn("svg");
    assert!(
        svg.starts_with("<?xml") && svg.trim_end().ends_with("</svg>"),
        "{svg}"
    );
    for label in ["sources.people", "std:filter-rows@0.1", "without gender"] {
        assert!(svg.contains(label), "{label}");
    }
    project
        .pinion(&["lineage", "fit", "--format", "svg", "-o", "fit.svg"])
        .succeeded();
    assert_eq!(
        project.read("fit.svg"),
        svg.trim_end_matches('\n').as_bytes()
    );
}

#[test]
fn columns_are_told_by_how_they_reach_another() {
    let project = people(&step(
        "last",
        "derive-columns",
        "\"read\"",
        "columns = { age = \"age * income\" }",
    ));
    let said = project
        .pinion(&["lineage", "last", "--column", "age"])
        .succeeded();
    insta::assert_snapshot!(said.stdout, @"
    read.table.age     through column
    read.table.gender  no path
    read.table.income  through column
    read.table.name    no path
    ");
    insta::assert_snapshot!(project.pinion(&["lineage", "last", "--column", "agee"]).snapshot(), @"
    exit 2
    --- stderr
    error: `last.rows` has no column `agee`
      expected one of `name`, `gender`, `age`, `income`

    hint: did you mean `age`?
    ");
    insta::assert_snapshot!(project.pinion(&["lineage", "fit", "--never", "gendre"]).snapshot(), @"
    exit 2
    --- stderr
    error: no step of run `[RUN]` put out a column `gendre`
      expected COLUMN, STEP.COLUMN, STEP[.PORT] or sources.NAME

    hint: did you mean `gender`?
    ");
    insta::assert_snapshot!(project.pinion(&["lineage", "20991231", "fit"]).snapshot(), @"
    exit 2
    --- stderr
    error: there is no run `20991231`
      expected one of `[RUN]`
    ");
}

/// A row that is reached on several ways is followed once, so that what is derived and joined back again and
/// again does not double every time.
#[test]
fn a_row_that_is_reached_twice_is_followed_once() {
    let mut steps = String::new();
    let mut before = "read".to_owned();
    for n in 0..8 {
        let derive = format!("columns = {{ age{n} = \"age + {n}\" }}");
        steps += &step(
            &format!("d{n}"),
            "derive-columns",
            &format!("\"{before}\""),
            &derive,
        );
        let inputs = format!("{{ left = \"{before}\", right = \"d{n}\" }}");
        let on = format!("on = [\"name\"], how = \"left\", columns = [\"age{n}\"]");
        steps +=
            &step(&format!("s{n}"), "join-tables", &inputs, &on).replace("input =", "inputs =");
        before = format!("s{n}");
    }
    steps += &step(
        "last",
        "select-columns",
        &format!("\"{before}\""),
        "keep = [\"age\"]",
    );
    let project = people(&steps);
    let told = |table: &str| {
        project
            .pinion(&["lineage", table, "--row", "1"])
            .succeeded()
            .stdout
    };
    insta::assert_snapshot!(told("s1"), @"
    s1.rows row 1  which row stands here may depend on all 10 rows that `s1` saw
      s0.rows row 1  which row stands here may depend on all 10 rows that `s0` saw
        read.table row 1  people.csv row 1
        d0.rows row 1  columns made here may depend on all 5 rows that `d0` saw
          read.table row 1  people.csv row 1
      d1.rows row 1  columns made here may depend on all 5 rows that `d1` saw
        s0.rows row 1  as above
    ");
    assert_eq!(told("s7").lines().count(), 3 * 8 + 1);
}

/// A join looks up by values, also where the two tables happen to have the same keys in the same order.
#[test]
fn what_is_looked_up_is_reached_by_the_key_whatever_the_order_of_the_files() {
    let joined = "[pipeline]\nname = \"joined\"\n\
        [sources.left]\npath = \"left.csv\"\n[sources.right]\npath = \"right.csv\"\n"
        .to_owned()
        + &step("left", "read-csv", "\"sources.left\"", "")
        + &step("right", "read-csv", "\"sources.right\"", "")
        + &step(
            "joined",
            "join-tables",
            "{ left = \"left\", right = \"right\" }",
            "how = \"left\", on = [\"id\"]",
        )
        + &step(
            "keep",
            "select-columns",
            "\"joined\"",
            "keep = [\"gender\"]",
        )
        + &step("enc", "fit-encoder", "\"keep\"", "columns = [\"gender\"]");
    let joined = joined.replace("input = { left", "inputs = { left");
    for right in ["1,F\n2,M\n3,F\n", "2,M\n1,F\n3,F\n"] {
        let project = Project::with(&[
            ("pinion.toml", &joined),
            ("left.csv", "id,x\n1,10\n2,20\n3,30\n"),
            ("right.csv", &format!("id,gender\n{right}")),
        ]);
        project.pinion(&["run"]).succeeded();
        for (target, key) in [("enc", "id"), ("enc", "left.id"), ("joined", "right.id")] {
            let said = project.pinion(&["lineage", target, "--never", key]);
            assert_eq!(
                said.code,
                Some(1),
                "{right} {target} {key}: {}",
                said.stdout
            );
            assert!(said.stdout.starts_with("through column"), "{}", said.stdout);
        }
        // What a join only passes on is not made of its keys.
        let said = project.pinion(&["lineage", "joined", "--column", "x", "--from", "gender"]);
        assert!(said.stdout.starts_with("no path"), "{}", said.stdout);
    }
}

/// Whoever may name columns and steps cannot hide a column with it.
#[test]
fn a_name_that_can_be_read_in_several_ways_is_all_of_them() {
    let text = "[pipeline]\nname = \"hidden\"\n\
        [sources.people]\npath = \"people.csv\"\n[sources.other]\npath = \"other.csv\"\n"
        .to_owned()
        + &step("people", "read-csv", "\"sources.people\"", "")
        + &step("gender", "read-csv", "\"sources.other\"", "")
        + &step(
            "last",
            "select-columns",
            "\"people\"",
            "keep = [\"gender\"]",
        )
        + &step("fit", "fit-encoder", "\"last\"", "columns = [\"gender\"]");
    let other = "people.gender,people.table,sources.people,table\n1,2,3,4\n";
    let project = Project::with(&[
        ("pinion.toml", &text),
        ("people.csv", PEOPLE),
        ("other.csv", other),
    ]);
    project.pinion(&["run"]).succeeded();
    for name in [
        "gender",
        "people.gender",
        "people.table",
        "people.table.gender",
        "people",
        "sources.people",
    ] {
        let said = project.pinion(&["lineage", "fit", "--never", name]);
        assert_eq!(said.code, Some(1), "{name}: {}", said.stdout);
    }
    for name in [
        "table",
        "gender.people.gender",
        "gender.table",
        "sources.other",
    ] {
        let said = project.pinion(&["lineage", "fit", "--never", name]);
        assert_eq!(said.code, Some(0), "{name}: {}", said.stdout);
    }
    let both = project.pinion(&["lineage", "fit", "--from", "people.gender", "--json"]);
    assert_eq!(
        both.json()["from"],
        serde_json::json!(["gender.table.people.gender", "people.table.gender"])
    );
}

/// No rows are no proof: what a step did with columns that have no values does not show.
#[test]
fn a_table_without_rows_is_reached_by_all_that_its_step_was_handed() {
    let none = step("last", "filter-rows", "\"read\"", "where = \"age > 99\"")
        + &step(
            "split",
            "split-by-group",
            "{ from = \"read\", except = [\"name\"] }",
            "by = [\"income\"], weights = { train = 1, test = 1 }",
        )
        + &step(
            "grouped",
            "group-rows",
            "\"split.validation\"",
            "by = [\"age\"], aggregates = { n = { function = \"count\" } }",
        );
    let text = people_text(&none).replace("[steps.fit]", "[steps.fit]\nuse = \"std:sort-rows@0.1\"\ninput = \"last\"\nparams = { by = [\"age\"] }\n[steps.unused]");
    let project = Project::with(&[("pinion.toml", &text), ("people.csv", PEOPLE)]);
    let _ = project
        .pinion(&["run", "--keep-going", "grouped", "fit"])
        .succeeded();
    for (target, column, code) in [
        ("split.validation", "read.gender", 1),
        ("split.validation", "sources.people", 1),
        // It was withheld, so it cannot have been used.
        ("split.validation", "read.name", 0),
        ("grouped", "gender", 1),
        ("grouped", "income", 1),
        // A filter that ran and kept nothing did show what it read.
        ("last", "age", 1),
    ] {
        let said = project.pinion(&["lineage", target, "--never", column]);
        assert_eq!(said.code, Some(code), "{target} {column}: {}", said.stdout);
    }
    insta::assert_snapshot!(project.pinion(&["lineage", "grouped"]).stdout, @"
    sources.people  files     people.csv
    read            read      sources.people: its bytes
                    made      read.table: age, gender, income, name
                    rows      read.table: made by the step
    split           read      read.table: income
                    withheld  read.table: name
                    kept      split.train: age, gender, income
                    rows      split.train: chosen among those of read.table
                    rows      split.validation: none, so its columns count as made of all it was handed
                    kept      split.test: age, gender, income
                    rows      split.test: chosen among those of read.table
    grouped         read      split.validation: a table had no rows, so all of it counts
                    rows      grouped.groups: none, so its columns count as made of all it was handed
    ");
    insta::assert_snapshot!(
        project.pinion(&["lineage", "split.validation", "--from", "read.gender"]).stdout,
        @"
    through column: `read.gender` reaches `split.validation`
      read.table.gender
      split.validation.age  `split` put out no rows, so this may be made of it
    "
    );
    // A file with nothing but a header is read all the same, and so is what there is no value of.
    let steps = step("read", "read-csv", "\"sources.people\"", "")
        + &step(
            "check",
            "check-table",
            "\"read\"",
            "not_null = [\"gender\"]",
        );
    let text =
        format!("[pipeline]\nname = \"empty\"\n[sources.people]\npath = \"people.csv\"\n{steps}");
    let project = Project::with(&[
        ("pinion.toml", &text),
        ("people.csv", "name,gender,age,income\n"),
    ]);
    project.pinion(&["run"]).succeeded();
    insta::assert_snapshot!(project.pinion(&["lineage", "check.report"]).stdout, @"
    sources.people  files  people.csv
    read            read   sources.people: its bytes
                    rows   read.table: none, so its columns count as made of all it was handed
    check           read   read.table: a table had no rows, so all of it counts
                    rows   check.rows: none, so its columns count as made of all it was handed
                    made   check.report: bad_rows, check, column, passed, rows
                    rows   check.report: made by the step
    ");
    for (target, from) in [
        ("read", "sources.people"),
        ("check.report", "sources.people"),
        ("check.report", "gender"),
    ] {
        let said = project.pinion(&["lineage", target, "--never", from]);
        assert_eq!(said.code, Some(1), "{target} {from}: {}", said.stdout);
    }
}

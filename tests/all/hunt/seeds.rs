//! What once had a path and was told to have none, through the binary.

use pinion_tests::fixtures;
use pinion_tests::project::Project;

/// `one` and `two` differ in every row, `gender` is sorted, and there is more than one partition.
const PEOPLE: &str = "gender,one,two,age\n\
    0,1,-1,31\n0,2,-2,25\n0,3,-3,44\n1,4,-4,52\n1,5,-5,28\n1,6,-6,33\n";

/// What `--never gender` says of the step `last` of a pipeline.
#[track_caller]
fn never(steps: &str) {
    let text = format!(
        "[pipeline]\nname = \"people\"\nbatch_rows = 2\npartition_batches = 2\n\
        [sources.people]\npath = \"people.csv\"\n\
        [steps.read]\nuse = \"std:read-csv@0.1\"\ninput = \"sources.people\"\n{steps}"
    );
    let project = Project::with(&[("pinion.toml", &text), ("people.csv", PEOPLE)]);
    for name in ["tell", "tell-each"] {
        project.write(&format!("{name}.wasm"), fixtures::component(name));
    }
    project.pinion(&["run"]).succeeded();
    let said = project.pinion(&["lineage", "last", "--never", "gender"]);
    assert_eq!(said.code, Some(1), "{}{}", said.stdout, said.stderr);
}

fn tell(name: &str, input: &str, how: &str) -> String {
    format!(
        "[steps.{name}]\nuse = \"./tell.wasm\"\ninputs = {{ rows = \"{input}\" }}\n\
        params = {{ {how}, to = \"rows\", pair = [\"one\", \"two\"] }}\n"
    )
}

fn select(input: &str, column: &str) -> String {
    format!(
        "[steps.last]\nuse = \"std:select-columns@0.1\"\ninput = \"{input}\"\nparams = {{ keep = [\"{column}\"] }}\n"
    )
}

/// All rows come out, unchanged and in order, and partitions end after some of them. The next step reads no column.
#[test]
fn where_partitions_are_cut_is_told() {
    let cut = tell("cut", "read", "secret = \"gender\", how = \"cut\"");
    let marks = tell("marks", "cut.rows", "how = { each = \"values\" }");
    never(&(cut + &marks + &select("marks.rows", "told")));
}

#[test]
fn which_column_is_passed_on_for_a_row_is_told() {
    for how in ["choose-cut", "choose-row"] {
        let chosen = tell(
            "chosen",
            "read",
            &format!("secret = \"gender\", how = \"{how}\""),
        );
        never(&(chosen + &select("chosen.rows", "one")));
    }
}

#[test]
fn which_column_is_passed_on_is_told() {
    for how in ["choose", "swap"] {
        let chosen = tell(
            "chosen",
            "read",
            &format!("secret = \"gender\", how = {{ all = \"{how}\" }}"),
        );
        never(&(chosen + &select("chosen.rows", "one")));
    }
}

/// All rows pass a filter, and what is sorted is sorted again: with other values it would be otherwise.
#[test]
fn what_happens_to_look_harmless_is_told() {
    let filtered = "[steps.filtered]\nuse = \"std:filter-rows@0.1\"\ninput = \"read\"\nparams = { where = \"gender < 2\" }\n";
    never(&(filtered.to_owned() + &select("filtered", "age")));
    let sorted = "[steps.sorted]\nuse = \"std:sort-rows@0.1\"\ninput = \"read\"\nparams = { by = [\"gender\"] }\n";
    never(&(sorted.to_owned() + &select("sorted", "age")));
}

/// Each row is the first of its group, or follows the row before it, so that the lag looks like the column.
#[test]
fn what_stood_before_a_row_is_told() {
    let windows = "[steps.windows]\nuse = \"std:window-features@0.1\"\ninput = \"read\"\n\
        params = { by = [\"gender\"], order_by = \"one\", features = { before = { function = \"lag\", column = \"age\", rows = 1 } } }\n";
    never(&(windows.to_owned() + &select("windows", "before")));
}

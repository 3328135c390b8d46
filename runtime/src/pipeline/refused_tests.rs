//! One test for each thing that is refused, with the whole text of the error.

use super::*;
use crate::error::Hint;

fn refused(text: &str) -> String {
    refused_with(text, &[])
}

/// The error and its hint, as the command line prints them.
fn refused_with(text: &str, set: &[(String, String)]) -> String {
    let error = Pipeline::parse(text, "pinion.toml", set).unwrap_err();
    match error.hint() {
        Some(hint) => format!("{error}\n\nhint: {hint}"),
        None => error.to_string(),
    }
}

#[test]
fn not_toml() {
    insta::assert_snapshot!(
        refused(r#"
[pipeline]
name = "p"
seed = = 1
"#),
        @r#"
    the pipeline is not valid TOML: extra `=`, expected nothing
      in pinion.toml, line 4
        4 | seed = = 1
          |        ^
    "#
    );
}

#[test]
fn an_unclosed_string() {
    insta::assert_snapshot!(
        refused(r#"
[pipeline]
name = "p"
[params]
x = "a
"#),
        @r#"
    the pipeline is not valid TOML: invalid basic string, expected `"`
      in pinion.toml, line 5
        5 | x = "a
          |       ^
    "#
    );
}

#[test]
fn a_key_given_twice() {
    insta::assert_snapshot!(
        refused(r#"
[pipeline]
name = "p"
name = "q"
"#),
        @r#"
    `name` is given twice
      in pinion.toml, line 4
        4 | name = "q"
          | ^^^^
    "#
    );
}

#[test]
fn a_step_given_twice() {
    insta::assert_snapshot!(
        refused(r#"
[pipeline]
name = "p"
[steps.a]
use = "std:x@0.1"

[steps.a]
use = "std:x@0.1"
"#),
        @r#"
    `a` is given twice
      in pinion.toml, line 7
        7 | [steps.a]
          |        ^
    "#
    );
}

#[test]
fn an_unknown_table() {
    insta::assert_snapshot!(
        refused(r#"
[pipeline]
name = "p"
[step.a]
use = "std:x@0.1"
"#),
        @r#"
    unknown key `step` at the top level
      expected `params`, `pipeline`, `sources`, `steps`
      in       pinion.toml, line 4
        4 | [step.a]
          |  ^^^^

    hint: did you mean `steps`?
    "#
    );
}

#[test]
fn an_unknown_key_of_the_header() {
    insta::assert_snapshot!(
        refused(r#"
[pipeline]
name = "p"
sede = 1
"#),
        @r#"
    unknown key `sede` in `[pipeline]`
      expected `batch_rows`, `name`, `partition_batches`, `seed`
      in       pinion.toml, line 4
        4 | sede = 1
          | ^^^^

    hint: did you mean `seed`?
    "#
    );
}

#[test]
fn an_unknown_key_of_a_step() {
    insta::assert_snapshot!(
        refused(r#"
[pipeline]
name = "p"
[steps.a]
use = "std:x@0.1"
inptus = { left = "b" }
"#),
        @r#"
    unknown key `inptus` in `[steps.a]`
      expected `input`, `inputs`, `limits`, `params`, `use`
      in       pinion.toml, line 6
        6 | inptus = { left = "b" }
          | ^^^^^^

    hint: did you mean `inputs`?
    "#
    );
}

#[test]
fn an_unknown_key_of_a_source() {
    insta::assert_snapshot!(
        refused(r#"
[pipeline]
name = "p"
[sources.s]
path = "a.csv"
format = "csv"
"#),
        @r#"
    unknown key `format` in `[sources.s]`
      expected `keep`, `path`
      in       pinion.toml, line 6
        6 | format = "csv"
          | ^^^^^^
    "#
    );
}

#[test]
fn an_unknown_limit() {
    insta::assert_snapshot!(
        refused(r#"
[pipeline]
name = "p"
[steps.a]
use = "std:x@0.1"
limits = { feul = 10 }
"#),
        @r#"
    unknown key `feul` in `[steps.a.limits]`
      expected `fuel`, `log`, `memory`, `output`, `scratch`, `time`
      in       pinion.toml, line 6
        6 | limits = { feul = 10 }
          |            ^^^^

    hint: did you mean `fuel`?
    "#
    );
}

#[test]
fn no_header() {
    insta::assert_snapshot!(
        refused(r#"
[steps.a]
use = "std:x@0.1"
"#),
        @r#"
    `pipeline` is missing at the top level
      in pinion.toml, line 1
        1 |
          | ^

    hint: begin the file with `[pipeline]` and a line `name = "…"`
    "#
    );
}

#[test]
fn no_name() {
    insta::assert_snapshot!(
        refused(r#"
[pipeline]
seed = 1
"#),
        @r#"
    `name` is missing in `[pipeline]`
      in pinion.toml, line 2
        2 | [pipeline]
          |  ^^^^^^^^
    "#
    );
}

#[test]
fn a_name_of_two_lines() {
    insta::assert_snapshot!(
        refused(r#"
[pipeline]
name = "a\nb"
"#),
        @r#"
    `pipeline.name` has a wrong value
      expected text of one line
      found    string
      in       pinion.toml, line 3
        3 | name = "a\nb"
          |        ^^^^^^
    "#
    );
}

#[test]
fn a_negative_seed() {
    insta::assert_snapshot!(
        refused(r#"
[pipeline]
name = "p"
seed = -1
"#),
        @r#"
    `pipeline.seed` has a wrong value
      expected integer of at least 0
      found    integer `-1`
      in       pinion.toml, line 4
        4 | seed = -1
          |        ^^
    "#
    );
}

#[test]
fn batches_without_rows() {
    insta::assert_snapshot!(
        refused(r#"
[pipeline]
name = "p"
batch_rows = 0
"#),
        @r#"
    `pipeline.batch_rows` has a wrong value
      expected integer of at least 1
      found    integer `0`
      in       pinion.toml, line 4
        4 | batch_rows = 0
          |              ^
    "#
    );
}

#[test]
fn too_large_partitions() {
    insta::assert_snapshot!(
        refused(r#"
[pipeline]
name = "p"
batch_rows = 1000000
partition_batches = 1000000
"#),
        @r#"
    `pipeline.batch_rows` has a wrong value
      expected partition of fewer than 2^32 rows
      found    integer `1000000`
      in       pinion.toml, line 4
        4 | batch_rows = 1000000
          |              ^^^^^^^
    "#
    );
}

#[test]
fn a_table_that_is_a_number() {
    insta::assert_snapshot!(
        refused(r#"
steps = 1
[pipeline]
name = "p"
"#),
        @r#"
    `steps` has a wrong value
      expected table
      found    integer `1`
      in       pinion.toml, line 2
        2 | steps = 1
          |         ^
    "#
    );
}

#[test]
fn a_table_that_is_a_list() {
    insta::assert_snapshot!(
        refused(r#"
[pipeline]
name = "p"
[[steps]]
name = "a"
"#),
        @r#"
    `steps` has a wrong value
      expected table
      found    array of tables
      in       pinion.toml, line 4
        4 | [[steps]]
          |   ^^^^^
    "#
    );
}

#[test]
fn no_steps() {
    insta::assert_snapshot!(
        refused(r#"
[pipeline]
name = "p"
[params]
x = 1
"#),
        @r#"
    the pipeline has no steps
      in pinion.toml, line 2
        2 | [pipeline]
          |  ^^^^^^^^

    hint: add one, such as `[steps.read]` with `use = "std:read-csv@0.1"`
    "#
    );
}

#[test]
fn a_bad_step_name() {
    insta::assert_snapshot!(
        refused(r#"
[pipeline]
name = "p"
[steps.Read]
use = "std:x@0.1"
"#),
        @r#"
    `Read` is not a name: a lower-case letter, then at most 63 lower-case letters, digits, `-` or `_`
      in pinion.toml, line 4
        4 | [steps.Read]
          |        ^^^^
    "#
    );
}

#[test]
fn a_bad_source_name() {
    insta::assert_snapshot!(
        refused(r#"
[pipeline]
name = "p"
[sources."a.b"]
path = "a.csv"
"#),
        @r#"
    `a.b` is not a name: a lower-case letter, then at most 63 lower-case letters, digits, `-` or `_`
      in pinion.toml, line 4
        4 | [sources."a.b"]
          |          ^^^^^
    "#
    );
}

#[test]
fn a_bad_param_name() {
    insta::assert_snapshot!(
        refused(r#"
[pipeline]
name = "p"
[params]
1st = 1
"#),
        @r#"
    `1st` is not a name: a lower-case letter, then at most 63 lower-case letters, digits, `-` or `_`
      in pinion.toml, line 5
        5 | 1st = 1
          | ^^^
    "#
    );
}

#[test]
fn a_bad_port_name() {
    insta::assert_snapshot!(
        refused(r#"
[pipeline]
name = "p"
[steps.a]
use = "std:x@0.1"
inputs = { Left = "b" }
"#),
        @r#"
    `Left` is not a name: a lower-case letter, then at most 63 lower-case letters, digits, `-` or `_`
      in pinion.toml, line 6
        6 | inputs = { Left = "b" }
          |            ^^^^
    "#
    );
}

#[test]
fn a_step_called_sources() {
    insta::assert_snapshot!(
        refused(r#"
[pipeline]
name = "p"
[steps.sources]
use = "std:x@0.1"
"#),
        @r#"
    no step can be called `sources`: references to sources begin with it
      in pinion.toml, line 4
        4 | [steps.sources]
          |        ^^^^^^^
    "#
    );
}

#[test]
fn an_absolute_path() {
    insta::assert_snapshot!(
        refused(r#"
[pipeline]
name = "p"
[sources.s]
path = "/etc/passwd"
"#),
        @r#"
    path `/etc/passwd` cannot be used: it is absolute
      in pinion.toml, line 5
        5 | path = "/etc/passwd"
          |        ^^^^^^^^^^^^^
    "#
    );
}

#[test]
fn a_path_that_leaves() {
    insta::assert_snapshot!(
        refused(r#"
[pipeline]
name = "p"
[sources.s]
path = "../a.csv"
"#),
        @r#"
    path `../a.csv` cannot be used: it leaves the directory of the pipeline with `..`
      in pinion.toml, line 5
        5 | path = "../a.csv"
          |        ^^^^^^^^^^
    "#
    );
}

#[test]
fn a_path_of_another_system() {
    insta::assert_snapshot!(
        refused(r#"
[pipeline]
name = "p"
[sources.s]
path = 'data\a.csv'
"#),
        @r#"
    path `data\a.csv` cannot be used: it contains `\`
      in pinion.toml, line 5
        5 | path = 'data\a.csv'
          |        ^^^^^^^^^^^^
    "#
    );
}

#[test]
fn a_path_with_a_param() {
    insta::assert_snapshot!(
        refused(r#"
[pipeline]
name = "p"
[sources.s]
path = "${params.day}.csv"
"#),
        @r#"
    path `${params.day}.csv` cannot be used: only the params of steps may refer to params
      in pinion.toml, line 5
        5 | path = "${params.day}.csv"
          |        ^^^^^^^^^^^^^^^^^^^
    "#
    );
}

#[test]
fn a_source_without_a_path() {
    insta::assert_snapshot!(
        refused(r#"
[pipeline]
name = "p"
[sources.s]
keep = true
"#),
        @r#"
    `path` is missing in `[sources.s]`
      in pinion.toml, line 4
        4 | [sources.s]
          |          ^
    "#
    );
}

#[test]
fn a_component_without_a_version() {
    insta::assert_snapshot!(
        refused(r#"
[pipeline]
name = "p"
[steps.a]
use = "std:read-csv"
"#),
        @r#"
    component `std:read-csv` cannot be used: it has no version
      in pinion.toml, line 5
        5 | use = "std:read-csv"
          |       ^^^^^^^^^^^^^^

    hint: add the version, as in `std:read-csv@0.1` for the newest 0.1.x
    "#
    );
}

#[test]
fn a_component_of_a_registry() {
    insta::assert_snapshot!(
        refused(r#"
[pipeline]
name = "p"
[steps.a]
use = "acme:geocode@1.2.0"
"#),
        @r#"
    component `acme:geocode@1.2.0` cannot be used: components of `acme` would come from a registry, which this version cannot do
      in pinion.toml, line 5
        5 | use = "acme:geocode@1.2.0"
          |       ^^^^^^^^^^^^^^^^^^^^

    hint: use a `std:` component, or a crate or a `.wasm` file beside the pipeline
    "#
    );
}

#[test]
fn a_step_without_a_component() {
    insta::assert_snapshot!(
        refused(r#"
[pipeline]
name = "p"
[steps.a]
input = "sources.s"
"#),
        @r#"
    `use` is missing in `[steps.a]`
      in pinion.toml, line 4
        4 | [steps.a]
          |        ^

    hint: name the component: `use = "std:name@version"`, or the path of a crate or `.wasm` file
    "#
    );
}

#[test]
fn input_and_inputs() {
    insta::assert_snapshot!(
        refused(r#"
[pipeline]
name = "p"
[steps.a]
use = "std:x@0.1"
input = "b"
[steps.a.inputs]
left = "b"
"#),
        @r#"
    step `a` has both `input` and `inputs`
      in pinion.toml, line 7
        7 | [steps.a.inputs]
          |          ^^^^^^

    hint: `input` is for steps with one input port; name the ports under `inputs`
    "#
    );
}

#[test]
fn a_list_of_references() {
    insta::assert_snapshot!(
        refused(r#"
[pipeline]
name = "p"
[steps.a]
use = "std:x@0.1"
inputs = { left = ["b", "c"] }
"#),
        @r#"
    `steps.a.inputs.left` has a wrong value
      expected one reference: `sources.name`, `step` or `step.port`
      found    array `["b", "c"]`
      in       pinion.toml, line 6
        6 | inputs = { left = ["b", "c"] }
          |                   ^^^^^^^^^^
    "#
    );
}

#[test]
fn a_reference_that_is_none() {
    insta::assert_snapshot!(
        refused(r#"
[pipeline]
name = "p"
[steps.a]
use = "std:x@0.1"
input = "b.c.d"
"#),
        @r#"
    `steps.a.input` has a wrong value
      expected `sources.name`, `step` or `step.port`
      found    string `"b.c.d"`
      in       pinion.toml, line 6
        6 | input = "b.c.d"
          |         ^^^^^^^
    "#
    );
}

#[test]
fn an_unknown_step() {
    insta::assert_snapshot!(
        refused(r#"
[pipeline]
name = "p"
[steps.a]
use = "std:x@0.1"
[steps.b]
use = "std:x@0.1"
input = "as.out"
"#),
        @r#"
    there is no step `as`
      expected `a`, `b`
      in       pinion.toml, line 8
        8 | input = "as.out"
          |         ^^^^^^^^

    hint: did you mean `a`?
    "#
    );
}

#[test]
fn an_unknown_source() {
    insta::assert_snapshot!(
        refused(r#"
[pipeline]
name = "p"
[sources.flights]
path = "a"
[steps.a]
use = "std:x@0.1"
input = "sources.fligths"
"#),
        @r#"
    there is no source `fligths`
      expected `flights`
      in       pinion.toml, line 8
        8 | input = "sources.fligths"
          |         ^^^^^^^^^^^^^^^^^

    hint: did you mean `sources.flights`?
    "#
    );
}

#[test]
fn a_source_without_its_prefix() {
    insta::assert_snapshot!(
        refused(r#"
[pipeline]
name = "p"
[sources.flights]
path = "a"
[steps.a]
use = "std:x@0.1"
input = "flights"
"#),
        @r#"
    there is no step `flights`
      expected `a`
      in       pinion.toml, line 8
        8 | input = "flights"
          |         ^^^^^^^^^

    hint: did you mean `sources.flights`?
    "#
    );
}

#[test]
fn an_unknown_param() {
    insta::assert_snapshot!(
        refused(r#"
[pipeline]
name = "p"
[params]
minutes = 1
[steps.a]
use = "std:x@0.1"
params = { m = "${params.minute}" }
"#),
        @r#"
    there is no param `minute`
      expected `minutes`
      in       pinion.toml, line 8
        8 | params = { m = "${params.minute}" }
          |                ^^^^^^^^^^^^^^^^^^

    hint: did you mean `minutes`?
    "#
    );
}

#[test]
fn a_reference_to_something_else() {
    insta::assert_snapshot!(
        refused(r#"
[pipeline]
name = "p"
[steps.a]
use = "std:x@0.1"
params = { home = "${env.HOME}" }
"#),
        @r#"
    `${env.HOME}` cannot be substituted: it is not of the form `${params.name}`
      in pinion.toml, line 6
        6 | params = { home = "${env.HOME}" }
          |                   ^^^^^^^^^^^^^

    hint: to keep `${` as text, write `$${`
    "#
    );
}

#[test]
fn a_reference_that_does_not_end() {
    insta::assert_snapshot!(
        refused(r#"
[pipeline]
name = "p"
[steps.a]
use = "std:x@0.1"
params = { home = "a ${params.x" }
"#),
        @r#"
    `${params.x` cannot be substituted: it has no `}`
      in pinion.toml, line 6
        6 | params = { home = "a ${params.x" }
          |                   ^^^^^^^^^^^^^^

    hint: to keep `${` as text, write `$${`
    "#
    );
}

#[test]
fn a_table_within_text() {
    insta::assert_snapshot!(
        refused(r#"
[pipeline]
name = "p"
[params]
x = [1]
[steps.a]
use = "std:x@0.1"
params = { home = "a ${params.x}" }
"#),
        @r#"
    `${params.x}` cannot be substituted: an array or a table cannot stand within text
      in pinion.toml, line 8
        8 | params = { home = "a ${params.x}" }
          |                   ^^^^^^^^^^^^^^^

    hint: to keep `${` as text, write `$${`
    "#
    );
}

#[test]
fn params_that_refer_to_params() {
    insta::assert_snapshot!(
        refused(r#"
[pipeline]
name = "p"
[params]
x = 1
y = "${params.x}"
"#),
        @r#"
    `${params.x}` cannot be substituted: only the params of steps may refer to params
      in pinion.toml, line 6
        6 | y = "${params.x}"
          |     ^^^^^^^^^^^^^

    hint: to keep `${` as text, write `$${`
    "#
    );
}

#[test]
fn a_float_that_is_not_finite() {
    insta::assert_snapshot!(
        refused(r#"
[pipeline]
name = "p"
[steps.a]
use = "std:x@0.1"
params = { a = [1.0, nan] }
"#),
        @r#"
    `steps.a.params.a[1]` has a wrong value
      expected finite number
      found    float `nan`
      in       pinion.toml, line 6
        6 | params = { a = [1.0, nan] }
          |                      ^^^
    "#
    );
}

#[test]
fn a_size_without_a_binary_unit() {
    insta::assert_snapshot!(
        refused(r#"
[pipeline]
name = "p"
[steps.a]
use = "std:x@0.1"
limits = { memory = "512 MB" }
"#),
        @r#"
    `steps.a.limits.memory` has a wrong value
      expected number of bytes, or text such as `512 MiB`
      found    string `"512 MB"`
      in       pinion.toml, line 6
        6 | limits = { memory = "512 MB" }
          |                     ^^^^^^^^
    "#
    );
}

#[test]
fn a_time_without_a_unit() {
    insta::assert_snapshot!(
        refused(r#"
[pipeline]
name = "p"
[steps.a]
use = "std:x@0.1"
limits = { time = 90 }
"#),
        @r#"
    `steps.a.limits.time` has a wrong value
      expected text such as `90 s`, `10 min` or `2 h`
      found    integer `90`
      in       pinion.toml, line 6
        6 | limits = { time = 90 }
          |                   ^^
    "#
    );
}

#[test]
fn a_cycle() {
    insta::assert_snapshot!(
        refused(r#"
[pipeline]
name = "p"
[steps.a]
use = "std:x@0.1"
input = "c"
[steps.b]
use = "std:x@0.1"
input = "a"
[steps.c]
use = "std:x@0.1"
inputs = { left = "a", right = "b" }
"#),
        @r#"
    steps wait for each other: `a` -> `c` -> `a`
      in pinion.toml, line 6
        6 | input = "c"
          |         ^^^
      in pinion.toml, line 12
        12 | inputs = { left = "a", right = "b" }
           |                   ^^^
    "#
    );
}

#[test]
fn a_step_that_reads_itself() {
    insta::assert_snapshot!(
        refused(r#"
[pipeline]
name = "p"
[steps.a]
use = "std:x@0.1"
input = "a.out"
"#),
        @r#"
    steps wait for each other: `a` -> `a`
      in pinion.toml, line 6
        6 | input = "a.out"
          |         ^^^^^^^
    "#
    );
}

#[test]
fn an_override_of_no_param() {
    insta::assert_snapshot!(
        refused_with(r#"
[pipeline]
name = "p"
[params]
minutes = 15
rate = 0.5
day = "2013-10-01"
[steps.a]
use = "std:x@0.1"
"#, &[("minuets".to_owned(), "30".to_owned())]),
        @r#"
    there is no param `minuets`
      expected `day`, `minutes`, `rate`

    hint: did you mean `minutes`?
    "#
    );
}

#[test]
fn an_override_of_another_type() {
    insta::assert_snapshot!(
        refused_with(r#"
[pipeline]
name = "p"
[params]
minutes = 15
rate = 0.5
day = "2013-10-01"
[steps.a]
use = "std:x@0.1"
"#, &[("minutes".to_owned(), "soon".to_owned())]),
        @r#"
    `--set minutes=soon` changes the type of param `minutes`
      expected integer
      found    string
    "#
    );
}

#[test]
fn an_override_that_is_not_finite() {
    insta::assert_snapshot!(
        refused_with(r#"
[pipeline]
name = "p"
[params]
minutes = 15
rate = 0.5
day = "2013-10-01"
[steps.a]
use = "std:x@0.1"
"#, &[("rate".to_owned(), "inf".to_owned())]),
        @r#"
    `params.rate` has a wrong value
      expected finite number
      found    float `inf`
    "#
    );
}

#[test]
fn columns_of_an_input_that_are_none() {
    let with = |input: &str| {
        refused(&format!(
            "[pipeline]\nname = \"p\"\n[steps.a]\nuse = \"std:x@0.1\"\n[steps.b]\nuse = \"std:x@0.1\"\ninput = {input}\n"
        ))
    };
    insta::assert_snapshot!(with(r#"{ from = "a", except = "gender" }"#), @r#"
    `steps.b.input.except` has a wrong value
      expected list of column names
      found    string `"gender"`
      in       pinion.toml, line 7
        7 | input = { from = "a", except = "gender" }
          |                                ^^^^^^^^
    "#);
    insta::assert_snapshot!(with(r#"{ from = "a", columns = ["x", "x"] }"#), @r#"
    `x` is given twice
      in pinion.toml, line 7
        7 | input = { from = "a", columns = ["x", "x"] }
          |                                 ^^^^^^^^^^
    "#);
    insta::assert_snapshot!(with(r#"{ from = "a", columns = ["x"], except = ["y"] }"#), @r#"
    an input has both `columns` and `except`
      in pinion.toml, line 7
        7 | input = { from = "a", columns = ["x"], except = ["y"] }
          |                                        ^^^^^^

    hint: `columns` lists what the step is handed, `except` what it is not; one of them says it all
    "#);
    insta::assert_snapshot!(with(r#"{ except = ["y"] }"#), @r#"
    `from` is missing in `[steps.b.input]`
      in pinion.toml, line 7
        7 | input = { except = ["y"] }
          |         ^^^^^^^^^^^^^^^^^^
    "#);
}

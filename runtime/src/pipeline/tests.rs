//! What a pipeline file means.

use std::collections::BTreeSet;

use proptest::strategy::{Just, Strategy as _};
use serde_json::json;

use super::*;

const FLIGHTS: &str = r#"
[pipeline]
name = "flight-delays"
seed = 7
batch_rows = 1024

[params]
late_minutes = 15
cut = 2013-10-01
rate = 0.5
who = "all"
columns = [{ name = "a", kinds = ["x"] }]

[sources.flights]
path = "./data/flights.parquet"

[sources.days]
path = "data/days/*.csv"
keep = false

# Reads what is declared further down.
[steps.join]
use = "std:join@0.1"
[steps.join.inputs]
left = "label"
right = "split.late"

[steps.read]
use = "std:read-parquet@0.1.2"
input = "sources.flights"
limits = { fuel = 1000000000, memory = "512 MiB", output = "1 GiB", scratch = "2 GiB", log = 1000, time = "10 min" }

[steps.label]
use = "./steps/label-late"
input = "read"

[steps.label.params]
minutes = "${params.late_minutes}"
text = "over ${params.late_minutes} min at ${params.rate}, ${params.who}, $${who}, 5$"
cut = "${params.cut}"
columns = "${params.columns}"
[[steps.label.params.rules]]
name = "r"
dates = [2013-10-01T00:00:00Z]

[steps.split]
use = "./split.wasm"
inputs = { main = "label.out" }
"#;

fn parse(text: &str, set: &[(&str, &str)]) -> Pipeline {
    let set: Vec<(String, String)> = set
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    Pipeline::parse(text, "pinion.toml", &set).unwrap()
}

#[test]
fn a_pipeline_is_read_whole() {
    let pipeline = parse(FLIGHTS, &[]);
    assert_eq!(
        (pipeline.name.as_str(), pipeline.seed),
        ("flight-delays", 7)
    );
    assert_eq!(
        pipeline.layout,
        Layout {
            batch_rows: 1024,
            partition_batches: 8
        }
    );
    let sources: Vec<_> = pipeline
        .sources
        .iter()
        .map(|s| (s.name.as_str(), s.path.as_str(), s.keep))
        .collect();
    assert_eq!(
        sources,
        [
            ("flights", "data/flights.parquet", true),
            ("days", "data/days/*.csv", false)
        ]
    );

    let read = pipeline.step("read").unwrap();
    assert_eq!(read.component.to_string(), "std:read-parquet@0.1.2");
    assert_eq!(
        read.inputs[0].from,
        From::Source("flights".parse().unwrap())
    );
    assert_eq!(read.params, json!({}));
    let limits = Limits {
        fuel: Some(1_000_000_000),
        memory_bytes: Some(512 << 20),
        output_bytes: Some(1 << 30),
        scratch_bytes: Some(2 << 30),
        log_bytes: Some(1000),
        time_ms: Some(600_000),
    };
    assert_eq!(read.limits, limits);
    assert_eq!((read.place.line(), read.component_place.line()), (28, 29));

    let join = pipeline.step("join").unwrap();
    let inputs: Vec<_> = join
        .inputs
        .iter()
        .map(|input| {
            (
                input.port.as_deref(),
                input.from.to_string(),
                input.place.line(),
            )
        })
        .collect();
    assert_eq!(
        inputs,
        [
            (Some("left"), "label".to_owned(), 25),
            (Some("right"), "split.late".to_owned(), 26)
        ]
    );
}

#[test]
fn steps_come_after_what_they_read_and_else_as_in_the_file() {
    let pipeline = parse(FLIGHTS, &[]);
    let names: Vec<_> = pipeline
        .steps
        .iter()
        .map(|step| step.name.as_str())
        .collect();
    assert_eq!(names, ["read", "label", "split", "join"]);
}

#[test]
fn params_are_substituted_with_their_types() {
    let pipeline = parse(FLIGHTS, &[]);
    let label = pipeline.step("label").unwrap();
    assert_eq!(
        label.params,
        json!({
            "minutes": 15,
            "text": "over 15 min at 0.5, all, ${who}, 5$",
            "cut": "2013-10-01",
            "columns": [{ "name": "a", "kinds": ["x"] }],
            "rules": [{ "name": "r", "dates": ["2013-10-01T00:00:00Z"] }],
        })
    );
    assert_eq!(label.param_place("minutes").line(), 38);
    assert_eq!(label.param_place("columns[0].kinds").line(), 41);
    assert_eq!(label.param_place("rules[0].name").line(), 43);
    assert_eq!(label.param_place("rules[0].dates[0]").line(), 44);
    assert_eq!(label.param_place("absent").line(), 33);
}

#[test]
fn overrides_keep_the_type_of_the_param() {
    let set = [
        ("late_minutes", "1"),
        ("late_minutes", "30"),
        ("rate", "2"),
        ("who", "2013"),
        ("cut", "2014-01-01"),
        ("columns", "[1, 2]"),
    ];
    let pipeline = parse(FLIGHTS, &set);
    let params: serde_json::Map<String, Value> = pipeline.params.into_iter().collect();
    assert_eq!(
        canonical_json(&Value::Object(params)),
        r#"{"columns":[1,2],"cut":"2014-01-01","late_minutes":30,"rate":2.0,"who":"2013"}"#
    );
    let pipeline = parse(FLIGHTS, &[("who", r#""a b""#)]);
    assert_eq!(pipeline.params["who"], "a b");
}

#[test]
fn dotted_keys_and_line_endings_make_no_difference() {
    let text = "pipeline.name = \"p\"\r\nsteps.a.use = \"std:x@0.1\"\r\nsteps.a.params.n = 1\r\n";
    let pipeline = parse(text, &[]);
    assert_eq!(pipeline.steps[0].params, json!({ "n": 1 }));
    assert_eq!(pipeline.steps[0].place.line(), 2);
    assert_eq!(pipeline.steps[0].param_place("n").line(), 3);
}

#[test]
fn an_ill_typed_param_is_shown_where_it_stands() {
    let schema = r##"{
        "type": "object",
        "properties": { "minutes": { "type": "integer", "maximum": 10 }, "cut": true,
            "text": true, "columns": true, "rules": { "type": "array", "items": {
                "type": "object", "properties": { "name": { "type": "integer" } } } } }
    }"##;
    let pipeline = parse(FLIGHTS, &[("late_minutes", "5")]);
    let error = pipeline
        .step("label")
        .unwrap()
        .check_params(schema)
        .unwrap_err();
    insta::assert_snapshot!(error, @r#"
    step `label` cannot take its param `rules[0].name`
      expected integer
      found    string `"r"`
      in       pinion.toml, line 43
        43 | name = "r"
           |        ^^^
    "#);
    let error = parse(FLIGHTS, &[])
        .step("label")
        .unwrap()
        .check_params(schema)
        .unwrap_err();
    insta::assert_snapshot!(error, @r#"
    step `label` cannot take its param `minutes`
      expected at most 10
      found    integer `15`
      in       pinion.toml, line 38
        38 | minutes = "${params.late_minutes}"
           |           ^^^^^^^^^^^^^^^^^^^^^^^^
    "#);
}

proptest::proptest! {
    #[test]
    fn no_text_makes_the_parser_panic(text: String, at in 0..FLIGHTS.len(), insert in "[\\[\\]{}\"'=.,$a\n]{0,4}") {
        let _ = Pipeline::parse(&text, "pinion.toml", &[]);
        let mut damaged = FLIGHTS.to_owned();
        damaged.insert_str(at, &insert);
        if let Err(error) = Pipeline::parse(&damaged, "pinion.toml", &[]) {
            proptest::prop_assert!(error.to_string().contains("in "));
        }
    }
}

/// A pipeline of steps `s0`, `s1`, …, which read from each other as told.
fn steps_reading(reads: &[BTreeSet<usize>]) -> Vec<String> {
    let mut text = "[pipeline]\nname = \"p\"\n".to_owned();
    for (step, reads) in reads.iter().enumerate() {
        text += &format!("[steps.s{step}]\nuse = \"std:x@0.1\"\n");
        for read in reads {
            text += &format!("inputs.p{read} = \"s{read}\"\n");
        }
    }
    let steps = parse(&text, &[]).steps;
    steps.iter().map(|step| step.name.to_string()).collect()
}

proptest::proptest! {
    #[test]
    fn of_the_steps_that_could_come_next_the_first_in_the_file_does(
        ranks in Just((0..12).collect::<Vec<usize>>()).prop_shuffle(),
        pairs in proptest::collection::vec((0..12_usize, 0..12_usize), 0..30),
    ) {
        let mut reads = vec![BTreeSet::new(); ranks.len()];
        for (reader, read) in pairs {
            if ranks[read] < ranks[reader] {
                reads[reader].insert(read);
            }
        }
        let mut expected = Vec::new();
        while expected.len() < reads.len() {
            let next = (0..reads.len()).find(|step| {
                !expected.contains(step) && reads[*step].iter().all(|read| expected.contains(read))
            });
            expected.push(next.unwrap());
        }
        let expected: Vec<String> = expected.iter().map(|step| format!("s{step}")).collect();
        proptest::prop_assert_eq!(steps_reading(&reads), expected);
    }
}

#[test]
fn ten_thousand_steps_that_stand_backwards_are_turned_around() {
    let last = 9_999;
    let reads: Vec<_> = (0..=last)
        .map(|step| (step + 1..=last).take(1).collect())
        .collect();
    let order = steps_reading(&reads);
    assert_eq!((order[0].as_str(), order[last].as_str()), ("s9999", "s0"));
}

#[test]
fn deep_nesting_is_refused_and_not_followed() {
    let header = "[pipeline]\nname = \"p\"\n[params]\n";
    let dotted = format!("{header}{}x = 1\n", "x.".repeat(100_000));
    let array = format!("{header}x = {}\n", "[".repeat(100_000));
    for text in [dotted, array] {
        let error = Pipeline::parse(&text, "pinion.toml", &[]).unwrap_err();
        assert!(matches!(*error.problem, Problem::Syntax { .. }));
    }
    let set = [("x".to_owned(), "[".repeat(100_000))];
    let text = format!("{header}x = [1]\n");
    let error = Pipeline::parse(&text, "pinion.toml", &set).unwrap_err();
    assert!(matches!(*error.problem, Problem::SetType { .. }));
}

#[test]
fn inputs_may_hand_over_some_columns_only() {
    let text = r#"
[pipeline]
name = "p"
[sources.s]
path = "s.csv"
[steps.read]
use = "std:read-csv@0.1"
input = "sources.s"
[steps.a]
use = "std:coalesce@0.1"
input = { from = "read", except = ["gender"] }
[steps.b]
use = "std:join-tables@0.1"
[steps.b.inputs]
left = "read.table"
right = { from = "a", columns = ["key", "x"] }
[steps.c]
use = "std:coalesce@0.1"
input = { from = "b" }
"#;
    let pipeline = parse(text, &[]);
    let columns = |step: &str, input: usize| {
        let step = pipeline.step(step).unwrap();
        (
            step.inputs[input].port.clone(),
            step.inputs[input].from.to_string(),
            step.inputs[input].columns.clone(),
        )
    };
    assert!(
        matches!(columns("a", 0), (None, from, Columns::Except(names, _)) if from == "read" && names == ["gender"])
    );
    assert!(matches!(columns("b", 0), (Some(port), _, Columns::All) if port == "left"));
    assert!(
        matches!(columns("b", 1), (Some(port), from, Columns::Only(names, _)) if port == "right" && from == "a" && names == ["key", "x"])
    );
    assert!(matches!(columns("c", 0), (None, _, Columns::All)));
}

//! Schemas as schemars 1 writes them for serde types.

use serde_json::{Value, json};

use super::*;
use crate::error::{Facts, Hint};

/// A struct with an integer, an optional enum, a list of structs, and a tagged enum.
const SCHEMA: &str = r##"{
  "$schema": "https://json-schema.org/draft/2020-12/schema",
  "title": "Params",
  "type": "object",
  "properties": {
    "minutes": { "description": "Late from here.", "type": "integer", "format": "uint32", "minimum": 0 },
    "rate": { "type": "number", "format": "double", "exclusiveMinimum": 0, "maximum": 1.5, "default": 0.5 },
    "order": { "anyOf": [{ "$ref": "#/$defs/Order" }, { "type": "null" }] },
    "label": { "type": ["string", "null"], "minLength": 1, "maxLength": 3 },
    "columns": { "type": "array", "items": { "$ref": "#/$defs/Column" }, "minItems": 1, "maxItems": 3 },
    "shape": { "$ref": "#/$defs/Shape" },
    "choice": { "oneOf": [
      { "type": "object", "properties": { "circle": { "type": "number" } }, "required": ["circle"], "additionalProperties": false },
      { "type": "object", "properties": { "square": { "type": "number" } }, "required": ["square"], "additionalProperties": false }
    ] },
    "pair": { "type": "array", "prefixItems": [{ "type": "string" }, { "type": "integer" }], "minItems": 2, "maxItems": 2 },
    "names": { "type": "array", "items": { "type": "string" }, "uniqueItems": true },
    "weights": { "type": "object", "additionalProperties": { "type": "number" } },
    "any": true
  },
  "required": ["minutes"],
  "additionalProperties": false,
  "$defs": {
    "Order": { "type": "string", "enum": ["ascending", "descending"] },
    "Column": {
      "type": "object",
      "properties": { "name": { "type": "string" }, "child": { "$ref": "#/$defs/Column" } },
      "required": ["name"],
      "additionalProperties": false
    },
    "Shape": { "oneOf": [
      { "type": "object", "properties": { "kind": { "type": "string", "const": "box" }, "width": { "type": "number" } }, "required": ["kind", "width"] },
      { "type": "object", "properties": { "kind": { "type": "string", "const": "disc" }, "radius": { "type": "number" }, "fill": { "enum": ["red", "blue"] } }, "required": ["kind", "radius"] }
    ] }
  }
}"##;

fn fits(params: Value) {
    let mut params = params;
    params["minutes"] = json!(1);
    assert_eq!(check_params(SCHEMA, &params), Ok(()));
}

/// The error about one param beside a good `minutes`.
fn refused(param: Value) -> String {
    let mut params = param;
    params["minutes"] = json!(1);
    shown(SCHEMA, &params)
}

fn shown(schema: &str, params: &Value) -> String {
    let error = check_params(schema, params).unwrap_err();
    let hint = error
        .hint()
        .map(|hint| format!("\nhint: {hint}"))
        .unwrap_or_default();
    format!(
        "{}{}{hint}",
        error.of_step(&"a".parse().unwrap()),
        Facts(&error.facts())
    )
}

#[test]
fn good_params_fit() {
    fits(json!({}));
    fits(json!({ "rate": 1, "order": "ascending", "label": "äöü", "any": [{}] }));
    fits(json!({ "rate": 1.5, "columns": [{ "name": "a", "child": { "name": "b" } }] }));
    fits(json!({ "shape": { "kind": "disc", "radius": 2 }, "choice": { "square": 2 } }));
    fits(json!({ "pair": ["a", 1], "names": ["a", "b"], "weights": { "x": 1, "y": 0.5 } }));
}

#[test]
fn an_empty_schema_takes_anything() {
    assert_eq!(check_params("{}", &json!({ "x": 1 })), Ok(()));
    assert_eq!(check_params("true", &json!({ "x": 1 })), Ok(()));
}

#[test]
fn patterned_properties_are_left_to_the_component() {
    let schema = r#"{ "type": "object", "patternProperties": { "^\\d+$": {} }, "additionalProperties": false }"#;
    assert_eq!(check_params(schema, &json!({ "1": 1 })), Ok(()));
}

#[test]
fn an_unknown_param() {
    insta::assert_snapshot!(refused(json!({ "ratio": 1 })), @r#"
    step `a` has no param `ratio`
      expected `any`, `choice`, `columns`, `label`, `minutes`, `names`, `order`, `pair`, `rate`, `shape`, `weights`
    "#);
}

#[test]
fn a_missing_param() {
    insta::assert_snapshot!(shown(SCHEMA, &json!({})), @"step `a` needs a param `minutes`");
}

#[test]
fn a_wrong_type() {
    insta::assert_snapshot!(refused(json!({ "rate": "0.5" })), @r#"
    step `a` cannot take its param `rate`
      expected number
      found    string `"0.5"`
    "#);
}

#[test]
fn a_float_for_an_integer() {
    insta::assert_snapshot!(shown(SCHEMA, &json!({ "minutes": 1.0 })), @r#"
    step `a` cannot take its param `minutes`
      expected integer
      found    float `1.0`
    "#);
}

#[test]
fn a_number_below_its_range() {
    insta::assert_snapshot!(shown(SCHEMA, &json!({ "minutes": -1 })), @r#"
    step `a` cannot take its param `minutes`
      expected at least 0
      found    integer `-1`
    "#);
}

#[test]
fn a_number_above_its_range() {
    insta::assert_snapshot!(refused(json!({ "rate": 1.6 })), @r#"
    step `a` cannot take its param `rate`
      expected at most 1.5
      found    float `1.6`
    "#);
}

#[test]
fn a_number_at_an_open_end() {
    insta::assert_snapshot!(refused(json!({ "rate": 0 })), @r#"
    step `a` cannot take its param `rate`
      expected more than 0
      found    integer `0`
    "#);
}

#[test]
fn a_value_not_in_the_enum() {
    insta::assert_snapshot!(refused(json!({ "order": "ascnding" })), @r#"
    step `a` cannot take its param `order`
      expected `"ascending"`, `"descending"`
      found    `"ascnding"`
    hint: did you mean `"ascending"`?
    "#);
}

#[test]
fn an_optional_of_another_type() {
    insta::assert_snapshot!(refused(json!({ "label": 5 })), @r#"
    step `a` cannot take its param `label`
      expected string
      found    integer `5`
    "#);
}

#[test]
fn a_long_text() {
    insta::assert_snapshot!(refused(json!({ "label": "abcd" })), @r#"
    step `a` cannot take its param `label`
      expected at most 3 characters
      found    string `"abcd"`
    "#);
}

#[test]
fn a_nested_unknown_param() {
    insta::assert_snapshot!(refused(json!({ "columns": [{ "name": "a" }, { "name": "b", "nmae": 1 }] })), @r#"
    step `a` has no param `columns[1].nmae`
      expected `child`, `name`
    hint: did you mean `name`?
    "#);
}

#[test]
fn a_deeply_nested_param() {
    insta::assert_snapshot!(refused(json!({ "columns": [{ "name": "a", "child": { "name": 1 } }] })), @r#"
    step `a` cannot take its param `columns[0].child.name`
      expected string
      found    integer `1`
    "#);
}

#[test]
fn too_few_items() {
    insta::assert_snapshot!(refused(json!({ "columns": [] })), @r#"
    step `a` cannot take its param `columns`
      expected array of length 1 or more
      found    array of length 0
    "#);
}

#[test]
fn too_many_items() {
    insta::assert_snapshot!(refused(json!({ "pair": ["a", 1, 2] })), @r#"
    step `a` cannot take its param `pair`
      expected array of length 2 or less
      found    array of length 3
    "#);
}

#[test]
fn a_wrong_item_of_a_tuple() {
    insta::assert_snapshot!(refused(json!({ "pair": ["a", "b"] })), @r#"
    step `a` cannot take its param `pair[1]`
      expected integer
      found    string `"b"`
    "#);
}

#[test]
fn a_repeated_item() {
    insta::assert_snapshot!(refused(json!({ "names": ["a", "b", "a"] })), @r#"
    step `a` cannot take its param `names`
      expected values that differ
      found    `"a"` twice
    "#);
}

#[test]
fn a_wrong_value_of_a_map() {
    insta::assert_snapshot!(refused(json!({ "weights": { "x": "1" } })), @r#"
    step `a` cannot take its param `weights.x`
      expected number
      found    string `"1"`
    "#);
}

#[test]
fn an_unknown_tag() {
    insta::assert_snapshot!(refused(json!({ "shape": { "kind": "boxx", "width": 1 } })), @r#"
    step `a` cannot take its param `shape.kind`
      expected `"box"`, `"disc"`
      found    `"boxx"`
    hint: did you mean `"box"`?
    "#);
}

#[test]
fn a_wrong_param_of_the_tagged_alternative() {
    insta::assert_snapshot!(refused(json!({ "shape": { "kind": "disc", "radius": "1" } })), @r#"
    step `a` cannot take its param `shape.radius`
      expected number
      found    string `"1"`
    "#);
}

#[test]
fn a_missing_param_of_the_tagged_alternative() {
    insta::assert_snapshot!(refused(json!({ "shape": { "kind": "disc" } })), @"step `a` needs a param `shape.radius`");
}

#[test]
fn an_unknown_alternative() {
    insta::assert_snapshot!(refused(json!({ "choice": { "triangle": 1 } })), @r#"
    step `a` has no param `choice.triangle`
      expected `circle`, `square`
    "#);
}

#[test]
fn a_wrong_value_in_an_alternative() {
    insta::assert_snapshot!(refused(json!({ "choice": { "square": "1" } })), @r#"
    step `a` cannot take its param `choice.square`
      expected number
      found    string `"1"`
    "#);
}

#[test]
fn a_wrong_value_deep_in_an_alternative() {
    insta::assert_snapshot!(refused(json!({ "shape": { "kind": "disc", "radius": 1, "fill": "redd" } })), @r#"
    step `a` cannot take its param `shape.fill`
      expected `"red"`, `"blue"`
      found    `"redd"`
    hint: did you mean `"red"`?
    "#);
}

#[test]
fn a_value_of_no_alternative() {
    insta::assert_snapshot!(refused(json!({ "choice": 1 })), @r#"
    step `a` cannot take its param `choice`
      expected table
      found    integer `1`
    "#);
}

#[test]
fn a_schema_that_is_not_json() {
    insta::assert_snapshot!(shown("{", &json!({})), @"the component of step `a` describes its params wrongly: EOF while parsing an object at line 1 column 1");
}

#[test]
fn a_schema_that_is_not_one() {
    insta::assert_snapshot!(shown("5", &json!({})), @"the component of step `a` describes its params wrongly: a schema is neither an object nor a boolean");
}

#[test]
fn a_reference_to_nothing() {
    insta::assert_snapshot!(shown(r##"{ "$ref": "#/$defs/X" }"##, &json!({})), @r##"the component of step `a` describes its params wrongly: there is nothing at "#/$defs/X""##);
}

#[test]
fn a_reference_to_elsewhere() {
    insta::assert_snapshot!(shown(r##"{ "$ref": "https://example.org/x" }"##, &json!({})), @r##"the component of step `a` describes its params wrongly: there is nothing at "https://example.org/x""##);
}

#[test]
fn references_in_a_circle() {
    insta::assert_snapshot!(shown(r##"{ "$ref": "#" }"##, &json!({})), @"the component of step `a` describes its params wrongly: it is nested too deeply");
}

/// 2^k alternatives are not tried one by one.
#[test]
fn a_schema_that_explodes_is_cut_short() {
    let mut defs = serde_json::Map::new();
    for level in 0..40 {
        let next = format!("#/$defs/d{}", level + 1);
        let both = json!({ "anyOf": [{ "$ref": next }, { "$ref": next }] });
        defs.insert(format!("d{level}"), both);
    }
    defs.insert("d40".to_owned(), json!({ "type": "integer" }));
    let schema = json!({ "$ref": "#/$defs/d0", "$defs": defs }).to_string();
    let error = check_params(&schema, &json!({})).unwrap_err();
    assert_eq!(
        error.problem,
        ParamsProblem::Schema("it takes too long to check".to_owned())
    );
}

mod as_serde {
    //! The schema that schemars writes for a type takes what serde takes for it, as far as it can say.

    use std::collections::{BTreeMap, BTreeSet};

    use schemars::{JsonSchema, schema_for};
    use serde::Deserialize;
    use serde_json::{Value, json};

    use super::super::*;

    #[derive(Deserialize, JsonSchema)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only read and described")]
    struct Params {
        /// A count.
        count: u32,
        offset: Option<i64>,
        #[serde(default)]
        rate: f64,
        order: Option<Order>,
        #[serde(default)]
        columns: Vec<Column>,
        shape: Option<Shape>,
        choice: Option<Choice>,
        loose: Option<Loose>,
        pair: Option<(String, bool)>,
        names: Option<BTreeSet<String>>,
        weights: Option<BTreeMap<String, f32>>,
        code: Option<char>,
        any: Option<Value>,
        small: Option<i8>,
    }

    #[derive(Deserialize, JsonSchema)]
    #[serde(rename_all = "kebab-case")]
    enum Order {
        /// Small first.
        Ascending,
        Descending,
    }

    #[derive(Deserialize, JsonSchema)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only read and described")]
    struct Column {
        name: String,
        child: Option<Box<Column>>,
    }

    #[derive(Deserialize, JsonSchema)]
    #[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
    #[expect(dead_code, reason = "only read and described")]
    enum Shape {
        Box { width: f64 },
        Disc { radius: f64 },
        Point,
    }

    #[derive(Deserialize, JsonSchema)]
    #[serde(rename_all = "kebab-case")]
    #[expect(dead_code, reason = "only read and described")]
    enum Choice {
        Nothing,
        Some(u8),
        Both { a: bool, b: bool },
    }

    #[derive(Deserialize, JsonSchema)]
    #[serde(untagged)]
    #[expect(dead_code, reason = "only read and described")]
    enum Loose {
        Text(String),
        Many(Vec<String>),
    }

    #[test]
    fn it_takes_what_serde_takes() {
        let schema = serde_json::to_string(&schema_for!(Params)).unwrap();
        let cases = [
            json!({ "rate": 1 }),
            json!({ "rate": 1.5, "offset": -3 }),
            json!({ "rate": "1" }),
            json!({ "offset": 1.5 }),
            json!({ "offset": 1.0 }),
            json!({ "count": -1 }),
            json!({ "small": 128 }),
            json!({ "small": -128 }),
            json!({ "order": "ascending" }),
            json!({ "order": "Ascending" }),
            json!({ "columns": [{ "name": "a", "child": { "name": "b" } }] }),
            json!({ "columns": [{ "name": "a", "child": { "nam": "b" } }] }),
            json!({ "columns": {} }),
            json!({ "shape": { "kind": "box", "width": 1 } }),
            json!({ "shape": { "kind": "disc", "width": 1 } }),
            json!({ "shape": { "kind": "disc", "radius": 1, "x": 1 } }),
            json!({ "shape": { "kind": "point" } }),
            json!({ "shape": {} }),
            json!({ "choice": "nothing" }),
            json!({ "choice": "some" }),
            json!({ "choice": { "some": 255 } }),
            json!({ "choice": { "some": 256 } }),
            json!({ "choice": { "both": { "a": true, "b": false } } }),
            json!({ "choice": { "both": { "a": true } } }),
            json!({ "loose": "a" }),
            json!({ "loose": ["a"] }),
            json!({ "loose": [1] }),
            json!({ "pair": ["a", true] }),
            json!({ "pair": ["a"] }),
            json!({ "pair": [true, "a"] }),
            json!({ "names": ["a", "b"] }),
            json!({ "weights": { "a": 1, "b": 0.5 } }),
            json!({ "weights": { "a": "1" } }),
            json!({ "code": "a" }),
            json!({ "code": "ab" }),
            json!({ "any": [1, { "a": null }] }),
            json!({ "unknown": 1 }),
        ];
        for mut params in cases {
            if params.get("count").is_none() {
                params["count"] = json!(1);
            }
            let by_serde = serde_json::from_value::<Params>(params.clone()).is_ok();
            let by_schema = check_params(&schema, &params);
            assert_eq!(by_schema.is_ok(), by_serde, "{params}: {by_schema:?}");
        }
        assert!(check_params(&schema, &json!({})).is_err());
    }
}

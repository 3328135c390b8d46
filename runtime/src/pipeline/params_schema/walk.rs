//! Walks a schema and a value side by side.

use std::collections::BTreeSet;

use serde_json::{Map, Number, Value};

use super::error::{ParamsError, ParamsProblem};
use crate::pipeline::canonical::canonical_json;

/// Most (schema, value) pairs that are compared. Real schemas need a few for each param; a hostile one
/// can nest alternatives until their number is exponential.
const MOST_VISITS: u32 = 100_000;

/// Deepest nesting of the schema along a value. References in a circle end here too.
const MOST_DEPTH: u32 = 256;

type Object = Map<String, Value>;
type Checked = Result<(), ParamsError>;

pub(super) struct Walk<'a> {
    root: &'a Value,
    visits: u32,
    depth: u32,
}

impl<'a> Walk<'a> {
    pub(super) fn new(root: &'a Value) -> Self {
        Self {
            root,
            visits: 0,
            depth: 0,
        }
    }

    /// Checks the value at `path` against `schema`.
    pub(super) fn check(&mut self, schema: &'a Value, value: &Value, path: &str) -> Checked {
        self.visits += 1;
        if self.visits > MOST_VISITS {
            return bad_schema("it takes too long to check");
        }
        if self.depth >= MOST_DEPTH {
            return bad_schema("it is nested too deeply");
        }
        self.depth += 1;
        let checked = self.check_here(schema, value, path);
        self.depth -= 1;
        checked
    }

    fn check_here(&mut self, schema: &'a Value, value: &Value, path: &str) -> Checked {
        let schema = match schema {
            Value::Bool(true) => return Ok(()),
            Value::Bool(false) => return wrong(path, "nothing", value),
            Value::Object(schema) => schema,
            _ => return bad_schema("a schema is neither an object nor a boolean"),
        };
        if let Some(reference) = schema.get("$ref") {
            self.reference(reference, value, path)?;
        }
        check_type(schema, value, path)?;
        check_choice(schema, value, path)?;
        match value {
            Value::Object(entries) => self.object(schema, entries, path)?,
            Value::Array(values) => self.array(schema, values, path)?,
            Value::Number(number) => check_range(schema, number, value, path)?,
            Value::String(text) => check_length(schema, text, value, path)?,
            Value::Null | Value::Bool(_) => {}
        }
        for part in list(schema, "allOf")? {
            self.check(part, value, path)?;
        }
        self.alternatives(list(schema, "anyOf")?, value, path)?;
        self.alternatives(list(schema, "oneOf")?, value, path)
    }

    fn reference(&mut self, reference: &'a Value, value: &Value, path: &str) -> Checked {
        let pointer = reference
            .as_str()
            .and_then(|reference| reference.strip_prefix('#'));
        let Some(target) = pointer.and_then(|pointer| self.root.pointer(pointer)) else {
            return bad_schema(&format!("there is nothing at {reference}"));
        };
        self.check(target, value, path)
    }

    fn object(&mut self, schema: &'a Object, entries: &Object, path: &str) -> Checked {
        let empty = Map::new();
        let properties = match schema.get("properties") {
            None => None,
            Some(Value::Object(properties)) => Some(properties),
            Some(_) => return bad_schema("`properties` is not an object"),
        };
        let at = |name: &str| match path {
            "" => name.to_owned(),
            path => format!("{path}.{name}"),
        };
        // Tags first: they say which of several alternatives was meant.
        let tags = properties
            .into_iter()
            .flatten()
            .filter(|(_, s)| s.get("const").is_some());
        for (name, tag) in sorted(tags) {
            if let Some(value) = entries.get(name) {
                self.check(tag, value, &at(name))?;
            }
        }
        let additional = schema.get("additionalProperties");
        for (name, value) in sorted(entries) {
            let Some(property) = properties.and_then(|properties| properties.get(name)) else {
                let elsewhere = schema.contains_key("patternProperties");
                match additional {
                    Some(Value::Bool(false)) if !elsewhere => {
                        let known = sorted(properties.unwrap_or(&empty));
                        let known = known.into_iter().map(|(name, _)| name.clone()).collect();
                        return fail(&at(name), ParamsProblem::Unknown { known });
                    }
                    Some(additional) if !elsewhere => self.check(additional, value, &at(name))?,
                    _ => {}
                }
                continue;
            };
            self.check(property, value, &at(name))?;
        }
        for name in list(schema, "required")? {
            let name = name.as_str().unwrap_or_default();
            if !entries.contains_key(name) {
                return fail(&at(name), ParamsProblem::Missing);
            }
        }
        Ok(())
    }

    fn array(&mut self, schema: &'a Object, values: &[Value], path: &str) -> Checked {
        let len = values.len() as u64;
        let found = format!("array of length {len}");
        if let Some(least) = bound(schema, "minItems").filter(|least| len < *least) {
            return value_error(path, format!("array of length {least} or more"), found);
        }
        if let Some(most) = bound(schema, "maxItems").filter(|most| len > *most) {
            return value_error(path, format!("array of length {most} or less"), found);
        }
        if schema.get("uniqueItems") == Some(&Value::Bool(true)) {
            let mut seen = BTreeSet::new();
            for value in values {
                let text = canonical_json(value);
                if !seen.insert(text.clone()) {
                    return value_error(
                        path,
                        "values that differ".into(),
                        format!("`{text}` twice"),
                    );
                }
            }
        }
        let prefix = list(schema, "prefixItems")?;
        for (index, value) in values.iter().enumerate() {
            if let Some(schema) = prefix.get(index).or_else(|| schema.get("items")) {
                self.check(schema, value, &format!("{path}[{index}]"))?;
            }
        }
        Ok(())
    }

    /// One of `schemas` has to fit. If none does, the error is that of the one that was meant.
    fn alternatives(&mut self, schemas: &'a [Value], value: &Value, path: &str) -> Checked {
        let mut errors = Vec::new();
        for schema in schemas {
            match self.check(schema, value, path) {
                Ok(()) => return Ok(()),
                Err(error) if matches!(error.problem, ParamsProblem::Schema(_)) => {
                    return Err(error);
                }
                Err(error) => errors.push(error),
            }
        }
        nearest(errors, path).map_or(Ok(()), Err)
    }
}

/// Of the errors of all alternatives for the value at `path`, that of the one that was meant.
///
/// That is the one that got furthest: beyond the type of the value, its tag, and the names in it, and
/// then deepest into the value. What several ask of one place is joined.
fn nearest(errors: Vec<ParamsError>, path: &str) -> Option<ParamsError> {
    let progress = |error: &ParamsError| {
        let below = error.path.get(path.len()..).unwrap_or_default();
        let is_deep = below
            .get(1..)
            .is_some_and(|below| below.contains(['.', '[']));
        let step = match &error.problem {
            _ if is_deep => 3,
            ParamsProblem::Value { .. } if below.is_empty() => 0,
            ParamsProblem::NotOneOf { allowed, .. } if allowed.len() == 1 => 1,
            ParamsProblem::Unknown { .. } => 2,
            _ => 3,
        };
        (step, error.path.len())
    };
    let mut best: Option<((i32, usize), ParamsError)> = None;
    for error in errors {
        let progress = progress(&error);
        match &mut best {
            Some((furthest, _)) if *furthest > progress => {}
            Some((furthest, best)) if *furthest == progress => join(best, error),
            _ => best = Some((progress, error)),
        }
    }
    best.map(|(_, error)| error)
}

/// Adds to what `best` would have accepted what `other` would have, if they are about one place.
fn join(best: &mut ParamsError, other: ParamsError) {
    use ParamsProblem::{NotOneOf, Unknown, Value};
    if best.path != other.path {
        return;
    }
    match (&mut best.problem, other.problem) {
        (NotOneOf { allowed: known, .. }, NotOneOf { allowed: more, .. })
        | (Unknown { known }, Unknown { known: more }) => known.extend(more),
        (Value { expected, .. }, Value { expected: more, .. }) if *expected != more => {
            *expected = format!("{expected} or {more}");
        }
        _ => {}
    }
}

fn check_type(schema: &Object, value: &Value, path: &str) -> Checked {
    let names: Vec<&str> = match schema.get("type") {
        None => return Ok(()),
        Some(Value::String(name)) => vec![name],
        Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).collect(),
        Some(_) => return bad_schema("`type` is neither text nor a list"),
    };
    let fits = |name: &&str| match *name {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        _ => false,
    };
    if names.iter().any(fits) {
        return Ok(());
    }
    // TOML has no null, so that nobody could write one.
    let names: Vec<&str> = names.into_iter().filter(|name| *name != "null").collect();
    wrong(path, &names.join(" or "), value)
}

fn check_choice(schema: &Object, value: &Value, path: &str) -> Checked {
    let allowed: &[Value] = match (schema.get("const"), schema.get("enum")) {
        (Some(only), _) => std::slice::from_ref(only),
        (None, Some(Value::Array(allowed))) => allowed,
        (None, Some(_)) => return bad_schema("`enum` is not a list"),
        (None, None) => return Ok(()),
    };
    if allowed
        .iter()
        .any(|allowed| canonical_json(allowed) == canonical_json(value))
    {
        return Ok(());
    }
    let allowed = allowed
        .iter()
        .filter(|value| !value.is_null())
        .map(canonical_json)
        .collect();
    fail(
        path,
        ParamsProblem::NotOneOf {
            allowed,
            found: shortened(&canonical_json(value)),
        },
    )
}

fn check_range(schema: &Object, number: &Number, value: &Value, path: &str) -> Checked {
    use std::cmp::Ordering::{Equal, Greater, Less};
    let rules: [(&str, &[std::cmp::Ordering], &str); 4] = [
        ("minimum", &[Greater, Equal], "at least"),
        ("maximum", &[Less, Equal], "at most"),
        ("exclusiveMinimum", &[Greater], "more than"),
        ("exclusiveMaximum", &[Less], "less than"),
    ];
    for (keyword, holds, words) in rules {
        let Some(Value::Number(bound)) = schema.get(keyword) else {
            continue;
        };
        if !compare(number, bound).is_some_and(|ordering| holds.contains(&ordering)) {
            return wrong(path, &format!("{words} {bound}"), value);
        }
    }
    Ok(())
}

/// Exact for two integers; as floats otherwise.
fn compare(a: &Number, b: &Number) -> Option<std::cmp::Ordering> {
    match (a.as_i128(), b.as_i128()) {
        (Some(a), Some(b)) => Some(a.cmp(&b)),
        _ => a.as_f64()?.partial_cmp(&b.as_f64()?),
    }
}

fn check_length(schema: &Object, text: &str, value: &Value, path: &str) -> Checked {
    let len = text.chars().count() as u64;
    if let Some(least) = bound(schema, "minLength").filter(|least| len < *least) {
        return wrong(path, &format!("at least {least} characters"), value);
    }
    if let Some(most) = bound(schema, "maxLength").filter(|most| len > *most) {
        return wrong(path, &format!("at most {most} characters"), value);
    }
    Ok(())
}

fn bound(schema: &Object, keyword: &str) -> Option<u64> {
    schema.get(keyword).and_then(Value::as_u64)
}

fn list<'a>(schema: &'a Object, keyword: &str) -> Result<&'a [Value], ParamsError> {
    match schema.get(keyword) {
        None => Ok(&[]),
        Some(Value::Array(values)) => Ok(values),
        Some(_) => bad_schema(&format!("`{keyword}` is not a list")),
    }
}

/// Entries by key, whatever order the map has.
fn sorted<'a>(
    entries: impl IntoIterator<Item = (&'a String, &'a Value)>,
) -> Vec<(&'a String, &'a Value)> {
    let mut entries: Vec<_> = entries.into_iter().collect();
    entries.sort_unstable_by_key(|(name, _)| *name);
    entries
}

fn wrong(path: &str, expected: &str, value: &Value) -> Checked {
    let kind = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "float",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "table",
    };
    let expected = expected.replace("object", "table");
    value_error(
        path,
        expected,
        format!("{kind} `{}`", shortened(&canonical_json(value))),
    )
}

fn shortened(text: &str) -> String {
    const MOST_CHARS: usize = 60;
    match text.char_indices().nth(MOST_CHARS) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

fn value_error(path: &str, expected: String, found: String) -> Checked {
    fail(path, ParamsProblem::Value { expected, found })
}

fn fail(path: &str, problem: ParamsProblem) -> Checked {
    Err(ParamsError {
        path: path.to_owned(),
        problem,
    })
}

fn bad_schema<T>(why: &str) -> Result<T, ParamsError> {
    Err(ParamsError {
        path: String::new(),
        problem: ParamsProblem::Schema(why.to_owned()),
    })
}

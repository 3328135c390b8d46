//! Params: TOML to JSON, `${params.name}` in the params of steps, and overrides.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Map, Number, Value};
use toml_edit::Item;

use super::canonical::canonical_json;
use super::error::{PipelineError, Problem};
use super::name::is_name;
use super::reader::{Entry, shown};
use crate::error::{Place, SourceText, closest};

/// What opens a reference to a param within text; as text it is written with one more `$`.
pub(super) const OPEN: &str = "${";

/// Turns TOML values into JSON, keeping the place of each.
pub(super) struct Converter<'a> {
    source: &'a Arc<SourceText>,
    /// What text may refer to; none where it may refer to nothing.
    params: Option<&'a BTreeMap<String, Value>>,
    /// The places, by path below the value: `columns[0].name`.
    pub(super) places: BTreeMap<String, Place>,
}

impl<'a> Converter<'a> {
    pub(super) fn new(
        source: &'a Arc<SourceText>,
        params: Option<&'a BTreeMap<String, Value>>,
    ) -> Self {
        Self {
            source,
            params,
            places: BTreeMap::new(),
        }
    }

    /// The JSON of an entry's value.
    ///
    /// Dates and times become their RFC 3339 text. A float that is not finite has no JSON.
    pub(super) fn convert(&mut self, entry: &Entry<'_>) -> Result<Value, PipelineError> {
        self.item(entry.item, "", &entry.path, &entry.place)
    }

    /// `path` is relative to the entry, `key` is the whole of it, `around` is the place of what holds it.
    fn item(
        &mut self,
        item: &Item,
        path: &str,
        key: &str,
        around: &Place,
    ) -> Result<Value, PipelineError> {
        if let Some(tables) = item.as_array_of_tables() {
            let mut values = Vec::new();
            for (index, table) in tables.iter().enumerate() {
                let table = Item::Table(table.clone());
                values.push(self.element(&table, index, path, key, around)?);
            }
            return Ok(Value::Array(values));
        }
        if let Some(table) = item.as_table_like() {
            let mut values = Map::new();
            for (name, item) in table.iter() {
                let path = if path.is_empty() {
                    name.to_owned()
                } else {
                    format!("{path}.{name}")
                };
                let span = match item {
                    Item::Value(value) => value.span(),
                    _ => None,
                };
                let span = span.or_else(|| table.key(name).and_then(toml_edit::Key::span));
                let place = span.map_or_else(|| around.clone(), |s| Place::new(self.source, s));
                self.places.insert(path.clone(), place.clone());
                let value = self.item(item, &path, &format!("{key}.{name}"), &place)?;
                values.insert(name.to_owned(), value);
            }
            return Ok(Value::Object(values));
        }
        if let Some(array) = item.as_array() {
            let mut values = Vec::new();
            for (index, value) in array.iter().enumerate() {
                let value = Item::Value(value.clone());
                values.push(self.element(&value, index, path, key, around)?);
            }
            return Ok(Value::Array(values));
        }
        self.scalar(item, key)
            .map_err(|problem| problem.at(around.clone()))
    }

    fn element(
        &mut self,
        item: &Item,
        index: usize,
        path: &str,
        key: &str,
        around: &Place,
    ) -> Result<Value, PipelineError> {
        let (path, key) = (format!("{path}[{index}]"), format!("{key}[{index}]"));
        let place = item
            .span()
            .map_or_else(|| around.clone(), |s| Place::new(self.source, s));
        self.places.insert(path.clone(), place.clone());
        self.item(item, &path, &key, &place)
    }

    fn scalar(&self, item: &Item, key: &str) -> Result<Value, Problem> {
        if let Some(text) = item.as_str() {
            return substituted(text, self.params);
        }
        if let Some(float) = item.as_float() {
            return Number::from_f64(float)
                .map(Value::Number)
                .ok_or_else(|| Problem::Value {
                    key: key.to_owned(),
                    expected: "finite number".to_owned(),
                    found: shown(item),
                });
        }
        if let Some(datetime) = item.as_datetime() {
            return Ok(Value::String(datetime.to_string()));
        }
        Ok(match (item.as_integer(), item.as_bool()) {
            (Some(integer), _) => Value::from(integer),
            (_, Some(boolean)) => Value::from(boolean),
            _ => Value::Null,
        })
    }
}

/// The text with every `${params.name}` replaced, and `$${` by `${`.
///
/// Text that is nothing but one reference becomes the param itself, whatever its type.
fn substituted(text: &str, params: Option<&BTreeMap<String, Value>>) -> Result<Value, Problem> {
    let mut done = String::new();
    let mut rest = text;
    while let Some(start) = rest.find(OPEN) {
        let (before, reference) = rest.split_at(start);
        if let Some(before) = before.strip_suffix('$') {
            done.push_str(before);
            done.push_str(OPEN);
            rest = reference.get(OPEN.len()..).unwrap_or_default();
            continue;
        }
        done.push_str(before);
        let wrong = |found: &str, why: &str| {
            Err(Problem::Substitution {
                found: found.to_owned(),
                why: why.to_owned(),
            })
        };
        let Some(end) = reference.find('}') else {
            return wrong(reference, "it has no `}`");
        };
        let (reference, after) = reference.split_at(end + 1);
        let Some(params) = params else {
            return wrong(reference, "only the params of steps may refer to params");
        };
        let name = reference.get(OPEN.len()..end).unwrap_or_default();
        let Some(name) = name.strip_prefix("params.").filter(|name| is_name(name)) else {
            return wrong(reference, "it is not of the form `${params.name}`");
        };
        let Some(value) = params.get(name) else {
            return Err(unknown_param(name, params));
        };
        match value {
            value if reference == text => return Ok(value.clone()),
            Value::String(string) => done.push_str(string),
            Value::Bool(_) | Value::Number(_) => done.push_str(&canonical_json(value)),
            _ => return wrong(reference, "an array or a table cannot stand within text"),
        }
        rest = after;
    }
    done.push_str(rest);
    Ok(Value::String(done))
}

fn unknown_param(name: &str, params: &BTreeMap<String, Value>) -> Problem {
    let names = params.keys().map(String::as_str);
    Problem::Unknown {
        kind: "param",
        name: name.to_owned(),
        known: params.keys().cloned().collect(),
        meant: closest(name, names).map(str::to_owned),
    }
}

/// Puts overrides in the place of params, whose TOML types `types` knows.
pub(super) fn override_params(
    params: &mut BTreeMap<String, Value>,
    types: &BTreeMap<String, &'static str>,
    set: &[(String, String)],
) -> Result<(), PipelineError> {
    for (name, text) in set {
        let nowhere = |problem: Problem| problem.at_all(Vec::new());
        let Some(expected) = types.get(name).copied() else {
            return Err(nowhere(unknown_param(name, params)));
        };
        let value = overriding(name, text, expected).map_err(nowhere)?;
        params.insert(name.clone(), value);
    }
    Ok(())
}

/// The value that `text` gives to a param of type `expected`.
///
/// A string needs no quotes. An integer will do for a float; nothing else changes its type.
fn overriding(name: &str, text: &str, expected: &'static str) -> Result<Value, Problem> {
    let item = text.parse::<toml_edit::Value>().map(Item::Value);
    let item = match item {
        Ok(item) if expected != "string" || item.is_str() => item,
        _ => toml_edit::value(text),
    };
    let found = type_name(&item);
    if let (Some(integer), "float", "integer") = (item.as_integer(), expected, found) {
        // The nearest float is what TOML reads from the same digits with a `.0`.
        return Ok(Number::from_f64(integer as f64).map_or(Value::Null, Value::Number));
    }
    if found != expected {
        let (name, value) = (name.to_owned(), text.to_owned());
        return Err(Problem::SetType {
            name,
            value,
            expected,
            found,
        });
    }
    let source = SourceText::new("--set", text);
    let place = Place::new(&source, 0..text.len());
    Converter::new(&source, None)
        .item(&item, "", &format!("params.{name}"), &place)
        .map_err(|error| *error.problem)
}

/// The TOML type of a value, whichever way it is written.
pub(super) fn type_name(item: &Item) -> &'static str {
    match item {
        item if item.is_table_like() => "table",
        Item::ArrayOfTables(_) => "array",
        item => item.type_name(),
    }
}

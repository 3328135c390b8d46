//! JSON values compared field by field: params and models.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::{Map, Value};

use super::{Sides, paired};

/// A value that differs, or that only one side has.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ValueDiff {
    /// Where it is: `columns.product`, `coefficients[2]`, `numeric[distance].coefficient`; empty if it is all.
    pub path: String,
    /// The value before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub old: Option<Value>,
    /// The value now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub new: Option<Value>,
}

/// What differs between two values, in the order of the document.
///
/// Objects are compared by name. Objects in arrays are matched by the first member that is a text of its
/// own in each of them, if there is one. Of lists of different texts, the entries are listed that only one
/// of them has. Other arrays are compared by position if they are equally long, and else as one value.
pub fn differences(old: &Value, new: &Value) -> Vec<ValueDiff> {
    let mut found = Vec::new();
    compare(String::new(), Some(old), Some(new), &mut found);
    found
}

/// What differs between the params of a step, which are canonical JSON.
pub fn param_differences(old: &str, new: &str) -> Vec<ValueDiff> {
    if old == new {
        return Vec::new();
    }
    // What is no JSON is compared as text.
    let parse =
        |text: &str| serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.to_owned()));
    differences(&parse(old), &parse(new))
}

fn compare(path: String, old: Option<&Value>, new: Option<&Value>, found: &mut Vec<ValueDiff>) {
    match (old, new) {
        _ if old == new => {}
        (Some(Value::Object(old)), Some(Value::Object(new))) => members(&path, old, new, found),
        (Some(Value::Array(old)), Some(Value::Array(new))) => arrays(path, old, new, found),
        _ => found.push(ValueDiff {
            path,
            old: old.cloned(),
            new: new.cloned(),
        }),
    }
}

fn members(
    path: &str,
    old: &Map<String, Value>,
    new: &Map<String, Value>,
    found: &mut Vec<ValueDiff>,
) {
    for (name, sides) in paired(old.iter().collect(), new.iter().collect()) {
        let path = match path.is_empty() {
            true => name.clone(),
            false => format!("{path}.{name}"),
        };
        compare(path, sides.old, sides.new, found);
    }
}

fn arrays(path: String, old: &[Value], new: &[Value], found: &mut Vec<ValueDiff>) {
    if let Some((old, new)) = named(old, new) {
        by_name(&path, &old, &new, found);
        return;
    }
    match (texts(old), texts(new)) {
        // In the same order, as far as they are in both.
        (Some((olds, as_old)), Some((news, as_new)))
            if common(&as_old, &news) == common(&as_new, &olds) =>
        {
            for gone in as_old.iter().filter(|text| !news.contains(*text)) {
                compare(path.clone(), Some(&Value::from(*gone)), None, found);
            }
            for came in as_new.iter().filter(|text| !olds.contains(*text)) {
                compare(path.clone(), None, Some(&Value::from(*came)), found);
            }
        }
        (None, None) if old.len() == new.len() => {
            for (at, (old, new)) in old.iter().zip(new).enumerate() {
                compare(format!("{path}[{at}]"), Some(old), Some(new), found);
            }
        }
        _ => found.push(ValueDiff {
            path,
            old: Some(old.to_vec().into()),
            new: Some(new.to_vec().into()),
        }),
    }
}

/// The texts of a list as a set and as they stand, if they are all texts and differ from each other.
fn texts(entries: &[Value]) -> Option<(BTreeSet<&str>, Vec<&str>)> {
    let list: Vec<&str> = entries.iter().map(Value::as_str).collect::<Option<_>>()?;
    let set: BTreeSet<&str> = list.iter().copied().collect();
    (set.len() == list.len()).then_some((set, list))
}

fn common<'a>(texts: &[&'a str], others: &BTreeSet<&str>) -> Vec<&'a str> {
    let common = texts.iter().filter(|text| others.contains(**text));
    common.copied().collect()
}

/// Objects of a list, each with its name.
type Named<'a> = Vec<(&'a str, &'a Value)>;

/// Both lists with the names of their objects: the first member that names each object of either.
fn named<'a>(old: &'a [Value], new: &'a [Value]) -> Option<(Named<'a>, Named<'a>)> {
    let of = |entries: &'a [Value], member: &str| -> Option<Named<'a>> {
        let name = |entry: &'a Value| Some((entry.as_object()?.get(member)?.as_str()?, entry));
        let named: Named<'a> = entries.iter().map(name).collect::<Option<_>>()?;
        let names: BTreeSet<&str> = named.iter().map(|(name, _)| *name).collect();
        (names.len() == named.len()).then_some(named)
    };
    let mut members = old.first()?.as_object()?.keys();
    members.find_map(|member| Some((of(old, member)?, of(new, member)?)))
}

fn by_name(path: &str, old: &Named<'_>, new: &Named<'_>, found: &mut Vec<ValueDiff>) {
    let map = |named: &Named<'_>| -> BTreeMap<String, Value> {
        let entries = named.iter();
        entries
            .map(|(name, value)| ((*name).to_owned(), (*value).clone()))
            .collect()
    };
    let (olds, news) = (map(old), map(new));
    let gone = old.iter().filter(|(name, _)| !news.contains_key(*name));
    for (name, _) in new.iter().chain(gone) {
        compare(
            format!("{path}[{name}]"),
            olds.get(*name),
            news.get(*name),
            found,
        );
    }
    // The order of those in both counts as well.
    let order = |named: &Named<'_>, others: &BTreeMap<String, Value>| -> Vec<Value> {
        let both = named.iter().filter(|(name, _)| others.contains_key(*name));
        both.map(|(name, _)| Value::from(*name)).collect()
    };
    let (as_old, as_new) = (order(old, &news), order(new, &olds));
    if as_old != as_new {
        found.push(ValueDiff {
            path: path.to_owned(),
            old: Some(as_old.into()),
            new: Some(as_new.into()),
        });
    }
}

/// Compares two sides of everything in a map.
pub(super) fn of_maps(
    old: &BTreeMap<String, Value>,
    new: &BTreeMap<String, Value>,
) -> Vec<ValueDiff> {
    let mut found = Vec::new();
    for (name, Sides { old, new }) in paired(old.iter().collect(), new.iter().collect()) {
        compare(name.clone(), old, new, &mut found);
    }
    found
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn found(old: Value, new: Value) -> Vec<String> {
        let show = |value: Option<Value>| value.map_or("-".to_owned(), |value| value.to_string());
        differences(&old, &new)
            .into_iter()
            .map(|diff| format!("{}: {} {}", diff.path, show(diff.old), show(diff.new)))
            .collect()
    }

    #[test]
    fn values_differ_where_they_differ() {
        assert_eq!(found(json!({"a": 1}), json!({"a": 1})), [""; 0]);
        assert_eq!(
            found(
                json!({"a": 1, "b": {"c": 1.0, "d": null}, "gone": []}),
                json!({"a": 1, "b": {"c": 1, "d": 2}, "new": true}),
            ),
            ["b.c: 1.0 1", "b.d: null 2", "gone: [] -", "new: - true"]
        );
        assert_eq!(found(json!(1), json!("1")), [": 1 \"1\""]);
    }

    #[test]
    fn arrays_are_compared_by_what_their_entries_are() {
        assert_eq!(found(json!([1, 2]), json!([1, 3])), ["[1]: 2 3"]);
        assert_eq!(found(json!([1, 2]), json!([1])), [": [1,2] [1]"]);
        assert_eq!(
            found(json!(["a", "b", "c"]), json!(["b", "c", "d"])),
            [": \"a\" -", ": - \"d\""]
        );
        assert_eq!(
            found(json!(["a", "b"]), json!(["b", "a"])),
            [": [\"a\",\"b\"] [\"b\",\"a\"]"]
        );
        assert_eq!(
            found(json!(["a", "a"]), json!(["a", "b"])),
            [": [\"a\",\"a\"] [\"a\",\"b\"]"]
        );
    }

    #[test]
    fn objects_in_arrays_are_matched_by_their_names() {
        let entry = |name: &str, weight: f64| json!({"column": name, "weight": weight});
        assert_eq!(
            found(
                json!({"numeric": [entry("a", 0.5), entry("b", 1.5), entry("c", 2.5)]}),
                json!({"numeric": [entry("b", 1.25), entry("c", 2.5), entry("d", 0.0)]}),
            ),
            [
                "numeric[b].weight: 1.5 1.25",
                "numeric[d]: - {\"column\":\"d\",\"weight\":0.0}",
                "numeric[a]: {\"column\":\"a\",\"weight\":0.5} -",
            ]
        );
        assert_eq!(
            found(
                json!([entry("a", 1.0), entry("b", 2.0)]),
                json!([entry("b", 2.0), entry("a", 1.0)]),
            ),
            [": [\"a\",\"b\"] [\"b\",\"a\"]"]
        );
        // Two of one name are told apart by their position only.
        assert_eq!(
            found(
                json!([entry("a", 1.0), entry("a", 2.0)]),
                json!([entry("a", 1.0), entry("a", 3.0)]),
            ),
            ["[1].weight: 2.0 3.0"]
        );
    }

    #[test]
    fn params_that_are_no_json_are_text() {
        assert_eq!(param_differences("{", "{"), []);
        assert_eq!(
            param_differences("{", "{}"),
            [ValueDiff {
                path: String::new(),
                old: Some(json!("{")),
                new: Some(json!({})),
            }]
        );
    }
}

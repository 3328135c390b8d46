//! The `columns` parameter: a table by name, or a list in order.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use pinion_sdk::{Error, Result};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

/// What to derive, in either form.
#[derive(Debug)]
pub(crate) enum Columns {
    /// Expressions by column name. None sees another.
    Table(BTreeMap<String, String>),
    /// Each expression sees the columns before it.
    List(Vec<Column>),
}

/// One column of a list.
#[derive(Debug, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Column {
    /// Name of the column to add or replace.
    name: String,
    /// An SQL expression.
    expression: String,
}

impl Columns {
    /// Names and expressions in the order in which they are derived.
    pub(crate) fn into_pairs(self) -> Result<Vec<(String, String)>> {
        let pairs: Vec<_> = match self {
            Columns::Table(table) => table.into_iter().collect(),
            Columns::List(list) => list
                .into_iter()
                .map(|column| (column.name, column.expression))
                .collect(),
        };
        if pairs.is_empty() {
            return Err(Error::bad_params("`columns` names no column"));
        }
        let mut names = BTreeSet::new();
        match pairs.iter().find(|(name, _)| !names.insert(name)) {
            Some((twice, _)) => Err(Error::bad_params(format!(
                "`columns` has two columns `{twice}`"
            ))),
            None => Ok(pairs),
        }
    }
}

// By hand, because an untagged enum says of a mistake in either form only that neither matches.
impl<'de> Deserialize<'de> for Columns {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Either)
    }
}

struct Either;

impl<'de> Visitor<'de> for Either {
    type Value = Columns;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a table of expressions by column name, or a list of `{ name, expression }`")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Columns, A::Error> {
        BTreeMap::deserialize(MapAccessDeserializer::new(map)).map(Columns::Table)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Columns, A::Error> {
        Vec::deserialize(SeqAccessDeserializer::new(seq)).map(Columns::List)
    }
}

impl JsonSchema for Columns {
    fn schema_name() -> Cow<'static, str> {
        "Columns".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let table = generator.subschema_for::<BTreeMap<String, String>>();
        let list = generator.subschema_for::<Vec<Column>>();
        schemars::json_schema!({ "anyOf": [table, list] })
    }
}

//! Puts the rows of several tables end to end.
//!
//! | port | kind | shape |
//! |---|---|---|
//! | in `first`, `second`, … `eighth` | tables | any types; the third and later ones are optional |
//! | out `rows` | table | the rows of `first`, then those of `second`, and so on |
//!
//! ```toml
//! inputs = { first = "flights-2012", second = "flights-2013" }
//! params = { missing = "null", origin = "year", labels = { first = "2012", second = "2013" } }
//! ```
//!
//! Columns are matched by name, as in SQL's `UNION ALL BY NAME`, and stand in the order in which they
//! first come. A column must have one type wherever it is: nothing is cast. It may hold nulls if it may in
//! any input, or is missing in one.
//!
//! Reads no value: rows are passed on as they are, and partitions stay as they were, but for crumbs of
//! exactly some batches. Holds nothing in memory. Deterministic; asks for no capabilities.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::{StringArray, new_null_array};
use arrow_schema::{DataType, Field, FieldRef};
use pinion_sdk::{
    Batch, Descriptor, Error, Inputs, Outputs, Result, Shape, Shapes, TableWriter, WholeTable,
    context,
};
use schemars::JsonSchema;
use serde::Deserialize;

/// The input ports.
const PORTS: [&str; 8] = [
    "first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth",
];

/// Ports that must be bound.
const REQUIRED: usize = 2;

/// How tables come together.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Params {
    /// What becomes of a column that some input has not: `error` refuses it, `null` fills it with nulls.
    /// `error` unless given.
    #[serde(default)]
    missing: Missing,
    /// The name of a new column, the last, that says which input a row came from. There is none unless given.
    origin: Option<String>,
    /// What stands in the column `origin` for rows of a port, by port. The name of the port unless given.
    #[serde(default)]
    labels: BTreeMap<String, String>,
}

/// What becomes of a column that some input has not.
#[derive(Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Missing {
    /// It is refused.
    #[default]
    Error,
    /// It is null there.
    Null,
}

struct UnionTables;

impl WholeTable for UnionTables {
    type Params = Params;

    fn describe() -> Descriptor {
        let descriptor = Descriptor::new("Puts the rows of several tables end to end.");
        let with_port = |descriptor: Descriptor, (at, port): (usize, &&str)| {
            let descriptor = descriptor.side_table(port, "Any table.");
            match at < REQUIRED {
                true => descriptor,
                false => descriptor.optional(),
            }
        };
        PORTS
            .iter()
            .enumerate()
            .fold(descriptor, with_port)
            .output("rows", "The rows of all, in the order of the ports.")
    }

    fn check(params: Params, inputs: &Shapes) -> Result<Vec<Shape>> {
        let bound = PORTS.iter().filter(|port| inputs.has(port));
        let tables = bound
            .map(|port| Ok((*port, inputs.table(port)?.fields().to_vec())))
            .collect::<Result<Vec<_>>>()?;
        let mut fields = union(&params, &tables)?;
        fields.extend(params.origin.as_deref().map(origin_field));
        Ok(vec![Shape::table("rows", fields)])
    }

    fn run(params: &Params, inputs: &Inputs, outputs: &mut Outputs) -> Result<()> {
        let bound = PORTS
            .iter()
            .filter_map(|port| Some((*port, inputs.find_table(port)?)));
        let tables: Vec<_> = bound.collect();
        let schemas = tables
            .iter()
            .map(|(port, table)| Ok((*port, table.schema()?)))
            .collect::<Result<Vec<_>>>()?;
        let fields = union(params, &schemas)?;
        let writer = outputs.table("rows")?;
        for ((port, table), (_, schema)) in tables.iter().zip(&schemas) {
            let part = Part {
                missing: absent(&fields, schema).cloned().collect(),
                order: order(&fields, schema),
                origin: params.origin.as_deref().map(|column| {
                    let label = params.labels.get(*port).map_or(*port, String::as_str);
                    (column, label)
                }),
            };
            for batch in table.batches() {
                part.write(&batch, writer)?;
            }
            // Rows of two inputs in one partition would have to be moved.
            writer.cut();
        }
        Ok(())
    }
}

/// What the rows of one input need to fit the others.
struct Part<'a> {
    /// Columns that it has not.
    missing: Vec<FieldRef>,
    /// All columns in their order, if they are in another one.
    order: Option<Vec<&'a str>>,
    /// The column that says where rows came from, and what it says.
    origin: Option<(&'a str, &'a str)>,
}

impl Part<'_> {
    fn write(&self, batch: &Batch, to: &mut TableWriter) -> Result<()> {
        let rows = batch.rows();
        let count = rows as usize;
        let mut out = batch.duplicate()?;
        if !self.missing.is_empty() {
            let nulls = |field: &FieldRef| {
                let field = field.as_ref().clone().with_nullable(true);
                let values = new_null_array(field.data_type(), count);
                (field, values)
            };
            out = out.with_columns(self.missing.iter().map(nulls).collect())?;
        }
        if let Some(order) = &self.order {
            out = out.select(order)?;
        }
        if let Some((column, label)) = self.origin {
            let values: StringArray = std::iter::repeat_n(Some(label), count).collect();
            let field = origin_field(column).as_ref().clone();
            out = out.with_columns(vec![(field, Arc::new(values))])?;
        }
        to.write(&out)?;
        // A short batch ends a partition of the input. Where the output has the same partitions, it has
        // their chunks as well.
        if rows < u64::from(context::batch_rows()) {
            to.cut();
        }
        Ok(())
    }
}

/// The columns of all inputs in the order in which they first come, without the one for the origin.
fn union(params: &Params, tables: &[(&str, Vec<FieldRef>)]) -> Result<Vec<FieldRef>> {
    check_labels(params, tables)?;
    let mut fields: Vec<(FieldRef, &str)> = Vec::new();
    for (port, schema) in tables {
        for field in schema {
            let known = fields
                .iter_mut()
                .find(|(known, _)| known.name() == field.name());
            let Some((known, first)) = known else {
                fields.push((Arc::clone(field), port));
                continue;
            };
            if known.data_type() != field.data_type() {
                let message = format!(
                    "column `{}` is of one type in `{first}` and of another in `{port}`",
                    field.name()
                );
                return Err(Error::new("wrong-type", message)
                    .with("column", field.name())
                    .with("port", port)
                    .with(
                        "expected",
                        format!("{}, as in `{first}`", known.data_type()),
                    )
                    .with("found", field.data_type()));
            }
            if field.is_nullable() && !known.is_nullable() {
                *known = Arc::new(known.as_ref().clone().with_nullable(true));
            }
        }
    }
    let mut fields: Vec<FieldRef> = fields.into_iter().map(|(field, _)| field).collect();
    for (port, schema) in tables {
        let absent: Vec<String> = absent(&fields, schema)
            .map(|field| field.name().clone())
            .collect();
        match absent.first() {
            Some(name) if params.missing == Missing::Error => {
                return Err(Error::missing_column(name).with("port", port).with(
                    "param",
                    "`missing = \"null\"` fills what some input has not with nulls",
                ));
            }
            _ => {}
        }
        for field in &mut fields {
            if absent.contains(field.name()) {
                *field = Arc::new(field.as_ref().clone().with_nullable(true));
            }
        }
    }
    match &params.origin {
        Some(origin) if fields.iter().any(|field| field.name() == origin) => {
            let message = format!("there would be two columns `{origin}`");
            Err(Error::new("duplicate-column", message)
                .with("column", origin)
                .with("param", "`origin` names a new column"))
        }
        _ => Ok(fields),
    }
}

fn check_labels(params: &Params, tables: &[(&str, Vec<FieldRef>)]) -> Result<()> {
    if params.origin.is_none() && !params.labels.is_empty() {
        return Err(Error::bad_params(
            "`labels` are given, and no column `origin` for them",
        ));
    }
    let is_bound = |port: &str| tables.iter().any(|(bound, _)| *bound == port);
    match params.labels.keys().find(|port| !is_bound(port)) {
        Some(port) => Err(Error::bad_params(format!(
            "`labels` names `{port}`, which is no input of this step"
        ))),
        None => Ok(()),
    }
}

/// Those of `fields` that `schema` has not.
fn absent<'a>(
    fields: &'a [FieldRef],
    schema: &'a [FieldRef],
) -> impl Iterator<Item = &'a FieldRef> {
    let is_there = |field: &FieldRef| schema.iter().any(|own| own.name() == field.name());
    fields.iter().filter(move |field| !is_there(field))
}

/// The names of `fields`, unless those of `schema` with what it lacks at the end are in that order.
fn order<'a>(fields: &'a [FieldRef], schema: &[FieldRef]) -> Option<Vec<&'a str>> {
    let names: Vec<&str> = fields.iter().map(|field| field.name().as_str()).collect();
    let own = schema.iter().map(|field| field.name().as_str());
    let added = absent(fields, schema).map(|field| field.name().as_str());
    (!own.chain(added).eq(names.iter().copied())).then_some(names)
}

fn origin_field(column: &str) -> FieldRef {
    Arc::new(Field::new(column, DataType::Utf8, false))
}

pinion_sdk::export!(UnionTables: WholeTable);

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests;

//! A row-map that tells what it read, or where its batches end, in the way that its params name.

#[path = "../../tell/src/secret.rs"]
mod secret;
#[path = "../../tell/src/told.rs"]
mod told;

use pinion_sdk::{Batch, Descriptor, Inputs, Output, Result, RowMap, Shape, Shapes, Table};

use told::{Told, With};

#[derive(serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
struct Params {
    /// The column that it reads; none unless given, and then all that it knows is where batches end.
    secret: Option<String>,
    /// How it tells.
    how: Told,
    /// The port that tells. From the others the rows come as they went in.
    to: String,
    /// Columns that are chosen from.
    pair: Option<(String, String)>,
}

struct TellEach {
    params: Params,
    side: Option<Table>,
}

impl RowMap for TellEach {
    type Params = Params;

    fn describe() -> Descriptor {
        Descriptor::new("Tells what it read.")
            .input("rows", "Any table.")
            .side_table("side", "Rows to put beside others.")
            .optional()
            .output("rows", "Anything.")
            .output("chosen", "Columns as they are, and what is made; any rows.")
            .same_columns()
            .output(
                "kept",
                "Rows as they are, and what is made or stands beside.",
            )
            .same_rows_as("rows")
            .output("picked", "Rows as they are, and any columns.")
            .same_rows_only_as("rows")
    }

    fn check(params: Params, inputs: &Shapes) -> Result<Vec<Shape>> {
        let rows = inputs.table("rows")?;
        let told = params
            .how
            .check(rows.fields(), params.pair.as_ref(), inputs)?;
        let shape = |port: &&str| match *port == params.to {
            true => params.how.passes(Shape::table(port, told.clone()), inputs),
            false => Ok(Shape::table(port, rows.fields().to_vec()).passes(rows, &[])),
        };
        ["rows", "chosen", "kept", "picked"]
            .iter()
            .map(shape)
            .collect()
    }

    fn open(params: Params, mut side: Inputs) -> Result<Self> {
        let side = side
            .find_table("side")
            .is_some()
            .then(|| side.take_table("side"));
        Ok(Self {
            params,
            side: side.transpose()?,
        })
    }

    fn apply(&mut self, rows: &Batch) -> Result<Vec<Output>> {
        let Params {
            secret,
            how,
            to,
            pair,
        } = &self.params;
        let numbers = secret::of_batch(rows, secret.as_deref())?;
        let with = With {
            pair: pair.as_ref(),
            side: self.side.as_ref(),
        };
        let mut outputs = Vec::new();
        for port in ["rows", "chosen", "kept", "picked"] {
            let told = match port == to {
                true => how.tell(rows, &numbers, told::is_odd(&numbers), &with)?,
                false => Some(rows.duplicate()?),
            };
            outputs.extend(told.map(|rows| Output::new(port, rows)));
        }
        Ok(outputs)
    }
}

pinion_sdk::export!(TellEach: RowMap);

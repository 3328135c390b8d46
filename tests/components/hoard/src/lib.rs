//! A whole-table step that writes what and where it must not, in the way its params name.

use std::sync::Arc;

use arrow_array::{Int64Array, StringArray};
use arrow_schema::{DataType, Field};
use pinion_sdk::bindings::host::pinion::step::arrow as host;
use pinion_sdk::{Batch, Descriptor, Error, Inputs, Outputs, Result, Shape, Shapes, WholeTable};

#[derive(serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
struct Params {
    mode: String,
}

struct Hoard;

impl WholeTable for Hoard {
    type Params = Params;

    fn describe() -> Descriptor {
        Descriptor::new("Hoards.")
            .side_table("rows", "Any table.")
            .output("numbers", "`x`.")
            .output("words", "`word`.")
            .output_blob("bytes", "application/octet-stream", "Bytes.")
    }

    fn check(_params: Params, _inputs: &Shapes) -> Result<Vec<Shape>> {
        Ok(vec![
            Shape::table(
                "numbers",
                vec![Field::new("x", DataType::Int64, false).into()],
            ),
            Shape::table(
                "words",
                vec![Field::new("word", DataType::Utf8, false).into()],
            ),
            Shape::blob("bytes", "application/octet-stream"),
        ])
    }

    fn run(params: &Params, _inputs: &Inputs, outputs: &mut Outputs) -> Result<()> {
        let numbers = |rows: usize| {
            Batch::new(
                rows,
                vec![(
                    Field::new("x", DataType::Int64, false),
                    Arc::new(Int64Array::from(vec![1; rows])),
                )],
            )
        };
        match params.mode.as_str() {
            "new-rows" => loop {
                outputs.table("numbers")?.write(&numbers(1000)?)?;
            },
            "same-rows" => {
                let rows = on_host(numbers(1000)?)?;
                loop {
                    outputs.table("numbers")?.write(&rows)?;
                }
            }
            "no-rows" => {
                let rows = on_host(numbers(1)?)?.slice(0, 0)?;
                loop {
                    outputs.table("numbers")?.write(&rows)?;
                }
            }
            "scratch" => {
                let rows = numbers(1000)?.into_host()?;
                let scratch = host::Scratch::new();
                loop {
                    scratch.write(&rows)?;
                }
            }
            // 16 MiB, of which the host holds one at a time besides what is laid aside.
            "aside" => {
                let scratch = host::Scratch::new();
                for _ in 0..16 {
                    scratch.write(&numbers(1 << 17)?.into_host()?)?;
                }
                host::Scratch::seal(scratch);
                Ok(())
            }
            // The same, but for letting go.
            "hold" => {
                let scratch = host::Scratch::new();
                let mut held = Vec::new();
                for _ in 0..16 {
                    held.push(numbers(1 << 17)?.into_host()?);
                    held.iter().try_for_each(|rows| scratch.write(rows))?;
                }
                Ok(())
            }
            "grow" => {
                // One long string many times over: few indices, many bytes.
                let words = StringArray::from(vec!["x".repeat(1 << 20)]);
                let mut rows = on_host(Batch::new(
                    1,
                    vec![(Field::new("word", DataType::Utf8, false), Arc::new(words))],
                )?)?;
                loop {
                    let again: Vec<u64> = (0..1000).map(|_| 0).collect();
                    rows = rows.take(&again.into())?;
                    outputs.table("words")?.write(&rows)?;
                }
            }
            "blob" => loop {
                outputs.blob("bytes")?.write(&[0; 4096])?;
            },
            "other-port" => outputs.table("words")?.write(&numbers(3)?),
            "both" => {
                outputs.table("numbers")?.write(&numbers(3)?)?;
                outputs.table("numbers")?.cut();
                outputs.table("numbers")?.cut();
                outputs.table("numbers")?.write(&numbers(2)?)
            }
            mode => Err(Error::bad_params(format!("there is no mode `{mode}`"))),
        }
    }
}

/// The same rows as a batch that lives on the host.
fn on_host(rows: Batch) -> Result<Batch> {
    let every: Vec<u64> = (0..rows.rows()).collect();
    rows.take(&every.into())
}

pinion_sdk::export!(Hoard: WholeTable);

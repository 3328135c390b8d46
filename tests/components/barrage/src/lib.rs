//! A whole-table step that makes the calls its params list, whatever their arguments.
//!
//! Params are stages, each how often its calls are made and the calls. One is `[operation, a, b]`, three numbers. Handles go into lists, and an argument names one of a list modulo its
//! length, so that any program means something. What the host refuses is passed over.

#![cfg(target_family = "wasm")]

mod arrays;

use std::io::Write as _;

use pinion_sdk::bindings::host::pinion::step::arrow::{
    self, Batch, BlobWriter, Error, Inputs, NodeParam, Outputs, Scratch, Table, TableWriter,
};
use pinion_sdk::bindings::host::pinion::step::context;
use pinion_sdk::guest::{ports, step, whole_table};

/// One call.
type Call = (u8, u64, u64);

struct Barrage;

fn port(name: &str, role: &str, kind: &str) -> ports::Port {
    let accepts = match kind {
        "blob" => vec!["application/octet-stream".to_owned()],
        _ => Vec::new(),
    };
    ports::Port {
        name: name.to_owned(),
        role: role.to_owned(),
        kind: kind.to_owned(),
        optional: false,
        accepts,
        doc: String::new(),
        annotations: Vec::new(),
    }
}

impl step::Guest for Barrage {
    fn describe() -> ports::Descriptor {
        ports::Descriptor {
            kind: "whole-table".to_owned(),
            summary: "Calls whatever there is.".to_owned(),
            inputs: vec![port("rows", "side", "table"), port("bytes", "side", "blob")],
            outputs: vec![port("table", "out", "table"), port("blob", "out", "blob")],
            params_schema: r#"{"type":"object"}"#.to_owned(),
            annotations: Vec::new(),
        }
    }

    fn check(
        params: String,
        _inputs: Vec<ports::PortShape>,
    ) -> Result<Vec<ports::PortShape>, Error> {
        let params: serde_json::Value = serde_json::from_str(&params).unwrap_or_default();
        if params["in"] == "check" {
            run(&params, &mut Handles::default());
        }
        let shape = |port: &str, kind: &str, media_type: &str| ports::PortShape {
            port: port.to_owned(),
            kind: kind.to_owned(),
            fields: Vec::new(),
            media_type: media_type.to_owned(),
        };
        Ok(vec![
            shape("table", "table", ""),
            shape("blob", "blob", "application/octet-stream"),
        ])
    }
}

impl whole_table::Guest for Barrage {
    fn run(params: String, given: Inputs, to: Outputs) -> Result<(), Error> {
        let params: serde_json::Value = serde_json::from_str(&params).unwrap_or_default();
        let mut handles = Handles {
            tables: given.tables.into_iter().map(|input| input.table).collect(),
            writers: to.tables.into_iter().map(|output| output.writer).collect(),
            blobs: given.blobs.into_iter().map(|input| input.blob).collect(),
            blob_writers: to.blobs.into_iter().map(|output| output.writer).collect(),
            ..Handles::default()
        };
        run(&params, &mut handles);
        Ok(())
    }
}

#[derive(Default)]
struct Handles {
    batches: Vec<Batch>,
    tables: Vec<Table>,
    scratches: Vec<Scratch>,
    writers: Vec<TableWriter>,
    blobs: Vec<arrow::Blob>,
    blob_writers: Vec<BlobWriter>,
}

/// Makes the calls of each stage, as often as it says.
fn run(params: &serde_json::Value, handles: &mut Handles) {
    let stages: Vec<(u64, Vec<Call>)> =
        serde_json::from_value(params["stages"].clone()).unwrap_or_default();
    for (times, calls) in stages {
        for _ in 0..times {
            for call in &calls {
                if let Ok(Some(batch)) = make(*call, handles) {
                    handles.batches.push(batch);
                }
            }
        }
    }
}

/// One of a list.
fn one<T>(list: &[T], at: u64) -> Result<&T, Error> {
    let len = list.len().max(1) as u64;
    list.get((at % len) as usize).ok_or_else(nothing)
}

fn nothing() -> Error {
    Error {
        code: "nothing".to_owned(),
        message: String::new(),
        details: Vec::new(),
    }
}

/// A name that a batch has, or one that it has not.
fn name(batch: &Batch, at: u64) -> String {
    match batch.schema() {
        fields if at % 5 > 0 && !fields.is_empty() => {
            fields[at as usize % fields.len()].name.clone()
        }
        _ => "n".repeat((at % 3_000_000) as usize),
    }
}

fn make((operation, a, b): Call, handles: &mut Handles) -> Result<Option<Batch>, Error> {
    let batches = &handles.batches;
    match operation % 32 {
        0 | 1 | 2 => return arrays::make(a, b).map(Some),
        3 => return arrays::with(one(batches, a)?, b).map(Some),
        4 => {
            let batch = one(batches, a)?;
            let names: Vec<String> = batch.schema().into_iter().map(|field| field.name).collect();
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            return batch
                .select(&names[b as usize % (names.len() + 1)..])
                .map(Some);
        }
        5 => {
            let batch = one(batches, a)?;
            let to = "r".repeat((b % 1500) as usize);
            return batch.rename(&name(batch, b), &to).map(Some);
        }
        6 => {
            let batch = one(batches, a)?;
            let rows = batch.rows();
            let bits = vec![b as u8; rows.min(1 << 24).div_ceil(8) as usize];
            return batch
                .filter(&[NodeParam {
                    length: rows,
                    null_count: 0,
                    buffers: &[&[], &bits],
                }])
                .map(Some);
        }
        7 | 8 => return arrays::take(|nodes| one(batches, a)?.take(nodes), b).map(Some),
        9 => {
            let batch = one(batches, a)?;
            let start = b % (batch.rows() + 1);
            return batch
                .slice(start, (b >> 8) % (batch.rows() - start + 1))
                .map(Some);
        }
        10 => return one(batches, a)?.zip(one(batches, b)?).map(Some),
        11 => {
            let batch = one(batches, a)?;
            return Batch::concat(&vec![batch; (b % 5000) as usize]).map(Some);
        }
        12 => return Batch::concat(&[one(batches, a)?, one(batches, b)?]).map(Some),
        13 => {
            let batch = one(batches, a)?;
            if let Some(field) = batch.schema().first() {
                drop(batch.column(&field.name));
            }
        }
        14 => drop(one(batches, a)?.find(&name(one(batches, a)?, b))),
        15 => drop(one(batches, a)?.schema()),
        16 => handles.scratches.push(Scratch::new()),
        17 => {
            let scratch = one(&handles.scratches, a)?;
            for _ in 0..=b % 50 {
                scratch.write(one(batches, b)?)?;
            }
        }
        18 => {
            let scratch = handles.scratches.pop().ok_or_else(nothing)?;
            handles.tables.push(Scratch::seal(scratch));
        }
        19 => {
            let table = one(&handles.tables, a)?;
            return match table.batches() {
                0 => Ok(None),
                batches => Ok(Some(table.batch(b % batches))),
            };
        }
        20 => return arrays::take(|nodes| one(&handles.tables, a)?.take(nodes), b).map(Some),
        21 => {
            let table = one(&handles.tables, a)?;
            if table.batches() > 0 {
                drop(table.find("x"));
            }
            table.rows();
        }
        22 => {
            // The only table that it may write has no columns.
            let rows = one(batches, a)?.select(&[])?;
            for _ in 0..=b % 50 {
                one(&handles.writers, 0)?.write(&rows)?;
                if b % 2 == 0 {
                    one(&handles.writers, 0)?.cut();
                }
            }
        }
        23 => {
            let bytes = vec![7; (b % (6 << 20)) as usize];
            one(&handles.blob_writers, 0)?.write(&bytes)?;
        }
        24 => drop(one(&handles.blobs, 0)?.read(a, b)),
        25 => context::log("info", &"l".repeat((b % (6 << 20)) as usize)),
        26 => {
            for at in 0..=b % 500 {
                context::seed(a.wrapping_add(at));
            }
        }
        27 => drop(std::io::stdout().write_all(&vec![b'p'; (b % (6 << 20)) as usize])),
        28 => drop(handles.batches.drain(..handles.batches.len() / 2)),
        29 => drop(handles.tables.pop()),
        30 => handles.batches.clear(),
        _ => drop(arrays::random(b)),
    }
    Ok(None)
}

pinion_sdk::bindings::step::export_step!(Barrage with_types_in pinion_sdk::bindings::step);
pinion_sdk::bindings::whole_table::export_whole_table!(Barrage with_types_in pinion_sdk::bindings::whole_table);

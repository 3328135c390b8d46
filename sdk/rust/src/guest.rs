//! What [`crate::export!`] expands to: from the bindings' plain values to a step's own types and back.

#![doc(hidden)]

use std::io::Write as _;
use std::panic::{self, PanicHookInfo};
use std::sync::Once;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::batch::Batch;
use crate::bindings::host::pinion::step::arrow as host;
pub use crate::bindings::host::pinion::step::ports;
pub use crate::bindings::reduce::exports::pinion::step::reduce;
pub use crate::bindings::row_map::exports::pinion::step::row_map;
pub use crate::bindings::source::exports::pinion::step::source;
pub use crate::bindings::step::exports::pinion::step::step;
pub use crate::bindings::whole_table::exports::pinion::step::whole_table;
use crate::descriptor::{Descriptor, Shape, Shapes};
use crate::error::{Error, Result};
use crate::step::{Range, Reduce, Round, RowMap, Source, WholeTable};
use crate::table::{Blob, Inputs, Outputs, Table, TableWriter};
use crate::wire;

type HostResult<T> = std::result::Result<T, host::Error>;

/// Makes a panic say where and why on standard error, and nothing of threads and backtraces: the step
/// is not run by the one who reads it. Called where the host comes in: in `describe` and in [`params`].
pub fn hook_panics() {
    static HOOKED: Once = Once::new();
    if cfg!(target_family = "wasm") {
        HOOKED.call_once(|| {
            panic::set_hook(Box::new(|panicked| {
                // What standard error does not take cannot be said anywhere else either.
                let _ = writeln!(std::io::stderr(), "{}", last_words(panicked));
            }));
        });
    }
}

fn last_words(panicked: &PanicHookInfo<'_>) -> String {
    let message = panicked.payload_as_str().unwrap_or("no message");
    match panicked.location() {
        Some(place) => format!("panicked at {}:{}: {message}", place.file(), place.line()),
        None => format!("panicked: {message}"),
    }
}

/// The params of a step from canonical JSON.
pub fn params<P: DeserializeOwned>(json: &str) -> Result<P> {
    hook_panics();
    serde_json::from_str(json)
        .map_err(|error| Error::bad_params(format!("the params do not fit: {error}")))
}

fn describe<P: schemars::JsonSchema>(
    descriptor: impl FnOnce() -> Descriptor,
    kind: &str,
) -> ports::Descriptor {
    hook_panics();
    let schema = schemars::schema_for!(P);
    descriptor().into_wire(
        kind,
        serde_json::to_string(schema.as_value()).unwrap_or_default(),
    )
}

fn shapes(shapes: Result<Vec<Shape>>) -> HostResult<Vec<ports::PortShape>> {
    Ok(shapes?
        .into_iter()
        .map(Shape::into_wire)
        .collect::<Result<_>>()?)
}

fn encode<T: Serialize>(value: &T) -> Result<Vec<u8>> {
    postcard::to_stdvec(value)
        .map_err(|error| Error::new("bad-step", format!("a state cannot be written: {error}")))
}

fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T> {
    postcard::from_bytes(bytes)
        .map_err(|error| Error::new("bad-step", format!("a state cannot be read: {error}")))
}

pub fn describe_row_map<S: RowMap>() -> ports::Descriptor {
    describe::<S::Params>(S::describe, "row-map")
}

pub fn check_row_map<S: RowMap>(
    json: &str,
    inputs: Vec<ports::PortShape>,
) -> HostResult<Vec<ports::PortShape>> {
    shapes(params(json).and_then(|params| S::check(params, &Shapes::from_wire(inputs)?)))
}

pub fn open<S: RowMap>(json: &str, side: host::Inputs) -> HostResult<S> {
    Ok(S::open(params(json)?, Inputs::from_host(side))?)
}

pub fn apply<S: RowMap>(
    step: Option<&mut S>,
    rows: &host::Batch,
) -> HostResult<Vec<row_map::OutputBatch>> {
    let step = step.ok_or_else(|| Error::new("bad-host", "`apply` was called before `open`"))?;
    let outputs = step.apply(&Batch::lent(rows))?;
    let outputs = outputs.into_iter().map(|output| {
        Ok(row_map::OutputBatch {
            port: output.port,
            rows: output.rows.into_host()?,
        })
    });
    Ok(outputs.collect::<Result<_>>()?)
}

pub fn describe_reduce<S: Reduce>() -> ports::Descriptor {
    describe::<S::Params>(S::describe, "reduce")
}

pub fn check_reduce<S: Reduce>(
    json: &str,
    inputs: Vec<ports::PortShape>,
) -> HostResult<Vec<ports::PortShape>> {
    shapes(params(json).and_then(|params| S::check(params, &Shapes::from_wire(inputs)?)))
}

pub fn init<S: Reduce>(json: &str, side: host::Inputs) -> HostResult<Vec<u8>> {
    Ok(encode(&S::init(&params(json)?, &Inputs::from_host(side))?)?)
}

pub fn partial<S: Reduce>(
    json: &str,
    round: u32,
    state: &[u8],
    carry: &[u8],
    rows: &host::Table,
) -> HostResult<reduce::Share> {
    let carry = if round == 0 {
        S::Carry::default()
    } else {
        decode(carry)?
    };
    let (partial, carry) = S::partial(
        &params(json)?,
        round,
        &decode(state)?,
        carry,
        &Table::lent(rows),
    )?;
    Ok(reduce::Share {
        partial: encode(&partial)?,
        carry: encode(&carry)?,
    })
}

pub fn merge<S: Reduce>(json: &str, left: &[u8], right: &[u8]) -> HostResult<Vec<u8>> {
    Ok(encode(&S::merge(
        &params(json)?,
        decode(left)?,
        decode(right)?,
    )?)?)
}

pub fn update<S: Reduce>(
    json: &str,
    round: u32,
    state: &[u8],
    merged: Option<Vec<u8>>,
) -> HostResult<reduce::Round> {
    let merged = merged.map(|merged| decode(&merged)).transpose()?;
    Ok(
        match S::update(&params(json)?, round, decode(state)?, merged)? {
            Round::Next(state) => reduce::Round::Next(encode(&state)?),
            Round::Done(state) => reduce::Round::Done(encode(&state)?),
        },
    )
}

pub fn finish<S: Reduce>(json: &str, state: &[u8], to: host::Outputs) -> HostResult<()> {
    Ok(S::finish(
        &params(json)?,
        decode(state)?,
        &mut Outputs::from_host(to),
    )?)
}

pub fn describe_whole_table<S: WholeTable>() -> ports::Descriptor {
    describe::<S::Params>(S::describe, "whole-table")
}

pub fn check_whole_table<S: WholeTable>(
    json: &str,
    inputs: Vec<ports::PortShape>,
) -> HostResult<Vec<ports::PortShape>> {
    shapes(params(json).and_then(|params| S::check(params, &Shapes::from_wire(inputs)?)))
}

pub fn run<S: WholeTable>(json: &str, given: host::Inputs, to: host::Outputs) -> HostResult<()> {
    Ok(S::run(
        &params(json)?,
        &Inputs::from_host(given),
        &mut Outputs::from_host(to),
    )?)
}

pub fn describe_source<S: Source>() -> ports::Descriptor {
    describe::<S::Params>(
        || S::describe().side_blob("source", &[], "The bytes."),
        "source",
    )
}

pub fn check_source<S: Source>(
    json: &str,
    inputs: Vec<ports::PortShape>,
) -> HostResult<Vec<ports::PortShape>> {
    let check = || {
        let probed = Shapes::from_wire(inputs)?.table("probe")?.fields().to_vec();
        let fields = S::check(params(json)?, probed)?;
        let ports = S::describe();
        let (port, _) = ports
            .output_ports()
            .next()
            .ok_or_else(|| Error::new("bad-step", "a source needs an output"))?;
        Ok(vec![Shape::table(port, fields)])
    };
    shapes(check())
}

pub fn probe<S: Source>(json: &str, bytes: &host::Blob) -> HostResult<Vec<host::FieldResult>> {
    let fields = S::probe(&params(json)?, &Blob::lent(bytes))?;
    Ok(wire::to_wire(&fields)?
        .into_iter()
        .map(wire::WireField::into_result)
        .collect())
}

pub fn partition<S: Source>(
    json: &str,
    bytes: &host::Blob,
    rows: u64,
) -> HostResult<Vec<source::Range>> {
    let ranges = S::partition(&params(json)?, &Blob::lent(bytes), rows)?;
    let to_wire = |range: Range| source::Range {
        offset: range.offset,
        len: range.len,
        hint: range.hint,
    };
    Ok(ranges.into_iter().map(to_wire).collect())
}

pub fn read<S: Source>(
    json: &str,
    bytes: &host::Blob,
    range: source::Range,
    columns: &[String],
    rows: &host::TableWriter,
) -> HostResult<()> {
    let range = Range {
        offset: range.offset,
        len: range.len,
        hint: range.hint,
    };
    Ok(S::read(
        &params(json)?,
        &Blob::lent(bytes),
        &range,
        columns,
        &mut TableWriter::lent(rows),
    )?)
}

/// Exports a type that implements [`RowMap`], [`Reduce`], [`WholeTable`] or [`Source`] as the component.
///
/// Inert off Wasm, so that a step's own tests run natively.
///
/// ```ignore
/// pinion_sdk::export!(LabelLate: RowMap);
/// ```
#[macro_export]
macro_rules! export {
    ($step:ty: RowMap) => {
        // Inert off Wasm, where a step that is not tested still counts as used.
        #[cfg(not(target_family = "wasm"))]
        const _: () = {
            let _ = <$step as $crate::RowMap>::open;
        };
        #[cfg(target_family = "wasm")]
        const _: () = {
            use $crate::bindings::host::pinion::step::arrow as host;
            use $crate::guest;
            ::std::thread_local! {
                static STEP: ::std::cell::RefCell<Option<$step>> = const { ::std::cell::RefCell::new(None) };
            }
            struct Guest;
            $crate::__export_step!(Guest, describe_row_map, check_row_map, $step);
            impl guest::row_map::Guest for Guest {
                fn open(params: String, side: host::Inputs) -> Result<(), host::Error> {
                    STEP.set(Some(guest::open::<$step>(&params, side)?));
                    Ok(())
                }
                fn apply(rows: &host::Batch) -> Result<Vec<guest::row_map::OutputBatch>, host::Error> {
                    STEP.with_borrow_mut(|step| guest::apply(step.as_mut(), rows))
                }
            }
            $crate::bindings::row_map::export_row_map!(Guest with_types_in $crate::bindings::row_map);
        };
    };
    ($step:ty: Reduce) => {
        // Inert off Wasm, where a step that is not tested still counts as used.
        #[cfg(not(target_family = "wasm"))]
        const _: () = {
            let _ = <$step as $crate::Reduce>::init;
        };
        #[cfg(target_family = "wasm")]
        const _: () = {
            use $crate::bindings::host::pinion::step::arrow as host;
            use $crate::guest;
            struct Guest;
            $crate::__export_step!(Guest, describe_reduce, check_reduce, $step);
            impl guest::reduce::Guest for Guest {
                fn init(params: String, side: host::Inputs) -> Result<Vec<u8>, host::Error> {
                    guest::init::<$step>(&params, side)
                }
                fn partial(
                    params: String,
                    round: u32,
                    state: Vec<u8>,
                    carry: Vec<u8>,
                    rows: &host::Table,
                ) -> Result<guest::reduce::Share, host::Error> {
                    guest::partial::<$step>(&params, round, &state, &carry, rows)
                }
                fn merge(params: String, left: Vec<u8>, right: Vec<u8>) -> Result<Vec<u8>, host::Error> {
                    guest::merge::<$step>(&params, &left, &right)
                }
                fn update(
                    params: String,
                    round: u32,
                    state: Vec<u8>,
                    merged: Option<Vec<u8>>,
                ) -> Result<guest::reduce::Round, host::Error> {
                    guest::update::<$step>(&params, round, &state, merged)
                }
                fn finish(params: String, state: Vec<u8>, to: host::Outputs) -> Result<(), host::Error> {
                    guest::finish::<$step>(&params, &state, to)
                }
            }
            $crate::bindings::reduce::export_reduce!(Guest with_types_in $crate::bindings::reduce);
        };
    };
    ($step:ty: WholeTable) => {
        // Inert off Wasm, where a step that is not tested still counts as used.
        #[cfg(not(target_family = "wasm"))]
        const _: () = {
            let _ = <$step as $crate::WholeTable>::run;
        };
        #[cfg(target_family = "wasm")]
        const _: () = {
            use $crate::bindings::host::pinion::step::arrow as host;
            use $crate::guest;
            struct Guest;
            $crate::__export_step!(Guest, describe_whole_table, check_whole_table, $step);
            impl guest::whole_table::Guest for Guest {
                fn run(params: String, given: host::Inputs, to: host::Outputs) -> Result<(), host::Error> {
                    guest::run::<$step>(&params, given, to)
                }
            }
            $crate::bindings::whole_table::export_whole_table!(Guest with_types_in $crate::bindings::whole_table);
        };
    };
    ($step:ty: Source) => {
        // Inert off Wasm, where a step that is not tested still counts as used.
        #[cfg(not(target_family = "wasm"))]
        const _: () = {
            let _ = <$step as $crate::Source>::probe;
        };
        #[cfg(target_family = "wasm")]
        const _: () = {
            use $crate::bindings::host::pinion::step::arrow as host;
            use $crate::guest;
            struct Guest;
            $crate::__export_step!(Guest, describe_source, check_source, $step);
            impl guest::source::Guest for Guest {
                fn probe(params: String, bytes: &host::Blob) -> Result<Vec<host::FieldResult>, host::Error> {
                    guest::probe::<$step>(&params, bytes)
                }
                fn partition(
                    params: String,
                    bytes: &host::Blob,
                    rows: u64,
                ) -> Result<Vec<guest::source::Range>, host::Error> {
                    guest::partition::<$step>(&params, bytes, rows)
                }
                fn read(
                    params: String,
                    bytes: &host::Blob,
                    range: guest::source::Range,
                    columns: Vec<String>,
                    rows: &host::TableWriter,
                ) -> Result<(), host::Error> {
                    guest::read::<$step>(&params, bytes, range, &columns, rows)
                }
            }
            $crate::bindings::source::export_source!(Guest with_types_in $crate::bindings::source);
        };
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __export_step {
    ($guest:ident, $describe:ident, $check:ident, $step:ty) => {
        impl guest::step::Guest for $guest {
            fn describe() -> guest::ports::Descriptor {
                guest::$describe::<$step>()
            }
            fn check(
                params: String,
                inputs: Vec<guest::ports::PortShape>,
            ) -> Result<Vec<guest::ports::PortShape>, host::Error> {
                guest::$check::<$step>(&params, inputs)
            }
        }
        $crate::bindings::step::export_step!($guest with_types_in $crate::bindings::step);
    };
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use std::sync::Mutex;

    use super::*;

    #[test]
    fn a_panic_is_one_line_of_place_and_message() {
        static SAID: Mutex<Vec<String>> = Mutex::new(Vec::new());
        let before = panic::take_hook();
        panic::set_hook(Box::new(|panicked| {
            SAID.lock().unwrap().push(last_words(panicked));
        }));
        let line = line!() + 1;
        let outcome = panic::catch_unwind(|| panic!("row {} has no value", 3));
        panic::set_hook(before);
        assert!(outcome.is_err());
        let said = format!("panicked at {}:{line}: row 3 has no value", file!());
        assert!(SAID.lock().unwrap().contains(&said));
    }
}

//! Runs a step natively, in milliseconds: the same traits, with Arrow record batches for the host.

use arrow_array::{Array as _, RecordBatch};
use arrow_schema::FieldRef;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::descriptor::{Shape, Shapes};
use crate::error::{Error, Result};
use crate::guest;
use crate::step::{Reduce, Round, RowMap, Source, WholeTable};
use crate::table::{Blob, Inputs, Outputs, Table, TableWriter};

/// Rounds after which [`reduce`] gives up, as the host does.
const MAX_ROUNDS: u32 = 10_000;

/// The output shapes for `params` (JSON) and the input shapes.
///
/// # Errors
/// What `check` refuses.
pub fn check_row_map<S: RowMap>(params: &str, inputs: Vec<Shape>) -> Result<Vec<Shape>> {
    S::check(guest::params(params)?, &Shapes::new(inputs))
}

/// Applies a row-map to each batch; gives the rows that came out of `port`, batch by batch.
///
/// # Errors
/// What the step refuses.
pub fn row_map<S: RowMap>(
    params: &str,
    side: Inputs,
    batches: &[RecordBatch],
    port: &str,
) -> Result<Vec<RecordBatch>> {
    let mut step = S::open(guest::params(params)?, side)?;
    let mut out = Vec::new();
    for batch in batches {
        for output in step.apply(&batch.clone().into())? {
            if output.port == port {
                out.push(output.rows.into_local()?);
            }
        }
    }
    Ok(out)
}

/// Runs a reduce step over `partitions`, each a list of batches with `fields`, with the host's merge tree.
///
/// Every state, partial and carry goes through its encoding, as it does between host and guest.
///
/// # Errors
/// What the step refuses; `no-end` if it has not ended after 10,000 rounds.
pub fn reduce<S: Reduce>(
    params: &str,
    side: &Inputs,
    fields: &[FieldRef],
    partitions: &[Vec<RecordBatch>],
) -> Result<Outputs> {
    let params: S::Params = guest::params(params)?;
    let mut state = through(S::init(&params, side)?)?;
    let tables: Vec<Table> = partitions
        .iter()
        .map(|batches| Table::local(fields.to_vec(), batches.clone()))
        .collect();
    let mut carries: Vec<S::Carry> = tables.iter().map(|_| S::Carry::default()).collect();
    for round in 0..MAX_ROUNDS {
        let mut partials = Vec::new();
        for (table, carry) in tables.iter().zip(&mut carries) {
            let (partial, next) = S::partial(&params, round, &state, std::mem::take(carry), table)?;
            *carry = through(next)?;
            partials.push(through(partial)?);
        }
        let merged = merge::<S>(&params, partials)?;
        match S::update(&params, round, state, merged)? {
            Round::Next(next) => state = through(next)?,
            Round::Done(last) => {
                let mut outputs = Outputs::local(&S::describe());
                S::finish(&params, through(last)?, &mut outputs)?;
                return Ok(outputs);
            }
        }
    }
    Err(Error::new(
        "no-end",
        format!("the step has not ended after {MAX_ROUNDS} rounds"),
    ))
}

/// Splits at the largest power of two below the number of partials (RFC 6962, section 2.1).
fn merge<S: Reduce>(
    params: &S::Params,
    mut partials: Vec<S::Partial>,
) -> Result<Option<S::Partial>> {
    if partials.len() < 2 {
        return Ok(partials.pop());
    }
    let right = partials.split_off(1 << (usize::BITS - 1 - (partials.len() - 1).leading_zeros()));
    match (merge::<S>(params, partials)?, merge::<S>(params, right)?) {
        (Some(left), Some(right)) => Ok(Some(through(S::merge(params, left, right)?)?)),
        (left, right) => Ok(left.or(right)),
    }
}

fn through<T: Serialize + DeserializeOwned>(value: T) -> Result<T> {
    postcard::to_stdvec(&value)
        .and_then(|bytes| postcard::from_bytes(&bytes))
        .map_err(|error| {
            Error::new(
                "bad-step",
                format!("a state cannot be written and read: {error}"),
            )
        })
}

/// Runs a whole-table step.
///
/// # Errors
/// What the step refuses.
pub fn whole_table<S: WholeTable>(params: &str, inputs: &Inputs) -> Result<Outputs> {
    let mut outputs = Outputs::local(&S::describe());
    S::run(&guest::params(params)?, inputs, &mut outputs)?;
    Ok(outputs)
}

/// Reads every range of `bytes`; gives the probed fields and the batches of each range.
///
/// # Errors
/// What the source refuses.
pub fn source<S: Source>(
    params: &str,
    bytes: &Blob,
    rows: u64,
) -> Result<(Vec<FieldRef>, Vec<Vec<RecordBatch>>)> {
    let fields = S::probe(&guest::params(params)?, bytes)?;
    let fields = S::check(guest::params(params)?, fields)?;
    let columns: Vec<String> = fields.iter().map(|field| field.name().clone()).collect();
    let params = guest::params(params)?;
    let mut ranges = Vec::new();
    for range in S::partition(&params, bytes, rows)? {
        let mut writer = TableWriter::local();
        S::read(&params, bytes, &range, &columns, &mut writer)?;
        ranges.push(writer.into_partitions().into_iter().flatten().collect());
    }
    Ok((fields, ranges))
}

/// A fuzz body: reads `bytes`, which may be anything, and says whether the source accepted them.
///
/// # Panics
/// If the source panics, or if a promise is broken: what is read has the fields that were probed, its
/// values are valid to the last, and what is refused is refused with a code and a message.
pub fn fuzz_source<S: Source>(params: &str, media_type: &str, bytes: &[u8]) -> bool {
    /// Small, so that files of some hundred rows are cut.
    const ROWS: u64 = 64;

    let bytes = Blob::local(media_type, bytes.to_vec());
    let (fields, ranges) = match source::<S>(params, &bytes, ROWS) {
        Ok(read) => read,
        Err(error) => {
            assert!(!error.code.is_empty() && !error.message.is_empty());
            return false;
        }
    };
    for batch in ranges.iter().flatten() {
        let schema = batch.schema();
        let found = schema
            .fields()
            .iter()
            .map(|field| (field.name(), field.data_type()));
        assert!(
            found.eq(fields.iter().map(|field| (field.name(), field.data_type()))),
            "probed {fields:?}, read {schema:?}"
        );
        for (field, column) in fields.iter().zip(batch.columns()) {
            if let Err(error) = column.to_data().validate_full() {
                panic!("column `{}` is not valid: {error}", field.name());
            }
            assert!(
                field.is_nullable() || column.null_count() == 0,
                "column `{}` has nulls",
                field.name()
            );
        }
    }
    true
}

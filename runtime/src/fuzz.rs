//! Fuzz bodies: whatever reads bytes that others wrote, as plain functions over any bytes.
//!
//! A body says whether the bytes were accepted, and panics if a promise is broken: that nothing panics,
//! that what is accepted is valid, and that it is the same when it is written and read again. The tests
//! run the bodies over `runtime/tests/corpus` and seeded mutations of it; libFuzzer drives the same ones,
//! from `fuzz/`.
//!
//! Where bytes are sealed with digests, anybody who can write them can seal them as well. So bodies seal
//! what they are given, and read it both with and without.
//!
//! The module is there for tests and with the feature `fuzz` only. Bodies that need what is private stand
//! beside it, in `store` and in `pack`.

#![expect(
    clippy::unwrap_used,
    reason = "a body that fails is what is looked for"
)]

mod arrays;
#[cfg(test)]
mod tests;

use std::error::Error;

use wasmparser::Validator;

pub use self::arrays::arrays;
pub(crate) use self::arrays::column;
use crate::error::Hint;
use crate::lock::Lockfile;
use crate::nan;
use crate::pipeline::{Pipeline, canonical_json};
use crate::record::{Chain, Line, RunRecord, columns_read, run_digest};

pub use crate::pack::fuzz::pack;
pub use crate::store::fuzz::{chunk_file, manifest, recipe};

/// The text of a pipeline file. Every error says where.
pub fn pipeline(bytes: &[u8]) -> bool {
    let text = String::from_utf8_lossy(bytes);
    match Pipeline::parse(&text, "pinion.toml", &[]) {
        Ok(pipeline) => {
            for step in &pipeline.steps {
                let params = canonical_json(&step.params);
                let again: serde_json::Value = serde_json::from_str(&params).unwrap();
                assert_eq!(canonical_json(&again), params);
                let any = step.check_params("{\"type\": \"object\"}");
                any.unwrap();
                for path in step.param_places.keys() {
                    step.param_place(path);
                }
            }
            true
        }
        Err(error) => {
            assert!(told(&error).contains("in "), "{error}");
            error.hint();
            false
        }
    }
}

/// The text of a lockfile. What parses is written in one layout, which parses to the same.
pub fn lockfile(bytes: &[u8]) -> bool {
    let text = String::from_utf8_lossy(bytes);
    match Lockfile::parse(&text, "pinion.lock") {
        Ok(lock) => {
            let written = lock.to_text();
            let again = Lockfile::parse(&written, "pinion.lock").unwrap();
            assert_eq!(again, lock);
            assert_eq!(again.to_text(), written);
            true
        }
        Err(error) => {
            told(&error);
            error.hint();
            false
        }
    }
}

/// The file of a run record, as it is, and with its checks made anew.
pub fn record(bytes: &[u8]) -> bool {
    let raw = read_record(bytes);
    let sealed = read_record(resealed(bytes).as_bytes());
    // Checks that hold are those that would be written.
    assert!(sealed || !raw);
    sealed
}

fn read_record(bytes: &[u8]) -> bool {
    match RunRecord::parse(bytes, "runs/x.jsonl") {
        Ok(record) => {
            run_digest(&record.start, &record.steps);
            for step in &record.steps {
                columns_read(step);
                assert_eq!(record.step(step.name.as_str()), Some(step));
            }
            record.outcome();
            true
        }
        Err(error) => {
            told(&error);
            false
        }
    }
}

/// The lines that can be read without their checks, with those that belong to them.
fn resealed(bytes: &[u8]) -> String {
    let mut chain = Chain::default();
    let mut text = String::new();
    for line in bytes.split(|byte| *byte == b'\n') {
        let line = String::from_utf8_lossy(line);
        let own = line.rsplit_once(",\"check\":\"");
        let own = own.map_or(line.clone(), |(own, _)| format!("{own}}}").into());
        if let Ok(line) = serde_json::from_str::<Line>(&own) {
            text += &chain.seal(&line).unwrap();
        }
    }
    text
}

/// A component or a core module, to be rewritten so that NaNs are canonical. What comes out is valid.
pub fn canonicalise_nans(bytes: &[u8]) -> bool {
    match nan::canonicalise(bytes) {
        Ok(rewritten) => {
            let mut validator = Validator::new_with_features(nan::features());
            validator.validate_all(&rewritten.bytes).unwrap();
            assert!(rewritten.places > 0 || rewritten.bytes == bytes);
            let origins = nan::origins(bytes).unwrap();
            for offset in (0..=rewritten.bytes.len()).step_by(7) {
                let original = origins.original(offset);
                assert!(original.is_none_or(|original| original <= bytes.len()));
            }
            true
        }
        Err(error) => {
            told(&error);
            assert!(nan::origins(bytes).is_err());
            false
        }
    }
}

/// The text of an error and of all that led to it.
pub(crate) fn told(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text = format!("{text}\n{error}");
        source = error.source();
    }
    text
}

//! Rows that a step lays aside outside its memory.

use arrow_array::RecordBatch;

use crate::batch::Batch;
use crate::bindings::host::pinion::step::arrow as host;
use crate::error::Result;
use crate::table::Table;

/// A temporary table of this unit: sorted runs, spilled partitions. Gone when the unit ends, or when the
/// table that it became is dropped.
///
/// On the host the rows lie outside the step's memory and count against its scratch limit. In native
/// tests they are Arrow record batches.
#[derive(Debug)]
pub struct Scratch(Inner);

#[derive(Debug)]
enum Inner {
    #[cfg_attr(
        not(target_family = "wasm"),
        expect(dead_code, reason = "there is no host off Wasm")
    )]
    Host(host::Scratch),
    #[cfg_attr(
        target_family = "wasm",
        expect(dead_code, reason = "there is always a host on Wasm")
    )]
    Local(Vec<RecordBatch>),
}

impl Scratch {
    /// An empty one.
    #[expect(
        clippy::new_without_default,
        reason = "the contract's constructor: each one is a resource of the host"
    )]
    pub fn new() -> Self {
        #[cfg(target_family = "wasm")]
        return Self(Inner::Host(host::Scratch::new()));
        #[cfg(not(target_family = "wasm"))]
        Self(Inner::Local(Vec::new()))
    }

    /// Appends the rows of a batch, all of which must have the same schema.
    ///
    /// # Errors
    /// What the host refuses.
    pub fn write(&mut self, rows: &Batch) -> Result<()> {
        match &mut self.0 {
            Inner::Host(scratch) => Ok(rows.with_host(|rows| scratch.write(rows))??),
            Inner::Local(batches) => {
                batches.push(rows.duplicate()?.into_local()?);
                Ok(())
            }
        }
    }

    /// Ends writing and gives the rows back, in the order written.
    pub fn seal(self) -> Table {
        match self.0 {
            Inner::Host(scratch) => Table::owned(host::Scratch::seal(scratch)),
            Inner::Local(batches) => {
                let fields = batches
                    .first()
                    .map(|batch| batch.schema().fields().to_vec());
                Table::local(fields.unwrap_or_default(), batches)
            }
        }
    }
}

//! `arrow.table-writer`, `arrow.blob-writer` and `arrow.scratch`.

use std::sync::Arc;

use bytes::Bytes;
use wasmtime::component::Resource;

use super::super::batch::Batch;
use super::super::state::{BlobWriter, Scratch, State, Table, TableWriter, Written, misuse};
use super::super::wire;
use super::{Interface, push};

/// Bytes that stay of every batch that is written, so that even those without rows come to an end.
const WRITTEN_BYTES: u64 = 256;

pub(super) fn define(arrow: &mut Interface<'_>) -> wasmtime::Result<()> {
    arrow.resource::<TableWriter>("table-writer")?;
    arrow.resource::<BlobWriter>("blob-writer")?;
    arrow.func(
        "[method]table-writer.write",
        |state, (this, rows): (Resource<TableWriter>, Resource<Batch>)| {
            let State {
                resources, session, ..
            } = state;
            let mut batch = resources.get(&rows)?.clone();
            // However often the same rows are written, they are kept as often.
            session.occupy(WRITTEN_BYTES + batch.content_bytes())?;
            if let Err(error) = session.compact(&mut batch)? {
                return Ok((Err(wire::Error::new(error.code(), error)),));
            }
            batch.held.clear();
            batch.handle = Some(session.hold(batch.handle_bytes())?);
            let port = resources.get(&this)?.0;
            session.charge_rows(&batch, batch.rows);
            let written = session.write(port, &batch)?;
            Ok((written.map_err(|error| wire::Error::new(error.code(), error)),))
        },
    )?;
    arrow.func(
        "[method]table-writer.cut",
        |State {
             resources, session, ..
         },
         (this,): (Resource<TableWriter>,)| {
            let port = resources.get(&this)?.0;
            if session.rowset(port)?.can_cut() {
                session.end_partition(port)?;
            }
            Ok(())
        },
    )?;
    arrow.func(
        "[method]blob-writer.write",
        |State {
             resources, session, ..
         },
         (this, bytes): (Resource<BlobWriter>, Bytes)| {
            // The bytes are there twice until they are written.
            session.afford(2 * bytes.len() as u64)?;
            session.charge(bytes.len() as u64)?;
            let port = resources.get(&this)?.0;
            match session.written.get_mut(port) {
                Some(Written::Blob(pieces)) => pieces.extend(&bytes),
                _ => return Err(misuse("an output blob that is not there")),
            }
            Ok((Ok::<(), wire::Error>(()),))
        },
    )?;
    scratch(arrow)
}

fn scratch(arrow: &mut Interface<'_>) -> wasmtime::Result<()> {
    arrow.resource::<Scratch>("scratch")?;
    arrow.func("[constructor]scratch", |state, (): ()| {
        state.session.unit()?;
        Ok((push(state, Scratch::default())?,))
    })?;
    arrow.func(
        "[method]scratch.write",
        |State {
             resources, session, ..
         },
         (this, rows): (Resource<Scratch>, Resource<Batch>)| {
            let batch = resources.get(&rows)?.clone();
            session.charge_rows(&batch, batch.rows);
            let kept = session.lay_aside(batch)?;
            let pushed = resources.get_mut(&this)?.0.push(kept);
            Ok((pushed.map_err(|error| wire::Error::new(error.code(), error)),))
        },
    )?;
    arrow.func(
        "[static]scratch.seal",
        |state, (this,): (Resource<Scratch>,)| {
            let Scratch(sealed) = state.resources.delete(this)?;
            Ok((push(state, Table::Scratch(Arc::new(sealed)))?,))
        },
    )
}

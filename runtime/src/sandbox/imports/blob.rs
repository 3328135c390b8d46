//! `arrow.blob`.

use std::sync::Arc;

use bytes::Bytes;
use wasmtime::component::Resource;

use super::super::state::{Blob, Session, State, misuse};
use super::Interface;
use crate::unit::{InputContent, Question};

pub(super) fn define(arrow: &mut Interface<'_>) -> wasmtime::Result<()> {
    arrow.resource::<Blob>("blob")?;
    arrow.func(
        "[method]blob.media-type",
        |State {
             resources, session, ..
         },
         (this,): (Resource<Blob>,)| {
            let (_, media_type) = input(session, resources.get(&this)?)?;
            Ok((media_type,))
        },
    )?;
    arrow.func(
        "[method]blob.len",
        |State {
             resources, session, ..
         },
         (this,): (Resource<Blob>,)| {
            let (bytes, _) = input(session, resources.get(&this)?)?;
            Ok((bytes.len() as u64,))
        },
    )?;
    arrow.func(
        "[method]blob.read",
        |State {
             resources, session, ..
         },
         (this, offset, len): (Resource<Blob>, u64, u64)| {
            let (bytes, _) = input(session, resources.get(&this)?)?;
            let start = offset.min(bytes.len() as u64);
            let end = start.saturating_add(len).min(bytes.len() as u64);
            session.read_bytes += end - start;
            session.copied_bytes += end - start;
            Ok((bytes.slice(start as usize..end as usize),))
        },
    )
}

fn input(session: &mut Session, blob: &Blob) -> wasmtime::Result<(Bytes, String)> {
    let unit = Arc::clone(session.unit()?);
    let Some(input) = unit.inputs.get(blob.0) else {
        return Err(misuse("a blob that is not there"));
    };
    session.observe(Question::Blob {
        port: input.port.to_string(),
    })?;
    let media_type = match &input.content {
        InputContent::Blob(blob) => blob.media_type.clone(),
        InputContent::Table(_) => return Err(misuse("a table is no blob")),
    };
    Ok((session.blob(blob.0)?, media_type))
}

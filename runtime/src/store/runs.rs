//! Run records as files.

use std::io::Write as _;

use super::disk::DiskFile;
use super::{Kind, Store, StoreError};
use crate::record::{Chain, Line, RecordError, RunId, RunRecord};

/// A run record that is being written, line by line.
#[derive(Debug)]
pub struct RunWriter {
    file: DiskFile,
    path: String,
    chain: Chain,
    /// Bytes of the lines so far.
    len: u64,
}

impl RunWriter {
    /// Adds a line. It has reached the operating system when this returns, and the outcome the disk.
    ///
    /// # Errors
    /// - [`StoreError::Json`]: it could not be written as JSON.
    /// - [`StoreError::Io`]: the file system refused.
    pub fn append(&mut self, line: &Line) -> Result<(), StoreError> {
        let before = self.chain.clone();
        let text = self.chain.seal(line).map_err(StoreError::json(Kind::Run))?;
        // One call, so that a kill leaves at most the last line torn.
        let written = self
            .file
            .write_all(text.as_bytes())
            .and_then(|()| match line {
                Line::Outcome(_) => self.file.sync(),
                Line::Run(_) | Line::Step(_) => Ok(()),
            });
        match written {
            Ok(()) => self.len += text.len() as u64,
            Err(_) => {
                // A full disk may have taken half of the line, which must not end up between others.
                self.chain = before;
                let _ = self.file.cut(self.len);
            }
        }
        written.map_err(StoreError::io("write", &self.path))
    }
}

impl Store {
    /// Begins the record of a run.
    ///
    /// # Errors
    /// - [`StoreError::RunExists`]: there is one of this id.
    /// - [`StoreError::Io`]: the file system refused.
    pub fn create_run(&self, id: &RunId) -> Result<RunWriter, StoreError> {
        let path = run_path(id);
        let file = self
            .files
            .append(&path)?
            .ok_or_else(|| StoreError::RunExists { id: id.clone() })?;
        Ok(RunWriter {
            file,
            path,
            chain: Chain::default(),
            len: 0,
        })
    }

    /// The ids of all runs whose record has begun, with a whole line, the oldest first.
    ///
    /// # Errors
    /// [`StoreError::Io`]: the file system refused.
    pub fn runs(&self) -> Result<Vec<RunId>, StoreError> {
        let mut ids = Vec::new();
        for name in self.files.list("runs")? {
            let Some(id) = parse_run_name(&name) else {
                continue;
            };
            // A kill can tear the first line too, and then nothing is known of the run.
            if self.files.has_line(&run_path(&id))? {
                ids.push(id);
            }
        }
        Ok(ids)
    }

    /// The last of the ids that are taken, whatever is known of its run.
    ///
    /// # Errors
    /// [`StoreError::Io`]: the file system refused.
    pub fn last_id(&self) -> Result<Option<RunId>, StoreError> {
        let names = self.files.list("runs")?;
        Ok(names.iter().rev().find_map(|name| parse_run_name(name)))
    }

    /// The record of a run.
    ///
    /// # Errors
    /// - [`StoreError::Missing`]: there is no such run.
    /// - [`StoreError::Record`]: its record cannot be read.
    /// - [`StoreError::Io`]: the file system refused.
    pub fn run(&self, id: &RunId) -> Result<RunRecord, StoreError> {
        let path = run_path(id);
        let missing = || StoreError::Missing {
            kind: Kind::Run,
            name: id.to_string(),
        };
        let bytes = self.files.read(&path)?.ok_or_else(missing)?;
        parse(&bytes, id, &path).map_err(|source| StoreError::Record {
            id: id.clone(),
            source,
        })
    }
}

/// A record that lies where that of the run `id` does.
pub(super) fn parse(bytes: &[u8], id: &RunId, path: &str) -> Result<RunRecord, RecordError> {
    let record = RunRecord::parse(bytes, path)?;
    match record.start.id == *id {
        true => Ok(record),
        // A copy under a later name would be taken for the last run.
        false => Err(RecordError::OtherRun {
            file: path.to_owned(),
            found: record.start.id,
        }),
    }
}

pub(super) fn run_path(id: &RunId) -> String {
    format!("runs/{id}.jsonl")
}

pub(super) fn parse_run_name(name: &str) -> Option<RunId> {
    name.strip_suffix(".jsonl")?.parse().ok()
}

//! Manifests of tables.

use super::check::Object;
use super::seal::Seal;
use super::{Fault, Kind, Store, StoreError};
use crate::digest::Digest;
use crate::table::{Chunk, Manifest, Place, Selection, Table};

impl Store {
    /// Stores the manifest of a table under the table's digest.
    ///
    /// Tables of one digest may lie in different places. The first manifest stays, unless something
    /// that it names is gone.
    ///
    /// # Errors
    /// - [`StoreError::Json`]: it could not be written.
    /// - [`StoreError::Io`]: the file system refused.
    pub fn put_table(&self, table: &Table) -> Result<Digest, StoreError> {
        let digest = table.digest();
        match self.table(&digest) {
            Ok(Some(known)) if known == *table || self.has_values(&known) => return Ok(digest),
            Ok(_) | Err(StoreError::Damaged { .. }) => {}
            Err(error) => return Err(error),
        }
        let mut body =
            serde_json::to_vec(&Manifest::from(table)).map_err(StoreError::json(Kind::Table))?;
        body.push(b'\n');
        self.files
            .write(&table_path(&digest), &table_seal(&digest).close(&body))?;
        Ok(digest)
    }

    /// The table of a digest, if its manifest is there. The values may be gone.
    ///
    /// # Errors
    /// - [`StoreError::Damaged`]: the manifest was not what it should be, and was moved away.
    /// - [`StoreError::Io`]: the file system refused.
    pub fn table(&self, digest: &Digest) -> Result<Option<Table>, StoreError> {
        let object = Object {
            kind: Kind::Table,
            name: digest.to_string(),
            path: table_path(digest),
        };
        let Some(sealed) = self.files.read(&object.path)? else {
            return Ok(None);
        };
        match parse(&sealed, digest) {
            Ok(table) => Ok(Some(table)),
            Err(fault) => Err(self.damaged(&object, fault)?),
        }
    }

    /// Whether every chunk file that a table lies in is there.
    fn has_values(&self, table: &Table) -> bool {
        let mut files = Vec::new();
        for partition in &table.partitions {
            partition
                .columns
                .iter()
                .for_each(|chunk| push_files(chunk, &mut files));
        }
        files.sort_unstable();
        files.dedup();
        files.iter().all(|file| self.has_chunks(file))
    }
}

/// Where the manifest of this table is.
pub(super) fn table_path(digest: &Digest) -> String {
    let hex = digest.hex();
    format!("tables/{hex:.2}/{hex}.json")
}

/// Reads a manifest and checks that it is the one of this table.
pub(super) fn parse(sealed: &[u8], digest: &Digest) -> Result<Table, Fault> {
    let body = table_seal(digest).open(sealed).ok_or(Fault::Seal)?;
    let manifest: Manifest = serde_json::from_slice(body).map_err(Fault::Json)?;
    let table = Table::try_from(manifest).map_err(Fault::Fields)?;
    let found = table.digest();
    match found == *digest {
        true => Ok(table),
        false => Err(Fault::Digest {
            expected: digest.to_string(),
            found: found.to_string(),
        }),
    }
}

fn table_seal(digest: &Digest) -> Seal {
    Seal::new("table", &[*digest])
}

/// The chunk files that a chunk lies in.
fn push_files(chunk: &Chunk, files: &mut Vec<Digest>) {
    match &chunk.place {
        Place::Empty => {}
        Place::Stored { file, .. } => files.push(*file),
        Place::Selected { of, rows } => {
            of.iter().for_each(|chunk| push_files(chunk, files));
            if let Selection::Indices { file, .. } = rows {
                files.push(*file);
            }
        }
    }
}

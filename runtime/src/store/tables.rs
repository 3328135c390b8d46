//! Manifests of tables.

use super::check::Object;
use super::seal::Seal;
use super::{Fault, Kind, Store, StoreError};
use crate::digest::Digest;
use crate::table::{Manifest, Table};

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
        let object = object(digest);
        let Some(sealed) = self.files.read(&object.path)? else {
            return Ok(None);
        };
        match parse(&sealed, digest) {
            Ok(table) => Ok(Some(table)),
            Err(fault) => Err(self.damaged(&object, fault)),
        }
    }

    /// The table of a digest, whose manifest must be there.
    ///
    /// # Errors
    /// As [`Store::table`], and [`StoreError::Missing`].
    pub fn present_table(&self, digest: &Digest) -> Result<Table, StoreError> {
        self.table(digest)?.ok_or_else(|| object(digest).missing())
    }

    /// The table of a digest, if its manifest is there and sound. Nothing is moved away.
    ///
    /// # Errors
    /// [`StoreError::Io`]: the file system refused.
    pub fn sound_table(&self, digest: &Digest) -> Result<Option<Table>, StoreError> {
        let sealed = self.files.read(&table_path(digest))?;
        Ok(sealed.and_then(|sealed| parse(&sealed, digest).ok()))
    }

    /// Whether every chunk file that a table lies in is there.
    fn has_values(&self, table: &Table) -> bool {
        table.files().iter().all(|file| self.has_chunks(file))
    }

    /// Whether the manifest of a table is there. It is not read, so it may be damaged.
    pub fn has_table(&self, digest: &Digest) -> bool {
        let len = self.files.len(&table_path(digest)).ok().flatten();
        len.is_some_and(|len| len > 0)
    }
}

fn object(digest: &Digest) -> Object {
    Object {
        kind: Kind::Table,
        name: digest.to_string(),
        path: table_path(digest),
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

pub(super) fn table_seal(digest: &Digest) -> Seal {
    Seal::new("table", &[*digest])
}

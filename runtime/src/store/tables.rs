//! Manifests of tables.

use super::check::Object;
use super::key::{Key, Standing};
use super::seal::{Opened, Seal};
use super::{Fault, Kind, Store, StoreError};
use crate::arrow::chunk;
use crate::digest::Digest;
use crate::table::{Manifest, Place, Table};

impl Store {
    /// Stores the manifest of a table under the table's digest.
    ///
    /// Tables of one digest may lie in different places. The first manifest stays, unless something
    /// that it names is gone, or somebody else wrote it.
    ///
    /// # Errors
    /// - [`StoreError::Json`]: it could not be written.
    /// - [`StoreError::Io`]: the file system refused.
    pub fn put_table(&self, table: &Table) -> Result<Digest, StoreError> {
        let digest = table.digest();
        let known = self.files.read(&table_path(&digest))?;
        let known = known.and_then(|sealed| parse(&sealed, &self.key, &digest).ok());
        if let Some((known, standing)) = known
            && standing.is_own()
            && (known == *table || self.has_values(&known))
        {
            return Ok(digest);
        }
        let mut body =
            serde_json::to_vec(&Manifest::from(table)).map_err(StoreError::json(Kind::Table))?;
        body.push(b'\n');
        let sealed = table_seal(&digest).close(&self.key, &Standing::Made, &body);
        self.files.write(&table_path(&digest), &sealed)?;
        Ok(digest)
    }

    /// The table of a digest, if its manifest is there. The values may be gone.
    ///
    /// The digest of a table says what its values are, and the manifest where they lie. In a manifest of
    /// somebody else a column can be said to be other rows of a file than those it is, so all that it selects
    /// is looked at first.
    ///
    /// # Errors
    /// - [`StoreError::Damaged`]: the manifest was not what it should be, and was moved away.
    /// - [`StoreError::Io`]: the file system refused.
    pub fn table(&self, digest: &Digest) -> Result<Option<Table>, StoreError> {
        let object = object(digest);
        let Some(sealed) = self.files.read(&object.path)? else {
            return Ok(None);
        };
        match self.examined_table(&sealed, digest)? {
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
        Ok(sealed.and_then(|sealed| Some(parse(&sealed, &self.key, digest).ok()?.0)))
    }

    /// A table whose values are those that its digest says, as far as they are there.
    pub(super) fn examined_table(
        &self,
        sealed: &[u8],
        digest: &Digest,
    ) -> Result<Result<Table, Fault>, StoreError> {
        let (table, standing) = match parse(sealed, &self.key, digest) {
            Ok(parsed) => parsed,
            Err(fault) => return Ok(Err(fault)),
        };
        let bytes = Digest::of(sealed);
        if standing.is_own() || self.checked().manifests.contains(&bytes) {
            return Ok(Ok(table));
        }
        for partition in &table.partitions {
            for (field, column) in table.fields.iter().zip(&partition.columns) {
                // What is stored as it is has its digest compared whenever it is read.
                if matches!(column.place, Place::Stored { .. }) {
                    continue;
                }
                let found = match self.load(field, column) {
                    Ok(array) => chunk::digest(&*array).ok(),
                    Err(error @ StoreError::Io { .. }) => return Err(error),
                    // What cannot be read at all shows no wrong value.
                    Err(_) => continue,
                };
                if found != Some(column.digest) {
                    return Ok(Err(Fault::Place {
                        column: field.name().clone(),
                    }));
                }
            }
        }
        self.checked().manifests.insert(bytes);
        Ok(Ok(table))
    }

    /// Moves the manifest of a table away if somebody else wrote it, so that it is written anew. Who reads it finds
    /// no wrong value, and may find one that leads nowhere again and again.
    ///
    /// # Errors
    /// [`StoreError::Io`]: the file system refused.
    pub fn set_aside_foreign_table(&self, digest: &Digest) -> Result<(), StoreError> {
        let path = table_path(digest);
        let sealed = self.files.read(&path)?;
        let parsed = sealed.and_then(|sealed| parse(&sealed, &self.key, digest).ok());
        match parsed {
            Some((_, standing)) if !standing.is_own() => self.files.quarantine(&path),
            _ => Ok(()),
        }
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
pub(super) fn parse(sealed: &[u8], by: &Key, digest: &Digest) -> Result<(Table, Standing), Fault> {
    let opened = table_seal(digest).open(by, sealed).ok_or(Fault::Seal)?;
    let Opened { body, standing, .. } = opened;
    let manifest: Manifest = serde_json::from_slice(body).map_err(Fault::Json)?;
    let table = Table::try_from(manifest).map_err(Fault::Fields)?;
    let found = table.digest();
    match found == *digest {
        true => Ok((table, standing)),
        false => Err(Fault::Digest {
            expected: digest.to_string(),
            found: found.to_string(),
        }),
    }
}

pub(super) fn table_seal(digest: &Digest) -> Seal {
    Seal::new("table", &[*digest])
}

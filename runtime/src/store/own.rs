//! What is a store's own, and what becomes it: whose word each sealed object is, and taking it over.

use super::key::Standing;
use super::seal::Seal;
use super::{Listed, ObjectId, Store, StoreError, memo, runs, tables, units};
use crate::record::RunRecord;

/// A sealed object as it lies.
struct Told {
    /// As anybody could have written it: without codes.
    plain: Vec<u8>,
    standing: Standing,
    has_code: bool,
}

impl Store {
    /// Whose word an object is. None if it is named by its own bytes, gone or damaged.
    ///
    /// # Errors
    /// [`StoreError::Io`]: the file system refused.
    pub fn standing(&self, object: &Listed) -> Result<Option<Standing>, StoreError> {
        let told = self.told(&object.id, &object.path)?;
        Ok(told.map(|told| told.standing))
    }

    /// Makes an object of somebody else one's own, as `standing` says. One that is as good already stays as it is,
    /// and one that is gone or damaged is left alone. Whether anything was done.
    ///
    /// # Errors
    /// [`StoreError::Io`]: the file system refused.
    pub fn take_over(&self, object: &Listed, standing: &Standing) -> Result<bool, StoreError> {
        match self.told(&object.id, &object.path)? {
            Some(told) => self.seal_as(object, told, standing),
            None => Ok(false),
        }
    }

    /// The same of the record of a run, if the one that lies there is the one that is meant.
    ///
    /// # Errors
    /// [`StoreError::Io`]: the file system refused.
    pub fn take_over_run(
        &self,
        object: &Listed,
        standing: &Standing,
        is_meant: &dyn Fn(&RunRecord) -> bool,
    ) -> Result<bool, StoreError> {
        let Some(told) = self.told(&object.id, &object.path)? else {
            return Ok(false);
        };
        match RunRecord::parse(&told.plain, &object.path) {
            Ok(found) if is_meant(&found) => self.seal_as(object, told, standing),
            Ok(_) | Err(_) => Ok(false),
        }
    }

    fn seal_as(
        &self,
        object: &Listed,
        told: Told,
        standing: &Standing,
    ) -> Result<bool, StoreError> {
        if !standing.is_above(&told.standing) {
            return Ok(false);
        }
        let sealed = match (&object.id, seal(&object.id)) {
            (ObjectId::Run(id), _) => runs::sealed(&told.plain, &self.key, id, standing),
            (_, Some(seal)) => match seal.open(&self.key, &told.plain) {
                Some(opened) => seal.close(&self.key, standing, opened.body),
                None => return Ok(false),
            },
            (_, None) => return Ok(false),
        };
        self.files.write(&object.path, &sealed)?;
        Ok(true)
    }

    /// Copies an object of another store of the same key, unless the one that is here is as good. What is
    /// sealed has to be the other store's own.
    ///
    /// # Errors
    /// [`StoreError::Io`]: the file system refused.
    pub fn bring(&self, from: &Self, object: &Listed) -> Result<(), StoreError> {
        let is_good = match seal(&object.id) {
            Some(_) => {
                let there = from.standing(object)?;
                if !there.is_some_and(|standing| standing.is_made_here()) {
                    return Ok(());
                }
                let here = self.standing(object)?;
                here.is_some_and(|standing| standing.is_made_here())
            }
            None => {
                let is_here = self.files.len(&object.path)?.is_some();
                is_here && self.examine(object.id.kind(), &object.path)?.is_none()
            }
        };
        if !is_good && let Some(bytes) = from.files.map(&object.path)? {
            self.files.write(&object.path, &bytes)?;
            self.forget(&object.path);
        }
        Ok(())
    }

    /// Whether an object says whose it is, as nothing in a pack does.
    pub(crate) fn has_code(&self, object: &Listed) -> Result<bool, StoreError> {
        let told = self.told(&object.id, &object.path)?;
        Ok(told.is_some_and(|told| told.has_code))
    }

    /// An object as anybody could have written it. None if it is named by its own bytes, gone or damaged.
    pub(super) fn plain(&self, id: &ObjectId, path: &str) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.told(id, path)?.map(|told| told.plain))
    }

    fn told(&self, id: &ObjectId, path: &str) -> Result<Option<Told>, StoreError> {
        let seal = seal(id);
        if seal.is_none() && !matches!(id, ObjectId::Run(_)) {
            return Ok(None);
        }
        let Some(bytes) = self.files.read(path)? else {
            return Ok(None);
        };
        Ok(match (id, seal) {
            (ObjectId::Run(id), _) => {
                let plain = runs::plain(&bytes, &self.key, id);
                Some(Told {
                    plain: plain.lines,
                    standing: plain.standing,
                    has_code: plain.has_code,
                })
            }
            (_, seal) => seal.and_then(|seal| {
                let opened = seal.open(&self.key, &bytes)?;
                Some(Told {
                    plain: seal.close(&self.key, &Standing::Foreign, opened.body),
                    standing: opened.standing,
                    has_code: opened.has_code,
                })
            }),
        })
    }
}

/// The seal of an object, if it has one. The lines of a run record have theirs.
fn seal(id: &ObjectId) -> Option<Seal> {
    match id {
        ObjectId::Memo { name, key } => Some(memo::memo_seal(name, key)),
        ObjectId::Recipe { first, key } => Some(units::recipe_seal(first, key)),
        ObjectId::Questions { first, list } => Some(units::questions_seal(first, list)),
        ObjectId::Table(digest) => Some(tables::table_seal(digest)),
        ObjectId::Run(_) | ObjectId::ChunkFile(_) | ObjectId::Blob(_) | ObjectId::Component(_) => {
            None
        }
    }
}

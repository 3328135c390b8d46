//! What runs reach: everything in a store that showing them, running them again or verifying them needs.
//!
//! A run record names the texts, the sources, the components and the artifacts of its run, and what each unit
//! observed. From there it goes on:
//!
//! - a table to its manifest and the chunk files of that;
//! - a unit to its recipe, and from there to the chunk files and blobs it names, to the questions it is found
//!   by, to what its passed columns were bound to and, for a reduce step, to the units it was made of;
//! - a step to the memo of the whole step, and to what its component said of itself, of its files and of
//!   its shapes.
//!
//! What is damaged reaches nothing, and nothing is moved away. What somebody else wrote reaches what it names: it is
//! shown and verified too. Records of before version 3 do not name recipes:
//! their runs are found by whole steps alone.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::arrow::format;
use crate::component::{ADOPTED, adopted_key};
use crate::digest::Digest;
use crate::lock::{Lockfile, Origin};
use crate::plan::{check_key, describe_key, probe_key};
use crate::record::{Artifact, InputRecord, RecipeKey, RunRecord, Size, StepRecord};
use crate::run::{BINDING, RANGES, known, parts, ranges_key};
use crate::source::{self, media_type};
use crate::store::{Listed, ObjectId, Store, StoreError, needs};
use crate::unit::{Shape, ShapeContent};

/// What some runs reach in a store.
#[derive(Debug, Default)]
pub struct Reach {
    objects: BTreeSet<ObjectId>,
}

impl Reach {
    /// All that `runs` reach among the objects of `store`, which are `listed`.
    ///
    /// # Errors
    /// [`StoreError::Io`]: the file system refused.
    pub fn of(store: &Store, listed: &[Listed], runs: &[RunRecord]) -> Result<Self, StoreError> {
        let mut walk = Walk::new(store);
        for run in runs {
            walk.given(run)?;
            walk.made(run)?;
        }
        walk.look_through(listed)?;
        Ok(walk.reach)
    }

    /// What a run made, without what it was given: its artifacts, and all that lets it be found again.
    ///
    /// # Errors
    /// [`StoreError::Io`]: the file system refused.
    pub fn made_by(store: &Store, listed: &[Listed], run: &RunRecord) -> Result<Self, StoreError> {
        let mut walk = Walk::new(store);
        walk.made(run)?;
        walk.look_through(listed)?;
        Ok(walk.reach)
    }

    /// Whether an object is reached.
    pub fn has(&self, object: &ObjectId) -> bool {
        self.objects.contains(object)
    }
}

struct Walk<'a> {
    store: &'a Store,
    reach: Reach,
    /// Files of sources, whose digests may be remembered.
    sources: BTreeSet<Digest>,
    /// What steps did, by which the memos of whole steps are known.
    deeds: BTreeSet<Digest>,
}

impl<'a> Walk<'a> {
    fn new(store: &'a Store) -> Self {
        Self {
            store,
            reach: Reach::default(),
            sources: BTreeSet::new(),
            deeds: BTreeSet::new(),
        }
    }

    /// Adds an object. Whether it is new.
    fn add(&mut self, object: ObjectId) -> bool {
        self.reach.objects.insert(object)
    }

    fn add_memo(&mut self, name: &str, key: Digest) {
        let name = name.to_owned();
        self.add(ObjectId::Memo { name, key });
    }

    /// What a run was given.
    fn given(&mut self, run: &RunRecord) -> Result<(), StoreError> {
        let start = &run.start;
        self.add(ObjectId::Run(start.id.clone()));
        self.add(ObjectId::Blob(start.pipeline_text));
        self.add(ObjectId::Blob(start.lock_text));
        for file in start.sources.values().flatten() {
            self.add(ObjectId::Blob(file.digest));
            self.sources.insert(file.digest);
        }
        // Of all steps, whichever of them ran: to verify it, the whole pipeline is resolved.
        for (key, locked) in lockfile(self.store, run)?
            .iter()
            .flat_map(|lock| &lock.components)
        {
            self.add(ObjectId::Component(locked.digest));
            if locked.origin == Origin::Std {
                self.add_memo(ADOPTED, adopted_key(key, &locked.digest));
            }
        }
        for step in &run.steps {
            self.add(ObjectId::Component(step.digest));
        }
        Ok(())
    }

    /// What a run made, and what was found out for it.
    fn made(&mut self, run: &RunRecord) -> Result<(), StoreError> {
        let lock = lockfile(self.store, run)?;
        for step in &run.steps {
            self.facts(run, lock.as_ref(), step)?;
            for output in &step.outputs {
                match &output.artifact {
                    Artifact::Table(table) => self.table(&table.digest)?,
                    Artifact::Blob(blob) => {
                        self.add(ObjectId::Blob(blob.digest));
                    }
                }
            }
            for recipe in step.units.iter().filter_map(|unit| unit.recipe) {
                self.recipe(recipe)?;
            }
            self.deeds.extend(known::deed(step));
        }
        Ok(())
    }

    fn table(&mut self, digest: &Digest) -> Result<(), StoreError> {
        if self.add(ObjectId::Table(*digest))
            && let Some(table) = self.store.sound_table(digest)?
        {
            let files = table.files().into_iter().map(ObjectId::ChunkFile);
            self.reach.objects.extend(files);
        }
        Ok(())
    }

    fn recipe(&mut self, recipe: RecipeKey) -> Result<(), StoreError> {
        let RecipeKey { first, key } = recipe;
        if self.add(ObjectId::Recipe { first, key })
            && let Some((recipe, _)) = self.store.told_recipe(&first, &key)?
        {
            self.reach.objects.extend(needs(&first, &recipe));
            self.add_memo(BINDING, key);
            self.add_memo(parts::MEMO, key);
            for part in parts::of(&key, self.store) {
                self.recipe(part)?;
            }
        }
        Ok(())
    }

    /// What the component of a step said of itself, of its files and of its shapes.
    fn facts(
        &mut self,
        run: &RunRecord,
        lock: Option<&Lockfile>,
        step: &StepRecord,
    ) -> Result<(), StoreError> {
        let (component, params) = (&step.digest, step.params.as_str());
        // What another version has found out is found under its own semantics.
        let semantics = run.start.semantics.as_str();
        self.add_memo("describe", describe_key(semantics, component));
        let probed = lock.and_then(|lock| lock.probes.get(&step.name));
        let given = match probed {
            Some(wire) => {
                let rows = run.start.layout.partition_rows();
                for file in step.inputs.iter().flat_map(|input| files(run, input)) {
                    self.add_memo(
                        "probe",
                        probe_key(semantics, component, params, &file.digest),
                    );
                    let key = ranges_key(semantics, component, params, rows, Some(&file.digest));
                    self.add_memo(RANGES, key);
                }
                let fields = format::from_wire(wire).unwrap_or_default();
                let fields = fields.into_iter().map(Arc::new).collect();
                vec![Shape::new("probe".into(), ShapeContent::Table(fields))]
            }
            None => {
                let mut given = Vec::with_capacity(step.inputs.len());
                for input in &step.inputs {
                    given.push(Shape::new(
                        input.port.as_str().into(),
                        self.content(run, input)?,
                    ));
                }
                given
            }
        };
        self.add_memo("check", check_key(semantics, component, params, &given));
        Ok(())
    }

    /// What was bound to an input port, as it was known before any data.
    fn content(&self, run: &RunRecord, input: &InputRecord) -> Result<ShapeContent, StoreError> {
        if let Size::Rows(_) = input.size {
            let table = self.store.sound_table(&input.digest)?;
            let table = table.map(|table| table.without(&input.withheld));
            let fields = table.map(|table| table.fields).unwrap_or_default();
            return Ok(ShapeContent::Table(fields));
        }
        let outputs = run.steps.iter().flat_map(|step| &step.outputs);
        let mut blobs = outputs.filter_map(|output| match &output.artifact {
            Artifact::Blob(blob) if blob.digest == input.digest => Some(blob.media_type.as_str()),
            _ => None,
        });
        let media_type = match files(run, input) {
            [file, ..] => media_type(&file.path),
            [] => blobs.next().unwrap_or_default(),
        };
        Ok(ShapeContent::Blob(media_type.to_owned()))
    }

    /// Finds what is not named by anything that a record knows, but names what one knows.
    fn look_through(&mut self, listed: &[Listed]) -> Result<(), StoreError> {
        for Listed { id, .. } in listed {
            match id {
                ObjectId::Memo { name, key } if name == known::MEMO => {
                    let memo = self.store.told_memo(name, key)?;
                    if let Some((deed, files)) = memo.and_then(|memo| known::about(&memo))
                        && self.deeds.contains(&deed)
                    {
                        self.add(id.clone());
                        let files = files.into_iter().map(ObjectId::ChunkFile);
                        self.reach.objects.extend(files);
                    }
                }
                ObjectId::Memo { name, key } if name == source::MEMO => {
                    let memo = self.store.told_memo(name, key)?;
                    let digest =
                        memo.and_then(|memo| Some(Digest::from_bytes(memo.try_into().ok()?)));
                    if digest.is_some_and(|digest| self.sources.contains(&digest)) {
                        self.add(id.clone());
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }
}

/// The files that were bound to an input port; none if it was something else.
fn files<'a>(run: &'a RunRecord, input: &InputRecord) -> &'a [crate::record::SourceFile] {
    let name = input.from.strip_prefix("sources.");
    let mut sources = run.start.sources.iter();
    let found = name.and_then(|name| sources.find(|(source, _)| source.as_str() == name));
    found.map(|(_, files)| files.as_slice()).unwrap_or_default()
}

/// The lockfile of a run, if its text is there and sound.
fn lockfile(store: &Store, run: &RunRecord) -> Result<Option<Lockfile>, StoreError> {
    let path = ObjectId::Blob(run.start.lock_text).path();
    let text = store.raw(&path.unwrap_or_default())?;
    let text = text.and_then(|text| String::from_utf8(text.to_vec()).ok());
    Ok(text.and_then(|text| Lockfile::parse(&text, "pinion.lock").ok()))
}

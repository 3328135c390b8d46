//! What is known of units: which questions they asked, and the recipes they left behind.
//!
//! A recipe is found in two steps. The first key is known before anything runs, and gives all lists of
//! questions that units of it have asked. Answered as of today, each list gives a key to look under.

use std::collections::BTreeSet;

use serde::Deserialize;

use super::blobs::blob_path;
use super::key::{Key, Standing};
use super::seal::{Opened, Seal};
use super::{Fault, Kind, ObjectId, Store, StoreError};
use crate::digest::Digest;
use crate::table::Selection;
use crate::unit::{Blob, OutputRecipe, Question, Recipe};

impl Store {
    /// The lists of questions that units of a first key have asked, each once, the newest first.
    ///
    /// Lists are numbered as they come, one more than the highest number there. Two processes may
    /// give one number twice: then the digests of the lists decide. Neither time nor the order of
    /// the directory does. Damaged lists, and those of somebody else, are passed over.
    ///
    /// # Errors
    /// [`StoreError::Io`]: the file system refused.
    pub fn questions(&self, first: &Digest) -> Result<Vec<Vec<Question>>, StoreError> {
        let directory = questions_directory(first);
        let mut lists = Vec::new();
        let mut seen = BTreeSet::new();
        for name in self.files.list(&directory)?.iter().rev() {
            let Some((_, digest)) = parse_questions_name(name) else {
                continue;
            };
            if seen.contains(&digest) {
                continue;
            }
            let sealed = self.files.read(&format!("{directory}/{name}"))?;
            let parsed =
                sealed.and_then(|sealed| parse_questions(&sealed, &self.key, first, &digest).ok());
            if let Some((list, standing)) = parsed
                && standing.is_own()
            {
                seen.insert(digest);
                lists.push(list);
            }
        }
        Ok(lists)
    }

    /// The recipe under a key, if it is known. A damaged one is not known, nor is one of somebody else.
    ///
    /// # Errors
    /// [`StoreError::Io`]: the file system refused.
    pub fn recipe(&self, first: &Digest, key: &Digest) -> Result<Option<Recipe>, StoreError> {
        let told = self.told_recipe(first, key)?;
        Ok(told.and_then(|(recipe, standing)| standing.is_own().then_some(recipe)))
    }

    /// The recipe under a key, whoever wrote it, and whose word it is. No unit is to be taken from one that is
    /// [foreign](Standing::Foreign).
    ///
    /// # Errors
    /// [`StoreError::Io`]: the file system refused.
    pub fn told_recipe(
        &self,
        first: &Digest,
        key: &Digest,
    ) -> Result<Option<(Recipe, Standing)>, StoreError> {
        let sealed = self.files.read(&recipe_path(first, key))?;
        Ok(sealed.and_then(|sealed| parse_recipe(&sealed, &self.key, first, key).ok()))
    }

    /// Keeps a recipe under its key, and the questions of its observations under the first key.
    ///
    /// A recipe is written after everything that it names, so that one that is there can be believed.
    ///
    /// # Errors
    /// - [`StoreError::Json`]: it could not be written.
    /// - [`StoreError::Io`]: the file system refused.
    pub fn put_recipe(
        &self,
        first: &Digest,
        key: &Digest,
        recipe: &Recipe,
    ) -> Result<(), StoreError> {
        // The questions come first: questions without a recipe find nothing, but a recipe without its
        // questions would never be found.
        let questions: Vec<&Question> = recipe
            .observations
            .iter()
            .map(|observation| &observation.question)
            .collect();
        self.put_questions(first, &questions)?;
        let mut body = serde_json::to_vec(recipe).map_err(StoreError::json(Kind::Recipe))?;
        body.push(b'\n');
        let sealed = recipe_seal(first, key).close(&self.key, &Standing::Made, &body);
        self.files.write_new(&recipe_path(first, key), &sealed)
    }

    /// Whether everything that a recipe names is there: a hit on what is gone is a miss.
    pub fn has_objects(&self, recipe: &Recipe) -> bool {
        // Without an `fsync`, a power cut can leave files torn. That is found when they are read.
        let len = |path: String| self.files.len(&path).ok().flatten();
        let mut blobs = blobs(recipe);
        chunk_files(recipe).iter().all(|file| self.has_chunks(file))
            && blobs.all(|blob| len(blob_path(&blob.digest)) == Some(blob.len))
    }

    fn put_questions(&self, first: &Digest, questions: &[&Question]) -> Result<(), StoreError> {
        let body = questions_body(questions).map_err(StoreError::json(Kind::Questions))?;
        let digest = Digest::of(&body);
        let seal = questions_seal(first, &digest);
        let directory = questions_directory(first);
        let names = self.files.list(&directory)?;
        let known: Vec<_> = names
            .iter()
            .filter_map(|name| Some((name, parse_questions_name(name)?)))
            .collect();
        for (name, _) in known.iter().filter(|(_, (_, known))| *known == digest) {
            let there = self.files.read(&format!("{directory}/{name}"))?;
            if there.is_some_and(|sealed| seal.open_own(&self.key, &sealed).is_some()) {
                return Ok(());
            }
        }
        let number = known
            .last()
            .map_or(0, |(_, (number, _))| number.saturating_add(1));
        self.files.write(
            &format!("{directory}/{number:010}-{}.json", digest.hex()),
            &seal.close(&self.key, &Standing::Made, &body),
        )
    }
}

/// What names the objects that a recipe and its unit need: the chunk files and blobs it names, and the list
/// of questions by which it is found.
pub(crate) fn needs(first: &Digest, recipe: &Recipe) -> Vec<ObjectId> {
    let mut needs: Vec<ObjectId> = chunk_files(recipe)
        .into_iter()
        .map(ObjectId::ChunkFile)
        .collect();
    needs.extend(blobs(recipe).map(|blob| ObjectId::Blob(blob.digest)));
    let questions: Vec<&Question> = recipe
        .observations
        .iter()
        .map(|observation| &observation.question)
        .collect();
    let list = questions_body(&questions).map(|body| Digest::of(&body));
    needs.extend(list.ok().map(|list| ObjectId::Questions {
        first: *first,
        list,
    }));
    needs
}

/// The chunk files that a recipe names: of columns that were made, and of row numbers.
fn chunk_files(recipe: &Recipe) -> BTreeSet<Digest> {
    let mut files = BTreeSet::new();
    for output in &recipe.outputs {
        let OutputRecipe::Table(partitions) = output else {
            continue;
        };
        for partition in partitions {
            files.extend(partition.made.iter().flatten().filter_map(|made| made.file));
            files.extend(
                partition
                    .selections
                    .iter()
                    .filter_map(|selection| match selection {
                        Selection::Indices { file, .. } => Some(*file),
                        Selection::All | Selection::Range { .. } => None,
                    }),
            );
        }
    }
    files
}

/// The blobs that a recipe names.
fn blobs(recipe: &Recipe) -> impl Iterator<Item = &Blob> {
    let outputs = recipe.outputs.iter().filter_map(|output| match output {
        OutputRecipe::Blob(blob) => Some(blob),
        OutputRecipe::Table(_) => None,
    });
    recipe.bytes.iter().chain(outputs)
}

fn questions_body(questions: &[&Question]) -> Result<Vec<u8>, serde_json::Error> {
    let mut body = serde_json::to_vec(questions)?;
    body.push(b'\n');
    Ok(body)
}

/// Where everything about units of this first key is.
fn unit_directory(first: &Digest) -> String {
    let hex = first.hex();
    format!("units/{hex:.2}/{hex}")
}

pub(super) fn questions_directory(first: &Digest) -> String {
    format!("{}/questions", unit_directory(first))
}

pub(super) fn recipe_path(first: &Digest, key: &Digest) -> String {
    format!("{}/{}.json", unit_directory(first), key.hex())
}

pub(super) fn recipe_seal(first: &Digest, key: &Digest) -> Seal {
    Seal::new("recipe", &[*first, *key])
}

pub(super) fn questions_seal(first: &Digest, digest: &Digest) -> Seal {
    Seal::new("questions", &[*first, *digest])
}

/// The number and the digest in the name of a question list. Names sort as numbers do.
pub(super) fn parse_questions_name(name: &str) -> Option<(u32, Digest)> {
    let (number, hex) = name.strip_suffix(".json")?.split_once('-')?;
    let digits = number.len() == 10 && number.bytes().all(|byte| byte.is_ascii_digit());
    Some((
        digits.then(|| number.parse().ok())??,
        Digest::from_hex(hex).ok()?,
    ))
}

pub(super) fn parse_recipe(
    sealed: &[u8],
    by: &Key,
    first: &Digest,
    key: &Digest,
) -> Result<(Recipe, Standing), Fault> {
    parse(recipe_seal(first, key).open(by, sealed))
}

pub(super) fn parse_questions(
    sealed: &[u8],
    by: &Key,
    first: &Digest,
    digest: &Digest,
) -> Result<(Vec<Question>, Standing), Fault> {
    parse(questions_seal(first, digest).open(by, sealed))
}

fn parse<T: for<'de> Deserialize<'de>>(opened: Option<Opened<'_>>) -> Result<(T, Standing), Fault> {
    let Opened { body, standing, .. } = opened.ok_or(Fault::Seal)?;
    let parsed = serde_json::from_slice(body).map_err(Fault::Json)?;
    Ok((parsed, standing))
}

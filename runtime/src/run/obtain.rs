//! One unit: known, or run and kept; and in either case bound to the inputs of today.

use std::sync::Arc;

use bytes::Bytes;

use super::Amount;
use super::bind::{Unfit, bind};
use crate::expression::Source;
use crate::plan::{PlannedStep, Tools};
use crate::record::{BytesMoved, RecipeKey};
use crate::sandbox::{Done, LimitReached, Line, Made, MadePartition, Returned, StepError};
use crate::store::{Store, StoreError};
use crate::table::Partition;
use crate::unit::{
    Blob, Call, Input, InputContent, Limits, MadeChunk, Observation, OutputRecipe, PartitionRecipe,
    Question, Recipe, ShapeContent, Unit, Usage,
};

/// What came of a unit.
#[derive(Debug)]
pub(super) struct Obtained {
    /// Whether it was known.
    pub(super) cached: bool,
    /// Partitions or a blob for each output port.
    pub(super) outputs: Vec<Output>,
    /// Bytes that a reduce call returned: a state, or a partial and a carry.
    pub(super) returned: Vec<Bytes>,
    /// Whether an update wants another round.
    pub(super) next: bool,
    /// What it asked.
    pub(super) observations: Vec<Observation>,
    /// Names of the columns it made, for each output port.
    pub(super) made: Vec<Vec<String>>,
    /// Where its recipe is; none if nothing of it is kept.
    pub(super) recipe: Option<RecipeKey>,
    /// Who took its recipe over unseen, if somebody did.
    pub(super) adopted: Option<String>,
    /// What it used.
    pub(super) usage: Usage,
    /// What moved.
    pub(super) bytes: BytesMoved,
    /// What it said; nothing when it was known.
    pub(super) log: Vec<Line>,
}

impl Obtained {
    /// How much `unit` went through for this.
    pub(super) fn amount(&self, unit: &Unit) -> Amount {
        let given = |input: &&Input| match unit.call {
            Call::RowMap | Call::Partial { .. } => input.main,
            Call::Run => true,
            _ => false,
        };
        let given = unit.inputs.iter().filter(given);
        let given = given.map(|input| match &input.content {
            InputContent::Table(table) => table.rows(),
            InputContent::Blob(_) => 0,
        });
        let made = self
            .outputs
            .iter()
            .map(|output| match (output, &unit.call) {
                (Output::Table(partitions), Call::Read(_)) => {
                    partitions.iter().map(|partition| partition.rows).sum()
                }
                _ => 0,
            });
        Amount {
            rows: given.chain(made).sum(),
            bytes: self.bytes.read,
        }
    }
}

/// What came out of one port of one unit.
#[derive(Clone, Debug)]
pub(super) enum Output {
    Table(Vec<Arc<Partition>>),
    Blob(Blob),
}

/// How a unit may be obtained.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// What is known is not run again.
    Cached,
    /// Everything is run, and kept.
    Fresh,
    /// Nothing is run.
    Lookup,
}

/// What the last known unit had asked: units of one step mostly ask the same, and then the lists of the next
/// one need not be read. No more than a guess, which can find nothing else than the lists would, since a
/// guest that is told the same asks the same.
pub(super) type Guess = Vec<Question>;

/// What is known of a unit.
struct Known {
    recipe: Recipe,
    at: RecipeKey,
    adopted: Option<String>,
}

/// A unit that is known, if it is. Never fails: what cannot be read is not known, nor is what somebody else says.
fn look_up(unit: &Unit, tools: Tools<'_>, guess: &mut Guess) -> Option<Known> {
    let first = unit.first_key();
    let find = |list: &[Question]| {
        let observations = unit.observe(list);
        let key = Unit::key(&first, &observations);
        let (recipe, standing) = tools.store.told_recipe(&first, &key).ok()??;
        let holds = standing.is_own()
            && recipe.observations == observations
            && tools.store.has_objects(&recipe);
        holds.then_some(Known {
            recipe,
            at: RecipeKey { first, key },
            adopted: standing.adopted_by().map(str::to_owned),
        })
    };
    if !guess.is_empty()
        && let Some(found) = find(guess)
    {
        return Some(found);
    }
    let lists = tools.store.questions(&first).ok()?;
    let (list, found) = lists
        .into_iter()
        .find_map(|list| find(&list).map(|found| (list, found)))?;
    *guess = list;
    Some(found)
}

/// A known unit, bound to today's inputs. None if it is not known after all.
pub(super) fn known(
    unit: &Unit,
    tools: Tools<'_>,
    guess: &mut Guess,
) -> Option<Result<Obtained, StepError>> {
    let Known {
        recipe,
        at,
        adopted,
    } = look_up(unit, tools, guess)?;
    if let Err(error) = within_limits(unit.limits, recipe.usage) {
        return Some(Err(error));
    }
    let mut bytes = BytesMoved::default();
    // A recipe that does not fit what is there, or whose objects are damaged, is as good as none.
    let outputs = bind(unit, &recipe, &at.key, tools, &mut bytes).ok()?;
    let returned = recipe
        .bytes
        .iter()
        .map(|blob| tools.store.blob(&blob.digest))
        .collect::<Result<Vec<_>, _>>()
        .ok()?;
    let made = made_names(unit, &recipe);
    Some(Ok(Obtained {
        cached: true,
        outputs,
        returned,
        next: false,
        observations: recipe.observations,
        made,
        recipe: Some(at),
        adopted,
        usage: recipe.usage,
        bytes,
        log: Vec::new(),
    }))
}

/// A unit that used more than its limits allow today fails as it would have when it ran.
pub(super) fn within_limits(limits: Limits, usage: Usage) -> Result<(), StepError> {
    let reached = |what, limit, wanted| {
        Err(StepError::LimitReached(LimitReached {
            what,
            limit,
            wanted,
        }))
    };
    // A guest is stopped when it has used all of its fuel.
    if usage.peak_fuel >= limits.fuel {
        let wanted = (usage.peak_fuel > limits.fuel).then_some(usage.peak_fuel);
        return reached("fuel", limits.fuel, wanted);
    }
    for (what, used, limit) in [
        ("memory", usage.memory_bytes, limits.memory_bytes),
        ("output", usage.output_bytes, limits.output_bytes),
        ("scratch", usage.scratch_bytes, limits.scratch_bytes),
    ] {
        if used > limit {
            return reached(what, limit, Some(used));
        }
    }
    Ok(())
}

/// Obtains a unit. None in [`Mode::Lookup`] if it is not known.
pub(super) fn obtain(
    step: &PlannedStep,
    unit: &Arc<Unit>,
    mode: Mode,
    tools: Tools<'_>,
    guess: &mut Guess,
) -> Result<Option<Obtained>, StepError> {
    if mode != Mode::Fresh
        && let Some(known) = known(unit, tools, guess)
    {
        return known.map(Some);
    }
    if mode == Mode::Lookup {
        return Ok(None);
    }
    let program = step.program(tools.sandbox)?;
    let done = tools
        .sandbox
        .execute(&program, unit, Arc::clone(tools.data), tools.cancel)?;
    keep(unit, done, tools).map(Some)
}

/// Obtains a unit that is part of a later round: it runs, and only its bytes live on.
pub(super) fn run_only(
    step: &PlannedStep,
    unit: &Arc<Unit>,
    tools: Tools<'_>,
) -> Result<Obtained, StepError> {
    let program = step.program(tools.sandbox)?;
    let done = tools
        .sandbox
        .execute(&program, unit, Arc::clone(tools.data), tools.cancel)?;
    let (returned, next) = returned_bytes(&done.returned);
    Ok(Obtained {
        cached: false,
        outputs: Vec::new(),
        returned,
        next,
        observations: done.observations,
        made: Vec::new(),
        recipe: None,
        adopted: None,
        usage: done.usage,
        bytes: BytesMoved {
            read: done.read_bytes,
            copied: done.copied_bytes,
            ..BytesMoved::default()
        },
        log: done.log,
    })
}

fn returned_bytes(returned: &Returned) -> (Vec<Bytes>, bool) {
    match returned {
        Returned::Nothing => (Vec::new(), false),
        Returned::Bytes(bytes) | Returned::Done(bytes) => (vec![bytes.clone()], false),
        Returned::Share { partial, carry } => (vec![partial.clone(), carry.clone()], false),
        Returned::Next(bytes) => (vec![bytes.clone()], true),
    }
}

/// Stores what a unit made, its recipe last, so that a recipe never promises what is not there.
pub(super) fn keep(unit: &Unit, done: Done, tools: Tools<'_>) -> Result<Obtained, StepError> {
    let mut bytes = BytesMoved {
        read: done.read_bytes,
        copied: done.copied_bytes,
        ..BytesMoved::default()
    };
    let outputs = recipes(unit, &done.outputs, tools.store, &mut bytes).map_err(store_failed)?;
    let (returned, next) = returned_bytes(&done.returned);
    let blobs = returned
        .iter()
        .map(|returned| {
            put_blob(
                tools.store,
                returned,
                "application/octet-stream",
                &mut bytes,
            )
        })
        .collect::<Result<Vec<_>, _>>()
        .map_err(store_failed)?;
    let recipe = Recipe {
        outputs,
        bytes: blobs,
        observations: done.observations,
        usage: done.usage,
    };
    let first = unit.first_key();
    let key = Unit::key(&first, &recipe.observations);
    let outputs =
        bind(unit, &recipe, &key, tools, &mut bytes).map_err(|problem| match problem {
            // Such as a full disk, or something that was lost meanwhile.
            Unfit::Store(error) => store_failed(error),
            problem => StepError::Host(format!("what was just made cannot be bound: {problem}")),
        })?;
    tools
        .store
        .put_recipe(&first, &key, &recipe)
        .map_err(store_failed)?;
    let made = made_names(unit, &recipe);
    Ok(Obtained {
        cached: false,
        outputs,
        returned,
        next,
        observations: recipe.observations,
        made,
        recipe: Some(RecipeKey { first, key }),
        adopted: None,
        usage: recipe.usage,
        bytes,
        log: done.log,
    })
}

pub(super) fn store_failed(error: StoreError) -> StepError {
    StepError::Data(Box::new(error))
}

fn put_blob(
    store: &Store,
    raw: &[u8],
    media_type: &str,
    bytes: &mut BytesMoved,
) -> Result<Blob, StoreError> {
    let (digest, len) = store.put_blob(raw)?;
    bytes.hashed += len;
    bytes.stored += len;
    Ok(Blob {
        digest,
        len,
        media_type: media_type.to_owned(),
    })
}

fn recipes(
    unit: &Unit,
    made: &[Made],
    store: &Store,
    bytes: &mut BytesMoved,
) -> Result<Vec<OutputRecipe>, StoreError> {
    unit.outputs
        .iter()
        .zip(made)
        .map(|(shape, made)| match made {
            Made::Table(partitions) => {
                let partitions = partitions
                    .iter()
                    .map(|partition| partition_recipe(unit, partition, store, bytes));
                Ok(OutputRecipe::Table(partitions.collect::<Result<_, _>>()?))
            }
            Made::Blob(raw) => {
                let media_type = match &shape.content {
                    ShapeContent::Blob(media_type) => media_type.as_str(),
                    ShapeContent::Table(_) => "application/octet-stream",
                };
                Ok(OutputRecipe::Blob(put_blob(store, raw, media_type, bytes)?))
            }
        })
        .collect()
}

fn partition_recipe(
    unit: &Unit,
    partition: &MadePartition,
    store: &Store,
    bytes: &mut BytesMoved,
) -> Result<PartitionRecipe, StoreError> {
    let ports = partition
        .expression
        .as_ref()
        .map(|expression| expression.ports())
        .unwrap_or_default();
    let mut selections = Vec::with_capacity(partition.inputs.len());
    for (port, rows) in ports.iter().zip(&partition.inputs) {
        let of = unit.table(port).map_or(0, |table| table.rows());
        selections.push(store.put_selection(rows, of)?);
    }
    let kept: Vec<_> = partition.made.iter().flatten().collect();
    let fields: Vec<_> = kept
        .iter()
        .map(|(field, _)| field.as_ref().clone())
        .collect();
    let arrays: Vec<_> = kept.iter().map(|(_, array)| Arc::clone(array)).collect();
    let mut chunks = Vec::new();
    if !arrays.is_empty() {
        let stored = store.put_chunks(&fields, &arrays)?;
        bytes.hashed += stored.bytes_hashed;
        bytes.stored += stored.bytes_stored;
        for (column, digest) in (0u32..).zip(stored.chunks) {
            chunks.push(MadeChunk {
                digest,
                file: Some(stored.file),
                column,
            });
        }
    }
    let mut chunks = chunks.into_iter();
    let made = partition
        .made
        .iter()
        .map(|made| made.as_ref().and_then(|_| chunks.next()))
        .collect();
    Ok(PartitionRecipe {
        rows: partition.rows,
        expression: partition.expression.clone(),
        selections,
        made,
    })
}

fn made_names(unit: &Unit, recipe: &Recipe) -> Vec<Vec<String>> {
    unit.outputs
        .iter()
        .zip(&recipe.outputs)
        .map(|(_, output)| {
            let OutputRecipe::Table(partitions) = output else {
                return Vec::new();
            };
            let mut names: Vec<String> = Vec::new();
            for partition in partitions {
                let columns = partition
                    .expression
                    .as_ref()
                    .map(|expression| expression.columns(&|port| unit.fields(port)));
                for column in columns.and_then(Result::ok).unwrap_or_default() {
                    if matches!(column.source, Source::Made(_))
                        && !names.contains(column.field.name())
                    {
                        names.push(column.field.name().clone());
                    }
                }
            }
            names
        })
        .collect()
}

/// The questions of several units as one list, each once, in the order first asked; partitions are
/// meant by their whole table, whose cuts they saw.
pub(super) fn all_questions<'a>(
    main: Option<&str>,
    units: impl Iterator<Item = &'a [Observation]>,
) -> Vec<Question> {
    let mut questions: Vec<Question> = Vec::new();
    if let Some(port) = main {
        questions.push(Question::Layout {
            port: port.to_owned(),
        });
        questions.push(Question::BatchRows);
    }
    let mut seen: std::collections::BTreeSet<Question> = questions.iter().cloned().collect();
    for observation in units.flatten() {
        if seen.insert(observation.question.clone()) {
            questions.push(observation.question.clone());
        }
    }
    questions
}

//! Taking over what somebody else wrote into a store.
//!
//! A run that came with another key, or with none, is its writer's word: it is shown, and no run builds on it.
//! There are two ways to change that. [`make_own`] has the units made again in a store of the same key, and
//! brings what was made: nothing of the other's is left. [`adopt`] takes the run's units over as they are, and
//! they say so ever after. Of what the run found out beside its units, such as what components tell of
//! themselves, nothing is taken over: the next run finds that out anew in a moment.

use crate::component::{ADOPTED, adopted_key};
use crate::digest::ComponentDigest;
use crate::lock::ComponentKey;
use crate::reach::Reach;
use crate::record::{
    BytesMoved, RunRecord, StepOutcome, StepRecord, Totals, UnitOutcome, UnitRecord,
};
use crate::run::parts;
use crate::store::{Listed, ObjectId, Standing, Store, StoreError};

/// Whether anything of a run rests on somebody else's word, adopted or not: its record, or something by which it is
/// known.
///
/// # Errors
/// [`StoreError::Io`]: the file system refused.
pub fn rests_on_others(store: &Store, run: &RunRecord) -> Result<bool, StoreError> {
    for object in objects(store, run)? {
        let standing = store.standing(&object)?;
        if standing.is_some_and(|standing| !standing.is_made_here()) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Takes a run over as it is: its record, its units and its tables; gives the number of objects that were
/// somebody else's. `by` is who does it, as it is shown, in one line.
///
/// # Errors
/// [`StoreError::Io`]: the file system refused.
pub fn adopt(store: &Store, run: &RunRecord, by: &str) -> Result<u64, StoreError> {
    let standing = Standing::Adopted { by: by.to_owned() };
    let mut taken = 0;
    // The record last: it says that all of it was taken over. A memo of what a component says is not taken.
    for object in objects(store, run)?.iter().rev() {
        let is_wanted = match &object.id {
            ObjectId::Memo { name, .. } => name == parts::MEMO,
            _ => true,
        };
        let is_taken = match &object.id {
            ObjectId::Run(_) => store.take_over_run(object, &standing, &|found| found == run)?,
            _ => is_wanted && store.take_over(object, &standing)?,
        };
        taken += u64::from(is_taken);
    }
    Ok(taken)
}

/// Brings all that `again` made in the store `fresh`, which has the same key, into `store`, where `run` made the
/// same with the same digests. The record of `run` is taken over as verified if it says nothing else
/// than that of `again` does; gives whether it is the store's own now.
///
/// # Errors
/// [`StoreError::Io`]: the file system refused.
pub fn make_own(
    store: &Store,
    run: &RunRecord,
    fresh: &Store,
    again: &RunRecord,
) -> Result<bool, StoreError> {
    let listed = fresh.list()?;
    let reach = Reach::made_by(fresh, &listed, again)?;
    // What is named comes before what names it.
    let made = listed.iter().rev().filter(|object| reach.has(&object.id));
    for object in made {
        store.bring(fresh, object)?;
    }
    let id = ObjectId::Run(run.start.id.clone());
    let listed = store.list()?;
    let Some(record) = listed.iter().find(|object| object.id == id) else {
        return Ok(false);
    };
    // What is sealed is what is compared: somebody may have put another record there since `run` was read.
    store.take_over_run(record, &Standing::Verified, &|found| {
        found == run && says_the_same(found, again)
    })?;
    let standing = store.standing(record)?;
    Ok(standing.is_some_and(|standing| standing.is_own()))
}

/// The record of a run and all by which it is known, as far as it is there.
fn objects(store: &Store, run: &RunRecord) -> Result<Vec<Listed>, StoreError> {
    let mut listed = store.list()?;
    let reach = Reach::made_by(store, &listed, run)?;
    let record = ObjectId::Run(run.start.id.clone());
    listed.retain(|object| object.id == record || reach.has(&object.id));
    Ok(listed)
}

/// Whether two records of one run say the same of it, but for times, for what was known and for what was logged
/// only when it ran.
fn says_the_same(run: &RunRecord, again: &RunRecord) -> bool {
    let (one, other) = (&run.start, &again.start);
    let starts = one.pipeline == other.pipeline
        && one.semantics == other.semantics
        && one.seed == other.seed
        && one.layout == other.layout
        && one.pipeline_text == other.pipeline_text
        && one.lock_text == other.lock_text
        && one.params == other.params
        && one.sources == other.sources
        && one.steps == other.steps;
    let ends = match (&run.end, &again.end) {
        (Some(one), Some(other)) => {
            one.outcome == other.outcome && one.run_digest == other.run_digest
        }
        _ => false,
    };
    let mut pairs = run.steps.iter().zip(&again.steps);
    starts
        && ends
        && run.steps.len() == again.steps.len()
        && pairs.all(|(step, again)| {
            let logs = step.log.is_empty() || step.log == again.log;
            logs && facts(step) == facts(again)
        })
}

/// What a step did, whenever and wherever.
fn facts(step: &StepRecord) -> StepRecord {
    let unit = |unit: &UnitRecord| UnitRecord {
        outcome: UnitOutcome::Run,
        duration_ms: 0,
        bytes: BytesMoved::default(),
        adopted: None,
        ..unit.clone()
    };
    StepRecord {
        outcome: StepOutcome::Succeeded,
        units: step.units.iter().map(unit).collect(),
        totals: Totals {
            cached: 0,
            longest_ms: 0,
            bytes: BytesMoved::default(),
            ..step.totals
        },
        duration_ms: 0,
        log: Vec::new(),
        ..step.clone()
    }
}

/// Takes over the bytes of a standard component that nobody here knows as released.
///
/// # Errors
/// [`StoreError::Io`]: the file system refused.
pub fn adopt_component(
    store: &Store,
    key: &ComponentKey,
    digest: &ComponentDigest,
    by: &str,
) -> Result<(), StoreError> {
    store.put_memo(ADOPTED, &adopted_key(key, digest), by.as_bytes())
}

/// Who took over the bytes of a standard component, if somebody with the store's key did.
///
/// # Errors
/// [`StoreError::Io`]: the file system refused.
pub fn component_adopted(
    store: &Store,
    key: &ComponentKey,
    digest: &ComponentDigest,
) -> Result<Option<String>, StoreError> {
    let memo = store.memo(ADOPTED, &adopted_key(key, digest))?;
    Ok(memo.map(|by| String::from_utf8_lossy(&by).into_owned()))
}

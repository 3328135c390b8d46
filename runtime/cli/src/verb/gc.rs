//! `pinion gc`: removes what no run that is kept needs.

use std::collections::{BTreeMap, BTreeSet};
use std::time::SystemTime;

use pinion_runtime::pipeline::Pipeline;
use pinion_runtime::reach::Reach;
use pinion_runtime::record::{RecordError, RunId, RunOutcome, RunRecord};
use pinion_runtime::store::{Listed, ObjectId, Store, StoreError};
use serde::Serialize;

use crate::args::Gc;
use crate::failure::{DONE, Failure};
use crate::lookup;
use crate::project::{PIPELINE, Project};
use crate::ui;

/// What `pinion gc --json` prints.
#[derive(Serialize)]
struct Summary {
    dry_run: bool,
    /// The newest first.
    removed_runs: Vec<String>,
    /// The newest first.
    kept_runs: Vec<String>,
    /// By kind. Kinds of which there is nothing are left out.
    removed: BTreeMap<String, Amount>,
    kept: BTreeMap<String, Amount>,
    removed_bytes: u64,
    kept_bytes: u64,
}

/// How much there is of something.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
struct Amount {
    objects: u64,
    bytes: u64,
}

/// Removes what no run that is kept needs.
pub(crate) fn gc(args: &Gc) -> Result<u8, Failure> {
    let project = Project::open_present(&args.place)?;
    let store = &*project.store;
    let waiting = || ui::note("  waiting until no other `pinion` uses the store");
    // Nothing may come to need what is about to go. To look changes nothing, and keeps nobody waiting.
    let alone = match args.dry_run {
        true => None,
        false => Some(store.alone(&waiting)?),
    };
    let listed = store.list()?;
    let before = before(store, args)?;
    let kept = kept(store, &listed, args, before)?;
    let bar = ui::bar("looking what runs need", None, args.place.json);
    let reach = Reach::of(store, &listed, &kept);
    bar.finish_and_clear();
    let reach = reach?;
    let (remove, keep): (Vec<Listed>, Vec<Listed>) = listed
        .into_iter()
        .partition(|object| object.modified <= before && !reach.has(&object.id));
    if let Some(alone) = &alone {
        let bar = ui::bar("removing", Some(remove.len() as u64), args.place.json);
        for object in &remove {
            alone.remove(object)?;
            bar.inc(1);
        }
        alone.sweep()?;
        bar.finish_and_clear();
    }
    let summary = Summary {
        dry_run: args.dry_run,
        removed_runs: runs(&remove),
        kept_runs: runs(&keep),
        removed: amounts(&remove),
        kept: amounts(&keep),
        removed_bytes: remove.iter().map(|object| object.bytes).sum(),
        kept_bytes: keep.iter().map(|object| object.bytes).sum(),
    };
    if args.place.json {
        ui::json(&summary)?;
    } else {
        summary.tell();
    }
    Ok(DONE)
}

/// What was put into the store later than this is kept.
fn before(store: &Store, args: &Gc) -> Result<SystemTime, Failure> {
    let now = store.now()?;
    Ok(now
        .checked_sub(args.older_than)
        .unwrap_or(SystemTime::UNIX_EPOCH))
}

/// The records of all runs that are kept.
///
/// A record that cannot be read does not say what its run needs, so as long as there is one, nothing can be
/// told to be of no use.
fn kept(
    store: &Store,
    listed: &[Listed],
    args: &Gc,
    before: SystemTime,
) -> Result<Vec<RunRecord>, Failure> {
    let named = args
        .keep_run
        .iter()
        .map(|run| Ok(lookup::by_id(store, run)?.start.id))
        .collect::<Result<BTreeSet<RunId>, Failure>>()?;
    let mut succeeded: BTreeMap<(String, bool), usize> = BTreeMap::new();
    let mut kept = Vec::new();
    for object in listed.iter().rev() {
        let ObjectId::Run(id) = &object.id else {
            continue;
        };
        let record = match store.run(id) {
            Ok(record) => record,
            // Killed before it had begun.
            Err(StoreError::Record {
                source: RecordError::Empty { .. },
                ..
            }) => continue,
            Err(error) => {
                let newer = matches!(
                    &error,
                    StoreError::Record {
                        source: RecordError::UnsupportedVersion { .. },
                        ..
                    }
                );
                let failure = Failure::from(error);
                return Err(match newer {
                    true => failure,
                    false => failure.hint(
                        "what it needs is not known, so nothing is removed; to move the record aside, run `pinion doctor --repair`",
                    ),
                });
            }
        };
        // Runs of some steps push out no run of all.
        let of = (record.start.pipeline.clone(), is_whole(store, &record));
        let newer = succeeded.entry(of).or_default();
        let is_last = record.outcome() == RunOutcome::Succeeded && {
            *newer += 1;
            *newer <= args.keep
        };
        if is_last || object.modified > before || named.contains(id) {
            kept.push(record);
        }
    }
    Ok(kept)
}

/// Whether a run was to run all steps of its pipeline, as far as that is known.
fn is_whole(store: &Store, run: &RunRecord) -> bool {
    let text = ObjectId::Blob(run.start.pipeline_text).path();
    let text = text.and_then(|path| store.raw(&path).ok().flatten());
    let text = text.and_then(|text| String::from_utf8(text.to_vec()).ok());
    let pipeline = text.and_then(|text| Pipeline::parse(&text, PIPELINE, &[]).ok());
    pipeline.is_none_or(|pipeline| {
        let mut steps = pipeline.steps.iter();
        steps.all(|step| run.start.steps.contains(&step.name))
    })
}

/// The runs among some objects, the newest first.
fn runs(objects: &[Listed]) -> Vec<String> {
    let ids = objects.iter().rev().filter_map(|object| match &object.id {
        ObjectId::Run(id) => Some(id.to_string()),
        _ => None,
    });
    ids.collect()
}

fn amounts(objects: &[Listed]) -> BTreeMap<String, Amount> {
    let mut amounts: BTreeMap<String, Amount> = BTreeMap::new();
    for object in objects {
        let amount = amounts.entry(object.id.kind().to_string()).or_default();
        amount.objects += 1;
        amount.bytes += object.bytes;
    }
    amounts
}

impl Summary {
    fn tell(&self) {
        let rows: Vec<Vec<String>> = self
            .removed
            .iter()
            .map(|(kind, amount)| vec![ui::counted(amount.objects, kind), ui::bytes(amount.bytes)])
            .collect();
        for line in ui::aligned(&rows) {
            ui::data(&line);
        }
        let kept = format!(
            "kept {}, {}",
            ui::counted(self.kept_runs.len() as u64, "run"),
            ui::bytes(self.kept_bytes)
        );
        ui::note(&match (self.removed.is_empty(), self.dry_run) {
            (true, _) => format!("nothing to remove; {kept}"),
            (false, true) => format!("would remove {}; {kept}", ui::bytes(self.removed_bytes)),
            (false, false) => format!("removed {}; {kept}", ui::bytes(self.removed_bytes)),
        });
    }
}

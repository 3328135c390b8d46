//! Every byte in the store.

use pinion_runtime::record::RecordError;
use pinion_runtime::store::{Damage, Fault, Kind, Store};

use super::report::{Damaged, Report, with_causes};
use crate::failure::Failure;
use crate::ui;

/// Reads every object of the store again; with `repair`, moves damaged ones aside.
pub(super) fn check(store: &Store, repair: bool, report: &mut Report) -> Result<(), Failure> {
    let count = store.count()?;
    let bar = ui::bar("reading the store", None, report.json);
    let found = store.check();
    bar.finish_and_clear();
    let (newer, damages): (Vec<Damage>, Vec<Damage>) = found?
        .into_iter()
        .partition(|damage| is_newer(&damage.fault));
    for run in newer {
        report.note(
            "store",
            &format!(
                "run `{}` cannot be checked: {}",
                run.name,
                with_causes(&run.fault)
            ),
        );
    }
    tell_foreign(store, count, report)?;
    if damages.is_empty() {
        report.ok(
            "store",
            &format!("{}, as stored", ui::counted(count, "object")),
        );
        return Ok(());
    }
    if repair {
        store.repair(&damages)?;
    }
    for damage in &damages {
        report.damaged(Damaged {
            kind: damage.kind.to_string(),
            name: damage.name.clone(),
            path: damage.path.clone(),
            fault: with_causes(&damage.fault),
            repaired: repair,
        });
    }
    let (lost, damaged) = (
        damages
            .iter()
            .filter(|damage| damage.kind == Kind::Run)
            .count(),
        damages.len(),
    );
    if repair {
        report.note(
            "store",
            &format!(
                "{damaged} of {} moved to `quarantine/` in the store",
                ui::counted(count, "object")
            ),
        );
        if damaged > lost {
            report.note("store", "the next run makes anew what it needs of them");
        }
        if lost > 0 {
            report.note("store", "records of runs cannot be made anew");
        }
    } else {
        report.problem(
            "store",
            &format!("{damaged} of {} damaged", ui::counted(count, "object")),
        );
        report.hint("to move them aside, so that the next run makes them anew, run `pinion doctor --repair`");
    }
    Ok(())
}

/// Says how much of the store is somebody else's word.
fn tell_foreign(store: &Store, count: u64, report: &mut Report) -> Result<(), Failure> {
    let mut foreign = 0;
    for object in store.list()? {
        let standing = store.standing(&object)?;
        foreign += u64::from(standing.is_some_and(|standing| !standing.is_own()));
    }
    if foreign > 0 {
        report.note(
            "store",
            &format!(
                "{foreign} of {} were not written with this store's key: the sender's word, which no run takes for known\nuntil `pinion verify` has made it again or `pinion adopt` has taken it over",
                ui::counted(count, "object")
            ),
        );
    }
    Ok(())
}

/// Whether nothing is wrong with an object but that this `pinion` is too old to read it.
fn is_newer(fault: &Fault) -> bool {
    matches!(fault, Fault::Record(RecordError::UnsupportedVersion { .. }))
}

//! `pinion lock` and `pinion update`.

use serde::Serialize;

use crate::args::{Lock, Planning, Update};
use crate::failure::{DONE, Failure};
use crate::project::{LOCK, Planned, Project, Unlock};
use crate::ui;
use pinion_runtime::source::Trust;

#[derive(Serialize)]
struct Summary {
    lock: &'static str,
    changes: Vec<String>,
}

/// Pins what is not pinned yet.
pub(crate) fn lock(args: &Lock) -> Result<u8, Failure> {
    let project = Project::open(&args.place)?;
    let planned = project.plan(&args.planning, &Unlock::New, &[], Trust::Bytes)?;
    project.write_lock(&planned, &args.planning)?;
    tell(&planned, args.place.json)
}

/// Pins anew.
pub(crate) fn update(args: &Update) -> Result<u8, Failure> {
    let project = Project::open(&args.place)?;
    let planning = Planning {
        caps: args.caps.clone(),
        ..Planning::default()
    };
    let planned = project.plan(
        &planning,
        &Unlock::Named(args.components.iter().cloned().collect()),
        &[],
        Trust::Bytes,
    )?;
    project.write_lock(&planned, &planning)?;
    tell(&planned, args.place.json)
}

fn tell(planned: &Planned, json: bool) -> Result<u8, Failure> {
    if json {
        ui::json(&Summary {
            lock: LOCK,
            changes: planned.changes.iter().map(ToString::to_string).collect(),
        })?;
    } else if planned.changes.is_empty() {
        ui::note(&format!(
            "`{LOCK}` is up to date: {} steps",
            planned.plan.steps.len()
        ));
    }
    Ok(DONE)
}

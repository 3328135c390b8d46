//! `pinion doctor`.

mod lock;
mod report;
mod store;
mod toolchain;

use std::path::Path;

use cap_std::ambient_authority;
use cap_std::fs::Dir;

use self::report::Report;
use crate::args::Doctor;
use crate::failure::{DONE, FAILED, Failure};
use crate::project::{find, open_store};

/// Checks what a run stands on. Outside a project that is only the engine and the toolchain.
pub(crate) fn doctor(args: &Doctor) -> Result<u8, Failure> {
    let place = &args.place;
    let root = match (&place.directory, find(place.directory.as_deref())) {
        (None, Err(_)) => None,
        (_, found) => Some(found?),
    };
    let mut report = Report::new(place.json);
    report.ok("engine", &format!("pinion {}", crate::VERSION));
    toolchain::check(root.as_deref(), &mut report);

    let in_project = || root.as_ref().map(|root| root.join(".pinion"));
    let mut opened = None;
    if let Some(path) = place.store.clone().or_else(in_project) {
        opened = open(&path, &mut report);
        if let Some(store) = &opened {
            store::check(store, args.repair, &mut report)?;
        }
    }
    if let Some(root) = &root {
        let dir = Dir::open_ambient_dir(root, ambient_authority())
            .map_err(|error| Failure::on_path("open", root.display(), error))?;
        lock::check(&dir, opened.as_ref(), &mut report);
    } else {
        report.note(
            "project",
            "there is none here, so there is nothing more to check",
        );
    }
    Ok(if report.finish()? { DONE } else { FAILED })
}

/// Opens a store that is there. None is made.
fn open(path: &Path, report: &mut Report) -> Option<pinion_runtime::store::Store> {
    if !path.exists() {
        report.ok("store", "there is none yet; the first run makes it");
        return None;
    }
    open_store(path)
        .map_err(|failure| report.failure("store", &failure))
        .ok()
}

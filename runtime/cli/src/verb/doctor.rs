//! `pinion doctor`.

mod config;
mod lock;
mod report;
mod store;
mod toolchain;

use std::path::Path;

use cap_std::ambient_authority;
use cap_std::fs::Dir;
use pinion_runtime::store::{Key, Store, StoreError};

use self::report::{Report, Verdict, with_causes};
use crate::args::Doctor;
use crate::failure::{DONE, FAILED, Failure, REFUSED};
use crate::project::{find, is_store, open_store, open_store_to_read, store_key};

/// Checks what a run stands on. Outside a project that is only the engine and the toolchain.
pub(crate) fn doctor(args: &Doctor) -> Result<u8, Failure> {
    let place = &args.place;
    let root = match (&place.directory, find(place.directory.as_deref())) {
        (None, Err(_)) => None,
        (_, found) => Some(found?),
    };
    let mut report = Report::new(place.json);
    report.ok("engine", &format!("pinion {}", crate::VERSION));
    config::check(&mut report);
    toolchain::check(root.as_deref(), &mut report);

    let in_project = || root.as_ref().map(|root| root.join(".pinion"));
    let mut opened = None;
    if let Some(path) = place.store.clone().or_else(in_project) {
        let key = store_key(place.store_key.as_deref())?;
        opened = open(&path, key, args.repair, &mut report);
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
    Ok(match report.finish()? {
        Verdict::Sound => DONE,
        Verdict::Problems => FAILED,
        Verdict::Refused => REFUSED,
    })
}

/// Opens a store that is there. None is made. One that cannot be written to can be looked at.
fn open(path: &Path, key: Key, repair: bool, report: &mut Report) -> Option<Store> {
    if !path.exists() {
        report.ok("store", "there is none yet; the first run makes it");
        return None;
    }
    let opened = open_store(path, key.clone()).or_else(|failure| {
        let unwritable = matches!(
            failure.error.downcast_ref(),
            Some(StoreError::Unwritable(_))
        );
        match unwritable && !repair && is_store(path) {
            true => {
                report.note("store", &with_causes(failure.error.as_ref()));
                open_store_to_read(path, key)
            }
            false => Err(failure),
        }
    });
    opened
        .map_err(|failure| report.failure("store", &failure))
        .ok()
}

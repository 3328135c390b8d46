//! `pinion adopt`: takes over what somebody else wrote into the store.

use pinion_runtime::adopt;
use pinion_runtime::digest::ComponentDigest;
use pinion_runtime::lock::{ComponentKey, Lockfile};
use pinion_runtime::record::RunRecord;
use serde::Serialize;

use crate::args::Adopt;
use crate::clock;
use crate::failure::{DONE, Failure};
use crate::lookup;
use crate::project::{LOCK, Project};
use crate::std_components::is_released;
use crate::ui;

/// What `pinion adopt --json` prints.
#[derive(Serialize)]
struct Summary {
    by: String,
    runs: Vec<AdoptedRun>,
    components: Vec<AdoptedComponent>,
}

#[derive(Serialize)]
struct AdoptedRun {
    run: String,
    /// Of the run, that were somebody else's.
    objects: u64,
}

#[derive(Serialize)]
struct AdoptedComponent {
    component: String,
    digest: String,
}

/// Takes runs and components over.
pub(crate) fn adopt(args: &Adopt) -> Result<u8, Failure> {
    let project = Project::open_present(&args.place)?;
    let by = adopter(args.by.as_deref());
    // All that is named is found before anything is taken over.
    let (components, runs): (Vec<&String>, Vec<&String>) =
        args.what.iter().partition(|what| what.starts_with("std:"));
    let components = components
        .into_iter()
        .map(|name| locked(&project, name))
        .collect::<Result<Vec<_>, Failure>>()?;
    let runs: Vec<RunRecord> = match args.all {
        false => runs
            .into_iter()
            .map(|run| lookup::by_id(&project.store, run))
            .collect::<Result<_, _>>()?,
        true => {
            let ids = project.store.runs()?;
            let runs = ids.iter().map(|id| project.store.run(id));
            runs.collect::<Result<_, _>>()?
        }
    };
    let mut summary = Summary {
        by,
        runs: Vec::new(),
        components: Vec::new(),
    };
    for (key, digest) in components {
        take(&project, &key, &digest, &summary.by)?;
        summary.components.push(AdoptedComponent {
            component: key.to_string(),
            digest: digest.to_string(),
        });
    }
    for run in runs {
        let objects = adopt::adopt(&project.store, &run, &summary.by)?;
        if !args.place.json {
            tell(&run, objects, &summary.by);
        }
        summary.runs.push(AdoptedRun {
            run: run.start.id.to_string(),
            objects,
        });
    }
    if args.place.json {
        ui::json(&summary)?;
    }
    Ok(DONE)
}

/// Who adopts, and when.
pub(crate) fn adopter(named: Option<&str>) -> String {
    let variables = ["USER", "LOGNAME", "USERNAME"];
    let user = || variables.iter().find_map(|name| std::env::var(name).ok());
    let is_fit = |c: &char| c.is_alphanumeric() || ".-_@+".contains(*c);
    let user = || user().map(|user| user.chars().filter(is_fit).take(64).collect::<String>());
    let name = named.map(str::to_owned).or_else(user);
    let name = name.filter(|name| !name.is_empty());
    format!(
        "{} with `pinion adopt`, {}",
        name.as_deref().unwrap_or("somebody without a name"),
        clock::now()
    )
}

/// Takes over the bytes of a component, and says so.
pub(crate) fn take(
    project: &Project,
    key: &ComponentKey,
    digest: &ComponentDigest,
    by: &str,
) -> Result<(), Failure> {
    adopt::adopt_component(&project.store, key, digest, by)?;
    ui::note(&format!("adopted component {key} as {digest}"));
    Ok(())
}

/// What the lockfile has under the name of a standard component, if that is to be adopted.
pub(crate) fn locked(
    project: &Project,
    name: &str,
) -> Result<(ComponentKey, ComponentDigest), Failure> {
    let text = project.text(LOCK)?;
    let lock = text.map(|text| Lockfile::parse(&text, LOCK)).transpose()?;
    let components = lock.map(|lock| lock.components).unwrap_or_default();
    let found = components
        .into_iter()
        .find(|(key, _)| key.to_string() == name);
    let Some((key, locked)) = found else {
        return Err(Failure::wrong(format!(
            "`{LOCK}` has no component `{name}`\n  expected the name and the whole version that it has, such as `std:read-csv@0.3.0`"
        )));
    };
    match is_released(&key, &locked.digest) {
        true => Err(Failure::wrong(format!(
            "component `{key}` is one that this `pinion` knows as released, so there is nothing to adopt"
        ))),
        false => Ok((key, locked.digest)),
    }
}

fn tell(run: &RunRecord, objects: u64, by: &str) {
    let id = &run.start.id;
    match objects {
        0 => ui::note(&format!("run {id} is this store's own already")),
        _ => ui::note(&format!(
            "adopted run {id}: {} by {by}",
            ui::counted(objects, "object")
        )),
    }
}

//! What bad input gets: an exit code, a message that says what to do, and a store that is as sound as before.
//!
//! Every case is a real pipeline, run by the real binary. The messages are snapshots: they are what a
//! person sees, so a change to one is to be read.

mod components;
mod data;
mod hostile;
mod lookups;
mod misbehaviour;
mod pipelines;
mod ports;

use pinion_tests::project::Project;

/// Five rows, two of them with an empty field.
const TRIPS: &str = "\
day,city,km,minutes
2024-03-01,Oslo,3.5,12
2024-03-01,Turin,,30
2024-03-02,Oslo,10.25,41
2024-03-03,Lyon,1.0,
2024-03-04,Oslo,7.75,25
";

/// The pipeline that reads them; cases add to it.
const READS: &str = r#"[pipeline]
name = "trips"

[params]
most = 60

[sources.trips]
path = "data/trips.csv"

[steps.trips]
use = "std:read-csv@0.1"
input = "sources.trips"
"#;

/// A project that reads the trips and then does what `steps` say.
fn project(steps: &str) -> Project {
    let pipeline = format!("{READS}{steps}");
    Project::with(&[("pinion.toml", &pipeline), ("data/trips.csv", TRIPS)])
}

/// What a request says that is refused or fails. What is in the store afterwards is as it was stored.
#[track_caller]
fn refused(project: &Project, args: &[&str]) -> String {
    let said = project.pinion(args);
    assert_ne!(said.code, Some(0), "{said:?}");
    if project.path().join(".pinion").is_dir() {
        let health = project.pinion(&["doctor", "--json"]).json();
        let store = health["checks"].as_array().into_iter().flatten();
        let sound = store.filter(|check| check["about"] == "store");
        let sound: Vec<_> = sound.map(|check| &check["status"]).collect();
        assert_eq!(sound, ["ok"], "{health:#}");
    }
    said.snapshot()
}

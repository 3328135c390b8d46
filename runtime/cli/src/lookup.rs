//! Finds the run, the step and the port that arguments name.

use pinion_runtime::error::closest;
use pinion_runtime::pipeline::Pipeline;
use pinion_runtime::record::{
    OutputRecord, RecordError, RunId, RunRecord, StepOutcome, StepRecord,
};
use pinion_runtime::store::{Store, StoreError};

use serde_json::Value;

use crate::failure::Failure;
use crate::project::{PIPELINE, Project};

/// Most run ids that a message lists.
const LISTED_RUNS: usize = 5;

/// What `[RUN] [STEP[.PORT]]` names.
#[derive(Debug)]
pub(crate) struct Named<'a> {
    pub(crate) run: RunRecord,
    pub(crate) step: Option<StepName<'a>>,
}

/// `STEP[.PORT]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct StepName<'a> {
    pub(crate) step: &'a str,
    pub(crate) port: Option<&'a str>,
}

/// Reads `[RUN] [STEP[.PORT]]`. Ids of runs begin with a digit and names of steps with a letter, so
/// one is never taken for the other.
pub(crate) fn arguments<'a>(project: &Project, what: &'a [String]) -> Result<Named<'a>, Failure> {
    let (named, step) = match what {
        [] => (None, None),
        [only] if is_run(only) => (Some(only), None),
        [only] => (None, Some(only)),
        [named, step, ..] => (Some(named), Some(step)),
    };
    Ok(Named {
        run: run(project, named.map(String::as_str))?,
        step: step.map(|text| StepName::parse(text)),
    })
}

/// The run of this id or of this beginning of an id; without one, the last run of the project's pipeline.
pub(crate) fn run(project: &Project, named: Option<&str>) -> Result<RunRecord, Failure> {
    if let Some(text) = named {
        return by_id(&project.store, text);
    }
    let last = last(project, 1, |_| true)?.pop();
    last.ok_or_else(|| no_runs(project))
}

/// The run of this id or of this beginning of an id, of whichever pipeline.
pub(crate) fn by_id(store: &Store, text: &str) -> Result<RunRecord, Failure> {
    Ok(store.run(find(&store.runs()?, text)?)?)
}

/// The last `count` runs of the project's pipeline that are `wanted`, the newest first. In a store that several
/// pipelines share, the last run of all is as likely as not somebody else's.
pub(crate) fn last(
    project: &Project,
    count: usize,
    wanted: impl Fn(&RunRecord) -> bool,
) -> Result<Vec<RunRecord>, Failure> {
    let pipeline = project.pipeline_name();
    let is_ours = |run: &RunRecord| {
        let mut names = pipeline.iter();
        names.all(|name| *name == run.start.pipeline)
    };
    let mut found = Vec::new();
    for id in project.store.runs()?.iter().rev() {
        if found.len() == count {
            break;
        }
        match project.store.run(id) {
            Ok(run) if is_ours(&run) && wanted(&run) => found.push(run),
            Ok(_) => {}
            // A copy of another record is no run.
            Err(StoreError::Record {
                source: RecordError::OtherRun { .. },
                ..
            }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(found)
}

/// The failure where there are no runs of the project's pipeline.
fn no_runs(project: &Project) -> Failure {
    let others = project.store.runs().is_ok_and(|ids| !ids.is_empty());
    match project.pipeline_name().filter(|_| others) {
        Some(name) => Failure::wrong(format!("there are no runs of pipeline `{name}` in the store"))
            .hint("to make one, run `pinion run`; those of other pipelines have to be named, and `pinion runs` lists them"),
        None => Failure::wrong("there are no runs in the store")
            .hint("to make one, run `pinion run`"),
    }
}

/// The old and the new run to compare: those named, the one named and the last, or the last two. The last ones
/// are those of the project's pipeline.
pub(crate) fn two_runs(
    project: &Project,
    named: &[String],
) -> Result<(RunRecord, RunRecord), Failure> {
    let store = &project.store;
    let ids = store.runs()?;
    if let [old, new, ..] = named {
        return Ok((store.run(find(&ids, old)?)?, store.run(find(&ids, new)?)?));
    }
    let named = named.first().map(|text| find(&ids, text)).transpose()?;
    let mut ours: Vec<RunId> = last(project, 2, |_| true)?
        .into_iter()
        .map(|run| run.start.id)
        .collect();
    ours.reverse();
    if ours.is_empty() {
        return Err(no_runs(project));
    }
    let (old, new) = two(&ours, named)?;
    Ok((store.run(old)?, store.run(new)?))
}

/// The runs to compare, of the last ones and the one that was named, if one was.
fn two<'a>(ids: &'a [RunId], named: Option<&'a RunId>) -> Result<(&'a RunId, &'a RunId), Failure> {
    match (ids, named) {
        ([.., last], Some(named)) if named != last => Ok((named, last)),
        ([.., before, last], None) => Ok((before, last)),
        ([.., _, _], Some(named)) => Err(Failure::wrong(format!(
            "run `{named}` is the last one, and there is none to compare it with"
        ))
        .hint("to compare it with the run before it, run `pinion diff`")),
        ([last], Some(named)) if named != last => Ok((named, last)),
        ([only], _) => Err(Failure::wrong(format!(
            "there is nothing to compare run `{only}` with: it is the only one of its pipeline in the store"
        ))
        .hint("to make another, run `pinion run`")),
        ([], _) => {
            Err(Failure::wrong("there are no runs in the store")
                .hint("to make one, run `pinion run`"))
        }
    }
}

/// The text of a pipeline file with the params that a run had, as far as the file has them.
pub(crate) fn pipeline(text: &str, of: &RunRecord) -> Result<Pipeline, Failure> {
    let defaults = Pipeline::parse(text, PIPELINE, &[])?.params;
    let differs = |(name, value): &(&String, &Value)| {
        defaults.get(*name).is_some_and(|default| default != *value)
    };
    let set = of.start.params.iter().filter(differs);
    let set: Vec<(String, String)> = set
        .map(|(name, value)| (name.clone(), toml(value, true)))
        .collect();
    Ok(Pipeline::parse(text, PIPELINE, &set)?)
}

/// A param as `--set` takes it: TOML, but for text at the top, which stands as it is.
fn toml(value: &Value, top: bool) -> String {
    match value {
        Value::String(text) if top => text.clone(),
        Value::Array(values) => {
            format!(
                "[{}]",
                values
                    .iter()
                    .map(|value| toml(value, false))
                    .collect::<Vec<_>>()
                    .join(", ")
            )
        }
        Value::Object(members) => {
            let member = |(name, value): (&String, &Value)| {
                format!("{} = {}", Value::String(name.clone()), toml(value, false))
            };
            format!(
                "{{ {} }}",
                members.iter().map(member).collect::<Vec<_>>().join(", ")
            )
        }
        other => other.to_string(),
    }
}

impl<'a> StepName<'a> {
    pub(crate) fn parse(text: &'a str) -> Self {
        // As pipelines write it, too: `steps.fit.model`.
        let text = text.strip_prefix("steps.").unwrap_or(text);
        match text.split_once('.') {
            Some((step, port)) => Self {
                step,
                port: Some(port),
            },
            None => Self {
                step: text,
                port: None,
            },
        }
    }

    /// What the step did in `run`.
    pub(crate) fn find(self, run: &'a RunRecord) -> Result<&'a StepRecord, Failure> {
        if let Some(step) = run.step(self.step) {
            return Ok(step);
        }
        let id = &run.start.id;
        Err(
            if run
                .start
                .steps
                .iter()
                .any(|name| name.as_str() == self.step)
            {
                let message = format!("step `{}` has not ended in run `{id}`", self.step);
                Failure::wrong(message)
                    .hint("to go on with a run that was interrupted, run `pinion run`")
            } else {
                let names = listed(run.start.steps.iter().map(ToString::to_string));
                let steps = run.start.steps.iter().map(|name| name.as_str());
                meant(
                    Failure::wrong(format!(
                        "run `{id}` has no step `{}`\n  expected one of {names}",
                        self.step
                    )),
                    closest(self.step, steps),
                )
            },
        )
    }
}

/// What came out of a port of a step; without a name, out of its only one.
pub(crate) fn output<'a>(
    step: &'a StepRecord,
    port: Option<&str>,
) -> Result<&'a OutputRecord, Failure> {
    let name = &step.name;
    match (step.outputs.as_slice(), port) {
        ([], _) => Err(
            Failure::wrong(format!("step `{name}` {}", nothing(step.outcome)))
                .hint("to use what an earlier run made, name that run; `pinion runs` lists them"),
        ),
        ([only], None) => Ok(only),
        (outputs, None) => {
            let names = listed(
                outputs
                    .iter()
                    .map(|output| format!("{name}.{}", output.port)),
            );
            Err(Failure::wrong(format!(
                "step `{name}` has several outputs\n  expected one of {names}"
            )))
        }
        (outputs, Some(port)) => outputs
            .iter()
            .find(|output| output.port == port)
            .ok_or_else(|| {
                let names = listed(
                    outputs
                        .iter()
                        .map(|output| format!("{name}.{}", output.port)),
                );
                let ports = outputs.iter().map(|output| output.port.as_str());
                let near = closest(port, ports).map(|near| format!("{name}.{near}"));
                meant(
                    Failure::wrong(format!(
                        "step `{name}` has no output `{port}`\n  expected one of {names}"
                    )),
                    near.as_deref(),
                )
            }),
    }
}

/// The same failure, with the name that was probably meant.
fn meant(failure: Failure, near: Option<&str>) -> Failure {
    match near {
        Some(near) => failure.hint(format!("did you mean `{near}`?")),
        None => failure,
    }
}

/// The failure for an artifact that a run record names.
pub(crate) fn gone(error: StoreError) -> Failure {
    // What is damaged seldom is alone, and a run that finds everything known reads none of it.
    let miss = matches!(error, StoreError::Missing { .. });
    let failure = Failure::from(error);
    if miss {
        failure.hint("to make it again, run `pinion run`")
    } else {
        failure
    }
}

fn is_run(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_digit())
}

fn find<'a>(ids: &'a [RunId], text: &str) -> Result<&'a RunId, Failure> {
    if !is_run(text) {
        return Err(Failure::wrong(format!("`{text}` is not the id of a run"))
            .hint("to see the runs, run `pinion runs`"));
    }
    let found: Vec<&RunId> = ids
        .iter()
        .filter(|id| id.as_str().starts_with(text))
        .collect();
    match found.as_slice() {
        [only] => Ok(only),
        [] => {
            let message = match ids {
                [] => format!("there is no run `{text}`\n  found no runs in the store"),
                _ => format!(
                    "there is no run `{text}`\n  expected one of {}",
                    newest(&ids.iter().collect::<Vec<_>>())
                ),
            };
            let ids = ids.iter().map(RunId::as_str);
            Err(meant(Failure::wrong(message), closest(text, ids)))
        }
        many => Err(Failure::wrong(format!(
            "several runs begin with `{text}`\n  found {}",
            newest(many)
        ))),
    }
}

/// The last of some ids, newest first.
fn newest(ids: &[&RunId]) -> String {
    let names = listed(ids.iter().rev().take(LISTED_RUNS).map(ToString::to_string));
    match ids.len().checked_sub(LISTED_RUNS) {
        Some(more @ 1..) => format!("{names} and {more} older"),
        _ => names,
    }
}

fn listed(names: impl Iterator<Item = String>) -> String {
    names
        .map(|name| format!("`{name}`"))
        .collect::<Vec<_>>()
        .join(", ")
}

fn nothing(outcome: StepOutcome) -> &'static str {
    match outcome {
        StepOutcome::Succeeded | StepOutcome::Cached => "has no outputs",
        StepOutcome::Failed => "failed and made nothing",
        StepOutcome::Skipped => "was skipped and made nothing",
        StepOutcome::Cancelled => "was cancelled and made nothing",
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn ids() -> Vec<RunId> {
        [
            "20261122-061530-aaaa",
            "20261123-061530-4f2a",
            "20261123-061530-4f3b",
        ]
        .map(|id| id.parse().unwrap())
        .into()
    }

    fn message(text: &str) -> String {
        find(&ids(), text).unwrap_err().error.to_string()
    }

    #[test]
    fn runs_are_found_by_a_unique_beginning() {
        let ids = ids();
        assert_eq!(find(&ids, "20261122").unwrap(), &ids[0]);
        assert_eq!(find(&ids, "20261123-061530-4f2").unwrap(), &ids[1]);
        assert_eq!(find(&ids, "20261123-061530-4f3b").unwrap(), &ids[2]);
    }

    #[test]
    fn what_is_no_run_is_told_from_what_is() {
        assert_eq!(
            message("20261123"),
            "several runs begin with `20261123`\n  found `20261123-061530-4f3b`, `20261123-061530-4f2a`"
        );
        assert_eq!(
            message("2025"),
            "there is no run `2025`\n  expected one of `20261123-061530-4f3b`, `20261123-061530-4f2a`, `20261122-061530-aaaa`"
        );
        assert_eq!(message("fit"), "`fit` is not the id of a run");
        assert_eq!(
            find(&[], "2025").unwrap_err().error.to_string(),
            "there is no run `2025`\n  found no runs in the store"
        );
    }

    #[test]
    fn two_runs_are_the_last_unless_others_are_named() {
        let ids = ids();
        let said = |failure: Failure| failure.error.to_string();
        assert_eq!(two(&ids[1..], None).unwrap(), (&ids[1], &ids[2]));
        assert_eq!(two(&ids[1..], Some(&ids[0])).unwrap(), (&ids[0], &ids[2]));
        // Of another pipeline, and the only one of this.
        assert_eq!(two(&ids[2..], Some(&ids[0])).unwrap(), (&ids[0], &ids[2]));
        assert_eq!(
            two(&ids[1..], Some(&ids[2])).map_err(said).unwrap_err(),
            "run `20261123-061530-4f3b` is the last one, and there is none to compare it with"
        );
        assert_eq!(
            two(&ids[..1], None).map_err(said).unwrap_err(),
            "there is nothing to compare run `20261122-061530-aaaa` with: it is the only one of its pipeline in the store"
        );
        assert!(two(&[], None).is_err());
    }

    #[test]
    fn an_id_that_is_nearly_one_is_suggested() {
        let failure = find(&ids(), "20261123-061530-4f2b").unwrap_err();
        assert_eq!(
            failure.hint.unwrap(),
            "did you mean `20261123-061530-4f2a`?"
        );
    }

    #[test]
    fn messages_list_only_the_newest_runs() {
        let ids: Vec<RunId> = (0..7)
            .map(|n| format!("20261123-061530-000{n}").parse().unwrap())
            .collect();
        let message = find(&ids, "2025").unwrap_err().error.to_string();
        assert!(message.contains("`20261123-061530-0006`, "), "{message}");
        assert!(
            message.ends_with("`20261123-061530-0002` and 2 older"),
            "{message}"
        );
    }

    #[test]
    fn a_port_follows_a_dot() {
        assert_eq!(
            StepName::parse("fit"),
            StepName {
                step: "fit",
                port: None
            }
        );
        assert_eq!(
            StepName::parse("split.after"),
            StepName {
                step: "split",
                port: Some("after")
            }
        );
        assert_eq!(
            StepName::parse("steps.split.after"),
            StepName {
                step: "split",
                port: Some("after")
            }
        );
    }
}

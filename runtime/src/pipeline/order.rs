//! Checks that steps read from something that exists, and puts them in order.

use std::collections::{BTreeMap, BTreeSet};

use indexmap::IndexSet;

use super::error::{PipelineError, Problem};
use super::name::StepName;
use super::{From, SourceDecl, StepDecl};
use crate::error::closest;

/// Refuses inputs that read from a source or step that is not there.
pub(super) fn check_references(
    sources: &[SourceDecl],
    steps: &[StepDecl],
) -> Result<(), PipelineError> {
    let source_names: IndexSet<&str> = sources.iter().map(|source| source.name.as_str()).collect();
    let step_names: IndexSet<&str> = steps.iter().map(|step| step.name.as_str()).collect();
    for input in steps.iter().flat_map(|step| &step.inputs) {
        let (kind, name, known) = match &input.from {
            From::Source(name) => ("source", name.as_str(), &source_names),
            From::Step { name, .. } => ("step", name.as_str(), &step_names),
        };
        if known.contains(name) {
            continue;
        }
        let near = closest(name, known.iter().copied());
        let meant = match kind {
            // The right name with, or without, what it begins with is likelier than a slip in it.
            "step" if source_names.contains(name) => Some(format!("sources.{name}")),
            "source" if step_names.contains(name) => Some(name.to_owned()),
            "source" => near.map(|near| format!("sources.{near}")),
            _ => near.map(str::to_owned),
        };
        let known = known.iter().map(|&name| name.to_owned()).collect();
        let name = name.to_owned();
        let problem = Problem::Unknown {
            kind,
            name,
            known,
            meant,
        };
        return Err(problem.at(input.place.clone()));
    }
    Ok(())
}

/// The steps, each after all those it reads from; of those that could come next, the first in the file.
pub(super) fn in_order(steps: Vec<StepDecl>) -> Result<Vec<StepDecl>, PipelineError> {
    let positions: BTreeMap<&StepName, usize> = steps
        .iter()
        .enumerate()
        .map(|(position, step)| (&step.name, position))
        .collect();
    let reads: Vec<BTreeSet<usize>> = steps
        .iter()
        .map(|step| {
            step.inputs
                .iter()
                .filter_map(|input| step_of(&positions, &input.from))
                .collect()
        })
        .collect();

    let mut readers: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (reader, reads) in reads.iter().enumerate() {
        for read in reads {
            readers.entry(*read).or_default().push(reader);
        }
    }

    let (mut ready, mut waiting) = (BTreeSet::new(), BTreeMap::new());
    for (position, reads) in reads.into_iter().enumerate() {
        if reads.is_empty() {
            ready.insert(position);
        } else {
            waiting.insert(position, reads);
        }
    }
    let mut order = Vec::new();
    while let Some(next) = ready.pop_first() {
        order.push(next);
        for reader in readers.remove(&next).unwrap_or_default() {
            let Some(reads) = waiting.get_mut(&reader) else {
                continue;
            };
            reads.remove(&next);
            if reads.is_empty() {
                waiting.remove(&reader);
                ready.insert(reader);
            }
        }
    }
    if let Some((start, _)) = waiting.first_key_value() {
        return Err(cycle(&steps, &positions, &waiting, *start));
    }

    let mut steps: Vec<Option<StepDecl>> = steps.into_iter().map(Some).collect();
    let mut next = |position: usize| steps.get_mut(position).and_then(Option::take);
    Ok(order.into_iter().filter_map(&mut next).collect())
}

fn step_of(positions: &BTreeMap<&StepName, usize>, from: &From) -> Option<usize> {
    match from {
        From::Source(_) => None,
        From::Step { name, .. } => positions.get(name).copied(),
    }
}

/// The cycle that is met by going from `start` to the first unfinished step it reads, and so on.
///
/// Every step that is still waiting reads from one that is, so that the way back always comes.
fn cycle(
    steps: &[StepDecl],
    positions: &BTreeMap<&StepName, usize>,
    waiting: &BTreeMap<usize, BTreeSet<usize>>,
    start: usize,
) -> PipelineError {
    let mut path = vec![start];
    let mut position = start;
    let begin = loop {
        let Some(next) = waiting.get(&position).and_then(BTreeSet::first).copied() else {
            break 0;
        };
        if let Some(begin) = path.iter().position(|seen| *seen == next) {
            path.push(next);
            break begin;
        }
        path.push(next);
        position = next;
    };
    // Told from its first step in the file, wherever it was met.
    let mut path: Vec<usize> = path.into_iter().skip(begin).collect();
    path.pop();
    let first = path
        .iter()
        .enumerate()
        .min_by_key(|(_, position)| **position)
        .map(|(at, _)| at);
    path.rotate_left(first.unwrap_or_default());
    path.extend(path.first().copied());

    let mut places = Vec::new();
    for (reader, read) in path.iter().zip(path.iter().skip(1)) {
        let inputs = steps.get(*reader).into_iter().flat_map(|step| &step.inputs);
        let input = inputs
            .into_iter()
            .find(|i| step_of(positions, &i.from) == Some(*read));
        places.extend(input.map(|input| input.place.clone()));
    }
    let names = path.iter().filter_map(|position| steps.get(*position));
    Problem::Cycle(names.map(|step| step.name.clone()).collect()).at_all(places)
}

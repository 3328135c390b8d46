//! Why a step differs, in words.

use pinion_runtime::diff::{
    Effect, FileDiff, KeyPart, Link, Presence, Reason, Sides, StepDiff, Told,
};
use pinion_runtime::pipeline::SourceName;
use pinion_runtime::record::StepOutcome;

use super::page::short;
use super::piece::{Phrase, Piece, name, value, value_or_none, words};
use crate::ui;

/// What became of a step, in a word or two.
pub(super) fn what(step: &StepDiff) -> &'static str {
    match (step.presence, step.effect, step.outcome.new) {
        (Presence::Added, ..) => "new",
        (Presence::Removed, ..) => "gone",
        (Presence::OldRun, ..) => "did not run",
        (Presence::NewRun, ..) => "only ran now",
        (_, _, None) => "has not ended",
        (_, _, Some(StepOutcome::Failed)) => "failed",
        (_, _, Some(StepOutcome::Skipped)) => "skipped",
        (_, _, Some(StepOutcome::Cancelled)) => "cancelled",
        (_, Effect::OtherKey, Some(StepOutcome::Succeeded)) => "re-ran",
        (_, Effect::OtherKey, Some(StepOutcome::Cached)) => "known from before",
        (_, Effect::PassedOn, _) => "passed on",
        (_, Effect::Unexplained, _) => "unexplained",
        (_, Effect::Same, _) => "same result",
        (_, Effect::Unknown, _) => "ended well",
    }
}

/// Why, as one sentence; nothing where there is nothing to say.
pub(super) fn why(step: &StepDiff) -> Phrase {
    match (&step.reason, step.effect) {
        (Some(reason), _) => reason_words(reason),
        (None, Effect::Unexplained) => vec![
            words("nothing that it was told differs; to look into it, run "),
            name("pinion verify"),
        ],
        (None, _) => Phrase::new(),
    }
}

fn reason_words(reason: &Reason) -> Phrase {
    let mut phrase = Phrase::new();
    let mut links = reason.because.iter();
    match &reason.key {
        Some(key) => {
            phrase.extend(key_part(key));
            phrase.extend(more_words(reason.more));
        }
        // It passes on what differs, or did not run: the first link is its own.
        None => {
            let own = links.next();
            if let Some(not_run @ Link::NotRun { .. }) = own {
                phrase.extend(link_words(not_run, "").1);
            }
            if let Some(Link::PassedOn { from, column, .. }) = own {
                if let Some(column) = column {
                    phrase.extend([words("column "), name(column), words(" of ")]);
                }
                phrase.push(name(from));
            }
        }
    }
    let links: Vec<&Link> = links.collect();
    let has_more = |link: &&Link| matches!(link, Link::OtherKey { more: 1.., .. });
    let (shown, because) = match links.as_slice() {
        // All of a long way is in the JSON. Here, its end says most.
        [way @ .., end] if way.len() > 1 => match way.iter().any(has_more) {
            true => (vec![*end], ", in the end among other things because "),
            false => (vec![*end], ", in the end because "),
        },
        few => (few.to_vec(), ", because "),
    };
    for link in shown {
        let (lead, told) = link_words(link, because);
        phrase.push(words(lead));
        phrase.extend(told);
    }
    phrase
}

/// A link, and what leads to it.
fn link_words<'a>(link: &Link, because: &'a str) -> (&'a str, Phrase) {
    match link {
        Link::Rewired {
            step,
            port,
            old,
            new,
        } => {
            let mut phrase = vec![name(step), words(" reads ")];
            phrase.push(new.as_ref().map_or_else(|| words("nothing"), name));
            phrase.extend([words(" at "), name(port), words(", no longer ")]);
            phrase.push(old.as_ref().map_or_else(|| words("nothing"), name));
            (because, phrase)
        }
        Link::PassedOn { step, from, .. } => {
            let phrase = vec![name(step), words(" passes on from "), name(from)];
            (", which ", phrase)
        }
        Link::OtherKey { step, key, more } => {
            let mut phrase = match key {
                KeyPart::Component { .. } => vec![name(step), words(" is another component")],
                KeyPart::Param { param } => {
                    vec![
                        name(step),
                        words(" has another param "),
                        name(param_path(&param.path)),
                    ]
                }
                KeyPart::Semantics { .. } => vec![words("the engine is another one")],
                KeyPart::Seed { .. } => vec![words("the seed of the pipeline is another one")],
                KeyPart::BatchRows { .. } => vec![words("tables are cut into other batches")],
                // Its own reason follows.
                KeyPart::Input { .. } => {
                    let mut phrase = vec![name(step), words(" depends on ")];
                    phrase.extend(key_part(key));
                    phrase
                }
            };
            phrase.extend(more_words(*more));
            (because, phrase)
        }
        Link::NotRun { before, failed } => {
            let phrase = match (failed, before) {
                (Some(failed), true) => vec![name(failed), words(" failed before")],
                (Some(failed), false) => vec![name(failed), words(" failed")],
                (None, true) => vec![words("the run before was stopped")],
                (None, false) => vec![words("the run was stopped")],
            };
            (because, phrase)
        }
        Link::Source { source, file, more } => {
            let mut phrase = match file {
                Some(file) => file_words(source, file),
                None => vec![
                    words("the files of "),
                    name(source),
                    words(" are in another order"),
                ],
            };
            if *more > 0 {
                let more = ui::counted(*more as u64, "more file");
                phrase.push(words(format!(", and {more}")));
            }
            (because, phrase)
        }
    }
}

/// That the first part of a key is not all that differs.
fn more_words(more: usize) -> Option<Piece> {
    let more = (more > 0).then(|| ui::counted(more as u64, "more difference"))?;
    Some(words(format!(" and {more}")))
}

fn file_words(source: &SourceName, file: &FileDiff) -> Phrase {
    let how = match (&file.old, &file.new) {
        (None, _) => " is new",
        (_, None) => " is gone",
        _ => " has changed",
    };
    vec![
        words("file "),
        name(&file.path),
        words(" of source "),
        name(source),
        words(how),
    ]
}

/// A param may be all of them, if they are no object.
fn param_path(path: &str) -> &str {
    match path.is_empty() {
        true => "params",
        false => path,
    }
}

fn key_part(part: &KeyPart) -> Phrase {
    let was_and_is = |old: String, new: String| [value(old), words(" -> "), value(new)];
    match part {
        KeyPart::Semantics { old, new } => {
            let mut phrase = vec![words("engine ")];
            phrase.extend(was_and_is(old.clone(), new.clone()));
            phrase
        }
        KeyPart::Component { old, new } => {
            let mut phrase = vec![words("component ")];
            phrase.extend(was_and_is(short(old), short(new)));
            phrase
        }
        KeyPart::Param { param } => {
            vec![
                words("param "),
                name(param_path(&param.path)),
                words(": "),
                value_or_none(param.old.as_ref()),
                words(" -> "),
                value_or_none(param.new.as_ref()),
            ]
        }
        KeyPart::Seed { old, new } => {
            let mut phrase = vec![words("seed ")];
            phrase.extend(was_and_is(old.to_string(), new.to_string()));
            phrase
        }
        KeyPart::BatchRows { old, new } if old == new => {
            vec![words("tables are cut into other partitions")]
        }
        KeyPart::BatchRows { old, new } => {
            let mut phrase = vec![words("rows of a batch: ")];
            phrase.extend(was_and_is(old.to_string(), new.to_string()));
            phrase
        }
        KeyPart::Input { from, told, .. } => input(from, told),
    }
}

fn input(from: &str, told: &Told) -> Phrase {
    let from = || name(from);
    match told {
        Told::Rows { old, new } if old == new => vec![words("partitions of "), from()],
        Told::Rows { old, new } => {
            let change = format!(": {old} -> {new}");
            vec![words("rows of "), from(), words(change)]
        }
        Told::Column { column, types } => {
            let mut phrase = vec![words("column "), name(column), words(" of "), from()];
            phrase.extend(types.as_ref().map(types_words).unwrap_or_default());
            phrase
        }
        Told::Schema => vec![words("the columns that "), from(), words(" has")],
        Told::Contents => vec![from()],
    }
}

fn types_words(types: &Sides<String>) -> Phrase {
    match (&types.old, &types.new) {
        (None, _) => vec![words(", which is new")],
        (_, None) => vec![words(", which is gone")],
        (Some(old), Some(new)) => {
            vec![words(": "), value(old), words(" -> "), value(new)]
        }
    }
}

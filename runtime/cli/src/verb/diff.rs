//! `pinion diff`: what differs between two runs, and why.

mod markdown;
mod page;
mod piece;
mod reason;
mod text;
mod view;

use pinion_runtime::diff::compare;

use self::page::Page;
use self::view::View;
use crate::args::Diff;
use crate::failure::{DONE, FAILED, Failure};
use crate::lookup;
use crate::project::Project;
use crate::standing;
use crate::ui;

/// Compares two runs.
pub(crate) fn diff(args: &Diff) -> Result<u8, Failure> {
    let project = Project::open_to_read(&args.place)?;
    let (old, new) = lookup::two_runs(&project, &args.runs)?;
    for run in [&old, &new] {
        standing::tell(&project.store, run)?;
    }
    let diff = compare(&old, &new, &project.store)?;
    if args.place.json {
        ui::json(&View::of(&diff))?;
    } else if args.markdown {
        ui::data(&markdown::render(&Page::of(&diff, args.limit)));
    } else {
        ui::data(&text::render(&Page::of(&diff, args.limit)));
    }
    Ok(match args.exit_code && !diff.is_equal() {
        true => FAILED,
        false => DONE,
    })
}

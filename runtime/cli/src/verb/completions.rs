//! `pinion completions` and `pinion man`: what shells and `man` want to know of the command line.

use clap::CommandFactory as _;

use crate::args::{Cli, Completions, Man};
use crate::failure::{DONE, Failure};
use crate::ui;

/// Prints a script that completes verbs and options.
pub(crate) fn completions(args: &Completions) -> Result<u8, Failure> {
    let mut command = Cli::command();
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut command, "pinion", &mut script);
    ui::data(String::from_utf8_lossy(&script).trim_end());
    Ok(DONE)
}

/// Writes a page for `pinion` and one for each of its verbs.
pub(crate) fn man(args: &Man) -> Result<u8, Failure> {
    let directory = &args.output;
    std::fs::create_dir_all(directory)
        .and_then(|()| clap_mangen::generate_to(Cli::command(), directory))
        .map_err(|error| Failure::on_path("write to", directory.display(), error))?;
    ui::note(&format!(
        "wrote the manual pages to {}",
        directory.display()
    ));
    Ok(DONE)
}

//! What can be typed.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use pinion_runtime::caps::Limit;
use pinion_runtime::pipeline::{limit_form, parse_limit};
use pinion_runtime::sandbox::Share;

/// Run data and machine-learning pipelines of sandboxed WebAssembly components, reproducibly
#[derive(Debug, Parser)]
#[command(name = "pinion", version = crate::VERSION, max_term_width = 100, arg_required_else_help = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) verb: Verb,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Make a new project that runs at once
    #[command(after_help = "Examples:\n  pinion new churn\n  pinion run -C churn")]
    New(New),
    /// Write, test, build and debug steps of your own
    #[command(subcommand)]
    Step(Step),
    /// Pin every component and every source in pinion.lock
    #[command(
        after_help = "Examples:\n  pinion lock\n  pinion lock --locked   # fail if pinion.lock is out of date"
    )]
    Lock(Lock),
    /// Accept other bytes for locked components
    #[command(
        after_help = "Examples:\n  pinion update                    # all of them\n  pinion update std:read-csv"
    )]
    Update(Update),
    /// Show what would run, what is cached, and why
    #[command(after_help = "Examples:\n  pinion plan\n  pinion plan --set late_minutes=30 --json")]
    Plan(Plan),
    /// Run the pipeline, or some of its steps and what they need
    #[command(
        after_help = "Examples:\n  pinion run\n  pinion run fit evaluate --set late_minutes=30\n  pinion run --frozen --json\n  pinion run --watch               # until Ctrl-C"
    )]
    Run(Run),
    /// Run again in a fresh store and compare every digest
    #[command(
        after_help = "Examples:\n  pinion verify                        # against the last run\n  pinion verify 20261123-061530-4f2a\n  pinion verify --expect expected.json # against a committed file\n\nExit codes: 0 every digest is equal, 1 one differs, 2 there is nothing to compare with"
    )]
    Verify(Verify),
    /// Take over what somebody else wrote into the store, unseen
    #[command(after_help = ADOPT_HELP)]
    Adopt(Adopt),
    /// List the runs in the store
    #[command(after_help = "Examples:\n  pinion runs\n  pinion runs --json")]
    Runs(Runs),
    /// Show a run, a step or what it made, with schema and first rows
    #[command(
        after_help = "Examples:\n  pinion show                    # the last run\n  pinion show fit                # a step of it\n  pinion show split.after        # a table of it\n  pinion show 20261123-061530-4f2a fit.model"
    )]
    Show(Show),
    /// Tell what led to an artifact, a column or a row, back to the sources
    #[command(
        after_help = "Examples:\n  pinion lineage fit                        # the steps that led to it, what each read, made and kept\n  pinion lineage fit --format svg -o fit.svg\n  pinion lineage predict --column late      # which columns reach it, and how\n  pinion lineage predict --row 17           # the rows of the files that it was\n  pinion lineage fit --from gender          # how `gender` reaches the model\n  pinion lineage fit --never gender         # exit code 1 unless there is no path\n\nA step is taken to have used everything that it read for everything that it put out, rows and their order\nincluded, but for what its port promised and Pinion enforced: that is reached *through success* alone, which\n--never does not count unless --success is given.\nRows are counted from 0, as pandas and pyarrow do.\n\nExit codes: 0 done, 1 `--never` does not hold, 2 the request was wrong"
    )]
    Lineage(Lineage),
    /// Compare two runs: params, sources, components, results and figures, and why steps differ
    #[command(
        after_help = "Examples:\n  pinion diff                          # the last two runs\n  pinion diff 20261123-061530-4f2a     # that run and the last\n  pinion diff 20261123-061530-4f2a 20261124-070000-9c01\n  pinion diff --markdown > comment.md  # for a pull request\n  pinion diff --exit-code --json\n\nExit codes: 0 compared, 2 there is nothing to compare; with --exit-code, 1 the runs differ"
    )]
    Diff(Diff),
    /// Write a table or a blob of a run to a file
    #[command(
        after_help = "Examples:\n  pinion export predict -o predictions.parquet\n  pinion export split.after -o after.csv\n  pinion export fit.model -o model.json"
    )]
    Export(Export),
    /// Remove what no run that is kept needs from the store
    #[command(after_help = GC_HELP)]
    Gc(Gc),
    /// Write a whole run to one file, for a machine that has nothing else
    #[command(after_help = PACK_HELP)]
    Pack(Pack),
    /// Make a project directory of a file that `pinion pack` wrote, every byte checked
    #[command(after_help = UNPACK_HELP)]
    Unpack(Unpack),
    /// Check the toolchain, the lock and every byte in the store
    #[command(
        after_help = "Examples:\n  pinion doctor\n  pinion doctor --repair   # move damaged objects aside, so that they are made anew"
    )]
    Doctor(Doctor),
    /// Print a script with which a shell completes verbs and options
    #[command(
        after_help = "Examples:\n  pinion completions bash > ~/.local/share/bash-completion/completions/pinion\n  pinion completions zsh > ~/.zfunc/_pinion\n  pinion completions fish > ~/.config/fish/completions/pinion.fish"
    )]
    Completions(Completions),
    /// Write the manual pages, for those who make packages
    #[command(
        hide = true,
        after_help = "Examples:\n  pinion man -o /usr/local/share/man/man1"
    )]
    Man(Man),
}

/// Where the pipeline and its store are.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct Place {
    /// Look for pinion.toml in this directory instead of here and upward
    #[arg(short = 'C', value_name = "DIR")]
    pub(crate) directory: Option<PathBuf>,
    /// Keep results here instead of in .pinion beside pinion.toml
    #[arg(long, value_name = "DIR")]
    pub(crate) store: Option<PathBuf>,
    /// Seal results with the key in this file, 64 hexadecimal digits, instead of with the user's own;
    /// what another key sealed is never taken for known [env: PINION_STORE_KEY has the digits]
    #[arg(long, value_name = "FILE")]
    pub(crate) store_key: Option<PathBuf>,
    /// Print one JSON object and nothing else to standard output
    #[arg(long)]
    pub(crate) json: bool,
}

/// How a plan comes about.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct Planning {
    /// Give a param of the pipeline another value
    #[arg(long = "set", value_name = "PARAM=VALUE", value_parser = param)]
    pub(crate) set: Vec<(String, String)>,
    /// Fail if pinion.lock would have to change for components or the table layout; build nothing
    #[arg(long)]
    pub(crate) locked: bool,
    /// As --locked, and sources and params are as they are locked and written too
    #[arg(long, conflicts_with = "set")]
    pub(crate) frozen: bool,
    /// Units at once [default: the number of processors]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) threads: Option<u16>,
    #[command(flatten)]
    pub(crate) caps: CapArgs,
}

fn param(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("expected PARAM=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}

/// The most that any step may use. Of each, the environment and then the user's config say it where nobody says it
/// here; see `docs/config.md`.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct CapArgs {
    /// Let no step use more memory than this, such as `2 GiB`
    #[arg(long, value_name = "SIZE", value_parser = |text: &str| amount(Limit::Memory, text))]
    pub(crate) max_memory: Option<u64>,
    /// Let no unit of a step take longer than this, such as `10 min`
    #[arg(long, value_name = "TIME", value_parser = |text: &str| amount(Limit::Time, text))]
    pub(crate) max_time: Option<u64>,
    /// Let no unit of a step use more fuel than this: about one per instruction
    #[arg(long, value_name = "FUEL", value_parser = |text: &str| amount(Limit::Fuel, text))]
    pub(crate) max_fuel: Option<u64>,
}

fn amount(limit: Limit, text: &str) -> Result<u64, String> {
    let amount = parse_limit(limit, text);
    amount.ok_or_else(|| format!("expected {}", limit_form(limit)))
}

#[derive(Args, Debug)]
pub(crate) struct New {
    /// The directory to make, and the name of the pipeline
    pub(crate) name: PathBuf,
    /// Print one JSON object and nothing else to standard output
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Step {
    /// Make a crate for a step, with the SDK beside it
    #[command(
        after_help = "Examples:\n  pinion step new label-late\n  pinion step new count-rows --kind reduce"
    )]
    New(StepNew),
    /// Build a crate to a component and describe it
    #[command(after_help = "Examples:\n  pinion step build steps/label-late")]
    Build(StepBuild),
    /// Run a step on the cases in its tests/ and compare with what is expected
    #[command(after_help = STEP_TEST_HELP)]
    Test(StepTest),
    /// Run one step again on what it was given in a run
    #[command(after_help = STEP_RUN_HELP)]
    Run(StepRun),
}

const STEP_TEST_HELP: &str = "\
A case is a directory tests/NAME in the crate of the step:
  params.json           the params; none if it is not there
  inputs/PORT.csv       a table, or .parquet or .arrow; of a blob or a source, any file
  inputs/PORT.types.json  types of columns of the CSV file that are not to be inferred,
                        as std:read-csv takes them: {\"id\": \"int32\"}
  expected/PORT.csv     what has to come out: a table, or the bytes of a blob
  expected/error.txt    or, instead, what the step says when it refuses, or its first lines
The rows of a row-map are also cut at other places, which must make no difference. Rows are counted from 0.

Examples:
  pinion step test steps/label-late
  pinion step test label            # by the name that pinion.toml gives the step
  pinion step test --bless          # write what is found to expected/, as BLESS=1 does

Exit codes: 0 all is as expected, 1 something differs, 2 a case cannot be run";

const STEP_RUN_HELP: &str = "\
What the step reads comes out of the store, as the run left it. Its component, its inputs and its
params are those of today's pinion.toml, with the run's --set. Nothing is recorded.

Examples:
  pinion step run label                  # today's component on the last run's inputs
  pinion step run label --run 20261123-061530-4f2a --partition 3
  pinion step run label --recorded       # the component of the run: is every digest equal?

Exit codes: 0 it ran, 1 it failed, or the same component made something else than in the run";

#[derive(Args, Debug)]
pub(crate) struct StepTest {
    /// A crate's directory, a step of pinion.toml or a component [default: the crate here, or all
    /// crates of the pipeline's steps]
    #[arg(value_name = "STEP")]
    pub(crate) step: Option<String>,
    /// The directory with the cases [default: tests in the crate]
    #[arg(long, value_name = "DIR")]
    pub(crate) cases: Option<PathBuf>,
    /// Write what is found to expected/
    #[arg(long)]
    pub(crate) bless: bool,
    #[command(flatten)]
    pub(crate) caps: CapArgs,
    /// Look for pinion.toml in this directory instead of here and upward
    #[arg(short = 'C', value_name = "DIR")]
    pub(crate) directory: Option<PathBuf>,
    /// Print one JSON object and nothing else to standard output
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args, Debug)]
pub(crate) struct StepRun {
    /// The step
    #[arg(value_name = "STEP")]
    pub(crate) step: String,
    /// The run whose inputs it is given [default: the last]
    #[arg(long, value_name = "RUN")]
    pub(crate) run: Option<String>,
    /// Run the unit of this partition alone
    #[arg(long, value_name = "N")]
    pub(crate) partition: Option<u64>,
    /// Use the component, the inputs and the params of that run
    #[arg(long)]
    pub(crate) recorded: bool,
    /// Rows to show of a table
    #[arg(long, value_name = "N", default_value_t = 10)]
    pub(crate) rows: usize,
    #[command(flatten)]
    pub(crate) place: Place,
    #[command(flatten)]
    pub(crate) caps: CapArgs,
}

#[derive(Args, Debug)]
pub(crate) struct StepNew {
    /// The name of the step's crate, made under steps/
    pub(crate) name: String,
    /// The kind of step
    #[arg(long, value_enum, default_value_t = KindArg::RowMap)]
    pub(crate) kind: KindArg,
    /// Look for pinion.toml in this directory instead of here and upward
    #[arg(short = 'C', value_name = "DIR")]
    pub(crate) directory: Option<PathBuf>,
    /// Print one JSON object and nothing else to standard output
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum KindArg {
    /// Brings bytes from outside into a table
    Source,
    /// Row by row
    RowMap,
    /// Partials of partitions, merged
    Reduce,
    /// Everything at once
    WholeTable,
}

#[derive(Args, Debug)]
pub(crate) struct StepBuild {
    /// The crate's directory
    #[arg(default_value = ".")]
    pub(crate) path: PathBuf,
    #[command(flatten)]
    pub(crate) caps: CapArgs,
    /// Look for pinion.toml in this directory instead of here and upward
    #[arg(short = 'C', value_name = "DIR")]
    pub(crate) directory: Option<PathBuf>,
    /// Print one JSON object and nothing else to standard output
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args, Debug)]
pub(crate) struct Lock {
    #[command(flatten)]
    pub(crate) place: Place,
    #[command(flatten)]
    pub(crate) planning: Planning,
}

#[derive(Args, Debug)]
pub(crate) struct Update {
    /// The components to update, as the pipeline names them; all of them if none is named
    pub(crate) components: Vec<String>,
    #[command(flatten)]
    pub(crate) place: Place,
    #[command(flatten)]
    pub(crate) caps: CapArgs,
}

#[derive(Args, Debug)]
pub(crate) struct Plan {
    #[command(flatten)]
    pub(crate) place: Place,
    #[command(flatten)]
    pub(crate) planning: Planning,
}

#[derive(Args, Debug)]
pub(crate) struct Run {
    /// Only these steps and what they need
    #[arg(value_name = "STEP")]
    pub(crate) steps: Vec<String>,
    /// Run everything, whatever is known
    #[arg(long)]
    pub(crate) no_cache: bool,
    /// Go on with steps that do not depend on one that failed
    #[arg(long)]
    pub(crate) keep_going: bool,
    /// Stay, and run again whenever the pipeline, its sources or its crates change
    #[arg(long, conflicts_with_all = ["json", "no_cache"])]
    pub(crate) watch: bool,
    #[command(flatten)]
    pub(crate) place: Place,
    #[command(flatten)]
    pub(crate) planning: Planning,
}

#[derive(Args, Debug)]
pub(crate) struct Verify {
    /// The run to verify [default: the last]
    #[arg(conflicts_with = "expect")]
    pub(crate) run: Option<String>,
    /// Compare with this file, as `pinion run --json` prints it
    #[arg(long, value_name = "FILE")]
    pub(crate) expect: Option<PathBuf>,
    /// Run this share of the units on a second engine too, which is about a hundred times slower, and
    /// compare what both do: `5%`
    #[arg(long, value_name = "SHARE", value_parser = share)]
    pub(crate) cross_check: Option<Share>,
    #[command(flatten)]
    pub(crate) place: Place,
    #[command(flatten)]
    pub(crate) caps: CapArgs,
    /// Units at once [default: the number of processors]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) threads: Option<u16>,
}

/// A share of units such as `5%` or `0.25%`, to the hundredth of a percent.
fn share(text: &str) -> Result<Share, String> {
    let percent = text
        .strip_suffix('%')
        .and_then(|percent| percent.parse().ok());
    let hundredths = percent.map(|percent: f64| (percent * 100.0).round());
    hundredths
        .filter(|hundredths| (1.0..=10_000.0).contains(hundredths))
        .and_then(|hundredths| Share::of_ten_thousand(hundredths as u16))
        .ok_or_else(|| "expected a percentage from 0.01% to 100%, such as `5%`".to_owned())
}

const ADOPT_HELP: &str = "\
What another key sealed, or nobody, as in a pack with results or in a store of an older pinion, is the sender's word: \
it is shown, and no run takes it for known. `pinion verify` makes it again and needs nobody's word. \
`pinion adopt` believes it as it is: from then on runs take it for known, and their records and \
`pinion show` say who adopted it. The same goes for bytes that pinion.lock calls a standard component and that \
this pinion does not know as released.

Examples:
  pinion adopt 20261123-061530-4f2a
  pinion adopt --all --by anna             # every run in the store
  pinion adopt std:read-csv@0.3.0          # the bytes that pinion.lock has for it";

#[derive(Args, Debug)]
pub(crate) struct Adopt {
    /// Runs, and standard components as pinion.lock names them
    #[arg(value_name = "RUN|COMPONENT", required_unless_present = "all")]
    pub(crate) what: Vec<String>,
    /// Every run in the store
    #[arg(long, conflicts_with = "what")]
    pub(crate) all: bool,
    /// Who adopts it, for records and `pinion show` [default: the name of the user]
    #[arg(long, value_name = "NAME", value_parser = adopter)]
    pub(crate) by: Option<String>,
    #[command(flatten)]
    pub(crate) place: Place,
}

/// A name that fits into a line and cannot be taken for more than a name.
fn adopter(text: &str) -> Result<String, String> {
    let is_fit = |c: char| c.is_alphanumeric() || " .-_@+".contains(c);
    let length = text.chars().count();
    match (1..=64).contains(&length) && text.trim() == text && text.chars().all(is_fit) {
        true => Ok(text.to_owned()),
        false => Err("expected up to 64 letters, digits and ` .-_@+`".to_owned()),
    }
}

#[derive(Args, Debug)]
pub(crate) struct Runs {
    #[command(flatten)]
    pub(crate) place: Place,
}

#[derive(Args, Debug)]
pub(crate) struct Show {
    /// A run, a step, or STEP.PORT; a run may stand before the others
    #[arg(num_args = 0..=2, value_name = "[RUN] [STEP[.PORT]]")]
    pub(crate) what: Vec<String>,
    /// Rows to show of a table
    #[arg(long, value_name = "N", default_value_t = 10)]
    pub(crate) rows: usize,
    #[command(flatten)]
    pub(crate) place: Place,
}

#[derive(Args, Debug)]
pub(crate) struct Lineage {
    /// STEP[.PORT], with a run before it if it is not the last
    #[arg(num_args = 1..=2, required = true, value_name = "[RUN] STEP[.PORT]")]
    pub(crate) what: Vec<String>,
    /// Tell which columns reach this column of it
    #[arg(long, value_name = "COLUMN")]
    pub(crate) column: Option<String>,
    /// Tell which rows of files this row of it was, counted from 0
    #[arg(long, value_name = "N", conflicts_with_all = ["column", "from", "never"])]
    pub(crate) row: Option<u64>,
    /// Tell how a column reaches it: COLUMN, STEP.COLUMN, STEP[.PORT] or sources.NAME
    #[arg(long, value_name = "COLUMN", conflicts_with = "never")]
    pub(crate) from: Option<String>,
    /// Fail unless no path leads from a column to it; named as for --from
    #[arg(long, value_name = "COLUMN")]
    pub(crate) never: Option<String>,
    /// With --never, fail also where a step could only have failed because of the column
    #[arg(long, requires = "never")]
    pub(crate) success: bool,
    /// How to draw the steps
    #[arg(long, value_enum, default_value_t = Drawing::Text, conflicts_with_all = ["column", "row", "from", "never", "json"])]
    pub(crate) format: Drawing,
    /// Write the drawing to this file
    #[arg(short, long, value_name = "FILE", conflicts_with_all = ["column", "row", "from", "never", "json"])]
    pub(crate) output: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) place: Place,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Drawing {
    /// Lines for people
    Text,
    /// A flowchart, as Markdown shows it
    Mermaid,
    /// For Graphviz
    Dot,
    /// A picture
    Svg,
}

#[derive(Args, Debug)]
pub(crate) struct Diff {
    /// The old run and the new one [default: the last two; of one, that and the last]
    #[arg(num_args = 0..=2, value_name = "RUN")]
    pub(crate) runs: Vec<String>,
    /// Write Markdown, for a comment on a pull request
    #[arg(long, conflicts_with = "json")]
    pub(crate) markdown: bool,
    /// Exit with 1 if the runs differ
    #[arg(long)]
    pub(crate) exit_code: bool,
    /// Values to show of each table and of each model, 0 for all
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub(crate) limit: usize,
    #[command(flatten)]
    pub(crate) place: Place,
}

#[derive(Args, Debug)]
pub(crate) struct Export {
    /// STEP[.PORT], with a run before it if it is not the last
    #[arg(num_args = 1..=2, required = true, value_name = "[RUN] STEP[.PORT]")]
    pub(crate) what: Vec<String>,
    /// The file to write; its extension says how: parquet, csv, arrow, or anything for a blob
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: PathBuf,
    #[command(flatten)]
    pub(crate) place: Place,
}

#[derive(Args, Debug)]
pub(crate) struct Doctor {
    /// Move damaged objects aside, so that they are made anew
    #[arg(long)]
    pub(crate) repair: bool,
    #[command(flatten)]
    pub(crate) place: Place,
}

#[derive(Args, Debug)]
pub(crate) struct Completions {
    /// The shell
    #[arg(value_enum)]
    pub(crate) shell: clap_complete::Shell,
}

#[derive(Args, Debug)]
pub(crate) struct Man {
    /// The directory to write them to, made if it is not there
    #[arg(short, long, value_name = "DIR")]
    pub(crate) output: PathBuf,
}

const GC_HELP: &str = "\
Kept are, of each pipeline, the last 10 runs of all its steps that succeeded and the last 10 of some of them, \
every run that ended in the last 14 days, and \
everything that these need to be shown, verified or found cached. Whatever was written in the last 14 days \
is kept too, so a run that was interrupted can go on. Waits until no other `pinion` uses the store. \
What was moved to quarantine/, and compiled code in the user's cache, is left alone.

Examples:
  pinion gc --dry-run
  pinion gc --keep 3 --older-than 30d
  pinion gc --keep 1 --older-than 0s --keep-run 20261123-061530-4f2a";

/// What is kept of a store.
#[derive(Args, Debug)]
pub(crate) struct Gc {
    /// Keep so many of the last runs of each pipeline that succeeded, and as many of runs of some steps
    #[arg(long, value_name = "N", default_value_t = 10)]
    pub(crate) keep: usize,
    /// Keep whatever is younger than this, such as 12h, 30d or 6weeks
    #[arg(long, value_name = "AGE", default_value = "14d", value_parser = humantime::parse_duration)]
    pub(crate) older_than: std::time::Duration,
    /// Keep this run too; may be given again
    #[arg(long, value_name = "RUN")]
    pub(crate) keep_run: Vec<String>,
    /// Say what would be removed, and remove nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    #[command(flatten)]
    pub(crate) place: Place,
}

const PACK_HELP: &str = "\
The file is a tar file with the pipeline, its lockfile, every component, the sources' bytes and the run \
record. The same run gives the same bytes on every machine. Sources whose paths have a part that begins with a \
dot, and those called Cargo.toml or build.rs, cannot be packed: no other program is to take orders from them.

Examples:
  pinion pack -o trips.tar                 # the last run that succeeded
  pinion pack 20261123-061530-4f2a -o trips.tar --results";

#[derive(Args, Debug)]
pub(crate) struct Pack {
    /// The run to pack [default: the last that succeeded]
    pub(crate) run: Option<String>,
    /// The file to write
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: PathBuf,
    /// Pack what the run made too, so that it can be shown, exported and found cached
    #[arg(long)]
    pub(crate) results: bool,
    #[command(flatten)]
    pub(crate) place: Place,
}

const UNPACK_HELP: &str = "\
Nothing is taken on trust. Results, if the pack has them, are the sender's word, which no run takes for known \
until `pinion verify` has made them again or `pinion adopt` has taken them over. There are no crates in what is made, so nothing is built there.

Examples:
  pinion unpack trips.tar && pinion verify -C trips
  pinion unpack trips.tar elsewhere && pinion run -C elsewhere --frozen

Exit codes: 0 unpacked, 2 it is not a whole pack, 3 it is not as it was packed";

#[derive(Args, Debug)]
pub(crate) struct Unpack {
    /// The file that `pinion pack` wrote
    pub(crate) file: PathBuf,
    /// The directory to make [default: the file's name without its extension, here]
    pub(crate) directory: Option<PathBuf>,
    /// Take over the bytes that it has for a standard component though this pinion does not know them as
    /// released, such as std:read-csv@0.3.0; may be given again
    #[arg(long, value_name = "COMPONENT")]
    pub(crate) adopt: Vec<String>,
    /// Who adopts them [default: the name of the user]
    #[arg(long, value_name = "NAME", value_parser = adopter, requires = "adopt")]
    pub(crate) by: Option<String>,
    /// Seal that with the key in this file instead of with the user's own [env: PINION_STORE_KEY has the digits]
    #[arg(long, value_name = "FILE")]
    pub(crate) store_key: Option<PathBuf>,
    /// Print one JSON object and nothing else to standard output
    #[arg(long)]
    pub(crate) json: bool,
}

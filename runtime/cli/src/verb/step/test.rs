//! `pinion step test`: a component on fixture tables, compared with what is expected.

mod case;
mod compare;
mod cuts;
mod fixture;
mod report;
mod subject;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use pinion_runtime::component::Component;
use pinion_runtime::plan::{Plan, PlanError};
use pinion_runtime::record::{Artifact, OutputRecord, RunOutcome, StepRecord};
use pinion_runtime::run::{Mode, StoreData};
use pinion_runtime::sandbox::{Descriptor, Kind, StepError};
use pinion_runtime::unit::Blob;

use self::case::{Case, ERROR, Expected};
use self::compare::{Cells, Difference};
use self::report::{Outcome, Report, Verdict};
use crate::alone::{Alone, Reads};
use crate::args::StepTest;
use crate::config;
use crate::failure::{DONE, FAILED, Failure, INTERRUPTED};
use crate::file;
use crate::key;
use crate::project::{end_in_good_order, open_store, with_trace};
use crate::rows::StoredTable;
use crate::ui;
use crate::verb::{export, run};

/// Most differences of one port that are shown.
const MOST_SHOWN: usize = 10;

/// Tests one step, or all of a project.
pub(super) fn test(args: &StepTest) -> Result<u8, Failure> {
    // The scratch store has to go, however this ends.
    end_in_good_order();
    let bless = args.bless || std::env::var_os("BLESS").is_some_and(|value| value == "1");
    let caps = config::caps(&args.caps)?;
    let subjects = subject::chosen(args)?;
    let scratch = tempfile::tempdir()
        .map_err(|error| Failure::on_path("make", std::env::temp_dir().display(), error))?;
    let store = Arc::new(open_store(scratch.path(), key::for_once()?)?);
    let data = StoreData::new(Arc::clone(&store), None, []);
    let alone = Alone::new(store, Arc::new(data), caps)?;
    let mut reports = Vec::new();
    for subject in subjects {
        let component = subject.component()?;
        let tester = Tester {
            descriptor: alone
                .describe(&component)
                .map_err(|error| config::advised(error, alone.caps()))?,
            component,
            alone: &alone,
            root: subject.root(),
            bless,
        };
        let mut verdicts = Vec::new();
        for case in &subject.cases {
            let verdict = tester.verdict(case)?;
            let Some(verdict) = verdict else {
                return Ok(INTERRUPTED);
            };
            verdicts.push(verdict);
        }
        reports.push(Report::new(&subject, &tester.component, verdicts));
    }
    if args.json {
        ui::json(&report::Reports::new(&reports))?;
    } else {
        reports.iter().for_each(Report::show);
    }
    let failed: usize = reports.iter().map(Report::failed).sum();
    if failed == 0 {
        return Ok(DONE);
    }
    if args.json {
        return Ok(FAILED);
    }
    Err(Failure::failed(format!(
        "{} not as expected",
        match failed {
            1 => "1 case is".to_owned(),
            many => format!("{many} cases are"),
        }
    ))
    .hint("if what was found is right, add `--bless` to write it to `expected/`"))
}

/// Runs cases of one component.
struct Tester<'a> {
    component: Component,
    descriptor: Descriptor,
    alone: &'a Alone,
    /// The project, if the component was built in one.
    root: Option<&'a Path>,
    bless: bool,
}

/// What came of a case.
enum Came {
    /// What the step put out.
    Outputs {
        plan: Box<Plan>,
        record: Box<StepRecord>,
    },
    /// The step refused, with these words: its message, and facts below it.
    Refusal(String),
    /// Something else went wrong.
    Broken(Failure),
    /// Whoever asked has lost interest.
    Cancelled,
}

impl Tester<'_> {
    /// What becomes of a case. None if it was cancelled.
    fn verdict(&self, case: &Case) -> Result<Option<Verdict>, Failure> {
        let reads = self.reads(case)?;
        let mut verdict = Verdict::new(case);
        match self.came(case, reads.clone(), None)? {
            Came::Cancelled => return Ok(None),
            Came::Broken(failure) => verdict.broken(&failure),
            Came::Refusal(words) => self.refused(case, &words, &mut verdict)?,
            Came::Outputs { plan, record } => {
                verdict.log(&record);
                self.compare(case, &plan, &record, &mut verdict)?;
                if self.descriptor.kind == Kind::RowMap
                    && verdict.outcome != Outcome::Failed
                    && !cuts::draws(&record)
                {
                    let cut = self.cuts(case, &reads, &record)?;
                    if let Some(difference) = cut {
                        verdict.cut(difference);
                    }
                }
            }
        }
        Ok(Some(verdict))
    }

    /// What comes of a case. Given `batch_rows`, a batch has that many.
    fn came(&self, case: &Case, reads: Reads, batch_rows: Option<u32>) -> Result<Came, Failure> {
        let (pipeline, declared) = fixture::declared(
            case,
            &self.component.key.name,
            &self.descriptor,
            &reads,
            batch_rows,
        )?;
        let plan = match self
            .alone
            .plan(&pipeline, &declared, self.component.clone(), reads)
        {
            Ok(plan) => plan,
            Err(PlanError::Refused {
                message, details, ..
            }) => {
                return Ok(refusal(&message, &details));
            }
            Err(error) => {
                let of_step = matches!(&error, PlanError::Params(_));
                let failure = match self.root {
                    Some(root) => {
                        with_trace(error, |_| Some(&self.component), root, self.alone.caps())
                    }
                    None => Failure::from(error),
                };
                return Ok(match of_step {
                    true => Came::Refusal(failure.error.to_string()),
                    false => Came::Broken(failure),
                });
            }
        };
        let mut ended = self.alone.run(&plan, None, Mode::Cached)?;
        if ended.outcome == RunOutcome::Cancelled {
            return Ok(Came::Cancelled);
        }
        if let Some(failure) = &ended.failure {
            return Ok(match &failure.error {
                StepError::Refused {
                    message, details, ..
                } => refusal(message, details),
                _ => Came::Broken(run::failed_step(&plan, failure, self.root, None)),
            });
        }
        match ended.steps.pop() {
            Some(record) => Ok(Came::Outputs {
                plan: Box::new(plan),
                record: Box::new(record),
            }),
            None => Ok(Came::Cancelled),
        }
    }

    /// Compares what a step said when it refused.
    fn refused(&self, case: &Case, words: &str, verdict: &mut Verdict) -> Result<(), Failure> {
        match &case.expected {
            Expected::Error(expected) if begins_with_lines(words, expected.trim_end()) => {}
            _ if self.bless => {
                let directory = case.directory.join("expected");
                if let Expected::Outputs(files) = &case.expected {
                    files.values().try_for_each(|file| remove(file))?;
                }
                write(&directory.join(ERROR), format!("{words}\n").as_bytes())?;
                verdict.outcome = Outcome::Blessed;
            }
            Expected::Error(expected) => {
                verdict.differs(Difference::of_step("error", expected.trim_end(), words));
            }
            Expected::Outputs(_) | Expected::Nothing => {
                verdict.wrong(format!("it refuses: {words}"));
            }
        }
        Ok(())
    }

    /// Compares what a step put out.
    fn compare(
        &self,
        case: &Case,
        plan: &Plan,
        record: &StepRecord,
        verdict: &mut Verdict,
    ) -> Result<(), Failure> {
        let directory = case.directory.join("expected");
        let none = BTreeMap::new();
        let expected = match &case.expected {
            Expected::Outputs(files) => files,
            Expected::Nothing if self.bless => &none,
            Expected::Error(_) if self.bless => {
                remove(&directory.join(ERROR))?;
                &none
            }
            Expected::Error(words) => {
                let found = "it does not refuse";
                verdict.differs(Difference::of_step("error", words.trim_end(), found));
                return Ok(());
            }
            Expected::Nothing => {
                verdict.wrong(format!("nothing is in `{}` yet", directory.display()));
                return Ok(());
            }
        };
        if let Some((port, file)) = expected
            .iter()
            .find(|(port, _)| record.outputs.iter().all(|output| output.port != **port))
        {
            return Err(fixture::no_port(
                "output",
                port,
                file,
                &self.descriptor.outputs,
            ));
        }
        for output in &record.outputs {
            let file = expected.get(&output.port);
            let differences = match file {
                Some(file) => match self.differences(output, file) {
                    // Whatever it holds is written over.
                    Err(_) if self.bless => (Vec::new(), 1),
                    differences => differences?,
                },
                // Without any, all count.
                None if self.bless && expected.is_empty() => (Vec::new(), 1),
                None => continue,
            };
            if differences.1 == 0 {
                continue;
            }
            if self.bless {
                self.write(plan, output, file.map(PathBuf::as_path), &directory)?;
                verdict.outcome = Outcome::Blessed;
            } else {
                verdict.differ(differences);
            }
        }
        Ok(())
    }

    fn differences(
        &self,
        output: &OutputRecord,
        file: &Path,
    ) -> Result<(Vec<Difference>, usize), Failure> {
        match &output.artifact {
            Artifact::Table(table) => {
                let found = self.cells(&StoredTable::open(&self.alone.store, &table.digest)?)?;
                Ok(found.differences(&output.port, &Cells::read(file)?, MOST_SHOWN))
            }
            Artifact::Blob(blob) => {
                let expected = file::read(file, file::MOST_FIXTURE_BYTES)
                    .map_err(|error| Failure::on_path("read", file.display(), error))?;
                let found = self.alone.store.blob(&blob.digest)?;
                let difference = compare::bytes(&output.port, &expected, &found);
                Ok((
                    difference.iter().cloned().collect(),
                    usize::from(difference.is_some()),
                ))
            }
        }
    }

    fn cells(&self, stored: &StoredTable<'_>) -> Result<Cells, Failure> {
        let batches: Vec<_> = stored.batches().collect::<Result<_, _>>()?;
        Cells::of(&stored.schema, &batches)
            .map_err(|error| Failure::wrong(format!("the rows cannot be shown: {error}")))
    }

    /// Writes an output, to the file that is there for it or to one that suits it.
    fn write(
        &self,
        plan: &Plan,
        output: &OutputRecord,
        file: Option<&Path>,
        directory: &Path,
    ) -> Result<(), Failure> {
        let named = |extension: &str| directory.join(format!("{}.{extension}", output.port));
        match &output.artifact {
            Artifact::Table(table) => {
                let stored = StoredTable::open(&self.alone.store, &table.digest)?;
                let mut fields = stored.schema.fields().iter();
                let nested = fields.any(|field| field.data_type().is_nested());
                let file = file.map(Path::to_owned);
                let file = file.unwrap_or_else(|| named(if nested { "arrow" } else { "csv" }));
                make_parent(&file)?;
                refuse_link(&file)?;
                let label = format!("{}.{}", plan.steps[0].name, output.port);
                export::write_table(&stored, &file, &label)?;
            }
            Artifact::Blob(blob) => {
                let file = file.map(Path::to_owned);
                let file = file.unwrap_or_else(|| named(extension(blob)));
                write(&file, &self.alone.store.blob(&blob.digest)?)?;
            }
        }
        Ok(())
    }
}

fn refusal(message: &str, details: &[(String, String)]) -> Came {
    let facts = details.iter().filter(|(label, _)| label != "hint");
    let facts: Vec<(&str, String)> = facts
        .map(|(label, value)| (label.as_str(), value.clone()))
        .collect();
    Came::Refusal(format!("{message}{}", run::laid_out(&facts)))
}

/// Whether `text` begins with the lines of `start`: what is not said of an error does not count.
fn begins_with_lines(text: &str, start: &str) -> bool {
    let rest = text.strip_prefix(start);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('\n'))
}

/// What a file with a blob is called.
fn extension(blob: &Blob) -> &'static str {
    match blob.media_type.split(';').next().unwrap_or_default().trim() {
        "text/csv" => "csv",
        "application/vnd.apache.parquet" => "parquet",
        "application/vnd.apache.arrow.file" => "arrow",
        json if json == "application/json" || json.ends_with("+json") => "json",
        text if text.starts_with("text/") => "txt",
        _ => "bin",
    }
}

/// Expectations are written where they lie: a link could lead anywhere.
fn refuse_link(file: &Path) -> Result<(), Failure> {
    let places = [Some(file), file.parent()];
    let is_link = |path: &&Path| {
        std::fs::symlink_metadata(path).is_ok_and(|metadata| metadata.file_type().is_symlink())
    };
    match places.into_iter().flatten().find(is_link) {
        Some(link) => Err(Failure::wrong(format!(
            "`{}` is a link, and `--bless` writes through none",
            link.display()
        ))
        .hint("remove the link, or replace it by what it leads to")),
        None => Ok(()),
    }
}

fn make_parent(file: &Path) -> Result<(), Failure> {
    let parent = file.parent().unwrap_or(file);
    std::fs::create_dir_all(parent)
        .map_err(|error| Failure::on_path("make", parent.display(), error))
}

fn write(file: &Path, bytes: &[u8]) -> Result<(), Failure> {
    make_parent(file)?;
    refuse_link(file)?;
    std::fs::write(file, bytes).map_err(|error| Failure::on_path("write", file.display(), error))
}

fn remove(file: &Path) -> Result<(), Failure> {
    std::fs::remove_file(file).map_err(|error| Failure::on_path("remove", file.display(), error))
}

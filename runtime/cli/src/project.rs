//! A pipeline in its directory: from `pinion.toml` and `pinion.lock` to a plan.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use cap_std::ambient_authority;
use cap_std::fs::{Dir, OpenOptions};
use pinion_runtime::adopt;
use pinion_runtime::caps::Caps;
use pinion_runtime::component::{self, BuildReason, Component, ComponentError, Places, Resolved};
use pinion_runtime::digest::ComponentDigest;
use pinion_runtime::error::closest;
use pinion_runtime::lock::{Change, ComponentKey, Lockfile, diff};
use pinion_runtime::pipeline::{
    ComponentRef, Pipeline, SourceDecl, SourceName, StepDecl, StepName,
};
use pinion_runtime::plan::{self, Plan, PlanError, Tools};
use pinion_runtime::record::SourceFile;
use pinion_runtime::regular;
use pinion_runtime::run::StoreData;
use pinion_runtime::sandbox::{CodeCache, Data, Sandbox, Share, StepError};
use pinion_runtime::source::{self, Trust};
use pinion_runtime::store::{Key, Store, StoreError};

use crate::args::{Place, Planning};
use crate::build;
use crate::clock;
use crate::code_cache::UserCodeCache;
use crate::config;
use crate::drift;
use crate::failure::Failure;
use crate::key;
use crate::std_components::{is_released, standard};
use crate::symbols;
use crate::ui;

/// The pipeline file.
pub(crate) const PIPELINE: &str = "pinion.toml";
/// The lockfile.
pub(crate) const LOCK: &str = "pinion.lock";
/// Where the store is, beside the pipeline file, unless somebody says otherwise.
pub(crate) const STORE: &str = ".pinion";
/// Bytes that the pipeline file and the lockfile may have: enough for the names of some millions of sources.
pub(crate) const MOST_TEXT_BYTES: u64 = 1 << 30;

/// Set by Ctrl-C.
static CANCELLED: AtomicBool = AtomicBool::new(false);
/// Whether something is under way that wants to end in good order.
static ORDERLY: AtomicBool = AtomicBool::new(false);

/// Whether Ctrl-C was pressed.
pub(crate) fn cancelled() -> &'static AtomicBool {
    &CANCELLED
}

/// Says that from here on somebody looks at [`cancelled`] and cleans up, as a run that is recorded.
pub(crate) fn end_in_good_order() {
    ORDERLY.store(true, Ordering::Relaxed);
}

/// Makes Ctrl-C end the process; the first one only asks to, after [`end_in_good_order`].
pub(crate) fn on_interrupt() -> Result<(), Failure> {
    ctrlc::set_handler(|| {
        let again = CANCELLED.swap(true, Ordering::Relaxed);
        if again || !ORDERLY.load(Ordering::Relaxed) {
            std::process::exit(i32::from(crate::failure::INTERRUPTED));
        }
    })
    .map_err(|error| Failure::wrong(format!("Ctrl-C cannot be handled: {error}")))
}

/// Units at once, unless somebody says otherwise.
pub(crate) fn threads(asked: Option<u16>) -> usize {
    asked.map_or_else(
        || std::thread::available_parallelism().map_or(1, usize::from),
        usize::from,
    )
}

/// A project's directory with its store.
pub(crate) struct Project {
    /// The directory of the pipeline.
    pub(crate) root: PathBuf,
    /// The same, open.
    pub(crate) dir: Dir,
    /// Its store.
    pub(crate) store: Arc<Store>,
    /// Where that is.
    pub(crate) store_path: PathBuf,
    /// How many units are run on a second engine too; none if there is to be one engine.
    pub(crate) cross_check: Option<Share>,
}

/// A project whose pipeline was resolved.
pub(crate) struct Planned {
    /// The plan.
    pub(crate) plan: Plan,
    /// The pipeline file's text.
    pub(crate) pipeline_text: String,
    /// The lockfile's text, as it is or would be.
    pub(crate) lock_text: String,
    /// What is new in the lockfile.
    pub(crate) changes: Vec<Change>,
    /// Where units run.
    pub(crate) sandbox: Sandbox,
    /// Where columns and blobs are to be had.
    pub(crate) data: Arc<dyn Data>,
}

/// Which locked components may change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Unlock {
    /// None; what is not locked yet is locked.
    New,
    /// Those named, as the pipeline names them; all if none is named.
    Named(BTreeSet<String>),
}

impl Unlock {
    fn includes(&self, reference: &ComponentRef) -> bool {
        match self {
            Self::New => false,
            Self::Named(names) => {
                names.is_empty() || names_of(reference).iter().any(|name| names.contains(name))
            }
        }
    }
}

impl Project {
    /// A sandbox with the user's cache of compiled code, and with as many engines as the project wants.
    pub(crate) fn sandbox(&self, threads: usize, caps: Caps) -> Result<Sandbox, Failure> {
        Ok(match self.cross_check {
            Some(share) => Sandbox::cross_checking(threads, code_cache(), clock::elapsed(), share)?
                .within(caps),
            None => sandbox(threads, caps)?,
        })
    }

    /// The nearest project: in `place.directory`, or here and upward.
    pub(crate) fn open(place: &Place) -> Result<Self, Failure> {
        Self::with_store(place, open_store)
    }

    /// The same, for what has nothing to do in a store that is not there yet: a slip of `--store` makes none.
    pub(crate) fn open_present(place: &Place) -> Result<Self, Failure> {
        refuse_absent(place.store.as_deref())?;
        Self::open(place)
    }

    /// The same, for what only looks at what is in the store, which may be one that cannot be written to.
    pub(crate) fn open_to_read(place: &Place) -> Result<Self, Failure> {
        refuse_absent(place.store.as_deref())?;
        Self::with_store(place, |path, key| match is_store(path) {
            true => open_store_to_read(path, key),
            false => open_store(path, key),
        })
    }

    fn with_store(
        place: &Place,
        open: impl FnOnce(&Path, Key) -> Result<Store, Failure>,
    ) -> Result<Self, Failure> {
        let root = find(place.directory.as_deref())?;
        let dir = Dir::open_ambient_dir(&root, ambient_authority())
            .map_err(|error| Failure::on_path("open", root.display(), error))?;
        let path = place.store.clone().unwrap_or_else(|| root.join(STORE));
        let store = Arc::new(open(&path, store_key(place.store_key.as_deref())?)?);
        Ok(Self {
            root,
            dir,
            store,
            store_path: path,
            cross_check: None,
        })
    }

    /// The name of the pipeline, by which its runs are told from others in the same store; none if the pipeline
    /// file cannot be read just now.
    pub(crate) fn pipeline_name(&self) -> Option<String> {
        let text = self.text(PIPELINE).ok()??;
        Some(Pipeline::parse(&text, PIPELINE, &[]).ok()?.name)
    }

    /// Text of a file of the project, if it is there.
    pub(crate) fn text(&self, name: &str) -> Result<Option<String>, Failure> {
        match regular::read(&self.dir, name, MOST_TEXT_BYTES) {
            Ok(bytes) => String::from_utf8(bytes).map(Some).map_err(|_| {
                Failure::wrong(format!(
                    "`{name}` is not UTF-8\n  in {}",
                    self.root.display()
                ))
            }),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(Failure::on_path(
                "read",
                self.root.join(name).display(),
                error,
            )),
        }
    }

    /// Resolves the pipeline: components found and built, sources read and kept, every type checked.
    ///
    /// The plan has all steps; `steps` are those that the caller is going to ask for, which have to be there.
    /// `trust` says whether sources that seem unchanged are read.
    pub(crate) fn plan(
        &self,
        planning: &Planning,
        unlock: &Unlock,
        steps: &[String],
        trust: Trust,
    ) -> Result<Planned, Failure> {
        let caps = config::caps(&planning.caps)?;
        let pipeline_text = self.text(PIPELINE)?.ok_or_else(|| {
            Failure::wrong(format!(
                "there is no `{PIPELINE}`\n  in {}",
                self.root.display()
            ))
        })?;
        let pipeline = Pipeline::parse(&pipeline_text, PIPELINE, &planning.set)?;
        plan::refuse_unknown(&pipeline, steps)?;
        // Before any crate is built.
        plan::refuse_beyond(&pipeline, &caps)?;
        let old = self
            .text(LOCK)?
            .map(|text| Lockfile::parse(&text, LOCK))
            .transpose()?;
        let frozen = planning.locked || planning.frozen;
        if frozen && old.is_none() {
            return Err(Failure::wrong(format!(
                "there is no `{LOCK}`, and it may not be written now"
            ))
            .hint("to write it, run `pinion lock`"));
        }
        let components = self.components(&pipeline, old.as_ref(), frozen, unlock)?;
        let sources = self.sources(&pipeline, trust, threads(planning.threads))?;
        if let (true, Some(old)) = (planning.frozen, &old) {
            drift::refuse_sources(&pipeline, old, &sources)?;
        }
        let sandbox = self.sandbox(threads(planning.threads), caps)?;
        let data = self.data(&sources)?;
        let tools = Tools {
            store: &self.store,
            sandbox: &sandbox,
            data: &data,
            cancel: &CANCELLED,
        };
        let strangers = plan::strangers(components.values(), tools);
        if !strangers.is_empty() {
            let count = ui::counted(strangers.len() as u64, "component");
            ui::note(&format!("  preparing {count}"));
            plan::introduce(&strangers, threads(planning.threads), tools);
        }
        let known = components.clone();
        let plan = plan::resolve(&pipeline, components, sources, tools).map_err(|error| {
            with_trace(error, |step| known.get(step), &self.root, sandbox.caps())
        })?;
        let new = plan.lockfile();
        let changes = diff(old.as_ref(), &new);
        drift::refuse_changes(planning, &changes)?;
        let lock_text = new.to_text();
        Ok(Planned {
            plan,
            pipeline_text,
            lock_text,
            changes,
            sandbox,
            data,
        })
    }

    /// Writes the lockfile if it says something new, and says what.
    pub(crate) fn write_lock(&self, planned: &Planned, planning: &Planning) -> Result<(), Failure> {
        if planned.changes.is_empty() || planning.locked || planning.frozen {
            return Ok(());
        }
        write_whole(&self.dir, LOCK, planned.lock_text.as_bytes())
            .map_err(|error| Failure::on_path("write", self.root.join(LOCK).display(), error))?;
        for change in &planned.changes {
            ui::note(&format!("  {change}"));
        }
        Ok(())
    }

    /// The component of every step; crates whose sources changed are built.
    fn components(
        &self,
        pipeline: &Pipeline,
        old: Option<&Lockfile>,
        freeze: bool,
        unlock: &Unlock,
    ) -> Result<BTreeMap<StepName, Component>, Failure> {
        if let Unlock::Named(names) = unlock {
            let known: BTreeSet<String> = pipeline
                .steps
                .iter()
                .flat_map(|step| names_of(&step.component))
                .collect();
            if let Some(unknown) = names.iter().find(|name| !known.contains(*name)) {
                let used: BTreeSet<String> = pipeline
                    .steps
                    .iter()
                    .map(|step| step.component.lock_name())
                    .collect();
                let listed: Vec<String> = used.iter().map(|name| format!("`{name}`")).collect();
                let failure = Failure::wrong(format!(
                    "no step uses component `{unknown}`\n  expected one of {}",
                    listed.join(", ")
                ));
                return Err(match closest(unknown, used.iter().map(String::as_str)) {
                    Some(meant) => failure.hint(format!("did you mean `{meant}`?")),
                    None => failure,
                });
            }
        }
        let standard = standard();
        let kept = |digest: &ComponentDigest| self.kept(digest);
        let places = Places {
            project: &self.dir,
            standard,
            kept: &kept,
            is_standard: &|key, digest| self.is_standard(key, digest),
        };
        component::refuse_same_files(&pipeline.steps)?;
        // Whatever is not there is told before anything is built.
        let mut resolved: BTreeMap<String, Resolved> = BTreeMap::new();
        for step in &pipeline.steps {
            if let Entry::Vacant(new) = resolved.entry(step.component.to_string()) {
                let locked = old
                    .filter(|_| !unlock.includes(&step.component))
                    .and_then(|lock| lock.component(&step.component));
                let found = component::resolve(&step.component, locked, places, freeze)
                    .map_err(|error| error.used_by(step))?;
                if let (ComponentRef::Crate { path }, Resolved::Component(_), false) =
                    (&step.component, &found, freeze)
                    && !component::has_crate(&self.dir, path)
                {
                    let reference = &step.component;
                    ui::note(&format!(
                        "  {reference} is not here, so it runs as it is locked"
                    ));
                }
                new.insert(found);
            }
        }
        let mut built: BTreeMap<String, Component> = BTreeMap::new();
        let mut components = BTreeMap::new();
        for step in &pipeline.steps {
            let reference = step.component.to_string();
            if let Some(found) = resolved.remove(&reference) {
                let component = match found {
                    Resolved::Component(component) => component,
                    Resolved::Unbuilt { path, reason } => {
                        let why = match reason {
                            BuildReason::New => "it is not locked yet",
                            BuildReason::SourcesChanged => "its sources changed",
                        };
                        ui::note(&format!("  building {reference}: {why}"));
                        self.build(step, &path)?
                    }
                };
                if !self.store.has_component(&component.digest) {
                    self.store.put_component(&component.bytes)?;
                }
                built.insert(reference.clone(), component);
            }
            if let Some(component) = built.get(&reference) {
                components.insert(step.name.clone(), component.clone());
            }
        }
        Ok(components)
    }

    /// The component of one step as it is today. A crate whose sources changed is built, and neither its
    /// bytes nor the lockfile are written: that is for whoever runs the pipeline.
    pub(crate) fn component(&self, step: &StepDecl) -> Result<Component, Failure> {
        let lock = self.text(LOCK)?;
        let lock = lock.map(|text| Lockfile::parse(&text, LOCK)).transpose()?;
        let locked = lock
            .as_ref()
            .and_then(|lock| lock.component(&step.component));
        let kept = |digest: &ComponentDigest| self.kept(digest);
        let places = Places {
            project: &self.dir,
            standard: standard(),
            kept: &kept,
            is_standard: &|key, digest| self.is_standard(key, digest),
        };
        let found = component::resolve(&step.component, locked, places, false);
        match found.map_err(|error| error.used_by(step))? {
            Resolved::Component(component) => Ok(component),
            Resolved::Unbuilt { path, .. } => {
                let bytes = build::component(&self.root.join(&path), &self.root)?;
                let sources = component::crate_sources(&self.dir, &path)
                    .map_err(|error| ComponentError::from(error).used_by(step))?;
                Ok(Component::built(&path, sources, bytes.into()))
            }
        }
    }

    /// Whether bytes were released as a standard component, or taken over as one.
    pub(crate) fn is_standard(&self, key: &ComponentKey, digest: &ComponentDigest) -> bool {
        let adopted = || adopt::component_adopted(&self.store, key, digest);
        is_released(key, digest) || matches!(adopted(), Ok(Some(_)))
    }

    /// The bytes that the store keeps under a digest.
    fn kept(&self, digest: &ComponentDigest) -> std::io::Result<Option<bytes::Bytes>> {
        let bytes = self.store.component(digest);
        bytes
            .map(|bytes| bytes.map(bytes::Bytes::from))
            .map_err(std::io::Error::other)
    }

    /// Builds the crate at `path` and keeps the component beside the lockfile.
    fn build(&self, step: &StepDecl, path: &str) -> Result<Component, Failure> {
        let directory = self.root.join(path);
        let bytes = build::component(&directory, &self.root)?;
        let sources = component::crate_sources(&self.dir, path)
            .map_err(|error| ComponentError::from(error).used_by(step))?;
        let file = component::component_file(path);
        if let Some((parent, _)) = file.rsplit_once('/') {
            self.dir.create_dir_all(parent).map_err(|error| {
                Failure::on_path("make", self.root.join(parent).display(), error)
            })?;
        }
        write_whole(&self.dir, &file, &bytes)
            .map_err(|error| Failure::on_path("write", self.root.join(&file).display(), error))?;
        Ok(Component::built(path, sources, bytes.into()))
    }

    fn sources(
        &self,
        pipeline: &Pipeline,
        trust: Trust,
        threads: usize,
    ) -> Result<BTreeMap<SourceName, Vec<SourceFile>>, Failure> {
        let scan = |declared: &SourceDecl| {
            Ok((
                declared.name.clone(),
                source::scan(&self.dir, declared, &self.store, trust, threads)?,
            ))
        };
        pipeline.sources.iter().map(scan).collect()
    }

    fn data(
        &self,
        sources: &BTreeMap<SourceName, Vec<SourceFile>>,
    ) -> Result<Arc<dyn Data>, Failure> {
        let files = sources.values().flatten().cloned();
        let project = self
            .dir
            .try_clone()
            .map_err(|error| Failure::on_path("open", self.root.display(), error))?;
        Ok(Arc::new(StoreData::new(
            Arc::clone(&self.store),
            Some(project),
            files,
        )))
    }
}

/// The failure, with where a step was if it trapped before it was given data, and whose cap it was if it reached
/// one.
pub(crate) fn with_trace<'a>(
    error: PlanError,
    component: impl FnOnce(&str) -> Option<&'a Component>,
    root: &Path,
    caps: &Caps,
) -> Failure {
    let (trace, advice) = match &error {
        PlanError::Component { step, error, .. }
        | PlanError::Probe { step, error, .. }
        | PlanError::Check { step, error, .. } => match (error, component(step)) {
            (StepError::Trapped { frames, .. }, Some(component)) => {
                let trace = symbols::frames(component.digest, &component.bytes, root, frames);
                (trace, None)
            }
            _ => (Vec::new(), config::advice(error, caps)),
        },
        _ => (Vec::new(), None),
    };
    let failure = Failure::from(error);
    Failure {
        trace: trace.iter().map(ToString::to_string).collect(),
        hint: advice.or(failure.hint),
        ..failure
    }
}

/// Names under which a person may mean a component: with and without its version.
fn names_of(reference: &ComponentRef) -> Vec<String> {
    vec![reference.to_string(), reference.lock_name()]
}

/// A sandbox with the user's cache of compiled code, where no guest may use more than `caps`.
pub(crate) fn sandbox(threads: usize, caps: Caps) -> Result<Sandbox, Failure> {
    Ok(Sandbox::new(threads, code_cache(), clock::elapsed())?.within(caps))
}

fn code_cache() -> Option<Arc<dyn CodeCache>> {
    UserCodeCache::open().map(|cache| Arc::new(cache) as Arc<dyn CodeCache>)
}

/// Whether there is a store.
pub(crate) fn is_store(path: &Path) -> bool {
    path.join("version").is_file()
}

/// Refuses a `--store` that is none.
fn refuse_absent(store: Option<&Path>) -> Result<(), Failure> {
    match store.filter(|path| !is_store(path)) {
        None => Ok(()),
        Some(path) => Err(
            Failure::wrong(format!("there is no store at `{}`", path.display()))
                .hint("give the directory that `pinion run --store DIR` was given"),
        ),
    }
}

/// The key of stores. That it ends with this process is told once.
pub(crate) fn store_key(file: Option<&Path>) -> Result<Key, Failure> {
    static TOLD: AtomicBool = AtomicBool::new(false);
    let (key, is_passing) = key::of_stores(file)?;
    if is_passing && !TOLD.swap(true, Ordering::Relaxed) {
        ui::note(
            "  there is no place for a key of yours, so the cache is private to this run; `PINION_STORE_KEY` or `--store-key FILE` gives it one",
        );
    }
    Ok(key)
}

/// Opens a store, making its directory.
pub(crate) fn open_store(path: &Path, key: Key) -> Result<Store, Failure> {
    let dir = std::fs::create_dir_all(path)
        .and_then(|()| Dir::open_ambient_dir(path, ambient_authority()));
    let dir = dir.map_err(|error| {
        Failure::on_path("open the store", path.display(), error)
            .hint("to keep results elsewhere, give `--store DIR`")
    })?;
    let orderly = ORDERLY.load(Ordering::Relaxed);
    let store = Store::open_telling(dir, key, &waiting);
    ORDERLY.store(orderly, Ordering::Relaxed);
    opened(path, store)
}

/// Opens a store that is there, and makes and changes nothing in it.
pub(crate) fn open_store_to_read(path: &Path, key: Key) -> Result<Store, Failure> {
    let dir = Dir::open_ambient_dir(path, ambient_authority())
        .map_err(|error| Failure::on_path("open the store", path.display(), error))?;
    opened(path, Store::open_to_read(dir, key, &waiting))
}

fn waiting() {
    // Nothing has begun that would have to be ended in good order: Ctrl-C ends this at once.
    ORDERLY.store(false, Ordering::Relaxed);
    ui::note("  waiting for another `pinion`, which is removing things from the store");
}

fn opened(path: &Path, store: Result<Store, StoreError>) -> Result<Store, Failure> {
    store.map_err(|error| {
        let failure = Failure::from(error);
        match failure.hint {
            Some(_) => failure,
            None => failure.hint(format!(
                "the store is `{}`; to keep results elsewhere, give `--store DIR`",
                path.display()
            )),
        }
    })
}

/// Writes a file so that it is there as a whole or not at all, also after a power cut: nothing could make a
/// lockfile again.
fn write_whole(dir: &Dir, name: &str, bytes: &[u8]) -> std::io::Result<()> {
    let temporary = format!("{name}.{}.tmp", std::process::id());
    let mut options = OpenOptions::new();
    // New, or somebody could have put a link or a pipe there.
    options.write(true).create_new(true);
    let mut file = match dir.open_with(&temporary, &options) {
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            dir.remove_file(&temporary)?;
            dir.open_with(&temporary, &options)?
        }
        opened => opened?,
    };
    file.write_all(bytes)?;
    file.sync_all()?;
    drop(file);
    dir.rename(&temporary, dir, name)
}

/// The directory of the nearest project.
pub(crate) fn find(directory: Option<&Path>) -> Result<PathBuf, Failure> {
    let here = match directory {
        Some(directory) => {
            return if directory.join(PIPELINE).is_file() {
                Ok(directory.to_path_buf())
            } else {
                Err(Failure::wrong(format!(
                    "there is no `{PIPELINE}`\n  in {}",
                    directory.display()
                )))
            };
        }
        None => std::env::current_dir().map_err(|error| Failure::on_path("find", ".", error))?,
    };
    let found = here
        .ancestors()
        .find(|directory| directory.join(PIPELINE).is_file());
    found.map(Path::to_path_buf).ok_or_else(|| {
        Failure::wrong(format!(
            "there is no `{PIPELINE}`\n  in {} or above it",
            here.display()
        ))
        .hint("to make a project, run `pinion new NAME`; to name one, give `-C DIR`")
    })
}

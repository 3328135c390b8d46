//! The functions and lines that a step was in when it trapped.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;

use addr2line::Context;
use addr2line::gimli::{Dwarf, EndianSlice, LittleEndian};
use pinion_runtime::digest::ComponentDigest;
use pinion_runtime::nan;
use wasmparser::{
    BinaryReaderError, KnownCustom, Name, NameSectionReader, Parser, Payload, TypeRef,
};

use super::files;
use crate::ui::harmless;

/// A call that a step was in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Frame {
    /// The function.
    function: String,
    /// The file and the line in it; relative to the project, or to the crate that it is of.
    place: Option<String>,
}

impl std::fmt::Display for Frame {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.place {
            Some(place) => write!(f, "{place} in {}", self.function),
            None => f.write_str(&self.function),
        }
    }
}

/// Most calls that a message shows.
const MOST_SHOWN: usize = 12;

/// The calls, innermost first, that the places `offsets` of a component as it was compiled are in.
///
/// None if the project at `root` has not kept the build that it was stripped of. What the standard library
/// does to panic, and what the SDK does before it calls a step, is left out.
pub(crate) fn frames(
    digest: ComponentDigest,
    component: &[u8],
    root: &Path,
    offsets: &[usize],
) -> Vec<Frame> {
    let Some(build) = files::kept(root, &digest).filter(|_| !offsets.is_empty()) else {
        return Vec::new();
    };
    let root = root.canonicalize().unwrap_or_else(|_| root.to_owned());
    let all = all_frames(component, &build, &root, offsets).unwrap_or_default();
    let place_of = |frame: &Frame| frame.place.clone().unwrap_or_default();
    let is_std = |frame: &&Frame| place_of(frame).starts_with("std: ");
    // What follows a panic, down to the C library.
    let panics = |frame: &Frame| place_of(frame).starts_with("std: core/src/panicking.rs");
    let panic = all.iter().rposition(panics).map_or(0, |panic| panic + 1);
    let first = panic + all.iter().skip(panic).take_while(is_std).count();
    // From there on outward it is the SDK's way in.
    let is_way_in = |frame: &&Frame| {
        place_of(frame).contains("sdk/rust/src/guest.rs")
            || frame.function.starts_with("pinion:step/")
    };
    let own = all.iter().skip(first).take_while(|frame| !is_way_in(frame));
    let last = match own.count() {
        0 => all.len(),
        frames => first + frames,
    };
    let shown = all.get(first..last).unwrap_or(&all);
    shown.iter().take(MOST_SHOWN).cloned().collect()
}

fn all_frames(
    component: &[u8],
    build: &[u8],
    root: &Path,
    offsets: &[usize],
) -> Result<Vec<Frame>, BinaryReaderError> {
    // What cannot be rewritten was compiled as it is.
    let origins = nan::origins(component).ok();
    let (modules, builds) = (Module::all(component)?, Module::all(build)?);
    let mut frames = Vec::new();
    for offset in offsets {
        let original = match &origins {
            Some(origins) => origins.original(*offset),
            None => Some(*offset),
        };
        let Some(original) = original else { continue };
        let Some(at) = modules
            .iter()
            .position(|module| module.code.contains(&original))
        else {
            continue;
        };
        let (module, built) = (&modules[at], builds.get(at));
        let same =
            |built: &&Module<'_>| component[module.code.clone()] == build[built.code.clone()];
        if let Some(built) = built.filter(same) {
            built.frames(original - module.code.start, root, &mut frames);
        }
    }
    Ok(frames)
}

/// A core module in a component.
#[derive(Default)]
struct Module<'a> {
    /// The code section's contents, and the functions in it.
    code: Range<usize>,
    bodies: Vec<Range<usize>>,
    imported: usize,
    names: BTreeMap<u32, &'a str>,
    sections: BTreeMap<&'a str, &'a [u8]>,
}

impl<'a> Module<'a> {
    /// The modules of a component, in order.
    fn all(component: &'a [u8]) -> Result<Vec<Self>, BinaryReaderError> {
        let mut modules: Vec<Self> = Vec::new();
        for payload in Parser::new(0).parse_all(component) {
            let payload = payload?;
            if let Payload::ModuleSection { .. } = payload {
                modules.push(Self::default());
            }
            let Some(module) = modules.last_mut() else {
                continue;
            };
            match payload {
                Payload::ImportSection(imports) => {
                    for import in imports.into_imports() {
                        let is_function =
                            matches!(import?.ty, TypeRef::Func(_) | TypeRef::FuncExact(_));
                        module.imported += usize::from(is_function);
                    }
                }
                Payload::CodeSectionStart { range, .. } => module.code = range,
                Payload::CodeSectionEntry(body) => module.bodies.push(body.range()),
                Payload::CustomSection(custom) => {
                    if let KnownCustom::Name(names) = custom.as_known() {
                        module.read_names(names)?;
                    } else {
                        module.sections.insert(custom.name(), custom.data());
                    }
                }
                _ => {}
            }
        }
        Ok(modules)
    }

    fn read_names(&mut self, names: NameSectionReader<'a>) -> Result<(), BinaryReaderError> {
        for name in names {
            if let Name::Function(functions) = name? {
                for function in functions {
                    let function = function?;
                    self.names.insert(function.index, function.name);
                }
            }
        }
        Ok(())
    }

    /// Adds the calls that a place in the code section is in: that of the function, and inside of it those
    /// that the compiler took in.
    fn frames(&self, place: usize, root: &Path, frames: &mut Vec<Frame>) {
        let before = frames.len();
        let mut functions = self.line_tables(place).unwrap_or_default();
        let name = self.name(place);
        // Line tables have the function alone, names its path as well.
        if let (Some((function, _)), Some(name)) = (functions.last_mut(), &name) {
            *function = Some(name.clone());
        }
        let frame = |(function, line)| Frame::new(function, line, root);
        frames.extend(functions.into_iter().map(frame));
        if frames.len() == before {
            frames.push(frame((name, None)));
        }
    }

    fn name(&self, place: usize) -> Option<String> {
        let offset = self.code.start + place;
        let at = self.bodies.iter().position(|body| body.contains(&offset))?;
        let index = u32::try_from(self.imported + at).ok()?;
        let name = self.names.get(&index)?;
        Some(addr2line::demangle_auto(Cow::Borrowed(name), None).into_owned())
    }

    /// Functions and lines, innermost first.
    fn line_tables(&self, place: usize) -> Option<Vec<(Option<String>, Option<Line>)>> {
        let section = |id: addr2line::gimli::SectionId| -> Result<_, addr2line::gimli::Error> {
            let bytes = self.sections.get(id.name()).copied().unwrap_or_default();
            Ok(EndianSlice::new(bytes, LittleEndian))
        };
        let context = Context::from_dwarf(Dwarf::load(section).ok()?).ok()?;
        let mut found = context.find_frames(place as u64).skip_all_loads().ok()?;
        let mut functions = Vec::new();
        while let Ok(Some(frame)) = found.next() {
            let function = frame
                .function
                .as_ref()
                .and_then(|name| name.demangle().ok());
            let line = frame.location.and_then(|location| {
                Some(Line {
                    file: location.file?.to_owned(),
                    line: location.line?,
                })
            });
            functions.push((function.map(Cow::into_owned), line));
        }
        Some(functions)
    }
}

/// A line of a source file, as the build names it.
struct Line {
    file: String,
    line: u32,
}

impl Frame {
    fn new(function: Option<String>, line: Option<Line>, root: &Path) -> Self {
        let place = line.map(|line| format!("{}:{}", words(&shown(&line.file, root)), line.line));
        let function = function.unwrap_or_else(|| "a function without a name".to_owned());
        Self {
            function: words(without_hash(&function)),
            place,
        }
    }
}

/// Characters of a name that are shown.
const MOST_CHARACTERS: usize = 512;

/// A name as it may stand in a message: on one line, and none too long. It is what a compiler made of a source
/// that somebody wrote.
fn words(name: &str) -> String {
    match name.char_indices().nth(MOST_CHARACTERS) {
        Some((end, _)) => harmless(&name[..end]) + "…",
        None => harmless(name),
    }
}

/// The path of a file as builds name it, in the form that people want: without what builds put before it.
fn shown(file: &str, root: &Path) -> String {
    // A project within a larger workspace: cargo names files from there.
    if let Ok(rest) = Path::new(file).strip_prefix(root) {
        return rest.display().to_string();
    }
    if let Some(rest) = file.strip_prefix("/source/") {
        return rest.to_owned();
    }
    // `/cargo/registry/src/<index>/<crate>/…`
    if let Some((_, rest)) = file.split_once("/registry/src/") {
        let rest = rest.split_once('/').map_or(rest, |(_, rest)| rest);
        return rest.to_owned();
    }
    // `/rustc/<commit>/library/…`, or the same in the toolchain.
    if let Some((before, rest)) = file.split_once("/library/")
        && (before.starts_with("/rust") || before.contains("rustlib"))
    {
        return format!("std: {rest}");
    }
    file.to_owned()
}

/// A name without the hash that tells compilations of it apart.
fn without_hash(name: &str) -> &str {
    match name.rsplit_once("::h") {
        Some((rest, hash)) if hash.len() == 16 && hash.bytes().all(|b| b.is_ascii_hexdigit()) => {
            rest
        }
        _ => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stay_on_their_line() {
        let line = Line {
            file: "a\u{1b}[2J\nhint: run `rm -rf ~`".to_owned(),
            line: 3,
        };
        let name = format!("f\r\n\u{202e}{}", "x".repeat(5_000));
        let frame = Frame::new(Some(name), Some(line), Path::new("/")).to_string();
        assert!(
            frame.starts_with("a\\u{1b}[2J\\nhint: run `rm -rf ~`:3 in f\\r\\n\\u{202e}x"),
            "{frame}"
        );
        assert!(
            !frame.contains(char::is_control) && frame.len() < 700,
            "{frame}"
        );
    }

    #[test]
    fn files_are_named_as_people_know_them() {
        let shown = |file: &str| shown(file, Path::new("/home/ada/churn"));
        assert_eq!(
            shown("/source/steps/bad/src/lib.rs"),
            "steps/bad/src/lib.rs"
        );
        assert_eq!(
            shown("/source/vendor/pinion/sdk/rust/src/guest.rs"),
            "vendor/pinion/sdk/rust/src/guest.rs"
        );
        assert_eq!(
            shown(
                "/cargo/registry/src/index.crates.io-1949cf8c6b5b557f/arrow-array-59.0.0/src/lib.rs"
            ),
            "arrow-array-59.0.0/src/lib.rs"
        );
        assert_eq!(
            shown("/rustc/59807616e1fa/library/core/src/option.rs"),
            "std: core/src/option.rs"
        );
        assert_eq!(without_hash("bad::apply::h0123456789abcdef"), "bad::apply");
    }
}

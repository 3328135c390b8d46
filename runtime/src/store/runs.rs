//! Run records as files.
//!
//! The lines are those that [`record`](crate::record) describes, and each has in front of its end the code of
//! whoever wrote it: `,"code":[code, how it came to be, digest]`. The code covers the run and all lines so far;
//! the digest only tells what is damaged from what is somebody else's. Without their codes the lines are those
//! of a pack, and of stores of version 1.

use std::io::Write as _;

use super::disk::DiskFile;
use super::key::{Code, Key, Standing};
use super::{Kind, Store, StoreError};
use crate::digest::{Digest, StructuredHasher};
use crate::record::{Chain, Line, RecordError, RunId, RunRecord};

/// What stands between a line and its code.
const CODE: &str = ",\"code\":[";
/// What a line with a code ends with.
const END: &str = "]}";

/// A run record that is being written, line by line.
#[derive(Debug)]
pub struct RunWriter {
    file: DiskFile,
    path: String,
    chain: Chain,
    codes: Codes,
    /// Bytes of the lines so far.
    len: u64,
}

impl RunWriter {
    /// Adds a line. It has reached the operating system when this returns, and the outcome the disk.
    ///
    /// # Errors
    /// - [`StoreError::Json`]: it could not be written as JSON.
    /// - [`StoreError::Io`]: the file system refused.
    pub fn append(&mut self, line: &Line) -> Result<(), StoreError> {
        let before = (self.chain.clone(), self.codes.clone());
        let text = self.chain.seal(line).map_err(StoreError::json(Kind::Run))?;
        let text = self.codes.add(text.trim_end(), &Standing::Made);
        // One call, so that a kill leaves at most the last line torn.
        let written = self
            .file
            .write_all(text.as_bytes())
            .and_then(|()| match line {
                Line::Outcome(_) => self.file.sync(),
                Line::Run(_) | Line::Step(_) => Ok(()),
            });
        match written {
            Ok(()) => self.len += text.len() as u64,
            Err(_) => {
                // A full disk may have taken half of the line, which must not end up between others.
                (self.chain, self.codes) = before;
                let _ = self.file.cut(self.len);
            }
        }
        written.map_err(StoreError::io("write", &self.path))
    }
}

impl Store {
    /// Begins the record of a run.
    ///
    /// # Errors
    /// - [`StoreError::RunExists`]: there is one of this id.
    /// - [`StoreError::Io`]: the file system refused.
    pub fn create_run(&self, id: &RunId) -> Result<RunWriter, StoreError> {
        let path = run_path(id);
        let file = self
            .files
            .append(&path)?
            .ok_or_else(|| StoreError::RunExists { id: id.clone() })?;
        Ok(RunWriter {
            file,
            path,
            chain: Chain::default(),
            codes: Codes::of(id, &self.key),
            len: 0,
        })
    }

    /// The ids of all runs whose record has begun, with a whole line, the oldest first.
    ///
    /// # Errors
    /// [`StoreError::Io`]: the file system refused.
    pub fn runs(&self) -> Result<Vec<RunId>, StoreError> {
        let mut ids = Vec::new();
        for name in self.files.list("runs")? {
            let Some(id) = parse_run_name(&name) else {
                continue;
            };
            // A kill can tear the first line too, and then nothing is known of the run.
            if self.files.has_line(&run_path(&id))? {
                ids.push(id);
            }
        }
        Ok(ids)
    }

    /// The last of the ids that are taken, whatever is known of its run.
    ///
    /// # Errors
    /// [`StoreError::Io`]: the file system refused.
    pub fn last_id(&self) -> Result<Option<RunId>, StoreError> {
        let names = self.files.list("runs")?;
        Ok(names.iter().rev().find_map(|name| parse_run_name(name)))
    }

    /// The record of a run.
    ///
    /// # Errors
    /// - [`StoreError::Missing`]: there is no such run.
    /// - [`StoreError::Record`]: its record cannot be read.
    /// - [`StoreError::Io`]: the file system refused.
    pub fn run(&self, id: &RunId) -> Result<RunRecord, StoreError> {
        Ok(self.told_run(id)?.0)
    }

    /// The record of a run, and whose word it is.
    ///
    /// # Errors
    /// As [`Store::run`].
    pub fn told_run(&self, id: &RunId) -> Result<(RunRecord, Standing), StoreError> {
        let path = run_path(id);
        let missing = || StoreError::Missing {
            kind: Kind::Run,
            name: id.to_string(),
        };
        let bytes = self.files.read(&path)?.ok_or_else(missing)?;
        parse(&bytes, &self.key, id, &path).map_err(|source| StoreError::Record {
            id: id.clone(),
            source,
        })
    }
}

/// Makes the codes of the lines of one record, one after the other.
#[derive(Clone, Debug)]
struct Codes {
    key: Key,
    /// The run, and the lines so far without their codes.
    lines: StructuredHasher,
}

impl Codes {
    fn of(id: &RunId, key: &Key) -> Self {
        let mut lines = StructuredHasher::new("pinion record codes v1");
        lines.text(id.as_str());
        Self {
            key: key.clone(),
            lines,
        }
    }

    /// The text of a line with its code and its newline.
    fn add(&mut self, line: &str, standing: &Standing) -> String {
        self.lines.text(line);
        let (Some(code), Some(open)) = (
            self.key.code(&self.lines.finish(), standing),
            line.strip_suffix('}'),
        ) else {
            return format!("{line}\n");
        };
        let whole = whole(line, &code);
        let code = serde_json::to_string(&(code.mac, code.words, whole)).unwrap_or_default();
        format!("{open}{CODE}{}}}\n", code.trim_start_matches('['))
    }

    /// Whose word a line of this code is, and all before it.
    fn standing(&mut self, line: &str, code: Option<&Code>) -> Standing {
        self.lines.text(line);
        let of = self.lines.finish();
        code.map_or(Standing::Foreign, |code| self.key.standing(&of, code))
    }
}

/// Tells a line and its code from what is damaged.
fn whole(line: &str, code: &Code) -> Digest {
    let mut hasher = StructuredHasher::new("pinion record line and code v1");
    hasher.text(line).text(&code.mac).text(&code.words);
    hasher.finish()
}

/// A line without its code, and the code.
fn split(line: &str) -> Option<(String, Code)> {
    let (open, code) = line.strip_suffix(END)?.rsplit_once(CODE)?;
    let (mac, words, digest) = serde_json::from_str(&format!("[{code}]")).ok()?;
    let (line, code) = (format!("{open}}}"), Code { mac, words });
    (whole(&line, &code) == digest).then_some((line, code))
}

/// The lines of a record without codes, and whose word they are.
pub(super) struct Plain {
    pub(super) lines: Vec<u8>,
    pub(super) standing: Standing,
    /// Whether any line has a code, of whomever.
    pub(super) has_code: bool,
}

/// Takes the codes out of a record. The code of the last whole line counts: it covers those before it.
pub(super) fn plain(bytes: &[u8], key: &Key, id: &RunId) -> Plain {
    let mut codes = Codes::of(id, key);
    let mut plain = Plain {
        lines: Vec::with_capacity(bytes.len()),
        standing: Standing::Foreign,
        has_code: false,
    };
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        let text = line.strip_suffix(b"\n").map(std::str::from_utf8);
        let Some(Ok(text)) = text else {
            // What is torn, or no text, is refused or passed over with the lines.
            plain.lines.extend_from_slice(line);
            continue;
        };
        let (text, code) = match split(text) {
            Some((text, code)) => (text, Some(code)),
            None => (text.to_owned(), None),
        };
        plain.has_code |= code.is_some();
        plain.standing = codes.standing(&text, code.as_ref());
        plain.lines.extend_from_slice(text.as_bytes());
        plain.lines.push(b'\n');
    }
    plain
}

/// The same record, where each line says how it came to be.
pub(super) fn sealed(bytes: &[u8], key: &Key, id: &RunId, standing: &Standing) -> Vec<u8> {
    let plain = plain(bytes, key, id);
    let mut codes = Codes::of(id, key);
    let mut sealed = Vec::with_capacity(plain.lines.len());
    for line in plain.lines.split_inclusive(|byte| *byte == b'\n') {
        match line.strip_suffix(b"\n").map(std::str::from_utf8) {
            Some(Ok(line)) => sealed.extend_from_slice(codes.add(line, standing).as_bytes()),
            _ => sealed.extend_from_slice(line),
        }
    }
    sealed
}

/// A record that lies where that of the run `id` does.
pub(super) fn parse(
    bytes: &[u8],
    key: &Key,
    id: &RunId,
    path: &str,
) -> Result<(RunRecord, Standing), RecordError> {
    let told = plain(bytes, key, id);
    let record = RunRecord::parse(&told.lines, path)?;
    match record.start.id == *id {
        true => Ok((record, told.standing)),
        // A copy under a later name would be taken for the last run.
        false => Err(RecordError::OtherRun {
            file: path.to_owned(),
            found: record.start.id,
        }),
    }
}

pub(super) fn run_path(id: &RunId) -> String {
    format!("runs/{id}.jsonl")
}

pub(super) fn parse_run_name(name: &str) -> Option<RunId> {
    name.strip_suffix(".jsonl")?.parse().ok()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::arrow::samples::Random;
    use crate::record::samples::lines;

    fn id() -> RunId {
        "20261123-061530-4f2a".parse().unwrap()
    }

    /// The lines of a record without codes.
    fn written() -> Vec<u8> {
        let mut chain = Chain::default();
        let sealed = lines(&mut Random(1)).into_iter();
        let sealed = sealed.map(|line| chain.seal(&line).unwrap());
        sealed.collect::<String>().into_bytes()
    }

    #[test]
    fn codes_are_put_into_lines_and_taken_out_again() {
        let (key, other) = (Key::new(&[1; 32], &[0; 32]), Key::of_nobody());
        let lines = written();
        let told = plain(&lines, &key, &id());
        assert_eq!((told.standing, told.has_code), (Standing::Foreign, false));
        let by = "a \",\"code\":[ b".to_owned();
        for standing in [Standing::Made, Standing::Verified, Standing::Adopted { by }] {
            let sealed = sealed(&lines, &key, &id(), &standing);
            let own = plain(&sealed, &key, &id());
            assert!(own.lines == lines && own.has_code);
            assert_eq!(own.standing, standing);
            let theirs = plain(&sealed, &other, &id());
            assert!(theirs.lines == lines);
            assert_eq!(theirs.standing, Standing::Foreign);
            // Of a run that was killed, the first lines are as much one's own.
            let newlines = (0..sealed.len()).filter(|at| sealed[*at] == b'\n');
            for newline in newlines {
                assert_eq!(plain(&sealed[..=newline], &key, &id()).standing, standing);
            }
            // Those of one run are not those of another.
            let later = "20991231-000000-0000".parse().unwrap();
            assert_eq!(plain(&sealed, &key, &later).standing, Standing::Foreign);
            // A line that somebody else has added, with whichever code, makes it his word.
            let last = sealed
                .split_inclusive(|byte| *byte == b'\n')
                .next_back()
                .unwrap();
            let added = [&sealed[..], last].concat();
            assert_eq!(plain(&added, &key, &id()).standing, Standing::Foreign);
            let added = [&sealed[..], b"{\"line\":\"step\",\"check\":\"\"}\n"].concat();
            assert_eq!(plain(&added, &key, &id()).standing, Standing::Foreign);
            // A bit of a code is a bit of the record: nothing of it passes for the lines that were written.
            let mut random = Random(2);
            for _ in 0..500 {
                let mut damaged = sealed.clone();
                let at = random.below(damaged.len());
                damaged[at] ^= 1 << random.below(8);
                let found = plain(&damaged, &key, &id());
                assert!(found.lines != lines, "{at}");
            }
        }
    }
}

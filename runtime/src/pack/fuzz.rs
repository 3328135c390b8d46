//! The fuzz body of packs. See [`crate::fuzz`].

#![expect(
    clippy::unwrap_used,
    reason = "a body that fails is what is looked for"
)]

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::AtomicBool;

use cap_std::ambient_authority;
use cap_std::fs::Dir;

use super::archive::{END, header, padding, read_header};
use super::list::{self, Entry, List};
use super::{PACK_VERSION, unpack};
use crate::digest::Digest;
use crate::fuzz::told;

/// A pack, as it is, and as it would be written with the files that are found in it. Nothing is made
/// outside of the directory it is unpacked to, and in it there are only files of the list.
pub fn pack(bytes: &[u8]) -> bool {
    let raw = unpacked(bytes);
    let rewritten = rewritten(bytes);
    raw | rewritten.is_some_and(|rewritten| rewritten != bytes && unpacked(&rewritten))
}

fn unpacked(bytes: &[u8]) -> bool {
    let scratch = tempfile::tempdir().unwrap();
    let inside = scratch.path().join("inside");
    std::fs::create_dir(&inside).unwrap();
    let into = Dir::open_ambient_dir(&inside, ambient_authority()).unwrap();
    let never = AtomicBool::new(false);
    let result = unpack(&mut { bytes }, bytes.len() as u64, &into, &never);
    let beside = std::fs::read_dir(scratch.path()).unwrap().count();
    assert_eq!(beside, 1, "something lies outside");
    let files = plain_files(&inside);
    match result {
        Ok(unpacked) => {
            // Of the store's own are its version, its lock and its gate.
            assert!(
                (unpacked.files..=unpacked.files + 3).contains(&files),
                "{files}"
            );
            true
        }
        Err(error) => {
            told(&error);
            false
        }
    }
}

/// The number of files under a directory, in which there is nothing else but directories.
fn plain_files(directory: &Path) -> u64 {
    let entries = std::fs::read_dir(directory).unwrap();
    let count = |entry: std::io::Result<std::fs::DirEntry>| {
        let entry = entry.unwrap();
        let kind = entry.file_type().unwrap();
        assert!(
            kind.is_file() || kind.is_dir(),
            "{}",
            entry.path().display()
        );
        if kind.is_dir() {
            plain_files(&entry.path())
        } else {
            1
        }
    };
    entries.map(count).sum()
}

/// The pack of the files that the bytes seem to have, with lengths and digests that are right.
fn rewritten(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut files = BTreeMap::new();
    let mut rest = bytes;
    while let Some((block, after)) = rest.split_first_chunk::<512>() {
        rest = after;
        let Some((path, len)) = read_header(block) else {
            continue;
        };
        let len = after.len().min(usize::try_from(len).ok()?);
        let content = &after[..len];
        rest = &after[after.len().min(len.next_multiple_of(512))..];
        if !path.is_empty() {
            files.insert(path, content);
        }
    }
    let text = files.remove(list::NAME)?;
    let (run, results) = match serde_json::from_slice::<List>(text) {
        Ok(list) => (list.run, list.results),
        Err(_) => ("20261123-061530-4f2a".parse().ok()?, true),
    };
    let entry = |(path, content): (&String, &&[u8])| Entry {
        path: path.clone(),
        bytes: content.len() as u64,
        digest: Digest::of(content),
    };
    let list = List {
        format: PACK_VERSION,
        run,
        results,
        files: files.iter().map(entry).collect(),
    };
    let text = list.to_bytes().ok()?;
    let mut pack = Vec::new();
    let all = std::iter::once((list::NAME, &*text)).chain(
        files
            .iter()
            .map(|(path, content)| (path.as_str(), *content)),
    );
    for (path, content) in all {
        pack.extend(header(path, content.len() as u64).ok()?);
        pack.extend_from_slice(content);
        pack.extend_from_slice(&END[..padding(content.len() as u64)]);
    }
    pack.extend_from_slice(&END);
    Some(pack)
}

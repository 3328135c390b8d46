//! Packs: a whole run as one file, for a machine that has nothing else.
//!
//! A pack is a tar file of what [`unpack`] makes of it: a project directory in which the run can be verified
//! and run again. It is not compressed, since columns of Parquet and components hardly are any smaller then.
//!
//! ```text
//! pinion-pack.json                  the list: every other file, with its length and digest
//! .pinion/runs/<id>.jsonl           the run record
//! .pinion/blobs/…                   the texts of the pipeline and the lockfile, as the run had them
//! .pinion/components/…              components that travel with the binary or are nowhere else
//! components/…, *.wasm              the bytes of the project's own steps
//! pinion.toml, pinion.lock          the same texts
//! <path of a source>                the bytes that the run read
//! .pinion/…                         with results: all else that the run made, by which it is known again
//! ```
//!
//! # One run, one pack
//!
//! Files are sorted by their paths, and headers say nothing but path and length: times, owners and modes
//! are always the same. So the same run gives the same bytes on every machine, and a pack that was packed
//! again after [`unpack`] is the same pack.
//!
//! # What a pack is trusted with
//!
//! With nothing. The list is read first, and says how long the file has to be. Then every header has to be,
//! to the byte, the one that [`pack`] would write for the next file of the list: so there are no links, no
//! devices, no file twice and none that the list does not have. Paths have to be relative, without `..`,
//! and every file is made anew through the directory that was handed in. Every file has the digest that
//! the list says. At last everything is held against the run record, which checks itself: a file that the
//! run does not reach is refused, in the store too, and so is anything in the store that is not what its name
//! says. Outside of the store, no file may be called as one that programs take orders from: so there are no
//! crates, whose build scripts would run outside of the sandbox, and no settings of cargo or git.
//!
//! # What a pack proves
//!
//! Nothing by itself: nobody signs packs, and seals and digests only say that bytes are those that were
//! written. Without results, all that is there is what goes in, and whatever comes out was computed here. With
//! results, they are the sender's word: the record says which they are, and the recipes and memos by which
//! later runs find them say what they are results of. Nothing of it has the code of a key, so no run takes it for
//! known, until `pinion verify` has made it again or `pinion adopt` has taken it over.

mod archive;
mod error;
#[cfg(any(test, feature = "fuzz"))]
pub(crate) mod fuzz;
mod list;
mod read;
mod write;

use crate::record::{Artifact, RunRecord};
use crate::store::{ObjectId, Store, StoreError};

pub use self::error::PackError;
pub use self::read::{Unpacked, unpack};
pub use self::write::{Contents, Packed, pack};

/// The version of the form of packs that is written, and the only one that is read.
pub const PACK_VERSION: u32 = 1;

/// What errors call the file of the pack itself, whose name is not known here.
pub const WHOLE: &str = "the pack";

/// Where the store is in a pack, and in what is made of it.
const STORE: &str = ".pinion/";
/// The pipeline's file.
const PIPELINE: &str = "pinion.toml";
/// The lockfile.
const LOCK: &str = "pinion.lock";

/// What the steps of a run put out: recipes and memos can be done without, this cannot.
fn artifacts(run: &RunRecord, store: &Store) -> Result<Vec<ObjectId>, StoreError> {
    let mut objects = Vec::new();
    for output in run.steps.iter().flat_map(|step| &step.outputs) {
        match &output.artifact {
            Artifact::Blob(blob) => objects.push(ObjectId::Blob(blob.digest)),
            Artifact::Table(table) => {
                objects.push(ObjectId::Table(table.digest));
                let manifest = store.sound_table(&table.digest)?;
                let files = manifest.map(|table| table.files()).unwrap_or_default();
                objects.extend(files.into_iter().map(ObjectId::ChunkFile));
            }
        }
    }
    Ok(objects)
}

/// The file that has the committed bytes of a component, if it does not travel with the binary.
fn component_path(key: &crate::lock::ComponentKey, origin: &crate::lock::Origin) -> Option<String> {
    use crate::lock::Origin;
    match origin {
        Origin::Std => None,
        Origin::Crate { file, .. } => Some(file.clone()),
        Origin::File => Some(key.name.trim_start_matches("./").to_owned()),
    }
}

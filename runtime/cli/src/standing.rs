//! Whose word a run is, as it is shown.

use pinion_runtime::record::RunRecord;
use pinion_runtime::store::{Standing, Store, StoreError};

use crate::ui;

/// A word for lists and for JSON.
pub(crate) fn name(standing: &Standing) -> &'static str {
    match standing {
        Standing::Made => "own",
        Standing::Verified => "verified",
        Standing::Adopted { .. } => "adopted",
        Standing::Foreign => "foreign",
    }
}

/// What there is to say of a run; nothing of one that was made here.
pub(crate) fn sentence(standing: &Standing) -> Option<String> {
    match standing {
        Standing::Made => None,
        Standing::Verified => Some("the sender's, and was made again here with the same digests".to_owned()),
        Standing::Adopted { by } => Some(format!("the sender's, adopted by {by}")),
        Standing::Foreign => Some(
            "the sender's word: it was not written with this store's key; `pinion verify` makes it again, `pinion adopt` takes it over"
                .to_owned(),
        ),
    }
}

/// Whose word the record of a run is.
pub(crate) fn of(store: &Store, run: &RunRecord) -> Result<Standing, StoreError> {
    Ok(store.told_run(&run.start.id)?.1)
}

/// Tells whose word a run is, in a line of its own, unless it was made here.
pub(crate) fn tell(store: &Store, run: &RunRecord) -> Result<(), StoreError> {
    let standing = of(store, run)?;
    if let Some(sentence) = sentence(&standing) {
        ui::note(&format!("  run {} is {sentence}", run.start.id));
    }
    Ok(())
}

//! What is no file where a file ought to be: told by a check, never a reason to stop, and out of the way once
//! something is to be kept there.

use super::*;
use crate::store::ObjectId;

/// Where an object of each kind that is read whole or mapped lies.
fn places() -> Vec<String> {
    let digest = Digest::of(b"x");
    [
        ObjectId::Blob(digest),
        ObjectId::ChunkFile(digest),
        ObjectId::Component(ComponentDigest::of(b"x")),
        ObjectId::Table(digest),
        ObjectId::Memo {
            name: "check".to_owned(),
            key: digest,
        },
        ObjectId::Recipe {
            first: digest,
            key: digest,
        },
        ObjectId::Run("20261123-061530-4f2a".parse().unwrap()),
    ]
    .iter()
    .map(|id| id.path().unwrap())
    .collect()
}

#[test]
fn directories_in_place_of_objects_are_damage_and_stop_nothing() {
    for path in places() {
        let (directory, store) = store();
        std::fs::create_dir_all(directory.path().join(&path)).unwrap();
        let damages = store.check().unwrap();
        assert_eq!(damages.len(), 1, "{path}: {damages:?}");
        assert!(
            matches!(damages[0].fault, Fault::NoFile(_)),
            "{path}: {damages:?}"
        );
        // For everybody else it is not there.
        assert!(store.list().unwrap().is_empty(), "{path}");
        assert!(store.runs().unwrap().is_empty(), "{path}");
        assert!(
            store
                .component(&ComponentDigest::of(b"x"))
                .unwrap()
                .is_none()
        );
        assert!(!store.has_blob(&Digest::of(b"x")));
        store.repair(&damages).unwrap();
        assert!(store.check().unwrap().is_empty(), "{path}");
        // Twice: what was moved away first is no file that can be replaced.
        std::fs::create_dir_all(directory.path().join(&path)).unwrap();
        store.repair(&store.check().unwrap()).unwrap();
        assert!(store.check().unwrap().is_empty(), "{path}");
    }
}

#[test]
fn what_is_in_the_way_is_moved_when_something_is_kept() {
    let (directory, store) = store();
    let (blob, key) = (Digest::of(b"x"), Digest::of(b"key"));
    let path = |id: ObjectId| directory.path().join(id.path().unwrap());
    let memo = path(ObjectId::Memo {
        name: "check".to_owned(),
        key,
    });
    std::fs::create_dir_all(path(ObjectId::Blob(blob)).join("a")).unwrap();
    // A file where a directory ought to be.
    std::fs::create_dir_all(memo.parent().unwrap().parent().unwrap()).unwrap();
    std::fs::write(memo.parent().unwrap(), "").unwrap();
    assert_eq!(store.check().unwrap().len(), 2);
    assert_eq!(store.memo("check", &key).unwrap(), None);
    store.put_blob(b"x").unwrap();
    store.put_memo("check", &key, b"fact").unwrap();
    assert_eq!(store.blob(&blob).unwrap(), b"x"[..]);
    assert_eq!(store.memo("check", &key).unwrap().unwrap(), b"fact");
    assert!(store.check().unwrap().is_empty());
}

#[test]
fn files_of_terabytes_without_a_byte_are_damage() {
    for path in places() {
        // Columns and blobs are mapped, and what they hold is hashed.
        if path.starts_with("blobs") || path.starts_with("chunks") {
            continue;
        }
        let (directory, store) = store();
        let path = directory.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::File::create(&path)
            .unwrap()
            .set_len(1 << 42)
            .unwrap();
        assert!(store.memo("check", &Digest::of(b"x")).unwrap().is_none());
        let damages = store.check().unwrap();
        assert!(
            matches!(
                damages.as_slice(),
                [Damage {
                    fault: Fault::NoFile(_),
                    ..
                }]
            ),
            "{damages:?}"
        );
        assert!(
            store
                .component(&ComponentDigest::of(b"x"))
                .unwrap()
                .is_none()
        );
        assert!(store.runs().unwrap().is_empty());
    }
}

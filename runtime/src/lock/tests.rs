//! The layout of a lockfile, what of it is accepted, and what is refused.

use proptest::collection::{btree_map, btree_set, vec};
use proptest::prelude::*;

use super::*;
use crate::error::Hint;

const A: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
const B: &str = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";

fn component_digest(hex: &str) -> ComponentDigest {
    format!("sha256:{hex}").parse().unwrap()
}

fn digest(hex: &str) -> Digest {
    format!("blake3:{hex}").parse().unwrap()
}

fn std_key(name: &str, version: &str) -> ComponentKey {
    ComponentKey {
        name: name.to_owned(),
        version: Some(version.parse().unwrap()),
    }
}

fn field(name: &str, format: &str, nullable: bool, children: u32) -> WireField {
    WireField {
        name: name.to_owned(),
        format: format.to_owned(),
        nullable,
        children,
        metadata: Vec::new(),
    }
}

fn flights() -> Lockfile {
    let mut lock = Lockfile::new("1", Layout::default());
    lock.components.insert(
        std_key("std:read-csv", "0.1.0"),
        LockedComponent {
            origin: Origin::Std,
            digest: component_digest(A),
            capabilities: BTreeSet::new(),
        },
    );
    lock.components.insert(
        ComponentKey {
            name: "./steps/label-late".to_owned(),
            version: None,
        },
        LockedComponent {
            origin: Origin::Crate {
                sources: digest(B),
                file: "components/label-late.wasm".to_owned(),
            },
            digest: component_digest(B),
            capabilities: BTreeSet::from(["wasi:http/outgoing-handler@0.2.6".to_owned()]),
        },
    );
    lock.sources.insert(
        "flights".parse().unwrap(),
        BTreeMap::from([
            (
                "data/b.csv".to_owned(),
                LockedFile {
                    digest: digest(B),
                    size_bytes: 20,
                },
            ),
            (
                "data/a.csv".to_owned(),
                LockedFile {
                    digest: digest(A),
                    size_bytes: 10,
                },
            ),
        ]),
    );
    let mut tags = field("tags", "+l", true, 1);
    tags.metadata = vec![("unit".to_owned(), "a \"b\"".to_owned())];
    lock.probes.insert(
        "read".parse().unwrap(),
        vec![
            field("hour", "tsu:UTC", false, 0),
            tags,
            field("item", "u", true, 0),
        ],
    );
    lock
}

fn parse(text: &str) -> Result<Lockfile, LockError> {
    Lockfile::parse(text, "pinion.lock")
}

fn refused(text: &str) -> String {
    let error = parse(text).unwrap_err();
    let source = std::error::Error::source(&error).map(|source| format!("\ncaused by: {source}"));
    let hint = error.hint().unwrap_or_default();
    format!("{error}{}\n\nhint: {hint}", source.unwrap_or_default())
}

#[test]
fn one_fact_stands_on_one_line() {
    insta::assert_snapshot!(flights().to_text(), @r#"
    # This file is written by `pinion lock`; do not edit it by hand.
    version = 1
    semantics = "1"

    [layout]
    batch_rows = 16384
    partition_batches = 8

    [[component]]
    name = "./steps/label-late"
    origin = "crate"
    digest = "sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
    sources = "blake3:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
    file = "components/label-late.wasm"
    capabilities = [
        "wasi:http/outgoing-handler@0.2.6",
    ]

    [[component]]
    name = "std:read-csv"
    version = "0.1.0"
    origin = "std"
    digest = "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

    [[source]]
    name = "flights"
    files = [
        { path = "data/a.csv", digest = "blake3:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", size = 10 },
        { path = "data/b.csv", digest = "blake3:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb", size = 20 },
    ]

    [[probe]]
    step = "read"
    fields = [
        { name = "hour", format = "tsu:UTC" },
        { name = "tags", format = "+l", nullable = true, children = 1, metadata = { "unit" = "a \"b\"" } },
        { name = "item", format = "u", nullable = true },
    ]
    "#);
}

#[test]
fn a_lockfile_in_another_layout_is_the_same() {
    let text = format!(
        r#"
semantics = '1'
probe = [{{ fields = [
    {{ format = "tsu:UTC", name = "hour", nullable = false, children = 0, metadata = {{}} }},
    {{ name = "tags", nullable = true, format = "+l", children = 1, metadata = {{ unit = 'a "b"' }} }},
    {{ name = "item", format = "u", nullable = true }} ], step = "read" }}]
layout = {{ partition_batches = 8, batch_rows = 16_384 }}
version = 1 # as the first one

[[source]]
files = [{{ size = 0x14, path = "data/b.csv", digest = "blake3:{B}" }},
         {{ path = "data/a.csv", digest = "blake3:{A}", size = 10 }}]
name = "flights"

[[component]]
name = "std:read-csv"
origin = "std"
digest = "sha256:{A}"
version = "0.1.0"
capabilities = []

[[component]]
digest = "sha256:{B}"
file = "components/label-late.wasm"
name = "./steps/label-late"
origin = "crate"
sources = "blake3:{B}"
capabilities = ["wasi:http/outgoing-handler@0.2.6"]
"#
    );
    let lock = parse(&text).unwrap();
    assert_eq!(lock, flights());
    assert_eq!(lock.to_text(), flights().to_text());
}

#[test]
fn a_reference_finds_the_newest_version_it_admits() {
    let mut lock = flights();
    let newer = LockedComponent {
        origin: Origin::Std,
        digest: component_digest(B),
        capabilities: BTreeSet::new(),
    };
    lock.components
        .insert(std_key("std:read-csv", "0.1.10"), newer.clone());
    lock.components
        .insert(std_key("std:read-csv", "0.2.0"), newer);
    let found = |version: &str| {
        let name = "read-csv".to_owned();
        let version = semver::VersionReq::parse(version).unwrap();
        let reference = ComponentRef::Std { name, version };
        lock.component(&reference).map(|(key, _)| key.to_string())
    };
    assert_eq!(found("~0.1"), Some("std:read-csv@0.1.10".to_owned()));
    assert_eq!(found("=0.1.0"), Some("std:read-csv@0.1.0".to_owned()));
    assert_eq!(found("~0.3"), None);
    let label = ComponentRef::Crate {
        path: "steps/label-late".to_owned(),
    };
    assert!(lock.component(&label).is_some());
}

#[test]
fn a_newer_lockfile_is_refused() {
    let text = flights()
        .to_text()
        .replace("version = 1\n", "version = 2\n");
    insta::assert_snapshot!(refused(&text), @r#"
    the lockfile has an unsupported version
      expected version 1
      found    version 2
      in       pinion.lock

    hint: it was written by a newer `pinion`: use that one
    "#);
}

#[test]
fn a_newer_lockfile_that_reads_differently_is_refused_for_its_version() {
    insta::assert_snapshot!(refused("version = 2\nengine = 1\n"), @r#"
    the lockfile cannot be read and has an unsupported version
      expected version 1
      found    version 2
      in       pinion.lock
    caused by: the lockfile is not valid: unknown field `engine`, expected one of `version`, `semantics`, `layout`, `component`, `source`, `probe`
      in pinion.lock, line 2
        2 | engine = 1
          | ^^^^^^

    hint: it was written by a newer `pinion`: use that one
    "#);
}

#[test]
fn text_that_is_not_toml_is_refused() {
    insta::assert_snapshot!(refused("version = 1\nsemantics =\n"), @r#"
    the lockfile is not valid: string values must be quoted, expected literal string
      in pinion.lock, line 2
        2 | semantics =
          |            ^

    hint: restore the one that was committed; or remove it and run `pinion lock` to lock anew
    "#);
}

#[test]
fn a_lockfile_without_a_version_is_refused() {
    insta::assert_snapshot!(refused("semantics = \"1\"\n"), @r#"
    the lockfile is not valid: missing field `version`
      in pinion.lock, line 1
        1 | semantics = "1"
          | ^

    hint: restore the one that was committed; or remove it and run `pinion lock` to lock anew
    "#);
}

#[test]
fn an_unknown_key_is_refused() {
    let text = flights()
        .to_text()
        .replace("origin = \"std\"", "origin = \"std\"\nsigner = \"x\"");
    insta::assert_snapshot!(refused(&text), @r#"
    the lockfile is not valid: unknown field `signer`, expected one of `name`, `version`, `origin`, `digest`, `sources`, `file`, `capabilities`
      in pinion.lock, line 23
        23 | signer = "x"
           | ^^^^^^

    hint: restore the one that was committed; or remove it and run `pinion lock` to lock anew
    "#);
}

#[test]
fn a_damaged_digest_is_refused() {
    let text = flights()
        .to_text()
        .replace(&format!("sha256:{A}"), "sha256:aaaa");
    insta::assert_snapshot!(refused(&text), @r#"
    the lockfile is not valid: not a digest
      expected `sha256:` and 64 lower-case hexadecimal digits
      found    `sha256:aaaa`
      in       pinion.lock, line 23
        23 | digest = "sha256:aaaa"
           |          ^^^^^^^^^^^^^

    hint: restore the one that was committed; or remove it and run `pinion lock` to lock anew
    "#);
}

#[test]
fn a_path_that_leaves_is_refused() {
    let text = flights()
        .to_text()
        .replace("components/label-late.wasm", "../label-late.wasm");
    insta::assert_snapshot!(refused(&text), @r#"
    the lockfile is not valid: path `../label-late.wasm` cannot be used: it leaves the directory of the pipeline with `..`
      in pinion.lock, line 14
        14 | file = "../label-late.wasm"
           |        ^^^^^^^^^^^^^^^^^^^^

    hint: restore the one that was committed; or remove it and run `pinion lock` to lock anew
    "#);
}

#[test]
fn a_component_that_is_there_twice_is_refused() {
    let text = flights().to_text();
    let (head, component) = text.split_once("[[component]]").unwrap();
    let component = component.split_once("[[source]]").unwrap().0;
    let text = format!("{head}[[component]]{component}[[component]]{component}");
    insta::assert_snapshot!(refused(&text), @r#"
    the lockfile is not valid: component `./steps/label-late` is there twice
      in pinion.lock, line 25
        25 | [[component]]
           | ^^^^^^^^^^^^^

    hint: restore the one that was committed; or remove it and run `pinion lock` to lock anew
    "#);
}

#[test]
fn a_crate_without_its_file_is_refused() {
    let text = flights()
        .to_text()
        .replace("file = \"components/label-late.wasm\"\n", "");
    insta::assert_snapshot!(refused(&text), @r#"
    the lockfile is not valid: crate `./steps/label-late` has no `sources` or no `file`
      in pinion.lock, line 9
        9 | [[component]]
          | ^^^^^^^^^^^^^

    hint: restore the one that was committed; or remove it and run `pinion lock` to lock anew
    "#);
}

fn changes(old: Option<&Lockfile>, new: &Lockfile) -> String {
    let lines: Vec<String> = diff(old, new).iter().map(ToString::to_string).collect();
    lines.join("\n")
}

#[test]
fn a_first_lock_tells_what_is_locked() {
    insta::assert_snapshot!(changes(None, &flights()), @r#"
    locked ./steps/label-late sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb, wants wasi:http/outgoing-handler@0.2.6
    locked std:read-csv@0.1.0 sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa
    locked source flights, 2 files
    "#);
}

#[test]
fn equal_lockfiles_have_no_changes() {
    assert_eq!(diff(Some(&flights()), &flights()), []);
}

#[test]
fn an_upgrade_tells_versions_bytes_and_new_capabilities() {
    let mut new = flights();
    new.semantics = "2".to_owned();
    new.layout.batch_rows = 1024;
    let (_, mut read) = new.components.pop_last().unwrap();
    read.digest = component_digest(B);
    read.capabilities
        .insert("wasi:sockets/tcp@0.2.6".to_owned());
    new.components
        .insert(std_key("std:read-csv", "0.1.1"), read);
    new.components.pop_first();
    insta::assert_snapshot!(changes(Some(&flights()), &new), @r#"
    updated engine semantics 1 -> 2
    updated layout 16384 x 8 -> 1024 x 8
    removed ./steps/label-late
    updated std:read-csv 0.1.0 sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa -> 0.1.1 sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb, wants wasi:sockets/tcp@0.2.6
    "#);
}

#[test]
fn other_files_and_fields_are_told() {
    let mut new = flights();
    let files = new.sources.values_mut().next().unwrap();
    files.remove("data/a.csv");
    files.insert(
        "data/c.csv".to_owned(),
        LockedFile {
            digest: digest(A),
            size_bytes: 1,
        },
    );
    files.insert(
        "data/b.csv".to_owned(),
        LockedFile {
            digest: digest(A),
            size_bytes: 1,
        },
    );
    new.probes.values_mut().next().unwrap().pop();
    insta::assert_snapshot!(changes(Some(&flights()), &new), @r#"
    source flights changed: 1 added, 1 changed, 1 removed
    step read finds another schema in its source
    "#);
    new.sources.clear();
    insta::assert_snapshot!(changes(Some(&flights()), &new), @r#"
    removed source flights
    step read finds another schema in its source
    "#);
}

/// Text with all that has to be escaped.
fn any_text() -> impl Strategy<Value = String> {
    any::<String>()
}

fn any_name() -> impl Strategy<Value = String> {
    "[a-z][a-z0-9_-]{0,8}"
}

/// Without the letters that the names of devices have.
fn any_path() -> impl Strategy<Value = String> {
    "[a-nqstv-z é']{0,4}[a-nqstv-zé'](/[a-nqstv-z=.]{1,4}[a-nqstv-z]){0,2}"
}

fn any_component() -> impl Strategy<Value = (ComponentKey, LockedComponent)> {
    let version = proptest::option::of((0u64..3, 0u64..3, any::<u64>()));
    let origin = prop_oneof![
        Just(Origin::Std),
        Just(Origin::File),
        (any::<[u8; 32]>(), any_path()).prop_map(|(bytes, file)| {
            Origin::Crate {
                sources: Digest::from_bytes(bytes),
                file,
            }
        }),
    ];
    let capabilities = btree_set(any_text(), 0..3);
    (any_text(), version, origin, any::<[u8; 32]>(), capabilities).prop_map(
        |(name, version, origin, bytes, capabilities)| {
            let version = version.map(|(a, b, c)| Version::new(a, b, c));
            let digest = ComponentDigest::from_bytes(bytes);
            (
                ComponentKey { name, version },
                LockedComponent {
                    origin,
                    digest,
                    capabilities,
                },
            )
        },
    )
}

fn any_field() -> impl Strategy<Value = WireField> {
    let metadata = btree_map(any_text(), any_text(), 0..3);
    (
        any_text(),
        any_text(),
        any::<bool>(),
        any::<u32>(),
        metadata,
    )
        .prop_map(|(name, format, nullable, children, metadata)| WireField {
            name,
            format,
            nullable,
            children,
            metadata: metadata.into_iter().collect(),
        })
}

fn any_lockfile() -> impl Strategy<Value = Lockfile> {
    // TOML integers end at 2^63.
    let file =
        (any::<[u8; 32]>(), 0..=i64::MAX as u64).prop_map(|(bytes, size_bytes)| LockedFile {
            digest: Digest::from_bytes(bytes),
            size_bytes,
        });
    let source_name = any_name().prop_map(|name| name.parse().unwrap());
    let step_name = any_name().prop_map(|name| name.parse().unwrap());
    (
        any_text(),
        (1..=u32::MAX, 1..=u32::MAX),
        vec(any_component(), 0..4),
        btree_map(source_name, btree_map(any_path(), file, 0..4), 0..3),
        btree_map(step_name, vec(any_field(), 0..4), 0..3),
    )
        .prop_map(
            |(semantics, (batch_rows, partition_batches), components, sources, probes)| Lockfile {
                semantics,
                layout: Layout {
                    batch_rows,
                    partition_batches,
                },
                components: components.into_iter().collect(),
                sources,
                probes,
            },
        )
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(lock in any_lockfile()) {
        let text = lock.to_text();
        let back = parse(&text).unwrap();
        prop_assert_eq!(&back, &lock);
        prop_assert_eq!(back.to_text(), text);
    }

    #[test]
    fn no_text_makes_the_parser_panic(text: String) {
        let _ = parse(&text);
    }
}

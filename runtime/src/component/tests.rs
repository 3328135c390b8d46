use std::collections::BTreeSet;

use cap_std::ambient_authority;
use tempfile::TempDir;

use super::*;
use crate::error::Hint as _;
use crate::pipeline::StepDecl;

/// A project directory with `files`.
fn project(files: &[(&str, &str)]) -> (TempDir, Dir) {
    let temp = tempfile::tempdir().unwrap();
    let dir = Dir::open_ambient_dir(temp.path(), ambient_authority()).unwrap();
    for (path, contents) in files {
        write(&dir, path, contents);
    }
    (temp, dir)
}

fn write(dir: &Dir, path: &str, contents: &str) {
    if let Some((parent, _)) = path.rsplit_once('/') {
        dir.create_dir_all(parent).unwrap();
    }
    dir.write(path, contents).unwrap();
}

fn std_component(name: &'static str, version: &str, bytes: &'static [u8]) -> StdComponent {
    StdComponent {
        name,
        version: version.parse().unwrap(),
        digest: ComponentDigest::of(bytes),
        bytes,
    }
}

/// A step that uses `text`.
fn step(text: &str) -> StepDecl {
    let pipeline = format!(
        "[pipeline]\nname = \"t\"\n\n[sources.s]\npath = \"s\"\n\n[steps.a]\nuse = \"{text}\"\ninput = \"sources.s\"\n"
    );
    let pipeline = crate::pipeline::Pipeline::parse(&pipeline, "pinion.toml", &[]).unwrap();
    pipeline.steps[0].clone()
}

fn reference(text: &str) -> ComponentRef {
    step(text).component
}

fn locked(bytes: &[u8], origin: Origin) -> LockedComponent {
    LockedComponent {
        origin,
        digest: ComponentDigest::of(bytes),
        capabilities: BTreeSet::new(),
    }
}

/// An error of a step as the command line prints it.
fn shown(error: ComponentError, used: &str) -> String {
    let error = error.used_by(&step(used));
    match error.hint() {
        Some(hint) => format!("{error}\n\nhint: {hint}"),
        None => error.to_string(),
    }
}

const RELEASED: &dyn Fn(&ComponentKey, &ComponentDigest) -> bool = &|_, _| true;

const NOT_KEPT: &dyn Fn(&ComponentDigest) -> io::Result<Option<Bytes>> = &|_| Ok(None);

fn bytes_of(resolved: Resolved) -> Bytes {
    match resolved {
        Resolved::Component(component) => component.bytes,
        Resolved::Unbuilt { .. } => panic!("{resolved:?}"),
    }
}

#[test]
fn a_short_version_is_the_newest_there_is_until_it_is_locked() {
    let (_temp, dir) = project(&[]);
    let standard = [
        std_component("read-csv", "0.1.0", b"old"),
        std_component("read-csv", "0.1.10", b"new"),
        std_component("read-csv", "0.1.9", b"middle"),
    ];
    let places = Places {
        project: &dir,
        standard: &standard,
        kept: NOT_KEPT,
        is_standard: RELEASED,
    };
    let short = reference("std:read-csv@0.1");
    assert_eq!(
        bytes_of(resolve(&short, None, places, false).unwrap()),
        "new"
    );

    let key = ComponentKey {
        name: "std:read-csv".into(),
        version: Some("0.1.0".parse().unwrap()),
    };
    let old = locked(b"old", Origin::Std);
    assert_eq!(
        bytes_of(resolve(&short, Some((&key, &old)), places, true).unwrap()),
        "old"
    );

    let error = resolve(&short, None, places, true).unwrap_err();
    insta::assert_snapshot!(shown(error, "std:read-csv@0.1"), @r#"
    component `std:read-csv@0.1` is not locked
      in pinion.lock
      in pinion.toml, line 8, used by step `a`
        8 | use = "std:read-csv@0.1"
          |       ^^^^^^^^^^^^^^^^^^

    hint: to lock it, run `pinion lock`
    "#);
    let error = resolve(&reference("std:read-csv@0.2"), None, places, false).unwrap_err();
    insta::assert_snapshot!(shown(error, "std:read-csv@0.2"), @r#"
    there is no standard component `std:read-csv@0.2`
      expected `std:read-csv@0.1.0`, `std:read-csv@0.1.9`, `std:read-csv@0.1.10`
      in       pinion.toml, line 8, used by step `a`
        8 | use = "std:read-csv@0.2"
          |       ^^^^^^^^^^^^^^^^^^

    hint: for the newest, write `std:read-csv@0.1`
    "#);
    let error = resolve(&reference("std:raed-csv@0.1"), None, places, false).unwrap_err();
    insta::assert_snapshot!(shown(error, "std:raed-csv@0.1"), @r#"
    there is no standard component `std:raed-csv@0.1`
      in pinion.toml, line 8, used by step `a`
        8 | use = "std:raed-csv@0.1"
          |       ^^^^^^^^^^^^^^^^^^

    hint: did you mean `std:read-csv@0.1`?
    "#);
}

#[test]
fn locked_bytes_come_from_the_store_first_and_never_change() {
    let (_temp, dir) = project(&[]);
    let standard = [std_component("read-csv", "0.1.0", b"rebuilt")];
    let key = ComponentKey {
        name: "std:read-csv".into(),
        version: Some("0.1.0".parse().unwrap()),
    };
    let lock = locked(b"released", Origin::Std);
    let step = reference("std:read-csv@0.1");
    let kept =
        |bytes: &'static [u8]| move |_: &ComponentDigest| Ok(Some(Bytes::from_static(bytes)));
    let resolve_with = |kept: &dyn Fn(&ComponentDigest) -> io::Result<Option<Bytes>>, standard| {
        let places = Places {
            project: &dir,
            standard,
            kept,
            is_standard: RELEASED,
        };
        resolve(&step, Some((&key, &lock)), places, false)
    };
    assert_eq!(
        bytes_of(resolve_with(&kept(b"released"), &standard).unwrap()),
        "released"
    );

    let error = resolve_with(&kept(b"damaged"), &standard).unwrap_err();
    insta::assert_snapshot!(shown(error, "std:read-csv@0.1"), @r#"
    component `std:read-csv@0.1.0` is not the one that was locked
      expected sha256:d29eae1372c396247daf62745d10c3513eb46f9f232b4527e0f5298e5dca5cd0
      found    sha256:9ae832844d70dd5a06b8c70f3f4f68bbe1c907b116d378c9654b217d4a7b6b4c
      in       pinion.lock
      in       pinion.toml, line 8, used by step `a`
        8 | use = "std:read-csv@0.1"
          |       ^^^^^^^^^^^^^^^^^^

    hint: to accept the new component, run `pinion update std:read-csv`
    "#);
    let error = resolve_with(NOT_KEPT, &[]).unwrap_err();
    insta::assert_snapshot!(shown(error, "std:read-csv@0.1"), @r#"
    the bytes of `std:read-csv@0.1.0` are not here
      expected sha256:d29eae1372c396247daf62745d10c3513eb46f9f232b4527e0f5298e5dca5cd0
      in       pinion.lock
      in       pinion.toml, line 8, used by step `a`
        8 | use = "std:read-csv@0.1"
          |       ^^^^^^^^^^^^^^^^^^

    hint: use the `pinion` that it was locked with; or run `pinion update std:read-csv` to lock the one of this `pinion`
    "#);
}

/// Whatever lies in the store: nobody but who releases standard components says what goes by their names.
#[test]
fn bytes_that_were_never_released_do_not_go_by_the_name_of_a_standard_component() {
    let (_temp, dir) = project(&[]);
    let standard = [std_component("read-csv", "0.1.0", b"carried")];
    let key = ComponentKey {
        name: "std:read-csv".into(),
        version: Some("0.1.0".parse().unwrap()),
    };
    let step = reference("std:read-csv@0.1");
    let is_standard = |_: &ComponentKey, digest: &ComponentDigest| {
        [ComponentDigest::of(b"carried"), ComponentDigest::of(b"old")].contains(digest)
    };
    let resolve_locked = |bytes: &'static [u8], origin| {
        let places = Places {
            project: &dir,
            standard: &standard,
            kept: &|_| Ok(Some(Bytes::from_static(bytes))),
            is_standard: &is_standard,
        };
        resolve(&step, Some((&key, &locked(bytes, origin))), places, true)
    };
    for bytes in [&b"carried"[..], b"old"] {
        let found = resolve_locked(bytes, Origin::Std).unwrap();
        assert_eq!(bytes_of(found), bytes);
    }
    // Whatever the lockfile says where they came from.
    resolve_locked(b"forged", Origin::File).unwrap_err();
    let error = resolve_locked(b"forged", Origin::Std).unwrap_err();
    insta::assert_snapshot!(shown(error, "std:read-csv@0.1"), @r#"
    component `std:read-csv@0.1.0` is locked to bytes that are not known as its own
      expected the bytes of a release
      found    sha256:ccdd35168ab474fa5764a526cfb83621351e23682c5075b2e18d56bddf96aa30
      in       pinion.lock
      in       pinion.toml, line 8, used by step `a`
        8 | use = "std:read-csv@0.1"
          |       ^^^^^^^^^^^^^^^^^^

    hint: to lock the one of this `pinion`, run `pinion update std:read-csv`; if a newer `pinion` locked it, use that; to take over what somebody else calls so, run `pinion adopt std:read-csv@0.1.0`
    "#);
}

#[test]
fn an_edited_file_is_refused() {
    let (_temp, dir) = project(&[("label.wasm", "edited")]);
    let places = Places {
        project: &dir,
        standard: &[],
        kept: NOT_KEPT,
        is_standard: RELEASED,
    };
    let step = reference("./label.wasm");
    let key = ComponentKey {
        name: step.lock_name(),
        version: None,
    };
    let lock = locked(b"committed", Origin::File);
    let error = resolve(&step, Some((&key, &lock)), places, false).unwrap_err();
    insta::assert_snapshot!(shown(error, "./label.wasm"), @r#"
    component `./label.wasm` is not the one that was locked
      expected sha256:cc962289af2873dd6dad32931554372a7d2d2de5bd5859c8265eb58b5197a88e
      found    sha256:1fb9f4097256db2d7b1e13aff79cee44339891a31c556b9cf6093885773b3618
      in       pinion.lock
      in       pinion.toml, line 8, used by step `a`
        8 | use = "./label.wasm"
          |       ^^^^^^^^^^^^^^

    hint: to accept the new component, run `pinion update ./label.wasm`
    "#);
    dir.remove_file("label.wasm").unwrap();
    let error = resolve(&step, Some((&key, &lock)), places, false).unwrap_err();
    insta::assert_snapshot!(shown(error, "./label.wasm"), @r#"
    component `./label.wasm` has no file
      expected label.wasm
      in       pinion.toml, line 8, used by step `a`
        8 | use = "./label.wasm"
          |       ^^^^^^^^^^^^^^

    hint: restore the file; or, if it is gone for good, run `pinion update ./label.wasm`
    "#);
}

#[test]
fn a_crate_is_built_when_it_is_new_or_changed_unless_frozen() {
    let (_temp, dir) = project(&[
        ("steps/label/Cargo.toml", "[package]\nname = \"label\"\n"),
        ("steps/label/src/lib.rs", "// 1"),
        ("components/label.wasm", "built"),
    ]);
    let places = Places {
        project: &dir,
        standard: &[],
        kept: NOT_KEPT,
        is_standard: RELEASED,
    };
    let step = reference("./steps/label");
    let unbuilt = |reason| Resolved::Unbuilt {
        path: "steps/label".into(),
        reason,
    };
    assert_eq!(
        resolve(&step, None, places, false).unwrap(),
        unbuilt(BuildReason::New)
    );

    let sources = crate_sources(&dir, "steps/label").unwrap();
    let built = Component::built("steps/label", sources, Bytes::from_static(b"built"));
    let lock = locked(b"built", built.origin.clone());
    let lock = Some((&built.key, &lock));
    assert_eq!(
        resolve(&step, lock, places, false).unwrap(),
        Resolved::Component(built.clone())
    );
    write(&dir, "steps/label/src/lib.rs", "// 2");
    assert_eq!(
        resolve(&step, lock, places, false).unwrap(),
        unbuilt(BuildReason::SourcesChanged)
    );
    assert_eq!(
        resolve(&step, lock, places, true).unwrap(),
        Resolved::Component(built.clone())
    );

    // Where the sources are not, there is nothing to build, and the locked bytes are all there is.
    dir.remove_file("steps/label/Cargo.toml").unwrap();
    assert!(!has_crate(&dir, "steps/label"));
    assert_eq!(
        resolve(&step, lock, places, false).unwrap(),
        Resolved::Component(built.clone())
    );

    write(&dir, "components/label.wasm", "edited");
    for freeze in [false, true] {
        let error = resolve(&step, lock, places, freeze).unwrap_err();
        assert!(matches!(error, ComponentError::Changed { .. }), "{error}");
    }
    dir.remove_file("components/label.wasm").unwrap();
    let error = resolve(&step, lock, places, false).unwrap_err();
    assert!(
        matches!(error, ComponentError::Sources(SourcesError::NoCrate { .. })),
        "{error}"
    );
}

#[test]
fn sources_are_the_files_that_a_build_reads() {
    let manifest = r#"
        [package]
        name = "label"
        [package.metadata.pinion]
        sources = ["../../wit"]
        [dependencies]
        near = { path = "../near" }
        shared.workspace = true
        outside = { path = "../../../outside" }
        [target.'cfg(unix)'.build-dependencies]
        tools = { path = "tools" }
    "#;
    let root = "[workspace]\nmembers = [\"steps/*\"]\n[workspace.dependencies]\nshared = { path = \"lib/shared\" }\nother = { path = \"lib/other\" }\n";
    let (_temp, dir) = project(&[
        ("Cargo.toml", root),
        ("Cargo.lock", "version = 4"),
        ("steps/label/Cargo.toml", manifest),
        ("steps/label/src/lib.rs", "// label"),
        (
            "steps/label/tools/Cargo.toml",
            "[package]\nname = \"tools\"\n",
        ),
        (
            "steps/near/Cargo.toml",
            "[package]\nname = \"near\"\n[dependencies]\nlabel = { path = \"../label\" }\n",
        ),
        ("steps/near/src/lib.rs", "// near"),
        ("lib/shared/Cargo.toml", "[package]\nname = \"shared\"\n"),
        ("lib/other/Cargo.toml", "[package]\nname = \"other\"\n"),
        ("wit/step.wit", "package a:b;"),
    ]);
    let digest = || crate_sources(&dir, "steps/label").unwrap();
    let mut before = digest();
    for ignored in [
        "steps/label/target/a",
        "steps/label/.git/a",
        "steps/.hidden",
        "lib/other/src/lib.rs",
        "data/a.csv",
    ] {
        write(&dir, ignored, "x");
        assert_eq!(digest(), before, "{ignored}");
    }
    for counted in [
        "Cargo.lock",
        "steps/label/src/lib.rs",
        "steps/label/src/new.rs",
        "steps/label/tools/build.rs",
        "steps/near/src/lib.rs",
        "lib/shared/src/lib.rs",
        "wit/step.wit",
    ] {
        write(&dir, counted, "changed");
        let after = digest();
        assert_ne!(after, before, "{counted}");
        before = after;
    }
}

#[test]
fn crates_that_cannot_be_read_say_so() {
    let (_temp, dir) = project(&[("steps/broken/Cargo.toml", "[package\n")]);
    let absent = crate_sources(&dir, "steps/absent").unwrap_err();
    insta::assert_snapshot!(shown(absent.into(), "./steps/absent"), @r#"
    there is no crate at `./steps/absent`
      expected steps/absent/Cargo.toml
      in       pinion.toml, line 8, used by step `a`
        8 | use = "./steps/absent"
          |       ^^^^^^^^^^^^^^^^

    hint: to make one, run `pinion step new absent`
    "#);
    let misspelt = crate_sources(&dir, "steps/borken").unwrap_err();
    insta::assert_snapshot!(shown(misspelt.into(), "./steps/borken"), @r#"
    there is no crate at `./steps/borken`
      expected steps/borken/Cargo.toml
      in       pinion.toml, line 8, used by step `a`
        8 | use = "./steps/borken"
          |       ^^^^^^^^^^^^^^^^

    hint: did you mean `./steps/broken`?
    "#);
    let broken = crate_sources(&dir, "steps/broken").unwrap_err();
    insta::assert_snapshot!(shown(broken.into(), "./steps/broken"), @r#"
    the manifest of a crate is not valid
      in steps/broken/Cargo.toml
      in pinion.toml, line 8, used by step `a`
        8 | use = "./steps/broken"
          |       ^^^^^^^^^^^^^^^^
    "#);
}

#[test]
fn what_is_not_there_is_told_with_what_is() {
    let (_temp, dir) = project(&[("label.wasm", ""), ("steps/label/Cargo.toml", "")]);
    let standard = [
        std_component("read-csv", "0.1.0", b"a"),
        std_component("coalesce", "0.1.0", b"b"),
    ];
    let places = Places {
        project: &dir,
        standard: &standard,
        kept: NOT_KEPT,
        is_standard: RELEASED,
    };
    let told = |used: &str, freeze| {
        let error = resolve(&reference(used), None, places, freeze).unwrap_err();
        shown(error, used)
    };
    insta::assert_snapshot!(told("./lable.wasm", false), @r#"
    component `./lable.wasm` has no file
      expected lable.wasm
      in       pinion.toml, line 8, used by step `a`
        8 | use = "./lable.wasm"
          |       ^^^^^^^^^^^^^^

    hint: did you mean `./label.wasm`?
    "#);
    insta::assert_snapshot!(told("./other.wasm", false), @r#"
    component `./other.wasm` has no file
      expected other.wasm
      in       pinion.toml, line 8, used by step `a`
        8 | use = "./other.wasm"
          |       ^^^^^^^^^^^^^^

    hint: paths are relative to the directory of `pinion.toml`
    "#);
    insta::assert_snapshot!(told("./steps/lable", true), @r#"
    there is no crate at `./steps/lable`
      expected steps/lable/Cargo.toml
      in       pinion.toml, line 8, used by step `a`
        8 | use = "./steps/lable"
          |       ^^^^^^^^^^^^^^^

    hint: did you mean `./steps/label`?
    "#);
    insta::assert_snapshot!(told("std:parquet@0.1", true), @r#"
    there is no standard component `std:parquet@0.1`
      expected one of `std:coalesce`, `std:read-csv`
      in       pinion.toml, line 8, used by step `a`
        8 | use = "std:parquet@0.1"
          |       ^^^^^^^^^^^^^^^^^
    "#);
}

//! A run in one file: the same bytes everywhere, all that it needs, and nothing that it did not have.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::sync::atomic::AtomicBool;

use cap_std::ambient_authority;
use cap_std::fs::Dir;
use insta::assert_snapshot;
use pinion_runtime::digest::Digest;
use pinion_runtime::pack::{PackError, unpack};
use pinion_tests::fixtures::component;
use pinion_tests::project::Project;
use serde_json::{Value, json};

use crate::days::{self, PIPELINE, run, that_ran};

/// The days, with a step of their own whose component is a file and one whose component was built from a
/// crate that is not there any more, and sources of which one is not kept.
fn project() -> Project {
    let project = days::project();
    let own = |name: &str, uses: &str, least: u32| {
        format!(
            "\n[steps.{name}]\nuse = \"{uses}\"\ninput = \"names\"\nparams = {{ column = \"number\", at_least = {least} }}\n"
        )
    };
    let pipeline = PIPELINE.replace("path = \"names.csv\"", "path = \"names.csv\"\nkeep = false");
    project.write("names.csv", b"key,name,number\nk0,zero,0\nk1,one,1\n");
    project.write("lib/add.wasm", component("add-one"));
    let with_file = pipeline + &own("from-file", "./lib/add.wasm", 0);
    project.write("pinion.toml", with_file.as_bytes());
    project.pinion(&["lock"]).succeeded();
    let lock = String::from_utf8(project.read("pinion.lock")).unwrap();
    let entries = lock
        .split("\n[[")
        .find(|entry| entry.contains("./lib/add.wasm"));
    let crated = entries
        .unwrap()
        .replace("./lib/add.wasm", "./steps/add")
        .replace(
            "origin = \"file\"",
            &format!(
                "origin = \"crate\"\nsources = \"{}\"\nfile = \"components/add.wasm\"",
                Digest::of(b"sources")
            ),
        );
    project.write("pinion.lock", format!("{lock}\n[[{crated}").as_bytes());
    project.write("components/add.wasm", component("add-one"));
    let with_crate = with_file + &own("from-crate", "./steps/add", 1);
    project.write("pinion.toml", with_crate.as_bytes());
    project
}

fn ran() -> (Project, Value) {
    let project = project();
    let ran = run(&project, &["--locked", "--set", "factor=3"]);
    (project, ran)
}

fn id(summary: &Value) -> &str {
    summary["run"].as_str().unwrap()
}

/// What a machine has that has nothing but the pack.
fn elsewhere(pack: &[u8]) -> Project {
    let elsewhere = Project::new();
    elsewhere.write("run.tar", pack);
    elsewhere
}

fn pack(project: &Project, args: &[&str]) -> Vec<u8> {
    let args = [&["pack", "-o", "run.tar"], args].concat();
    project.pinion(&args).succeeded();
    let bytes = project.read("run.tar");
    fs::remove_file(project.path().join("run.tar")).unwrap();
    bytes
}

#[test]
fn a_run_is_verified_where_nothing_is_but_its_pack() {
    let (project, ran) = ran();
    let packed = pack(&project, &[]);
    drop(project);
    let elsewhere = elsewhere(&packed);
    elsewhere.pinion(&["unpack", "run.tar"]).succeeded();
    let verified = elsewhere
        .pinion(&["verify", "-C", "run", id(&ran), "--json"])
        .succeeded()
        .json();
    assert_eq!(verified["equal"], true);
    assert_eq!(verified["found_run_digest"], ran["run_digest"]);
    // As it stands, and from nothing: results were not packed. What `verify` has made is known.
    for (store, all) in [(".pinion", false), ("fresh", true)] {
        let again = elsewhere
            .pinion(&[
                "run",
                "-C",
                "run",
                "--locked",
                "--set",
                "factor=3",
                "--json",
                "--store",
                &format!("run/{store}"),
            ])
            .succeeded()
            .json();
        assert_eq!(again["run_digest"], ran["run_digest"]);
        let steps = ran["steps"].as_array().unwrap().len();
        assert_eq!(that_ran(&again).len(), if all { steps } else { 0 });
    }
}

/// The crate of a step is not packed, only what was built from it.
#[test]
fn a_step_of_a_crate_runs_as_it_is_locked_where_its_sources_are_not() {
    let (project, ran) = ran();
    let elsewhere = elsewhere(&pack(&project, &[]));
    elsewhere.pinion(&["unpack", "run.tar"]).succeeded();
    let said = elsewhere
        .pinion(&["run", "-C", "run", "--set", "factor=3", "--json"])
        .succeeded();
    assert_eq!(said.json()["run_digest"], ran["run_digest"]);
    assert!(
        said.stderr
            .contains("  ./steps/add is not here, so it runs as it is locked\n"),
        "{}",
        said.stderr
    );
    elsewhere
        .pinion(&["step", "run", "from-crate", "-C", "run"])
        .succeeded();
    elsewhere.pinion(&["lock", "-C", "run"]).succeeded();
}

/// Seals and digests are no signatures: whoever writes a pack can make an object that is sound. So only those
/// are let in that the run reaches.
#[test]
fn what_the_run_does_not_reach_is_no_part_of_its_pack() {
    let (project, _) = ran();
    let bare = Apart::of(&pack(&project, &[]));
    let packed = pack(&project, &["--results"]);
    let whole = Apart::of(&packed);
    assert!(whole.together() == packed, "taken apart and put together");
    // Of another run, so that all of it is sound, and memos for what this run did not do.
    let other = run(&project, &["--locked", "--set", "factor=7"]);
    let other = Apart::of(&pack(&project, &["--results", id(&other)]));
    let mut kinds = std::collections::BTreeSet::new();
    for honest in [&bare, &whole] {
        let known = |path: &str| honest.files.iter().any(|(_, known, _)| known == path);
        for (_, path, bytes) in &other.files {
            if known(path) || path.contains("/runs/") {
                continue;
            }
            let mut apart = honest.clone();
            apart.put(path, bytes);
            let refused = unpacked(&apart.together());
            assert!(
                refused.is_err_and(|error| matches!(*error, PackError::Stranger { path: ref found } if found == path)),
                "{path}"
            );
            kinds.extend(path.split('/').nth(1).map(str::to_owned));
        }
    }
    let kinds: Vec<String> = kinds.into_iter().collect();
    assert_eq!(kinds, ["blobs", "chunks", "memo", "tables", "units"]);
    // Nor is a pack without results one that has them.
    let mut apart = bare.clone();
    apart.list["results"] = json!(true);
    let refused = unpacked(&apart.together());
    assert!(refused.is_err_and(|error| matches!(*error, PackError::Lacks { .. })));
    for kind in ["tables", "chunks"] {
        let mut apart = whole.clone();
        let start = format!(".pinion/{kind}/");
        let (_, path, _) = apart
            .files
            .iter()
            .find(|(_, path, _)| path.starts_with(&start))
            .unwrap();
        let path = path.clone();
        apart.remove(&path);
        let refused = unpacked(&apart.together());
        assert!(
            refused.is_err_and(|error| matches!(*error, PackError::Lacks { .. })),
            "{path}"
        );
    }
}

/// Whatever is unpacked is data, also when the run read it as that.
#[test]
fn sources_that_other_programs_would_obey_are_not_packed() {
    let project = days::project();
    for path in ["names/Cargo.toml", ".cargo/config.toml"] {
        let pipeline = PIPELINE.replace("path = \"names.csv\"", &format!("path = \"{path}\""));
        project.write("pinion.toml", pipeline.as_bytes());
        project.write(path, b"key,name,number\nk0,zero,0\nk1,one,1\n");
        run(&project, &[]);
        let said = project.pinion(&["pack", "-o", "run.tar"]);
        // It is nobody who is distrusted here.
        assert_eq!(said.code, Some(2), "{}", said.stderr);
        assert!(said.stderr.contains(path), "{}", said.stderr);
        assert!(!project.path().join("run.tar").exists());
    }
}

#[test]
fn with_results_it_can_be_shown_and_once_adopted_nothing_runs_again() {
    let (project, ran) = ran();
    let packed = pack(&project, &["--results"]);
    drop(project);
    let elsewhere = elsewhere(&packed);
    elsewhere.pinion(&["unpack", "run.tar", "a/b"]).succeeded();
    elsewhere
        .pinion(&["show", "-C", "a/b", "scale"])
        .succeeded();
    elsewhere
        .pinion(&["export", "-C", "a/b", "scale", "-o", "scale.csv"])
        .succeeded();
    elsewhere
        .pinion(&["adopt", "--all", "-C", "a/b"])
        .succeeded();
    let again = elsewhere
        .pinion(&[
            "run", "-C", "a/b", "--locked", "--set", "factor=3", "--json",
        ])
        .succeeded()
        .json();
    assert_eq!(that_ran(&again), Vec::<&str>::new());
    assert_eq!(again["run_digest"], ran["run_digest"]);
    elsewhere
        .pinion(&["verify", "-C", "a/b", id(&ran)])
        .succeeded();
    // Whole steps can be forgotten, and their units are known.
    fs::remove_dir_all(elsewhere.path().join("a/b/.pinion/memo/step")).unwrap();
    let again = elsewhere
        .pinion(&[
            "run", "-C", "a/b", "--locked", "--set", "factor=3", "--json",
        ])
        .succeeded()
        .json();
    assert_eq!(that_ran(&again), Vec::<&str>::new());
}

#[test]
fn the_same_run_is_the_same_bytes_whatever_else_is_in_the_store_and_wherever_it_is() {
    let (project, ran) = ran();
    for args in [&[][..], &["--results"]] {
        let named = [&[id(&ran)], args].concat();
        let first = pack(&project, &named);
        run(&project, &["--locked", "--set", "factor=5"]);
        assert!(pack(&project, &named) == first, "{args:?}");
        let elsewhere = elsewhere(&first);
        elsewhere.pinion(&["unpack", "run.tar"]).succeeded();
        let again = [&["pack", "-C", "run", "-o", "again.tar"], args].concat();
        elsewhere.pinion(&again).succeeded();
        assert!(elsewhere.read("again.tar") == first, "{args:?}");
    }
}

/// Other programs find plain files with the contents of the project.
#[test]
fn a_pack_is_a_tar_file() {
    let (project, _) = ran();
    let packed = pack(&project, &[]);
    let mut archive = tar::Archive::new(&packed[..]);
    let mut paths = Vec::new();
    for entry in archive.entries().unwrap() {
        let mut entry = entry.unwrap();
        assert_eq!(entry.header().entry_type(), tar::EntryType::Regular);
        assert_eq!(entry.header().mtime().unwrap(), 0);
        let path = entry.path().unwrap().to_str().unwrap().to_owned();
        let mut bytes = Vec::new();
        std::io::Read::read_to_end(&mut entry, &mut bytes).unwrap();
        // The lockfile has its canonical layout, which that of the project has not.
        if !path.starts_with(".pinion/") && path != "pinion-pack.json" && path != "pinion.lock" {
            assert_eq!(bytes, project.read(&path), "{path}");
        }
        paths.push(path);
    }
    paths.retain(|path| !path.starts_with(".pinion/"));
    assert_eq!(
        paths,
        [
            "pinion-pack.json",
            "components/add.wasm",
            "days/day-1.csv",
            "days/day-2.csv",
            "days/day-3.csv",
            "lib/add.wasm",
            "names.csv",
            "pinion.lock",
            "pinion.toml",
        ]
    );
}

#[test]
fn what_they_say() {
    let (project, _) = ran();
    let kib = regex::Regex::new(r"\d+(\.\d+)? (KiB|MiB)").unwrap();
    let said = |args: &[&str]| {
        let said = project.pinion(args).snapshot();
        kib.replace_all(&said, "[BYTES]").into_owned()
    };
    assert_snapshot!(said(&["pack", "-o", "run.tar"]), @"
    exit 0
    --- stderr
    packed run [RUN]: 20 files, [BYTES] to run.tar
    ");
    assert_snapshot!(said(&["unpack", "run.tar"]), @"
    exit 0
    --- stderr
    unpacked run [RUN]: 20 files, [BYTES] to run
    ");
    said(&["pack", "-o", "whole.tar", "--results"]);
    let whole = said(&["unpack", "whole.tar"]);
    assert_snapshot!(whole.lines().last().unwrap(), @"  what the run made is the sender's word, which no run takes for known until `pinion verify` has made it again or `pinion adopt` has taken it over");
    assert_snapshot!(said(&["unpack", "run.tar"]), @"
    exit 2
    --- stderr
    error: there is something at `run` already

    hint: name a directory that does not exist yet: `pinion unpack FILE DIR`
    ");
    assert_snapshot!(said(&["unpack", "run.tar", "run.tar"]), @"
    exit 2
    --- stderr
    error: there is something at `run.tar` already

    hint: name a directory that does not exist yet: `pinion unpack FILE DIR`
    ");
    assert_snapshot!(said(&["unpack", "none.tar"]), @"
    exit 2
    --- stderr
    error: cannot read `none.tar`
    caused by: No such file or directory (os error 2)
    ");
    assert_snapshot!(said(&["unpack", "pinion.toml"]), @"
    exit 2
    --- stderr
    error: the file is not a pack: it does not begin with a list of its files
    ");
    assert_snapshot!(said(&["pack", "2020", "-o", "run.tar"]), @"
    exit 2
    --- stderr
    error: there is no run `2020`
      expected one of `[RUN]`
    ");
}

#[test]
fn a_source_that_was_not_kept_has_to_be_there() {
    let (project, _) = ran();
    let names = project.read("names.csv");
    let before = pack(&project, &[]);
    project.write("names.csv", b"key,name,number\nk0,nil,0\nk1,one,1\n");
    assert_snapshot!(project.pinion(&["pack", "-o", "run.tar"]).snapshot(), @"
    exit 2
    --- stderr
    error: the bytes that the run read from source `names` are gone
      expected blake3:[DIGEST]
      in       names.csv

    hint: the store keeps the bytes of later runs if `keep = false` is not set under `[sources.names]`
    ");
    fs::remove_file(project.path().join("names.csv")).unwrap();
    let said = project.pinion(&["pack", "-o", "run.tar"]);
    assert_eq!(said.code, Some(2), "{}", said.stderr);
    assert!(!project.path().join("run.tar").exists());
    project.write("names.csv", &names);
    // One that was kept may be gone.
    fs::remove_dir_all(project.path().join("days")).unwrap();
    assert!(pack(&project, &[]) == before);
}

#[test]
fn results_have_to_be_there_and_sound() {
    let (project, _) = ran();
    let packed = pack(&project, &["--results"]);
    for lost in days::stored(&project, "tables") {
        let path = format!(".pinion/tables/{lost}");
        let bytes = project.read(&path);
        for damaged in [None, Some(&bytes[..bytes.len() - 2])] {
            fs::remove_file(project.path().join(&path)).unwrap();
            if let Some(damaged) = damaged {
                project.write(&path, damaged);
            }
            let said = project.pinion(&["pack", "-o", "run.tar", "--results"]);
            assert_eq!(said.code, Some(2), "{}", said.stderr);
            assert!(
                said.stderr.contains("is gone or damaged\n"),
                "{}",
                said.stderr
            );
            assert!(!project.path().join("run.tar").exists());
            project.write(&path, b"");
        }
        project.write(&path, &bytes);
    }
    assert!(pack(&project, &["--results"]) == packed);
}

/// The library's own word on a pack, and whatever it left behind.
fn unpacked(pack: &[u8]) -> Result<(), Box<PackError>> {
    let directory = tempfile::tempdir().unwrap();
    let dir = Dir::open_ambient_dir(directory.path(), ambient_authority()).unwrap();
    let nobody = AtomicBool::new(false);
    let unpacked = unpack(&mut &pack[..], pack.len() as u64, &dir, &nobody);
    unpacked.map(drop).map_err(Box::new)
}

/// The files of a directory, but for the pack itself.
fn left(project: &Project) -> Vec<String> {
    let entries = fs::read_dir(project.path()).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name != "run.tar").collect()
}

#[test]
fn one_other_bit_anywhere_is_refused() {
    let (project, _) = ran();
    let packed = pack(&project, &["--results"]);
    unpacked(&packed).unwrap();
    let step = packed.len() / 150;
    for at in (0..packed.len()).step_by(step).chain([packed.len() - 1]) {
        let mut damaged = packed.clone();
        damaged[at] ^= 1 << (at % 8);
        assert!(unpacked(&damaged).is_err(), "byte {at}");
    }
}

#[test]
fn a_pack_that_was_cut_short_is_refused() {
    let (project, _) = ran();
    let packed = pack(&project, &[]);
    for len in [0, 1, 511, 512, 1024, packed.len() / 2, packed.len() - 1] {
        assert!(unpacked(&packed[..len]).is_err(), "{len} bytes");
    }
    let elsewhere = elsewhere(&packed[..packed.len() - 512]);
    let said = elsewhere.pinion(&["unpack", "run.tar"]);
    assert_eq!(left(&elsewhere), Vec::<String>::new());
    let numbers = regex::Regex::new(r"\d+ bytes").unwrap();
    assert_snapshot!(numbers.replace_all(&said.snapshot(), "[N] bytes"), @"
    exit 2
    --- stderr
    error: the pack is not whole
      expected [N] bytes
      found    [N] bytes

    hint: copy it again, as a whole
    ");
    // Nor may anything follow it.
    elsewhere.write("run.tar", &[&packed[..], &[0; 512]].concat());
    assert_eq!(elsewhere.pinion(&["unpack", "run.tar"]).code, Some(2));
    assert_eq!(left(&elsewhere), Vec::<String>::new());
}

/// A pack, taken apart so that it can be put together in another way.
#[derive(Clone)]
struct Apart {
    list: Value,
    files: Vec<(tar::Header, String, Vec<u8>)>,
}

impl Apart {
    fn of(pack: &[u8]) -> Self {
        let mut archive = tar::Archive::new(pack);
        let mut files = Vec::new();
        for entry in archive.entries().unwrap() {
            let mut entry = entry.unwrap();
            let path = entry.path().unwrap().to_str().unwrap().to_owned();
            let mut bytes = Vec::new();
            std::io::Read::read_to_end(&mut entry, &mut bytes).unwrap();
            files.push((entry.header().clone(), path, bytes));
        }
        let (_, _, list) = files.remove(0);
        Self {
            list: serde_json::from_slice(&list).unwrap(),
            files,
        }
    }

    /// Puts in a file, or another one of that path, and lists it as it is.
    fn put(&mut self, path: &str, bytes: &[u8]) {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(tar::EntryType::Regular);
        header.set_mode(0o644);
        for set in [
            tar::Header::set_mtime,
            tar::Header::set_uid,
            tar::Header::set_gid,
        ] {
            set(&mut header, 0);
        }
        self.files.retain(|(_, other, _)| other != path);
        self.files.push((header, path.to_owned(), bytes.to_vec()));
        self.files.sort_by(|left, right| left.1.cmp(&right.1));
        self.relist();
    }

    fn remove(&mut self, path: &str) {
        self.files.retain(|(_, other, _)| other != path);
        self.relist();
    }

    fn relist(&mut self) {
        let files = self.files.iter().map(|(_, path, bytes)| {
            json!({ "path": path, "bytes": bytes.len(), "digest": Digest::of(bytes).to_string() })
        });
        self.list["files"] = files.collect();
    }

    /// Written without any of the checks that the crate has.
    fn together(&self) -> Vec<u8> {
        let mut list = tar::Header::new_gnu();
        list.set_entry_type(tar::EntryType::Regular);
        list.set_mode(0o644);
        list.set_mtime(0);
        list.set_uid(0);
        list.set_gid(0);
        // In the order of the fields, as it is written.
        let fields = ["format", "run", "results", "files"].map(|field| {
            let value = match &self.list[field] {
                Value::Array(files) => {
                    let file = |file: &Value| {
                        format!(
                            "{{\"path\":{},\"bytes\":{},\"digest\":{}}}",
                            file["path"], file["bytes"], file["digest"]
                        )
                    };
                    format!("[{}]", files.iter().map(file).collect::<Vec<_>>().join(","))
                }
                value => value.to_string(),
            };
            format!("\"{field}\":{value}")
        });
        let text = format!("{{{}}}\n", fields.join(",")).into_bytes();
        let mut out = Vec::new();
        let first = [(list, "pinion-pack.json".to_owned(), text)];
        for (header, path, bytes) in first.iter().chain(&self.files) {
            let mut header = header.clone();
            if path.len() > 100 {
                // What does not fit stands in a file before it.
                let mut long = tar::Builder::new(Vec::new());
                header.set_size(bytes.len() as u64);
                long.append_data(&mut header, path, &bytes[..]).unwrap();
                out.extend_from_slice(long.get_ref());
                continue;
            }
            let name = &mut header.as_old_mut().name;
            name.fill(0);
            let len = path.len().min(name.len());
            name[..len].copy_from_slice(&path.as_bytes()[..len]);
            header.set_size(bytes.len() as u64);
            header.set_cksum();
            out.write_all(header.as_bytes()).unwrap();
            out.write_all(bytes).unwrap();
            out.resize(out.len().next_multiple_of(512), 0);
        }
        out.resize(out.len() + 1024, 0);
        out
    }
}

/// What `unpack` says of a pack that was tampered with, which leaves nothing.
#[track_caller]
fn refused(apart: &Apart) -> String {
    let elsewhere = elsewhere(&apart.together());
    let said = elsewhere.pinion(&["unpack", "run.tar", "inner/run"]);
    assert_eq!(said.code, Some(3), "{}{}", said.stdout, said.stderr);
    assert!(!elsewhere.path().join("inner/run").exists());
    assert_eq!(left(&elsewhere), [""; 0]);
    let hex = regex::Regex::new("[0-9a-f]{2}/[0-9a-f]{64}").unwrap();
    hex.replace_all(&said.snapshot(), "[HEX]").into_owned()
}

#[test]
fn a_pack_that_was_tampered_with_is_refused_and_leaves_nothing() {
    let (project, ran) = ran();
    let packed = pack(&project, &[]);
    let honest = Apart::of(&packed);
    assert!(honest.together() == packed, "taken apart and put together");
    let tampered = |tamper: &dyn Fn(&mut Apart)| {
        let mut apart = honest.clone();
        tamper(&mut apart);
        refused(&apart)
    };

    // Paths that lead out.
    assert_snapshot!(tampered(&|apart| apart.put("../evil", b"evil")), @"
    exit 3
    --- stderr
    error: `../evil` is no path for a file of a pack: it leaves the directory of the pipeline with `..`
    ");
    assert_snapshot!(tampered(&|apart| apart.put("/tmp/evil", b"evil")), @"
    exit 3
    --- stderr
    error: `/tmp/evil` is no path for a file of a pack: it is absolute
    ");
    // A path that the list does not have.
    assert_snapshot!(
        tampered(&|apart| apart.files[0].1 = "../evil".to_owned()),
        @"
        exit 3
        --- stderr
        error: the pack has something that its list does not have
          expected a file `.pinion/blobs/[HEX]`
          found    a file `../evil`
        "
    );
    // A link where a file belongs.
    assert_snapshot!(
        tampered(&|apart| {
            let (header, ..) = apart.files.iter_mut().find(|(_, path, _)| path == "names.csv").unwrap();
            header.set_entry_type(tar::EntryType::Symlink);
            header.set_link_name("/etc/passwd").unwrap();
        }),
        @"
        exit 3
        --- stderr
        error: the pack has something that its list does not have
          expected a file `names.csv`
          found    a link `names.csv`
        "
    );
    // A file twice.
    assert_snapshot!(
        tampered(&|apart| {
            let twice = apart.files.last().unwrap().clone();
            apart.files.push(twice);
            apart.relist();
        }),
        @"
        exit 3
        --- stderr
        error: the list of the pack has `pinion.toml` twice, or in the wrong place
        "
    );
    // Files that the run does not have.
    assert_snapshot!(tampered(&|apart| apart.put("config.toml", b"[build]")), @"
    exit 3
    --- stderr
    error: `config.toml` does not belong to the run that was packed
    ");
    assert_snapshot!(tampered(&|apart| apart.put(".cargo/config.toml", b"[build]")), @"
    exit 3
    --- stderr
    error: `.cargo/config.toml` is no path for a file of a pack: a part of it begins with a dot, which is for the settings of programs
    ");
    assert_snapshot!(tampered(&|apart| apart.put(".pinion/hooks/run", b"evil")), @"
    exit 3
    --- stderr
    error: `.pinion/hooks/run` does not belong to the run that was packed
    ");
    // Other bytes, listed as they are.
    assert_snapshot!(tampered(&|apart| apart.put("names.csv", b"key,name\n")), @"
    exit 3
    --- stderr
    error: `names.csv` is not the file that was packed
      expected blake3:[DIGEST]
      found    blake3:[DIGEST]
    ");
    assert_snapshot!(tampered(&|apart| apart.put("lib/add.wasm", b"\0asm")), @"
    exit 3
    --- stderr
    error: `lib/add.wasm` is not the file that was packed
      expected sha256:[DIGEST]
      found    sha256:[DIGEST]
    ");
    assert_snapshot!(tampered(&|apart| apart.put("pinion.toml", b"[pipeline]")), @"
    exit 3
    --- stderr
    error: `pinion.toml` is not the file that was packed
      expected blake3:[DIGEST]
      found    blake3:[DIGEST]
    ");
    let component = honest
        .files
        .iter()
        .find(|(_, path, _)| path.starts_with(".pinion/components/"));
    let component = component.unwrap().1.clone();
    assert_snapshot!(tampered(&|apart| apart.put(&component, b"\0asm")), @"
    exit 3
    --- stderr
    error: component `sha256:[DIGEST]` of the pack is not what its name says
    caused by: its bytes are not those that were stored
      expected sha256:[DIGEST]
      found    sha256:[DIGEST]
    ");
    let record = format!(".pinion/runs/{}.jsonl", id(&ran));
    assert_snapshot!(
        tampered(&|apart| {
            let (.., bytes) = apart.files.iter().find(|(_, path, _)| *path == record).unwrap();
            let text = String::from_utf8(bytes.clone()).unwrap();
            apart.put(&record, text.replacen("\"days\"", "\"dayz\"", 1).as_bytes());
        }),
        @"
        exit 3
        --- stderr
        error: run `[RUN]` of the pack is not what its name says
        caused by: it cannot be read
        caused by: the run record is damaged
          in runs/[RUN].jsonl, line 1
        caused by: the line is not what was written
        "
    );

    // What is missing makes it no whole pack.
    for path in [
        "names.csv",
        "lib/add.wasm",
        "pinion.lock",
        &component,
        &record,
    ] {
        let mut apart = honest.clone();
        apart.remove(path);
        assert!(
            unpacked(&apart.together())
                .is_err_and(|error| matches!(*error, PackError::Lacks { .. })),
            "{path}"
        );
    }
    // Larger than it is.
    let mut apart = honest.clone();
    apart.list["files"][0]["bytes"] = json!(1_u64 << 62);
    let refused = unpacked(&apart.together());
    assert!(refused.is_err_and(|error| matches!(*error, PackError::Length { .. })));
    let newer = {
        let mut apart = honest.clone();
        apart.list["format"] = json!(2);
        elsewhere(&apart.together())
    };
    assert_snapshot!(newer.pinion(&["unpack", "run.tar"]).snapshot(), @"
    exit 2
    --- stderr
    error: the pack has an unsupported version
      expected version 1
      found    version 2

    hint: to unpack it, use a newer `pinion`
    ");
}

#[test]
fn only_runs_that_succeeded_are_packed() {
    let project = days::project();
    assert_snapshot!(project.pinion(&["pack", "-o", "run.tar"]).snapshot(), @"
    exit 2
    --- stderr
    error: there is no succeeded run of pipeline `days` to pack

    hint: to make one, run `pinion run`
    ");
    let failing = PIPELINE.replace("not_null = [\"a\"]", "rows = { min = 1000 }");
    project.write("pinion.toml", failing.as_bytes());
    let failed = project.pinion(&["run", "--json"]).json();
    assert_snapshot!(project.pinion(&["pack", id(&failed), "-o", "run.tar"]).snapshot(), @"
    exit 2
    --- stderr
    error: run [RUN] failed, so there is nothing to pack
    ");
    assert!(!Path::new(&project.path().join("run.tar")).exists());
}

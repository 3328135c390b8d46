//! Every body over `runtime/tests/corpus` and over mutations of it.
//!
//! `BLESS=1` writes the files whose names begin with `seed-`, from this very source; all others were written
//! by hand, or are inputs that once broke a promise, as their names say.

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use arrow_array::ArrayRef;
use arrow_buffer::Buffer;
use arrow_schema::{DataType, Field};
use cap_std::ambient_authority;
use cap_std::fs::Dir;
use mutations::{COUNT, Corpus, Outcome};

use super::arrays::Sent;
use crate::arrow::chunk::{canonical, canonical_field};
use crate::arrow::file;
use crate::arrow::format::to_wire;
use crate::arrow::node::{Node, encode};
use crate::arrow::samples::{Random, build, random_field, random_values};
use crate::digest::{ComponentDigest, Digest};
use crate::lock::{ComponentKey, LockedComponent, LockedFile, Lockfile, Origin};
use crate::pack::{self, Contents};
use crate::pipeline::Layout;
use crate::record::samples::{lines, run_end, run_start};
use crate::record::{Chain, Line, SourceFile};
use crate::store::fuzz::samples;
use crate::store::{Key, Store};

fn directory(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/corpus")
        .join(name)
}

/// Runs a body over its corpus, whose seeds are given by their numbers.
fn check(name: &str, count: u64, body: fn(&[u8]) -> bool, seeds: &[Vec<u8>]) -> Outcome {
    let directory = directory(name);
    if std::env::var_os("BLESS").is_some() {
        std::fs::create_dir_all(&directory).unwrap();
        for (number, bytes) in seeds.iter().enumerate() {
            std::fs::write(directory.join(format!("seed-{number}")), bytes).unwrap();
        }
    }
    Corpus::read(&directory, |_| true).check(count, body)
}

fn seeds(count: u64, seed: impl Fn(&mut Random) -> Vec<u8>) -> Vec<Vec<u8>> {
    (0..count).map(|number| seed(&mut Random(number))).collect()
}

/// Columns with random fields, each as one array.
fn columns(count: usize, random: &mut Random) -> Vec<(Field, ArrayRef)> {
    let rows = 1 + random.below(12);
    let column = |number: usize, random: &mut Random| {
        let field = canonical_field(&random_field(&format!("column {number}"), 2, random));
        let given = random_values(&field, rows, random);
        let array = build(&field, &given, random);
        // Views of plain strings, as samples may have them, are not what is sent for such a field.
        let array = match encode(&array) {
            Ok(_) => array,
            Err(_) => canonical(&field, &[array]).unwrap(),
        };
        (field, array)
    };
    (0..count).map(|number| column(number, random)).collect()
}

#[test]
fn pipeline() {
    check("pipeline", COUNT, super::pipeline, &[]);
}

#[test]
fn lockfile() {
    let seed = |random: &mut Random| {
        let mut lock = Lockfile::new("pinion 1", Layout::default());
        let origins = [
            Origin::Std,
            Origin::File,
            Origin::Crate {
                sources: Digest::of(b"sources"),
                file: "components/own.wasm".to_owned(),
            },
        ];
        for (number, origin) in origins.into_iter().enumerate() {
            let key = ComponentKey {
                name: format!("std:step-{number}"),
                version: (random.coin()).then(|| "1.2.3-alpha+5".parse().unwrap()),
            };
            let locked = LockedComponent {
                origin,
                digest: ComponentDigest::of(&[number as u8]),
                capabilities: ["wasi:sockets/tcp@0.2.0".to_owned()].into(),
            };
            lock.components.insert(key, locked);
        }
        let file = LockedFile {
            digest: Digest::of(b"file"),
            size_bytes: 1 << 40,
        };
        let files = [
            ("data/größe '1'.csv".to_owned(), file),
            ("b".to_owned(), file),
        ];
        lock.sources
            .insert("flights".parse().unwrap(), files.into());
        let fields = columns(3, random);
        let fields = fields.iter().flat_map(|(field, _)| to_wire(field));
        lock.probes
            .insert("read".parse().unwrap(), fields.collect());
        lock.to_text().into_bytes()
    };
    check("lockfile", COUNT, super::lockfile, &seeds(3, seed));
}

#[test]
fn record() {
    let seed = |random: &mut Random| {
        let mut chain = Chain::default();
        let sealed = lines(random)
            .iter()
            .map(|line| chain.seal(line).unwrap())
            .collect::<String>();
        sealed.into_bytes()
    };
    check("record", COUNT, super::record, &seeds(6, seed));
}

#[test]
fn manifest() {
    check(
        "manifest",
        COUNT,
        super::manifest,
        &seeds(6, samples::manifest),
    );
}

#[test]
fn recipe() {
    check("recipe", COUNT, super::recipe, &seeds(6, samples::recipe));
}

#[test]
fn chunk_file() {
    let seed = |random: &mut Random| {
        let (fields, columns): (Vec<_>, Vec<_>) = columns(1 + random.below(3), random)
            .into_iter()
            .map(|(field, array)| {
                let chunk = canonical(&field, &[array]).unwrap();
                (field, chunk)
            })
            .unzip();
        let mut bytes = Vec::new();
        file::write(&fields, &columns, &mut bytes).unwrap();
        bytes
    };
    check("chunk-file", COUNT, super::chunk_file, &seeds(24, seed));
}

#[test]
fn arrays() {
    let mut files = seeds(32, |random| {
        let columns = columns(1 + random.below(2), random);
        let sent = Sent {
            fields: columns
                .iter()
                .flat_map(|(field, _)| to_wire(field))
                .collect(),
            rows: columns[0].1.len() as u64,
            columns: columns
                .iter()
                .map(|(_, array)| encode(array).unwrap())
                .collect(),
        };
        sent.write()
    });
    let mut views = Vec::new();
    for (len, bytes) in [(3, *b"abc"), (15, *b"fif")] {
        views.extend_from_slice(&i32::to_le_bytes(len));
        views.extend_from_slice(&bytes);
        // Of a long value: its prefix is followed by a buffer and an offset.
        views.extend_from_slice(&[
            b't' * u8::from(len > 12),
            0,
            0,
            0,
            0,
            2 * u8::from(len > 12),
            0,
            0,
            0,
        ]);
    }
    let field = Field::new("views", DataType::Utf8View, true);
    let buffers = [
        &[][..],
        &views,
        b"..fifteen letters..",
        &19_u64.to_le_bytes(),
    ];
    files.push(
        Sent {
            fields: to_wire(&field),
            rows: 2,
            columns: vec![vec![Node {
                length: 2,
                null_count: 0,
                buffers: buffers.map(|bytes| Buffer::from(bytes.to_vec())).into(),
            }]],
        }
        .write(),
    );
    check("arrays", COUNT, super::arrays, &files);
}

#[test]
fn canonicalise_nans() {
    let texts = [
        r#"(module (memory 1) (func (export "f") (param f64 i32) (result f64) (local f64)
            (local.set 2 (f64.div (local.get 0) (f64.const 0)))
            (loop (local.set 2 (f64.add (local.get 2) (f64.sqrt (local.get 0))))
                (br_if 0 (local.tee 1 (i32.sub (local.get 1) (i32.const 1)))))
            (f64.store (i32.const 8) (f64.neg (local.get 2)))
            (f64.abs (local.get 2))))"#,
        r#"(module (global $g (mut f32) (f32.const nan)) (table 1 funcref) (type $t (func (param f32) (result f32 i64)))
            (func $f (type $t) (if (result f32) (f32.lt (local.get 0) (f32.const 1))
                (then (f32.mul (local.get 0) (local.get 0))) (else (f32.demote_f64 (f64.const 1))))
                (i64.reinterpret_f64 (f64.promote_f32 (local.get 0))))
            (elem (i32.const 0) $f)
            (func (export "g") (param i32) (global.set $g (select (f32.min (global.get $g) (f32.const 2))
                (f32.const 0) (local.get 0)))
                (block $a (block $b (br_table $a $b (local.get 0))))
                (drop (drop (call_indirect (type $t) (global.get $g) (i32.const 0))))))"#,
        r#"(module (memory 1) (func (export "v") (param i32) (v128.store (i32.const 0)
            (f64x2.div (v128.load (i32.const 16)) (f64x2.splat (f64.convert_i32_s (local.get 0)))))
            (drop (f32x4.extract_lane 1 (f32x4.add (v128.const f32x4 1 2 3 nan) (v128.load (i32.const 32)))))))"#,
        r#"(component (core module $m (memory (export "memory") 1)
                (func (export "f") (param f64 f64) (result f64) (f64.add (local.get 0) (local.get 1))))
            (core instance $i (instantiate $m))
            (func (export "f") (param "a" float64) (param "b" float64) (result float64) (canon lift (core func $i "f")))
            (component (core module (func (result f32) (f32.sqrt (f32.const -1))))))"#,
    ];
    let mut files: Vec<_> = texts
        .iter()
        .map(|text| wat::parse_str(text).unwrap())
        .collect();
    files.push(include_bytes!("../../../tests/components/c-scale/c-scale.wasm").to_vec());
    check("canonicalise-nans", COUNT, super::canonicalise_nans, &files);
}

#[test]
fn pack() {
    let files: Vec<_> = [false, true].map(a_pack).into();
    // Fewer: each is unpacked to the disk, and once more as it would have been written.
    check("pack", COUNT / 10, super::pack, &files);
}

/// A run without steps over one file, with that file kept or not.
fn a_pack(kept: bool) -> Vec<u8> {
    let directory = tempfile::tempdir().unwrap();
    let open = |path: &Path| Dir::open_ambient_dir(path, ambient_authority()).unwrap();
    std::fs::create_dir(directory.path().join("store")).unwrap();
    let store = Store::open(open(&directory.path().join("store")), Key::of_nobody()).unwrap();
    let data = b"a,b\n1,2\n";
    std::fs::create_dir(directory.path().join("data")).unwrap();
    std::fs::write(directory.path().join("data/a.csv"), data).unwrap();
    if kept {
        store.put_blob(data).unwrap();
    }
    let mut random = Random(5);
    let mut start = run_start(&[], &mut random);
    let lock = Lockfile::new("pinion 1", Layout::default());
    start.pipeline_text = store.put_blob(b"[pipeline]\nname = \"p\"\n").unwrap().0;
    start.lock_text = store.put_blob(lock.to_text().as_bytes()).unwrap().0;
    let file = SourceFile {
        path: "data/a.csv".to_owned(),
        digest: Digest::of(data),
        size_bytes: data.len() as u64,
    };
    start.sources = [("a".parse().unwrap(), vec![file])].into();
    let mut writer = store.create_run(&start.id).unwrap();
    for line in [
        Line::Run(Box::new(start.clone())),
        Line::Outcome(run_end(&mut random)),
    ] {
        writer.append(&line).unwrap();
    }
    let contents = Contents {
        store: &store,
        project: &open(directory.path()),
        run: &store.run(&start.id).unwrap(),
        components: &[],
        results: kept,
    };
    let mut bytes = Vec::new();
    pack::pack(contents, &mut bytes, &AtomicBool::new(false)).unwrap();
    bytes
}

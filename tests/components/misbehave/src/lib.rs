//! A row-map that does what a step must not, in the way its params name.
//!
//! Written against the raw bindings: the SDK sends only arrays that are valid.

#![cfg(target_family = "wasm")]

mod garbage;

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::io::Write as _;

use pinion_sdk::bindings::host::pinion::step::arrow::{
    self, Batch, Error, FieldParam, FieldResult, NodeParam,
};
use pinion_sdk::bindings::host::pinion::step::context;
use pinion_sdk::guest::{ports, row_map, step};

thread_local! {
    static MODE: RefCell<String> = const { RefCell::new(String::new()) };
}

struct Misbehave;

fn mode(params: &str) -> String {
    let params: serde_json::Value = serde_json::from_str(params).unwrap_or_default();
    params["mode"].as_str().unwrap_or_default().to_owned()
}

fn field(name: &str, format: &str) -> FieldResult {
    FieldResult {
        name: name.to_owned(),
        format: format.to_owned(),
        nullable: false,
        children: 0,
        metadata: Vec::new(),
    }
}

fn shape(port: &str, fields: Vec<FieldResult>) -> ports::PortShape {
    ports::PortShape {
        port: port.to_owned(),
        kind: "table".to_owned(),
        fields,
        media_type: String::new(),
    }
}

impl step::Guest for Misbehave {
    fn describe() -> ports::Descriptor {
        let port = |role: &str| ports::Port {
            name: "rows".to_owned(),
            role: role.to_owned(),
            kind: "table".to_owned(),
            optional: false,
            accepts: Vec::new(),
            doc: String::new(),
            annotations: Vec::new(),
        };
        ports::Descriptor {
            kind: "row-map".to_owned(),
            summary: "Misbehaves.".to_owned(),
            inputs: vec![port("main")],
            outputs: vec![port("out")],
            params_schema: r#"{"type":"object"}"#.to_owned(),
            annotations: Vec::new(),
        }
    }

    fn check(
        params: String,
        _inputs: Vec<ports::PortShape>,
    ) -> Result<Vec<ports::PortShape>, Error> {
        Ok(match mode(&params).as_str() {
            "check-panics" => panic!("nothing suits this step"),
            "check-loops" => spin(),
            "check-asks" => vec![shape(
                "rows",
                vec![field(&context::seed(0).to_string(), "l")],
            )],
            "check-twice" => vec![shape("rows", vec![field("x", "l"), field("x", "l")])],
            "check-ports" => vec![shape("lines", vec![])],
            "check-format" => vec![shape("rows", vec![field("x", "?")])],
            "check-kind" => vec![ports::PortShape {
                kind: "tree".to_owned(),
                ..shape("rows", vec![])
            }],
            "world" | "print" | "hash" => vec![shape("rows", vec![field("text", "u")])],
            mode => hostile::promise(mode),
        })
    }
}

impl row_map::Guest for Misbehave {
    fn open(params: String, _side: arrow::Inputs) -> Result<(), Error> {
        MODE.set(mode(&params));
        Ok(())
    }

    fn apply(rows: &Batch) -> Result<Vec<row_map::OutputBatch>, Error> {
        let mode = MODE.take();
        if let Some(which) = mode.strip_prefix("garbage ") {
            garbage::send(which, rows)?;
            return Ok(Vec::new());
        }
        let out = |rows| {
            Ok(vec![row_map::OutputBatch {
                port: "rows".to_owned(),
                rows,
            }])
        };
        match mode.as_str() {
            "panic" => panic!("the step gives up"),
            "unreachable" => core::arch::wasm32::unreachable(),
            "loop" => spin(),
            "recurse" => out(numbers("x", recurse(1))?),
            "nest" => out(numbers("x", nest(1))?),
            "double" => {
                // Twice as many operands each time, and nothing in them.
                let mut batch = rows.select(&[])?;
                for _ in 0..40 {
                    batch = batch.zip(&batch)?;
                }
                out(batch)
            }
            "ask" => {
                for substream in 0.. {
                    context::seed(substream);
                }
                Ok(Vec::new())
            }
            "memory" => {
                let mut hoard = Vec::new();
                loop {
                    hoard.push(std::hint::black_box(vec![1_u8; 1 << 16]));
                }
            }
            "log" => {
                for line in 0..100_000 {
                    context::log(
                        "shout",
                        &format!("line {line} \u{1b}[2J{}", "x".repeat(100)),
                    );
                }
                out(numbers("x", 1)?)
            }
            "print" => {
                for line in 0..2_000 {
                    println!("out {line} {}", "x".repeat(100));
                    eprintln!("error {line} {}", "x".repeat(100));
                }
                out(text("printed")?)
            }
            "handles" => loop {
                std::mem::forget(rows.slice(0, 0)?);
            },
            "sleep" => {
                std::thread::sleep(std::time::Duration::from_secs(1 << 30));
                out(numbers("x", 1)?)
            }
            "exit" => std::process::exit(0),
            "world" => out(text(&world())?),
            "hash" => {
                let order: HashSet<u32> = (0..20).collect();
                let other: HashMap<u32, ()> = (0..20).map(|key| (key, ())).collect();
                out(text(&format!("{order:?} {other:?}"))?)
            }
            "other-name" => out(numbers("y", 1)?),
            "other-type" => out(text_named("x", "no number")?),
            "other-width" => out(arrow::make_batch(1, &[], &[])?),
            "other-port" => Ok(vec![row_map::OutputBatch {
                port: "lines".to_owned(),
                rows: numbers("x", 1)?,
            }]),
            "two-batches" => Ok(vec![
                row_map::OutputBatch {
                    port: "rows".to_owned(),
                    rows: numbers("x", 1)?,
                },
                row_map::OutputBatch {
                    port: "rows".to_owned(),
                    rows: numbers("x", 1)?,
                },
            ]),
            "nulls" => {
                let null = [NodeParam {
                    length: 1,
                    null_count: 1,
                    buffers: &[&[0], &[0; 8]],
                }];
                out(arrow::make_batch(
                    1,
                    &[FieldParam {
                        nullable: true,
                        ..int("x")
                    }],
                    &[&null],
                )?)
            }
            "missing-column" => {
                rows.column("nowhere");
                Ok(Vec::new())
            }
            "forged-handle" => {
                forged(4711).rows();
                Ok(Vec::new())
            }
            "writer-as-batch" => {
                let scratch = arrow::Scratch::new();
                forged(scratch.handle()).rows();
                Ok(Vec::new())
            }
            "twice" => {
                let batch = numbers("x", 1)?;
                drop(forged(batch.handle()));
                batch.rows();
                Ok(Vec::new())
            }
            "deep" => {
                let mut batch = numbers("x", 1)?;
                for _ in 0..1000 {
                    batch = batch.rename("x", "y")?.rename("y", "x")?;
                }
                out(batch)
            }
            "refuse" => Err(Error {
                code: "not-today".to_owned(),
                message: "the step has other plans".to_owned(),
                details: vec![("rows".to_owned(), rows.rows().to_string())],
            }),
            mode => out(hostile::rows(mode)?),
        }
    }
}

mod hostile;

fn forged(handle: u32) -> Batch {
    #[expect(unsafe_code, reason = "a handle that nobody gave")]
    // SAFETY: none; the host must see through it.
    unsafe {
        Batch::from_handle(handle)
    }
}

fn spin() -> ! {
    loop {
        std::hint::black_box(());
    }
}

#[expect(unconditional_recursion, reason = "so that the stack overflows")]
fn recurse(depth: i64) -> i64 {
    let frame = std::hint::black_box([depth; 16]);
    recurse(frame[0] + 1) + frame[1]
}

/// Recursion that needs no memory, so that the engine's own stack overflows.
#[expect(unconditional_recursion, reason = "so that the stack overflows")]
#[inline(never)]
fn nest(depth: i64) -> i64 {
    std::hint::black_box(nest(std::hint::black_box(depth) + 1)) ^ depth
}

fn int(name: &str) -> FieldParam<'_> {
    FieldParam {
        name,
        format: "l",
        nullable: false,
        children: 0,
        metadata: &[],
    }
}

fn numbers(name: &str, value: i64) -> Result<Batch, Error> {
    arrow::make_batch(
        1,
        &[int(name)],
        &[&[NodeParam {
            length: 1,
            null_count: 0,
            buffers: &[&[], &value.to_le_bytes()],
        }]],
    )
}

fn text(text: &str) -> Result<Batch, Error> {
    text_named("text", text)
}

fn text_named(name: &str, text: &str) -> Result<Batch, Error> {
    let offsets: Vec<u8> = [0, text.len() as i32]
        .iter()
        .flat_map(|offset| offset.to_le_bytes())
        .collect();
    let node = NodeParam {
        length: 1,
        null_count: 0,
        buffers: &[&[], &offsets, text.as_bytes()],
    };
    arrow::make_batch(
        1,
        &[FieldParam {
            format: "u",
            ..int(name)
        }],
        &[&[node]],
    )
}

/// Everything that a program may look for outside itself.
fn world() -> String {
    use std::time::{Instant, SystemTime, UNIX_EPOCH};
    let mut found = Vec::new();
    found.push(format!(
        "arguments {:?}",
        std::env::args().collect::<Vec<_>>()
    ));
    found.push(format!(
        "environment {:?}",
        std::env::vars().collect::<Vec<_>>()
    ));
    found.push(format!(
        "directory {:?}",
        std::env::current_dir().map_err(|error| error.kind())
    ));
    for path in ["/", ".", "/etc/passwd", "pinion.toml"] {
        found.push(format!(
            "read {path} {:?}",
            std::fs::read(path).map_err(|error| error.kind())
        ));
        found.push(format!(
            "list {path} {:?}",
            std::fs::read_dir(path)
                .map(|_| ())
                .map_err(|error| error.kind())
        ));
    }
    found.push(format!(
        "write {:?}",
        std::fs::write("/tmp/mark", "x").map_err(|error| error.kind())
    ));
    found.push(format!(
        "input {:?}",
        std::io::read_to_string(std::io::stdin()).map_err(|error| error.kind())
    ));
    found.push(format!(
        "time {:?}",
        SystemTime::now().duration_since(UNIX_EPOCH)
    ));
    let start = Instant::now();
    std::thread::sleep(std::time::Duration::from_millis(1));
    found.push(format!("elapsed {:?}", start.elapsed()));
    drop(std::io::stdout().flush());
    found.join("\n")
}

pinion_sdk::bindings::step::export_step!(Misbehave with_types_in pinion_sdk::bindings::step);
pinion_sdk::bindings::row_map::export_row_map!(Misbehave with_types_in pinion_sdk::bindings::row_map);

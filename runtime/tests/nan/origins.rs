//! Where rewritten instructions come from.

use std::collections::BTreeMap;

use pinion_runtime::nan::{canonicalise, origins};
use wasmparser::{Parser, Payload};

/// Two modules, one of them without floats, and functions with and without insertions.
const TEXT: &str = r#"(component
    (core module
        (func (param i32) (result i32) (i32.add (local.get 0) (i32.const 1))))
    (core module
        (memory 1)
        (func (param f64 f64) (result f64)
            (local f32)
            (local.set 2 (f32.demote_f64 (f64.mul (local.get 0) (local.get 1))))
            (f32.store (i32.const 8) (local.get 2))
            (f64.add (local.get 0) (f64.div (local.get 0) (local.get 1))))
        (func (param i32) (result i32) (i32.mul (local.get 0) (i32.const 3)))
        (func (param f64) (f64.store (i32.const 0) (f64.sqrt (local.get 0))) unreachable)))"#;

/// Every instruction, by where it begins.
fn instructions(bytes: &[u8]) -> BTreeMap<usize, String> {
    let mut found = BTreeMap::new();
    for payload in Parser::new(0).parse_all(bytes) {
        if let Payload::CodeSectionEntry(body) = payload.unwrap() {
            let mut reader = body.get_operators_reader().unwrap();
            while !reader.eof() {
                let (operator, offset) = reader.read_with_offset().unwrap();
                found.insert(offset, format!("{operator:?}"));
            }
        }
    }
    found
}

#[test]
fn every_instruction_is_led_back_to_itself_and_none_is_lost() {
    let bytes = wat::parse_str(TEXT).unwrap();
    let rewritten = canonicalise(&bytes).unwrap();
    assert!(rewritten.places >= 3);
    let origins = origins(&bytes).unwrap();
    let (before, after) = (instructions(&bytes), instructions(&rewritten.bytes));
    let mut led_back: Vec<usize> = Vec::new();
    let mut last = 0;
    for (offset, operator) in &after {
        let original = origins.original(*offset).unwrap();
        assert!(original >= last, "byte {offset} comes from {original}");
        last = original;
        // What was inserted comes from the instruction before it.
        if before.get(&original) == Some(operator) {
            led_back.push(original);
        }
    }
    assert_eq!(led_back, before.keys().copied().collect::<Vec<_>>());
    assert!(after.len() > before.len());
    // Outside of code there is nothing to come from.
    assert_eq!(origins.original(0), None);
    assert_eq!(origins.original(rewritten.bytes.len()), None);
}

//! What the pass leaves alone, and what it refuses.

use pinion_runtime::nan::{self, Refused};

fn rewrite(text: &str) -> (Vec<u8>, nan::Canonicalised) {
    let wasm = wat::parse_str(text).unwrap();
    let rewritten = nan::canonicalise(&wasm).unwrap();
    (wasm, rewritten)
}

fn places(function: &str) -> usize {
    rewrite(&format!("(module (memory 1) {function})")).1.places
}

#[test]
fn a_component_without_seen_arithmetic_is_kept_byte_for_byte() {
    let (before, after) = rewrite(
        r#"(component
            (core module $inner
                (memory 1)
                (func (param f64 i32) (f64.store (local.get 1) (f64.neg (local.get 0))))
                (func (param f64 f64) (result i32)
                    (f64.lt (f64.add (local.get 0) (local.get 1)) (f64.const 1))))
            (core module $empty)
            (component (core module (func (result f32) (f32.const nan:0x200000)))))"#,
    );
    assert_eq!(before, after.bytes);
    assert_eq!(after.places, 0);
}

#[test]
fn what_lies_around_rewritten_code_is_kept() {
    let text = |function: &str| {
        format!(
            r#"(component
                (core module $first (func (export "kept") (result i32) (i32.const 7)))
                (component
                    (core module $second
                        (memory (export "memory") 1)
                        (func (export "changed") (param f64) (result f64) {function})
                        (func (export "kept") (result f64) (f64.const nan:0x4000000000001))
                        (data (i32.const 0) "kept")
                        (@custom "kept" "custom")))
                (core module $third (memory 3)))"#
        )
    };
    let (_, rewritten) = rewrite(&text("(f64.sqrt (local.get 0))"));
    let by_hand = wat::parse_str(text(
        "(local f64) (f64.sqrt (local.get 0))
         (local.tee 1) (local.get 1) (f64.ne)
         (if (then (f64.const nan) (local.set 1)))
         (local.get 1)",
    ));
    assert_eq!(rewritten.bytes, by_hand.unwrap());
    assert_eq!(rewritten.places, 1);
}

#[test]
fn a_loop_that_only_adds_is_left_alone() {
    let loop_over = |body: &str| {
        format!(
            "(func (param $p i32) (param $end i32) (result f64) (local $sum f64) (local $x f64)
                (loop $l
                    {body}
                    (br_if $l (i32.ne (local.tee $p (i32.add (local.get $p) (i32.const 8))) (local.get $end))))
                (local.get $sum))"
        )
    };
    // Once, at the end.
    let add = "(local.set $sum (f64.add (local.get $sum) (f64.load (local.get $p))))";
    assert_eq!(places(&loop_over(add)), 1);
    // Though the local held something else before.
    let reused = "(local.set $x (f64.load (local.get $p)))
        (local.set $x (f64.mul (local.get $x) (local.get $x)))
        (local.set $sum (f64.add (local.get $sum) (local.get $x)))";
    assert_eq!(places(&loop_over(reused)), 1);
    // A sum that is stored on its way is canonicalised on its way to memory, and at the end.
    let stored = "(f64.store (local.get $p)
        (local.tee $sum (f64.add (local.get $sum) (f64.load (local.get $p)))))";
    assert_eq!(places(&loop_over(stored)), 2);
}

#[test]
fn what_cannot_be_proved_is_refused() {
    let refused = |text: &str| {
        let wasm = wat::parse_str(text).unwrap();
        nan::canonicalise(&wasm).map(|_| ()).unwrap_err()
    };
    assert!(matches!(
        refused(
            "(module (func (param v128) (result v128)
                (f32x4.relaxed_madd (local.get 0) (local.get 0) (local.get 0))))"
        ),
        Refused::Invalid(_)
    ));
    assert!(matches!(
        refused("(module (func $f (param f64) (result f64) (return_call $f (local.get 0))))"),
        Refused::Invalid(_)
    ));
    assert!(matches!(
        nan::canonicalise(b"no component").map(|_| ()).unwrap_err(),
        Refused::Invalid(_)
    ));
    // Many labels over many locals: work that the size does not justify.
    let blocks =
        "(block (block (br_if 0 (i32.const 0)) (local.set 1 (f64.const 1)))) ".repeat(2000);
    let locals = "f64 ".repeat(20_000);
    assert!(matches!(
        refused(&format!("(module (func (local {locals}) {blocks}))")),
        Refused::TooManyJoins
    ));
}

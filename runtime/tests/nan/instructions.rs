//! Every numeric instruction on all pairs of values, seen in every way in which bits can be seen.

use std::fmt::Write as _;

use crate::switch::{F32S, F64S, agree};

/// Scalar instructions over `$a` and `$b`, which `T` stands before.
const SCALAR: [&str; 17] = [
    "(T.add (local.get $a) (local.get $b))",
    "(T.sub (local.get $a) (local.get $b))",
    "(T.mul (local.get $a) (local.get $b))",
    "(T.div (local.get $a) (local.get $b))",
    "(T.min (local.get $a) (local.get $b))",
    "(T.max (local.get $a) (local.get $b))",
    "(T.copysign (local.get $a) (local.get $b))",
    "(T.sqrt (local.get $a))",
    "(T.ceil (local.get $a))",
    "(T.floor (local.get $a))",
    "(T.trunc (local.get $a))",
    "(T.nearest (local.get $a))",
    "(T.neg (local.get $a))",
    "(T.abs (local.get $a))",
    "CONVERTED",
    // Arithmetic over arithmetic, and no arithmetic at all.
    "(T.add (T.mul (local.get $a) (local.get $b)) (T.neg (T.sub (local.get $b) (local.get $a))))",
    "(local.get $a)",
];

/// Ways to see the bits of `E`. Each is an expression of type i64, in a function with parameters `$a` and
/// `$b`, and locals `$x` and `$y` of type `T` and `$i` and `$j` of type i32. `B(…)` are the bits of a float.
/// `C` is a condition that depends on the parameters.
const SEEN: [&str; 48] = [
    "B(E)",
    // Stores.
    "(T.store (i32.const 0) E) (i64.load (i32.const 0))",
    "(T.store (i32.const 0) (local.tee $x E)) (i64.xor (i64.load (i32.const 0)) (i64.rotl B((local.get $x)) (i64.const 7)))",
    "(local.set $x E) (T.store (i32.const 0) (local.get $x)) (i64.load (i32.const 0))",
    // Signs.
    "B((T.neg E))",
    "B((T.neg (T.neg E)))",
    "B((T.abs E))",
    "B((T.neg (T.abs E)))",
    "B((T.abs (T.neg E)))",
    "B((T.copysign E (local.get $b)))",
    "B((T.copysign (local.get $b) E))",
    "B((T.copysign (T.neg E) (T.neg E)))",
    "(local.set $x (T.neg E)) B((local.get $x))",
    // Calls.
    "(call $bits E)",
    "(call_indirect (type $bits) E (i32.const 0))",
    "B((call $same E))",
    "(call $bits (T.neg E))",
    // Ways out of a function.
    "B((call $falls (local.get $a) (local.get $b) (local.get $i)))",
    "B((call $returns (local.get $a) (local.get $b) (local.get $i)))",
    "B((call $leaves (local.get $a) (local.get $b) (local.get $i)))",
    "B((call $may_leave (local.get $a) (local.get $b) (local.get $i)))",
    // Globals.
    "(global.set $g E) B((global.get $g))",
    // One of two.
    "B((select E (local.get $a) C))",
    "B((select (local.get $a) E C))",
    "B((select (result T) E (T.neg E) C))",
    "B((select (T.const 1) E C))",
    "B((select E (T.add (local.get $b) (local.get $b)) C))",
    // Blocks.
    "B((block $l (result T) E (br_if $l C) (drop) (local.get $a)))",
    "B((block $l (result T) (local.get $b) (br_if $l C) (drop) (br $l E)))",
    "B((block $l (result T) (local.get $a) (br_if $l C) (drop) E))",
    "B((block $l (result T) (br_table $l $l E C)))",
    "B((block $k (result T) (block $l (result T) (br_table $k $l $k (T.neg E) C)) (T.neg)))",
    "B((if (result T) C (then E) (else (local.get $b))))",
    "B((if (result T) C (then E) (else (T.neg E))))",
    "B((if (result T) C (then E) (else (T.const nan))))",
    "E (if (param T) (result T) C (then (T.neg))) (local.set $x) B((local.get $x))",
    "(if C (then (local.set $x E)) (else (local.set $x (local.get $a)))) B((local.get $x))",
    "(if C (then (local.set $x E))) B((local.get $x))",
    "(local.set $x (local.get $a)) (if C (then (local.set $x E))) B((local.get $x))",
    "(block $l (local.set $x E) (br_if $l C) (local.set $x (local.get $b))) B((local.get $x))",
    // Two results.
    "(block $l (result T T) E (local.get $a) (br_if $l C) (drop) (drop) (local.get $b) E) (local.set $x) (local.set $y) (i64.xor B((local.get $x)) (i64.rotl B((local.get $y)) (i64.const 7)))",
    // Loops.
    "(loop $l (local.set $x (T.add (local.get $x) E)) (br_if $l AGAIN)) B((local.get $x))",
    "(local.set $x (local.get $a)) (loop $l (T.store (i32.const 0) (local.get $x)) (local.set $x E) (br_if $l AGAIN)) (i64.xor (i64.load (i32.const 0)) (i64.rotl B((local.get $x)) (i64.const 7)))",
    "(local.set $x E) (local.set $y (local.get $b)) (loop $l (T.store (i32.const 0) (local.get $y)) (local.set $y (local.get $x)) (local.set $x (local.get $a)) (local.set $a E) (br_if $l AGAIN)) (i64.xor (i64.load (i32.const 0)) (i64.rotl B((local.get $x)) (i64.const 7)))",
    "(local.get $a) (loop $l (param T) (result T) (drop) E (br_if $l AGAIN)) (local.set $y) B((local.get $y))",
    "(local.get $b) E (loop $l (param T T) (result T T) (local.set $x) (local.set $y) (local.get $x) (local.get $y) (br_if $l AGAIN)) (local.set $x) (local.set $y) (i64.xor B((local.get $x)) (i64.rotl B((local.get $y)) (i64.const 7)))",
    // No bits.
    "(i64.extend_i32_u (i32.add (T.eq E (local.get $a)) (i32.mul (i32.const 2) (T.lt (local.get $b) E))))",
    "(i64.trunc_sat_T_s E)",
];

/// Vector instructions over the vectors at `$a` and `$b`.
const VECTOR: [&str; 20] = [
    "(TxN.add V W)",
    "(TxN.sub V W)",
    "(TxN.mul V W)",
    "(TxN.div V W)",
    "(TxN.min V W)",
    "(TxN.max V W)",
    "(TxN.pmin V W)",
    "(TxN.pmax V W)",
    "(TxN.pmin (TxN.neg (TxN.add V W)) V)",
    "(TxN.sqrt V)",
    "(TxN.ceil V)",
    "(TxN.floor V)",
    "(TxN.trunc V)",
    "(TxN.nearest V)",
    "(TxN.neg V)",
    "(TxN.abs (TxN.mul W V))",
    "(f64x2.promote_low_f32x4 V)",
    "(f32x4.demote_f64x2_zero V)",
    "(TxN.splat (T.add (TxN.extract_lane 0 V) (TxN.extract_lane 1 W)))",
    "(TxN.replace_lane 1 V (T.sub (TxN.extract_lane 0 V) (TxN.extract_lane 1 W)))",
];

/// Where the values lie, and where what is seen of pair `i, j` goes.
const VALUES: u32 = 1024;
const RESULTS: u32 = 65536;

#[test]
fn scalars_have_the_switchs_bits_wherever_they_are_seen() {
    let mut places = 0;
    for (float, other, bits) in [
        ("f64", "f32", "(i64.reinterpret_f64 "),
        ("f32", "f64", "(i64.extend_i32_u (i32.reinterpret_f32 "),
    ] {
        let converted = if float == "f64" {
            "(f64.promote_f32 (f32.demote_f64 (local.get $a)))"
        } else {
            "(f32.demote_f64 (f64.promote_f32 (local.get $a)))"
        };
        for instruction in SCALAR {
            let expression = instruction.replace("CONVERTED", converted);
            for seen in SEEN {
                let seen = seen.replace(" E", &format!(" {expression}"));
                let seen = seen.replace("(E", &format!("({expression}"));
                let seen = match seen.strip_prefix('E') {
                    Some(rest) => format!("{expression}{rest}"),
                    None => seen,
                };
                let seen = with_bits(&seen, bits)
                    .replace(
                        " AGAIN",
                        " (i32.lt_u (local.tee $j (i32.add (local.get $j) (i32.const 1))) (i32.const 3))",
                    )
                    .replace(" C", " (local.get $i)");
                let module = scalar_module(&seen, &expression, bits).replace('T', float);
                let name = format!("{float}, {other}: {seen}");
                let wasm =
                    wat::parse_str(&module).unwrap_or_else(|error| panic!("{error}\n{module}"));
                places += agree(&name, &wasm, &fill(float)).places;
            }
        }
    }
    assert!(places > 1000, "{places}");
}

/// Puts the bits of a float for `B(…)`.
fn with_bits(text: &str, bits: &str) -> String {
    let mut text = text.to_owned();
    while let Some(start) = text.find("B(") {
        let mut depth = 0;
        let end = text[start + 1..]
            .find(|c| {
                depth += match c {
                    '(' => 1,
                    ')' => -1,
                    _ => 0,
                };
                depth == 0
            })
            .unwrap();
        let close = ")".repeat(bits.matches('(').count());
        let inner = &text[start + 2..start + 1 + end];
        text = format!(
            "{}{bits}{inner}{close}{}",
            &text[..start],
            &text[start + 2 + end..]
        );
    }
    text
}

fn scalar_module(seen: &str, expression: &str, bits: &str) -> String {
    let close = ")".repeat(bits.matches('(').count());
    let pairs = pairs(
        "(call $seen (T.load (local.get $p)) (T.load (local.get $q)) (i32.add (local.get $p) (local.get $q)))",
        "i64.store",
    );
    format!(
        "(module
            (memory (export \"memory\") 4)
            (type $bits (func (param T) (result i64)))
            (table funcref (elem $bits))
            (global $g (export \"g\") (mut T) (T.const 0))
            (func $bits (type $bits) {bits}(local.get 0){close})
            (func $same (param $a T) (result T) (return (T.mul (local.get $a) (T.const 1))))
            (func $falls (param $a T) (param $b T) (param $i i32) (result T) {expression})
            (func $returns (param $a T) (param $b T) (param $i i32) (result T)
                (return {expression}))
            (func $leaves (param $a T) (param $b T) (param $i i32) (result T)
                (block (br 1 {expression})) (unreachable))
            (func $may_leave (param $a T) (param $b T) (param $i i32) (result T)
                {expression} (br_if 0 (local.get $i)) (drop) (local.get $b))
            (func $seen (param $a T) (param $b T) (param $at i32) (result i64)
                (local $x T) (local $y T) (local $i i32) (local $j i32)
                (i64.store (i32.const 0) (i64.const 0))
                (local.set $i (i32.and (i32.shr_u (local.get $at) (i32.const 3)) (i32.const 1)))
                {seen})
            {pairs})"
    )
}

/// Does something for all pairs of values and stores what it gives.
fn pairs(expression: &str, store: &str) -> String {
    let count = F64S.len() as u32;
    format!(
        "(func (export \"pairs\") (local $p i32) (local $q i32) (local $to i32)
            (local.set $to (i32.const {RESULTS}))
            (local.set $p (i32.const {VALUES}))
            (loop $outer
                (local.set $q (i32.const {VALUES}))
                (loop $inner
                    ({store} (local.get $to) {expression})
                    (local.set $to (i32.add (local.get $to) (i32.const 16)))
                    (local.set $q (i32.add (local.get $q) (i32.const 8)))
                    (br_if $inner (i32.lt_u (local.get $q) (i32.const {end}))))
                (local.set $p (i32.add (local.get $p) (i32.const 8)))
                (br_if $outer (i32.lt_u (local.get $p) (i32.const {end})))))",
        end = VALUES + 8 * count,
    )
}

/// Memory over which the values repeat, eight bytes each.
fn fill(float: &str) -> Vec<u8> {
    // The first value lies at `VALUES`, which 22 values do not divide: some other value is first.
    if float == "f64" {
        F64S.iter().flat_map(|bits| bits.to_le_bytes()).collect()
    } else {
        F32S.iter()
            .zip(F32S.iter().rev())
            .flat_map(|(one, other)| [one.to_le_bytes(), other.to_le_bytes()].concat())
            .collect()
    }
}

#[test]
fn vectors_have_the_switchs_bits() {
    let mut module = String::new();
    for (float, lanes) in [("f64", "f64x2"), ("f32", "f32x4")] {
        for instruction in VECTOR {
            let expression = instruction
                .replace('V', "(v128.load (local.get $p))")
                .replace('W', "(v128.load (local.get $q))")
                .replace("TxN", lanes)
                .replace('T', float);
            module.clear();
            write!(
                module,
                "(module (memory (export \"memory\") 4) {})",
                pairs(&expression, "v128.store")
            )
            .unwrap();
            let wasm = wat::parse_str(&module).unwrap_or_else(|error| panic!("{error}\n{module}"));
            agree(&expression, &wasm, &fill(float));
        }
    }
}

//! Random structured programs over float locals: what compilers make, with far more joins and NaNs.

use std::fmt::Write as _;

use crate::switch::{F64S, agree};

/// Programs to try.
const PROGRAMS: u64 = 250;

/// Locals of each width, parameters included.
const LOCALS: u64 = 4;

/// Writes a program as text. The same seed gives the same program.
struct Writer {
    state: u64,
    text: String,
    /// Labels around the place where the next statement goes.
    labels: u64,
    /// Statements that may still be written.
    left: u32,
}

impl Writer {
    fn below(&mut self, limit: u64) -> u64 {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        (self.state >> 20) % limit
    }

    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[self.below(from.len() as u64) as usize]
    }

    fn local(&mut self, float: &str) -> String {
        format!("${}{}", &float[1..2], self.below(LOCALS))
    }

    /// An expression of this type.
    fn float(&mut self, float: &str, depth: u32) -> String {
        let leaf = depth == 0 || self.below(8) == 0;
        match (leaf, self.below(if leaf { 10 } else { 20 })) {
            (true, 0) => format!(
                "({float}.const {})",
                self.pick(&["0", "-1.5", "nan", "inf"])
            ),
            (true, 1) => format!("({float}.const nan:0x200001)"),
            (true, 2..=3) => format!("({float}.load {})", self.address()),
            (true, _) => format!("(local.get {})", self.local(float)),
            (false, 0..=8) => {
                let operation = self.pick(&["add", "sub", "mul", "div", "min", "max"]);
                let (one, other) = (self.float(float, depth - 1), self.float(float, depth - 1));
                format!("({float}.{operation} {one} {other})")
            }
            (false, 9) => {
                let operation = self.pick(&["sqrt", "ceil", "floor", "trunc", "nearest"]);
                format!("({float}.{operation} {})", self.float(float, depth - 1))
            }
            (false, 10..=11) => {
                let operation = self.pick(&["neg", "abs"]);
                format!("({float}.{operation} {})", self.float(float, depth - 1))
            }
            (false, 12) => {
                let (one, other) = (self.float(float, depth - 1), self.float(float, depth - 1));
                format!("({float}.copysign {one} {other})")
            }
            (false, 13..=14) => {
                let (one, other) = (self.float(float, depth - 1), self.float(float, depth - 1));
                format!("(select {one} {other} {})", self.condition())
            }
            (false, 15) => {
                let value = self.float(float, depth - 1);
                format!("(local.tee {} {value})", self.local(float))
            }
            (false, 16) => {
                let (one, other) = (self.float(float, depth - 1), self.float(float, depth - 1));
                let condition = self.condition();
                format!("(if (result {float}) {condition} (then {one}) (else {other}))")
            }
            (false, 17) => {
                let (one, other) = (self.float(float, depth - 1), self.float(float, depth - 1));
                let condition = self.condition();
                format!("(block (result {float}) {one} (br_if 0 {condition}) (drop) {other})")
            }
            (false, 18) if float == "f64" => {
                format!("(f64.promote_f32 {})", self.float("f32", depth - 1))
            }
            (false, 18) => format!("(f32.demote_f64 {})", self.float("f64", depth - 1)),
            _ => {
                let value = self.float(float, depth - 1);
                format!("(call $f{} {value})", &float[1..])
            }
        }
    }

    fn address(&mut self) -> String {
        format!("(i32.const {})", 8 * self.below(32))
    }

    fn condition(&mut self) -> String {
        match self.below(3) {
            0 => format!("(f64.lt {} {})", self.float("f64", 1), self.float("f64", 1)),
            1 => format!("(f32.ne {} {})", self.float("f32", 1), self.float("f32", 1)),
            _ => format!("(i32.load8_u {})", self.address()),
        }
    }

    fn width(&mut self) -> &'static str {
        if self.below(4) == 0 { "f32" } else { "f64" }
    }

    fn statements(&mut self) {
        for _ in 0..=self.below(5) {
            if self.left == 0 {
                return;
            }
            self.left -= 1;
            self.statement();
        }
    }

    fn statement(&mut self) {
        let width = self.width();
        match self.below(16) {
            0..=5 => {
                let (local, value) = (self.local(width), self.float(width, 3));
                writeln!(self.text, "(local.set {local} {value})").unwrap();
            }
            6..=7 => {
                let (address, value) = (self.address(), self.float(width, 3));
                writeln!(self.text, "({width}.store {address} {value})").unwrap();
            }
            8 => {
                let (one, other) = (self.local(width), self.local(width));
                writeln!(self.text, "(local.set {one} (local.get {other}))").unwrap();
            }
            9 => {
                let value = self.float("f64", 3);
                writeln!(self.text, "(global.set $g {value})").unwrap();
            }
            10 if self.labels > 0 => {
                // Loops are left or not left, but never begun again this way, so everything ends.
                let (label, condition) = (self.below(self.labels), self.condition());
                writeln!(self.text, "(br_if $out{label} {condition})").unwrap();
            }
            11..=12 => {
                let condition = self.condition();
                writeln!(self.text, "(if {condition} (then").unwrap();
                self.statements();
                if self.below(2) == 0 {
                    self.text.push_str(") (else\n");
                    self.statements();
                }
                self.text.push_str("))\n");
            }
            13..=14 => {
                let label = self.labels;
                self.labels += 1;
                writeln!(
                    self.text,
                    "(block $out{label} (local.set $i{label} (i32.const 0)) (loop $l{label}"
                )
                .unwrap();
                self.statements();
                writeln!(
                    self.text,
                    "(br_if $l{label} (i32.lt_u (local.tee $i{label}
                        (i32.add (local.get $i{label}) (i32.const 1))) (i32.const 3)))))"
                )
                .unwrap();
                self.labels = label;
            }
            _ => {
                let value = self.float("f64", 2);
                let condition = self.condition();
                writeln!(self.text, "(if {condition} (then (return {value})))").unwrap();
            }
        }
    }
}

#[test]
fn random_programs_have_the_switchs_bits() {
    let fill: Vec<u8> = F64S.iter().flat_map(|bits| bits.to_le_bytes()).collect();
    let (mut places, mut nans) = (0, 0);
    for seed in 0..PROGRAMS {
        let text = program(seed);
        let wasm = wat::parse_str(&text).unwrap_or_else(|error| panic!("{error}\n{text}"));
        let agreed = agree(&format!("seed {seed}\n{text}"), &wasm, &fill);
        places += agreed.places;
        for value in agreed.seen.calls.iter().flatten().flatten() {
            nans += usize::from(value & 0x7ff8_0000_0000_0000 == 0x7ff8_0000_0000_0000);
        }
    }
    // They are worth something only if they do arithmetic and see NaNs.
    assert!(places > 2000 && nans > 100, "{places} places, {nans} NaNs");
}

fn program(seed: u64) -> String {
    let mut writer = Writer {
        state: (seed + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1,
        text: String::new(),
        labels: 0,
        left: 40,
    };
    let mut module = String::from(
        "(module
            (memory (export \"memory\") 1)
            (global $g (export \"g\") (mut f64) (f64.const 0))
            (func $f64 (param f64) (result f64) (f64.add (local.get 0) (f64.load (i32.const 24))))
            (func $f32 (param f32) (result f32) (f32.neg (local.get 0)))\n",
    );
    for function in 0..4 {
        writer.text.clear();
        writer.left = 40;
        for _ in 0..4 {
            writer.statements();
        }
        let result = writer.float("f64", 3);
        writeln!(
            module,
            "(func (export \"{function}\") (param $60 f64) (param $30 f32) (param $61 f64) (result f64)
                (local $62 f64) (local $63 f64) (local $31 f32) (local $32 f32) (local $33 f32)
                {}
                {}
                {result})",
            (0..40).map(|at| format!("(local $i{at} i32)")).collect::<String>(),
            writer.text,
        )
        .unwrap();
    }
    module.push(')');
    module
}

//! How much work a component is to compile, told from its bytes before anybody begins.
//!
//! Compiling cannot be interrupted, and neither fuel nor memory limits hold for it. So what takes the compiler
//! time and memory is counted here, and has a limit that is more than any standard step and any of the interpreters
//! below has.
//! Twelve kilobytes can keep a compiler busy for hours: loops in each other, with many locals in the innermost.
//!
//! What is declared around the code is counted first, in [`assembly`], and without validating it: that alone can take
//! as long, or more stack than there is. Then the functions are counted as they are validated.
//!
//! # Measured
//!
//! CPU seconds and peak memory of one component, about as large as a limit lets it be, on a machine of 2026.
//!
//! | what | found | takes |
//! |---|---|---|
//! | functions that are exported | 99,000 | 13.6 s, 1.2 GB |
//! | functions that are not | 99,000 | 6.1 s, 560 MB |
//! | functions of 1,000 params, in a table | 1,000: 15.8 MB of code, as counted | 20 s |
//! | calls of 1,000 results, and of 1,000 params | 500: 2 MB of code, as counted | 2.2 s, 260 MB |
//! | 50,000 locals, in each of 100 functions | 313 KB of code, as counted | 0.4 s |
//! | signatures of 8 params | 49,000: 83,000, as counted | 4.6 s, 330 MB |
//! | elements that are expressions | 100,000: 300 KB of how modules start | 4.5 s, 680 MB |
//! | pieces of data | 65,000: 520 KB of how modules start | 13 s, 940 MB |
//! | types, names and parts mentioned | 1,048,500 | 0.7 s, 510 MB |
//! | adapters of nothing | 1,000: 20,000 values | 0.4 s |
//! | strings of one encoding handed over | 3,000: 122,000 values | 0.7 s |
//! | strings of different encodings handed over | 3,000: 122,000 values | 1.9 s |
//! | variants of 400 cases handed over | 100: 82,000 values | 0.5 s |
//!
//! What NaNs are canonicalised with makes code up to three times as long and takes, at its most, two seconds for a
//! function. What CPython, StarlingMonkey, QuickJS and Go bring along for a step that does nothing has at most:
//! 13,500 functions, 9.2 MB of code, 1,400 signatures, 66,000 mentioned, 9,700 values to be handed over. Go has
//! 42,000 pieces of data, two thirds of what there may be.

mod assembly;

use wasmparser::{
    CompositeInnerType, FuncToValidate, FuncValidatorAllocations, FunctionBody, Operator, Parser,
    ValidPayload, Validator, ValidatorResources, WasmFeatures, WasmModuleResources,
};

use super::BadComponent;

/// Functions of a component: each takes the compiler some 7 KiB, however small it is.
const MAX_FUNCTIONS: u64 = 100_000;

/// Bytes of code of a component: each takes it one to three microseconds.
const MAX_CODE_BYTES: u64 = 16 << 20;

/// Bytes of the body of a function: each takes it some 700 to 1600 bytes, while it is compiled.
const MAX_BODY_BYTES: u64 = 512 << 10;

/// Squares of the numbers of branches in each function of a component, all together: 5 ns each.
const MAX_BRANCHES: u64 = 1 << 32;

/// Values of a function that live across its branches, once for each branch: 44 bytes each.
const MAX_LIVE: u64 = 1 << 22;

/// The same of all functions of a component: 160 ns each.
const MAX_LIVE_OF_ALL: u64 = 1 << 28;

/// Locals that are used in loops of a function, once for each loop that they are used in.
const MAX_LOOP_LOCALS: u64 = 1 << 15;

/// The same of all functions of a component.
const MAX_LOOP_LOCALS_OF_ALL: u64 = 1 << 19;

/// What is counted of a function.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Control {
    branches: u64,
    live: u64,
    loop_locals: u64,
    /// Params, results and locals, as bytes of code that take as long. Few of them count as none.
    values: u64,
}

/// What is counted of a component.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Effort {
    functions: u64,
    code_bytes: u64,
    branches: u64,
    live: u64,
    loop_locals: u64,
}

/// Refuses what would take the compiler too long or too much memory. What is not valid is left to those who say
/// why.
pub(super) fn check(bytes: &[u8]) -> Result<(), BadComponent> {
    let lost = assembly::check(bytes)?;
    let mut effort = Effort::default();
    each_function(bytes, lost, &mut |function, body, allocations| {
        effort.add(function, body, allocations)
    })
}

/// A function, its body and what validating takes, which is given back.
type Each<'a> = &'a mut dyn FnMut(
    FuncToValidate<ValidatorResources>,
    &FunctionBody<'_>,
    &mut FuncValidatorAllocations,
) -> Result<(), BadComponent>;

/// Calls for each function, as far as the bytes are valid. A section at `lost` cannot be.
fn each_function(bytes: &[u8], lost: Option<usize>, each: Each<'_>) -> Result<(), BadComponent> {
    let mut validator = Validator::new_with_features(WasmFeatures::all());
    let mut allocations = FuncValidatorAllocations::default();
    for payload in Parser::new(0).parse_all(bytes) {
        let Ok(payload) = payload else {
            return Ok(());
        };
        match validator.payload(&payload) {
            Ok(ValidPayload::Func(function, body)) => each(function, &body, &mut allocations)?,
            Ok(_) => {}
            Err(_) => return Ok(()),
        }
        let section = payload.as_section();
        if lost.is_some() && section.map(|(_, range)| range.start) == lost {
            limit("sections whose parts cannot be counted", 1, 0)?;
        }
    }
    Ok(())
}

impl Effort {
    fn add(
        &mut self,
        function: FuncToValidate<ValidatorResources>,
        body: &FunctionBody<'_>,
        allocations: &mut FuncValidatorAllocations,
    ) -> Result<(), BadComponent> {
        self.functions += 1;
        limit("functions", self.functions, MAX_FUNCTIONS)?;
        let bytes = body.range().len() as u64;
        limit("bytes of code in one function", bytes, MAX_BODY_BYTES)?;
        let control = Control::of(function, body, allocations);
        let bytes = bytes + control.values;
        limit("bytes of code in one function", bytes, MAX_BODY_BYTES)?;
        self.code_bytes += bytes;
        limit("bytes of code", self.code_bytes, MAX_CODE_BYTES)?;
        limit(
            "values that live across branches of one function, counted for each branch",
            control.live,
            MAX_LIVE,
        )?;
        self.live += control.live;
        limit(
            "values that live across branches, counted for each branch",
            self.live,
            MAX_LIVE_OF_ALL,
        )?;
        self.branches += control.branches * control.branches;
        limit(
            "branches, squared and added up over its functions",
            self.branches,
            MAX_BRANCHES,
        )?;
        limit(
            "locals in loops of one function, counted for each loop",
            control.loop_locals,
            MAX_LOOP_LOCALS,
        )?;
        self.loop_locals += control.loop_locals;
        limit(
            "locals in loops, counted for each loop",
            self.loop_locals,
            MAX_LOOP_LOCALS_OF_ALL,
        )
    }
}

fn limit(what: &'static str, found: u64, most: u64) -> Result<(), BadComponent> {
    match found > most {
        true => Err(BadComponent::TooMuch { what, most, found }),
        false => Ok(()),
    }
}

/// Values that a call of a function of this type hands over, beyond those of calls as they are.
fn handed(resources: &ValidatorResources, function: u32) -> u64 {
    let called = resources.sub_type_at(function);
    let values = called.map(|called| match &called.composite_type.inner {
        CompositeInnerType::Func(called) => called.params().len() + called.results().len(),
        _ => 0,
    });
    values.unwrap_or(0).saturating_sub(16) as u64
}

/// When a local was used.
#[derive(Clone, Copy)]
struct Used {
    /// By number of branches before.
    last: u64,
    /// By number of operators before, counted from one.
    at: usize,
}

impl Control {
    /// Counts not much further than the limits are.
    fn of(
        function: FuncToValidate<ValidatorResources>,
        body: &FunctionBody<'_>,
        allocations: &mut FuncValidatorAllocations,
    ) -> Self {
        let mut control = Self {
            values: 16 * handed(&function.resources, function.ty),
            ..Self::default()
        };
        let mut validator = function.into_validator(std::mem::take(allocations));
        // What is wrong with it is told by whoever compiles it.
        let _ = control.walk(&mut validator, body);
        *allocations = validator.into_allocations();
        control
    }

    fn walk(
        &mut self,
        validator: &mut wasmparser::FuncValidator<ValidatorResources>,
        body: &FunctionBody<'_>,
    ) -> wasmparser::Result<()> {
        let mut reader = body.get_operators_reader()?;
        validator.read_locals(&mut body.get_binary_reader())?;
        self.values += u64::from(validator.len_locals()) / 16;
        let mut used: Vec<Option<Used>> = Vec::new();
        used.resize(validator.len_locals() as usize, None);
        // For each open block where it began, if it is a loop.
        let mut open: Vec<Option<usize>> = Vec::new();
        for at in 1.. {
            if reader.eof() || self.live > MAX_LIVE || self.loop_locals > MAX_LOOP_LOCALS {
                break;
            }
            let (operator, offset) = reader.read_with_offset()?;
            let branches = match operator {
                Operator::Block { .. } | Operator::If { .. } => {
                    open.push(None);
                    1
                }
                Operator::Loop { .. } => {
                    open.push(Some(at));
                    1
                }
                Operator::End => {
                    open.pop();
                    0
                }
                Operator::Else | Operator::Br { .. } | Operator::BrIf { .. } | Operator::Return => {
                    1
                }
                Operator::CallIndirect { type_index, .. } => {
                    self.values += 4 * handed(validator.resources(), type_index);
                    1
                }
                Operator::BrTable { ref targets } => u64::from(targets.len()) + 1,
                Operator::LocalGet { local_index }
                | Operator::LocalSet { local_index }
                | Operator::LocalTee { local_index } => {
                    let Some(used) = used.get_mut(local_index as usize) else {
                        break;
                    };
                    let now = self.branches;
                    let used = used.get_or_insert(Used { last: now, at: 0 });
                    self.live += now - used.last;
                    used.last = now;
                    // What was used since a loop began is counted for it, and for those around it.
                    let loops = open.iter().rev().flatten();
                    let new = loops.take_while(|began| **began >= used.at).count();
                    self.loop_locals += new as u64;
                    used.at = at + 1;
                    0
                }
                Operator::Call { function_index } => {
                    let resources = validator.resources();
                    let called = resources.type_index_of_function(function_index);
                    self.values += called.map_or(0, |called| 4 * handed(resources, called));
                    0
                }
                _ => 0,
            };
            self.branches += branches;
            self.live += branches * u64::from(validator.operand_stack_height());
            validator.op(offset, &operator)?;
        }
        Ok(())
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn of(text: &str) -> Control {
        let mut found = None;
        let bytes = wat::parse_str(text).unwrap();
        each_function(&bytes, None, &mut |function, body, allocations| {
            found = Some(Control::of(function, body, allocations));
            Ok(())
        })
        .unwrap();
        found.unwrap()
    }

    #[test]
    fn branches_are_counted() {
        let text = "(module (func (param i32)
            (block (br_if 0 (local.get 0)))
            (if (local.get 0) (then (nop)) (else (return)))
            (block (block (br_table 0 1 0 (local.get 0))))))";
        assert_eq!(of(text).branches, 2 + 3 + 2 + 3);
    }

    #[test]
    fn locals_are_counted_once_for_each_loop_around_them() {
        assert_eq!(
            of("(module (func (local i32) (drop (local.get 0))))").loop_locals,
            0
        );
        assert_eq!(
            of("(module (func (local i32 i32)
                (drop (local.get 0))
                (loop
                    (local.set 0 (local.get 1))
                    (loop (local.set 0 (local.get 0)))
                    (drop (local.get 1)))
                (loop (drop (local.get 0)))))")
            .loop_locals,
            2 + 1 + 1
        );
    }

    #[test]
    fn values_are_counted_for_each_branch_they_live_across() {
        let blocks = "(block) ".repeat(10);
        let local = format!(
            "(module (func (local i32)
            {blocks} (local.set 0 (i32.const 1)) {blocks} (drop (local.get 0)) {blocks}))"
        );
        assert_eq!(of(&local).live, 10);
        let stack = format!("(module (func i32.const 1 i32.const 2 {blocks} drop drop {blocks}))");
        assert_eq!(of(&stack).live, 20);
    }

    #[test]
    fn what_cannot_be_parsed_is_for_others_to_tell() {
        assert!(check(b"").is_ok() && check(b"\0asm\x0d\0\x01\0\xff").is_ok());
        let cut = wat::parse_str("(module (func (drop (i32.const 1))))").unwrap();
        assert!(check(&cut[..cut.len() - 2]).is_ok());
    }
}

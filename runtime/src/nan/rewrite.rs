//! Puts rewritten code into a component of which every other byte is kept.

use wasm_encoder::{
    BlockType, CodeSection, Encode, Ieee32, Ieee64, InstructionSink, Section, ValType,
};
use wasmparser::FunctionBody;

use super::Refused;
use super::function::{Insertion, Insertions};
use super::instruction::Lanes;
use super::values::{Kind, Width};

/// The most that a function may have, as engines agree.
const MAX_FUNCTION_BYTES: usize = 7_654_321;
const MAX_LOCALS: u32 = 50_000;

/// The canonical NaNs, as the engine's switch has them.
const F32_NAN: u32 = 0x7fc0_0000;
const F64_NAN: u64 = 0x7ff8_0000_0000_0000;

/// A component, or what is nested in one, on its way from input to output.
pub(super) struct Splice<'a> {
    input: &'a [u8],
    /// The part of the input that was read.
    read: usize,
    /// What is open: the component itself and what is nested in it.
    open: Vec<Nested>,
}

struct Nested {
    output: Vec<u8>,
    /// Where its section begins in the input.
    start: usize,
    /// Section number in the parent.
    section: u8,
    changed: bool,
}

impl<'a> Splice<'a> {
    pub(super) fn new(input: &'a [u8]) -> Self {
        Self {
            input,
            read: 0,
            open: vec![Nested {
                output: Vec::with_capacity(input.len() + input.len() / 8),
                start: 0,
                section: 0,
                changed: false,
            }],
        }
    }

    /// Keeps everything up to the end of this section.
    pub(super) fn keep(&mut self, until: usize) {
        let kept = self.input.get(self.read..until).unwrap_or_default();
        if let Some(nested) = self.open.last_mut() {
            nested.output.extend_from_slice(kept);
        }
        self.read = until;
    }

    /// Goes into a section with a module or component, whose content begins here.
    pub(super) fn enter(&mut self, content: usize) {
        self.open.push(Nested {
            output: Vec::new(),
            start: self.read,
            section: self.input.get(self.read).copied().unwrap_or_default(),
            changed: false,
        });
        self.read = content;
    }

    /// Puts another code section in place of the one that ends here.
    pub(super) fn replace(&mut self, code: &CodeSection, until: usize) {
        if let Some(nested) = self.open.last_mut() {
            code.append_to(&mut nested.output);
            nested.changed = true;
        }
        self.read = until;
    }

    /// Leaves a module or component at its end.
    pub(super) fn leave(&mut self) {
        if self.open.len() == 1 {
            return;
        }
        let (Some(nested), Some(parent)) = (self.open.pop(), self.open.last_mut()) else {
            return;
        };
        if nested.changed {
            parent.output.push(nested.section);
            nested.output.encode(&mut parent.output);
            parent.changed = true;
        } else {
            // It keeps even the form of its length.
            let kept = self.input.get(nested.start..self.read);
            parent.output.extend_from_slice(kept.unwrap_or_default());
        }
    }

    pub(super) fn finish(mut self) -> Vec<u8> {
        self.open.pop().map(|all| all.output).unwrap_or_default()
    }
}

/// Locals that hold what is being canonicalised: one for each type at most, after all others.
struct Scratch {
    next: u32,
    locals: Vec<(ValType, u32)>,
}

impl Scratch {
    fn local(&mut self, val_type: ValType) -> u32 {
        if let Some((_, local)) = self.locals.iter().find(|(there, _)| *there == val_type) {
            return *local;
        }
        let local = self.next;
        self.next += 1;
        self.locals.push((val_type, local));
        local
    }

    fn insert(&mut self, insertion: Insertion, code: &mut InstructionSink<'_>) {
        match insertion {
            Insertion::Scalar(Width::F32, kind) => {
                let local = self.local(ValType::F32);
                let bits = F32_NAN | u32::from(kind == Kind::Negated) << 31;
                code.local_tee(local).local_get(local).f32_ne();
                code.if_(BlockType::Empty);
                code.f32_const(Ieee32::new(bits)).local_set(local);
                code.end().local_get(local);
            }
            Insertion::Scalar(Width::F64, kind) => {
                let local = self.local(ValType::F64);
                let bits = F64_NAN | u64::from(kind == Kind::Negated) << 63;
                code.local_tee(local).local_get(local).f64_ne();
                code.if_(BlockType::Empty);
                code.f64_const(Ieee64::new(bits)).local_set(local);
                code.end().local_get(local);
            }
            Insertion::Vector(lanes) => {
                let local = self.local(ValType::V128);
                let nan = match lanes {
                    Lanes::F32x4 => u128::from(F32_NAN) * 0x1_0000_0001_0000_0001_0000_0001,
                    Lanes::F64x2 => u128::from(F64_NAN) * 0x1_0000_0000_0000_0001,
                };
                code.local_tee(local).v128_const(nan as i128);
                code.local_get(local).local_get(local);
                match lanes {
                    Lanes::F32x4 => code.f32x4_eq(),
                    Lanes::F64x2 => code.f64x2_eq(),
                };
                code.v128_bitselect();
            }
        }
    }
}

/// Runs of code that were kept: for each, where it begins in the new body and where it began in the
/// component. One run begins in the component where the one before it ends.
pub(super) type Runs = Vec<(usize, usize)>;

/// The body of a function with what is to be inserted, without its length. What was kept goes to `runs`, if
/// somebody asks.
pub(super) fn body(
    input: &[u8],
    body: &FunctionBody<'_>,
    insertions: &Insertions,
    locals: u32,
    mut runs: Option<&mut Runs>,
) -> Result<Vec<u8>, Refused> {
    let mut declarations = body.get_binary_reader();
    let groups = declarations.read_var_u32()?;
    let declared = declarations.original_position();
    let mut operators = body.get_operators_reader()?;
    let undeclared = operators.original_position();

    let mut scratch = Scratch {
        next: locals,
        locals: Vec::new(),
    };
    let mut code = Vec::new();
    let mut kept = undeclared;
    let mut insertions = insertions.iter().peekable();
    for instruction in 0.. {
        if operators.eof() {
            break;
        }
        operators.read()?;
        let end = operators.original_position();
        while let Some((_, insertion)) = insertions.next_if(|(after, _)| *after == instruction) {
            if let Some(runs) = runs.as_deref_mut() {
                runs.push((code.len(), kept));
            }
            code.extend_from_slice(input.get(kept..end).unwrap_or_default());
            kept = end;
            scratch.insert(*insertion, &mut InstructionSink::new(&mut code));
        }
    }
    if let Some(runs) = runs.as_deref_mut() {
        runs.push((code.len(), kept));
    }
    code.extend_from_slice(input.get(kept..body.range().end).unwrap_or_default());

    let mut output = Vec::with_capacity(code.len() + body.range().len());
    (groups + scratch.locals.len() as u32).encode(&mut output);
    output.extend_from_slice(input.get(declared..undeclared).unwrap_or_default());
    for (val_type, _) in &scratch.locals {
        1_u32.encode(&mut output);
        val_type.encode(&mut output);
    }
    for (start, _) in runs.into_iter().flatten() {
        *start += output.len();
    }
    output.append(&mut code);
    if output.len() > MAX_FUNCTION_BYTES || scratch.next > MAX_LOCALS {
        return Err(Refused::TooLarge);
    }
    Ok(output)
}

//! Canonicalises NaNs where their bits can be seen, so that the engine need not do so everywhere.
//!
//! WebAssembly leaves the bits of a NaN that arithmetic gives to the machine: the one hole in its
//! determinism. Engines have a switch that canonicalises after every operation, which makes loops over
//! floats several times slower. But a NaN's bits are seen only where a float becomes something else.
//! [`canonicalise`] rewrites the code of a component so that it does at those places what the switch
//! does, and nothing elsewhere. For every guest, memory, globals, tables, traps and whatever crosses to
//! the host have the bits that they have with the switch on.
//!
//! # What is rewritten
//!
//! After an instruction that leaves a float on the operand stack, a comparison with itself may be
//! inserted and an `if` that puts the canonical NaN in its place; after one that leaves a vector of floats,
//! the same with `bitselect`. (A branch that is never taken was measured to be the cheapest for scalars:
//! it is predicted, and nothing waits for it.) Functions get up to three locals more. Everything else is
//! kept byte for byte: no label, index or constant changes. The bytes out follow from the bytes in and
//! nothing else.
//!
//! # Why that is sound
//!
//! Run a function twice: as written, on an engine with the switch on, and rewritten, on one that gives
//! arithmetic NaNs whatever bits it likes, perhaps other ones each time. Call a value of the second run
//! *alike* if it equals that of the first run, or both are NaNs, and *exact* if it equals it.
//!
//! 1. All values are alike, and those that are no floats are exact. Parameters, loads, globals, constants
//!    and call results are exact, by 3. Arithmetic, comparison and conversion to integers take alike
//!    operands to alike results, exact ones if they are not floats: which of their results are NaNs, what
//!    the others are and whether they trap follows from which operands are NaNs and what the others are.
//!    `neg`, `abs`, `select`, moves through locals and control flow hand on what they get; `neg` and `abs`
//!    change the sign of either.
//! 2. Where the bits of a NaN in the first run are known (`values::Kind`), an alike value is made exact by
//!    putting those bits in place of any NaN. They are known for arithmetic, whose NaN is the canonical
//!    one; for `neg` and `abs` of what is known; and for what is known alike on all ways to a value.
//! 3. Every instruction that sees bits gets exact operands. Those are all that are not named in
//!    `instruction`: stores, calls, globals, reinterpretation, lanes, and whatever is forgotten. Returning,
//!    and so the end of a function, sees bits too. What must be exact and is known is canonicalised
//!    at the instruction that leaves it on the stack; otherwise, what it follows from must be exact. That
//!    ends at values that are exact by 1 or known by 2.
//! 4. Vectors have no lanes in memory, so vector arithmetic is canonicalised at once and all vectors are
//!    exact.
//!
//! Since alike values take the same branches, both runs execute the same instructions apart from the
//! inserted ones. A copied NaN keeps its payload, since moves are not arithmetic and nothing but
//! arithmetic is known.
//!
//! Which local holds what is followed through control flow: a local of the binary is used for several
//! variables of the source, and an accumulator stays uncanonicalised in its loop though the register it
//! lives in held loaded values before.
//!
//! # What is refused
//!
//! Whatever is not WebAssembly 2.0 or needs more work than its size justifies. Use the engine's switch
//! for it; [`Refused`] depends on the bytes alone, so the choice is the same everywhere.

mod function;
mod instruction;
mod origins;
mod rewrite;
mod values;

use wasm_encoder::CodeSection;
use wasmparser::{
    FuncValidatorAllocations, Parser, Payload, ValidPayload, Validator, WasmFeatures,
};

use function::Walk;
pub use origins::{Origins, origins};
use rewrite::{Runs, Splice};

/// Why a component was not rewritten.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// It is damaged, or uses what is not in WebAssembly 2.0 and its component model.
    #[error("it is no component of WebAssembly 2.0: {0}")]
    Invalid(#[from] wasmparser::BinaryReaderError),
    /// An instruction is not known.
    #[error("the instruction at byte {offset} is not known")]
    Unknown {
        /// Where it stands in the component.
        offset: usize,
    },
    /// An instruction takes more than there is.
    #[error("an instruction takes more than there is")]
    Underflow,
    /// Its control flow joins more values than its size justifies.
    #[error("its control flow joins too many values")]
    TooManyJoins,
    /// A function would get too large.
    #[error("a function would become larger than a function may be")]
    TooLarge,
}

/// A rewritten component.
#[derive(Debug)]
pub struct Canonicalised {
    /// The component, to be compiled without the engine's switch.
    pub bytes: Vec<u8>,
    /// Places at which something was inserted.
    pub places: usize,
}

/// What this pass has looked at.
pub(crate) fn features() -> WasmFeatures {
    WasmFeatures::WASM2
        | WasmFeatures::EXTENDED_CONST
        | WasmFeatures::MULTI_MEMORY
        | WasmFeatures::COMPONENT_MODEL
}

/// Values joined for each byte of a component, and those that even the smallest may join.
const JOINS: (u64, u64) = (64, 1 << 22);

/// Rewrites a component or a core module.
///
/// # Errors
/// See [`Refused`].
pub fn canonicalise(bytes: &[u8]) -> Result<Canonicalised, Refused> {
    rewrite_all(bytes, None)
}

/// Rewrites; what was kept of each function goes to `runs`, if somebody asks.
fn rewrite_all(bytes: &[u8], mut runs: Option<&mut Vec<Runs>>) -> Result<Canonicalised, Refused> {
    let mut joins_left = JOINS.0 * bytes.len() as u64 + JOINS.1;
    let mut validator = Validator::new_with_features(features());
    let mut allocations = FuncValidatorAllocations::default();
    let mut splice = Splice::new(bytes);
    let mut places = 0;
    // Code of the section that is being read: functions that are still to come, rewritten ones, and
    // whether any of them has changed.
    let (mut to_come, mut code, mut changed) = (0, CodeSection::new(), false);
    // Else it would take offsets that are written in more bytes than they have in WebAssembly 2.0.
    let mut parser = Parser::new(0);
    parser.set_features(features());
    for payload in parser.parse_all(bytes) {
        let payload = payload?;
        if let ValidPayload::Func(function, body) = validator.payload(&payload)? {
            let mut walk = Walk::new(function.into_validator(allocations), &body, &mut joins_left)?;
            walk.walk(&body)?;
            let locals = walk.locals();
            let insertions;
            (insertions, allocations) = walk.finish();
            places += insertions.len();
            changed |= !insertions.is_empty();
            let mut kept = runs.is_some().then(Runs::new);
            code.raw(&rewrite::body(
                bytes,
                &body,
                &insertions,
                locals,
                kept.as_mut(),
            )?);
            if let (Some(runs), Some(kept)) = (runs.as_deref_mut(), kept) {
                runs.push(kept);
            }
            to_come -= 1;
            match (to_come, changed) {
                (0, true) => splice.replace(&code, body.range().end),
                (0, false) => splice.keep(body.range().end),
                _ => {}
            }
            continue;
        }
        match &payload {
            Payload::Version { range, .. } => splice.keep(range.end),
            Payload::ModuleSection {
                unchecked_range: content,
                ..
            }
            | Payload::ComponentSection {
                unchecked_range: content,
                ..
            } => splice.enter(content.start),
            Payload::CodeSectionStart { count, .. } if *count > 0 => {
                (to_come, code, changed) = (*count, CodeSection::new(), false);
            }
            Payload::End(_) => splice.leave(),
            section => {
                if let Some((_, range)) = section.as_section() {
                    splice.keep(range.end);
                }
            }
        }
    }
    Ok(Canonicalised {
        bytes: splice.finish(),
        places,
    })
}

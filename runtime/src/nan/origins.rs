//! Where rewritten code came from. For messages: nothing that runs depends on it.

use std::ops::Range;

use wasmparser::{Parser, Payload};

use super::rewrite::Runs;
use super::{Refused, rewrite_all};

/// Says of a place in a rewritten component where it was in the component as written.
#[derive(Debug)]
pub struct Origins {
    /// The bodies of functions in the rewritten component, in order, and what was kept in each.
    bodies: Vec<(Range<usize>, Runs)>,
}

/// Rewrites a component once more, and remembers what came from where.
///
/// # Errors
/// See [`Refused`]: such a component is compiled as written, so every place in it is its own origin.
pub fn origins(bytes: &[u8]) -> Result<Origins, Refused> {
    let mut runs = Vec::new();
    let rewritten = rewrite_all(bytes, Some(&mut runs))?;
    let mut ranges = Vec::with_capacity(runs.len());
    for payload in Parser::new(0).parse_all(&rewritten.bytes) {
        if let Payload::CodeSectionEntry(body) = payload? {
            ranges.push(body.range());
        }
    }
    Ok(Origins {
        bodies: ranges.into_iter().zip(runs).collect(),
    })
}

impl Origins {
    /// The byte of the component that the byte at `offset` of the rewritten one came from. What was inserted
    /// came from the instruction before it. None outside of code.
    pub fn original(&self, offset: usize) -> Option<usize> {
        let after = self
            .bodies
            .partition_point(|(range, _)| range.start <= offset);
        let (range, runs) = self.bodies.get(after.checked_sub(1)?)?;
        if offset >= range.end {
            return None;
        }
        let offset = offset - range.start;
        let after = runs.partition_point(|(start, _)| *start <= offset);
        let (start, kept) = runs.get(after.checked_sub(1)?)?;
        let original = kept + (offset - start);
        Some(match runs.get(after) {
            Some((_, end)) => original.min(end - 1),
            None => original,
        })
    }
}

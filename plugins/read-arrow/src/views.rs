//! Views written out as strings or bytes with offsets.

use arrow_buffer::{Buffer, NullBuffer};

use crate::Damage;

/// Bytes in a view.
pub(crate) const WIDTH: u64 = 16;
/// Most bytes of a value that stand in its view.
const INLINE_BYTES: usize = 12;

/// A view: the length of a value, and either the value or where it stands.
struct View<'a>(&'a [u8; WIDTH as usize]);

impl<'a> View<'a> {
    fn number(&self, at: usize) -> u64 {
        let byte = |n: usize| u64::from(self.0[at + n]) << (8 * n);
        byte(0) | byte(1) | byte(2) | byte(3)
    }

    fn len(&self) -> u64 {
        self.number(0)
    }

    fn inline(&self) -> Option<&'a [u8]> {
        let len = self.len() as usize;
        (len <= INLINE_BYTES).then(|| &self.0[4..4 + len])
    }

    fn buffer(&self) -> usize {
        self.number(8) as usize
    }

    fn start(&self) -> u64 {
        self.number(12)
    }
}

/// The offsets and the values that `views` stand for. Nulls get no bytes.
///
/// `fetch` gets some bytes of one of the buffers `data`, first byte and number; of each it is asked once, for what
/// the views span.
///
/// # Errors
/// [`Damage::View`], [`Damage::TooMany`], and what `fetch` refuses.
pub(crate) fn plain<T>(
    views: &[u8],
    nulls: Option<&NullBuffer>,
    data: &[T],
    fetch: impl Fn(&T, u64, u64) -> Result<Buffer, Damage>,
) -> Result<Vec<Buffer>, Damage> {
    let (views, _) = views.as_chunks();
    let valid = |row: usize| nulls.is_none_or(|nulls| nulls.is_valid(row));
    let views = || {
        let views = views.iter().enumerate();
        views.map(|(row, view)| valid(row).then_some(View(view)))
    };
    let mut spans = vec![None; data.len()];
    for view in views().flatten().filter(|view| view.inline().is_none()) {
        let span = spans.get_mut(view.buffer()).ok_or(Damage::View)?;
        let (start, end) = (view.start(), view.start() + view.len());
        let (first, last) = span.unwrap_or((start, end));
        *span = Some((first.min(start), last.max(end)));
    }
    let buffers = data.iter().zip(spans).map(|(data, span)| match span {
        Some((start, end)) => Ok((start, fetch(data, start, end - start)?)),
        None => Ok((0, Buffer::default())),
    });
    let buffers = buffers.collect::<Result<Vec<_>, Damage>>()?;

    let total: u64 = views().flatten().map(|view| view.len()).sum();
    let total = i32::try_from(total).map_err(|_| Damage::TooMany)?;
    let mut values = Vec::with_capacity(total.unsigned_abs() as usize);
    let mut offsets = Vec::with_capacity(views().len() + 1);
    offsets.push(0_i32);
    for view in views() {
        if let Some(view) = view {
            values.extend_from_slice(match view.inline() {
                Some(value) => value,
                None => {
                    let (first, bytes) = buffers.get(view.buffer()).ok_or(Damage::View)?;
                    let start = (view.start() - first) as usize;
                    bytes
                        .get(start..start + view.len() as usize)
                        .ok_or(Damage::View)?
                }
            });
        }
        // No more than the total.
        offsets.push(values.len() as i32);
    }
    Ok(vec![Buffer::from_vec(offsets), Buffer::from_vec(values)])
}

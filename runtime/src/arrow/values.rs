//! Values of a column as they lie: in arrays, or selected of others and not moved yet.
//!
//! A filter of a filter of a file is rows of rows of an array. Taking some of its rows moves only these,
//! once, however deep the selections are: row numbers are composed first. So reading a part costs a part,
//! and nothing has to be kept between two reads.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use arrow_array::{Array, ArrayRef, UInt64Array};
use arrow_buffer::ArrowNativeType as _;
use arrow_schema::DataType;

use crate::arrow::format::children;
use crate::arrow::layout::{Layout, layout};
use crate::arrow::rows::{self, BadRows, Rows};

/// One piece of a column.
#[derive(Clone, Debug)]
pub enum Values {
    /// They lie in an array, which may be a mapping.
    Array(ArrayRef),
    /// Rows of other pieces, laid end to end.
    Selected {
        /// At least one piece, all of one type.
        of: Arc<[Values]>,
        /// Which of their rows.
        rows: Rows,
    },
}

impl Values {
    /// Number of values.
    pub fn len(&self) -> u64 {
        match self {
            Self::Array(array) => array.len() as u64,
            Self::Selected { rows, .. } => rows.len(),
        }
    }

    /// Whether there are no values.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Some of the values, moved.
    fn select(&self, inner: &Rows) -> Result<ArrayRef, BadRows> {
        match self {
            Self::Array(array) => rows::take(std::slice::from_ref(array), inner),
            Self::Selected { of, rows } => take(of, &rows.select(inner)?),
        }
    }
}

/// Whether values of this type have a dictionary somewhere. Its values are in order of first use in the
/// whole chunk, so some rows of one are not a chunk of their own.
pub(crate) fn has_dictionary(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Dictionary(..))
        || children(data_type)
            .iter()
            .any(|(_, data_type, ..)| has_dictionary(data_type))
}

/// Bytes of an array's own values: of a slice or a mapping, only what belongs to it.
pub(crate) fn byte_size(array: &dyn Array) -> u64 {
    let data = array.to_data();
    data.get_slice_memory_size()
        .unwrap_or_else(|_| data.get_buffer_memory_size()) as u64
}

/// Row numbers at which pieces of these lengths start, and at last their end.
pub fn starts(lengths: impl Iterator<Item = u64>) -> Vec<u64> {
    let mut starts = vec![0];
    let mut end: u64 = 0;
    for length in lengths {
        end = end.saturating_add(length);
        starts.push(end);
    }
    starts
}

/// The neighbouring pieces that `rows` lie in, and the same rows numbered from the first of these.
///
/// `starts` is as [`starts`] gives it. Without rows, or with nothing but nulls, the first piece is given,
/// if there is one.
///
/// # Errors
/// [`BadRows`] if there are not so many rows.
pub fn narrow(starts: &[u64], rows: &Rows) -> Result<(Range<usize>, Rows), BadRows> {
    let pieces = starts.len().saturating_sub(1);
    rows.check(starts.last().copied().unwrap_or_default())?;
    let Some((low, high)) = bounds(rows) else {
        let rows = match rows {
            Rows::Indices(_) => rows.clone(),
            Rows::All(_) | Rows::Range { .. } => Rows::Range { start: 0, len: 0 },
        };
        return Ok((0..pieces.min(1), rows));
    };
    // Empty pieces start where others do: the last one that starts there has the row.
    let piece = |row: u64| starts.partition_point(|start| *start <= row) - 1;
    let (first, last) = (piece(low), piece(high));
    let base = starts[first];
    let moved = match rows {
        rows if base == 0 && last + 1 == pieces => rows.clone(),
        Rows::All(len) => Rows::Range {
            start: 0,
            len: *len,
        },
        Rows::Range { start, len } => Rows::Range {
            start: start - base,
            len: *len,
        },
        // Slots under nulls hold anything, so this may wrap there, and only there.
        Rows::Indices(indices) => Rows::Indices(indices.unary(|row| row.wrapping_sub(base))),
    };
    Ok((first..last + 1, moved))
}

/// The lowest and the highest row number.
fn bounds(rows: &Rows) -> Option<(u64, u64)> {
    match rows {
        Rows::All(0) | Rows::Range { len: 0, .. } => None,
        Rows::All(len) => Some((0, len - 1)),
        Rows::Range { start, len } => Some((*start, start + (len - 1))),
        Rows::Indices(indices) => {
            let fold = |bounds: Option<(u64, u64)>, row: u64| {
                let (low, high) = bounds.unwrap_or((row, row));
                Some((low.min(row), high.max(row)))
            };
            match indices.null_count() {
                0 => indices.values().iter().copied().fold(None, fold),
                _ => indices.iter().flatten().fold(None, fold),
            }
        }
    }
}

/// Selects rows of a column that lies in pieces, as if these were laid end to end.
///
/// # Errors
/// [`BadRows`] as [`rows::take`].
pub fn take(pieces: &[Values], rows: &Rows) -> Result<ArrayRef, BadRows> {
    if let [only] = pieces {
        return only.select(rows);
    }
    let all: Option<Vec<ArrayRef>> = pieces
        .iter()
        .map(|piece| match piece {
            Values::Array(array) => Some(Arc::clone(array)),
            Values::Selected { .. } => None,
        })
        .collect();
    if let Some(arrays) = all {
        return rows::take(&arrays, rows);
    }
    let starts = starts(pieces.iter().map(Values::len));
    rows.check(starts[pieces.len()])?;
    match rows {
        Rows::All(len) => take_range(pieces, &starts, 0, *len),
        Rows::Range { start, len } => take_range(pieces, &starts, *start, *len),
        Rows::Indices(indices) => take_indices(pieces, &starts, indices),
    }
}

/// Bytes that [`take`] allocates at most, counted before it does.
///
/// # Errors
/// [`BadRows`] as [`take`].
pub(crate) fn taken_bytes(pieces: &[Values], rows: &Rows) -> Result<u64, BadRows> {
    match (pieces, rows) {
        ([Values::Array(_)], Rows::All(_) | Rows::Range { .. }) => Ok(0),
        ([Values::Selected { of, rows: outer }], _) => taken_bytes(of, &outer.select(rows)?),
        _ => copied_bytes(pieces, rows),
    }
}

/// The same, where rows are copied even if they lie one after the other, since others are laid beside them.
fn copied_bytes(pieces: &[Values], rows: &Rows) -> Result<u64, BadRows> {
    /// Bytes of row numbers as they are put together, for each.
    const NUMBER_BYTES: u64 = 32;

    let numbers = rows.len().saturating_mul(NUMBER_BYTES);
    if let Some(width) = data_type(pieces).and_then(flat_bytes) {
        let values = width.saturating_mul(rows.len());
        return Ok(values.saturating_mul(2).saturating_add(numbers));
    }
    let taken = match pieces {
        [Values::Array(array)] => {
            rows::taken_bytes(array, &rows::Chosen::rows(rows, array.len() as u64))
        }
        [Values::Selected { of, rows: outer }] => copied_bytes(of, &outer.select(rows)?)?,
        _ => {
            let starts = starts(pieces.iter().map(Values::len));
            rows.check(starts[pieces.len()])?;
            let (parts, nulls) = split(&starts, rows);
            // One more null than are selected: all of them are gathered from it.
            let null = data_type(pieces).map_or(0, rows::null_bytes);
            let mut bytes = null.saturating_mul(nulls.saturating_add(1));
            for (piece, rows) in parts {
                let part = copied_bytes(std::slice::from_ref(&pieces[piece]), &rows)?;
                bytes = bytes.saturating_add(part);
            }
            // Once for each piece, and once for all.
            bytes.saturating_mul(2)
        }
    };
    Ok(taken.saturating_add(numbers))
}

/// The type of pieces.
fn data_type(pieces: &[Values]) -> Option<&DataType> {
    match pieces.first()? {
        Values::Array(array) => Some(array.data_type()),
        Values::Selected { of, .. } => data_type(of),
    }
}

/// Bytes of one value of a type without children, with its validity, where all of them take as many.
fn flat_bytes(data_type: &DataType) -> Option<u64> {
    match layout(data_type)? {
        Layout::Null | Layout::Boolean => Some(1),
        Layout::Fixed(width) => Some(width as u64 + 1),
        _ => None,
    }
}

/// Which rows of which piece are selected, in order of the pieces, and how many rows of nulls. Those that are not
/// there are left out.
pub(crate) fn split(starts: &[u64], rows: &Rows) -> (Vec<(usize, Rows)>, u64) {
    let end = starts.last().copied().unwrap_or_default();
    let ranges = |start: u64, len: u64| {
        let stop = start.saturating_add(len).min(end);
        let ends = starts.windows(2).enumerate();
        let parts = ends.filter_map(|(piece, ends)| {
            let (from, to) = (start.max(ends[0]), stop.min(ends[1]));
            let rows = Rows::Range {
                start: from.checked_sub(ends[0])?,
                len: to.checked_sub(from)?,
            };
            (!rows.is_empty()).then_some((piece, rows))
        });
        parts.collect()
    };
    match rows {
        Rows::All(len) => (ranges(0, *len), 0),
        Rows::Range { start, len } => (ranges(*start, *len), 0),
        Rows::Indices(indices) => {
            let mut wanted: BTreeMap<usize, Vec<u64>> = BTreeMap::new();
            for row in indices.iter().flatten().filter(|row| *row < end) {
                let piece = starts.partition_point(|start| *start <= row) - 1;
                wanted.entry(piece).or_default().push(row - starts[piece]);
            }
            let parts = wanted.into_iter();
            let parts = parts.map(|(piece, rows)| (piece, Rows::Indices(rows.into())));
            (parts.collect(), indices.null_count() as u64)
        }
    }
}

fn take_range(
    pieces: &[Values],
    starts: &[u64],
    start: u64,
    len: u64,
) -> Result<ArrayRef, BadRows> {
    let end = start + len;
    let mut arrays = Vec::new();
    for (piece, first) in pieces.iter().zip(starts) {
        let (from, to) = (start.max(*first), end.min(first + piece.len()));
        if from < to {
            arrays.push(piece.select(&Rows::Range {
                start: from - first,
                len: to - from,
            })?);
        }
    }
    match pieces.first() {
        Some(first) if arrays.is_empty() => first.select(&Rows::Range { start: 0, len: 0 }),
        _ => rows::take(&arrays, &Rows::All(len)),
    }
}

/// Moves the rows wanted of each piece together, then puts them in order.
fn take_indices(
    pieces: &[Values],
    starts: &[u64],
    indices: &UInt64Array,
) -> Result<ArrayRef, BadRows> {
    let mut wanted: Vec<Vec<u64>> = vec![Vec::new(); pieces.len()];
    let mut at = 0;
    let mut places = Vec::with_capacity(indices.len());
    for index in indices {
        let Some(row) = index else {
            places.push(None);
            continue;
        };
        if !(starts[at]..starts[at + 1]).contains(&row) {
            at = starts.partition_point(|start| *start <= row) - 1;
        }
        places.push(Some((at, wanted[at].len() as u64)));
        wanted[at].push(row - starts[at]);
    }
    let moved_starts = self::starts(wanted.iter().map(|rows| rows.len() as u64));
    let arrays = pieces.iter().zip(wanted);
    let arrays: Vec<ArrayRef> = arrays
        .map(|(piece, rows)| match rows.is_empty() {
            true => piece.select(&Rows::Range { start: 0, len: 0 }),
            false => piece.select(&Rows::Indices(rows.into())),
        })
        .collect::<Result<_, _>>()?;
    let row = |(piece, row): (usize, u64)| moved_starts[piece] + row;
    let indices: UInt64Array = places.into_iter().map(|place| place.map(row)).collect();
    rows::take(&arrays, &Rows::Indices(indices))
}

/// The rows of several lists, laid end to end, at `indices`; a null gives a null.
///
/// # Errors
/// [`BadRows`] if there are not so many rows.
pub fn take_rows(lists: &[&Rows], indices: &UInt64Array) -> Result<Rows, BadRows> {
    let starts = starts(lists.iter().map(|rows| rows.len()));
    Rows::Indices(indices.clone()).check(starts[lists.len()])?;
    let mut at = 0;
    let row = |index: u64| {
        if !(starts[at]..starts[at + 1]).contains(&index) {
            at = starts.partition_point(|start| *start <= index) - 1;
        }
        let index = index - starts[at];
        match lists[at] {
            Rows::All(_) => Some(index),
            Rows::Range { start, .. } => Some(start + index),
            Rows::Indices(rows) => {
                let index = index.as_usize();
                rows.is_valid(index).then(|| rows.value(index))
            }
        }
    };
    let mut row = row;
    Ok(Rows::Indices(
        indices
            .iter()
            .map(|index| index.and_then(&mut row))
            .collect(),
    ))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use arrow_buffer::Buffer;
    use arrow_data::ArrayData;
    use proptest::prelude::*;

    use super::*;
    use crate::arrow::chunk::{canonical, digest};
    use crate::arrow::samples::{Random, build, random_field, random_values};

    fn random_rows(count: u64, random: &mut Random) -> Rows {
        match random.below(3) {
            _ if count == 0 => Rows::All(0),
            0 => Rows::All(count),
            1 => {
                let start = random.below(count as usize) as u64;
                let len = random.below((count - start) as usize + 1) as u64;
                Rows::Range { start, len }
            }
            _ => {
                let len = random.below(30);
                let index = |random: &mut Random| {
                    (random.below(8) > 0).then(|| random.below(count as usize) as u64)
                };
                Rows::Indices((0..len).map(|_| index(random)).collect())
            }
        }
    }

    /// Pieces of a column, some of them selections, and the same pieces moved.
    fn random_pieces(
        depth: usize,
        field: &arrow_schema::Field,
        random: &mut Random,
    ) -> (Vec<Values>, Vec<ArrayRef>) {
        (0..=random.below(3))
            .map(|_| {
                if depth == 0 || random.coin() {
                    let count = random.below(10);
                    let given = random_values(field, count, random);
                    let array = canonical(field, &[build(field, &given, random)]).unwrap();
                    return (Values::Array(Arc::clone(&array)), array);
                }
                let (of, moved) = random_pieces(depth - 1, field, random);
                let rows = random_rows(of.iter().map(Values::len).sum(), random);
                let array = rows::take(&moved, &rows).unwrap();
                (
                    Values::Selected {
                        of: of.into(),
                        rows,
                    },
                    array,
                )
            })
            .unzip()
    }

    /// The buffers of arrays, at every depth.
    fn buffers(array: &ArrayData) -> Vec<Buffer> {
        let validity = array.nulls().map(|nulls| nulls.buffer().clone());
        let own = array.buffers().iter().cloned().chain(validity);
        let children = array.child_data().iter().flat_map(buffers);
        own.chain(children).collect()
    }

    /// The buffers that pieces lie in.
    fn lie_in(pieces: &[Values]) -> Vec<Buffer> {
        let of = pieces.iter().flat_map(|piece| match piece {
            Values::Array(array) => buffers(&array.to_data()),
            Values::Selected { of, .. } => lie_in(of),
        });
        of.collect()
    }

    /// Bytes of an array in buffers that are none of `old`.
    fn new_bytes(array: &ArrayRef, old: &[Buffer]) -> u64 {
        let new = buffers(&array.to_data()).into_iter().filter(|buffer| {
            let same = |old: &Buffer| old.data_ptr() == buffer.data_ptr();
            !old.iter().any(same)
        });
        new.map(|buffer| buffer.len() as u64).sum()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn what_is_selected_late_is_what_is_selected_at_once(seed: u64) {
            let mut random = Random(seed);
            let field = random_field("x", 2, &mut random).with_nullable(true);
            let (pieces, moved) = random_pieces(3, &field, &mut random);
            let starts = starts(pieces.iter().map(Values::len));
            let rows = random_rows(starts[pieces.len()], &mut random);

            let expected = rows::take(&moved, &rows).unwrap();
            let same = |found: ArrayRef| {
                let canonical = |array| digest(&canonical(&field, &[array]).unwrap()).unwrap();
                canonical(found) == canonical(Arc::clone(&expected))
            };
            prop_assert!(same(take(&pieces, &rows).unwrap()));
            let (span, narrowed) = narrow(&starts, &rows).unwrap();
            prop_assert!(same(take(&pieces[span.clone()], &narrowed).unwrap()));
            let whole = take(&pieces, &rows).unwrap();
            // Offsets of children without values are not counted.
            let counted = taken_bytes(&pieces, &rows).unwrap() + 64;
            prop_assert!(new_bytes(&whole, &lie_in(&pieces)) <= counted);
        }

        #[test]
        fn rows_of_several_lists(seed: u64) {
            let mut random = Random(seed);
            let lists: Vec<Rows> = (0..=random.below(4))
                .map(|_| {
                    let count = random.below(20) as u64;
                    random_rows(count, &mut random)
                })
                .collect();
            let all = Rows::concat(&lists);
            let Rows::Indices(indices) = Rows::Indices(
                random_rows(all.len(), &mut random).iter().collect()
            ) else { unreachable!() };
            let lists: Vec<&Rows> = lists.iter().collect();
            let found: Vec<_> = take_rows(&lists, &indices).unwrap().iter().collect();
            let expected = Rows::Indices(all.iter().collect()).select(&Rows::Indices(indices)).unwrap();
            prop_assert_eq!(found, expected.iter().collect::<Vec<_>>());
        }
    }

    #[test]
    fn rows_beyond_the_end_are_refused() {
        let piece = Values::Array(Arc::new(UInt64Array::from(vec![1, 2])));
        let pieces = [piece.clone(), piece];
        assert!(take(&pieces, &Rows::All(5)).is_err());
        assert!(narrow(&[0, 2, 4], &Rows::Range { start: 3, len: 2 }).is_err());
        assert!(take_rows(&[&Rows::All(2)], &vec![2].into()).is_err());
        assert!(
            take_rows(&[], &UInt64Array::from(vec![None::<u64>]))
                .unwrap()
                .len()
                == 1
        );
    }
}

//! Selecting rows: the host's only kernel, exact and without arithmetic on values.

mod size;

use std::sync::Arc;

use arrow_array::builder::UInt64Builder;
use arrow_array::{Array, ArrayRef, BooleanArray, UInt64Array, make_array, new_null_array};
use arrow_buffer::ArrowNativeType as _;
use arrow_data::transform::MutableArrayData;
use arrow_schema::ArrowError;
use arrow_select::concat::concat;
use arrow_select::interleave::interleave;
use thiserror::Error;

use crate::arrow::layout::{Layout, layout};
use crate::arrow::rows::size::check_size;
pub(crate) use crate::arrow::rows::size::{
    Chosen, null_bytes, own_bytes, taken_bytes, taken_bytes_of,
};
use crate::arrow::type_name;

/// Rows of a table of some number of rows, in some order, any of them any number of times.
#[derive(Clone, Debug, PartialEq)]
pub enum Rows {
    /// Every row of a table of this many.
    All(u64),
    /// Neighbouring rows.
    Range {
        /// The first row.
        start: u64,
        /// How many.
        len: u64,
    },
    /// Rows by number; a null gives a row of nulls.
    Indices(UInt64Array),
}

/// Rows that cannot be selected.
#[derive(Debug, Error)]
pub enum BadRows {
    /// A row number is beyond the last row.
    #[error("row {found} does not exist\n  expected less than {rows}")]
    OutOfRange {
        /// The row number, of a range the last.
        found: u64,
        /// Number of rows there are.
        rows: u64,
    },
    /// A range ends beyond the largest row number.
    #[error("rows are too many\n  found {len} rows from row {start}")]
    TooMany {
        /// The first row.
        start: u64,
        /// How many.
        len: u64,
    },
    /// A mask is not as long as the rows it filters.
    #[error("mask does not have one value for each row\n  expected {expected}\n  found    {found}")]
    Mask {
        /// Number of rows.
        expected: u64,
        /// Number of values in the mask.
        found: u64,
    },
    /// There is no array to tell the type of the column, or the arrays differ in type.
    #[error("pieces of a column do not have one type\n  found {found}")]
    Type {
        /// The types, or `none`.
        found: String,
    },
    /// The rows together are more than 32-bit offsets reach.
    #[error(
        "selected rows of {data_type} are too large\n  expected at most {} bytes or child values\n  found    {found}",
        i32::MAX
    )]
    TooLarge {
        /// The Arrow type, of the column itself or a child.
        data_type: String,
        /// Bytes or child values.
        found: u64,
    },
    /// An arrow-rs kernel refused, for instance because merged dictionaries outgrew their keys.
    #[error("rows could not be selected")]
    Arrow(#[source] ArrowError),
}

impl Rows {
    /// Number of rows selected.
    pub fn len(&self) -> u64 {
        match self {
            Self::All(len) | Self::Range { len, .. } => *len,
            Self::Indices(indices) => indices.len() as u64,
        }
    }

    /// Whether no row is selected.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether every row is there, in order, and nothing else.
    pub fn is_all(&self, rows: u64) -> bool {
        match self {
            Self::All(len) | Self::Range { start: 0, len } => *len == rows,
            _ => false,
        }
    }

    /// Row numbers in the table, in the order selected; none for a row of nulls.
    pub fn iter(&self) -> Box<dyn Iterator<Item = Option<u64>> + '_> {
        match self {
            Self::All(len) => Box::new((0..*len).map(Some)),
            Self::Range { start, len } => Box::new((*start..start.saturating_add(*len)).map(Some)),
            Self::Indices(indices) => Box::new(indices.iter()),
        }
    }

    /// Row number in the table of the row selected at `at`, if there is one; none within it for a row of nulls.
    pub fn get(&self, at: u64) -> Option<Option<u64>> {
        let at = Some(at).filter(|at| *at < self.len())?;
        match self {
            Self::All(_) => Some(Some(at)),
            Self::Range { start, .. } => Some(start.checked_add(at)),
            Self::Indices(indices) => {
                let at = usize::try_from(at).ok()?;
                Some(indices.is_valid(at).then(|| indices.value(at)))
            }
        }
    }

    /// Refuses rows that a table of `rows` rows does not have.
    ///
    /// # Errors
    /// [`BadRows::OutOfRange`] or [`BadRows::TooMany`].
    pub fn check(&self, rows: u64) -> Result<(), BadRows> {
        let end = match self {
            Self::All(len) => *len,
            Self::Range { start, len } => start.checked_add(*len).ok_or(BadRows::TooMany {
                start: *start,
                len: *len,
            })?,
            Self::Indices(indices) => match indices.null_count() {
                0 => indices
                    .values()
                    .iter()
                    .max()
                    .map_or(0, |last| last.saturating_add(1)),
                _ => indices
                    .iter()
                    .flatten()
                    .max()
                    .map_or(0, |last| last.saturating_add(1)),
            },
        };
        match end > rows {
            true => Err(BadRows::OutOfRange {
                found: end - 1,
                rows,
            }),
            false => Ok(()),
        }
    }

    /// Selects among the rows selected: row `i` of the result is row `inner[i]` of these rows.
    ///
    /// A null in either gives a null.
    ///
    /// # Errors
    /// [`BadRows`], if `inner` has rows beyond the number of these.
    pub fn select(&self, inner: &Self) -> Result<Self, BadRows> {
        inner.check(self.len())?;
        Ok(match (self, inner) {
            (_, Self::All(len)) if *len == self.len() => self.clone(),
            (Self::All(_), inner) => inner.clone(),
            (outer, Self::All(len)) => outer.cut(0, *len),
            (outer, Self::Range { start, len }) => outer.cut(*start, *len),
            (Self::Range { start, .. }, Self::Indices(inner)) => {
                // Slots under nulls hold anything, so this may wrap there, and only there.
                Self::Indices(inner.unary(|row| row.wrapping_add(*start)))
            }
            (Self::Indices(outer), Self::Indices(inner)) => {
                let row = |row: u64| {
                    let row = row.as_usize();
                    outer.is_valid(row).then(|| outer.value(row))
                };
                Self::Indices(inner.iter().map(|inner| inner.and_then(row)).collect())
            }
        })
    }

    /// The rows where `mask` is true; null counts as false.
    ///
    /// # Errors
    /// [`BadRows::Mask`] if `mask` has not one value for each of these rows.
    pub fn filter(&self, mask: &BooleanArray) -> Result<Self, BadRows> {
        let (expected, found) = (self.len(), mask.len() as u64);
        if expected != found {
            return Err(BadRows::Mask { expected, found });
        }
        let kept = match mask.nulls() {
            Some(nulls) => mask.values() & nulls.inner(),
            None => mask.values().clone(),
        };
        let mut runs = kept.set_slices();
        let inner = match (runs.next(), runs.next()) {
            (None, _) => Self::Range { start: 0, len: 0 },
            (Some((start, end)), None) => Self::Range {
                start: start as u64,
                len: (end - start) as u64,
            },
            _ => Self::Indices(
                kept.set_indices()
                    .map(|row| row as u64)
                    .collect::<Vec<_>>()
                    .into(),
            ),
        };
        self.select(&inner)
    }

    /// `len` of these rows, from `start`.
    ///
    /// # Errors
    /// [`BadRows`], if there are not so many.
    pub fn slice(&self, start: u64, len: u64) -> Result<Self, BadRows> {
        self.select(&Self::Range { start, len })
    }

    /// Rows of one table, one list after the other.
    pub fn concat(parts: &[Self]) -> Self {
        if let [only] = parts {
            return only.clone();
        }
        let mut runs = parts.iter().filter(|part| !part.is_empty());
        let mut whole = Self::Range { start: 0, len: 0 };
        let joined = runs.all(|part| {
            let (start, len) = match part {
                Self::All(len) => (0, *len),
                Self::Range { start, len } => (*start, *len),
                Self::Indices(_) => return false,
            };
            match &mut whole {
                Self::Range { len: 0, .. } => whole = Self::Range { start, len },
                Self::Range {
                    start: first,
                    len: before,
                } if first.checked_add(*before) == Some(start) => {
                    *before += len;
                }
                _ => return false,
            }
            true
        });
        if joined {
            return whole;
        }
        Self::Indices(parts.iter().flat_map(Self::iter).collect())
    }

    /// The same rows of a table of `rows` rows in their one canonical form.
    ///
    /// Every row in order is [`Rows::All`]; other neighbouring rows are [`Rows::Range`], no rows the one
    /// from 0; and everything else is [`Rows::Indices`].
    pub fn canonical(&self, rows: u64) -> Self {
        let run = match self {
            Self::All(len) => Some((0, *len)),
            Self::Range { start, len } => Some((*start, *len)),
            Self::Indices(indices) => {
                let values = indices.values();
                let follows = |pair: &[u64]| pair[0].checked_add(1) == Some(pair[1]);
                match values.first() {
                    None => Some((0, 0)),
                    Some(_) if indices.null_count() > 0 => None,
                    Some(first) => values
                        .windows(2)
                        .all(follows)
                        .then_some((*first, values.len() as u64)),
                }
            }
        };
        match run {
            Some((0, len)) if len == rows => Self::All(len),
            Some((_, 0)) => Self::Range { start: 0, len: 0 },
            Some((start, len)) => Self::Range { start, len },
            None => self.clone(),
        }
    }

    /// Cuts rows that are known to be there.
    fn cut(&self, from: u64, len: u64) -> Self {
        match self {
            Self::All(_) => Self::Range { start: from, len },
            Self::Range { start, .. } => Self::Range {
                start: start + from,
                len,
            },
            Self::Indices(indices) => Self::Indices(indices.slice(from.as_usize(), len.as_usize())),
        }
    }
}

/// Selects rows of a column that lies in pieces, as if the pieces were concatenated.
///
/// Neighbouring rows of one piece are a slice of it and copy nothing; no more pieces are touched than
/// the rows lie in. A null index gives a null, whatever the nullability of the field.
///
/// # Errors
/// [`BadRows`], if a row does not exist, the pieces do not have one type, or the result would be larger
/// than its type can hold.
pub fn take(pieces: &[ArrayRef], rows: &Rows) -> Result<ArrayRef, BadRows> {
    let Some(first) = pieces.first() else {
        return Err(BadRows::Type {
            found: "none".to_owned(),
        });
    };
    let data_type = first.data_type();
    if let Some(other) = pieces.iter().find(|piece| piece.data_type() != data_type) {
        return Err(BadRows::Type {
            found: format!(
                "{} and {}",
                type_name(data_type),
                type_name(other.data_type())
            ),
        });
    }
    // Row number of the first row of each piece, and of the end.
    let mut starts = Vec::with_capacity(pieces.len() + 1);
    starts.push(0_u64);
    for piece in pieces {
        starts.push(starts[starts.len() - 1] + piece.len() as u64);
    }
    rows.check(starts[pieces.len()])?;
    match rows {
        Rows::All(len) => take_range(pieces, &starts, 0, *len),
        Rows::Range { start, len } => take_range(pieces, &starts, *start, *len),
        Rows::Indices(indices) => take_indices(pieces, &starts, indices),
    }
}

/// The array in buffers of its own that are no larger than it needs, where they are much larger now, as those of a
/// slice are. The values of dictionaries stay where they are.
///
/// # Errors
/// [`BadRows::Arrow`] as of the kernels.
pub(crate) fn compact(array: &ArrayRef) -> Result<ArrayRef, BadRows> {
    let data = array.to_data();
    if !is_loose(array) {
        return Ok(Arc::clone(array));
    }
    let mut copy = MutableArrayData::new(vec![&data], false, data.len());
    copy.try_extend(0, 0, data.len()).map_err(BadRows::Arrow)?;
    Ok(make_array(copy.freeze()))
}

/// Whether the buffers of an array are much larger than what it has of them.
pub(crate) fn is_loose(array: &ArrayRef) -> bool {
    /// What buffers are rounded up to, all together.
    const SLACK: u64 = 256;
    array.get_buffer_memory_size() as u64 > own_bytes(array).saturating_add(SLACK)
}

fn take_range(
    pieces: &[ArrayRef],
    starts: &[u64],
    start: u64,
    len: u64,
) -> Result<ArrayRef, BadRows> {
    let end = start + len;
    let mut slices = Vec::new();
    for (piece, first) in pieces.iter().zip(starts) {
        let last = first + piece.len() as u64;
        let (from, to) = (start.max(*first), end.min(last));
        if from < to {
            slices.push(piece.slice((from - first).as_usize(), (to - from).as_usize()));
        }
    }
    match slices.as_slice() {
        [] => Ok(pieces[0].slice(0, 0)),
        [only] => Ok(Arc::clone(only)),
        _ => {
            let whole: Vec<_> = slices
                .iter()
                .enumerate()
                .map(|(at, piece)| (at, 0..piece.len()))
                .collect();
            check_size(&slices, whole)?;
            let slices: Vec<_> = slices.iter().map(|slice| &**slice).collect();
            concat(&slices).map_err(BadRows::Arrow)
        }
    }
}

fn take_indices(
    pieces: &[ArrayRef],
    starts: &[u64],
    indices: &UInt64Array,
) -> Result<ArrayRef, BadRows> {
    let flat = matches!(
        layout(pieces[0].data_type()),
        Some(Layout::Null | Layout::Boolean | Layout::Fixed(_) | Layout::Dictionary(..))
    );
    if let [piece] = pieces
        && flat
        && indices.null_count() == 0
    {
        return arrow_select::take::take(piece, indices, None).map_err(BadRows::Arrow);
    }

    // Where each row lies: its piece, and its row in it. Rows come in runs, so the last piece is tried first.
    let mut places: Vec<Option<(usize, usize)>> = Vec::with_capacity(indices.len());
    let mut at = 0;
    let mut first_piece = None;
    let mut one_piece = true;
    for index in indices {
        let Some(row) = index else {
            places.push(None);
            continue;
        };
        if !(starts[at]..starts[at + 1]).contains(&row) {
            at = starts.partition_point(|start| *start <= row) - 1;
        }
        one_piece &= *first_piece.get_or_insert(at) == at;
        places.push(Some((at, (row - starts[at]).as_usize())));
    }
    check_size(
        pieces,
        places
            .iter()
            .flatten()
            .map(|(piece, row)| (*piece, *row..row + 1))
            .collect(),
    )?;

    if one_piece {
        let mut rows = UInt64Builder::with_capacity(places.len());
        places
            .iter()
            .for_each(|place| rows.append_option(place.map(|(_, row)| row as u64)));
        let piece = &pieces[first_piece.unwrap_or(0)];
        return arrow_select::take::take(piece, &rows.finish(), None).map_err(BadRows::Arrow);
    }
    let mut values: Vec<&dyn Array> = pieces.iter().map(|piece| &**piece).collect();
    // One null may be large.
    let null = (indices.null_count() > 0).then(|| new_null_array(pieces[0].data_type(), 1));
    values.extend(null.as_deref());
    let places: Vec<_> = places
        .into_iter()
        .map(|place| place.unwrap_or((pieces.len(), 0)))
        .collect();
    interleave(&values, &places).map_err(BadRows::Arrow)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use arrow_array::Int32Array;
    use arrow_array::types::Int8Type;
    use arrow_array::{DictionaryArray, ListArray, NullArray, StringArray};
    use arrow_buffer::OffsetBuffer;
    use arrow_schema::{DataType, Field};
    use proptest::prelude::*;

    use super::*;
    use crate::arrow::chunk::canonical;
    use crate::arrow::samples::{Random, Value, build, random_field, random_values, values};

    type Model = Vec<Option<u64>>;

    /// Some rows of a table of `count`.
    fn random_rows(count: u64, random: &mut Random) -> Rows {
        let kind = random.below(4);
        if kind == 0 {
            return Rows::All(count);
        }
        if kind == 1 || count == 0 {
            let start = random.below(count as usize + 1) as u64;
            let len = random.below((count - start) as usize + 1) as u64;
            return Rows::Range { start, len };
        }
        let nulls = kind == 2;
        let index = |random: &mut Random| {
            let index = random.below(count as usize) as u64;
            (!nulls || random.coin()).then_some(index)
        };
        let len = random.below(30);
        Rows::Indices((0..len).map(|_| index(random)).collect())
    }

    fn model(rows: &Rows) -> Model {
        rows.iter().collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn rows_of_rows(seed: u64, count in 0_u64..20) {
            let mut random = Random(seed);
            let outer = random_rows(count, &mut random);
            let inner = random_rows(outer.len(), &mut random);
            let base = model(&outer);
            prop_assert_eq!(base.len() as u64, outer.len());

            let expected: Model = inner.iter().map(|row| row.and_then(|row| base[row as usize])).collect();
            let selected = outer.select(&inner).unwrap();
            prop_assert_eq!(model(&selected), expected.clone());
            let canonical = selected.canonical(count);
            prop_assert_eq!(model(&canonical), expected);
            prop_assert_eq!(&Rows::Indices(canonical.iter().collect()).canonical(count), &canonical);

            let mask: Vec<_> = base.iter().map(|_| random.coin().then(|| random.coin())).collect();
            let kept: Model = (0..base.len()).filter(|row| mask[*row] == Some(true)).map(|row| base[row]).collect();
            prop_assert_eq!(model(&outer.filter(&mask.into()).unwrap()), kept);

            let both = [outer, canonical];
            let expected: Model = both.iter().flat_map(model).collect();
            prop_assert_eq!(model(&Rows::concat(&both)), expected);
        }

        #[test]
        fn taking_is_selecting_values(seed: u64, cuts in proptest::collection::vec(0_usize..10, 1..4)) {
            let mut random = Random(seed);
            let field = random_field("x", 3, &mut random);
            let mut given = Vec::new();
            let mut pieces = Vec::new();
            for rows in cuts {
                let piece = random_values(&field, rows, &mut random);
                let array = build(&field, &piece, &mut random);
                pieces.push(canonical(&field, &[array]).unwrap());
                given.extend(piece);
            }
            let rows = random_rows(given.len() as u64, &mut random);
            let taken = take(&pieces, &rows).unwrap();
            let expected: Vec<_> =
                rows.iter().map(|row| row.map_or(Value::Null, |row| given[row as usize].clone())).collect();
            prop_assert_eq!(values(&taken), expected);
            taken.to_data().validate_full().unwrap();
            canonical(&field.with_nullable(true), &[taken]).unwrap();
        }
    }

    #[test]
    fn neighbours_are_shared() {
        let piece: ArrayRef = Arc::new(Int32Array::from(vec![1, 2, 3, 4]));
        let taken = take(&[Arc::clone(&piece)], &Rows::Range { start: 1, len: 2 }).unwrap();
        assert_eq!(taken.as_ref(), &Int32Array::from(vec![2, 3]) as &dyn Array);
        let address = |array: &ArrayRef| array.to_data().buffers()[0].as_ptr() as usize;
        assert_eq!(address(&taken), address(&piece) + 4);
    }

    #[test]
    fn rows_that_are_not_there_are_refused() {
        let piece: ArrayRef = Arc::new(Int32Array::from(vec![1, 2]));
        let beyond = [
            Rows::All(3),
            Rows::Range { start: 2, len: 1 },
            Rows::Range {
                start: u64::MAX,
                len: 2,
            },
            Rows::Indices(vec![0, 2].into()),
            Rows::Indices(vec![Some(u64::MAX), None].into()),
        ];
        for rows in beyond {
            assert!(take(&[Arc::clone(&piece)], &rows).is_err(), "{rows:?}");
            assert!(Rows::All(2).select(&rows).is_err(), "{rows:?}");
        }
        assert!(matches!(
            Rows::All(2).filter(&vec![true].into()),
            Err(BadRows::Mask {
                expected: 2,
                found: 1
            })
        ));
        assert!(matches!(
            take(&[], &Rows::All(0)),
            Err(BadRows::Type { .. })
        ));
    }

    /// Lists of nothing take no memory however long they are, so only their offsets can overflow.
    #[test]
    fn offsets_that_overflow_are_refused() {
        let length = 1 << 30;
        let offsets = OffsetBuffer::new(vec![0, length].into());
        let item = Arc::new(Field::new("item", DataType::Null, true));
        let piece: ArrayRef = Arc::new(ListArray::new(
            item,
            offsets,
            Arc::new(NullArray::new(1 << 30)),
            None,
        ));
        let rows = Rows::Indices(vec![0, 0].into());
        let error = take(&[Arc::clone(&piece)], &rows).unwrap_err();
        assert!(
            matches!(
                error,
                BadRows::TooLarge {
                    found: 0x8000_0000,
                    ..
                }
            ),
            "{error}"
        );
        assert!(take(&[Arc::clone(&piece), piece], &Rows::All(2)).is_err());
    }

    #[test]
    fn dictionaries_that_do_not_fit_are_refused() {
        let piece = |from: i32| -> ArrayRef {
            let words: Vec<String> = (from..from + 100).map(|word| word.to_string()).collect();
            let keys = (0..100_i8).collect::<Vec<_>>().into();
            Arc::new(DictionaryArray::<Int8Type>::new(
                keys,
                Arc::new(StringArray::from(words)),
            ))
        };
        let pieces = [piece(0), piece(100)];
        assert!(matches!(
            take(&pieces, &Rows::All(200)),
            Err(BadRows::Arrow(_))
        ));
        let every: Vec<u64> = (0..200).rev().collect();
        assert!(matches!(
            take(&pieces, &Rows::Indices(every.into())),
            Err(BadRows::Arrow(_))
        ));
    }
}

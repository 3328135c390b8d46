//! What is known of each group so far, for one aggregate.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Decimal32Type, Decimal64Type, Decimal128Type, Float16Type, Float32Type, Float64Type, Int8Type,
    Int16Type, Int32Type, Int64Type, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use arrow_array::{
    Array, ArrayRef, ArrowPrimitiveType, Decimal128Array, Float64Array, Int64Array, UInt32Array,
    UInt64Array,
};
use arrow_schema::{DataType, Field};
use pinion_models::Sum;
use pinion_sdk::{Error, Result};
use pinion_tables::KeyMap;
use pinion_tables::key::{self, Encoder, KeyValues, Order};

use crate::marks::Marks;
use crate::params::{Aggregate, Function};

/// Digits of a sum of decimals: the most that fit.
const PRECISION: u8 = 38;

/// No row yet.
const NONE: u64 = u64::MAX;

/// One aggregate of every group, by the group's number.
pub(crate) struct State {
    /// The column; none if rows are counted.
    pub(crate) column: Option<String>,
    /// What the aggregate becomes.
    output: Field,
    /// Of a mean, the digits after the point of what is summed.
    mean_of: Option<i8>,
    figures: Figures,
}

enum Figures {
    Count(Vec<i64>),
    /// Pairs of a group and a value that were seen.
    Distinct {
        encoder: Encoder,
        seen: KeyMap,
        numbers: Vec<u32>,
        counts: Vec<i64>,
    },
    /// The same with rows that are known to be the first with their value.
    Marked {
        marks: Marks,
        counts: Vec<i64>,
    },
    Integers {
        sums: Vec<i128>,
        counts: Vec<u64>,
    },
    Floats {
        sums: Vec<Sum>,
        counts: Vec<u64>,
    },
    /// The first or last row with a value.
    Row {
        rows: Vec<u64>,
        is_last: bool,
    },
    /// The row with the smallest key.
    Word {
        encoder: Encoder,
        best: Vec<(u64, u64)>,
    },
    Bytes {
        encoder: Encoder,
        best: Vec<(Vec<u8>, u64)>,
        bytes: usize,
    },
}

/// A column of the output.
pub(crate) enum Column {
    /// Values.
    Made(ArrayRef),
    /// The values in these rows of the column.
    Rows(UInt64Array),
}

impl State {
    /// No groups. `field` is the aggregate's column.
    ///
    /// # Errors
    /// `wrong-type` for a column that the function cannot be computed of.
    pub(crate) fn new(name: &str, aggregate: &Aggregate, field: Option<&Field>) -> Result<Self> {
        let Some(field) = field else {
            return Ok(Self {
                column: None,
                output: Field::new(name, DataType::Int64, false),
                mean_of: None,
                figures: Figures::Count(Vec::new()),
            });
        };
        let nullable = field.is_nullable();
        let mut mean_of = None;
        let made = |data_type| Field::new(name, data_type, nullable);
        let (output, figures) = match aggregate.function {
            Function::Count => (
                Field::new(name, DataType::Int64, false),
                Figures::Count(Vec::new()),
            ),
            Function::CountDistinct => {
                key::check(field)
                    .map_err(|error| error.with("in", format!("aggregate `{name}`")))?;
                let group = Field::new("group", DataType::UInt32, false);
                let order = Order::default();
                let figures = Figures::Distinct {
                    encoder: Encoder::new([(&group, order), (field, order)])?,
                    seen: KeyMap::new(false),
                    numbers: Vec::new(),
                    counts: Vec::new(),
                };
                (Field::new(name, DataType::Int64, false), figures)
            }
            Function::Sum | Function::Mean => {
                let expected = format!("numbers, to compute the {} of", aggregate.function.name());
                let sum = sum_type(field.data_type()).ok_or_else(|| {
                    Error::wrong_type(field.name(), expected, field.data_type())
                        .with("in", format!("aggregate `{name}`"))
                })?;
                let figures = match sum {
                    DataType::Float64 => Figures::Floats {
                        sums: Vec::new(),
                        counts: Vec::new(),
                    },
                    _ => Figures::Integers {
                        sums: Vec::new(),
                        counts: Vec::new(),
                    },
                };
                if aggregate.function == Function::Mean {
                    mean_of = Some(match sum {
                        DataType::Decimal128(_, scale) => scale,
                        _ => 0,
                    });
                    (made(DataType::Float64), figures)
                } else {
                    (made(sum), figures)
                }
            }
            Function::First | Function::Last => (
                field.clone().with_name(name),
                Figures::Row {
                    rows: Vec::new(),
                    is_last: aggregate.function == Function::Last,
                },
            ),
            Function::Min | Function::Max => {
                key::check(field)
                    .map_err(|error| error.with("in", format!("aggregate `{name}`")))?;
                // The largest is the smallest the other way round.
                let order = Order {
                    descending: aggregate.function == Function::Max,
                    nulls_first: false,
                };
                let encoder = Encoder::new([(field, order)])?;
                let figures = match encoder.makes_words() {
                    true => Figures::Word {
                        encoder,
                        best: Vec::new(),
                    },
                    false => Figures::Bytes {
                        encoder,
                        best: Vec::new(),
                        bytes: 0,
                    },
                };
                (field.clone().with_name(name), figures)
            }
        };
        Ok(Self {
            column: aggregate.column.clone(),
            output,
            mean_of,
            figures,
        })
    }

    /// The column that the aggregate becomes.
    pub(crate) fn output(&self) -> &Field {
        &self.output
    }

    /// Whether the state grows with the different values of a group, and needs [`Marks`] to be of a fixed size.
    pub(crate) fn wants_marks(&self) -> bool {
        matches!(self.figures, Figures::Distinct { .. })
    }

    /// Counts marked rows, without groups yet.
    pub(crate) fn mark(&mut self, marks: Marks) {
        self.figures = Figures::Marked {
            marks,
            counts: Vec::new(),
        };
    }

    /// Adds rows: their groups, of which there are `groups` by now, their numbers, and their values.
    ///
    /// # Errors
    /// `bad-data` if the values are not of the column's type.
    pub(crate) fn update(
        &mut self,
        groups: usize,
        ids: &[u32],
        rows: &[u64],
        values: Option<&ArrayRef>,
    ) -> Result<()> {
        match (&mut self.figures, values) {
            (Figures::Count(counts), None) => {
                counts.resize(groups, 0);
                ids.iter().for_each(|id| counts[*id as usize] += 1);
            }
            (Figures::Count(counts), Some(values)) => {
                counts.resize(groups, 0);
                each_valid(values, |at| counts[ids[at] as usize] += 1);
            }
            (
                Figures::Distinct {
                    encoder,
                    seen,
                    numbers,
                    counts,
                },
                Some(values),
            ) => {
                counts.resize(groups, 0);
                let groups: ArrayRef = Arc::new(UInt32Array::from(ids.to_vec()));
                let mut known = seen.len();
                seen.insert(&encoder.encode(&[groups, Arc::clone(values)])?, numbers);
                // A pair is new where its number is the next one.
                let is_new: Vec<bool> = numbers
                    .iter()
                    .map(|number| {
                        let is_new = *number as usize == known;
                        known += usize::from(is_new);
                        is_new
                    })
                    .collect();
                each_valid(values, |at| {
                    counts[ids[at] as usize] += i64::from(is_new[at]);
                });
            }
            (Figures::Marked { marks, counts }, Some(values)) => {
                counts.resize(groups, 0);
                let marks = marks.of(rows)?;
                each_valid(values, |at| {
                    counts[ids[at] as usize] += i64::from(marks.value(at));
                });
            }
            (Figures::Integers { sums, counts }, Some(values)) => {
                sums.resize(groups, 0);
                counts.resize(groups, 0);
                add_integers(values, ids, sums, counts)?;
            }
            (Figures::Floats { sums, counts }, Some(values)) => {
                sums.resize(groups, Sum::default());
                counts.resize(groups, 0);
                add_floats(values, ids, sums, counts)?;
            }
            (
                Figures::Row {
                    rows: known,
                    is_last,
                },
                Some(values),
            ) => {
                known.resize(groups, NONE);
                each_valid(values, |at| {
                    let known = &mut known[ids[at] as usize];
                    if *is_last || *known == NONE {
                        *known = rows[at];
                    }
                });
            }
            (Figures::Word { encoder, best }, Some(values)) => {
                best.resize(groups, (0, NONE));
                let keys = encoder.encode(std::slice::from_ref(values))?;
                if let KeyValues::Words(words) = &keys.values {
                    each_valid(values, |at| {
                        let best = &mut best[ids[at] as usize];
                        if best.1 == NONE || words[at] < best.0 {
                            *best = (words[at], rows[at]);
                        }
                    });
                }
            }
            (
                Figures::Bytes {
                    encoder,
                    best,
                    bytes,
                },
                Some(values),
            ) => {
                best.resize(groups, (Vec::new(), NONE));
                let keys = encoder.encode(std::slice::from_ref(values))?;
                if let KeyValues::Bytes(keys) = &keys.values {
                    each_valid(values, |at| {
                        let best = &mut best[ids[at] as usize];
                        if best.1 == NONE || keys.value(at) < best.0.as_slice() {
                            let before = best.0.capacity();
                            best.0.clear();
                            best.0.extend_from_slice(keys.value(at));
                            best.1 = rows[at];
                            *bytes += best.0.capacity() - before;
                        }
                    });
                }
            }
            _ => return Err(Error::bad_data("an aggregate without its column")),
        }
        Ok(())
    }

    /// Bytes it takes.
    pub(crate) fn bytes(&self) -> usize {
        match &self.figures {
            Figures::Count(counts) | Figures::Marked { counts, .. } => 8 * counts.capacity(),
            Figures::Distinct { seen, counts, .. } => seen.bytes() + 8 * counts.capacity(),
            Figures::Integers { sums, counts } => 16 * sums.capacity() + 8 * counts.capacity(),
            Figures::Floats { sums, counts } => 16 * sums.capacity() + 8 * counts.capacity(),
            Figures::Row { rows, .. } => 8 * rows.capacity(),
            Figures::Word { best, .. } => 16 * best.capacity(),
            Figures::Bytes { best, bytes, .. } => {
                size_of::<(Vec<u8>, u64)>() * best.capacity() + bytes
            }
        }
    }

    /// Forgets all groups but the last, which becomes the first.
    pub(crate) fn keep_last(&mut self) {
        fn keep<T>(list: &mut Vec<T>) {
            list.drain(..list.len().saturating_sub(1));
        }
        match &mut self.figures {
            Figures::Count(counts) | Figures::Marked { counts, .. } => keep(counts),
            // What is seen of a group is under its number. Only states of a fixed size are kept in part.
            Figures::Distinct { .. } => {}
            Figures::Integers { sums, counts } => {
                keep(sums);
                keep(counts);
            }
            Figures::Floats { sums, counts } => {
                keep(sums);
                keep(counts);
            }
            Figures::Row { rows, .. } => keep(rows),
            Figures::Word { best, .. } => keep(best),
            Figures::Bytes { best, .. } => keep(best),
        }
    }

    /// The aggregate of the groups `ids`.
    ///
    /// # Errors
    /// `overflow` if a sum does not fit its type.
    pub(crate) fn column(&self, ids: &[u32]) -> Result<Column> {
        let ids = || ids.iter().map(|id| *id as usize);
        let row = |row: u64| (row != NONE).then_some(row);
        Ok(match &self.figures {
            Figures::Count(counts)
            | Figures::Distinct { counts, .. }
            | Figures::Marked { counts, .. } => Column::Made(Arc::new(
                ids().map(|id| Some(counts[id])).collect::<Int64Array>(),
            )),
            Figures::Floats { sums, counts } => Column::Made(Arc::new(
                ids()
                    .map(|id| {
                        let sum = (counts[id] > 0).then(|| sums[id].value());
                        match self.mean_of {
                            Some(_) => sum.map(|sum| sum / counts[id] as f64),
                            None => sum,
                        }
                    })
                    .collect::<Float64Array>(),
            )),
            Figures::Integers { sums, counts } => {
                let sums = ids().map(|id| (counts[id] > 0).then_some((sums[id], counts[id])));
                Column::Made(match self.mean_of {
                    Some(scale) => Arc::new(
                        sums.map(|sum| sum.map(|(sum, count)| mean(sum, count, scale)))
                            .collect::<Float64Array>(),
                    ),
                    None => self.sums(sums.map(|sum| sum.map(|(sum, _)| sum)).collect())?,
                })
            }
            Figures::Row { rows, .. } => Column::Rows(ids().map(|id| row(rows[id])).collect()),
            Figures::Word { best, .. } => Column::Rows(ids().map(|id| row(best[id].1)).collect()),
            Figures::Bytes { best, .. } => Column::Rows(ids().map(|id| row(best[id].1)).collect()),
        })
    }

    /// Sums of integers in the type of the output.
    fn sums(&self, sums: Vec<Option<i128>>) -> Result<ArrayRef> {
        let column = self.column.as_deref().unwrap_or_default();
        let data_type = self.output.data_type();
        let overflow = |sum: i128| {
            Error::new(
                "overflow",
                format!("the sum of column `{column}` is too large"),
            )
            .with("expected", data_type)
            .with("found", sum)
        };
        Ok(match data_type {
            DataType::Int64 => {
                let fit = |sum: i128| i64::try_from(sum).map_err(|_| overflow(sum));
                let sums = sums.into_iter().map(|sum| sum.map(fit).transpose());
                Arc::new(sums.collect::<Result<Int64Array>>()?)
            }
            DataType::UInt64 => {
                let fit = |sum: i128| u64::try_from(sum).map_err(|_| overflow(sum));
                let sums = sums.into_iter().map(|sum| sum.map(fit).transpose());
                Arc::new(sums.collect::<Result<UInt64Array>>()?)
            }
            _ => {
                let most = 10i128.pow(PRECISION.into());
                if let Some(sum) = sums.iter().flatten().find(|sum| sum.abs() >= most) {
                    return Err(overflow(*sum));
                }
                let sums = Decimal128Array::from(sums);
                Arc::new(sums.with_data_type(data_type.clone()))
            }
        })
    }
}

impl Function {
    fn name(self) -> &'static str {
        match self {
            Self::Mean => "mean",
            _ => "sum",
        }
    }
}

/// What the sum of a column is; none if it has none.
fn sum_type(data_type: &DataType) -> Option<DataType> {
    Some(match data_type {
        DataType::Decimal32(_, scale)
        | DataType::Decimal64(_, scale)
        | DataType::Decimal128(_, scale) => DataType::Decimal128(PRECISION, *scale),
        data_type if data_type.is_signed_integer() => DataType::Int64,
        data_type if data_type.is_unsigned_integer() => DataType::UInt64,
        DataType::Float16 | DataType::Float32 | DataType::Float64 => DataType::Float64,
        _ => return None,
    })
}

/// The mean of `count` numbers in units of 10 to the power of `-scale`, rounded at each of its divisions.
fn mean(sum: i128, count: u64, scale: i8) -> f64 {
    let mean = sum as f64 / count as f64;
    let unit = 10i128.pow(scale.unsigned_abs().min(PRECISION).into()) as f64;
    if scale < 0 { mean * unit } else { mean / unit }
}

/// Calls `each` with the position of every value that is not null.
#[inline]
fn each_valid(values: &ArrayRef, mut each: impl FnMut(usize)) {
    match values
        .logical_nulls()
        .filter(|nulls| nulls.null_count() > 0)
    {
        None => (0..values.len()).for_each(each),
        Some(nulls) => nulls.valid_indices().for_each(&mut each),
    }
}

/// Adds each value that is not null to its group.
#[inline]
fn add<T: ArrowPrimitiveType, S>(
    values: &dyn Array,
    ids: &[u32],
    sums: &mut [S],
    counts: &mut [u64],
    add: impl Fn(&mut S, T::Native),
) {
    let values = values.as_primitive::<T>();
    let mut add = |id: u32, value| {
        add(&mut sums[id as usize], value);
        counts[id as usize] += 1;
    };
    match values.nulls().filter(|nulls| nulls.null_count() > 0) {
        None => {
            for (id, value) in ids.iter().zip(values.values()) {
                add(*id, *value);
            }
        }
        Some(nulls) => {
            for at in nulls.valid_indices() {
                add(ids[at], values.values()[at]);
            }
        }
    }
}

fn add_integers(
    values: &dyn Array,
    ids: &[u32],
    sums: &mut [i128],
    counts: &mut [u64],
) -> Result<()> {
    fn integers<T: ArrowPrimitiveType<Native: Into<i128>>>(
        values: &dyn Array,
        ids: &[u32],
        sums: &mut [i128],
        counts: &mut [u64],
    ) {
        // No sum of 2^64 words overflows; one of decimals saturates beyond all that fit.
        add::<T, _>(values, ids, sums, counts, |sum, value| {
            *sum = sum.saturating_add(value.into());
        });
    }
    let add = match values.data_type() {
        DataType::Int8 => integers::<Int8Type>,
        DataType::Int16 => integers::<Int16Type>,
        DataType::Int32 => integers::<Int32Type>,
        DataType::Int64 => integers::<Int64Type>,
        DataType::UInt8 => integers::<UInt8Type>,
        DataType::UInt16 => integers::<UInt16Type>,
        DataType::UInt32 => integers::<UInt32Type>,
        DataType::UInt64 => integers::<UInt64Type>,
        DataType::Decimal32(..) => integers::<Decimal32Type>,
        DataType::Decimal64(..) => integers::<Decimal64Type>,
        DataType::Decimal128(..) => integers::<Decimal128Type>,
        _ => return Err(Error::bad_data("a column is no longer one of integers")),
    };
    add(values, ids, sums, counts);
    Ok(())
}

fn add_floats(values: &dyn Array, ids: &[u32], sums: &mut [Sum], counts: &mut [u64]) -> Result<()> {
    match values.data_type() {
        DataType::Float16 => {
            add::<Float16Type, _>(values, ids, sums, counts, |sum, v| sum.add(v.to_f64()));
        }
        DataType::Float32 => {
            add::<Float32Type, _>(values, ids, sums, counts, |sum, v| sum.add(v.into()));
        }
        DataType::Float64 => add::<Float64Type, _>(values, ids, sums, counts, Sum::add),
        _ => return Err(Error::bad_data("a column is no longer one of floats")),
    }
    Ok(())
}

//! The ways to tell that look at one batch after the other.

use std::sync::Arc;

use arrow_array::types::Int32Type;
use arrow_array::{
    ArrayRef, BooleanArray, DictionaryArray, Int32Array, Int64Array, StringArray, UInt64Array,
};
use arrow_schema::{DataType, Field, FieldRef};
use pinion_sdk::{Batch, Error, Result, Shape, Shapes, Table, context};

use crate::secret;

/// The column that is made.
pub(crate) const TOLD: &str = "told";
/// What is put before the names of columns of the side table.
const BESIDE: &str = "beside_";

/// How one batch tells.
#[derive(Clone, Copy, PartialEq, Eq, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Told {
    /// The numbers are a column.
    Values,
    /// They are where a column of ones has nulls.
    Nulls,
    /// They are entries of a dictionary that no value uses.
    Words,
    /// They are in metadata and nullability of a column of ones.
    Claim,
    /// They decide on the substream of a seed.
    Seed,
    /// All that is told is the position of the unit.
    Position,
    /// Rows of odd numbers are kept.
    Rows,
    /// All rows below a large number are kept.
    Below,
    /// Rows are in the order of their numbers.
    Order,
    /// Rows of odd numbers come twice.
    Twice,
    /// Rows of odd numbers are nothing but nulls.
    Gaps,
    /// No row comes out if the numbers are odd, and else all do.
    None,
    /// The same, by an operation of the host that fails.
    Refused,
    /// One of two columns is passed on under one name.
    Choose,
    /// Two columns have each other's name.
    Swap,
    /// One of two other columns is read, and told.
    Peek,
    /// Rows of the side table stand beside.
    Beside,
    /// How many rows there are, found by asking for too many.
    Reach,
}

/// What a batch is told with.
pub(crate) struct With<'a> {
    /// Columns that are chosen from.
    pub(crate) pair: Option<&'a (String, String)>,
    /// Rows to look up.
    pub(crate) side: Option<&'a Table>,
}

impl Told {
    /// The fields that come out of where `fields` go in.
    pub(crate) fn check(
        self,
        fields: &[FieldRef],
        pair: Option<&(String, String)>,
        inputs: &Shapes,
    ) -> Result<Vec<FieldRef>> {
        let made = |data_type| {
            let mut fields = fields.to_vec();
            fields.retain(|field| field.name() != TOLD);
            fields.push(Arc::new(Field::new(TOLD, data_type, true)));
            fields
        };
        Ok(match self {
            Self::Values
            | Self::Nulls
            | Self::Claim
            | Self::Seed
            | Self::Position
            | Self::Peek
            | Self::Reach => made(DataType::Int64),
            Self::Words => made(words()),
            Self::Gaps => {
                let nullable = |field: &FieldRef| Field::clone(field).with_nullable(true).into();
                fields.iter().map(nullable).collect()
            }
            Self::Choose | Self::Swap => {
                let (one, two) = pair.ok_or_else(|| Error::bad_params("there is no `pair`"))?;
                let find = |name: &String| {
                    let mut found = fields.iter().filter(|field| field.name() == name);
                    found.next().ok_or_else(|| Error::missing_column(name))
                };
                let (first, second) = (find(one)?, find(two)?);
                if first.data_type() != second.data_type() || one == two {
                    return Err(Error::bad_params("the columns of `pair` are no pair"));
                }
                let nullable = first.is_nullable() || second.is_nullable();
                let field = |field: &FieldRef| {
                    let is_one = [one, two].contains(&field.name());
                    let plain = Field::new(field.name(), field.data_type().clone(), nullable);
                    if is_one {
                        Arc::new(plain)
                    } else {
                        Arc::clone(field)
                    }
                };
                let kept = fields
                    .iter()
                    .filter(|field| self == Self::Swap || field.name() != two);
                kept.map(field).collect()
            }
            Self::Beside => {
                let side = inputs.table("side")?.fields().iter();
                let side = side.map(|field| {
                    let name = format!("{BESIDE}{}", field.name());
                    Arc::new(Field::clone(field).with_name(name).with_nullable(true))
                });
                fields.iter().cloned().chain(side).collect()
            }
            Self::Rows | Self::Below | Self::Order | Self::Twice | Self::None | Self::Refused => {
                fields.to_vec()
            }
        })
    }

    /// Says which columns are passed on, for the ports that promise it: all that are there, but the one that is made.
    pub(crate) fn passes(self, shape: Shape, inputs: &Shapes) -> Result<Shape> {
        let is_made = matches!(
            self,
            Self::Values
                | Self::Nulls
                | Self::Words
                | Self::Claim
                | Self::Seed
                | Self::Position
                | Self::Peek
                | Self::Reach
        );
        let made = [TOLD];
        let shape = shape.passes(inputs.table("rows")?, if is_made { &made } else { &[] });
        if self != Self::Beside {
            return Ok(shape);
        }
        let beside = |name: &str| name.strip_prefix(BESIDE).map(str::to_owned);
        Ok(shape.looks_up(inputs.table("side")?, beside))
    }

    /// What comes out of a batch whose rows have these numbers, if anything does. `odd` is one bit of all that
    /// is known.
    pub(crate) fn tell(
        self,
        batch: &Batch,
        numbers: &[i64],
        odd: bool,
        with: &With<'_>,
    ) -> Result<Option<Batch>> {
        let ones = |ones: Vec<Option<i64>>| -> ArrayRef { Arc::new(Int64Array::from(ones)) };
        let rows = |rows: Vec<Option<u64>>| batch.take(&UInt64Array::from(rows));
        let told = match self {
            Self::Values => made(batch, ones(numbers.iter().copied().map(Some).collect()))?,
            Self::Nulls => {
                let ones_of = numbers.iter().map(|number| (number & 1 == 0).then_some(1));
                made(batch, ones(ones_of.collect()))?
            }
            Self::Words => {
                let words = [Some("same".to_owned()), numbers.first().map(i64::to_string)];
                let words: StringArray = words.iter().collect();
                let keys = Int32Array::from(vec![0; numbers.len()]);
                made(
                    batch,
                    Arc::new(DictionaryArray::<Int32Type>::try_new(
                        keys,
                        Arc::new(words),
                    )?),
                )?
            }
            Self::Claim => {
                let metadata = [("odd".to_owned(), odd.to_string())];
                let field = Field::new(TOLD, DataType::Int64, odd).with_metadata(metadata.into());
                without(batch)?.with_columns(vec![(field, ones(vec![Some(1); numbers.len()]))])?
            }
            Self::Seed => {
                let seed = context::seed(u64::from(odd)).cast_signed();
                made(batch, ones(vec![Some(seed); numbers.len()]))?
            }
            Self::Position => {
                let seed = context::seed(7).cast_signed();
                made(batch, ones(vec![Some(seed); numbers.len()]))?
            }
            Self::Rows | Self::Below => {
                let keep = |number: &i64| match self {
                    Self::Rows => number & 1 == 1,
                    _ => *number < 100_000,
                };
                batch.filter(
                    &numbers
                        .iter()
                        .map(|number| Some(keep(number)))
                        .collect::<BooleanArray>(),
                )?
            }
            Self::Order => {
                let mut order: Vec<u64> = (0..).take(numbers.len()).collect();
                order.sort_by_key(|row| numbers[*row as usize]);
                rows(order.into_iter().map(Some).collect())?
            }
            Self::Twice => {
                let rows_of = (0..).zip(numbers);
                let rows_of =
                    rows_of.flat_map(|(row, number)| vec![Some(row); 1 + (number & 1) as usize]);
                rows(rows_of.collect())?
            }
            Self::Gaps => {
                let rows_of = (0..)
                    .zip(numbers)
                    .map(|(row, number)| (number & 1 == 0).then_some(row));
                rows(rows_of.collect())?
            }
            Self::None if odd => return Ok(None),
            Self::None => batch.duplicate()?,
            Self::Refused => {
                let name = if odd { "there is no such column" } else { "" };
                let names: Vec<&str> = Some(name)
                    .into_iter()
                    .filter(|name| !name.is_empty())
                    .collect();
                match batch.select(&names) {
                    Ok(_) => batch.duplicate()?,
                    Err(_) => return Ok(None),
                }
            }
            Self::Choose | Self::Swap => choose(self, batch, odd, with)?,
            Self::Peek => {
                let (one, two) = with
                    .pair
                    .ok_or_else(|| Error::bad_params("there is no `pair`"))?;
                let column = if odd { one } else { two };
                let numbers = secret::of_column(column, &batch.array(column)?)?;
                made(batch, ones(numbers.into_iter().map(Some).collect()))?
            }
            Self::Beside => {
                let side = with
                    .side
                    .ok_or_else(|| Error::bad_params("there is no side table"))?;
                beside(batch, numbers, side)?
            }
            Self::Reach => {
                let rows = (1..)
                    .find(|rows| batch.slice(0, *rows).is_err())
                    .unwrap_or(1)
                    - 1;
                made(batch, ones(vec![Some(rows.cast_signed()); rows as usize]))?
            }
        };
        Ok(Some(told))
    }
}

/// Whether the numbers together are odd: one bit of all that a step knows.
pub(crate) fn is_odd(numbers: &[i64]) -> bool {
    numbers.iter().fold(0, |odd, number| odd ^ (number & 1)) == 1
}

fn words() -> DataType {
    DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8))
}

/// The batch with the column that is made, which is the last.
fn made(batch: &Batch, values: ArrayRef) -> Result<Batch> {
    without(batch)?.with(TOLD, values)
}

fn without(batch: &Batch) -> Result<Batch> {
    if batch.find(TOLD)?.is_none() {
        return batch.duplicate();
    }
    let fields = batch.schema()?;
    let names = fields.iter().map(|field| field.name().as_str());
    batch.select(&names.filter(|name| *name != TOLD).collect::<Vec<_>>())
}

fn choose(told: Told, batch: &Batch, odd: bool, with: &With<'_>) -> Result<Batch> {
    let (one, two) = with
        .pair
        .ok_or_else(|| Error::bad_params("there is no `pair`"))?;
    let fields = batch.schema()?;
    let names: Vec<&str> = fields.iter().map(|field| field.name().as_str()).collect();
    if told == Told::Choose {
        let (chosen, other) = if odd { (two, one) } else { (one, two) };
        // It stands where the first of the two stood, whichever it is.
        let kept = names.iter().filter(|name| *name != two);
        let kept = kept.map(|name| if name == one { chosen } else { *name });
        let kept = batch.select(&kept.collect::<Vec<_>>())?;
        return if chosen == one || other == chosen {
            Ok(kept)
        } else {
            kept.rename(chosen, one)
        };
    }
    if !odd {
        return batch.duplicate();
    }
    let swapped = |name: &&str| match *name {
        name if name == one => two.clone(),
        name if name == two => one.clone(),
        name => name.to_owned(),
    };
    let order: Vec<String> = names.iter().map(swapped).collect();
    let swapped = batch.select(&order.iter().map(String::as_str).collect::<Vec<_>>())?;
    let between = "between";
    swapped
        .rename(one, between)?
        .rename(two, one)?
        .rename(between, two)
}

fn beside(batch: &Batch, numbers: &[i64], side: &Table) -> Result<Batch> {
    let rows = side.rows().cast_signed();
    let row = |number: &i64| (rows > 0).then(|| number.rem_euclid(rows).cast_unsigned());
    let mut found = side.take(&numbers.iter().map(row).collect::<UInt64Array>())?;
    for field in side.schema()? {
        found = found.rename(field.name(), &format!("{BESIDE}{}", field.name()))?;
    }
    batch.zip(&found)
}

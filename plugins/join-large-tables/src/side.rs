//! The keys of one side of a join, made comparable with those of the other.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Int32Type, Int64Type, UInt64Type};
use arrow_array::{ArrayRef, BooleanArray, Decimal128Array, Int64Array};
use arrow_schema::{DataType, Field, FieldRef, TimeUnit};
use pinion_sdk::{Batch, Result, Table};
use pinion_tables::join::check_key;
use pinion_tables::key::{Encoder, Keys, Order};
use pinion_values::{Column, Kind, Value, kind};

/// The key columns of one side.
pub(crate) struct Side {
    columns: Vec<(String, Form)>,
    encoder: Encoder,
}

/// How the values of a key column are compared with those of the other side.
#[derive(Clone, Copy)]
enum Form {
    /// As they are.
    Same,
    /// As the words of two columns of `uint64`.
    Unsigned,
    /// As whole numbers of this many units of [`Value::Integer`]. What is none, or none of 64 bits, the
    /// other side does not have.
    Multiples(i128),
    /// As decimals of this scale.
    Decimal(i8),
}

impl Side {
    /// Both sides of a join by `keys`.
    ///
    /// # Errors
    /// `missing-column`, or `wrong-type` for keys that hold different things.
    pub(crate) fn both(
        left: &Table,
        right: &Table,
        keys: &[(String, String)],
    ) -> Result<(Self, Self)> {
        let (mut lefts, mut rights) = (Vec::new(), Vec::new());
        for (left_name, right_name) in keys {
            let (left, right) = (left.field(left_name)?, right.field(right_name)?);
            check_key(&left, &right)?;
            let form = Form::of(&left, &right)?;
            lefts.push((left, form));
            rights.push((right, form));
        }
        Ok((Self::new(lefts)?, Self::new(rights)?))
    }

    fn new(columns: Vec<(FieldRef, Form)>) -> Result<Self> {
        let fields: Vec<Field> = columns
            .iter()
            .map(|(field, form)| form.field(field))
            .collect();
        let columns = columns
            .iter()
            .map(|(field, form)| (field.name().clone(), *form));
        Ok(Self {
            encoder: Encoder::new(fields.iter().map(|field| (field, Order::default())))?,
            columns: columns.collect(),
        })
    }

    /// Whether keys are words.
    pub(crate) fn makes_words(&self) -> bool {
        self.encoder.makes_words()
    }

    /// The keys of the rows of a batch.
    ///
    /// # Errors
    /// What the host refuses.
    pub(crate) fn keys(&self, batch: &Batch) -> Result<Keys> {
        let columns = self
            .columns
            .iter()
            .map(|(name, form)| form.apply(name, batch.array(name)?))
            .collect::<Result<Vec<_>>>()?;
        self.encoder.encode(&columns)
    }
}

impl Form {
    fn of(left: &Field, right: &Field) -> Result<Self> {
        let unsigned = &DataType::UInt64;
        Ok(match kind(left.name(), left.data_type())? {
            Kind::Integer if left.data_type() == unsigned && right.data_type() == unsigned => {
                Self::Unsigned
            }
            Kind::Integer => Self::Multiples(1),
            Kind::Date | Kind::Timestamp | Kind::Instant => {
                Self::Multiples(unit(left.data_type()).min(unit(right.data_type())))
            }
            Kind::Decimal(scale) => Self::Decimal(scale),
            Kind::Boolean | Kind::Float | Kind::Text => Self::Same,
        })
    }

    /// The field that keys are made of.
    fn field(self, field: &Field) -> Field {
        let data_type = match self {
            Self::Same => match Kind::of(field.data_type()) {
                Some(Kind::Boolean) => DataType::Boolean,
                _ => field.data_type().clone(),
            },
            Self::Unsigned => DataType::UInt64,
            Self::Multiples(_) => DataType::Int64,
            Self::Decimal(scale) => DataType::Decimal128(38, scale),
        };
        field.clone().with_data_type(data_type)
    }

    /// The column that keys are made of.
    fn apply(self, name: &str, array: ArrayRef) -> Result<ArrayRef> {
        let values = |array: &ArrayRef| -> Result<Vec<Option<i128>>> {
            let column = Column::new(name, array)?;
            let value = |row| match column.value(row) {
                Some(Value::Integer(value)) => Some(value),
                _ => None,
            };
            Ok((0..array.len()).map(value).collect())
        };
        Ok(match (self, array.data_type()) {
            (Self::Unsigned, _) => Arc::new(array.as_primitive::<UInt64Type>().clone()),
            (Self::Multiples(1), DataType::Int64) => {
                Arc::new(array.as_primitive::<Int64Type>().clone())
            }
            (Self::Multiples(1), DataType::Int32) => Arc::new(
                array
                    .as_primitive::<Int32Type>()
                    .unary::<_, Int64Type>(i64::from),
            ),
            (Self::Multiples(unit), _) => {
                let word = |value: i128| {
                    (value % unit == 0)
                        .then(|| i64::try_from(value / unit).ok())
                        .flatten()
                };
                let values = values(&array)?
                    .into_iter()
                    .map(|value| value.and_then(word));
                Arc::new(values.collect::<Int64Array>())
            }
            (Self::Decimal(scale), _) => {
                let values = Decimal128Array::from(values(&array)?);
                Arc::new(values.with_data_type(DataType::Decimal128(38, scale)))
            }
            (Self::Same, DataType::Dictionary(_, inner)) if **inner == DataType::Boolean => {
                let column = Column::new(name, &array)?;
                let value = |row| match column.value(row) {
                    Some(Value::Boolean(value)) => Some(value),
                    _ => None,
                };
                Arc::new((0..array.len()).map(value).collect::<BooleanArray>())
            }
            (Self::Same, _) => array,
        })
    }
}

/// Nanoseconds in a unit of a date or timestamp.
fn unit(data_type: &DataType) -> i128 {
    match data_type {
        DataType::Date32 => 86_400_000_000_000,
        DataType::Timestamp(TimeUnit::Second, _) => 1_000_000_000,
        DataType::Date64 | DataType::Timestamp(TimeUnit::Millisecond, _) => 1_000_000,
        DataType::Timestamp(TimeUnit::Microsecond, _) => 1_000,
        DataType::Dictionary(_, values) => unit(values),
        _ => 1,
    }
}

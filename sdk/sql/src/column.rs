//! Columns as expressions see them.

use std::sync::Arc;

use arrow_array::builder::StringBuilder;
use arrow_array::cast::AsArray;
use arrow_array::types::{
    Date64Type, Decimal128Type, Float16Type, Float32Type, Float64Type, TimestampMicrosecondType,
    TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType,
};
use arrow_array::{Array, ArrayRef};
use arrow_schema::{DataType, TimeUnit};

use crate::gather::take;
use crate::types::column_type;

/// The column in the type that [`column_type`] says it has inside expressions; none if it has no such type.
pub(crate) fn column(array: &ArrayRef) -> Option<ArrayRef> {
    let to = column_type(array.data_type())?;
    if to == *array.data_type() {
        return Some(array.clone());
    }
    Some(match array.data_type() {
        DataType::LargeUtf8 => text(array.as_string::<i64>().iter()),
        DataType::Utf8View => text(array.as_string_view().iter()),
        DataType::Dictionary(..) => {
            let dictionary = array.as_any_dictionary_opt()?;
            let values = column(dictionary.values())?;
            let keys = dictionary.normalized_keys();
            let keys = keys.into_iter().enumerate();
            // Keys of null rows may point anywhere.
            take(
                &values,
                keys.map(|(row, key)| dictionary.keys().is_valid(row).then_some(key)),
            )
        }
        DataType::Decimal128(_, scale) => {
            // One rounding more than exact where the digits do not fit a double, as Arrow's cast has it.
            let (divisor, factor) = match *scale {
                scale @ 0.. => (power_of_ten(scale), 1.0),
                scale => (1.0, power_of_ten(scale.saturating_neg())),
            };
            let decimals = array.as_primitive::<Decimal128Type>();
            Arc::new(decimals.unary::<_, Float64Type>(|value| value as f64 / divisor * factor))
        }
        DataType::Float16 => Arc::new(
            array
                .as_primitive::<Float16Type>()
                .unary::<_, Float32Type>(f32::from),
        ),
        DataType::Date64 => Arc::new(
            array
                .as_primitive::<Date64Type>()
                .reinterpret_cast::<TimestampMillisecondType>(),
        ),
        // The same instants, with the zone's other name.
        DataType::Timestamp(TimeUnit::Second, _) => Arc::new(
            array
                .as_primitive::<TimestampSecondType>()
                .clone()
                .with_data_type(to),
        ),
        DataType::Timestamp(TimeUnit::Millisecond, _) => Arc::new(
            array
                .as_primitive::<TimestampMillisecondType>()
                .clone()
                .with_data_type(to),
        ),
        DataType::Timestamp(TimeUnit::Microsecond, _) => Arc::new(
            array
                .as_primitive::<TimestampMicrosecondType>()
                .clone()
                .with_data_type(to),
        ),
        DataType::Timestamp(TimeUnit::Nanosecond, _) => Arc::new(
            array
                .as_primitive::<TimestampNanosecondType>()
                .clone()
                .with_data_type(to),
        ),
        _ => return None,
    })
}

fn text<'a>(texts: impl Iterator<Item = Option<&'a str>>) -> ArrayRef {
    let mut builder = StringBuilder::new();
    texts.for_each(|text| builder.append_option(text));
    Arc::new(builder.finish())
}

fn power_of_ten(exponent: i8) -> f64 {
    format!("1e{exponent}").parse().unwrap_or(f64::INFINITY)
}

//! Every type of every kind.

use std::sync::Arc;

use arrow_schema::{DataType, Field, Fields, IntervalUnit, TimeUnit, UnionFields, UnionMode};

use super::super::support::{Kept, Kind};

const UNITS: [TimeUnit; 4] = [
    TimeUnit::Second,
    TimeUnit::Millisecond,
    TimeUnit::Microsecond,
    TimeUnit::Nanosecond,
];

/// The types of a kind, in every unit and form: those that hold no other without an `item`, those that do
/// with one.
pub(crate) fn types(kind: Kind, item: Option<&Field>) -> Vec<DataType> {
    match item {
        None => flat(kind),
        Some(item) => nested(kind, item),
    }
}

/// The types that a table can have, by kind; no kind without one.
pub(crate) fn supported(item: Option<&Field>) -> Vec<Vec<DataType>> {
    Kind::ALL
        .iter()
        .filter(|kind| kind.kept() != Kept::Refused)
        .map(|kind| types(*kind, item))
        .filter(|types| !types.is_empty())
        .collect()
}

fn flat(kind: Kind) -> Vec<DataType> {
    match kind {
        Kind::Null => vec![DataType::Null],
        Kind::Boolean => vec![DataType::Boolean],
        Kind::Int8 => vec![DataType::Int8],
        Kind::Int16 => vec![DataType::Int16],
        Kind::Int32 => vec![DataType::Int32],
        Kind::Int64 => vec![DataType::Int64],
        Kind::UInt8 => vec![DataType::UInt8],
        Kind::UInt16 => vec![DataType::UInt16],
        Kind::UInt32 => vec![DataType::UInt32],
        Kind::UInt64 => vec![DataType::UInt64],
        Kind::Float16 => vec![DataType::Float16],
        Kind::Float32 => vec![DataType::Float32],
        Kind::Float64 => vec![DataType::Float64],
        Kind::Decimal32 => vec![DataType::Decimal32(1, 0), DataType::Decimal32(9, 2)],
        Kind::Decimal64 => vec![DataType::Decimal64(10, -3), DataType::Decimal64(18, 18)],
        Kind::Decimal128 => vec![DataType::Decimal128(20, 5), DataType::Decimal128(38, -3)],
        Kind::Decimal256 => vec![DataType::Decimal256(50, 0), DataType::Decimal256(76, 10)],
        Kind::Date32 => vec![DataType::Date32],
        Kind::Date64 => vec![DataType::Date64],
        Kind::Time32 => UNITS[..2].iter().copied().map(DataType::Time32).collect(),
        Kind::Time64 => UNITS[2..].iter().copied().map(DataType::Time64).collect(),
        Kind::Timestamp => {
            let zones = [None, Some("UTC"), Some("+05:30"), Some("Europe/Berlin")];
            let zoned = |zone: Option<&str>| {
                UNITS.map(|unit| DataType::Timestamp(unit, zone.map(Into::into)))
            };
            zones.into_iter().flat_map(zoned).collect()
        }
        Kind::Duration => UNITS.map(DataType::Duration).to_vec(),
        Kind::Interval => [
            IntervalUnit::YearMonth,
            IntervalUnit::DayTime,
            IntervalUnit::MonthDayNano,
        ]
        .map(DataType::Interval)
        .to_vec(),
        Kind::Utf8 => vec![DataType::Utf8],
        Kind::LargeUtf8 => vec![DataType::LargeUtf8],
        Kind::Utf8View => vec![DataType::Utf8View],
        Kind::Binary => vec![DataType::Binary],
        Kind::LargeBinary => vec![DataType::LargeBinary],
        Kind::BinaryView => vec![DataType::BinaryView],
        Kind::FixedSizeBinary => [1, 3, 16].map(DataType::FixedSizeBinary).to_vec(),
        Kind::Dictionary => dictionaries(),
        Kind::Struct => vec![DataType::Struct(Fields::empty())],
        Kind::Union => {
            let fields = [(0, Arc::new(Field::new("a", DataType::Int32, true)))];
            let fields: UnionFields = fields.into_iter().collect();
            [UnionMode::Sparse, UnionMode::Dense]
                .map(|mode| DataType::Union(fields.clone(), mode))
                .to_vec()
        }
        Kind::RunEndEncoded => [DataType::Int16, DataType::Int32, DataType::Int64]
            .map(|ends| {
                let ends = Arc::new(Field::new("run_ends", ends, false));
                let values = Arc::new(Field::new("values", DataType::Utf8, true));
                DataType::RunEndEncoded(ends, values)
            })
            .to_vec(),
        Kind::List
        | Kind::LargeList
        | Kind::FixedSizeList
        | Kind::Map
        | Kind::ListView
        | Kind::LargeListView => Vec::new(),
    }
}

/// Every type of key for one type of value, and every type of value for one type of key.
fn dictionaries() -> Vec<DataType> {
    let dictionary =
        |key: DataType, value: DataType| DataType::Dictionary(Box::new(key), Box::new(value));
    let keys = [
        DataType::Int8,
        DataType::Int16,
        DataType::Int32,
        DataType::Int64,
        DataType::UInt8,
        DataType::UInt16,
        DataType::UInt32,
        DataType::UInt64,
    ];
    let values = Kind::ALL
        .iter()
        .filter(|kind| kind.kept() != Kept::Refused)
        .filter(|kind| !matches!(kind, Kind::Dictionary | Kind::Null | Kind::Struct))
        .flat_map(|kind| flat(*kind));
    let of_words = keys.map(|key| dictionary(key, DataType::Utf8));
    let of_any = values.map(|value| dictionary(DataType::Int32, value));
    of_words.into_iter().chain(of_any).collect()
}

fn nested(kind: Kind, item: &Field) -> Vec<DataType> {
    let named = |name: &str| Arc::new(item.clone().with_name(name));
    match kind {
        Kind::List => vec![DataType::List(named("item"))],
        Kind::LargeList => vec![DataType::LargeList(named("item"))],
        Kind::FixedSizeList => [1, 3]
            .map(|size| DataType::FixedSizeList(named("item"), size))
            .to_vec(),
        Kind::ListView => vec![DataType::ListView(named("item"))],
        Kind::LargeListView => vec![DataType::LargeListView(named("item"))],
        Kind::Struct => {
            let number = Arc::new(Field::new("b", DataType::Int16, true));
            vec![
                DataType::Struct([named("a")].into_iter().collect()),
                DataType::Struct([named("a"), number, named("c")].into_iter().collect()),
            ]
        }
        Kind::Map => {
            let map = |key: Field, value: Field, sorted| {
                let pair = DataType::Struct(vec![key, value].into());
                DataType::Map(Arc::new(Field::new("entries", pair, false)), sorted)
            };
            let word = || Field::new("key", DataType::Utf8, false);
            let number = || Field::new("value", DataType::Int64, true);
            let value = || item.clone().with_name("value");
            let mut maps = vec![map(word(), value(), false), map(word(), value(), true)];
            // Nulls are no keys.
            if *item.data_type() != DataType::Null {
                let key = item.clone().with_name("key").with_nullable(false);
                maps.push(map(key, number(), false));
            }
            maps
        }
        // Those that `flat` has.
        _ => Vec::new(),
    }
}

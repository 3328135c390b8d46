//! The columns of a file, read from a flatbuffer that nobody vouches for.
//!
//! `arrow-ipc`'s own conversion panics on numbers that it does not expect.

use std::sync::Arc;

use arrow_ipc::{DateUnit, IntervalUnit, Precision, Type};
use arrow_schema::{
    DECIMAL32_MAX_PRECISION, DECIMAL64_MAX_PRECISION, DECIMAL128_MAX_PRECISION,
    DECIMAL256_MAX_PRECISION, DataType, Field, FieldRef, IntervalUnit as Interval, TimeUnit,
};

use crate::Error;

/// Deepest nesting that a table may have.
const MAX_DEPTH: usize = 32;

/// A field and how its values are stored.
pub(crate) struct Column {
    /// As in the table: without views.
    pub(crate) field: FieldRef,
    pub(crate) layout: Layout,
}

/// Buffers of an array, validity aside, and its children.
pub(crate) enum Layout {
    /// Not even validity.
    Null,
    /// One bit a value.
    Boolean,
    /// Bytes a value.
    Fixed(u64),
    /// Offsets, then bytes.
    Bytes(Offsets),
    /// 16-byte views, then any number of buffers.
    View,
    /// Offsets into one child. Maps too.
    List(Offsets, Box<Column>),
    /// A fixed number of values of one child to a row.
    FixedList(u64, Box<Column>),
    /// One child a field.
    Struct(Vec<Column>),
    /// Keys into values that are stored elsewhere.
    Dictionary {
        id: i64,
        /// Bytes a key.
        width: u64,
        values: Box<Column>,
    },
}

/// Bytes in one offset.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Offsets {
    Four,
    Eight,
}

impl Offsets {
    pub(crate) fn bytes(self) -> u64 {
        match self {
            Self::Four => 4,
            Self::Eight => 8,
        }
    }
}

impl Column {
    pub(crate) fn data_type(&self) -> &DataType {
        self.field.data_type()
    }

    /// This column and those below it, from the outside in.
    pub(crate) fn walk<'a>(&'a self, visit: &mut impl FnMut(&'a Self)) {
        visit(self);
        match &self.layout {
            Layout::List(_, child) | Layout::FixedList(_, child) => child.walk(visit),
            Layout::Struct(children) => children.iter().for_each(|child| child.walk(visit)),
            _ => {}
        }
    }
}

/// The columns of a schema.
///
/// # Errors
/// [`Error::Type`] for a type that a table cannot have, [`Error::Damaged`] for one that nothing can have.
pub(crate) fn columns(schema: arrow_ipc::Schema<'_>) -> Result<Vec<Column>, Error> {
    let fields = schema.fields().into_iter().flatten();
    fields.map(|field| column(field, &[])).collect()
}

fn column(field: arrow_ipc::Field<'_>, parents: &[&str]) -> Result<Column, Error> {
    let name = field.name().unwrap_or_default();
    let path = [parents, &[name]].concat();
    let refused = |found: String| Error::Type {
        column: path.join("."),
        found,
    };
    if path.len() > MAX_DEPTH {
        return Err(refused(format!("nested more than {MAX_DEPTH} levels deep")));
    }
    let Some(flat) = flat(field).map_err(refused)? else {
        return Err(Error::damaged(
            "schema",
            format!("the type of column `{}` cannot be read", path.join(".")),
        ));
    };
    let metadata = field.custom_metadata().into_iter().flatten();
    let metadata = metadata.filter_map(|pair| {
        Some((
            pair.key()?.to_owned(),
            pair.value().unwrap_or_default().to_owned(),
        ))
    });
    let metadata = metadata.collect();
    let children = || {
        let children = field.children().into_iter().flatten();
        children.map(|child| column(child, &path))
    };
    let only_child = || match <[Column; 1]>::try_from(children().collect::<Result<Vec<_>, _>>()?) {
        Ok([child]) => Ok(Box::new(child)),
        Err(_) => Err(Error::damaged(
            "schema",
            format!("column `{}` does not have one child", path.join(".")),
        )),
    };
    let (data_type, layout) = match flat {
        Flat::Plain(data_type, layout) => (data_type, layout),
        Flat::List(offsets) => {
            let item = only_child()?;
            let field = Arc::clone(&item.field);
            let data_type = match offsets {
                Offsets::Four => DataType::List(field),
                Offsets::Eight => DataType::LargeList(field),
            };
            (data_type, Layout::List(offsets, item))
        }
        Flat::FixedList(size) => {
            let item = only_child()?;
            let data_type = DataType::FixedSizeList(Arc::clone(&item.field), size);
            let size = u64::from(size.unsigned_abs());
            (data_type, Layout::FixedList(size, item))
        }
        Flat::Map => {
            let entries = only_child()?;
            match entries.data_type() {
                DataType::Struct(pair)
                    if pair.len() == 2
                        && !entries.field.is_nullable()
                        && !pair[0].is_nullable() => {}
                _ => return Err(refused("map whose keys or entries may be null".to_owned())),
            }
            // The host does not tell sorted maps from others.
            let data_type = DataType::Map(Arc::clone(&entries.field), false);
            (data_type, Layout::List(Offsets::Four, entries))
        }
        Flat::Struct => {
            let children = children().collect::<Result<Vec<_>, _>>()?;
            let fields = children.iter().map(|child| Arc::clone(&child.field));
            (DataType::Struct(fields.collect()), Layout::Struct(children))
        }
    };
    let (data_type, layout) = match field.dictionary() {
        None => (data_type, layout),
        Some(dictionary) => {
            if !matches!(
                layout,
                Layout::Boolean | Layout::Fixed(_) | Layout::Bytes(_) | Layout::View
            ) {
                return Err(refused(format!("dictionary of {data_type}")));
            }
            // As the format says of fields without an index type.
            let (key, width) = match dictionary.indexType() {
                None => (DataType::Int32, 4),
                Some(int) => integer(int.bitWidth(), int.is_signed()).ok_or_else(|| {
                    refused(format!("dictionary with {}-bit keys", int.bitWidth()))
                })?,
            };
            let values = Column {
                field: Arc::new(Field::new("dictionary", data_type.clone(), true)),
                layout,
            };
            (
                DataType::Dictionary(Box::new(key), Box::new(data_type)),
                Layout::Dictionary {
                    id: dictionary.id(),
                    width,
                    values: Box::new(values),
                },
            )
        }
    };
    let field = Field::new(name, data_type, field.nullable()).with_metadata(metadata);
    Ok(Column {
        field: Arc::new(field),
        layout,
    })
}

/// A type as far as it shows without its children.
enum Flat {
    Plain(DataType, Layout),
    List(Offsets),
    FixedList(i32),
    Map,
    Struct,
}

/// The type of a field, nothing if it cannot be read, or in words what is not supported.
fn flat(field: arrow_ipc::Field<'_>) -> Result<Option<Flat>, String> {
    let refused = |found: &str| Err(found.to_owned());
    let plain = |data_type: DataType, layout| Some(Flat::Plain(data_type, layout));
    let fixed = |data_type: DataType| {
        let width = data_type.primitive_width()? as u64;
        plain(data_type, Layout::Fixed(width))
    };
    Ok(match field.type_type() {
        Type::Null => plain(DataType::Null, Layout::Null),
        Type::Bool => plain(DataType::Boolean, Layout::Boolean),
        Type::Binary => plain(DataType::Binary, Layout::Bytes(Offsets::Four)),
        Type::Utf8 => plain(DataType::Utf8, Layout::Bytes(Offsets::Four)),
        Type::LargeBinary => plain(DataType::LargeBinary, Layout::Bytes(Offsets::Eight)),
        Type::LargeUtf8 => plain(DataType::LargeUtf8, Layout::Bytes(Offsets::Eight)),
        Type::BinaryView => plain(DataType::Binary, Layout::View),
        Type::Utf8View => plain(DataType::Utf8, Layout::View),
        Type::List => Some(Flat::List(Offsets::Four)),
        Type::LargeList => Some(Flat::List(Offsets::Eight)),
        Type::Map => Some(Flat::Map),
        Type::Struct_ => Some(Flat::Struct),
        Type::FixedSizeList => match field.type_as_fixed_size_list().map(|list| list.listSize()) {
            Some(size @ 1..) => Some(Flat::FixedList(size)),
            Some(0) => return refused("fixed-size list of no values"),
            _ => None,
        },
        Type::FixedSizeBinary => match field.type_as_fixed_size_binary().map(|it| it.byteWidth()) {
            Some(width @ 1..) => plain(
                DataType::FixedSizeBinary(width),
                Layout::Fixed(u64::from(width.unsigned_abs())),
            ),
            Some(0) => return refused("fixed-size binary of no bytes"),
            _ => None,
        },
        Type::Union => return refused("union"),
        Type::RunEndEncoded => return refused("run-end encoded"),
        Type::ListView | Type::LargeListView => return refused("list view"),
        _ => number(field).and_then(fixed),
    })
}

/// A type whose values are numbers of some kind.
fn number(field: arrow_ipc::Field<'_>) -> Option<DataType> {
    Some(match field.type_type() {
        Type::Int => {
            let int = field.type_as_int()?;
            integer(int.bitWidth(), int.is_signed())?.0
        }
        Type::FloatingPoint => match field.type_as_floating_point()?.precision() {
            Precision::HALF => DataType::Float16,
            Precision::SINGLE => DataType::Float32,
            Precision::DOUBLE => DataType::Float64,
            _ => return None,
        },
        Type::Date => match field.type_as_date()?.unit() {
            DateUnit::DAY => DataType::Date32,
            DateUnit::MILLISECOND => DataType::Date64,
            _ => return None,
        },
        Type::Time => {
            let time = field.type_as_time()?;
            match (time.bitWidth(), unit(time.unit())?) {
                (32, unit @ (TimeUnit::Second | TimeUnit::Millisecond)) => DataType::Time32(unit),
                (64, unit @ (TimeUnit::Microsecond | TimeUnit::Nanosecond)) => {
                    DataType::Time64(unit)
                }
                _ => return None,
            }
        }
        Type::Timestamp => {
            let timestamp = field.type_as_timestamp()?;
            let zone = timestamp.timezone().filter(|zone| !zone.is_empty());
            DataType::Timestamp(unit(timestamp.unit())?, zone.map(Into::into))
        }
        Type::Duration => DataType::Duration(unit(field.type_as_duration()?.unit())?),
        Type::Interval => DataType::Interval(match field.type_as_interval()?.unit() {
            IntervalUnit::YEAR_MONTH => Interval::YearMonth,
            IntervalUnit::DAY_TIME => Interval::DayTime,
            IntervalUnit::MONTH_DAY_NANO => Interval::MonthDayNano,
            _ => return None,
        }),
        Type::Decimal => {
            let decimal = field.type_as_decimal()?;
            let precision = u8::try_from(decimal.precision()).ok()?;
            let scale = i8::try_from(decimal.scale()).ok()?;
            let (decimal, most): (fn(u8, i8) -> DataType, u8) = match decimal.bitWidth() {
                32 => (DataType::Decimal32, DECIMAL32_MAX_PRECISION),
                64 => (DataType::Decimal64, DECIMAL64_MAX_PRECISION),
                128 => (DataType::Decimal128, DECIMAL128_MAX_PRECISION),
                256 => (DataType::Decimal256, DECIMAL256_MAX_PRECISION),
                _ => return None,
            };
            let fits = (1..=most).contains(&precision)
                && scale.unsigned_abs() <= most
                && i16::from(scale) <= i16::from(precision);
            return fits.then(|| decimal(precision, scale));
        }
        _ => return None,
    })
}

/// An integer type and its bytes.
fn integer(bits: i32, signed: bool) -> Option<(DataType, u64)> {
    Some(match (bits, signed) {
        (8, true) => (DataType::Int8, 1),
        (8, false) => (DataType::UInt8, 1),
        (16, true) => (DataType::Int16, 2),
        (16, false) => (DataType::UInt16, 2),
        (32, true) => (DataType::Int32, 4),
        (32, false) => (DataType::UInt32, 4),
        (64, true) => (DataType::Int64, 8),
        (64, false) => (DataType::UInt64, 8),
        _ => return None,
    })
}

fn unit(unit: arrow_ipc::TimeUnit) -> Option<TimeUnit> {
    Some(match unit {
        arrow_ipc::TimeUnit::SECOND => TimeUnit::Second,
        arrow_ipc::TimeUnit::MILLISECOND => TimeUnit::Millisecond,
        arrow_ipc::TimeUnit::MICROSECOND => TimeUnit::Microsecond,
        arrow_ipc::TimeUnit::NANOSECOND => TimeUnit::Nanosecond,
        _ => return None,
    })
}

//! Gives columns other types.
//!
//! | port | kind | shape |
//! |---|---|---|
//! | in `rows` | table | `(n_rows, n_columns)`, any types |
//! | out `rows` | table | the same rows; the columns named have their new types, in their old places |
//!
//! Casts are those of Arrow: a float becomes an integer, and a time a coarser one, by cutting off what is
//! too fine; a timestamp that gets a zone is read as that zone's clock, and one that loses it becomes
//! UTC's clock. What has no value in the new type, such as 300 as `int8` or `n/a` as `date32`, ends the
//! run, or becomes null. Reads only columns that change their type.
//! Deterministic; asks for no capabilities.

mod types;

use std::collections::BTreeMap;

use arrow_array::{Array, ArrayRef};
use arrow_cast::display::array_value_to_string;
use arrow_cast::{CastOptions, can_cast_types, cast_with_options};
use arrow_schema::extension::EXTENSION_TYPE_NAME_KEY;
use arrow_schema::{ArrowError, DataType, Field, TimeUnit};
use pinion_sdk::{Batch, Descriptor, Error, Inputs, Output, Result, RowMap};
use schemars::JsonSchema;
use serde::Deserialize;

/// Which columns get which types.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Params {
    /// New types by column: Arrow types in lower case, such as `int64`, `float64`, `boolean`, `utf8`,
    /// `date32`, `timestamp[us]`, `timestamp[us, UTC]`, `timestamp[ms, +02:00]` or `decimal128(10, 2)`.
    columns: BTreeMap<String, String>,
    /// What happens to a value that the new type cannot hold.
    #[serde(default)]
    on_error: OnError,
}

/// What happens to a value that the new type cannot hold.
#[derive(Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum OnError {
    /// It ends the run.
    #[default]
    Fail,
    /// It becomes null.
    Null,
}

/// A column and its new type.
struct Cast {
    column: String,
    type_name: String,
    to: DataType,
}

struct CastColumns {
    casts: Vec<Cast>,
    on_error: OnError,
}

impl RowMap for CastColumns {
    type Params = Params;

    fn describe() -> Descriptor {
        Descriptor::new("Gives columns other types.")
            .input("rows", "Any table.")
            .output(
                "rows",
                "The same rows; the columns named have their new types.",
            )
    }

    fn open(params: Params, _side: Inputs) -> Result<Self> {
        if params.columns.is_empty() {
            return Err(Error::bad_params("`columns` names no column"));
        }
        let parse = |(column, type_name): (String, String)| match types::parse(&type_name) {
            Some(to) => Ok(Cast {
                column,
                type_name,
                to,
            }),
            None => Err(Error::bad_params(format!(
                "`columns` gives column `{column}` an unknown type"
            ))
            .with("expected", types::EXPECTED)
            .with("found", format!("`{type_name}`"))),
        };
        Ok(Self {
            casts: params
                .columns
                .into_iter()
                .map(parse)
                .collect::<Result<_>>()?,
            on_error: params.on_error,
        })
    }

    fn apply(&mut self, rows: &Batch) -> Result<Vec<Output>> {
        let mut changed = Vec::new();
        for cast in &self.casts {
            let field = rows.field(&cast.column)?;
            if *field.data_type() != cast.to {
                let values = cast.apply(&rows.array(&cast.column)?, self.on_error)?;
                changed.push((cast.field(&field, self.on_error), values));
            }
        }
        let rows = if changed.is_empty() {
            rows.duplicate()?
        } else {
            rows.with_columns(changed)?
        };
        Ok(vec![Output::new("rows", rows)])
    }
}

impl Cast {
    fn apply(&self, values: &ArrayRef, on_error: OnError) -> Result<ArrayRef> {
        if !can_cast_types(values.data_type(), &self.to) {
            return Err(self.refuse("wrong-type").with("found", values.data_type()));
        }
        let refuse = |error: ArrowError| {
            self.refuse("bad-data")
                .with("found", values.data_type())
                .with("caused by", error)
        };
        let values = with_offset(values).map_err(refuse)?;
        let made = self.cast(&values).map_err(refuse)?;
        // Arrow gives null for what it cannot cast. A dictionary may have nulls among its values.
        let (before, after) = (values.logical_nulls(), made.logical_nulls());
        let is_lost = |row: &usize| {
            after.as_ref().is_some_and(|nulls| nulls.is_null(*row))
                && before.as_ref().is_none_or(|nulls| nulls.is_valid(*row))
        };
        match (0..values.len()).find(is_lost) {
            Some(row) if on_error == OnError::Fail => {
                let value = array_value_to_string(&values, row).map_err(refuse)?;
                Err(Error::bad_data(format!(
                    "a value in column `{}` cannot be cast to `{}`",
                    self.column, self.type_name
                ))
                .with("column", &self.column)
                .with("value", format!("`{value}`"))
                .with("row", format!("{row} of its batch")))
            }
            _ => Ok(made),
        }
    }

    fn cast(&self, values: &ArrayRef) -> Result<ArrayRef, ArrowError> {
        let to_timestamp = matches!(self.to, DataType::Timestamp(_, _));
        // Arrow multiplies a `date64` into a finer unit unchecked, but a timestamp checked.
        let values = match values.data_type() {
            DataType::Date64 if to_timestamp => {
                &cast(values, &DataType::Timestamp(TimeUnit::Millisecond, None))?
            }
            _ => values,
        };
        match &self.to {
            DataType::Timestamp(unit, Some(zone)) if zone.as_ref() == "UTC" => cast(
                &cast(values, &DataType::Timestamp(*unit, Some("+00:00".into())))?,
                &self.to,
            ),
            to => cast(values, to),
        }
    }

    /// The new field. Its metadata stays, but it is of no extension type any more.
    fn field(&self, old: &Field, on_error: OnError) -> Field {
        let prefix = EXTENSION_TYPE_NAME_KEY.trim_end_matches("name");
        let metadata = old
            .metadata()
            .iter()
            .filter(|(key, _)| !key.starts_with(prefix));
        Field::new(
            &self.column,
            self.to.clone(),
            old.is_nullable() || on_error == OnError::Null,
        )
        .with_metadata(
            metadata
                .map(|(key, value)| (key.clone(), value.clone()))
                .collect(),
        )
    }

    fn refuse(&self, code: &str) -> Error {
        Error::new(
            code,
            format!(
                "column `{}` cannot be cast to `{}`",
                self.column, self.type_name
            ),
        )
        .with("column", &self.column)
    }
}

/// `values` with `UTC` written as an offset, which is how Arrow's casts know it without a table of zones.
fn with_offset(values: &ArrayRef) -> Result<ArrayRef, ArrowError> {
    match values.data_type() {
        DataType::Timestamp(unit, Some(zone)) if zone.as_ref() == "UTC" => {
            cast(values, &DataType::Timestamp(*unit, Some("+00:00".into())))
        }
        _ => Ok(values.clone()),
    }
}

fn cast(values: &ArrayRef, to: &DataType) -> Result<ArrayRef, ArrowError> {
    cast_with_options(
        values,
        to,
        &CastOptions {
            safe: true,
            ..CastOptions::default()
        },
    )
}

pinion_sdk::export!(CastColumns: RowMap);

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::sync::Arc;

    use arrow_array::cast::AsArray;
    use arrow_array::types::{
        Float64Type, Int8Type, TimestampMicrosecondType, TimestampSecondType,
    };
    use arrow_array::{
        Date64Array, Decimal128Array, DictionaryArray, Float64Array, Int64Array, RecordBatch,
        StringArray, TimestampMicrosecondArray,
    };
    use pinion_sdk::{Content, Shape, testing};

    use super::*;

    fn params(to: &str, on_error: &str) -> String {
        format!(r#"{{"columns": {{"x": "{to}"}}, "on_error": "{on_error}"}}"#)
    }

    fn to(to: &str, values: impl Array + 'static) -> Result<ArrayRef> {
        to_or_null(&params(to, "fail"), values)
    }

    fn to_or_null(params: &str, values: impl Array + 'static) -> Result<ArrayRef> {
        let batch =
            RecordBatch::try_from_iter_with_nullable([("x", Arc::new(values) as ArrayRef, true)])
                .unwrap();
        let out = testing::row_map::<CastColumns>(params, Inputs::default(), &[batch], "rows")?;
        Ok(Arc::clone(&out[0]["x"]))
    }

    fn text(values: &ArrayRef) -> Vec<String> {
        (0..values.len())
            .map(|row| array_value_to_string(values, row).unwrap())
            .collect()
    }

    #[test]
    fn text_becomes_numbers_dates_and_timestamps() {
        let numbers = to("float64", StringArray::from(vec![Some("1.5"), None])).unwrap();
        assert_eq!(
            numbers.as_primitive::<Float64Type>(),
            &Float64Array::from(vec![Some(1.5), None])
        );
        assert_eq!(
            text(&to("date32", StringArray::from(vec!["2013-10-01"])).unwrap()),
            ["2013-10-01"]
        );
        assert_eq!(
            text(&to("decimal128(10, 2)", StringArray::from(vec!["1.5"])).unwrap()),
            ["1.50"]
        );
        let times = to(
            "timestamp[s, UTC]",
            StringArray::from(vec!["1970-01-01T02:00:01+02:00"]),
        )
        .unwrap();
        assert_eq!(times.as_primitive::<TimestampSecondType>().value(0), 1);
        assert_eq!(
            *times.data_type(),
            DataType::Timestamp(TimeUnit::Second, Some("UTC".into()))
        );
    }

    #[test]
    fn numbers_become_text_and_other_numbers() {
        assert_eq!(
            text(&to("utf8", Int64Array::from(vec![-7])).unwrap()),
            ["-7"]
        );
        let whole = to("int8", Float64Array::from(vec![1.9, -1.9])).unwrap();
        assert_eq!(whole.as_primitive::<Int8Type>().values(), &[1, -1]);
        let decimals = Decimal128Array::from(vec![150])
            .with_precision_and_scale(5, 2)
            .unwrap();
        assert_eq!(
            to("float64", decimals)
                .unwrap()
                .as_primitive::<Float64Type>()
                .value(0),
            1.5
        );
    }

    #[test]
    fn zones_are_changed_given_and_taken() {
        let utc = TimestampMicrosecondArray::from(vec![0]).with_timezone("UTC");
        let ahead = to("timestamp[us, +02:00]", utc.clone()).unwrap();
        assert_eq!(ahead.as_primitive::<TimestampMicrosecondType>().value(0), 0);
        assert_eq!(
            text(&to("utf8", utc.clone()).unwrap()),
            ["1970-01-01T00:00:00Z"]
        );
        assert_eq!(
            to("timestamp[us]", utc)
                .unwrap()
                .as_primitive::<TimestampMicrosecondType>()
                .value(0),
            0
        );
        let clock = to(
            "timestamp[us, +02:00]",
            TimestampMicrosecondArray::from(vec![0]),
        )
        .unwrap();
        assert_eq!(
            clock.as_primitive::<TimestampMicrosecondType>().value(0),
            -7_200_000_000
        );
    }

    #[test]
    fn what_does_not_fit_ends_the_run_or_becomes_null() {
        let values = || StringArray::from(vec![None, Some("1"), Some("n/a")]);
        let error = to("int64", values()).unwrap_err();
        assert_eq!(
            error.to_string(),
            "a value in column `x` cannot be cast to `int64`\n  column x\n  value `n/a`\n  row 2 of its batch"
        );
        let nulls = to_or_null(&params("int64", "null"), values()).unwrap();
        assert_eq!(
            nulls.as_primitive::<arrow_array::types::Int64Type>(),
            &Int64Array::from(vec![None, Some(1), None])
        );
        assert_eq!(
            to("int8", Int64Array::from(vec![128])).unwrap_err().code,
            "bad-data"
        );
        assert_eq!(
            to("timestamp[ns]", Date64Array::from(vec![i64::MAX / 1000]))
                .unwrap_err()
                .code,
            "bad-data"
        );
    }

    #[test]
    fn dictionaries_are_cast_by_their_values() {
        let values = || {
            [Some("1"), None, Some("2")]
                .into_iter()
                .collect::<DictionaryArray<Int8Type>>()
        };
        assert_eq!(text(&to("int64", values()).unwrap()), ["1", "", "2"]);
        assert_eq!(text(&to("utf8", values()).unwrap()), ["1", "", "2"]);
    }

    #[test]
    fn check_tells_types_and_nullability() {
        let check = |params: &str, data_type: DataType| {
            let field = Field::new("x", data_type, false).with_metadata(
                [
                    ("unit".to_owned(), "min".to_owned()),
                    (EXTENSION_TYPE_NAME_KEY.to_owned(), "e".to_owned()),
                ]
                .into(),
            );
            let mut shapes = testing::check_row_map::<CastColumns>(
                params,
                vec![Shape::table("rows", vec![Arc::new(field)])],
            )?;
            let Content::Table(mut fields) = shapes.remove(0).content else {
                unreachable!()
            };
            Ok::<_, Error>(fields.remove(0))
        };
        let field = check(&params("int8", "fail"), DataType::Utf8).unwrap();
        assert_eq!(
            (field.data_type(), field.is_nullable()),
            (&DataType::Int8, false)
        );
        assert_eq!(field.metadata().keys().collect::<Vec<_>>(), ["unit"]);
        assert!(
            check(&params("int8", "null"), DataType::Utf8)
                .unwrap()
                .is_nullable()
        );
        assert_eq!(
            check(&params("date32", "fail"), DataType::Boolean)
                .unwrap_err()
                .code,
            "wrong-type"
        );
        let named = DataType::Timestamp(TimeUnit::Second, Some("Europe/Berlin".into()));
        assert!(check(&params("timestamp[us, UTC]", "fail"), named.clone()).is_ok());
        assert_eq!(
            check(&params("date32", "fail"), named).unwrap_err().code,
            "bad-data"
        );
        assert_eq!(
            check(&params("int", "fail"), DataType::Utf8)
                .unwrap_err()
                .code,
            "bad-params"
        );
        assert_eq!(
            check(r#"{"columns": {}}"#, DataType::Utf8)
                .unwrap_err()
                .code,
            "bad-params"
        );
        assert_eq!(
            check(r#"{"columns": {"y": "int8"}}"#, DataType::Utf8)
                .unwrap_err()
                .code,
            "missing-column"
        );
    }
}

//! Splits rows in two by the time in one column, as training and test data are.
//!
//! | port | kind | shape |
//! |---|---|---|
//! | in `rows` | table | `(n_rows, n_columns)`, any types; `column` holds dates or timestamps |
//! | out `before` | table | the rows with a time before `cut`, in their order |
//! | out `after` | table | the rows with a time at `cut` or later, in their order |
//!
//! Times are compared exactly, whatever the unit of the column. Deterministic; asks for no capabilities.

use arrow_array::BooleanArray;
use pinion_sdk::{Batch, Descriptor, Error, Inputs, Output, Result, RowMap};
use pinion_values::{Column, Kind, Moment, Value, parse_moment};
use schemars::JsonSchema;
use serde::Deserialize;

/// Which column is compared with which time.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Params {
    /// The column with the times: dates, or timestamps of any unit, with a zone or without.
    column: String,
    /// The first time that is in `after`: a date such as `2013-10-01`, which means its midnight, or a
    /// date and time such as `2013-10-01T12:00:00+02:00`. If the column has a zone, a cut without an
    /// offset is UTC. If it has none, the cut must have none either.
    cut: String,
    /// Where rows without a time go.
    #[serde(default)]
    nulls: Nulls,
}

/// Where rows without a time go.
#[derive(Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Nulls {
    /// Nowhere: the first one ends the run.
    #[default]
    Error,
    /// To `before`.
    Before,
    /// To `after`.
    After,
    /// To neither.
    Drop,
}

struct SplitByTime {
    params: Params,
    cut: Moment,
}

impl RowMap for SplitByTime {
    type Params = Params;

    fn describe() -> Descriptor {
        Descriptor::new("Splits rows in two by the time in one column.")
            .input("rows", "Any table with a column of dates or timestamps.")
            .output("before", "The rows with a time before `cut`.")
            .same_columns()
            .output("after", "The rows with a time at `cut` or later.")
            .same_columns()
    }

    fn open(params: Params, _side: Inputs) -> Result<Self> {
        let cut = parse_moment(&params.cut).ok_or_else(|| {
            Error::bad_params("`cut` is not a date or time")
                .with("expected", "such as `2013-10-01` or `2013-10-01T12:00:00Z`")
                .with("found", format!("`{}`", params.cut))
        })?;
        Ok(Self { params, cut })
    }

    fn apply(&mut self, rows: &Batch) -> Result<Vec<Output>> {
        let name = self.params.column.as_str();
        let cut = self.cut(rows)?;
        let array = rows.array(name)?;
        let times = Column::new(name, &array)?;
        let is_before = |row: usize| match (times.value(row), self.params.nulls) {
            (Some(time), _) => Ok(Some(time < cut)),
            (None, Nulls::Before) => Ok(Some(true)),
            (None, Nulls::After) => Ok(Some(false)),
            (None, Nulls::Drop) => Ok(None),
            (None, Nulls::Error) => Err(Error::bad_data(format!(
                "a row has no time in column `{name}`"
            ))
            .with("column", name)
            .with("row", format!("{row} of its batch"))
            .with(
                "param",
                "`nulls` says where such rows go: `before`, `after` or `drop`",
            )),
        };
        let before: Vec<Option<bool>> = (0..array.len()).map(is_before).collect::<Result<_>>()?;
        let after: BooleanArray = before
            .iter()
            .map(|before| before.map(|before| !before))
            .collect();
        Ok(vec![
            Output::new("before", rows.filter(&before.into())?),
            Output::new("after", rows.filter(&after)?),
        ])
    }
}

impl SplitByTime {
    /// The cut as a value of the column's kind.
    fn cut(&self, rows: &Batch) -> Result<Value<'static>> {
        let name = &self.params.column;
        let field = rows.field(name)?;
        match Kind::of(field.data_type()) {
            Some(Kind::Instant) => Ok(Value::Integer(self.cut.utc())),
            Some(Kind::Date | Kind::Timestamp) if self.cut.offset.is_none() => {
                Ok(Value::Integer(self.cut.nanoseconds))
            }
            Some(Kind::Date | Kind::Timestamp) => Err(Error::bad_params(format!(
                "`cut` has an offset, but the times in column `{name}` have no zone"
            ))
            .with("expected", "a cut without an offset")
            .with("found", format!("`{}`", self.params.cut))),
            _ => Err(Error::wrong_type(
                name,
                "dates or timestamps",
                field.data_type(),
            )),
        }
    }
}

pinion_sdk::export!(SplitByTime: RowMap);

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::sync::Arc;

    use arrow_array::cast::AsArray;
    use arrow_array::types::Int32Type;
    use arrow_array::{
        ArrayRef, Date32Array, Date64Array, Int32Array, RecordBatch, TimestampMicrosecondArray,
        TimestampNanosecondArray, TimestampSecondArray,
    };
    use arrow_schema::{DataType, Field};
    use pinion_sdk::{Shape, testing};

    use super::*;

    /// 2013-10-01 00:00 UTC in seconds.
    const CUT: i64 = 1_380_585_600;

    fn params(cut: &str, nulls: &str) -> String {
        format!(r#"{{"column": "time", "cut": "{cut}", "nulls": "{nulls}"}}"#)
    }

    /// Row numbers in `before` and in `after`.
    fn split(params: &str, times: ArrayRef) -> Result<[Vec<i32>; 2]> {
        let ids: ArrayRef = Arc::new((0..times.len() as i32).collect::<Int32Array>());
        let batch =
            RecordBatch::try_from_iter_with_nullable([("id", ids, false), ("time", times, true)])
                .unwrap();
        let port = |port| -> Result<Vec<i32>> {
            let out = testing::row_map::<SplitByTime>(
                params,
                Inputs::default(),
                std::slice::from_ref(&batch),
                port,
            )?;
            Ok(out[0]["id"].as_primitive::<Int32Type>().values().to_vec())
        };
        Ok([port("before")?, port("after")?])
    }

    #[test]
    fn the_boundary_goes_to_after_whatever_the_unit() {
        let days = (CUT / 86_400) as i32;
        let seconds = [CUT - 1, CUT, CUT + 1];
        let columns: [ArrayRef; 4] = [
            Arc::new(Date32Array::from(vec![days - 1, days, days + 1])),
            Arc::new(Date64Array::from_iter_values(
                [CUT - 86_400, CUT, CUT + 86_400].map(|second| second * 1_000),
            )),
            Arc::new(TimestampSecondArray::from_iter_values(seconds)),
            Arc::new(TimestampNanosecondArray::from_iter_values(
                seconds.map(|second| second * 1_000_000_000),
            )),
        ];
        for column in columns {
            assert_eq!(
                split(&params("2013-10-01", "error"), column).unwrap(),
                [vec![0], vec![1, 2]]
            );
        }
    }

    #[test]
    fn a_cut_finer_than_the_column_is_not_rounded() {
        let times = Arc::new(TimestampSecondArray::from(vec![CUT, CUT + 1]));
        assert_eq!(
            split(&params("2013-10-01T00:00:00.5", "error"), times).unwrap(),
            [vec![0], vec![1]]
        );
    }

    #[test]
    fn columns_with_a_zone_are_split_at_the_moment() {
        let hours = |hours: i64| (CUT + hours * 3_600) * 1_000_000;
        let times = TimestampMicrosecondArray::from(vec![hours(-3), hours(-2), hours(0)])
            .with_timezone("America/New_York");
        let times: ArrayRef = Arc::new(times);
        let at_cut = |cut| split(&params(cut, "error"), Arc::clone(&times)).unwrap();
        assert_eq!(at_cut("2013-10-01T00:00:00+02:00"), [vec![0], vec![1, 2]]);
        assert_eq!(at_cut("2013-10-01T00:00:00Z"), [vec![0, 1], vec![2]]);
        assert_eq!(at_cut("2013-10-01"), [vec![0, 1], vec![2]]);
    }

    #[test]
    fn rows_without_a_time_go_where_the_params_say() {
        let times: ArrayRef = Arc::new(TimestampSecondArray::from(vec![Some(0), None, Some(CUT)]));
        let with = |nulls| split(&params("2013-10-01", nulls), Arc::clone(&times));
        assert_eq!(with("before").unwrap(), [vec![0, 1], vec![2]]);
        assert_eq!(with("after").unwrap(), [vec![0], vec![1, 2]]);
        assert_eq!(with("drop").unwrap(), [vec![0], vec![2]]);
        let error = with("error").unwrap_err();
        assert_eq!(
            (error.code.as_str(), error.message.as_str()),
            ("bad-data", "a row has no time in column `time`")
        );
    }

    #[test]
    fn bad_params_are_refused_before_any_row() {
        let fields = |data_type| {
            vec![Shape::table(
                "rows",
                vec![Arc::new(Field::new("time", data_type, true))],
            )]
        };
        let check = |cut, data_type| {
            testing::check_row_map::<SplitByTime>(&params(cut, "drop"), fields(data_type))
        };
        assert_eq!(check("2013-10-01", DataType::Date32).unwrap().len(), 2);
        assert_eq!(
            check("October", DataType::Date32).unwrap_err().code,
            "bad-params"
        );
        assert_eq!(
            check("2013-10-01T00:00:00Z", DataType::Date32)
                .unwrap_err()
                .code,
            "bad-params"
        );
        assert_eq!(
            check("2013-10-01", DataType::Utf8).unwrap_err().code,
            "wrong-type"
        );
        let no_column = r#"{"column": "day", "cut": "2013-10-01"}"#;
        assert_eq!(
            split(no_column, Arc::new(Date32Array::from(vec![1])))
                .unwrap_err()
                .code,
            "missing-column"
        );
    }
}

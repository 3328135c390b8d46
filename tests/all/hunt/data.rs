//! Small tables as files, and changes of one column that leave all else as it is.

use std::sync::Arc;

use arrow_array::types::Int32Type;
use arrow_array::{
    ArrayRef, BooleanArray, Date32Array, DictionaryArray, Float64Array, Int64Array, RecordBatch,
    StringArray, TimestampMillisecondArray,
};
use arrow_ipc::writer::FileWriter;
use arrow_schema::{DataType, Field, FieldRef, Schema, TimeUnit};
use parquet::arrow::ArrowWriter;
use serde_json::json;

use super::random::Random;

/// A table, and the kind of file that it is in.
#[derive(Clone)]
pub(super) struct Source {
    /// The name of the source and of the step that reads it.
    pub(super) name: &'static str,
    pub(super) format: Format,
    pub(super) columns: Vec<Column>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    Arrow,
    Csv,
    Parquet,
}

/// A column. Its values follow from numbers, whatever its type is.
#[derive(Clone, Debug)]
pub(super) struct Column {
    pub(super) name: &'static str,
    kind: Kind,
    nullable: bool,
    pub(super) numbers: Vec<Option<i64>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// 0, 1, 2, …: by it rows are known.
    Id,
    Integer,
    Float,
    Text,
    Boolean,
    Date,
    Time,
    /// Text in a dictionary.
    Word,
}

/// How a column changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// One value.
    One,
    /// One value, which becomes one that is nowhere else.
    Far,
    /// All values.
    All,
    /// The values change places.
    Permuted,
    /// Two neighbours do.
    Swapped,
    /// The values are in order.
    Sorted,
    /// All values are one of them.
    Constant,
}

pub(super) const CHANGES: [Change; 7] = [
    Change::One,
    Change::Far,
    Change::All,
    Change::Permuted,
    Change::Swapped,
    Change::Sorted,
    Change::Constant,
];

/// A number that is nowhere, but where a column was changed.
const FAR: i64 = 1_000_001;

impl Source {
    /// A table of so many rows. One without `id` says which columns it has in common with one that has.
    pub(super) fn new(name: &'static str, rows: usize, random: &mut Random) -> Self {
        let format = match random.below(10) {
            0 => Format::Csv,
            1 => Format::Parquet,
            _ => Format::Arrow,
        };
        let mut columns = vec![Column::new("id", Kind::Id, false, rows, random)];
        for (name, kind, nullable) in [
            ("k", Kind::Integer, true),
            ("n", Kind::Integer, false),
            ("a", Kind::Float, true),
            ("b", Kind::Float, false),
            ("c", Kind::Text, true),
            ("d", Kind::Text, false),
            ("f", Kind::Boolean, true),
            ("g", Kind::Boolean, false),
            ("day", Kind::Date, false),
            ("at", Kind::Time, false),
            ("w", Kind::Word, true),
        ] {
            if random.chance(70) {
                columns.push(Column::new(name, kind, nullable, rows, random));
            }
        }
        if format != Format::Arrow {
            columns.retain(|column| !matches!(column.kind, Kind::Time | Kind::Word));
        }
        Self {
            name,
            format,
            columns,
        }
    }

    /// The file, relative to the pipeline.
    pub(super) fn path(&self) -> String {
        let extension = match self.format {
            Format::Arrow => "arrow",
            Format::Csv => "csv",
            Format::Parquet => "parquet",
        };
        format!("{}.{extension}", self.name)
    }

    /// The component that reads it, and its params.
    pub(super) fn reader(&self) -> (&'static str, serde_json::Value) {
        match self.format {
            Format::Arrow => ("read-arrow", json!({})),
            Format::Parquet => ("read-parquet", json!({})),
            Format::Csv => {
                let types = self.columns.iter().map(|column| {
                    let type_name = column.kind.data_type().to_string().to_lowercase();
                    (column.name.to_owned(), type_name.into())
                });
                let types: serde_json::Map<String, serde_json::Value> = types.collect();
                ("read-csv", json!({ "types": types }))
            }
        }
    }

    /// The fields of the table that is read.
    pub(super) fn fields(&self) -> Vec<FieldRef> {
        let columns = self.columns.iter();
        let field = |column: &Column| {
            let nullable = column.nullable || self.format == Format::Csv;
            Field::new(column.name, column.kind.data_type(), nullable).into()
        };
        columns.map(field).collect()
    }

    /// The bytes of the file.
    pub(super) fn bytes(&self) -> Vec<u8> {
        let schema = Arc::new(Schema::new(self.fields()));
        let arrays = self.columns.iter().map(Column::array).collect();
        let batch = RecordBatch::try_new(Arc::clone(&schema), arrays).unwrap();
        let mut bytes = Vec::new();
        match self.format {
            Format::Arrow => {
                let mut writer = FileWriter::try_new(&mut bytes, &schema).unwrap();
                writer.write(&batch).unwrap();
                writer.finish().unwrap();
            }
            Format::Csv => arrow_csv::Writer::new(&mut bytes).write(&batch).unwrap(),
            Format::Parquet => {
                let mut writer = ArrowWriter::try_new(&mut bytes, schema, None).unwrap();
                writer.write(&batch).unwrap();
                writer.close().unwrap();
            }
        }
        bytes
    }

    /// The same with one column changed; none if the change changes nothing.
    pub(super) fn changed(
        &self,
        column: &str,
        change: Change,
        random: &mut Random,
    ) -> Option<Self> {
        let mut changed = self.clone();
        let found = changed
            .columns
            .iter_mut()
            .find(|other| other.name == column)?;
        let before = found.numbers.clone();
        found.change(change, random);
        (found.numbers != before).then_some(changed)
    }
}

impl Column {
    fn new(
        name: &'static str,
        kind: Kind,
        nullable: bool,
        rows: usize,
        random: &mut Random,
    ) -> Self {
        let mut column = Self {
            name,
            kind,
            nullable,
            numbers: vec![Some(0); rows],
        };
        if kind == Kind::Id {
            column.numbers = (0..).take(rows).map(Some).collect();
            return column;
        }
        column.change(Change::All, random);
        // What is in order already, or all the same, looks harmless.
        match random.below(8) {
            0 | 1 => column.change(Change::Sorted, random),
            2 => column.change(Change::Constant, random),
            _ => {}
        }
        column
    }

    fn number(&self, random: &mut Random) -> Option<i64> {
        let end = match self.kind {
            Kind::Boolean => 2,
            Kind::Text | Kind::Word => 4,
            Kind::Integer | Kind::Id => 6,
            Kind::Float => 14,
            Kind::Date | Kind::Time => 20,
        };
        let number = random.below(end) as i64;
        (!self.nullable || !random.chance(12)).then_some(number)
    }

    fn change(&mut self, change: Change, random: &mut Random) {
        let rows = self.numbers.len();
        if rows == 0 {
            return;
        }
        let at = random.below(rows);
        match change {
            Change::One => self.numbers[at] = self.number(random),
            Change::Far => self.numbers[at] = Some(FAR),
            Change::All => {
                for at in 0..rows {
                    self.numbers[at] = self.number(random);
                }
            }
            Change::Permuted => random.shuffle(&mut self.numbers),
            Change::Swapped => self.numbers.swap(at, (at + 1) % rows),
            Change::Sorted => self.numbers.sort(),
            Change::Constant => self.numbers = vec![self.numbers[at]; rows],
        }
    }

    fn array(&self) -> ArrayRef {
        let numbers = self.numbers.iter().copied();
        match self.kind {
            Kind::Id | Kind::Integer => Arc::new(numbers.collect::<Int64Array>()),
            Kind::Float => Arc::new(
                numbers
                    .map(|number| number.map(|number| number as f64 / 2.0 - 1.0))
                    .collect::<Float64Array>(),
            ),
            Kind::Boolean => Arc::new(
                numbers
                    .map(|number| number.map(|number| number & 1 == 1))
                    .collect::<BooleanArray>(),
            ),
            Kind::Text => Arc::new(
                numbers
                    .map(|number| number.map(|number| format!("t{number}")))
                    .collect::<StringArray>(),
            ),
            Kind::Date => Arc::new(
                numbers
                    .map(|number| number.map(|number| 19_800 + number as i32))
                    .collect::<Date32Array>(),
            ),
            Kind::Time => Arc::new(
                numbers
                    .map(|number| number.map(|number| 1_700_000_000_000 + number * 40_000_000))
                    .collect::<TimestampMillisecondArray>(),
            ),
            Kind::Word => {
                let words: Vec<Option<String>> = numbers
                    .map(|number| number.map(|number| format!("w{number}")))
                    .collect();
                let words = words.iter().map(|word| word.as_deref());
                Arc::new(words.collect::<DictionaryArray<Int32Type>>())
            }
        }
    }
}

impl Kind {
    fn data_type(self) -> DataType {
        match self {
            Self::Id | Self::Integer => DataType::Int64,
            Self::Float => DataType::Float64,
            Self::Text => DataType::Utf8,
            Self::Boolean => DataType::Boolean,
            Self::Date => DataType::Date32,
            Self::Time => DataType::Timestamp(TimeUnit::Millisecond, None),
            Self::Word => DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8)),
        }
    }
}

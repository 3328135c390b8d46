//! The columns of a file: their names, from its header, and their types, from its first records.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use arrow_array::{ArrayRef, make_array};
use arrow_schema::{ArrowError, DataType, Field};
use pinion_sdk::Blob;
use serde::{Deserialize, Serialize};

use crate::check::{Suspect, encoding, fields};
use crate::dialect::Dialect;
use crate::error::Place;
use crate::splitter::Splitter;
use crate::types;
use crate::window::Window;
use crate::{Error, Params};

const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

/// Bytes fetched at once to find the header, which is read again for every range.
const HEADER_FETCH_BYTES: u64 = 4 * 1024;

/// What the start of a file says.
pub(crate) struct Header {
    /// Names of all columns.
    pub(crate) names: Vec<String>,
    /// Where the records after the header start, and the line that is on.
    pub(crate) end: u64,
    pub(crate) line: u64,
}

impl Header {
    /// Reads the first record, of which there must be one unless the columns are named.
    ///
    /// # Errors
    /// - [`Error::Empty`], [`Error::Encoding`], [`Error::Duplicate`]: no header, or one that makes no table.
    /// - [`Error::Names`]: `names` that are not as many as the columns.
    pub(crate) fn read(params: &Params, dialect: &Dialect, bytes: &Blob) -> Result<Self, Error> {
        let first = First::read(dialect, bytes);
        let found = match &first.record {
            None => None,
            Some((record, line)) => {
                let row = (!params.header).then_some(1);
                let place = Place { row, line: *line };
                let names = params.names.as_deref().unwrap_or_default();
                if let Some(error) = encoding(dialect, record, place, names) {
                    return Err(error);
                }
                fields(dialect, record)
            }
        };
        let names = match (&params.names, found) {
            (None, None) => return Err(Error::Empty),
            (Some(names), Some(found)) if names.len() != found.len() => {
                return Err(Error::Names {
                    expected: found.len(),
                    found: names.len(),
                });
            }
            (Some(names), _) => names.clone(),
            (None, Some(found)) => (1..)
                .zip(found)
                .map(|(n, name)| {
                    if params.header && !name.is_empty() {
                        name
                    } else {
                        format!("column_{n}")
                    }
                })
                .collect(),
        };
        let mut known = BTreeSet::new();
        if let Some(column) = names.iter().find(|name| !known.insert(*name)) {
            return Err(Error::Duplicate {
                column: column.clone(),
            });
        }
        let (end, line) = if params.header {
            first.after
        } else {
            first.start
        };
        Ok(Self { names, end, line })
    }

    /// The positions of the columns `names`, in that order.
    pub(crate) fn positions<'a>(
        &self,
        names: impl IntoIterator<Item = &'a String>,
    ) -> Result<Vec<usize>, Error> {
        let places: BTreeMap<&String, usize> = self.names.iter().zip(0..).collect();
        let place = |name: &String| {
            let place = places.get(name).copied();
            place.ok_or_else(|| Error::NoColumn {
                column: name.clone(),
                found: self.names.clone(),
            })
        };
        names.into_iter().map(place).collect()
    }

    /// The fields of the table: types that `params` give, and inferred ones for the other columns.
    ///
    /// # Errors
    /// - [`Error::NoColumn`], [`Error::Type`]: types for columns that are not there, or that are none.
    /// - [`Error::Ragged`], [`Error::Encoding`]: records among those looked at that do not hold.
    pub(crate) fn infer(
        &self,
        params: &Params,
        dialect: &Dialect,
        bytes: &Blob,
    ) -> Result<Vec<Field>, Error> {
        let mut given = vec![None; self.names.len()];
        let positions = self.positions(params.types.keys())?;
        for ((column, name), position) in params.types.iter().zip(positions) {
            let unknown = || Error::Type {
                column: column.clone(),
                name: name.clone(),
            };
            given[position] = Some(types::parse(name).ok_or_else(unknown)?);
        }
        let inferred = if given.iter().all(Option::is_some) {
            Vec::new()
        } else {
            self.infer_types(params.infer_rows, dialect, bytes)?
        };
        let columns = self.names.iter().zip(given).enumerate();
        Ok(columns
            .map(|(position, (name, given))| {
                let inferred = || inferred.get(position).cloned().unwrap_or(DataType::Utf8);
                Field::new(name, given.unwrap_or_else(inferred), true)
            })
            .collect())
    }

    /// Types from the first `records` records: one for each column, or none if there are no records.
    fn infer_types(
        &self,
        records: u64,
        dialect: &Dialect,
        bytes: &Blob,
    ) -> Result<Vec<DataType>, Error> {
        let end = bytes.len();
        let suspect = Suspect {
            bytes,
            dialect,
            start: self.end,
            row: 1,
            line: self.line,
            end,
            names: &self.names,
            wanted: &[],
        };
        let window = Window::new(bytes, self.end, end).with_last_line_ended();
        let (schema, found) = dialect
            .format()
            .infer_schema(window, usize::try_from(records).ok())
            .map_err(|error| suspect.explain(error.to_string()))?;
        if found > 0 && schema.fields().len() != self.names.len() {
            return Err(suspect.explain("its records differ in length".to_owned()));
        }
        let types = schema.fields().iter().map(|field| match field.data_type() {
            // As a null column it would lose whatever comes after the records looked at.
            DataType::Null => DataType::Utf8,
            other => other.clone(),
        });
        Ok(types.collect())
    }
}

/// The first record of a file.
struct First {
    /// Its bytes, with what follows up to the next record, and the line it starts on.
    record: Option<(Vec<u8>, u64)>,
    /// Where it starts, or the file ends, and the line.
    start: (u64, u64),
    /// Where the next record starts, or the file ends, and the line.
    after: (u64, u64),
}

impl First {
    fn read(dialect: &Dialect, bytes: &Blob) -> Self {
        let marked = bytes.read(0, BYTE_ORDER_MARK.len() as u64) == BYTE_ORDER_MARK;
        let mut offset = if marked {
            BYTE_ORDER_MARK.len() as u64
        } else {
            0
        };
        let mut window = Window::new(bytes, offset, bytes.len()).fetching(HEADER_FETCH_BYTES);
        let mut splitter = Splitter::new(dialect, 1);
        let mut starts = Vec::new();
        let mut seen = Vec::new();
        while starts.len() < 2 {
            let Some(piece) = window.next_piece() else {
                break;
            };
            splitter.feed(&piece, |at, line| {
                if starts.len() < 2 {
                    starts.push((offset + at as u64, line));
                }
            });
            offset += piece.len() as u64;
            seen.extend(piece);
        }
        let end = (offset, starts.last().map_or(1, |(_, line)| *line));
        let (start, after) = match starts.as_slice() {
            [] => (end, end),
            [start] => (*start, end),
            [start, after, ..] => (*start, *after),
        };
        let before = offset - seen.len() as u64;
        let span = (start.0 - before) as usize..(after.0 - before) as usize;
        let record = seen.get(span).filter(|record| !record.is_empty());
        Self {
            record: record.map(|record| (record.to_vec(), start.1)),
            start,
            after,
        }
    }
}

/// What a range needs to be read alone. Displayed, it is the range's hint.
#[derive(Serialize, Deserialize)]
pub(crate) struct Hint {
    /// The row and the line that the range starts with, from 1, for messages.
    row: u64,
    line: u64,
    /// The types of all columns, which were inferred from other ranges.
    types: Vec<String>,
}

impl Hint {
    pub(crate) fn new(row: u64, line: u64, fields: &[Field]) -> Self {
        Self {
            row,
            line,
            types: fields
                .iter()
                .map(|field| types::name(field.data_type()))
                .collect(),
        }
    }

    /// The row and the line, and the fields of the table, if `hint` is one for a file with this header.
    pub(crate) fn parse(hint: &str, header: &Header) -> Option<(u64, u64, Vec<Field>)> {
        let hint: Self = serde_json::from_str(hint).ok()?;
        if hint.types.len() != header.names.len() {
            return None;
        }
        let fields = header.names.iter().zip(&hint.types);
        let fields =
            fields.map(|(name, data_type)| Some(Field::new(name, types::parse(data_type)?, true)));
        Some((hint.row, hint.line, fields.collect::<Option<_>>()?))
    }
}

impl fmt::Display for Hint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&serde_json::to_string(self).map_err(|_| fmt::Error)?)
    }
}

/// `values` as decoded, with the type of `field`, which differs at most in what a time zone is called.
pub(crate) fn relabel(values: &ArrayRef, field: &Field) -> Result<ArrayRef, ArrowError> {
    if values.data_type() == field.data_type() {
        return Ok(values.clone());
    }
    let data = values
        .to_data()
        .into_builder()
        .data_type(field.data_type().clone())
        .build()?;
    Ok(make_array(data))
}

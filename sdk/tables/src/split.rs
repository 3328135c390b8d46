//! Parts of a table for learning: how rows are hashed, and which part a hash falls into.
//!
//! A hash is XXH64 over the bytes of the key columns in turn. Of each, null is the byte `00`, and anything
//! else the byte `01` followed by:
//!
//! | values | bytes |
//! |---|---|
//! | booleans | `00` or `01` |
//! | integers of any width and sign | 16, little-endian two's complement |
//! | decimals | as an integer, in units of the last digit |
//! | dates and timestamps of any unit | as an integer, nanoseconds since 1970-01-01, of UTC if there is a zone |
//! | floats of any width | 8, the little-endian bits of a `float64`; zeros are `+0`, NaNs `7ff8000000000000` |
//! | text, bytes | 8, little-endian, their number; then UTF-8, or the bytes |
//!
//! So a key that is only stored otherwise, `int32` as `int64` for instance, keeps its hash. This is a
//! promise to data that was split before: it must not change.

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, BooleanArray};
use arrow_schema::DataType;
use pinion_sdk::{Batch, Descriptor, Error, Output, Result};
use pinion_values::Column;
use schemars::JsonSchema;
use serde::Deserialize;
use twox_hash::XxHash64;

/// The parts, which are output ports, in their order.
pub const PARTS: [&str; 3] = ["train", "validation", "test"];

/// The hashes of one more than all: a bound of parts.
const HASHES: u128 = 1 << 64;

/// How much of a table goes to each part.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Weights {
    /// Of `train`. 0 unless given.
    #[serde(default)]
    pub train: f64,
    /// Of `validation`. 0 unless given.
    #[serde(default)]
    pub validation: f64,
    /// Of `test`. 0 unless given.
    #[serde(default)]
    pub test: f64,
}

impl Weights {
    /// Where each part ends, in units of 2^-64 of the whole: the sum of the weights up to it, divided by
    /// the sum of all, as floats.
    ///
    /// # Errors
    /// `bad-params` for a weight that is negative or no number, or if fewer than two parts have one.
    pub fn ends(&self) -> Result<Ends> {
        let weights = [self.train, self.validation, self.test];
        for (part, weight) in PARTS.iter().zip(weights) {
            if !weight.is_finite() || weight < 0.0 {
                return Err(
                    Error::bad_params(format!("the weight of `{part}` is no share"))
                        .with("expected", "0 or more")
                        .with("found", weight),
                );
            }
        }
        if weights.iter().filter(|weight| **weight > 0.0).count() < 2 {
            return Err(
                Error::bad_params("fewer than two parts have a weight").with(
                    "expected",
                    "such as `weights = { train = 0.8, test = 0.2 }`",
                ),
            );
        }
        let total: f64 = weights.iter().sum();
        let mut sum = 0.0;
        let ends = weights.map(|weight| {
            sum += weight;
            (sum / total * HASHES as f64) as u128
        });
        Ok(Ends(ends))
    }
}

/// Where each part ends among all hashes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ends([u128; PARTS.len()]);

impl Ends {
    /// The part of a hash.
    #[must_use]
    pub fn part(&self, hash: u64) -> usize {
        self.part_at(hash.into(), 1)
    }

    /// The part at `place` of a whole of `of` times 2^64, which is at most 2^128.
    #[must_use]
    pub fn part_at(&self, place: u128, of: u64) -> usize {
        let mut ends = self.0.iter();
        let part = ends.position(|end| place < end * u128::from(of));
        // The last part that has a share ends with the whole.
        part.unwrap_or(PARTS.len() - 1)
    }

    /// The rows of a batch for each part, by the hashes of its rows.
    ///
    /// # Errors
    /// `bad-batch` if there are not as many hashes as rows.
    pub fn split(&self, rows: &Batch, hashes: &[u64]) -> Result<Vec<Output>> {
        let parts: Vec<usize> = hashes.iter().map(|hash| self.part(*hash)).collect();
        let output = |(part, name): (usize, &&str)| {
            let mask: BooleanArray = parts.iter().map(|of| Some(*of == part)).collect();
            Ok(Output::new(name, rows.filter(&mask)?))
        };
        PARTS.iter().enumerate().map(output).collect()
    }
}

/// Ends at hashes that are known: the first of the second part or one after it, and the first of the third.
impl From<[Option<u64>; PARTS.len() - 1]> for Ends {
    fn from(starts: [Option<u64>; PARTS.len() - 1]) -> Self {
        let [second, third] = starts.map(|start| start.map_or(HASHES, u128::from));
        Self([second, third, HASHES])
    }
}

/// Adds the output ports of a split.
#[must_use]
pub fn with_parts(descriptor: Descriptor) -> Descriptor {
    PARTS.iter().fold(descriptor, |descriptor, part| {
        descriptor
            .output(part, &format!("The rows of `{part}`, in their order."))
            .same_columns()
    })
}

/// The names of key columns.
///
/// # Errors
/// `bad-params` if there is none or one stands twice.
pub fn check_names(by: &[String]) -> Result<()> {
    if by.is_empty() {
        return Err(Error::bad_params("`by` names no column"));
    }
    match by
        .iter()
        .enumerate()
        .find(|(at, name)| by[..*at].contains(name))
    {
        Some((_, name)) => Err(Error::bad_params(format!(
            "`by` names column `{name}` twice"
        ))),
        None => Ok(()),
    }
}

/// The hash of a text, as a seed for [`hashes`].
#[must_use]
pub fn hash_text(text: &str) -> u64 {
    XxHash64::oneshot(0, text.as_bytes())
}

/// The hash of the columns `by` in every row.
///
/// # Errors
/// `missing-column`, or `wrong-type` for a column that cannot be hashed.
pub fn hashes(rows: &Batch, by: &[String], seed: u64) -> Result<Vec<u64>> {
    let arrays: Vec<ArrayRef> = by
        .iter()
        .map(|name| rows.array(name))
        .collect::<Result<_>>()?;
    let columns = by.iter().zip(&arrays);
    let columns = columns
        .map(|(name, array)| Hashed::new(name, array))
        .collect::<Result<Vec<_>>>()?;
    let mut bytes = Vec::new();
    Ok((0..rows.rows() as usize)
        .map(|row| {
            bytes.clear();
            for column in &columns {
                column.write(row, &mut bytes);
            }
            XxHash64::oneshot(seed, &bytes)
        })
        .collect())
}

/// Refuses a column that cannot be hashed.
///
/// # Errors
/// `wrong-type`.
pub fn check(name: &str, data_type: &DataType) -> Result<()> {
    Hashed::new(name, &arrow_array::new_empty_array(data_type)).map(drop)
}

/// The values of a column, as they are hashed.
enum Hashed<'a> {
    Values(Column<'a>),
    Bytes(Box<dyn Fn(usize) -> Option<&'a [u8]> + 'a>),
}

impl<'a> Hashed<'a> {
    fn new(name: &str, array: &'a dyn Array) -> Result<Self> {
        macro_rules! bytes {
            ($array:expr) => {{
                let array = $array;
                Self::Bytes(Box::new(move |row| {
                    array.is_valid(row).then(|| array.value(row))
                }))
            }};
        }
        Ok(match array.data_type() {
            DataType::Binary => bytes!(array.as_binary::<i32>()),
            DataType::LargeBinary => bytes!(array.as_binary::<i64>()),
            DataType::FixedSizeBinary(_) => bytes!(array.as_fixed_size_binary()),
            _ => {
                let expected = "booleans, numbers, text, bytes, dates or timestamps";
                let wrong = |_| Error::wrong_type(name, expected, array.data_type());
                Self::Values(Column::new(name, array).map_err(wrong)?)
            }
        })
    }

    fn write(&self, row: usize, to: &mut Vec<u8>) {
        let start = to.len();
        to.push(1);
        let is_valid = match self {
            Self::Values(column) => column.value(row).map(|value| value.encode(to)).is_some(),
            Self::Bytes(value) => value(row)
                .map(|value| {
                    to.extend((value.len() as u64).to_le_bytes());
                    to.extend(value);
                })
                .is_some(),
        };
        if !is_valid {
            to.truncate(start);
            to.push(0);
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::sync::Arc;

    use arrow_array::{
        BinaryArray, BooleanArray, Date32Array, Float32Array, Float64Array, Int8Array, Int64Array,
        NullArray, RecordBatch, StringArray, TimestampSecondArray,
    };

    use super::*;

    fn hash(array: impl Array + 'static) -> Result<Vec<u64>> {
        let array: ArrayRef = Arc::new(array);
        let batch = RecordBatch::try_from_iter_with_nullable([("x", array, true)]).unwrap();
        hashes(&batch.into(), &["x".to_owned()], 7)
    }

    /// What the module promises of the bytes, spelled out. XXH64 itself is tested where it comes from.
    #[test]
    fn bytes_are_as_promised() {
        let of = |bytes: &[u8]| vec![XxHash64::oneshot(7, bytes)];
        let int = |value: i128| [vec![1], value.to_le_bytes().to_vec()].concat();
        assert_eq!(hash(Int8Array::from(vec![None])).unwrap(), of(&[0]));
        assert_eq!(hash(BooleanArray::from(vec![true])).unwrap(), of(&[1, 1]));
        for hashes in [
            hash(Int8Array::from(vec![-3])),
            hash(Int64Array::from(vec![-3])),
        ] {
            assert_eq!(hashes.unwrap(), of(&int(-3)));
        }
        let day = 86_400_000_000_000;
        for hashes in [
            hash(Date32Array::from(vec![2])),
            hash(TimestampSecondArray::from(vec![172_800])),
        ] {
            assert_eq!(hashes.unwrap(), of(&int(2 * day)));
        }
        for hashes in [
            hash(Float64Array::from(vec![-0.0])),
            hash(Float32Array::from(vec![0.0])),
        ] {
            assert_eq!(hashes.unwrap(), of(&[1, 0, 0, 0, 0, 0, 0, 0, 0]));
        }
        let nan = of(&[1, 0, 0, 0, 0, 0, 0, 0xf8, 0x7f]);
        assert_eq!(hash(Float64Array::from(vec![-f64::NAN])).unwrap(), nan);
        let text = of(&[1, 2, 0, 0, 0, 0, 0, 0, 0, 0xc3, 0xa9]);
        assert_eq!(hash(StringArray::from(vec!["é"])).unwrap(), text);
        let bytes: BinaryArray = vec![Some("é".as_bytes())].into_iter().collect();
        assert_eq!(hash(bytes).unwrap(), text);
        assert_eq!(hash(NullArray::new(1)).unwrap_err().code, "wrong-type");
    }

    #[test]
    fn parts_are_as_large_as_their_weights() {
        let weights = |train, validation, test| Weights {
            train,
            validation,
            test,
        };
        let ends = weights(6.0, 1.0, 1.0).ends().unwrap();
        assert_eq!(ends, Ends([3 << 62, 7 << 61, HASHES]));
        assert_eq!(ends.part(0), 0);
        assert_eq!(ends.part((3 << 62) - 1), 0);
        assert_eq!(ends.part(3 << 62), 1);
        assert_eq!(ends.part(u64::MAX), 2);
        // A part without a weight has no hash, wherever it stands.
        assert_eq!(weights(0.0, 1.0, 1.0).ends().unwrap().part(0), 1);
        assert_eq!(weights(0.1, 0.7, 0.0).ends().unwrap().part(u64::MAX), 1);
        for bad in [
            weights(1.0, 0.0, 0.0),
            weights(-1.0, 2.0, 2.0),
            weights(f64::NAN, 2.0, 2.0),
            weights(f64::INFINITY, 2.0, 2.0),
        ] {
            assert_eq!(bad.ends().unwrap_err().code, "bad-params", "{bad:?}");
        }
    }
}

//! The rows of one partition, read and checked, as columns of numbers.

use std::ops::Range;

use arrow_array::{Array, Float64Array, Int32Array};
use pinion_models::{codes, gather, gather_finite, gather_weights, width};
use pinion_sdk::{Error, Result, Table};
use serde::{Deserialize, Serialize};

use crate::Params;

/// Coefficients that a fit may have at most: what has to be held grows with their square.
const MOST_COEFFICIENTS: u64 = 8192;

/// Which coefficients there are: one for each numeric feature, then one for each category of each
/// categorical feature. The target is the column after the last.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Layout {
    pub(crate) numeric: usize,
    /// Categories of each categorical feature.
    pub(crate) widths: Vec<usize>,
}

impl Layout {
    /// Number of coefficients.
    pub(crate) fn coefficients(&self) -> usize {
        self.numeric + self.widths.iter().sum::<usize>()
    }

    /// The positions of each categorical feature's coefficients.
    pub(crate) fn categorical(&self) -> impl Iterator<Item = Range<usize>> {
        self.widths.iter().scan(self.numeric, |start, width| {
            let block = *start..*start + width;
            *start = block.end;
            Some(block)
        })
    }

    /// With room for the categories of either.
    pub(crate) fn union(&self, other: &Self) -> Self {
        let widths = self.widths.iter().zip(&other.widths);
        Layout {
            numeric: self.numeric,
            widths: widths.map(|(left, right)| *left.max(right)).collect(),
        }
    }

    /// Where the columns of this layout, the target included, stand in `wider`.
    pub(crate) fn positions_in(&self, wider: &Self) -> Vec<usize> {
        let categorical = self.categorical().zip(wider.categorical());
        let categorical = categorical.flat_map(|(here, there)| there.take(here.len()));
        (0..self.numeric)
            .chain(categorical)
            .chain([wider.coefficients()])
            .collect()
    }

    /// Refuses more coefficients than can be fitted.
    pub(crate) fn check(&self) -> Result<()> {
        let found = self.coefficients() as u64;
        if found <= MOST_COEFFICIENTS {
            return Ok(());
        }
        Err(
            Error::bad_data("there are more coefficients than can be fitted")
                .with("expected", format!("at most {MOST_COEFFICIENTS}"))
                .with("found", found)
                .with(
                    "hint",
                    "take the codes from `std:transform`, and leave out columns of many categories",
                ),
        )
    }
}

/// Rows to fit on; no nulls but in `codes`.
pub(crate) struct Records {
    target: Float64Array,
    numeric: Vec<Float64Array>,
    /// A null code is a row without a category.
    codes: Vec<Int32Array>,
    weights: Option<Float64Array>,
    pub(crate) layout: Layout,
}

impl Records {
    /// The rows of one partition; `known` are the widths that an encoder told.
    pub(crate) fn read(params: &Params, known: &[Option<u64>], rows: &Table) -> Result<Self> {
        let codes = params
            .categorical
            .iter()
            .map(|column| gather(rows, column, codes))
            .collect::<Result<Vec<_>>>()?;
        let widths = params.categorical.iter().zip(&codes).zip(known);
        let widths = widths.map(|((column, codes), known)| {
            // More than fits is refused all the same.
            Ok(usize::try_from(width(column, codes, *known)?).unwrap_or(usize::MAX / 2))
        });
        let layout = Layout {
            numeric: params.features.len(),
            widths: widths.collect::<Result<_>>()?,
        };
        layout.check()?;
        let weights = params.sample_weight.as_ref();
        Ok(Records {
            target: gather_finite(rows, &params.target)?,
            numeric: params
                .features
                .iter()
                .map(|column| gather_finite(rows, column))
                .collect::<Result<_>>()?,
            codes,
            weights: weights
                .map(|column| gather_weights(rows, column))
                .transpose()?,
            layout,
        })
    }

    /// Number of rows.
    pub(crate) fn rows(&self) -> usize {
        self.target.len()
    }

    /// The weight of a row.
    pub(crate) fn weight(&self, row: usize) -> f64 {
        self.weights
            .as_ref()
            .map_or(1.0, |weights| weights.value(row))
    }

    /// Puts the values that column `index` of the layout has in `rows` into `values`, in place of what it holds.
    pub(crate) fn column(&self, index: usize, rows: Range<usize>, values: &mut Vec<f64>) {
        values.clear();
        if let Some(numbers) = self.numeric.get(index) {
            values.extend_from_slice(&numbers.values()[rows]);
            return;
        }
        let mut categorical = self.layout.categorical().zip(&self.codes);
        match categorical.find(|(block, _)| block.contains(&index)) {
            Some((block, codes)) => {
                let code = (index - block.start) as i32;
                values.extend(rows.map(|row| {
                    let is_one = codes.is_valid(row) && codes.value(row) == code;
                    if is_one { 1.0 } else { 0.0 }
                }));
            }
            None => values.extend_from_slice(&self.target.values()[rows]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layouts_with_more_categories_hold_those_with_fewer() {
        let of = |widths: [usize; 2]| Layout {
            numeric: 1,
            widths: widths.to_vec(),
        };
        let (left, right) = (of([2, 3]), of([4, 0]));
        let both = left.union(&right);
        assert_eq!(both, of([4, 3]));
        assert_eq!(left.positions_in(&both), [0, 1, 2, 5, 6, 7, 8]);
        assert_eq!(right.positions_in(&both), [0, 1, 2, 3, 4, 8]);
        assert!(of([8000, 191]).check().is_ok());
        assert!(of([8000, 192]).check().is_err());
    }
}

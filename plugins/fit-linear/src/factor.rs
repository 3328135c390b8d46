//! What a fit has to know of some rows, mergeable.

use pinion_models::Mean;
use serde::{Deserialize, Serialize};

use crate::records::{Layout, Records};
use crate::triangle::Triangle;

/// Rows that are factorised at once: their columns stay in the processor's cache.
const BLOCK_ROWS: usize = 256;

/// Means of all columns, the target's last, and the triangular factor of the deviations from them, each row
/// times the root of its weight. Without an intercept there are no means, and the factor is of the values.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Factor {
    pub(crate) rows: u64,
    pub(crate) weight: f64,
    pub(crate) layout: Layout,
    pub(crate) means: Option<Vec<Mean>>,
    pub(crate) triangle: Triangle,
}

impl Factor {
    /// Of the rows of one partition.
    pub(crate) fn of(records: &Records, fit_intercept: bool) -> Self {
        let rows = records.rows();
        let layout = records.layout.clone();
        let columns = layout.coefficients() + 1;
        let mut values = Vec::with_capacity(rows);
        let mut mean = |index| {
            records.column(index, 0..rows, &mut values);
            let values = values.iter().enumerate();
            Mean::of(values.map(|(row, value)| (*value, records.weight(row))))
        };
        // Weights are added up in the same way whatever the column is.
        let target = mean(columns - 1);
        let weight = target.weight();
        let means: Option<Vec<Mean>> = fit_intercept.then(|| {
            let features = (0..columns - 1).map(&mut mean);
            features.chain([target]).collect()
        });
        let mut triangle = Triangle::new(columns);
        let mut block = Vec::with_capacity(BLOCK_ROWS * columns);
        for first in (0..rows).step_by(BLOCK_ROWS) {
            let rows = first..rows.min(first + BLOCK_ROWS);
            block.clear();
            for index in 0..columns {
                records.column(index, rows.clone(), &mut values);
                let mean = means.as_ref().map(|means| means[index]).unwrap_or_default();
                let values = rows.clone().zip(&values);
                block.extend(values.map(|(row, value)| {
                    // A row without a weight may be anywhere: not even its rounding counts.
                    match records.weight(row) {
                        1.0 => mean.deviation(*value),
                        0.0 => 0.0,
                        weight => mean.deviation(*value) * weight.sqrt(),
                    }
                }));
            }
            triangle.add(&mut block, rows.len());
        }
        Factor {
            rows: rows as u64,
            weight,
            layout,
            means,
            triangle,
        }
    }

    /// Of these rows and then those.
    pub(crate) fn merge(self, other: Self) -> Self {
        let layout = self.layout.union(&other.layout);
        let (left, right) = (self.widened(&layout), other.widened(&layout));
        let columns = left.triangle.size();
        let mut triangle = left.triangle;
        let mut block = right.triangle.block(1);
        let means = match (left.means, right.means) {
            (Some(left), Some(right)) => {
                // The way from mean to mean is one more row.
                let merged = left.into_iter().zip(right).enumerate();
                let merged = merged.map(|(index, (left, right))| {
                    let (mean, gap) = left.merge(right);
                    block[index * (columns + 1) + columns] = gap.distance * gap.weight.sqrt();
                    mean
                });
                Some(merged.collect())
            }
            _ => None,
        };
        triangle.add(&mut block, columns + 1);
        Factor {
            rows: left.rows + right.rows,
            weight: left.weight + right.weight,
            layout,
            means,
            triangle,
        }
    }

    /// With columns for all categories of `layout`, which are zero in all rows.
    fn widened(self, layout: &Layout) -> Self {
        if self.layout == *layout {
            return self;
        }
        let positions = self.layout.positions_in(layout);
        let columns = layout.coefficients() + 1;
        let means = self.means.map(|means| {
            // The mean of zeros has the weight of the rows.
            let mut wider = vec![Mean::of([(0.0, self.weight)].into_iter()); columns];
            for (mean, position) in means.into_iter().zip(&positions) {
                wider[*position] = mean;
            }
            wider
        });
        Factor {
            means,
            triangle: self.triangle.spread(&positions, columns),
            layout: layout.clone(),
            ..self
        }
    }
}

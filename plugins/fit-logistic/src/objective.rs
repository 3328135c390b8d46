//! The objective of the fit, with its gradient and Hessian, over some rows.

use std::ops::Range;

use arrow_array::Array;
use pinion_models::Sum;
use serde::{Deserialize, Serialize};

use crate::cholesky::row_start;
use crate::records::Records;

/// Where each coefficient stands: numeric features, then a run for each categorical one, then the intercept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Layout {
    pub(crate) numeric: usize,
    /// Categories of each categorical feature.
    pub(crate) widths: Vec<usize>,
}

impl Layout {
    /// The number of coefficients, the intercept included.
    pub(crate) fn len(&self) -> usize {
        self.intercept() + 1
    }

    /// The position of the intercept.
    pub(crate) fn intercept(&self) -> usize {
        self.numeric + self.widths.iter().sum::<usize>()
    }

    /// The positions of each categorical feature's coefficients.
    pub(crate) fn categorical(&self) -> impl Iterator<Item = Range<usize>> {
        self.widths.iter().scan(self.numeric, |start, width| {
            let range = *start..*start + width;
            *start = range.end;
            Some(range)
        })
    }
}

/// The log loss of some rows as a function of the coefficients: value, gradient and Hessian at one point.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Loss {
    pub(crate) value: Sum,
    /// Decides where the optimum lies, so it is compensated; the Hessian only decides how to get there.
    pub(crate) gradient: Vec<Sum>,
    /// Packed lower triangle.
    pub(crate) hessian: Vec<f64>,
}

impl Loss {
    /// The sum over `records` of `log(1 + exp(z)) - y z`, where `z` are the log-odds.
    ///
    /// `None` if a code lies outside the layout. The one-hot columns are never built: a row touches the
    /// coefficients of its numeric features, of its own categories and the intercept, and no others.
    pub(crate) fn at(coefficients: &[f64], layout: &Layout, records: &Records) -> Option<Self> {
        let size = layout.len();
        let intercept = layout.intercept();
        let blocks: Vec<Range<usize>> = layout.categorical().collect();
        let mut loss = Loss {
            value: Sum::default(),
            gradient: vec![Sum::default(); size],
            hessian: vec![0.0; row_start(size)],
        };
        let mut x = vec![0.0; layout.numeric];
        // Positions of the ones in this row, ascending; the intercept is the last.
        let mut ones: Vec<usize> = Vec::with_capacity(blocks.len() + 1);
        for row in 0..records.target.len() {
            ones.clear();
            for (codes, block) in records.codes.iter().zip(&blocks) {
                if codes.is_valid(row) {
                    let position = block.start + usize::try_from(codes.value(row)).ok()?;
                    if !block.contains(&position) {
                        return None;
                    }
                    ones.push(position);
                }
            }
            ones.push(intercept);
            let mut log_odds = 0.0;
            for ((value, column), coefficient) in
                x.iter_mut().zip(&records.numeric).zip(coefficients)
            {
                *value = column.value(row);
                log_odds += *value * coefficient;
            }
            for one in &ones {
                log_odds += coefficients[*one];
            }

            // exp of a negative number only, so nothing overflows and nothing cancels.
            let odds = libm::exp(-log_odds.abs());
            let minor = odds / (1.0 + odds);
            let major = 1.0 / (1.0 + odds);
            let positive = records.target.value(row);
            let agrees = positive == (log_odds >= 0.0);
            let miss = if agrees { minor } else { major };
            let residual = if positive { -miss } else { miss };
            let weight = minor * major;
            loss.value.add(libm::log1p(odds));
            if !agrees {
                loss.value.add(log_odds.abs());
            }

            for (value, sum) in x.iter().zip(&mut loss.gradient) {
                sum.add(residual * value);
            }
            for (i, value) in x.iter().enumerate() {
                let weighted = weight * value;
                let line = &mut loss.hessian[row_start(i)..=row_start(i) + i];
                for (entry, other) in line.iter_mut().zip(&x) {
                    *entry += weighted * other;
                }
            }
            for (k, one) in ones.iter().enumerate() {
                loss.gradient[*one].add(residual);
                let line = &mut loss.hessian[row_start(*one)..=row_start(*one) + *one];
                for (entry, other) in line.iter_mut().zip(&x) {
                    *entry += weight * other;
                }
                for other in &ones[..=k] {
                    line[*other] += weight;
                }
            }
        }
        Some(loss)
    }

    /// Of these rows and then those.
    pub(crate) fn merge(mut self, other: Loss) -> Loss {
        self.value.merge(other.value);
        for (left, right) in self.gradient.iter_mut().zip(other.gradient) {
            left.merge(right);
        }
        for (left, right) in self.hessian.iter_mut().zip(other.hessian) {
            *left += right;
        }
        self
    }
}

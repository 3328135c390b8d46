//! Newton's method with step halving, one pass over the rows at a time.

use serde::{Deserialize, Serialize};

use crate::cholesky::{row_start, solve};
use crate::objective::{Layout, Loss};

/// Where the search stands between two passes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Newton {
    /// The point to evaluate next.
    pub(crate) candidate: Vec<f64>,
    /// The best point so far and where it leads; none before the first evaluation.
    base: Option<Base>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Base {
    coefficients: Vec<f64>,
    objective: f64,
    gradient_norm: f64,
    direction: Vec<f64>,
    decrement: f64,
    step: f64,
}

/// What one evaluation led to.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Progress {
    /// There is a new candidate to evaluate. The norm is that of the best point so far.
    Continue { next: Newton, gradient_norm: f64 },
    /// The candidate that was evaluated is the optimum.
    Converged(Optimum),
    /// The Hessian is not positive definite: columns are collinear to within rounding.
    Singular,
    /// No step in the Newton direction lowers the objective.
    Stuck { gradient_norm: f64 },
}

/// The solution, and figures of the objective there.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Optimum {
    pub(crate) coefficients: Vec<f64>,
    pub(crate) objective: f64,
    pub(crate) gradient_norm: f64,
}

impl Newton {
    /// Starts where all coefficients are zero and the intercept is the log-odds of the target.
    pub(crate) fn new(layout: &Layout, rows: u64, positives: u64) -> Self {
        let mut candidate = vec![0.0; layout.len()];
        candidate[layout.intercept()] = libm::log(positives as f64 / (rows - positives) as f64);
        Newton {
            candidate,
            base: None,
        }
    }

    /// Takes in the loss at the candidate.
    ///
    /// The objective is `|w|^2 / 2 + c * loss`, the intercept not being part of `w`. The search is over
    /// when the Newton decrement `sqrt(g' H^-1 g)` is at most `tolerance`. It does not depend on the
    /// units of the features, bounds the distance of `w` to the optimum where the Hessian hardly changes,
    /// and half its square estimates what the objective is above its minimum.
    pub(crate) fn advance(
        self,
        mut loss: Loss,
        layout: &Layout,
        c: f64,
        tolerance: f64,
    ) -> Progress {
        let intercept = layout.intercept();
        let weights = &self.candidate[..intercept];
        let objective = weights.iter().map(|w| w * w).sum::<f64>() / 2.0 + c * loss.value.value();
        if let Some(base) = self.base {
            // Armijo's rule, with slack for the rounding of the objective: near the optimum the decrease
            // to be expected is smaller than that.
            let slack = 16.0 * f64::EPSILON * base.objective.abs();
            let enough =
                base.objective - 1e-4 * base.step * base.decrement * base.decrement + slack;
            if objective.is_nan() || objective > enough {
                return base.halve();
            }
        }
        let gradient: Vec<f64> = loss
            .gradient
            .iter()
            .enumerate()
            .map(|(i, sum)| c * sum.value() + weights.get(i).copied().unwrap_or(0.0))
            .collect();
        loss.hessian.iter_mut().for_each(|entry| *entry *= c);
        for i in 0..intercept {
            loss.hessian[row_start(i) + i] += 1.0;
        }
        let mut direction = gradient.clone();
        if solve(&mut loss.hessian, &mut direction).is_none() {
            return Progress::Singular;
        }
        let decrement = gradient
            .iter()
            .zip(&direction)
            .map(|(g, d)| g * d)
            .sum::<f64>()
            .max(0.0)
            .sqrt();
        let gradient_norm = gradient.iter().map(|g| g * g).sum::<f64>().sqrt();
        if decrement <= tolerance {
            return Progress::Converged(Optimum {
                coefficients: self.candidate,
                objective,
                gradient_norm,
            });
        }
        let base = Base {
            coefficients: self.candidate,
            objective,
            gradient_norm,
            direction,
            decrement,
            step: 1.0,
        };
        base.next()
    }
}

impl Base {
    fn next(self) -> Progress {
        let candidate = self
            .coefficients
            .iter()
            .zip(&self.direction)
            .map(|(w, d)| w - self.step * d)
            .collect();
        Progress::Continue {
            gradient_norm: self.gradient_norm,
            next: Newton {
                candidate,
                base: Some(self),
            },
        }
    }

    fn halve(mut self) -> Progress {
        self.step /= 2.0;
        // 2^-30: the direction is no descent direction but for rounding.
        if self.step < 1e-9 {
            Progress::Stuck {
                gradient_norm: self.gradient_norm,
            }
        } else {
            self.next()
        }
    }
}

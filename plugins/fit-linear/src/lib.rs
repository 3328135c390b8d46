//! Fits a linear regression: ordinary least squares, or ridge with a penalty.
//!
//! | port | kind | what |
//! |---|---|---|
//! | in `rows` | table | `target`, `features` and `sample_weight` numbers, `categorical` codes; no missing values but codes |
//! | in `encoder` | blob, optional | from `std:fit-encoder`: how many categories each categorical column has |
//! | out `model` | blob | coefficients in units of the target, and how the fit went; for `std:predict` |
//!
//! Minimises `(sum of weight * squared error) + alpha * |coefficients|^2` with the intercept free, as
//! scikit-learn's `LinearRegression` (`alpha = 0`) and `Ridge` do. A categorical column of width `k` stands for
//! `k` columns of zeros and ones, none of them dropped.
//!
//! **How.** One round. Each partition centres its columns on their means and factorises the rest by Householder
//! reflections; the triangles of two partitions are factorised once more, with the way between their means as
//! one more row (TSQR: Demmel, Grigori, Hoemmen and Langou, "Communication-optimal parallel and sequential QR and
//! LU factorizations", SIAM J. Sci. Comput. 34, 2012). Normal equations would be half the work and lose twice the
//! digits: on NIST's polynomial of degree ten they find nothing, and this seven digits.
//!
//! **Collinear features.** A column that depends on others to within rounding, which is `max(rows, coefficients) *
//! sqrt(coefficients) * 2.2e-16` of its own spread, leaves the solution open; then the shortest coefficients of all
//! that fit equally well are taken, as in scikit-learn, and the model's `rank` is less than their number. So it is
//! with every categorical column without null codes if there is an intercept and no penalty, and with fewer rows than
//! coefficients. A constant column gets coefficient 0.
//!
//! Missing and infinite values are errors, and so are rows whose weights add up to 0. Holds the columns of one
//! partition and `4 * n_coefficients^2` bytes for each partial, and takes `2 * n_rows * n_coefficients^2`
//! operations.

mod factor;
mod records;
mod reflect;
mod solve;
mod triangle;

use pinion_models::{
    CategoricalFeature, Encoder, Linear, LinearFit, Mean, Model, NumericFeature, Sum, check_code,
    check_features, check_number, known_widths,
};
use pinion_sdk::{Descriptor, Error, Inputs, Outputs, Reduce, Result, Round, Shape, Shapes, Table};
use serde::{Deserialize, Serialize};

use crate::factor::Factor;
use crate::records::Records;
use crate::solve::{Solution, solve};

/// The step.
#[derive(Debug)]
pub struct FitLinear;

/// What the pipeline file gives under `params`.
#[derive(Debug, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Params {
    /// The column to learn: numbers.
    target: String,
    /// Columns of numbers.
    #[serde(default)]
    features: Vec<String>,
    /// Columns of category codes, as `std:transform` makes them. A null code is no category.
    #[serde(default)]
    categorical: Vec<String>,
    /// A column of weights of at least 0. Unless given, each row has weight 1.
    #[serde(default)]
    sample_weight: Option<String>,
    /// Strength of the penalty, at least 0: the larger, the closer to zero the coefficients. 0 unless given, which
    /// is ordinary least squares.
    #[serde(default)]
    alpha: f64,
    /// Whether to fit the target where every feature is zero, rather than take it as zero.
    #[serde(default = "default_fit_intercept")]
    fit_intercept: bool,
}

fn default_fit_intercept() -> bool {
    true
}

/// What the round starts from, and what it ends with.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum State {
    /// Widths of the categorical columns, none where no encoder tells them.
    Widths(Vec<Option<u64>>),
    /// What is known of all rows.
    Done(Factor),
}

impl Reduce for FitLinear {
    type Params = Params;
    type State = State;
    type Partial = Factor;
    type Carry = ();

    fn describe() -> Descriptor {
        Descriptor::new(
            "Fits a linear regression: ordinary least squares, or ridge with a penalty.",
        )
        .input(
            "rows",
            "The target, the features and the weights, without missing values; codes may be null.",
        )
        .side_blob(
            "encoder",
            &[Encoder::MEDIA_TYPE],
            "How many categories each categorical column has.",
        )
        .optional()
        .output_blob(
            "model",
            Linear::MEDIA_TYPE,
            "Coefficients, and how the fit went.",
        )
    }

    fn check(params: Params, inputs: &Shapes) -> Result<Vec<Shape>> {
        let rows = inputs.table("rows")?;
        let numbers = [&params.target].into_iter().chain(&params.features);
        for column in numbers.chain(&params.sample_weight) {
            check_number(rows.field(column)?)?;
        }
        for column in &params.categorical {
            check_code(rows.field(column)?)?;
        }
        if !params.alpha.is_finite() || params.alpha < 0.0 {
            return Err(Error::bad_params("`alpha` must be a number of at least 0")
                .with("found", params.alpha));
        }
        check_features(&params.target, &params.features, &params.categorical)?;
        Ok(vec![Shape::blob("model", Linear::MEDIA_TYPE)])
    }

    fn init(params: &Params, side: &Inputs) -> Result<State> {
        Ok(State::Widths(known_widths(side, &params.categorical)?))
    }

    fn partial(
        params: &Params,
        _round: u32,
        state: &State,
        _carry: (),
        rows: &Table,
    ) -> Result<(Factor, ())> {
        let State::Widths(known) = state else {
            return Err(Error::new(
                "bad-host",
                "`partial` was called after the last round",
            ));
        };
        let records = Records::read(params, known, rows)?;
        Ok((Factor::of(&records, params.fit_intercept), ()))
    }

    fn merge(_params: &Params, left: Factor, right: Factor) -> Result<Factor> {
        left.layout.union(&right.layout).check()?;
        Ok(left.merge(right))
    }

    fn update(
        _params: &Params,
        _round: u32,
        _state: State,
        merged: Option<Factor>,
    ) -> Result<Round<State>> {
        match merged {
            Some(factor) if factor.rows > 0 => Ok(Round::Done(State::Done(factor))),
            _ => Err(Error::new("no-values", "there is no row to fit on")),
        }
    }

    fn finish(params: &Params, state: State, outputs: &mut Outputs) -> Result<()> {
        let State::Done(factor) = state else {
            return Err(Error::new(
                "bad-host",
                "`finish` was called before the last round",
            ));
        };
        outputs
            .blob("model")?
            .write(&model(params, &factor)?.to_bytes()?)
    }
}

pinion_sdk::export!(FitLinear: Reduce);

/// The model that these rows give.
fn model(params: &Params, factor: &Factor) -> Result<Linear> {
    if factor.weight == 0.0 {
        let column = params.sample_weight.as_deref().unwrap_or_default();
        let message = format!("the weights in column `{column}` add up to 0");
        return Err(Error::new("no-values", message)
            .with("column", column)
            .with("rows", factor.rows));
    }
    let count = factor.layout.coefficients();
    let tolerance = f64::EPSILON * factor.rows.max(count as u64) as f64 * (count as f64).sqrt();
    let Solution {
        coefficients,
        rank,
        squared_error,
    } = solve(&factor.triangle, params.alpha, tolerance);
    let squares = coefficients
        .iter()
        .map(|coefficient| coefficient * coefficient);
    let objective = squared_error + params.alpha * squares.sum::<f64>();
    let intercept = match &factor.means {
        Some(means) => intercept(means, &coefficients),
        None => 0.0,
    };
    let figures = coefficients.iter().chain([&intercept, &objective]);
    if !figures.copied().all(f64::is_finite) {
        return Err(Error::new(
            "not-finite",
            "the target or the features are too large to add up",
        )
        .with("hint", "scale the features with `std:fit-scaler`"));
    }
    let categorical = params.categorical.iter().zip(factor.layout.categorical());
    Ok(Linear {
        categorical: categorical
            .map(|(column, block)| CategoricalFeature {
                coefficients: coefficients[block].to_vec(),
                column: column.clone(),
            })
            .collect(),
        fit: LinearFit {
            alpha: params.alpha,
            fit_intercept: params.fit_intercept,
            objective,
            rank: rank as u64,
            rows: factor.rows,
            weight: factor.weight,
        },
        intercept,
        numeric: NumericFeature::all(&params.features, &coefficients),
        target: params.target.clone(),
    })
}

/// The target's mean, less what the coefficients make of the features' means.
fn intercept(means: &[Mean], coefficients: &[f64]) -> f64 {
    let features = coefficients.iter().zip(means);
    let features = features.map(|(coefficient, mean)| -coefficient * mean.value());
    let target = means.last().map(|mean| mean.value());
    target.into_iter().chain(features).collect::<Sum>().value()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests;

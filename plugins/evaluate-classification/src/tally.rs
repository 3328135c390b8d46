//! What is counted over the rows of one slice, mergeable, and the metrics it gives.

use pinion_models::Sum;
use serde::{Deserialize, Serialize};

/// Counts, losses and scores of some rows.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Tally {
    true_positives: u64,
    false_positives: u64,
    true_negatives: u64,
    false_negatives: u64,
    log_loss: Sum,
    /// Sum of squared differences between probability and outcome.
    squares: Sum,
    scores: Vec<Score>,
}

/// The rows that were given one probability. Runs are in ascending order of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Score {
    /// The bits of the probability, which sort as it does: it is not negative.
    bits: u64,
    positives: u64,
    negatives: u64,
}

/// Figures of one slice; none where a figure is not defined.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Metrics {
    pub(crate) rows: u64,
    pub(crate) positives: u64,
    /// Share of rows whose prediction is the outcome.
    pub(crate) accuracy: Option<f64>,
    /// Share of positives among predicted positives.
    pub(crate) precision: Option<f64>,
    /// Share of predicted positives among positives, also called the true positive rate.
    pub(crate) recall: Option<f64>,
    /// Harmonic mean of precision and recall, as `2 tp / (2 tp + fp + fn)`.
    pub(crate) f1: Option<f64>,
    /// Mean of `-ln` of the probability that was given to the outcome, in nats.
    pub(crate) log_loss: Option<f64>,
    /// Mean squared difference between probability and outcome.
    pub(crate) brier: Option<f64>,
    /// Area under the receiver operating characteristic: how often a positive scores above a negative, ties half.
    pub(crate) auc: Option<f64>,
    /// Share of predicted positives among all rows.
    pub(crate) selection_rate: Option<f64>,
    /// Share of predicted positives among negatives.
    pub(crate) false_positive_rate: Option<f64>,
}

/// One row: what happened, what was predicted, and the probability that it would happen.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Row {
    pub(crate) outcome: bool,
    pub(crate) prediction: bool,
    /// In `0..=1`.
    pub(crate) probability: f64,
}

impl Tally {
    /// Of rows in order.
    pub(crate) fn of(rows: impl Iterator<Item = Row>) -> Self {
        let mut tally = Tally::default();
        let mut scored: Vec<(u64, bool)> = Vec::new();
        for Row {
            outcome,
            prediction,
            probability,
        } in rows
        {
            let count = match (outcome, prediction) {
                (true, true) => &mut tally.true_positives,
                (false, true) => &mut tally.false_positives,
                (false, false) => &mut tally.true_negatives,
                (true, false) => &mut tally.false_negatives,
            };
            *count += 1;
            // Kept off 0 and 1 by the distance that scikit-learn uses, else one sure error is infinite.
            let kept = probability.clamp(f64::EPSILON, 1.0 - f64::EPSILON);
            tally
                .log_loss
                .add(-libm::log(if outcome { kept } else { 1.0 - kept }));
            let miss = probability - f64::from(u8::from(outcome));
            tally.squares.add(miss * miss);
            scored.push(((probability + 0.0).to_bits(), outcome));
        }
        scored.sort_unstable();
        for (bits, outcome) in scored {
            if tally.scores.last().is_none_or(|last| last.bits != bits) {
                tally.scores.push(Score {
                    bits,
                    positives: 0,
                    negatives: 0,
                });
            }
            if let Some(last) = tally.scores.last_mut() {
                *if outcome {
                    &mut last.positives
                } else {
                    &mut last.negatives
                } += 1;
            }
        }
        tally
    }

    /// Of these rows and then those.
    pub(crate) fn merge(mut self, other: Tally) -> Tally {
        self.true_positives += other.true_positives;
        self.false_positives += other.false_positives;
        self.true_negatives += other.true_negatives;
        self.false_negatives += other.false_negatives;
        self.log_loss.merge(other.log_loss);
        self.squares.merge(other.squares);
        self.scores = merge_scores(self.scores, other.scores);
        self
    }

    /// The figures. A ratio whose denominator is zero is none, never 0.
    pub(crate) fn metrics(&self) -> Metrics {
        let positives = self.true_positives + self.false_negatives;
        let negatives = self.false_positives + self.true_negatives;
        let rows = positives + negatives;
        let selected = self.true_positives + self.false_positives;
        let mean = |sum: Sum| (rows > 0).then(|| sum.value() / rows as f64);
        Metrics {
            rows,
            positives,
            accuracy: ratio(self.true_positives + self.true_negatives, rows),
            precision: ratio(self.true_positives, selected),
            recall: ratio(self.true_positives, positives),
            f1: ratio(2 * self.true_positives, selected + positives),
            log_loss: mean(self.log_loss),
            brier: mean(self.squares),
            auc: self.auc(positives, negatives),
            selection_rate: ratio(selected, rows),
            false_positive_rate: ratio(self.false_positives, negatives),
        }
    }

    /// Exact: pairs are counted as integers, and rounded once.
    fn auc(&self, positives: u64, negatives: u64) -> Option<f64> {
        let mut below = 0;
        let mut twice_won: u128 = 0;
        for score in &self.scores {
            twice_won += u128::from(score.positives) * (2 * below + u128::from(score.negatives));
            below += u128::from(score.negatives);
        }
        let pairs = u128::from(positives) * u128::from(negatives);
        (pairs > 0).then(|| twice_won as f64 / (2 * pairs) as f64)
    }
}

fn ratio(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

/// Two ascending runs as one.
fn merge_scores(left: Vec<Score>, right: Vec<Score>) -> Vec<Score> {
    let mut merged: Vec<Score> = Vec::with_capacity(left.len() + right.len());
    let (mut left, mut right) = (left.into_iter().peekable(), right.into_iter().peekable());
    loop {
        let next = match (left.peek(), right.peek()) {
            (Some(l), Some(r)) if r.bits < l.bits => right.next(),
            (Some(_), _) => left.next(),
            (None, _) => right.next(),
        };
        let Some(score) = next else { return merged };
        match merged.last_mut() {
            Some(last) if last.bits == score.bits => {
                last.positives += score.positives;
                last.negatives += score.negatives;
            }
            _ => merged.push(score),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(figures: &[(bool, f64)]) -> Vec<Row> {
        figures
            .iter()
            .map(|&(outcome, probability)| Row {
                outcome,
                prediction: probability >= 0.5,
                probability,
            })
            .collect()
    }

    #[test]
    fn ties_count_half() {
        let rows = rows(&[
            (false, 0.1),
            (true, 0.4),
            (false, 0.4),
            (true, 0.4),
            (true, 0.9),
        ]);
        // Six pairs: 0.1 loses to all three, 0.4 ties with two and loses to one.
        assert_eq!(Tally::of(rows.into_iter()).metrics().auc, Some(5.0 / 6.0));
    }

    #[test]
    fn undefined_figures_are_none() {
        let none = Tally::default().metrics();
        assert_eq!(
            (none.rows, none.accuracy, none.log_loss, none.auc),
            (0, None, None, None)
        );
        let negatives = Tally::of(rows(&[(false, 0.1), (false, 0.2)]).into_iter()).metrics();
        assert_eq!(
            (
                negatives.precision,
                negatives.recall,
                negatives.f1,
                negatives.auc
            ),
            (None, None, None, None)
        );
        assert_eq!(
            (negatives.accuracy, negatives.false_positive_rate),
            (Some(1.0), Some(0.0))
        );
    }

    #[test]
    fn merging_two_parts_counts_all_rows_once() {
        let all = rows(&[
            (false, 0.3),
            (true, 0.7),
            (true, 0.3),
            (false, 0.0),
            (true, 1.0),
            (false, 0.7),
        ]);
        for cut in 0..=all.len() {
            let (left, right) = all.split_at(cut);
            let merged = Tally::of(left.iter().copied()).merge(Tally::of(right.iter().copied()));
            assert_eq!(merged.scores, Tally::of(all.iter().copied()).scores);
            assert_eq!(
                merged.metrics().auc,
                Tally::of(all.iter().copied()).metrics().auc
            );
        }
    }

    #[test]
    fn a_sure_error_is_finite() {
        let loss = Tally::of(rows(&[(true, 0.0)]).into_iter())
            .metrics()
            .log_loss;
        assert_eq!(loss, Some(-libm::log(f64::EPSILON)));
    }
}

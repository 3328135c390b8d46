//! What is known of the values in a window that moves on.

use pinion_models::{Mean, Sum};

use crate::params::{Extent, Function};

/// Count, sum, mean, spread and range of some values.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Moments {
    count: u64,
    sum: Sum,
    mean: Mean,
    /// Sum of squared deviations from the mean.
    squares: f64,
    min: f64,
    max: f64,
}

impl Moments {
    /// Of no values.
    fn none() -> Self {
        Moments {
            count: 0,
            sum: Sum::default(),
            mean: Mean::default(),
            squares: 0.0,
            min: f64::INFINITY,
            max: f64::NEG_INFINITY,
        }
    }

    fn of(value: Option<f64>) -> Self {
        let Some(value) = value else {
            return Moments::none();
        };
        Moments {
            count: 1,
            sum: std::iter::once(value).collect(),
            mean: Mean::of(std::iter::once((value, 1.0))),
            squares: 0.0,
            min: value,
            max: value,
        }
    }

    /// Of these values and then those.
    fn merge(mut self, other: Self) -> Self {
        self.sum.merge(other.sum);
        let (mean, gap) = self.mean.merge(other.mean);
        Moments {
            count: self.count + other.count,
            sum: self.sum,
            mean,
            squares: self.squares + other.squares + gap.distance * gap.distance * gap.weight,
            min: self.min.min(other.min),
            max: self.max.max(other.max),
        }
    }
}

/// The rows of a group in a window, oldest first.
///
/// A queue of two stacks: what leaves is never subtracted, so no rounding is carried along, and the smallest and the
/// largest are known as well. The figures of a row are merged twice, however long the window is.
#[derive(Debug)]
pub(crate) struct Window {
    extent: Extent,
    /// Whether a row is in its own window.
    includes_current: bool,
    /// The last rows, of one time, that are in no window before a later one.
    tied: Vec<(Row, Option<f64>)>,
    /// The older rows, newest first, each with the figures of itself and all newer ones among them.
    old: Vec<(Row, Moments)>,
    /// The newer rows, oldest first.
    new: Vec<(Row, Option<f64>)>,
    /// The figures of `new`.
    newer: Moments,
}

/// A row's place in its group.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Row {
    /// Rows of the group before it.
    pub(crate) position: u64,
    /// In nanoseconds, if windows are of a duration.
    pub(crate) time: i128,
}

impl Window {
    pub(crate) fn new(extent: Extent, includes_current: bool) -> Self {
        Window {
            extent,
            includes_current,
            tied: Vec::new(),
            old: Vec::new(),
            new: Vec::new(),
            newer: Moments::none(),
        }
    }

    /// Forgets all rows.
    pub(crate) fn clear(&mut self) {
        self.tied.clear();
        self.old.clear();
        self.new.clear();
        self.newer = Moments::none();
    }

    /// Moves on to the row that comes next: then the window is that of this row.
    pub(crate) fn begin(&mut self, row: Row, value: Option<f64>) {
        if self.includes_current {
            self.push(row, value);
        }
        if self
            .tied
            .first()
            .is_some_and(|(tied, _)| tied.time < row.time)
        {
            for (row, value) in std::mem::take(&mut self.tied) {
                self.push(row, value);
            }
        }
        self.drop_before(row);
    }

    /// Is done with the row that began.
    pub(crate) fn end(&mut self, row: Row, value: Option<f64>) {
        match self.extent {
            _ if self.includes_current => {}
            Extent::Rows(_) => self.push(row, value),
            Extent::Nanoseconds(_) => self.tied.push((row, value)),
        }
    }

    fn push(&mut self, row: Row, value: Option<f64>) {
        self.new.push((row, value));
        self.newer = self.newer.merge(Moments::of(value));
    }

    /// Lets go of the rows that are too far before `row`.
    fn drop_before(&mut self, row: Row) {
        let includes_it = self.includes_current;
        let is_in = |old: Row| match self.extent {
            // Of so many rows, the row itself is one.
            Extent::Rows(rows) => row.position - old.position < rows + u64::from(!includes_it),
            Extent::Nanoseconds(length) if includes_it => row.time - old.time < length,
            Extent::Nanoseconds(length) => row.time - old.time <= length,
        };
        loop {
            if self.old.is_empty() {
                let mut figures = Moments::none();
                for (row, value) in self.new.drain(..).rev() {
                    figures = Moments::of(value).merge(figures);
                    self.old.push((row, figures));
                }
                self.newer = Moments::none();
            }
            match self.old.last() {
                Some((oldest, _)) if !is_in(*oldest) => drop(self.old.pop()),
                _ => return,
            }
        }
    }

    /// A figure of the values in the window; none if there are too few.
    pub(crate) fn figure(&self, function: Function) -> Option<f64> {
        let older = self
            .old
            .last()
            .map_or_else(Moments::none, |(_, figures)| *figures);
        let all = older.merge(self.newer);
        let some = |figure: f64| (all.count > 0).then_some(figure);
        match function {
            Function::Lag => None,
            Function::Count => Some(all.count as f64),
            Function::Sum => some(all.sum.value()),
            Function::Mean => some(all.mean.value()),
            Function::Std => (all.count > 1).then(|| (all.squares / (all.count - 1) as f64).sqrt()),
            Function::Min => some(all.min),
            Function::Max => some(all.max),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_are_of_rows_or_of_a_duration() {
        let times = [0, 1, 1, 4, 5, 9];
        let members = |extent, includes_it| {
            let mut window = Window::new(extent, includes_it);
            let counts = times.into_iter().zip(0..).map(|(time, position)| {
                let row = Row { position, time };
                window.begin(row, Some(0.5));
                let count = window.figure(Function::Count);
                window.end(row, Some(0.5));
                count.unwrap_or_default()
            });
            counts.collect::<Vec<_>>()
        };
        assert_eq!(
            members(Extent::Rows(2), false),
            [0.0, 1.0, 2.0, 2.0, 2.0, 2.0]
        );
        assert_eq!(
            members(Extent::Rows(2), true),
            [1.0, 2.0, 2.0, 2.0, 2.0, 2.0]
        );
        // From the time so long before to what is earlier; or after that time, to the row itself.
        let four = Extent::Nanoseconds(4);
        assert_eq!(members(four, false), [0.0, 1.0, 1.0, 3.0, 3.0, 1.0]);
        assert_eq!(members(four, true), [1.0, 2.0, 3.0, 3.0, 2.0, 1.0]);
    }

    #[test]
    fn what_has_left_leaves_no_trace() {
        let mut window = Window::new(Extent::Rows(2), true);
        for (value, position) in [1e300, 1.0, 2.0].into_iter().zip(0..) {
            window.begin(Row { position, time: 0 }, Some(value));
        }
        assert_eq!(window.figure(Function::Sum), Some(3.0));
        assert_eq!(window.figure(Function::Max), Some(2.0));
        assert_eq!(window.figure(Function::Std), Some(0.5f64.sqrt()));
    }
}

//! Least squares on a triangular factor, collinear columns included.

use crate::reflect::{Reflection, dot, norm, reflect};
use crate::triangle::Triangle;

/// The solution of a least-squares problem.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Solution {
    /// One for each column but the last.
    pub(crate) coefficients: Vec<f64>,
    /// How many of them the rows determine.
    pub(crate) rank: usize,
    /// Squared distance of the last column of the factor to what the coefficients make of the others.
    pub(crate) squared_error: f64,
}

/// The coefficients of all columns but the last that come closest to the last, and of several the shortest.
///
/// `alpha` times their squared length is added to what is minimised. A column depends on others if, scaled to
/// length 1, it is within `tolerance` of what they span; so it makes no difference what its units are.
pub(crate) fn solve(factor: &Triangle, alpha: f64, tolerance: f64) -> Solution {
    let count = factor.size() - 1;
    let mut penalised = factor.clone();
    if alpha > 0.0 {
        // The penalty is one more row for each coefficient.
        let mut rows = vec![0.0; count * (count + 1)];
        for index in 0..count {
            rows[index * count + index] = alpha.sqrt();
        }
        penalised.add(&mut rows, count);
    }
    let mut system = System::new(&penalised);
    system.factor(tolerance);
    let coefficients = if system.pivots.len() == count {
        system.determined()
    } else {
        system.shortest()
    };
    Solution {
        rank: system.pivots.len(),
        squared_error: squared_error(factor, &coefficients),
        coefficients,
    }
}

fn squared_error(factor: &Triangle, coefficients: &[f64]) -> f64 {
    let mut rest = factor.column(coefficients.len()).to_vec();
    for (index, coefficient) in coefficients.iter().enumerate() {
        for (rest, value) in rest.iter_mut().zip(factor.column(index)) {
            *rest -= coefficient * value;
        }
    }
    let length = norm(&rest);
    length * length
}

/// A factorisation with column pivoting under way (Businger and Golub, "Linear least squares solutions by
/// Householder transformations", Numerische Mathematik 7, 1965).
struct System {
    /// By position in the model, each scaled to length 1. Once a column is a pivot, it holds its part of the
    /// triangle down to its diagonal.
    columns: Vec<Vec<f64>>,
    /// What each column was divided by; 1 for a column of zeros.
    scales: Vec<f64>,
    /// The column to come close to.
    right: Vec<f64>,
    /// Positions of the columns that are independent, in the order of the triangle.
    pivots: Vec<usize>,
}

impl System {
    fn new(factor: &Triangle) -> Self {
        let count = factor.size() - 1;
        let mut columns = Vec::with_capacity(count);
        let mut scales = Vec::with_capacity(count);
        for index in 0..count {
            let values = factor.column(index);
            let length = norm(values);
            let scale = if length == 0.0 { 1.0 } else { length };
            let mut column = vec![0.0; count];
            for (scaled, value) in column.iter_mut().zip(values) {
                *scaled = value / scale;
            }
            columns.push(column);
            scales.push(scale);
        }
        System {
            columns,
            scales,
            right: factor.column(count)[..count].to_vec(),
            pivots: Vec::with_capacity(count),
        }
    }

    /// Takes the column that is farthest from those taken before, until all that is left depends on them.
    fn factor(&mut self, tolerance: f64) {
        let mut left: Vec<usize> = (0..self.columns.len()).collect();
        for row in 0..self.columns.len() {
            let mut farthest = (0, 0.0);
            for (place, index) in left.iter().enumerate() {
                let distance = norm(&self.columns[*index][row..]);
                if distance > farthest.1 {
                    farthest = (place, distance);
                }
            }
            let (place, distance) = farthest;
            if distance <= tolerance {
                return;
            }
            let pivot = left.remove(place);
            self.pivots.push(pivot);
            let mut column = std::mem::take(&mut self.columns[pivot]);
            let (above, below) = column.split_at_mut(row + 1);
            if let Some(reflection) = reflect(&mut above[row], below) {
                for index in &left {
                    apply(reflection, below, &mut self.columns[*index], row);
                }
                apply(reflection, below, &mut self.right, row);
            }
            column.truncate(row + 1);
            self.columns[pivot] = column;
        }
    }

    /// The solution where every column is a pivot: by substitution, from the last to the first.
    fn determined(&self) -> Vec<f64> {
        let mut right = self.right.clone();
        let mut coefficients = vec![0.0; self.columns.len()];
        for (row, pivot) in self.pivots.iter().enumerate().rev() {
            let column = &self.columns[*pivot];
            let value = right[row] / column[row];
            for (rest, part) in right.iter_mut().zip(&column[..row]) {
                *rest -= value * part;
            }
            coefficients[*pivot] = value / self.scales[*pivot];
        }
        coefficients
    }

    /// The shortest of the solutions where some columns depend on others.
    ///
    /// What the rows determine is `M w = c`, of as many equations as there are pivots. With `M' = QR`, the
    /// shortest solution is `Q (R')⁻¹ c`.
    fn shortest(&self) -> Vec<f64> {
        let rank = self.pivots.len();
        // Row by row, each by position in the model and in the units of the columns.
        let mut equations: Vec<Vec<f64>> = (0..rank)
            .map(|row| {
                let columns = self.columns.iter().zip(&self.scales);
                let value = |(column, scale): (&Vec<f64>, &f64)| {
                    column.get(row).map_or(0.0, |value| value * scale)
                };
                columns.map(value).collect()
            })
            .collect();
        let mut reflections = Vec::with_capacity(rank);
        for row in 0..rank {
            let (done, later) = equations.split_at_mut(row + 1);
            let (above, below) = done[row].split_at_mut(row + 1);
            let reflection = reflect(&mut above[row], below);
            if let Some(reflection) = reflection {
                for equation in later {
                    apply(reflection, below, equation, row);
                }
            }
            reflections.push(reflection);
        }
        let mut solution = vec![0.0; self.columns.len()];
        for row in 0..rank {
            let known = dot(&equations[row][..row], &solution[..row]);
            solution[row] = (self.right[row] - known) / equations[row][row];
        }
        for row in (0..rank).rev() {
            if let Some(reflection) = reflections[row] {
                apply(reflection, &equations[row][row + 1..], &mut solution, row);
            }
        }
        solution
    }
}

/// Reflects `vector` from `row` on.
fn apply(reflection: Reflection, tail: &[f64], vector: &mut [f64], row: usize) {
    let (above, below) = vector.split_at_mut(row + 1);
    reflection.apply(tail, &mut above[row], below);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of rows, the target last.
    fn factor<const N: usize>(rows: &[[f64; N]]) -> Triangle {
        let mut triangle = Triangle::new(N);
        let column = |index: usize| rows.iter().map(move |row| row[index]);
        let mut block: Vec<f64> = (0..N).flat_map(column).collect();
        triangle.add(&mut block, rows.len());
        triangle
    }

    fn close(found: &[f64], expected: &[f64]) {
        assert_eq!(found.len(), expected.len());
        for (found, expected) in found.iter().zip(expected) {
            assert!((found - expected).abs() < 1e-13, "{found} {expected}");
        }
    }

    #[test]
    fn finds_what_fits() {
        // 2 a - 3 b, whatever the units of b.
        let rows = [[1.0, 0.0], [1.0, 1.0], [1.0, 2.0], [0.0, 5.0]];
        for unit in [1e-120, 1.0, 1e120] {
            let rows = rows.map(|[a, b]| [a, b * unit, 2.0 * a - 3.0 * b]);
            let solution = solve(&factor(&rows), 0.0, 1e-15);
            close(
                &[solution.coefficients[0], solution.coefficients[1] * unit],
                &[2.0, -3.0],
            );
            assert_eq!(solution.rank, 2);
            assert!(solution.squared_error < 1e-26);
        }
    }

    #[test]
    fn of_many_solutions_the_shortest() {
        // b is twice a and c nothing; y is 5 a.
        let rows = [1.0, -2.0, 0.5].map(|a| [a, 2.0 * a, 0.0, 5.0 * a]);
        let solution = solve(&factor(&rows), 0.0, 1e-14);
        close(&solution.coefficients, &[1.0, 2.0, 0.0]);
        assert_eq!(solution.rank, 1);
        // Fewer rows than columns.
        let solution = solve(&factor(&[[1.0, 1.0, 4.0]]), 0.0, 1e-14);
        close(&solution.coefficients, &[2.0, 2.0]);
    }

    #[test]
    fn a_penalty_shrinks() {
        // (4 + 12) w = 32, and the squares are (8 - 4)^2 at w = 2.
        let solution = solve(&factor(&[[2.0, 8.0], [0.0, 0.0]]), 4.0, 1e-15);
        close(&solution.coefficients, &[2.0]);
        close(&[solution.squared_error], &[16.0]);
    }
}

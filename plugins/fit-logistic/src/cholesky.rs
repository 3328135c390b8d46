//! Symmetric positive definite systems, on the packed lower triangle.

/// The position of row `row`, column 0 in a packed lower triangle.
#[inline]
pub(crate) fn row_start(row: usize) -> usize {
    row * (row + 1) / 2
}

/// Solves `matrix * x = right` by Cholesky factorisation.
///
/// `matrix` is the lower triangle, row after row, of an `(n, n)` matrix, and is left as its factor;
/// `right` has `n` values and is left as the solution. `None` if the matrix is not positive definite as
/// far as rounding lets one tell. Scaling a row and its column has no effect on which it is.
pub(crate) fn solve(matrix: &mut [f64], right: &mut [f64]) -> Option<()> {
    let size = right.len();
    for row in 0..size {
        let (above, below) = matrix.split_at_mut(row_start(row));
        let current = &mut below[..=row];
        for column in 0..row {
            let other = &above[row_start(column)..=row_start(column) + column];
            let dot: f64 = current[..column]
                .iter()
                .zip(other)
                .map(|(a, b)| a * b)
                .sum();
            current[column] = (current[column] - dot) / other[column];
        }
        let diagonal = current[row];
        let rest = diagonal - current[..row].iter().map(|a| a * a).sum::<f64>();
        // Less than the rounding error of the difference: the row depends on those above it.
        if rest.is_nan() || rest <= diagonal * f64::EPSILON {
            return None;
        }
        current[row] = rest.sqrt();
    }
    for row in 0..size {
        let factor = &matrix[row_start(row)..=row_start(row) + row];
        let dot: f64 = factor[..row]
            .iter()
            .zip(right.iter())
            .map(|(a, b)| a * b)
            .sum();
        right[row] = (right[row] - dot) / factor[row];
    }
    for row in (0..size).rev() {
        let (before, after) = right.split_at_mut(row + 1);
        let dot: f64 = after
            .iter()
            .enumerate()
            .map(|(i, x)| matrix[row_start(row + 1 + i) + row] * x)
            .sum();
        before[row] = (before[row] - dot) / matrix[row_start(row) + row];
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn solves() {
        // [[4, 2, 1], [2, 5, 3], [1, 3, 6]] * [1, -2, 3]
        let mut matrix = [4.0, 2.0, 5.0, 1.0, 3.0, 6.0];
        let mut right = [3.0, 1.0, 13.0];
        assert_eq!(solve(&mut matrix, &mut right), Some(()));
        for (found, expected) in right.iter().zip([1.0, -2.0, 3.0]) {
            assert!((found - expected).abs() < 1e-14, "{found} {expected}");
        }
    }

    #[test]
    fn refuses_what_is_not_positive_definite() {
        assert_eq!(solve(&mut [1.0, 2.0, 1.0], &mut [1.0, 1.0]), None);
        assert_eq!(solve(&mut [1.0, 1.0, 1.0], &mut [1.0, 1.0]), None);
        assert_eq!(solve(&mut [f64::NAN], &mut [1.0]), None);
    }
}

//! The triangular factor of a matrix of any number of rows.

use serde::{Deserialize, Serialize};

use crate::reflect::reflect;

/// `R` of a factorisation `QR` of all rows that were added; signs of its rows are arbitrary.
///
/// `Q` is never needed: the target is a column like the features.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Triangle {
    size: usize,
    /// Column after column, each from the top to the diagonal.
    values: Vec<f64>,
}

impl Triangle {
    /// Of no rows of `size` columns.
    pub(crate) fn new(size: usize) -> Self {
        Triangle {
            size,
            values: vec![0.0; start(size)],
        }
    }

    /// Number of columns.
    pub(crate) fn size(&self) -> usize {
        self.size
    }

    /// Column `index`, from the top to the diagonal.
    pub(crate) fn column(&self, index: usize) -> &[f64] {
        &self.values[start(index)..start(index + 1)]
    }

    /// Adds rows. `block` holds column after column, each of `rows` values, and is used up.
    pub(crate) fn add(&mut self, block: &mut [f64], rows: usize) {
        for pivot in 0..self.size {
            let (first, later) = block[pivot * rows..].split_at_mut(rows);
            let Some(reflection) = reflect(&mut self.values[start(pivot) + pivot], first) else {
                continue;
            };
            for (index, column) in (pivot + 1..self.size).zip(later.chunks_exact_mut(rows)) {
                reflection.apply(first, &mut self.values[start(index) + pivot], column);
            }
        }
    }

    /// All rows as a block for [`Triangle::add`], with room for `more` rows of zeros at the end.
    pub(crate) fn block(&self, more: usize) -> Vec<f64> {
        let rows = self.size + more;
        let mut block = vec![0.0; rows * self.size];
        for (index, column) in block.chunks_exact_mut(rows).enumerate() {
            column[..=index].copy_from_slice(self.column(index));
        }
        block
    }

    /// The same rows with columns of zeros between those there are, which come to stand at `positions`.
    pub(crate) fn spread(&self, positions: &[usize], size: usize) -> Self {
        let mut wider = Triangle::new(size);
        for (index, to) in positions.iter().enumerate() {
            for (value, row) in self.column(index).iter().zip(positions) {
                wider.values[start(*to) + row] = *value;
            }
        }
        wider
    }
}

/// Where column `index` begins.
fn start(index: usize) -> usize {
    index * (index + 1) / 2
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `R'R` has to be the same as `A'A`.
    fn gram(triangle: &Triangle) -> Vec<f64> {
        let mut gram = Vec::new();
        for left in 0..triangle.size() {
            for right in 0..=left {
                let pairs = triangle.column(left).iter().zip(triangle.column(right));
                gram.push(pairs.map(|(a, b)| a * b).sum());
            }
        }
        gram
    }

    #[test]
    fn rows_may_come_in_blocks() {
        let rows: Vec<[f64; 3]> = (0..40u16)
            .map(|i| [1.0, f64::from(i), f64::from(i * i % 7)])
            .collect();
        let of = |piece: usize| {
            let mut triangle = Triangle::new(3);
            for rows in rows.chunks(piece) {
                let column = |index: usize| rows.iter().map(move |row| row[index]);
                let mut block: Vec<f64> = (0..3).flat_map(column).collect();
                triangle.add(&mut block, rows.len());
            }
            triangle
        };
        let mut expected = Vec::new();
        for left in 0..3 {
            for right in 0..=left {
                expected.push(rows.iter().map(|row| row[left] * row[right]).sum::<f64>());
            }
        }
        for piece in [1, 7, 40] {
            for (found, expected) in gram(&of(piece)).iter().zip(&expected) {
                assert!((found - expected).abs() <= 1e-13 * expected, "{piece}");
            }
        }
        // Two triangles, one added to the other.
        let mut both = of(40);
        both.add(&mut of(7).block(0), 3);
        for (found, expected) in gram(&both).iter().zip(&expected) {
            assert!((found - 2.0 * expected).abs() <= 1e-13 * expected);
        }
    }

    #[test]
    fn columns_of_zeros_come_between() {
        let mut narrow = Triangle::new(2);
        narrow.add(&mut [3.0, 4.0, 1.0, 2.0], 2);
        let mut wide = Triangle::new(3);
        wide.add(&mut [3.0, 4.0, 0.0, 0.0, 1.0, 2.0], 2);
        assert_eq!(narrow.spread(&[0, 2], 3), wide);
    }
}

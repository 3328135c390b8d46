//! Where two arrays of one type differ.

use arrow_array::{Array as _, ArrayRef};

use super::cell::show;

/// A row in which two columns differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowDifference {
    /// Its number, from 0.
    pub row: u64,
    /// The value on one side, for people.
    pub expected: String,
    /// The value on the other.
    pub found: String,
}

/// The first row in which two arrays of one type and length differ. Floats are equal if their bits are.
pub fn first_row(expected: &ArrayRef, found: &ArrayRef) -> Option<RowDifference> {
    let differs = |start: usize, len: usize| {
        expected.slice(start, len).to_data() != found.slice(start, len).to_data()
    };
    let rows = expected.len().min(found.len());
    if !differs(0, rows) {
        return None;
    }
    // The first half that differs has the row, down to one.
    let (mut start, mut len) = (0, rows);
    while len > 1 {
        let half = len / 2;
        if differs(start, half) {
            len = half;
        } else {
            start += half;
            len -= half;
        }
    }
    let (mut one, mut other) = (show(expected, start), show(found, start));
    if one == other {
        // Floats that are no numbers look alike whatever their bits are.
        (one, other) = (
            with_bits(&one, expected, start),
            with_bits(&other, found, start),
        );
    }
    Some(RowDifference {
        row: start as u64,
        expected: one,
        found: other,
    })
}

fn with_bits(text: &str, array: &ArrayRef, row: usize) -> String {
    let data = array.slice(row, 1).to_data();
    let width = data.data_type().primitive_width().unwrap_or_default();
    let start = data.offset() * width;
    let bytes = data
        .buffers()
        .first()
        .and_then(|buffer| buffer.get(start..start + width));
    let digits: Vec<_> = bytes
        .unwrap_or_default()
        .iter()
        .rev()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    format!("{text} (0x{})", digits.concat())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{Float64Array, Int64Array, StringArray};

    use super::*;

    #[test]
    fn the_first_row_is_found_wherever_it_is() {
        for len in [1usize, 2, 3, 100] {
            let same: ArrayRef = Arc::new(Int64Array::from_iter_values(0..len as i64));
            assert_eq!(first_row(&same, &same), None);
            for row in 0..len {
                let other = (0..len).map(|at| if at >= row { -1 } else { at as i64 });
                let other: ArrayRef = Arc::new(Int64Array::from_iter_values(other));
                assert_eq!(
                    first_row(&same, &other),
                    Some(RowDifference {
                        row: row as u64,
                        expected: row.to_string(),
                        found: "-1".to_owned()
                    })
                );
            }
        }
    }

    #[test]
    fn nulls_and_text_are_told_apart() {
        let texts =
            |texts: &[Option<&str>]| Arc::new(StringArray::from(texts.to_vec())) as ArrayRef;
        let found = first_row(&texts(&[Some("a"), Some("")]), &texts(&[Some("a"), None]));
        let found = found.map(|found| (found.row, found.expected, found.found));
        assert_eq!(found, Some((1, String::new(), "null".to_owned())));
    }

    #[test]
    fn floats_differ_by_their_bits() {
        let floats = |bits: &[u64]| {
            let floats = bits.iter().map(|bits| f64::from_bits(*bits));
            Arc::new(Float64Array::from_iter_values(floats)) as ArrayRef
        };
        let nan = 0x7ff8_0000_0000_0000;
        let one = floats(&[0, nan]);
        assert_eq!(first_row(&one, &floats(&[0, nan])), None);
        let found = first_row(&one, &floats(&[0, nan + 1]));
        let found = found.map(|found| (found.row, found.expected, found.found));
        let shown = |bits: &str| format!("NaN (0x{bits})");
        assert_eq!(
            found,
            Some((1, shown("7ff8000000000000"), shown("7ff8000000000001")))
        );
        let found = first_row(&one, &floats(&[1 << 63, nan]));
        let found = found.map(|found| (found.row, found.expected, found.found));
        assert_eq!(found, Some((0, "0.0".to_owned(), "-0.0".to_owned())));
    }
}

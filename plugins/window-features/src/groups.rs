//! Where groups begin among rows that are in order.

use pinion_sdk::{Batch, Result, Table};
use pinion_tables::key::{Encoder, KeyValues, Keys, Order};

/// Compares the keys of rows with those of the row before.
pub(crate) struct Groups {
    /// None if all rows are one group.
    encoder: Option<Encoder>,
    columns: Vec<String>,
    /// The keys of the rows before, of which the last one counts.
    last: Option<Keys>,
}

impl Groups {
    /// Groups by `columns`.
    pub(crate) fn new(rows: &Table, columns: &[String]) -> Result<Self> {
        let fields = columns.iter().map(|name| rows.field(name));
        let fields = fields.collect::<Result<Vec<_>>>()?;
        let keys = fields
            .iter()
            .map(|field| (field.as_ref(), Order::default()));
        let encoder = match columns.is_empty() {
            true => None,
            false => Some(Encoder::new(keys)?),
        };
        Ok(Groups {
            encoder,
            columns: columns.to_vec(),
            last: None,
        })
    }

    /// Whether a group begins, for each row of the batch that comes next; nothing if all rows are one group.
    pub(crate) fn begins(&mut self, batch: &Batch) -> Result<Vec<bool>> {
        let Some(encoder) = &self.encoder else {
            return Ok(Vec::new());
        };
        let columns = self.columns.iter().map(|name| batch.array(name));
        let keys = encoder.encode(&columns.collect::<Result<Vec<_>>>()?)?;
        let begins = (0..keys.len()).map(|row| match (row.checked_sub(1), &self.last) {
            (Some(before), _) => !is_equal(&keys, before, &keys, row),
            (None, Some(last)) => !is_equal(last, last.len() - 1, &keys, row),
            (None, None) => true,
        });
        let begins = begins.collect();
        if keys.len() > 0 {
            self.last = Some(keys);
        }
        Ok(begins)
    }
}

fn is_equal(left: &Keys, left_row: usize, right: &Keys, right_row: usize) -> bool {
    match (&left.values, &right.values) {
        (KeyValues::Words(words), KeyValues::Words(others)) => {
            match (left.is_null(left_row), right.is_null(right_row)) {
                (false, false) => words[left_row] == others[right_row],
                (left, right) => left == right,
            }
        }
        // Nulls are in the bytes.
        (KeyValues::Bytes(keys), KeyValues::Bytes(others)) => {
            keys.value(left_row) == others.value(right_row)
        }
        _ => false,
    }
}

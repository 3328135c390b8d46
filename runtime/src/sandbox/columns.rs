//! The columns of a batch, found by name. Shared by all batches that differ in their rows alone.

use std::ops::Deref;
use std::sync::{Arc, OnceLock};

use crate::expression::Column;

/// Columns in order.
#[derive(Clone, Debug)]
pub(super) struct Columns(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    list: Vec<Column>,
    /// Positions in order of the names; made when a name is first looked for among many.
    by_name: OnceLock<Vec<u32>>,
}

/// Columns that are looked through one by one.
const FEW: usize = 8;

impl Columns {
    /// Columns whose names differ.
    pub(super) fn new(list: Vec<Column>) -> Self {
        let by_name = OnceLock::new();
        Self(Arc::new(Inner { list, by_name }))
    }

    /// Where the column of this name is.
    pub(super) fn position(&self, name: &str) -> Option<usize> {
        let list = &self.0.list;
        if list.len() <= FEW {
            return list.iter().position(|column| column.field.name() == name);
        }
        let by_name = self.0.by_name.get_or_init(|| {
            let mut by_name: Vec<u32> = (0..).take(list.len()).collect();
            by_name.sort_by_key(|at| list[*at as usize].field.name().as_str());
            by_name
        });
        let at = by_name.binary_search_by_key(&name, |at| list[*at as usize].field.name().as_str());
        Some(by_name[at.ok()?] as usize)
    }

    /// The column of this name.
    pub(super) fn find(&self, name: &str) -> Option<&Column> {
        self.position(name).map(|at| &self.0.list[at])
    }
}

impl Deref for Columns {
    type Target = [Column];

    fn deref(&self) -> &[Column] {
        &self.0.list
    }
}

#[cfg(test)]
mod tests {
    use arrow_schema::{DataType, Field};

    use super::*;
    use crate::expression::number;

    #[test]
    fn names_are_found_among_few_and_many() {
        for count in [0, 1, FEW, FEW + 1, 100] {
            let name = |at: usize| format!("{}", at * 7919 % 100);
            let fields = (0..count).map(|at| Field::new(name(at), DataType::Null, true));
            let columns = Columns::new(number(fields.collect(), &mut 0));
            for at in 0..count {
                assert_eq!(columns.position(&name(at)), Some(at));
            }
            assert_eq!(columns.position("x"), None);
        }
    }
}

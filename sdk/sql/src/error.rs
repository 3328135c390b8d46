//! What can be wrong with an expression, and where.

use std::fmt;

/// Characters of a line that are shown. An expression may be pages long.
const SHOWN_CHARACTERS: usize = 120;

/// A place in the text of an expression, shown as its line and a caret below it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Excerpt {
    /// The line of the text, without its line ending; of a long one what is around the caret.
    pub line: String,
    /// Characters of `line` before the caret.
    pub column: usize,
}

impl Excerpt {
    /// The place at `line` and `column`, both counted from 1, as the parser counts. 0 is the start.
    pub(crate) fn new(text: &str, line: u64, column: u64) -> Self {
        let index = usize::try_from(line.saturating_sub(1)).unwrap_or(usize::MAX);
        let line = text.lines().nth(index).unwrap_or_default();
        let column = usize::try_from(column.saturating_sub(1)).unwrap_or(usize::MAX);
        let column = column.min(line.chars().count());
        let start = match line.char_indices().nth(SHOWN_CHARACTERS) {
            None => 0,
            Some(_) => column.saturating_sub(SHOWN_CHARACTERS / 2),
        };
        let mut characters = line.chars().skip(start);
        let mut shown: String = characters.by_ref().take(SHOWN_CHARACTERS).collect();
        if characters.next().is_some() {
            shown.push('…');
        }
        match start {
            0 => Self {
                line: shown,
                column,
            },
            _ => Self {
                line: format!("…{shown}"),
                column: column - start + 1,
            },
        }
    }
}

impl fmt::Display for Excerpt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "  in {}", self.line)?;
        write!(f, "     {:>width$}", "^", width = self.column + 1)
    }
}

/// Why an expression cannot be parsed, resolved or evaluated.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SqlError {
    /// The text is not one SQL expression.
    #[error("the expression is not valid SQL: {message}\n{at}")]
    Syntax {
        /// What the parser expected and what it found.
        message: String,
        /// Where.
        at: Excerpt,
    },
    /// Valid SQL that this crate does not evaluate.
    #[error("{what} is not supported\n{at}")]
    Unsupported {
        /// The construct by name, literals in backticks.
        what: String,
        /// Where.
        at: Excerpt,
    },
    /// A column that the table does not have.
    #[error("there is no column `{name}`\n{at}")]
    UnknownColumn {
        /// The name as written.
        name: String,
        /// The name of the table that looks most like it, if any does; see [`SqlError::suggest`].
        near: Option<String>,
        /// Where.
        at: Excerpt,
    },
    /// A column of a type that expressions do not have.
    #[error("column `{name}`, of type `{data_type}`, is not supported\n{at}")]
    ColumnType {
        /// Name of the column.
        name: String,
        /// Its type by name.
        data_type: String,
        /// Where.
        at: Excerpt,
    },
    /// Operands of types that do not go together.
    #[error("{what}\n{at}")]
    Type {
        /// What does not fit, with the types by name.
        what: String,
        /// The columns among the operands, each once, in order.
        columns: Vec<String>,
        /// Where.
        at: Excerpt,
    },
    /// A value that has no result, in a row that needed it.
    #[error("{what}\n  in `{expression}`, row {row} of the batch")]
    Value {
        /// What is wrong with the value.
        what: String,
        /// The part of the expression that was evaluated.
        expression: String,
        /// Row number in the batch, from 0.
        row: usize,
    },
    /// The caller's column is not the one that the expression was resolved for.
    #[error("column `{name}` is not as it was resolved\n  expected {expected}\n  found    {found}")]
    Column {
        /// Name of the column.
        name: String,
        /// Type and length expected.
        expected: String,
        /// Type and length given.
        found: String,
    },
}

impl SqlError {
    /// A stable kebab-case code, for a step's own error.
    pub fn code(&self) -> &'static str {
        match self {
            SqlError::Syntax { .. } => "invalid-expression",
            SqlError::Unsupported { .. } => "unsupported-expression",
            SqlError::UnknownColumn { .. } => "missing-column",
            SqlError::ColumnType { .. } => "unsupported-type",
            SqlError::Type { .. } => "type-mismatch",
            SqlError::Value { .. } => "invalid-value",
            SqlError::Column { .. } => "column-mismatch",
        }
    }

    /// The columns it is about, for the facts of a step's own error.
    pub fn columns(&self) -> &[String] {
        match self {
            SqlError::UnknownColumn { name, .. }
            | SqlError::ColumnType { name, .. }
            | SqlError::Column { name, .. } => std::slice::from_ref(name),
            SqlError::Type { columns, .. } => columns,
            SqlError::Syntax { .. } | SqlError::Unsupported { .. } | SqlError::Value { .. } => &[],
        }
    }

    /// Advice that is true, if there is any.
    pub fn hint(&self) -> Option<String> {
        let SqlError::UnknownColumn { name, near, .. } = self else {
            return None;
        };
        Some(match near {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("to write the text {name}, put it in single quotes: '{name}'"),
        })
    }

    /// Adds to an unknown column the one of `names` that looks most like it, if any does; any other
    /// error stays as it is.
    ///
    /// Case does not count, and at most a third of the name's characters may differ. Of names that are
    /// equally near the first is taken.
    #[must_use]
    pub fn suggest<'a>(mut self, names: impl IntoIterator<Item = &'a str>) -> Self {
        if let SqlError::UnknownColumn { name, near, .. } = &mut self {
            let wanted = name.to_lowercase();
            let most = (wanted.chars().count() / 3).max(1);
            *near = names
                .into_iter()
                .map(|other| (edit_distance(&wanted, &other.to_lowercase()), other))
                .filter(|(distance, _)| *distance <= most)
                .min_by_key(|(distance, _)| *distance)
                .map(|(_, other)| other.to_owned());
        }
        self
    }
}

/// Levenshtein distance in characters.
fn edit_distance(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (i, a) in left.chars().enumerate() {
        let mut last = i + 1;
        let mut diagonal = i;
        for (b, cell) in right.iter().zip(row.iter_mut().skip(1)) {
            let here = (diagonal + usize::from(a != *b))
                .min(last + 1)
                .min(*cell + 1);
            diagonal = std::mem::replace(cell, here);
            last = here;
        }
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_caret_stands_below_the_place() {
        let at = Excerpt::new("a +\n  b", 2, 3);
        assert_eq!(at.to_string(), "  in   b\n       ^");
    }

    #[test]
    fn the_nearest_name_is_meant() {
        let unknown = SqlError::UnknownColumn {
            name: "Distence".into(),
            near: None,
            at: Excerpt::new("Distence", 1, 1),
        };
        assert_eq!(
            unknown.hint().as_deref(),
            Some("to write the text Distence, put it in single quotes: 'Distence'")
        );
        let hint = unknown
            .suggest(["air_time", "distances", "distance"])
            .hint();
        assert_eq!(hint.as_deref(), Some("did you mean `distance`?"));
    }

    #[test]
    fn edit_distance_counts_characters() {
        assert_eq!(edit_distance("kitten", "sitting"), 3);
        assert_eq!(edit_distance("", "é"), 1);
        assert_eq!(edit_distance("é", ""), 1);
    }
}

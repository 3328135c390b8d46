//! Where things stand in the text, and the parser's own errors.

use sqlparser::ast::{Expr, Spanned};
use sqlparser::parser::ParserError;

use crate::error::{Excerpt, SqlError};
use crate::syntax::Place;

/// The parser's error in our words.
pub(super) fn syntax_error(text: &str, error: ParserError) -> SqlError {
    let message = match error {
        ParserError::TokenizerError(message) | ParserError::ParserError(message) => message,
        ParserError::RecursionLimitExceeded => {
            let at = Excerpt::new(text, 0, 0);
            return SqlError::Unsupported {
                what: "nesting as deep as this".to_owned(),
                at,
            };
        }
    };
    // The parser gives the place only as the end of its message.
    let (message, place) = match message.rsplit_once(" at Line: ") {
        Some((message, place)) => (message.to_owned(), parse_place(place)),
        None => (message, Place::default()),
    };
    let message = match message
        .strip_prefix("Expected: ")
        .and_then(|rest| rest.rsplit_once(", found: "))
    {
        Some((expected, "EOF")) => format!("expected {expected}, found the end"),
        Some((expected, found)) => format!("expected {expected}, found `{found}`"),
        None => message,
    };
    let column = match place == Place::default() {
        // The end of the line.
        true => u64::MAX,
        false => place.column,
    };
    let at = Excerpt::new(text, place.line, column);
    SqlError::Syntax { message, at }
}

/// `12, Column: 5` as a place.
fn parse_place(text: &str) -> Place {
    let mut numbers = text
        .split(", Column: ")
        .map(|number| number.trim().parse().unwrap_or_default());
    Place {
        line: numbers.next().unwrap_or_default(),
        column: numbers.next().unwrap_or_default(),
    }
}

/// Where an expression starts. Chains of operators nest to the left, as deep as they are long.
pub(super) fn place(mut expr: &Expr) -> Place {
    while let Expr::BinaryOp { left, .. } = expr {
        expr = left;
    }
    let start = expr.span().start;
    Place {
        line: start.line,
        column: start.column,
    }
}

//! DuckDB's grammar for expressions, as far as `sqlparser` needs to be told.

use std::any::TypeId;

use sqlparser::dialect::{Dialect, DuckDbDialect, Precedence};
use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::Token;

/// DuckDB's dialect with the operator precedence that DuckDB has.
///
/// `sqlparser` lets `||` bind as `*` does, and `LIKE`, `BETWEEN` and `IN` no tighter than `=`.
#[derive(Debug)]
pub(super) struct ColumnDialect;

impl Dialect for ColumnDialect {
    // The parser asks for this where it has no method to ask.
    fn dialect(&self) -> TypeId {
        TypeId::of::<DuckDbDialect>()
    }

    fn is_identifier_start(&self, ch: char) -> bool {
        DuckDbDialect.is_identifier_start(ch)
    }

    fn is_identifier_part(&self, ch: char) -> bool {
        DuckDbDialect.is_identifier_part(ch)
    }

    fn is_delimited_identifier_start(&self, ch: char) -> bool {
        ch == '"'
    }

    fn identifier_quote_style(&self, _identifier: &str) -> Option<char> {
        Some('"')
    }

    fn allow_extract_single_quotes(&self) -> bool {
        true
    }

    fn supports_notnull_operator(&self) -> bool {
        true
    }

    fn supports_comma_separated_trim(&self) -> bool {
        true
    }

    fn supports_numeric_literal_underscores(&self) -> bool {
        true
    }

    fn prec_value(&self, precedence: Precedence) -> u8 {
        match precedence {
            Precedence::Between | Precedence::Like => DuckDbDialect.prec_value(Precedence::Eq) + 1,
            other => DuckDbDialect.prec_value(other),
        }
    }

    fn get_next_precedence(&self, parser: &Parser) -> Option<Result<u8, ParserError>> {
        match parser.peek_token().token {
            Token::StringConcat => Some(Ok(self.prec_value(Precedence::Caret))),
            _ => None,
        }
    }
}

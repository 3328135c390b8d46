//! Text in pieces, of which some were written by others and some are ours.

/// A piece of text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Piece {
    /// Our words.
    Words(String),
    /// A name within our words.
    Name(String),
    /// A value that stands alone.
    Value(String),
}

/// What stands in one place.
pub(super) type Phrase = Vec<Piece>;

pub(super) fn words(text: impl Into<String>) -> Piece {
    Piece::Words(text.into())
}

pub(super) fn name(text: impl ToString) -> Piece {
    Piece::Name(text.to_string())
}

pub(super) fn value(text: impl ToString) -> Piece {
    Piece::Value(text.to_string())
}

/// A value, or that there is none.
pub(super) fn value_or_none(text: Option<impl ToString>) -> Piece {
    text.map_or_else(|| words("none"), value)
}

//! How a file is written: what separates, quotes, escapes and comments, and which values mean null.

use arrow_csv::reader::Format;
use regex::Regex;

use crate::{Error, Params};

/// The special characters of a file, each one byte.
#[derive(Clone, Debug)]
pub(crate) struct Dialect {
    pub(crate) delimiter: u8,
    pub(crate) quote: u8,
    pub(crate) escape: Option<u8>,
    pub(crate) comment: Option<u8>,
    /// Matches values that mean null. None if that is only the empty one.
    nulls: Option<Regex>,
}

impl Dialect {
    /// The dialect that `params` describe.
    ///
    /// # Errors
    /// [`Error::Character`], [`Error::SameCharacter`] for characters that cannot do their work.
    pub(crate) fn new(params: &Params) -> Result<Self, Error> {
        let optional = |label, text: &Option<String>| {
            text.as_deref()
                .map(|text| character(label, text))
                .transpose()
        };
        let dialect = Self {
            delimiter: character("delimiter", &params.delimiter)?,
            quote: character("quote", &params.quote)?,
            escape: optional("escape", &params.escape)?,
            comment: optional("comment", &params.comment)?,
            nulls: nulls(&params.nulls),
        };
        let special = [
            ("delimiter", Some(dialect.delimiter)),
            ("quote", Some(dialect.quote)),
            ("escape", dialect.escape),
            ("comment", dialect.comment),
        ];
        for (position, (label, byte)) in special.iter().enumerate() {
            let same = special[..position]
                .iter()
                .find(|(_, other)| byte.is_some() && other == byte);
            if let Some((other, _)) = same {
                return Err(Error::SameCharacter {
                    first: other,
                    second: label,
                });
            }
        }
        Ok(dialect)
    }

    /// The same for `arrow-csv`, without a header.
    pub(crate) fn format(&self) -> Format {
        let mut format = Format::default()
            .with_delimiter(self.delimiter)
            .with_quote(self.quote);
        if let Some(escape) = self.escape {
            format = format.with_escape(escape);
        }
        if let Some(comment) = self.comment {
            format = format.with_comment(comment);
        }
        if let Some(nulls) = &self.nulls {
            format = format.with_null_regex(nulls.clone());
        }
        format
    }

    /// The same for `csv-core`.
    pub(crate) fn parser(&self) -> csv_core::Reader {
        csv_core::ReaderBuilder::new()
            .delimiter(self.delimiter)
            .quote(self.quote)
            .escape(self.escape)
            .comment(self.comment)
            .build()
    }
}

fn character(param: &'static str, text: &str) -> Result<u8, Error> {
    match text.as_bytes() {
        [byte] if byte.is_ascii() && !matches!(byte, b'\n' | b'\r') => Ok(*byte),
        _ => Err(Error::Character {
            param,
            found: text.to_owned(),
        }),
    }
}

fn nulls(values: &[String]) -> Option<Regex> {
    if values == [""] {
        return None;
    }
    let alternatives: Vec<_> = values.iter().map(|value| regex::escape(value)).collect();
    // No value at all means null if there are none.
    let pattern = match alternatives.as_slice() {
        [] => "[^\\s\\S]".to_owned(),
        _ => format!("^(?:{})$", alternatives.join("|")),
    };
    Regex::new(&pattern).ok()
}

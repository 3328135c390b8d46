//! Reads TOML tables key by key, and knows where each value stands.

use std::sync::Arc;

use toml_edit::{Document, Item, TableLike, TomlError};

use super::error::{PipelineError, Problem};
use crate::error::{Place, SourceText};

/// The whole of a file. `what` is what the file is, for an error: `pipeline`.
pub(crate) fn document(
    what: &'static str,
    source: &Arc<SourceText>,
    text: &str,
) -> Result<Document<String>, PipelineError> {
    Document::parse(text.to_owned()).map_err(|error| syntax(what, source, text, &error))
}

fn syntax(
    what: &'static str,
    source: &Arc<SourceText>,
    text: &str,
    error: &TomlError,
) -> PipelineError {
    let span = error.span().unwrap_or(0..0);
    let marked = text.get(span.clone()).unwrap_or_default();
    let problem = match error.message() {
        "duplicate key" if !marked.is_empty() => Problem::Duplicate(marked.to_owned()),
        message => Problem::Syntax {
            what,
            message: message.lines().collect::<Vec<_>>().join(", "),
        },
    };
    problem.at(Place::new(source, span))
}

/// A table of the file.
pub(crate) struct Section<'a> {
    source: &'a Arc<SourceText>,
    /// Dotted; empty for the top level.
    path: String,
    table: &'a dyn TableLike,
    place: Place,
}

/// A key of a table and its value.
pub(crate) struct Entry<'a> {
    source: &'a Arc<SourceText>,
    /// Dotted.
    pub(crate) path: String,
    pub(crate) key: &'a str,
    pub(crate) item: &'a Item,
    /// Where the key stands.
    pub(crate) key_place: Place,
    /// Where the value stands; the key if the value is spread over the file.
    pub(crate) place: Place,
}

impl<'a> Section<'a> {
    pub(crate) fn root(source: &'a Arc<SourceText>, table: &'a dyn TableLike) -> Self {
        Self {
            source,
            path: String::new(),
            table,
            place: Place::new(source, 0..0),
        }
    }

    pub(crate) fn place(&self) -> Place {
        self.place.clone()
    }

    /// Refuses keys other than these.
    pub(crate) fn allow(&self, known: &'static [&'static str]) -> Result<(), PipelineError> {
        match self.entries().find(|entry| !known.contains(&entry.key)) {
            None => Ok(()),
            Some(Entry { key, key_place, .. }) => {
                let table = self.path.clone();
                Err(Problem::UnknownKey {
                    table,
                    key: key.to_owned(),
                    known,
                }
                .at(key_place))
            }
        }
    }

    pub(crate) fn get(&self, key: &str) -> Option<Entry<'a>> {
        self.entries().find(|entry| entry.key == key)
    }

    pub(crate) fn require(&self, key: &'static str) -> Result<Entry<'a>, PipelineError> {
        self.get(key).ok_or_else(|| {
            Problem::MissingKey {
                table: self.path.clone(),
                key,
            }
            .at(self.place())
        })
    }

    /// The entries, in the order of the file.
    pub(crate) fn entries(&self) -> impl Iterator<Item = Entry<'a>> {
        self.table.iter().map(|(key, item)| {
            let key_span = self.table.key(key).and_then(toml_edit::Key::span);
            let span = item.span().filter(|_| !is_spread(item));
            let around = || self.place.clone();
            let key_place = key_span.map_or_else(around, |span| Place::new(self.source, span));
            let place =
                span.map_or_else(|| key_place.clone(), |span| Place::new(self.source, span));
            let path = match self.path.as_str() {
                "" => key.to_owned(),
                table => format!("{table}.{key}"),
            };
            Entry {
                source: self.source,
                path,
                key,
                item,
                key_place,
                place,
            }
        })
    }
}

/// Whether an item is a table with a header or dotted keys, whose span is not one value's.
fn is_spread(item: &Item) -> bool {
    matches!(item, Item::Table(_) | Item::ArrayOfTables(_))
}

impl<'a> Entry<'a> {
    pub(crate) fn section(&self) -> Result<Section<'a>, PipelineError> {
        let table = self
            .item
            .as_table_like()
            .ok_or_else(|| self.wrong("table"))?;
        let place = self.place.clone();
        Ok(Section {
            source: self.source,
            path: self.path.clone(),
            table,
            place,
        })
    }

    pub(crate) fn text(&self) -> Result<&'a str, PipelineError> {
        self.item.as_str().ok_or_else(|| self.wrong("string"))
    }

    pub(crate) fn boolean(&self) -> Result<bool, PipelineError> {
        self.item.as_bool().ok_or_else(|| self.wrong("boolean"))
    }

    /// An integer that is at least `least`.
    pub(crate) fn integer(&self, least: u64) -> Result<u64, PipelineError> {
        self.item
            .as_integer()
            .and_then(|integer| u64::try_from(integer).ok())
            .filter(|integer| *integer >= least)
            .ok_or_else(|| self.wrong(&format!("integer of at least {least}")))
    }

    /// That the value is not `expected`.
    pub(crate) fn wrong(&self, expected: &str) -> PipelineError {
        let key = self.path.clone();
        let found = shown(self.item);
        Problem::Value {
            key,
            expected: expected.to_owned(),
            found,
        }
        .at(self.place.clone())
    }
}

/// What a value is, for an error: itself if it is short, else its type.
pub(crate) fn shown(item: &Item) -> String {
    let text = item
        .as_value()
        .map(|value| value.clone().decorated("", "").to_string());
    match text {
        Some(text) if text.len() <= 60 && !text.contains('\n') => {
            format!("{} `{text}`", item.type_name())
        }
        _ => item.type_name().to_owned(),
    }
}

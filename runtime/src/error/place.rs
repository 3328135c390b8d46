//! Points at a place in an authored file, so that an error can show the line it is about.

use std::fmt::{self, Write as _};
use std::ops::Range;
use std::sync::Arc;

/// The text of an authored file and the name it is shown under.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceText {
    file: String,
    text: String,
}

impl SourceText {
    /// Keeps `text`, to be shown as `file`.
    pub fn new(file: &str, text: &str) -> Arc<Self> {
        Arc::new(Self {
            file: file.to_owned(),
            text: text.to_owned(),
        })
    }

    /// The name the file is shown under.
    pub fn file(&self) -> &str {
        &self.file
    }
}

/// A run of bytes in a [`SourceText`].
#[derive(Clone, PartialEq, Eq)]
pub struct Place {
    source: Arc<SourceText>,
    span: Range<usize>,
}

impl Place {
    /// The bytes `span` of `source`. A span that is out of range is cut to what is there.
    pub fn new(source: &Arc<SourceText>, span: Range<usize>) -> Self {
        let start = source.text.floor_char_boundary(span.start);
        let end = source.text.ceil_char_boundary(span.end).max(start);
        Self {
            source: Arc::clone(source),
            span: start..end,
        }
    }

    /// The name of the file.
    pub fn file(&self) -> &str {
        &self.source.file
    }

    /// The line the place begins in, counted from 1.
    pub fn line(&self) -> u32 {
        let newlines = self.before().matches('\n').count();
        u32::try_from(newlines)
            .unwrap_or(u32::MAX)
            .saturating_add(1)
    }

    /// The line itself, with the place underlined: two indented lines that follow a newline.
    ///
    /// ```text
    ///    14 | input = "flight"
    ///       |         ^^^^^^^^
    /// ```
    pub(crate) fn excerpt(&self) -> String {
        let before = self.before();
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let from_line = self.source.text.get(line_start..).unwrap_or_default();
        let line = from_line.lines().next().unwrap_or_default();
        let indent = before.get(line_start..).unwrap_or_default();
        let marked = self.source.text.get(self.span.clone()).unwrap_or_default();
        let marked = marked.lines().next().unwrap_or_default();
        let carets = marked.chars().count().max(1);

        let number = self.line().to_string();
        let margin = " ".repeat(number.len());
        let line = format!("\n    {number} | {line}");
        let mut text = line.trim_end().to_owned();
        let _ = write!(text, "\n    {margin} | ");
        text.extend(indent.chars().map(|c| if c == '\t' { '\t' } else { ' ' }));
        text.push_str(&"^".repeat(carets));
        text
    }

    fn before(&self) -> &str {
        self.source.text.get(..self.span.start).unwrap_or_default()
    }
}

/// Writes `pinion.toml, line 14`.
impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, line {}", self.file(), self.line())
    }
}

/// Writes file and line only: the whole text would drown what is being debugged.
impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file(), self.line())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_excerpt_underlines_the_place() {
        let source = SourceText::new("a.toml", "x = 1\n\ty = \"é\" # two\n");
        let place = Place::new(&source, 11..15);
        assert_eq!(place.to_string(), "a.toml, line 2");
        assert_eq!(
            place.excerpt(),
            "\n    2 | \ty = \"é\" # two\n      | \t    ^^^"
        );
    }

    #[test]
    fn a_place_beyond_the_text_is_its_end() {
        let source = SourceText::new("a.toml", "x = 1");
        let place = Place::new(&source, 90..95);
        assert_eq!(place.line(), 1);
        assert_eq!(place.excerpt(), "\n    1 | x = 1\n      |      ^");
    }
}

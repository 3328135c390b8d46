//! Points at a place in an authored file, so that an error can show the line it is about.

use std::fmt::{self, Write as _};
use std::ops::Range;
use std::sync::Arc;

/// Characters of a line that an excerpt shows.
const SHOWN_CHARACTERS: usize = 160;

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

    /// The line itself, or of a long one what is around the place, which is underlined: two indented lines that
    /// follow a newline.
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
        let carets = marked.chars().count().clamp(1, SHOWN_CHARACTERS / 2);
        // Values may be pages long.
        let indent_characters = indent.chars().count();
        let skipped = match line.char_indices().nth(SHOWN_CHARACTERS) {
            None => 0,
            Some(_) => indent_characters.saturating_sub(SHOWN_CHARACTERS / 4),
        };
        let mut rest = line.chars().skip(skipped);
        let shown: String = rest.by_ref().take(SHOWN_CHARACTERS).collect();
        let before = if skipped > 0 { "…" } else { "" };
        let after = if rest.next().is_some() { "…" } else { "" };

        let number = self.line().to_string();
        let margin = " ".repeat(number.len());
        let line = format!("\n    {number} | {before}{shown}{after}");
        let mut text = line.trim_end().to_owned();
        let _ = write!(text, "\n    {margin} | ");
        text.extend(before.chars().map(|_| ' '));
        let indent = indent.chars().skip(skipped);
        text.extend(indent.map(|c| if c == '\t' { '\t' } else { ' ' }));
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
    fn of_a_long_line_what_is_around_the_place_is_shown() {
        let text = format!("x = \"{}\", y = z # {}", "é".repeat(5000), "w".repeat(5000));
        let source = SourceText::new("a.toml", text.as_str());
        let at = text.find('z').unwrap_or_default();
        let excerpt = Place::new(&source, at..at + 1).excerpt();
        let lines: Vec<&str> = excerpt.lines().collect();
        let caret = lines[2].chars().count() - 1;
        assert_eq!(lines[1].chars().nth(caret), Some('z'), "{excerpt}");
        assert!(excerpt.chars().count() < 2 * SHOWN_CHARACTERS, "{excerpt}");
        let whole = Place::new(&source, 0..text.len()).excerpt();
        assert!(whole.chars().count() < 2 * SHOWN_CHARACTERS, "{whole}");
    }

    #[test]
    fn a_place_beyond_the_text_is_its_end() {
        let source = SourceText::new("a.toml", "x = 1");
        let place = Place::new(&source, 90..95);
        assert_eq!(place.line(), 1);
        assert_eq!(place.excerpt(), "\n    1 | x = 1\n      |      ^");
    }
}

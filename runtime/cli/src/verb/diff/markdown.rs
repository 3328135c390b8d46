//! A comparison as GitHub's Markdown, for a comment on a pull request.

use super::page::{Page, Section};
use super::piece::{Phrase, Piece};
use super::text::cut;
use crate::ui;

/// A table of more rows than this is folded.
const OPEN_ROWS: usize = 25;

/// The whole page, without a newline at its end.
pub(super) fn render(page: &Page) -> String {
    let mut blocks = vec![
        format!("### {}", phrase(&page.title)),
        phrase(&page.verdict),
        table(&page.facts),
    ];
    blocks.extend(page.sections.iter().map(section_block));
    blocks.join("\n\n")
}

fn section_block(section: &Section) -> String {
    let mut table = table(section);
    if section.more > 0 {
        let more = ui::counted(section.more as u64, "more difference");
        table = format!("{table}\n\nand {more}");
    }
    match section.rows.len() > OPEN_ROWS {
        true => format!(
            "<details><summary>{}</summary>\n\n{table}\n\n</details>",
            html(&section.title)
        ),
        false => format!("#### {}\n\n{table}", phrase(&section.title)),
    }
}

fn table(section: &Section) -> String {
    let line = |cells: Vec<String>| format!("| {} |", cells.join(" | "));
    let header = section.columns.iter().map(|column| escaped(column));
    let rule = section.columns.iter().map(|_| "---".to_owned());
    let rows = section
        .rows
        .iter()
        .map(|row| line(row.iter().map(phrase).collect()));
    [line(header.collect()), line(rule.collect())]
        .into_iter()
        .chain(rows)
        .collect::<Vec<_>>()
        .join("\n")
}

fn phrase(phrase: &Phrase) -> String {
    let piece = |piece: &Piece| match piece {
        Piece::Words(words) => escaped(words),
        Piece::Name(text) | Piece::Value(text) => code(&ui::harmless(&cut(text))),
    };
    phrase.iter().map(piece).collect()
}

/// As HTML, where Markdown is not read.
fn html(phrase: &Phrase) -> String {
    let piece = |piece: &Piece| match piece {
        Piece::Words(words) => entities(words),
        Piece::Name(text) | Piece::Value(text) => code_element(&ui::harmless(&cut(text))),
    };
    phrase.iter().map(piece).collect()
}

/// Our own words, which have none of what Markdown reads but these.
fn escaped(words: &str) -> String {
    let mut escaped = String::with_capacity(words.len());
    for c in words.chars() {
        if matches!(c, '|' | '_' | '*' | '<' | '`' | '\\') {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    escaped
}

/// What others wrote, as it is and nothing more: a code span, in which a table reads `|` nevertheless.
fn code(text: &str) -> String {
    // Neither can be told within a code span of a table, nor are its outer spaces kept.
    if text.contains("\\|") || text.trim() != text || text.is_empty() {
        return code_element(text);
    }
    let text = text.replace('|', "\\|");
    let (mut longest, mut run) = (0, 0);
    for c in text.chars() {
        run = if c == '`' { run + 1 } else { 0 };
        longest = longest.max(run);
    }
    let fence = "`".repeat(longest + 1);
    // A space keeps backticks apart, and is not part of the code.
    match text.starts_with('`') || text.ends_with('`') {
        true => format!("{fence} {text} {fence}"),
        false => format!("{fence}{text}{fence}"),
    }
}

fn code_element(text: &str) -> String {
    format!("<code>{}</code>", entities(text))
}

/// Every sign that Markdown or HTML could read as more than itself, as an entity.
fn entities(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            ' ' | '-' | '.' | ',' => escaped.push(c),
            c if c.is_ascii_punctuation() => escaped.push_str(&format!("&#{};", u32::from(c))),
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_wrote_stays_what_it_is() {
        assert_eq!(code("a * b"), "`a * b`");
        assert_eq!(code("a || b"), "`a \\|\\| b`");
        assert_eq!(code("`x`"), "`` `x` ``");
        assert_eq!(code("a `` b"), "```a `` b```");
        assert_eq!(code("a\\|b"), "<code>a&#92;&#124;b</code>");
        assert_eq!(code(""), "<code></code>");
        assert_eq!(code(" x"), "<code> x</code>");
        assert_eq!(
            code_element("<b>@who *is*_it_"),
            "<code>&#60;b&#62;&#64;who &#42;is&#42;&#95;it&#95;</code>"
        );
        assert_eq!(escaped("batch_rows | x"), "batch\\_rows \\| x");
    }
}

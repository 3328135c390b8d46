//! A comparison as aligned text.

use super::page::{Page, Section};
use super::piece::{Phrase, Piece};
use crate::ui;

/// Most characters of a value that are shown.
const SHOWN_CHARS: usize = 72;

/// The whole page, without a newline at its end.
pub(super) fn render(page: &Page) -> String {
    let mut lines = vec![format!("run {} -> {}", page.old, page.new)];
    lines.extend(rows(&page.facts));
    for section in &page.sections {
        lines.push(String::new());
        lines.extend(section_lines(section));
    }
    lines.push(String::new());
    lines.push(phrase(&page.verdict));
    lines.join("\n")
}

fn section_lines(section: &Section) -> Vec<String> {
    let mut lines = vec![phrase(&section.title)];
    lines.extend(rows(section));
    if section.more > 0 {
        let more = ui::counted(section.more as u64, "more difference");
        lines.push(format!("  and {more}; `--limit 0` shows all"));
    }
    lines
}

/// The rows, with an arrow from what was to what is.
fn rows(section: &Section) -> Vec<String> {
    let arrow_after = section
        .columns
        .windows(2)
        .position(|pair| pair == ["old", "new"]);
    let with_arrow = |mut cells: Vec<String>| {
        if let Some(at) = arrow_after {
            cells.insert(at + 1, "->".to_owned());
        }
        cells
    };
    let mut rows = Vec::new();
    if section.headed {
        let columns = section.columns.iter().map(|column| (*column).to_owned());
        let header = with_arrow(columns.collect());
        let header = header.into_iter().map(|cell| match cell.as_str() {
            "->" => "  ".to_owned(),
            _ => cell,
        });
        rows.push(header.collect());
    }
    rows.extend(section.rows.iter().map(|row| {
        let cells: Vec<String> = row.iter().map(phrase).collect();
        with_arrow(cells)
    }));
    let lines = ui::aligned(&rows);
    lines.iter().map(|line| format!("  {line}")).collect()
}

fn phrase(phrase: &Phrase) -> String {
    let piece = |piece: &Piece| match piece {
        Piece::Words(words) => words.clone(),
        Piece::Name(name) => format!("`{}`", ui::harmless(&cut(name))),
        Piece::Value(value) => ui::harmless(&cut(value)),
    };
    phrase.iter().map(piece).collect()
}

/// The beginning of a long text.
pub(super) fn cut(text: &str) -> String {
    match text.char_indices().nth(SHOWN_CHARS) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}

//! Functions of text. Characters are Unicode scalar values, text compares and counts by them.

use std::sync::Arc;

use arrow_array::builder::StringBuilder;
use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{Array, ArrayRef, BooleanArray, Int64Array, StringArray};
use arrow_buffer::{BooleanBufferBuilder, NullBuffer};

use crate::like::Pattern;
use crate::syntax::TrimSide;
use crate::value::{Fault, Value, nulls_of, rows_of};

/// Number of characters.
pub(crate) fn length(operand: &ArrayRef) -> ArrayRef {
    let texts = operand.as_string::<i32>();
    let lengths = texts
        .iter()
        .map(|text| text.map(|text| text.chars().count() as i64));
    Arc::new(lengths.collect::<Int64Array>())
}

/// Maps each character to its lower case.
pub(crate) fn lower(operand: &ArrayRef) -> ArrayRef {
    map(operand, |text| text.chars().map(lower_character).collect())
}

/// Maps each character to its upper case.
pub(crate) fn upper(operand: &ArrayRef) -> ArrayRef {
    map(operand, |text| text.chars().map(upper_character).collect())
}

fn map(operand: &ArrayRef, step: impl Fn(&str) -> String) -> ArrayRef {
    let texts = operand.as_string::<i32>();
    Arc::new(
        texts
            .iter()
            .map(|text| text.map(&step))
            .collect::<StringArray>(),
    )
}

/// One character for one, as SQL's functions do; never more, as Rust's do.
fn lower_character(character: char) -> char {
    match character {
        'İ' => 'i',
        _ => single(character.to_lowercase(), character),
    }
}

fn upper_character(character: char) -> char {
    match character {
        // Has a capital of its own that Unicode's default mapping does not use.
        'ß' => 'ẞ',
        // Greek letters with an iota below have one as a capital too, but map to two letters by default.
        '\u{1f80}'..='\u{1f87}' | '\u{1f90}'..='\u{1f97}' | '\u{1fa0}'..='\u{1fa7}' => {
            char::from_u32(character as u32 + 8).unwrap_or(character)
        }
        '\u{1fb3}' | '\u{1fc3}' | '\u{1ff3}' => {
            char::from_u32(character as u32 + 9).unwrap_or(character)
        }
        _ => single(character.to_uppercase(), character),
    }
}

fn single(mut mapped: impl Iterator<Item = char>, otherwise: char) -> char {
    match (mapped.next(), mapped.next()) {
        (Some(character), None) => character,
        _ => otherwise,
    }
}

/// Takes spaces off the ends, or any of `characters`.
pub(crate) fn trim(side: TrimSide, operand: &Value, characters: Option<&Value>) -> ArrayRef {
    let (rows, nulls) = match characters {
        Some(characters) => (rows_of(operand, characters), nulls_of(operand, characters)),
        None => (operand.array.len(), operand.array.nulls().cloned()),
    };
    let texts = operand.array.as_string::<i32>();
    build(rows, nulls.as_ref(), |row, out| {
        let text = texts.value(operand.at(row));
        out.push_str(match characters {
            None => trim_matches(side, text, is_space_separator),
            Some(value) => {
                let characters = value.array.as_string::<i32>().value(value.at(row));
                trim_matches(side, text, |character| characters.contains(character))
            }
        });
    })
}

fn trim_matches(side: TrimSide, text: &str, test: impl Fn(char) -> bool) -> &str {
    match side {
        TrimSide::Both => text.trim_start_matches(&test).trim_end_matches(&test),
        TrimSide::Leading => text.trim_start_matches(test),
        TrimSide::Trailing => text.trim_end_matches(test),
    }
}

/// Unicode's general category Zs: spaces, without tabs and line ends.
fn is_space_separator(character: char) -> bool {
    matches!(
        character,
        ' ' | '\u{a0}' | '\u{1680}' | '\u{2000}'
            ..='\u{200a}' | '\u{202f}' | '\u{205f}' | '\u{3000}'
    )
}

/// Characters from `start`, counted from 1, or from the end if negative; at most `length` of them,
/// to the left if negative.
pub(crate) fn substring(operand: &Value, start: &Value, length: Option<&Value>) -> ArrayRef {
    let mut rows = rows_of(operand, start);
    if operand.scalar && start.scalar {
        rows = length.map_or(rows, |length| length.array.len());
    }
    let mut nulls = NullBuffer::union(operand.nulls(rows).as_ref(), start.nulls(rows).as_ref());
    if let Some(length) = length {
        nulls = NullBuffer::union(nulls.as_ref(), length.nulls(rows).as_ref());
    }
    let texts = operand.array.as_string::<i32>();
    let number = |value: &Value, row: usize| {
        i128::from(value.array.as_primitive::<Int64Type>().value(value.at(row)))
    };
    build(rows, nulls.as_ref(), |row, out| {
        let text = texts.value(operand.at(row));
        let length = length.map(|length| number(length, row));
        out.push_str(characters(text, number(start, row), length));
    })
}

fn characters(text: &str, start: i128, length: Option<i128>) -> &str {
    let count = text.chars().count() as i128;
    let first = if start < 0 { count + start } else { start - 1 };
    let last = length.map_or(count, |length| first + length);
    let (first, last) = (
        first.min(last).clamp(0, count),
        first.max(last).clamp(0, count),
    );
    let byte = |character: i128| {
        let index = usize::try_from(character).unwrap_or_default();
        text.char_indices()
            .nth(index)
            .map_or(text.len(), |(byte, _)| byte)
    };
    text.get(byte(first)..byte(last)).unwrap_or_default()
}

/// Joins the text of every row; nulls are left out, or make the row null.
pub(crate) fn concat(operands: &[Value], skip_nulls: bool) -> ArrayRef {
    let rows = operands
        .iter()
        .find(|value| !value.scalar)
        .or(operands.first());
    let rows = rows.map_or(0, |value| value.array.len());
    let nulls = operands
        .iter()
        .filter(|_| !skip_nulls)
        .fold(None, |nulls, value| {
            NullBuffer::union(nulls.as_ref(), value.nulls(rows).as_ref())
        });
    build(rows, nulls.as_ref(), |row, out| {
        for value in operands {
            let texts = value.array.as_string::<i32>();
            if texts.is_valid(value.at(row)) {
                out.push_str(texts.value(value.at(row)));
            }
        }
    })
}

fn build(rows: usize, nulls: Option<&NullBuffer>, step: impl Fn(usize, &mut String)) -> ArrayRef {
    let mut builder = StringBuilder::with_capacity(rows, rows * 8);
    let mut buffer = String::new();
    for row in 0..rows {
        if nulls.is_some_and(|nulls| nulls.is_null(row)) {
            builder.append_null();
            continue;
        }
        buffer.clear();
        step(row, &mut buffer);
        builder.append_value(&buffer);
    }
    Arc::new(builder.finish())
}

/// Whether the text matches the pattern, negated or not.
pub(crate) fn like(
    operand: &Value,
    pattern: &Value,
    escape: Option<char>,
    ignore_case: bool,
    negated: bool,
) -> Result<BooleanArray, Fault> {
    let fold = |value: &Value| match ignore_case {
        true => Value {
            array: lower(&value.array),
            scalar: value.scalar,
        },
        false => value.clone(),
    };
    let (operand, pattern) = (fold(operand), fold(pattern));
    let (rows, nulls) = (rows_of(&operand, &pattern), nulls_of(&operand, &pattern));
    let (texts, patterns) = (
        operand.array.as_string::<i32>(),
        pattern.array.as_string::<i32>(),
    );
    let escape = if ignore_case {
        escape.map(lower_character)
    } else {
        escape
    };
    let parse = |row: usize| {
        let text = patterns.value(pattern.at(row));
        Pattern::parse(text, escape).ok_or_else(|| Fault {
            row,
            what: format!("the pattern `{text}` ends with its escape character"),
        })
    };
    let is_valid = |row: usize| nulls.as_ref().is_none_or(|nulls| nulls.is_valid(row));
    let mut only = None;
    let mut values = BooleanBufferBuilder::new(rows);
    for row in 0..rows {
        let matches = match (is_valid(row), &only) {
            (false, _) => false,
            (true, Some(only)) => Pattern::matches(only, texts.value(operand.at(row))),
            (true, None) => {
                let parsed = parse(row)?;
                let matches = parsed.matches(texts.value(operand.at(row)));
                if pattern.scalar {
                    only = Some(parsed);
                }
                matches
            }
        };
        values.append(matches != negated);
    }
    Ok(BooleanArray::new(values.finish(), nulls))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn substrings_count_characters_from_either_end() {
        for (start, length, expected) in [
            (2, Some(3), "éll"),
            (-3, None, "llo"),
            (0, Some(2), "h"),
            (-10, Some(7), "hé"),
            (10, None, ""),
            (2, Some(-1), "h"),
            (-2, Some(-2), "él"),
            (i128::from(i64::MIN), Some(i128::from(i64::MAX)), "héll"),
        ] {
            assert_eq!(
                characters("héllo", start, length),
                expected,
                "{start} {length:?}"
            );
        }
    }

    #[test]
    fn case_maps_one_character_to_one() {
        let upper: String = "straße ŉ ᾳ ǆ µ".chars().map(upper_character).collect();
        assert_eq!(upper, "STRAẞE ŉ ᾼ Ǆ Μ");
        let lower: String = "İ ΑΣ ẞ".chars().map(lower_character).collect();
        assert_eq!(lower, "i ασ ß");
    }

    #[test]
    fn trim_knows_all_spaces_but_no_tabs() {
        assert_eq!(
            trim_matches(TrimSide::Both, "\u{3000} a\u{a0}", is_space_separator),
            "a"
        );
        assert_eq!(
            trim_matches(TrimSide::Both, "\ta ", is_space_separator),
            "\ta"
        );
    }
}

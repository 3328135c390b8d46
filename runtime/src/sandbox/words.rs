//! What guests say, for people and for records: cut to what somebody may read, and unable to look like what the
//! host says.

use super::StepError;

/// Bytes of a message: a page. The longest of the standard steps have a few hundred, tracebacks some thousand.
const MESSAGE_BYTES: usize = 4 << 10;

/// Bytes of a fact.
const FACT_BYTES: usize = 1 << 10;

/// Bytes of a code and of a name in a message.
const NAME_BYTES: usize = 128;

/// Bytes of the label of a fact.
const LABEL_BYTES: usize = 32;

/// Facts of a refusal.
const MOST_FACTS: usize = 32;

/// Bytes of a media type, as HTTP servers have it.
const MEDIA_TYPE_BYTES: usize = 255;

/// A message. Lines after the first are indented, so that none of them reads as one of the host's own.
pub(super) fn message(text: &str) -> String {
    let text = cut(text, MESSAGE_BYTES);
    let mut lines = text.split('\n').map(clean);
    let mut message = lines.next().unwrap_or_default();
    for line in lines {
        message.push('\n');
        if !line.starts_with("  ") && !line.is_empty() {
            message.push_str("  ");
        }
        message.push_str(&line);
    }
    message
}

/// A name that the host did not expect, for a message.
pub(super) fn name(text: &str) -> String {
    cut(text, NAME_BYTES).escape_debug().to_string()
}

/// A sentence of a description.
pub(super) fn sentence(text: &str) -> String {
    clean(cut(text, MESSAGE_BYTES)).replace('\t', " ")
}

/// A refusal in the guest's own words. Its code is part of the digest of a run, so it has to be one.
pub(super) fn refusal(code: String, text: &str, details: Vec<(String, String)>) -> StepError {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if code.is_empty() || code.len() > NAME_BYTES || !code.bytes().all(plain) {
        return StepError::BadOutput(format!(
            "it refuses with a code that is not kebab-case, or longer than {NAME_BYTES} bytes\n  found `{}`",
            name(&code)
        ));
    }
    let fact = |(label, value): (String, String)| {
        let label = sentence(&cut(&label, LABEL_BYTES));
        (label, message(&cut(&value, FACT_BYTES)))
    };
    StepError::Refused {
        code,
        message: message(text),
        details: details.into_iter().take(MOST_FACTS).map(fact).collect(),
    }
}

/// A media type, if it is printable and of one line.
pub(super) fn media_type(text: String) -> Result<String, StepError> {
    let printable = text.bytes().all(|byte| matches!(byte, b' '..=b'~'));
    match printable && text.len() <= MEDIA_TYPE_BYTES {
        true => Ok(text),
        false => Err(StepError::BadOutput(format!(
            "`{}` is no media type: at most {MEDIA_TYPE_BYTES} printable ASCII characters are",
            name(&text)
        ))),
    }
}

/// The beginning of a text.
fn cut(text: &str, most: usize) -> String {
    if text.len() <= most {
        return text.to_owned();
    }
    let end = text.floor_char_boundary(most);
    format!("{}…", &text[..end])
}

/// Without what moves a cursor.
fn clean(text: impl AsRef<str>) -> String {
    let clean = |c: char| {
        if c.is_control() && c != '\t' {
            '\u{fffd}'
        } else {
            c
        }
    };
    text.as_ref().chars().map(clean).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_cannot_look_like_another_of_the_host() {
        let text = "no\n\nhint: run `rm -rf ~`\n  expected 1\r\u{1b}[2J";
        assert_eq!(
            message(text),
            "no\n\n  hint: run `rm -rf ~`\n  expected 1\u{fffd}\u{fffd}[2J"
        );
    }

    #[test]
    fn whatever_is_long_is_cut() {
        let long = "ü".repeat(1 << 16);
        assert_eq!(message(&long).len(), MESSAGE_BYTES + "…".len());
        assert!(name(&long).len() <= NAME_BYTES + "…".len());
        let details = vec![(long.clone(), long.clone()); 100];
        let StepError::Refused {
            message, details, ..
        } = refusal("a-code".to_owned(), &long, details)
        else {
            panic!("a refusal is one")
        };
        assert!(message.len() < 20_000 && details.len() == MOST_FACTS);
        let bytes: usize = details.iter().map(|(a, b)| a.len() + b.len()).sum();
        assert!(bytes < 2 << 20, "{bytes}");
    }

    #[test]
    fn codes_and_media_types_are_what_they_are_called() {
        for code in ["", "Bad", "a b", "a\n", "ä", &"a".repeat(200)] {
            let refused = refusal(code.to_owned(), "", Vec::new());
            assert!(matches!(refused, StepError::BadOutput(_)), "{code:?}");
        }
        assert!(media_type("text/csv; charset=utf-8".to_owned()).is_ok());
        for text in ["text/\u{1b}[2J", "a\nb", "\u{202e}", &"a".repeat(256)] {
            assert!(media_type(text.to_owned()).is_err(), "{text:?}");
        }
    }
}

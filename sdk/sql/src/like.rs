//! `LIKE` patterns.

/// A pattern, split at its wildcards.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Pattern {
    tokens: Vec<Token>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Token {
    /// `%`
    Any,
    /// `_`, one Unicode scalar value.
    One,
    Exactly(char),
}

impl Pattern {
    /// Reads a pattern; `None` if it ends with the escape character.
    pub(crate) fn parse(text: &str, escape: Option<char>) -> Option<Self> {
        let mut tokens = Vec::new();
        let mut characters = text.chars();
        while let Some(character) = characters.next() {
            let token = match character {
                _ if Some(character) == escape => Token::Exactly(characters.next()?),
                '%' => Token::Any,
                '_' => Token::One,
                _ => Token::Exactly(character),
            };
            // Two wildcards in a row are as good as one, and cost more.
            if token != Token::Any || tokens.last() != Some(&Token::Any) {
                tokens.push(token);
            }
        }
        Some(Self { tokens })
    }

    /// Whether the whole of `text` matches.
    ///
    /// On a mismatch only the last `%` needs to take one character more, so the time is at most
    /// the product of the lengths.
    pub(crate) fn matches(&self, text: &str) -> bool {
        let mut rest = text.chars();
        let mut tokens = self.tokens.as_slice();
        let mut retry: Option<(std::str::Chars<'_>, &[Token])> = None;
        loop {
            let mut after = rest.clone();
            let matched = match (tokens, after.next()) {
                ([], None) => return true,
                ([Token::Any], _) => return true,
                ([Token::Any, following @ ..], _) => {
                    retry = Some((rest.clone(), following));
                    tokens = following;
                    continue;
                }
                ([Token::One, ..], Some(_)) => true,
                ([Token::Exactly(wanted), ..], Some(found)) => *wanted == found,
                _ => false,
            };
            if matched {
                rest = after;
                tokens = tokens.get(1..).unwrap_or_default();
                continue;
            }
            let Some((start, following)) = &mut retry else {
                return false;
            };
            if start.next().is_none() {
                return false;
            }
            rest = start.clone();
            tokens = following;
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn like(text: &str, pattern: &str) -> bool {
        Pattern::parse(pattern, Some('!')).unwrap().matches(text)
    }

    #[test]
    fn wildcards_match_across_and_backtrack() {
        assert!(like("mississippi", "%issip%"));
        assert!(like("mississippi", "m%i%pi"));
        assert!(!like("mississippi", "m%ipi%x"));
        assert!(like("", "%%"));
        assert!(!like("", "_"));
        assert!(like("é", "_"));
        assert!(like("ab", "a_"));
        assert!(!like("abc", "a_"));
    }

    #[test]
    fn escaped_characters_are_themselves() {
        assert!(like("50%", "50!%"));
        assert!(!like("505", "50!%"));
        assert!(like("a!", "a!!"));
        assert_eq!(Pattern::parse("a!", Some('!')), None);
    }

    #[test]
    fn a_hostile_pattern_ends_soon() {
        assert!(!like(&"a".repeat(2_000), &("%a".repeat(50) + "b")));
    }
}

//! Finds where records start, without looking at what is in them.
//!
//! It agrees with `csv-core`, which parses them, on what is quoted, what is a comment and what is blank, and
//! moves from one quote or line end to the next rather than from byte to byte.

use memchr::{memchr, memchr_iter, memchr2, memchr3};

use crate::dialect::Dialect;

/// A pass over the bytes of a file, chunk by chunk.
pub(crate) struct Splitter {
    dialect: Dialect,
    state: State,
    /// The line that the next byte is on, from 1.
    line: u64,
    /// The byte before the next one.
    last: u8,
    /// The line on which the last quoted field started.
    quoted_at: u64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// Between records: blank lines are passed over.
    Between,
    Comment,
    FieldStart,
    /// In a field that is not quoted, or after the quotes of one that was.
    Plain,
    Quoted,
    /// After an escape in a quoted field.
    Escaped,
    /// After a quote in a quoted field: its end, or the first of two that stand for one.
    MaybeClosed,
}

impl Splitter {
    /// A pass that starts between two records, on `line`.
    pub(crate) fn new(dialect: &Dialect, line: u64) -> Self {
        Self {
            dialect: dialect.clone(),
            state: State::Between,
            line,
            last: 0,
            quoted_at: line,
        }
    }

    /// Looks at the next bytes. Calls `start` with the position in `chunk` and the line of every record that
    /// starts in it.
    pub(crate) fn feed(&mut self, chunk: &[u8], mut start: impl FnMut(usize, u64)) {
        let mut at = 0;
        while let Some(rest) = chunk.get(at..).filter(|rest| !rest.is_empty()) {
            at += match self.state {
                State::Between => self.between(rest, || at, &mut start),
                State::Comment => self.comment(rest),
                State::FieldStart if rest[0] == self.dialect.quote => {
                    self.quoted_at = self.line;
                    self.step(State::Quoted, rest)
                }
                State::FieldStart | State::Plain => self.plain(rest),
                State::Quoted => self.quoted(rest),
                State::Escaped => self.step(State::Quoted, rest),
                State::MaybeClosed => self.maybe_closed(rest),
            };
        }
    }

    /// The line on which a quoted field starts that has not ended.
    pub(crate) fn unclosed(&self) -> Option<u64> {
        matches!(self.state, State::Quoted | State::Escaped).then_some(self.quoted_at)
    }

    fn between(
        &mut self,
        rest: &[u8],
        at: impl Fn() -> usize,
        start: &mut impl FnMut(usize, u64),
    ) -> usize {
        let byte = rest[0];
        // A carriage return alone ends a line too.
        if self.last == b'\r' && byte != b'\n' {
            self.line += 1;
            self.last = 0;
        }
        if byte == b'\n' || byte == b'\r' {
            return self.step(State::Between, rest);
        }
        if self.dialect.comment == Some(byte) {
            return self.step(State::Comment, rest);
        }
        start(at(), self.line);
        self.state = State::FieldStart;
        0
    }

    fn comment(&mut self, rest: &[u8]) -> usize {
        match memchr(b'\n', rest) {
            Some(end) => end + self.step(State::Between, &rest[end..]),
            None => rest.len(),
        }
    }

    fn plain(&mut self, rest: &[u8]) -> usize {
        self.state = State::Plain;
        let Some(end) = memchr3(self.dialect.quote, b'\n', b'\r', rest) else {
            self.last = rest[rest.len() - 1];
            return rest.len();
        };
        if end > 0 {
            self.last = rest[end - 1];
        }
        let next = match rest[end] {
            b'\n' | b'\r' => State::Between,
            // A quote means something only where a field starts.
            _ if self.last == self.dialect.delimiter => {
                self.quoted_at = self.line;
                State::Quoted
            }
            _ => State::Plain,
        };
        end + self.step(next, &rest[end..])
    }

    fn quoted(&mut self, rest: &[u8]) -> usize {
        let quote = self.dialect.quote;
        let end = memchr2(quote, self.dialect.escape.unwrap_or(quote), rest);
        let inside = &rest[..end.unwrap_or(rest.len())];
        self.line += memchr_iter(b'\n', inside).count() as u64;
        match end {
            Some(end) if rest[end] == quote => end + self.step(State::MaybeClosed, &rest[end..]),
            Some(end) => end + self.step(State::Escaped, &rest[end..]),
            None => rest.len(),
        }
    }

    fn maybe_closed(&mut self, rest: &[u8]) -> usize {
        let byte = rest[0];
        let next = match byte {
            _ if byte == self.dialect.quote => State::Quoted,
            _ if byte == self.dialect.delimiter => State::FieldStart,
            b'\n' | b'\r' => State::Between,
            _ => State::Plain,
        };
        self.step(next, rest)
    }

    /// Takes one byte.
    fn step(&mut self, next: State, rest: &[u8]) -> usize {
        self.last = rest[0];
        self.line += u64::from(self.last == b'\n');
        self.state = next;
        1
    }
}

//! One mutation: a file of the corpus with a few changes of the kinds that break readers.

/// Integers at the edges of what formats count with.
const INTEGERS: [u64; 16] = [
    0,
    1,
    7,
    8,
    64,
    127,
    128,
    255,
    65_535,
    i32::MAX as u64,
    1 << 31,
    u32::MAX as u64,
    1 << 53,
    i64::MAX as u64,
    1 << 63,
    u64::MAX,
];

/// What means something in text: quotes, brackets, escapes, numbers and paths at the edges, broken UTF-8.
const TOKENS: [&[u8]; 32] = [
    b"\"",
    b"'",
    b"\"\"\"",
    b"\\",
    b"\\u0000",
    b"\\ud800",
    b"{",
    b"}",
    b"[",
    b"]",
    b"[[",
    b"=",
    b".",
    b",",
    b":",
    b"#",
    b"\n",
    b"\r\n",
    b"\0",
    b"\xc3\xa9",
    b"\xc3",
    b"\xff",
    b"../",
    b"/",
    b"${params.",
    b"null",
    b"-0.0",
    b"1e999",
    b"nan",
    b"9223372036854775808",
    b"18446744073709551616",
    b"-1",
];

/// Bytes at either end of a file that get a good share of the changes: headers and footers.
const EDGE: usize = 256;

/// Draws from a number.
pub(crate) struct Mutator {
    state: u64,
}

impl Mutator {
    pub(crate) fn new(number: u64) -> Self {
        Self {
            state: number.wrapping_mul(0xd134_2543_de82_ef95),
        }
    }

    pub(crate) fn mutate(&mut self, files: &[(String, Vec<u8>)]) -> Vec<u8> {
        let mut bytes = files[self.below(files.len())].1.clone();
        // One change half of the time, then ever fewer.
        loop {
            self.change(&mut bytes, files);
            if self.below(2) == 0 {
                return bytes;
            }
        }
    }

    fn change(&mut self, bytes: &mut Vec<u8>, files: &[(String, Vec<u8>)]) {
        let at = self.place(bytes.len());
        match self.below(12) {
            0..=2 => {
                if let Some(byte) = bytes.get_mut(at) {
                    *byte ^= 1 << self.below(8);
                }
            }
            3 => {
                let any = self.below(256) as u8;
                if let Some(byte) = bytes.get_mut(at) {
                    *byte = any;
                }
            }
            4 | 5 => self.integer(bytes, at),
            6 => {
                let token = TOKENS[self.below(TOKENS.len())];
                bytes.splice(at..at, token.iter().copied());
            }
            7 => {
                let token = TOKENS[self.below(TOKENS.len())];
                let end = bytes.len().min(at + self.below(token.len() + 1));
                bytes.splice(at..end, token.iter().copied());
            }
            8 => {
                let end = self.end(bytes, at);
                bytes.drain(at..end);
            }
            9 => {
                // A range once more, in another place.
                let range = bytes[at..self.end(bytes, at)].to_vec();
                let to = self.place(bytes.len());
                bytes.splice(to..to, range);
            }
            10 => match self.below(3) {
                0 => bytes.truncate(at),
                1 => {
                    let count = self.below(16);
                    bytes.splice(at..at, std::iter::repeat_n(0, count));
                }
                _ => {
                    let end = self.end(bytes, at);
                    bytes[at..end].fill(0);
                }
            },
            _ => {
                // The beginning of one and the end of another.
                let other = &files[self.below(files.len())].1;
                let from = match self.below(2) {
                    0 => at.min(other.len()),
                    _ => self.place(other.len()),
                };
                bytes.truncate(at);
                bytes.extend_from_slice(&other[from..]);
            }
        }
    }

    /// Writes over what stands there, in either byte order, or adds a little to it.
    fn integer(&mut self, bytes: &mut [u8], at: usize) {
        let width = 1 << self.below(4);
        let Some(there) = bytes.get_mut(at..at + width) else {
            return;
        };
        let mut buffer = [0; 8];
        buffer[..width].copy_from_slice(there);
        let value = match self.below(3) {
            0 => u64::from_le_bytes(buffer)
                .wrapping_add(self.below(9) as u64)
                .wrapping_sub(4),
            _ => INTEGERS[self.below(INTEGERS.len())],
        };
        there.copy_from_slice(&value.to_le_bytes()[..width]);
        if self.below(4) == 0 {
            there.reverse();
        }
    }

    /// A position from 0 to `len`, near an end as often as anywhere.
    fn place(&mut self, len: usize) -> usize {
        match self.below(4) {
            0 => self.below(len.min(EDGE) + 1),
            1 => len - self.below(len.min(EDGE) + 1),
            _ => self.below(len + 1),
        }
    }

    /// Where a range that starts there ends: it is short most of the time.
    fn end(&mut self, bytes: &[u8], at: usize) -> usize {
        let most = match self.below(3) {
            0 => bytes.len(),
            _ => 16,
        };
        at + self.below(most.min(bytes.len() - at) + 1)
    }

    /// A number below `bound`, by SplitMix64.
    fn below(&mut self, bound: usize) -> usize {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.state;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((bits ^ (bits >> 31)) % bound as u64) as usize
    }
}

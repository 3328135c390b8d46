//! Page headers, as far as they say which pages can be passed over.
//!
//! A header is a struct in Thrift's compact protocol, in front of its page. The `parquet` crate reads them too, but
//! only together with the page, or unwraps what a damaged one may lack.
//!
//! Formats: <https://github.com/apache/parquet-format/blob/master/src/main/thrift/parquet.thrift> (`PageHeader`) and
//! <https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md>.

/// Structs in structs that are passed over: in headers there is one, the statistics of a page.
const MAX_DEPTH: usize = 8;

/// The field with the encoding, in either version of a page of data.
const V1_ENCODING: i64 = 2;
const V2_ENCODING: i64 = 4;

/// The encodings whose values are indices into a dictionary: `PLAIN_DICTIONARY`, `RLE_DICTIONARY`.
const INDICES: [u64; 2] = [2, 8];

/// What a page is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PageHeader {
    /// Its own bytes.
    pub(crate) header_bytes: u64,
    /// The page's bytes, after the header.
    pub(crate) page_bytes: u64,
    pub(crate) content: Content,
}

/// What a page holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Content {
    Dictionary,
    Data {
        /// Values, with nulls.
        values: u64,
        /// Rows, which only pages of version 2 count.
        rows: Option<u64>,
        /// Whether values are indices into the chunk's dictionary.
        indices: bool,
    },
    /// Nothing that is read.
    Other,
}

impl PageHeader {
    /// Reads the header at the beginning of `bytes`. None if it is damaged or longer than they are.
    pub(crate) fn read(bytes: &[u8]) -> Option<Self> {
        let mut reader = Reader(bytes);
        let (mut kind, mut page_bytes) = (None, None);
        let (mut v1, mut v2) = (None, None);
        reader.fields(|reader, field, wire| {
            match (field, wire) {
                (1, Wire::Int) => kind = Some(reader.int()?),
                (3, Wire::Int) => page_bytes = Some(reader.int()?),
                (5, Wire::Struct) => v1 = Some(reader.data(V1_ENCODING)?),
                (8, Wire::Struct) => v2 = Some(reader.data(V2_ENCODING)?),
                _ => reader.skip(wire, 0)?,
            }
            Some(())
        })?;
        let content = match kind? {
            0 => {
                let (values, _, indices) = v1?;
                Content::Data {
                    values,
                    rows: None,
                    indices,
                }
            }
            2 => Content::Dictionary,
            3 => {
                let (values, rows, indices) = v2?;
                Content::Data {
                    values,
                    rows: Some(rows?),
                    indices,
                }
            }
            _ => Content::Other,
        };
        Some(Self {
            header_bytes: (bytes.len() - reader.0.len()) as u64,
            page_bytes: page_bytes?,
            content,
        })
    }
}

/// How a field is written, as far as it matters here.
#[derive(Clone, Copy)]
enum Wire {
    /// A boolean that is a field's type, with no bytes of its own.
    Bool,
    Byte,
    /// 16, 32 or 64 bits.
    Int,
    Double,
    Bytes,
    List,
    Struct,
}

impl Wire {
    fn new(kind: u8) -> Option<Self> {
        Some(match kind {
            1 | 2 => Self::Bool,
            3 => Self::Byte,
            4..=6 => Self::Int,
            7 => Self::Double,
            8 => Self::Bytes,
            9 | 10 => Self::List,
            12 => Self::Struct,
            // No header has a map.
            _ => return None,
        })
    }
}

struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    /// Hands out the fields of a struct, each to be read or skipped.
    fn fields(&mut self, mut visit: impl FnMut(&mut Self, i64, Wire) -> Option<()>) -> Option<()> {
        let mut field = 0_i64;
        loop {
            let head = self.byte()?;
            if head == 0 {
                return Some(());
            }
            field = match head >> 4 {
                0 => self.signed()?,
                step => field.checked_add(step.into())?,
            };
            visit(self, field, Wire::new(head & 0x0f)?)?;
        }
    }

    /// Of a page of data: values, rows in version 2, and whether `encoding`, the field of this number, says that
    /// they are indices.
    fn data(&mut self, encoding: i64) -> Option<(u64, Option<u64>, bool)> {
        let (mut values, mut rows, mut indices) = (None, None, false);
        self.fields(|reader, field, wire| {
            match (field, wire) {
                (1, Wire::Int) => values = Some(reader.int()?),
                (_, Wire::Int) if field == encoding => indices = INDICES.contains(&reader.int()?),
                (3, Wire::Int) => rows = Some(reader.int()?),
                _ => reader.skip(wire, 0)?,
            }
            Some(())
        })?;
        Some((values?, rows, indices))
    }

    fn skip(&mut self, wire: Wire, depth: usize) -> Option<()> {
        if depth > MAX_DEPTH {
            return None;
        }
        match wire {
            Wire::Bool => {}
            Wire::Byte => self.advance(1)?,
            Wire::Int => drop(self.varint()?),
            Wire::Double => self.advance(8)?,
            Wire::Bytes => {
                let length = self.varint()?;
                self.advance(length)?;
            }
            Wire::List => {
                let head = self.byte()?;
                let count = match head >> 4 {
                    15 => self.varint()?,
                    count => count.into(),
                };
                let item = match Wire::new(head & 0x0f)? {
                    // In a list they have a byte each.
                    Wire::Bool => Wire::Byte,
                    item => item,
                };
                for _ in 0..count {
                    self.skip(item, depth + 1)?;
                }
            }
            Wire::Struct => {
                self.fields(|reader, _, wire| reader.skip(wire, depth + 1))?;
            }
        }
        Some(())
    }

    /// A number that is not negative.
    fn int(&mut self) -> Option<u64> {
        self.signed()?.try_into().ok()
    }

    fn signed(&mut self) -> Option<i64> {
        let value = self.varint()?;
        Some((value >> 1) as i64 ^ -((value & 1) as i64))
    }

    fn varint(&mut self) -> Option<u64> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }

    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    fn advance(&mut self, bytes: u64) -> Option<()> {
        self.0 = self.0.get(usize::try_from(bytes).ok()?..)?;
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A page of data, version 1: 5 values in 300 bytes, with statistics.
    const V1: &[u8] = &[
        0x15, 0, 0x15, 0xd8, 4, 0x15, 0xd8, 4, 0x2c, 0x15, 10, 0x15, 0, 0x15, 6, 0x15, 6, 0x1c,
        0x18, 3, b'a', b'b', b'c', 0, 0, 0,
    ];

    #[test]
    fn pages_say_how_long_they_are() {
        let header = PageHeader {
            header_bytes: V1.len() as u64,
            page_bytes: 300,
            content: Content::Data {
                values: 5,
                rows: None,
                indices: false,
            },
        };
        assert_eq!(PageHeader::read(V1), Some(header));
        assert_eq!(PageHeader::read(&[V1, b"page"].concat()), Some(header));
        // A dictionary.
        assert_eq!(
            PageHeader::read(&[0x15, 4, 0x15, 8, 0x15, 8, 0x4c, 0x15, 2, 0x15, 0, 0, 0]),
            Some(PageHeader {
                header_bytes: 13,
                page_bytes: 4,
                content: Content::Dictionary,
            })
        );
    }

    #[test]
    fn pages_say_whether_they_refer_to_the_dictionary() {
        let indices = |bytes: &[u8]| match PageHeader::read(bytes).map(|header| header.content) {
            Some(Content::Data { indices, .. }) => Some(indices),
            _ => None,
        };
        assert_eq!(indices(V1), Some(false));
        // The same page with encodings 2 and 8, and one of version 2: 5 values, 1 null, 3 rows, encoding 8.
        for encoding in [4, 16] {
            let mut page = V1.to_vec();
            page[12] = encoding;
            assert_eq!(indices(&page), Some(true));
        }
        let v2 = [
            0x15, 6, 0x15, 8, 0x15, 8, 0x5c, 0x15, 10, 0x15, 2, 0x15, 6, 0x15, 16, 0, 0,
        ];
        assert_eq!(indices(&v2), Some(true));
    }

    #[test]
    fn damage_is_no_header() {
        for length in 0..V1.len() {
            assert_eq!(PageHeader::read(&V1[..length]), None);
        }
        // A page of data without its own part, and one that is shorter than nothing.
        assert_eq!(PageHeader::read(&[0x15, 0, 0x15, 8, 0x15, 8, 0]), None);
        assert_eq!(PageHeader::read(&[0x15, 4, 0x15, 8, 0x15, 7, 0]), None);
        // Lists in lists, with no end.
        assert_eq!(PageHeader::read(&[0x99; 1000]), None);
    }
}

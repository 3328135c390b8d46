//! Where the messages of a file or a stream lie, and its schema.

use std::collections::{BTreeMap, BTreeSet};

use arrow_ipc::{Endianness, MessageHeader, MetadataVersion, root_as_footer, root_as_message};
use pinion_sdk::Blob;

use crate::Error;
use crate::schema::{Column, columns};

/// What a file begins and ends with.
const MAGIC: &[u8; 6] = b"ARROW1";
/// What a Feather version 1 file begins with.
const FEATHER_V1: &[u8] = b"FEA1";
/// What a message begins with, since Arrow 0.15.
pub(crate) const CONTINUATION: [u8; 4] = [0xff; 4];
/// The magic bytes, padded, before the first message of a file.
const HEAD_BYTES: u64 = 8;
/// The length of the footer and the magic bytes, after the footer.
const TAIL_BYTES: u64 = 10;

/// One message: its metadata, and right behind it its body.
#[derive(Clone, Copy)]
pub(crate) struct Block {
    /// First byte.
    pub(crate) offset: u64,
    /// Bytes of the metadata, with its length and padding.
    pub(crate) metadata: u64,
    /// Bytes of the body.
    pub(crate) body: u64,
}

impl Block {
    /// Number of bytes.
    pub(crate) fn len(&self) -> u64 {
        self.metadata + self.body
    }

    /// The byte behind the last one. The parts lie in the file, so this cannot overflow.
    pub(crate) fn end(&self) -> u64 {
        self.offset + self.metadata + self.body
    }
}

/// The columns of a file and where their values are.
pub(crate) struct Index {
    pub(crate) columns: Vec<Column>,
    /// In the order in which they count.
    pub(crate) dictionaries: Vec<Block>,
    /// In the order of the rows, which is that of the bytes.
    pub(crate) batches: Vec<Block>,
    /// Whether it is a stream, in which a dictionary holds for the batches after it only.
    pub(crate) stream: bool,
}

impl Index {
    /// Reads and checks the footer of a file, or the metadata of all messages of a stream.
    ///
    /// # Errors
    /// If these are not the bytes of an Arrow file, or of one that cannot be a table. See [`Error`].
    pub(crate) fn read(bytes: &Blob) -> Result<Self, Error> {
        let head = bytes.read(0, HEAD_BYTES);
        let index = if head.starts_with(MAGIC) {
            Self::file(bytes)?
        } else if head.starts_with(&CONTINUATION) {
            Self::stream(bytes)?
        } else if head.starts_with(FEATHER_V1) {
            return Err(Error::FeatherV1);
        } else {
            let found = format!("`{}`", head.escape_ascii());
            return Err(Error::NotArrow { found });
        };
        let mut names = BTreeSet::new();
        for column in &index.columns {
            if !names.insert(column.field.name()) {
                return Err(Error::Duplicate {
                    column: column.field.name().clone(),
                });
            }
        }
        Ok(index)
    }

    /// The positions of the columns `names`.
    pub(crate) fn positions(&self, names: &[String]) -> Result<BTreeSet<usize>, Error> {
        let known = || self.columns.iter().map(|column| column.field.name());
        let places: BTreeMap<&String, usize> = known().zip(0..).collect();
        let place = |name: &String| {
            let place = places.get(name).copied();
            place.ok_or_else(|| Error::NoColumn {
                column: name.clone(),
                found: known().cloned().collect(),
            })
        };
        names.iter().map(place).collect()
    }

    fn file(bytes: &Blob) -> Result<Self, Error> {
        let damaged = |reason: String| Error::damaged("footer", reason);
        let length = bytes.len();
        let tail = bytes.read(length.saturating_sub(TAIL_BYTES), TAIL_BYTES);
        let footer_length = match *tail.as_slice() {
            [a, b, c, d, ref magic @ ..] if magic == MAGIC && length >= HEAD_BYTES + TAIL_BYTES => {
                i32::from_le_bytes([a, b, c, d])
            }
            _ => {
                let reason = "it does not end with `ARROW1`".to_owned();
                return Err(Error::Cut { reason });
            }
        };
        let end = length - TAIL_BYTES;
        let start = u64::try_from(footer_length)
            .ok()
            .and_then(|footer| end.checked_sub(footer))
            .filter(|start| *start >= HEAD_BYTES)
            .ok_or_else(|| {
                damaged(format!(
                    "it is {footer_length} bytes long in a file of {length}"
                ))
            })?;
        let footer = bytes.read(start, end - start);
        let footer = root_as_footer(&footer)
            .map_err(|_| damaged("it is not a valid flatbuffer".to_owned()))?;
        supported(footer.version())?;
        let schema = footer
            .schema()
            .ok_or_else(|| damaged("it has no schema".to_owned()))?;
        let dictionaries = blocks(footer.dictionaries().into_iter().flatten(), start)?;
        let batches = blocks(footer.recordBatches().into_iter().flatten(), start)?;
        if batches
            .windows(2)
            .any(|pair| pair[0].end() > pair[1].offset)
        {
            return Err(damaged(
                "its record batches overlap or are out of order".to_owned(),
            ));
        }
        Ok(Self {
            columns: read_schema(schema)?,
            dictionaries,
            batches,
            stream: false,
        })
    }

    fn stream(bytes: &Blob) -> Result<Self, Error> {
        let length = bytes.len();
        let (mut columns, mut dictionaries, mut batches) = (None, Vec::new(), Vec::new());
        let mut offset = 0;
        while offset < length {
            let part = format!("message at byte {offset}");
            let cut = || Error::Cut {
                reason: format!("the {part} ends behind it"),
            };
            let metadata = match *bytes.read(offset, 8).as_slice() {
                [0xff, 0xff, 0xff, 0xff, a, b, c, d] => i32::from_le_bytes([a, b, c, d]),
                [_, _, _, _, _, _, _, _] => {
                    return Err(Error::damaged(part, "it does not begin as one"));
                }
                _ => return Err(cut()),
            };
            if metadata == 0 {
                break;
            }
            let metadata = u64::try_from(metadata)
                .map_err(|_| Error::damaged(part.as_str(), "its length is negative"))?;
            if metadata > length - offset - 8 {
                return Err(cut());
            }
            let flatbuffer = bytes.read(offset + 8, metadata);
            let message = root_as_message(&flatbuffer)
                .map_err(|_| Error::damaged(part.as_str(), "it is not a valid flatbuffer"))?;
            supported(message.version())?;
            let block = Block {
                offset,
                metadata: metadata + 8,
                body: u64::try_from(message.bodyLength())
                    .map_err(|_| Error::damaged(part.as_str(), "its length is negative"))?,
            };
            if block.body > length - offset - block.metadata {
                return Err(cut());
            }
            match (message.header_type(), &columns) {
                (MessageHeader::Schema, None) => {
                    let schema = message
                        .header_as_schema()
                        .ok_or_else(|| Error::damaged(part.as_str(), "it is empty"))?;
                    columns = Some(read_schema(schema)?);
                }
                (MessageHeader::DictionaryBatch, Some(_)) => dictionaries.push(block),
                (MessageHeader::RecordBatch, Some(_)) => batches.push(block),
                _ => return Err(Error::damaged(part, "no message of its kind belongs here")),
            }
            offset = block.end();
        }
        let columns = columns.ok_or_else(|| Error::Cut {
            reason: "it has no schema".to_owned(),
        })?;
        Ok(Self {
            columns,
            dictionaries,
            batches,
            stream: true,
        })
    }
}

/// The messages that a footer, which begins at byte `end`, tells of.
fn blocks<'a>(
    blocks: impl Iterator<Item = &'a arrow_ipc::Block>,
    end: u64,
) -> Result<Vec<Block>, Error> {
    let block = |block: &arrow_ipc::Block| {
        let found = Block {
            offset: u64::try_from(block.offset()).ok()?,
            metadata: u64::try_from(block.metaDataLength()).ok()?,
            body: u64::try_from(block.bodyLength()).ok()?,
        };
        let body = found.offset.checked_add(found.metadata)?;
        (body.checked_add(found.body)? <= end).then_some(found)
    };
    blocks
        .map(block)
        .collect::<Option<_>>()
        .ok_or_else(|| Error::damaged("footer", "it tells of messages that are not in the file"))
}

/// Refuses metadata of Arrow 0.7 and before.
pub(crate) fn supported(version: MetadataVersion) -> Result<(), Error> {
    match version {
        MetadataVersion::V4 | MetadataVersion::V5 => Ok(()),
        other => Err(Error::Version {
            found: i32::from(other.0) + 1,
        }),
    }
}

fn read_schema(schema: arrow_ipc::Schema<'_>) -> Result<Vec<Column>, Error> {
    match schema.endianness() {
        Endianness::Little => columns(schema),
        Endianness::Big => Err(Error::BigEndian),
        _ => Err(Error::damaged("schema", "it has no byte order")),
    }
}

//! One record batch as its message describes it, every number checked.

use arrow_ipc::{BodyCompressionMethod, CompressionType, FieldNode, root_as_message};

use crate::codec::Codec;
use crate::index::{Block, CONTINUATION, supported};
use crate::window::Window;
use crate::{Damage, Error};

/// Arrays and buffers, in the pre-order of the schema, not yet told apart by type.
pub(crate) struct Message {
    pub(crate) rows: u64,
    /// Length and null count, which is no more than the length.
    pub(crate) nodes: Vec<(u64, u64)>,
    /// Every one lies in the file.
    pub(crate) buffers: Vec<Stored>,
    /// How many buffers each array of views has besides the usual ones.
    pub(crate) view_buffers: Vec<u64>,
    pub(crate) codec: Option<Codec>,
}

/// A record batch of dictionary values.
pub(crate) struct DictionaryMessage {
    pub(crate) id: i64,
    /// Whether the values come after those there are, instead of in their place.
    pub(crate) delta: bool,
    pub(crate) values: Message,
}

/// The bytes of one buffer.
#[derive(Clone, Copy)]
pub(crate) struct Stored {
    /// First byte in the file.
    pub(crate) offset: u64,
    pub(crate) len: u64,
}

impl Message {
    /// Reads the metadata of the record batch in `block`.
    ///
    /// # Errors
    /// [`Error::Damaged`], [`Error::Version`] or [`Error::Codec`].
    pub(crate) fn batch(bytes: &Window<'_>, block: &Block) -> Result<Self, Error> {
        read(bytes, block, |message| {
            Some(Self::new(message.header_as_record_batch()?, block))
        })
    }

    fn new(batch: arrow_ipc::RecordBatch<'_>, block: &Block) -> Result<Self, Error> {
        let damaged = |reason: &str| Error::damaged(block.name(), reason);
        let codec = match batch.compression() {
            None => None,
            Some(compression) => match (compression.method(), compression.codec()) {
                (BodyCompressionMethod::BUFFER, CompressionType::LZ4_FRAME) => Some(Codec::Lz4),
                (BodyCompressionMethod::BUFFER, CompressionType::ZSTD) => Some(Codec::Zstd),
                (_, codec) => {
                    return Err(Error::Codec {
                        part: block.name(),
                        found: codec.0,
                    });
                }
            },
        };
        let node = |node: &FieldNode| {
            let length = u64::try_from(node.length()).ok()?;
            let nulls = u64::try_from(node.null_count()).ok()?;
            (nulls <= length).then_some((length, nulls))
        };
        let buffer = |buffer: &arrow_ipc::Buffer| {
            let offset = u64::try_from(buffer.offset()).ok()?;
            let len = u64::try_from(buffer.length()).ok()?;
            (offset.checked_add(len)? <= block.body).then_some(Stored {
                offset: block.offset + block.metadata + offset,
                len,
            })
        };
        let rows =
            u64::try_from(batch.length()).map_err(|_| damaged("it has less than no rows"))?;
        let nodes = batch.nodes().into_iter().flatten();
        let buffers = batch.buffers().into_iter().flatten();
        let views = batch.variadicBufferCounts().into_iter().flatten();
        Ok(Self {
            rows,
            nodes: nodes
                .map(node)
                .collect::<Option<_>>()
                .ok_or_else(|| damaged("an array has a length or null count that cannot be"))?,
            buffers: buffers
                .map(buffer)
                .collect::<Option<_>>()
                .ok_or_else(|| damaged("a buffer lies outside it"))?,
            view_buffers: views
                .map(|count| u64::try_from(count).ok())
                .collect::<Option<_>>()
                .ok_or_else(|| damaged("an array has less than no buffers"))?,
            codec,
        })
    }
}

impl DictionaryMessage {
    /// Reads the metadata of the dictionary in `block`.
    ///
    /// # Errors
    /// [`Error::Damaged`], [`Error::Version`] or [`Error::Codec`].
    pub(crate) fn read(bytes: &Window<'_>, block: &Block) -> Result<Self, Error> {
        read(bytes, block, |message| {
            let dictionary = message.header_as_dictionary_batch()?;
            let values = Message::new(dictionary.data()?, block);
            Some(values.map(|values| Self {
                id: dictionary.id(),
                delta: dictionary.isDelta(),
                values,
            }))
        })
    }
}

impl Block {
    /// What to call the message in an error.
    pub(crate) fn name(&self) -> String {
        format!("message at byte {}", self.offset)
    }
}

fn read<T>(
    bytes: &Window<'_>,
    block: &Block,
    parse: impl FnOnce(arrow_ipc::Message<'_>) -> Option<Result<T, Error>>,
) -> Result<T, Error> {
    let damaged = |reason: &str| Error::damaged(block.name(), reason);
    let metadata = bytes.read(block.offset, block.metadata);
    // Before Arrow 0.15 there was only the length.
    let flatbuffer = metadata
        .strip_prefix(&CONTINUATION)
        .unwrap_or(&metadata)
        .get(4..)
        .ok_or_else(|| damaged("it is too short"))?;
    let message =
        root_as_message(flatbuffer).map_err(|_| damaged("it is not a valid flatbuffer"))?;
    supported(message.version())?;
    parse(message).ok_or_else(|| damaged("it is not of the kind that it should be"))?
}

/// Takes the parts of a message off, array by array.
pub(crate) struct Parts<'a> {
    nodes: std::slice::Iter<'a, (u64, u64)>,
    buffers: std::slice::Iter<'a, Stored>,
    view_buffers: std::slice::Iter<'a, u64>,
}

impl<'a> Parts<'a> {
    pub(crate) fn new(message: &'a Message) -> Self {
        Self {
            nodes: message.nodes.iter(),
            buffers: message.buffers.iter(),
            view_buffers: message.view_buffers.iter(),
        }
    }

    /// Length and null count of the next array.
    pub(crate) fn node(&mut self) -> Result<(u64, u64), Damage> {
        self.nodes.next().copied().ok_or(Damage::Few("arrays"))
    }

    pub(crate) fn buffer(&mut self) -> Result<Stored, Damage> {
        self.buffers.next().copied().ok_or(Damage::Few("buffers"))
    }

    /// The buffers that an array of views has besides validity and views.
    pub(crate) fn view_buffers(&mut self) -> Result<&'a [Stored], Damage> {
        let count = *self
            .view_buffers
            .next()
            .ok_or(Damage::Few("buffer counts"))?;
        let buffers = self.buffers.as_slice();
        let (taken, rest) = usize::try_from(count)
            .ok()
            .and_then(|count| buffers.split_at_checked(count))
            .ok_or(Damage::Few("buffers"))?;
        self.buffers = rest.iter();
        Ok(taken)
    }
}

//! The contract's plain values, as wasmtime passes them.
//!
//! Buffers are [`Bytes`]: those of the host are lent to the guest as they lie, those of a guest are
//! copied once, out of its memory.

use arrow_buffer::Buffer;
use bytes::Bytes;
use wasmtime::component::{ComponentType, Lift, Lower, Resource};

use super::batch::Batch;
use super::state::{Blob, BlobWriter, Table, TableWriter};
use crate::arrow::format::WireField;
use crate::arrow::node;

/// `arrow.error`.
#[derive(Clone, Debug, ComponentType, Lift, Lower)]
#[component(record)]
pub(super) struct Error {
    pub(super) code: String,
    pub(super) message: String,
    pub(super) details: Vec<(String, String)>,
}

impl Error {
    pub(super) fn new(code: &str, error: impl std::fmt::Display) -> Self {
        Self {
            code: code.to_owned(),
            message: error.to_string(),
            details: Vec::new(),
        }
    }
}

/// `arrow.field`.
#[derive(Clone, Debug, ComponentType, Lift, Lower)]
#[component(record)]
pub(super) struct Field {
    name: String,
    format: String,
    nullable: bool,
    children: u32,
    metadata: Vec<(String, String)>,
}

impl Field {
    /// Bytes of the texts.
    pub(super) fn bytes(&self) -> u64 {
        let metadata: usize = self
            .metadata
            .iter()
            .map(|(key, value)| key.len() + value.len())
            .sum();
        (self.name.len() + self.format.len() + metadata) as u64
    }

    /// Number of texts in the metadata.
    pub(super) fn metadata(&self) -> usize {
        2 * self.metadata.len()
    }

    /// Bytes that it takes, as it is sent and as the host understands it.
    pub(super) fn size(&self) -> u64 {
        /// Of a field, twice.
        const FIELD: u64 = 256;
        /// Of a text, twice.
        const TEXT: u64 = 64;
        FIELD + TEXT * self.metadata() as u64 + 2 * self.bytes()
    }
}

impl From<WireField> for Field {
    fn from(field: WireField) -> Self {
        let WireField {
            name,
            format,
            nullable,
            children,
            metadata,
        } = field;
        Self {
            name,
            format,
            nullable,
            children,
            metadata,
        }
    }
}

impl From<Field> for WireField {
    fn from(field: Field) -> Self {
        let Field {
            name,
            format,
            nullable,
            children,
            metadata,
        } = field;
        Self {
            name,
            format,
            nullable,
            children,
            metadata,
        }
    }
}

/// How much more than what stays of fields it takes to understand them.
pub(super) const DECODED: u64 = 2;

/// `arrow.node`.
#[derive(Clone, Debug, ComponentType, Lift, Lower)]
#[component(record)]
pub(super) struct Node {
    length: u64,
    #[component(name = "null-count")]
    null_count: u64,
    buffers: Vec<Bytes>,
}

impl Node {
    /// Bytes in the buffers.
    pub(super) fn bytes(&self) -> u64 {
        self.buffers.iter().map(|buffer| buffer.len() as u64).sum()
    }

    /// The buffers.
    pub(super) fn buffers(&self) -> &[Bytes] {
        &self.buffers
    }

    /// Number of values.
    pub(super) fn length(&self) -> u64 {
        self.length
    }

    /// Whether the values of a primitive column are four bytes wide rather than eight.
    pub(super) fn is_narrow(&self) -> bool {
        self.buffers
            .get(1)
            .is_some_and(|values| (values.len() as u64) < self.length.saturating_mul(8))
    }
}

/// Keeps an Arrow buffer alive for as long as its bytes are lent.
struct Lent(Buffer);

impl AsRef<[u8]> for Lent {
    fn as_ref(&self) -> &[u8] {
        self.0.as_slice()
    }
}

impl From<node::Node> for Node {
    fn from(node: node::Node) -> Self {
        let buffers = node
            .buffers
            .into_iter()
            .map(|buffer| Bytes::from_owner(Lent(buffer)))
            .collect();
        Self {
            length: node.length,
            null_count: node.null_count,
            buffers,
        }
    }
}

impl From<Node> for node::Node {
    fn from(node: Node) -> Self {
        let buffers = node.buffers.into_iter().map(Buffer::from).collect();
        Self {
            length: node.length,
            null_count: node.null_count,
            buffers,
        }
    }
}

/// `ports.port`.
#[derive(Clone, Debug, ComponentType, Lift, Lower)]
#[component(record)]
pub(super) struct Port {
    pub(super) name: String,
    pub(super) role: String,
    pub(super) kind: String,
    pub(super) optional: bool,
    pub(super) accepts: Vec<String>,
    pub(super) doc: String,
    pub(super) annotations: Vec<(String, String)>,
}

/// `ports.port-shape`.
#[derive(Clone, Debug, ComponentType, Lift, Lower)]
#[component(record)]
pub(super) struct PortShape {
    pub(super) port: String,
    pub(super) kind: String,
    pub(super) fields: Vec<Field>,
    #[component(name = "media-type")]
    pub(super) media_type: String,
}

/// `ports.descriptor`.
#[derive(Clone, Debug, ComponentType, Lift, Lower)]
#[component(record)]
pub(super) struct Descriptor {
    pub(super) kind: String,
    pub(super) summary: String,
    pub(super) inputs: Vec<Port>,
    pub(super) outputs: Vec<Port>,
    #[component(name = "params-schema")]
    pub(super) params_schema: String,
    pub(super) annotations: Vec<(String, String)>,
}

/// `arrow.table-input`.
#[derive(ComponentType, Lift, Lower)]
#[component(record)]
pub(super) struct TableInput {
    pub(super) port: String,
    pub(super) table: Resource<Table>,
}

/// `arrow.blob-input`.
#[derive(ComponentType, Lift, Lower)]
#[component(record)]
pub(super) struct BlobInput {
    pub(super) port: String,
    pub(super) blob: Resource<Blob>,
}

/// `arrow.inputs`.
#[derive(ComponentType, Lift, Lower)]
#[component(record)]
pub(super) struct Inputs {
    pub(super) tables: Vec<TableInput>,
    pub(super) blobs: Vec<BlobInput>,
}

/// `arrow.table-output`.
#[derive(ComponentType, Lift, Lower)]
#[component(record)]
pub(super) struct TableOutput {
    pub(super) port: String,
    pub(super) writer: Resource<TableWriter>,
}

/// `arrow.blob-output`.
#[derive(ComponentType, Lift, Lower)]
#[component(record)]
pub(super) struct BlobOutput {
    pub(super) port: String,
    pub(super) writer: Resource<BlobWriter>,
}

/// `arrow.outputs`.
#[derive(ComponentType, Lift, Lower)]
#[component(record)]
pub(super) struct Outputs {
    pub(super) tables: Vec<TableOutput>,
    pub(super) blobs: Vec<BlobOutput>,
}

/// `row-map.output-batch`.
#[derive(ComponentType, Lift, Lower)]
#[component(record)]
pub(super) struct OutputBatch {
    pub(super) port: String,
    pub(super) rows: Resource<Batch>,
}

/// `source.range`.
#[derive(Clone, Debug, ComponentType, Lift, Lower)]
#[component(record)]
pub(super) struct Range {
    pub(super) offset: u64,
    pub(super) len: u64,
    pub(super) hint: String,
}

/// `reduce.share`.
#[derive(Clone, Debug, ComponentType, Lift, Lower)]
#[component(record)]
pub(super) struct Share {
    pub(super) partial: Bytes,
    pub(super) carry: Bytes,
}

/// `reduce.round`.
#[derive(Clone, Debug, ComponentType, Lift, Lower)]
#[component(variant)]
pub(super) enum Round {
    #[component(name = "next")]
    Next(Bytes),
    #[component(name = "done")]
    Done(Bytes),
}

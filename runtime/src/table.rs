//! Tables as the host keeps them: a schema and ordered partitions of columns, each known by its digest.
//!
//! A table here holds no values. A [`Chunk`] says what a column of one partition is (its digest) and
//! where its values are to be had (its [`Place`]), so a whole pipeline can be compared and keyed without
//! reading a byte of data.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow_schema::{Field, FieldRef};
use serde::{Deserialize, Serialize};

use crate::arrow::format::{self, BadFields, WireField};
use crate::digest::{Digest, StructuredHasher};

/// A schema and ordered partitions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    /// Top-level fields; their names differ from each other, and their types are
    /// [canonical](crate::arrow::chunk::canonical_type).
    pub fields: Vec<FieldRef>,
    /// The partitions, in order.
    pub partitions: Vec<Arc<Partition>>,
}

/// An ordered run of rows, at most as many as the locked layout allows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Partition {
    /// Number of rows.
    pub rows: u64,
    /// One chunk for each field.
    pub columns: Vec<Chunk>,
}

/// One column of one partition, in canonical form.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Chunk {
    /// Digest of the canonical values; see [`crate::arrow::chunk::digest`].
    pub digest: Digest,
    /// Where the values are.
    pub place: Place,
}

/// Where the values of a chunk are to be had.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Place {
    /// No rows, so nothing is stored.
    Empty,
    /// A column of a chunk file.
    Stored {
        /// The file's name; see [`file_digest`].
        file: Digest,
        /// Position in the file.
        column: u32,
    },
    /// Rows of other chunks, laid end to end: what a filter or a join passed on without reading it.
    Selected {
        /// The chunks that the rows are numbered over.
        of: Arc<Vec<Chunk>>,
        /// Which rows.
        rows: Selection,
    },
}

/// Stored row numbers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Selection {
    /// Every row.
    All,
    /// A contiguous run.
    Range {
        /// First row.
        start: u64,
        /// Number of rows.
        len: u64,
    },
    /// A nullable `uint64` column, alone in a chunk file.
    Indices {
        /// The file's name, which depends on the values alone.
        file: Digest,
        /// Number of rows.
        len: u64,
    },
}

impl Chunk {
    /// Adds the names of all chunk files that its values and its row numbers lie in.
    pub fn files(&self, files: &mut BTreeSet<Digest>) {
        match &self.place {
            Place::Empty => {}
            Place::Stored { file, .. } => {
                files.insert(*file);
            }
            Place::Selected { of, rows } => {
                of.iter().for_each(|chunk| chunk.files(files));
                if let Selection::Indices { file, .. } = rows {
                    files.insert(*file);
                }
            }
        }
    }
}

impl Table {
    /// Number of rows.
    pub fn rows(&self) -> u64 {
        self.partitions.iter().map(|partition| partition.rows).sum()
    }

    /// Position of a column.
    pub fn position(&self, column: &str) -> Option<usize> {
        self.fields.iter().position(|field| field.name() == column)
    }

    /// The partition at `position`, as a table of its own.
    pub fn partition(&self, position: usize) -> Option<Self> {
        let partition = self.partitions.get(position)?;
        Some(Self {
            fields: self.fields.clone(),
            partitions: vec![Arc::clone(partition)],
        })
    }

    /// The table without some of its columns. Names that it does not have change nothing.
    #[must_use]
    pub fn without(&self, columns: &[String]) -> Self {
        let stays: Vec<bool> = self
            .fields
            .iter()
            .map(|field| !columns.contains(field.name()))
            .collect();
        let partition = |partition: &Arc<Partition>| {
            Arc::new(Partition {
                rows: partition.rows,
                columns: staying(&partition.columns, &stays),
            })
        };
        Self {
            fields: staying(&self.fields, &stays),
            partitions: self.partitions.iter().map(partition).collect(),
        }
    }

    /// The chunk files that the values lie in.
    pub fn files(&self) -> BTreeSet<Digest> {
        let mut files = BTreeSet::new();
        for partition in &self.partitions {
            for chunk in &partition.columns {
                chunk.files(&mut files);
            }
        }
        files
    }

    /// Digest of the schema and of every chunk, partition by partition.
    ///
    /// [Structured](crate::digest): text `pinion table v1`, digest of the [schema](schema_digest), list of
    /// partitions, each u64 rows and list of columns, each the digest of its
    /// [chunk](crate::arrow::chunk::digest).
    pub fn digest(&self) -> Digest {
        let mut hasher = StructuredHasher::new("pinion table v1");
        hasher.digest(&schema_digest(&self.fields));
        hasher.list(self.partitions.len());
        for partition in &self.partitions {
            hasher.u64(partition.rows).list(partition.columns.len());
            for chunk in &partition.columns {
                hasher.digest(&chunk.digest);
            }
        }
        hasher.finish()
    }

    /// Digest of one column over all partitions: what reading it from a whole table observes.
    ///
    /// [Structured](crate::digest): text `pinion column v1`, list of partitions, each u64 rows and digest of
    /// the column's chunk.
    pub fn column_digest(&self, position: usize) -> Digest {
        let mut hasher = StructuredHasher::new("pinion column v1");
        hasher.list(self.partitions.len());
        for partition in &self.partitions {
            hasher.u64(partition.rows);
            if let Some(chunk) = partition.columns.get(position) {
                hasher.digest(&chunk.digest);
            }
        }
        hasher.finish()
    }
}

fn staying<T: Clone>(all: &[T], stays: &[bool]) -> Vec<T> {
    let all = all.iter().zip(stays);
    all.filter(|(_, stays)| **stays)
        .map(|(one, _)| one.clone())
        .collect()
}

/// Digest of a list of fields; see [`format::schema_digest`].
pub fn schema_digest(fields: &[FieldRef]) -> Digest {
    let fields: Vec<Field> = fields.iter().map(|field| field.as_ref().clone()).collect();
    format::schema_digest(&fields)
}

/// The name of the chunk file that holds these chunks in this order.
///
/// [Structured](crate::digest): text `pinion file v1`, list of the digests of the chunks. The name depends on
/// what the file says, and nothing is hashed twice.
pub fn file_digest(chunks: &[Digest]) -> Digest {
    let mut hasher = StructuredHasher::new("pinion file v1");
    hasher.list(chunks.len());
    for chunk in chunks {
        hasher.digest(chunk);
    }
    hasher.finish()
}

/// The stored form of a [`Table`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// The schema, in pre-order.
    pub fields: Vec<WireField>,
    /// The partitions, in order.
    pub partitions: Vec<Arc<Partition>>,
}

impl From<&Table> for Manifest {
    fn from(table: &Table) -> Self {
        Self {
            fields: table
                .fields
                .iter()
                .flat_map(|field| format::to_wire(field))
                .collect(),
            partitions: table.partitions.clone(),
        }
    }
}

impl TryFrom<Manifest> for Table {
    type Error = BadFields;

    fn try_from(manifest: Manifest) -> Result<Self, BadFields> {
        let fields = format::from_wire(&manifest.fields)?;
        format::check_names(&fields)?;
        Ok(Self {
            fields: fields.into_iter().map(Arc::new).collect(),
            partitions: manifest.partitions,
        })
    }
}

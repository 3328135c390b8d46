//! What a Parquet file says about itself: its footer, checked, and the Arrow schema that follows from it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow_schema::{DataType, Field, FieldRef, Fields, Schema};
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions};
use parquet::arrow::{ARROW_SCHEMA_META_KEY, PARQUET_FIELD_ID_META_KEY};
use parquet::file::metadata::{
    ColumnChunkMetaData, FooterTail, ParquetMetaData, ParquetMetaDataOptions,
    ParquetMetaDataReader, ParquetStatisticsPolicy, RowGroupMetaData,
};
use pinion_sdk::Blob;

use crate::Error;
use crate::guard::embedded_schema;

/// Magic, length of the footer, magic: the shortest file there can be, but for the footer itself.
const FRAME_BYTES: u64 = 12;

/// A file's footer.
pub(crate) struct Footer {
    /// Row groups and their column chunks; every offset lies in the file and no count is negative.
    pub(crate) metadata: Arc<ParquetMetaData>,
    /// The schema as columns are decoded: no views, dictionaries or run-end encodings.
    pub(crate) decoded: Fields,
}

impl Footer {
    /// Reads and checks the footer of `bytes`.
    ///
    /// # Errors
    /// - [`Error::NotParquet`], [`Error::Encrypted`], [`Error::Footer`]: no footer that can be believed.
    /// - [`Error::Schema`], [`Error::Duplicate`]: a footer whose columns make no table.
    pub(crate) fn read(bytes: &Blob) -> Result<Self, Error> {
        let metadata = Arc::new(parse(bytes)?);
        for (position, group) in metadata.row_groups().iter().enumerate() {
            check(group, bytes.len()).map_err(|reason| Error::Footer {
                reason: format!("row group {position} {reason}"),
            })?;
        }
        let decoded = decoded_schema(&metadata)?;
        let mut names = BTreeSet::new();
        for field in &decoded {
            if !names.insert(field.name()) {
                return Err(Error::Duplicate {
                    column: field.name().clone(),
                });
            }
        }
        Ok(Self { metadata, decoded })
    }

    /// The fields of the table, in file order: [`Self::decoded`] without Parquet's numbers of fields,
    /// which say where a column stands in the file and nothing about the column.
    pub(crate) fn fields(&self) -> Vec<FieldRef> {
        self.decoded.iter().map(without_ids).collect()
    }

    /// The positions of the columns `names`.
    pub(crate) fn positions(&self, names: &[String]) -> Result<BTreeSet<usize>, Error> {
        let known = || self.decoded.iter().map(|field| field.name());
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
}

/// First byte and length of a column chunk; both were checked.
pub(crate) fn byte_range(chunk: &ColumnChunkMetaData) -> (u64, u64) {
    let start = chunk
        .dictionary_page_offset()
        .unwrap_or(chunk.data_page_offset());
    (start.max(0) as u64, chunk.compressed_size().max(0) as u64)
}

/// Parses the footer. Statistics are left out: nothing here reads them, and they are most of its bytes.
fn parse(bytes: &Blob) -> Result<ParquetMetaData, Error> {
    let length = bytes.len();
    let end = bytes.read(length.saturating_sub(8), 8);
    let tail = <&[u8; 8]>::try_from(end.as_slice())
        .ok()
        .filter(|_| length >= FRAME_BYTES)
        .and_then(|end| FooterTail::try_new(end).ok())
        .ok_or_else(|| Error::NotParquet {
            found: format!("`{}`", end.escape_ascii()),
        })?;
    if tail.is_encrypted_footer() {
        return Err(Error::Encrypted);
    }
    let footer_length = tail.metadata_length() as u64;
    if footer_length > length - FRAME_BYTES {
        let reason = format!("it is {footer_length} bytes long in a file of {length}");
        return Err(Error::Footer { reason });
    }
    let options = ParquetMetaDataOptions::new()
        .with_column_stats_policy(ParquetStatisticsPolicy::SkipAll)
        .with_encoding_stats_policy(ParquetStatisticsPolicy::SkipAll)
        .with_size_stats_policy(ParquetStatisticsPolicy::SkipAll);
    let footer = bytes.read(length - 8 - footer_length, footer_length);
    let metadata = ParquetMetaDataReader::decode_metadata_with_options(&footer, Some(&options))
        .map_err(|error| Error::Footer {
            reason: error.to_string(),
        })?;
    let counted = metadata
        .row_groups()
        .iter()
        .map(|group| i128::from(group.num_rows()))
        .sum::<i128>();
    let promised = metadata.file_metadata().num_rows();
    if counted != i128::from(promised) {
        let reason = format!("it counts {promised} rows, and its row groups {counted}");
        return Err(Error::Footer { reason });
    }
    Ok(metadata)
}

/// Checks what later code takes for granted, so that no crafted number reaches it.
fn check(group: &RowGroupMetaData, file_length: u64) -> Result<(), String> {
    let rows = group.num_rows();
    if rows < 0 {
        return Err(format!("has {rows} rows"));
    }
    for chunk in group.columns() {
        let start = chunk
            .dictionary_page_offset()
            .unwrap_or(chunk.data_page_offset());
        let length = chunk.compressed_size();
        let inside = start >= 0
            && length >= 0
            && start
                .checked_add(length)
                .is_some_and(|end| end.unsigned_abs() <= file_length);
        let path = chunk.column_path().string();
        if !inside {
            return Err(format!(
                "has column `{path}` at byte {start}, {length} long, in a file of {file_length}"
            ));
        }
        let values = chunk.num_values();
        let flat = chunk.column_descr().max_rep_level() == 0;
        if values < 0 || (flat && values != rows) {
            return Err(format!(
                "has {rows} rows, and {values} values in column `{path}`"
            ));
        }
    }
    Ok(())
}

fn decoded_schema(metadata: &Arc<ParquetMetaData>) -> Result<Fields, Error> {
    let pairs = metadata
        .file_metadata()
        .key_value_metadata()
        .into_iter()
        .flatten();
    let mut embedded = pairs.filter(|pair| pair.key == ARROW_SCHEMA_META_KEY);
    if !embedded.all(|pair| pair.value.as_deref().is_some_and(embedded_schema)) {
        return Err(Error::Footer {
            reason: "its Arrow schema cannot be read".to_owned(),
        });
    }
    let schema = |options| {
        ArrowReaderMetadata::try_new(Arc::clone(metadata), options)
            .map(|metadata| Arc::clone(metadata.schema()))
            .map_err(|source| Error::Schema { source })
    };
    let written = schema(ArrowReaderOptions::new())?;
    let plain: Fields = written.fields().iter().map(plain).collect();
    Ok(
        schema(ArrowReaderOptions::new().with_schema(Arc::new(Schema::new(plain))))?
            .fields()
            .clone(),
    )
}

/// The field with every view, dictionary and run-end encoding replaced by what it encodes.
fn plain(field: &FieldRef) -> FieldRef {
    let data_type = match field.data_type() {
        DataType::Utf8View => DataType::Utf8,
        DataType::BinaryView => DataType::Binary,
        DataType::Dictionary(_, values) => {
            let values = Field::new("", values.as_ref().clone(), true);
            plain(&Arc::new(values)).data_type().clone()
        }
        DataType::RunEndEncoded(_, values) => plain(values).data_type().clone(),
        DataType::List(item) | DataType::ListView(item) => DataType::List(plain(item)),
        DataType::LargeList(item) | DataType::LargeListView(item) => {
            DataType::LargeList(plain(item))
        }
        DataType::FixedSizeList(item, length) => DataType::FixedSizeList(plain(item), *length),
        DataType::Struct(fields) => DataType::Struct(fields.iter().map(plain).collect()),
        DataType::Map(entries, sorted) => DataType::Map(plain(entries), *sorted),
        other => other.clone(),
    };
    let plain = Field::new(field.name(), data_type, field.is_nullable());
    Arc::new(plain.with_metadata(field.metadata().clone()))
}

/// The field without the number that Parquet gave it, all the way down.
fn without_ids(field: &FieldRef) -> FieldRef {
    let data_type = match field.data_type() {
        DataType::List(item) => DataType::List(without_ids(item)),
        DataType::LargeList(item) => DataType::LargeList(without_ids(item)),
        DataType::FixedSizeList(item, length) => {
            DataType::FixedSizeList(without_ids(item), *length)
        }
        DataType::Struct(fields) => DataType::Struct(fields.iter().map(without_ids).collect()),
        DataType::Map(entries, sorted) => DataType::Map(without_ids(entries), *sorted),
        other => other.clone(),
    };
    let mut metadata = field.metadata().clone();
    metadata.remove(PARQUET_FIELD_ID_META_KEY);
    Arc::new(
        field
            .as_ref()
            .clone()
            .with_data_type(data_type)
            .with_metadata(metadata),
    )
}

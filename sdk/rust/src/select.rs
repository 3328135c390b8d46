//! Row selection on local batches: by Arrow's kernels in native tests, by the host in a component.
//!
//! A component needs no kernels of its own: a local batch without rows, as `check` applies steps to,
//! stays as it is, and any other is handed to the host.

use arrow_array::{BooleanArray, RecordBatch, UInt64Array};

use crate::batch::Batch;
use crate::error::{Error, Result};

/// The rows where `mask` is true. Null counts as false.
pub(crate) fn filter(batch: &RecordBatch, mask: &BooleanArray) -> Result<Batch> {
    #[cfg(target_family = "wasm")]
    return if batch.num_rows() == 0 {
        Ok(batch.clone().into())
    } else {
        on_host(batch)?.filter(mask)
    };
    #[cfg(not(target_family = "wasm"))]
    Ok(arrow_select::filter::filter_record_batch(batch, mask)?.into())
}

/// The rows at `indices`. A null index gives a row of nulls.
pub(crate) fn take(batch: &RecordBatch, indices: &UInt64Array) -> Result<Batch> {
    use arrow_array::Array;
    let nulls = indices.null_count() > 0;
    let nullable = |field: &arrow_schema::FieldRef| -> arrow_schema::FieldRef {
        if nulls {
            field.as_ref().clone().with_nullable(true).into()
        } else {
            field.clone()
        }
    };
    let rows = batch.num_rows() as u64;
    if let Some(index) = indices.iter().flatten().find(|index| *index >= rows) {
        return Err(Error::new("bad-batch", format!("row {index} is not there")).with("rows", rows));
    }
    #[cfg(target_family = "wasm")]
    return if indices.is_empty() {
        let fields = batch.schema().fields().iter().map(nullable).collect();
        let columns = batch
            .columns()
            .iter()
            .map(|column| column.slice(0, 0))
            .collect();
        crate::batch::local(fields, columns, 0).map(Batch::from)
    } else {
        on_host(batch)?.take(indices)
    };
    #[cfg(not(target_family = "wasm"))]
    {
        let fields = batch.schema().fields().iter().map(nullable).collect();
        let columns = batch
            .columns()
            .iter()
            .map(|column| arrow_select::take::take(column, indices, None))
            .collect::<std::result::Result<Vec<_>, _>>()?;
        crate::batch::local(fields, columns, indices.len()).map(Batch::from)
    }
}

/// The rows of `batches`, in order.
pub(crate) fn concat(batches: &[RecordBatch]) -> Result<Batch> {
    let Some(first) = batches.first() else {
        return Err(Error::new("bad-batch", "there is no batch to concatenate"));
    };
    #[cfg(target_family = "wasm")]
    {
        if batches.iter().all(|batch| batch.num_rows() == 0) {
            return Ok(first.clone().into());
        }
        Batch::concat(&batches.iter().map(on_host).collect::<Result<Vec<_>>>()?)
    }
    #[cfg(not(target_family = "wasm"))]
    Ok(arrow_select::concat::concat_batches(&first.schema(), batches)?.into())
}

#[cfg(target_family = "wasm")]
fn on_host(batch: &RecordBatch) -> Result<Batch> {
    Ok(Batch::owned(Batch::from(batch.clone()).into_host()?))
}

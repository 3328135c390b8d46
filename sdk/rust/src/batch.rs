//! Rows that the host owns and a step pulls by column.

use std::collections::{BTreeMap, BTreeSet};
use std::mem::ManuallyDrop;
use std::sync::Arc;

use arrow_array::{Array, ArrayRef, BooleanArray, RecordBatch, RecordBatchOptions, UInt64Array};
use arrow_schema::{Field, FieldRef, Schema};

use crate::bindings::host::pinion::step::arrow as host;
use crate::error::{Error, Result};
use crate::{mark, select, wire};

/// Rows of a table with one schema, immutable.
///
/// What is called on it is what "read" means. A step that asks only for the columns it needs runs
/// again only when those change; everything else passes through unseen and costs nothing. Prefer
/// [`Batch::find`] to [`Batch::schema`], which observes every field.
///
/// On the host the rows stay where they are until a column is asked for. Off Wasm, in native tests
/// and in `check`, a batch is an Arrow record batch.
#[derive(Debug)]
pub struct Batch(Inner);

#[derive(Debug)]
enum Inner {
    Owned(host::Batch),
    /// Lent for the length of one call; whoever lent it drops it.
    Lent(ManuallyDrop<host::Batch>),
    Local(RecordBatch),
}

/// An operation on the host's batch, or the same on the local one.
macro_rules! either {
    ($self:expr, $host:ident => $on_host:expr, $local:ident => $on_local:expr) => {
        match &$self.0 {
            Inner::Owned($host) => $on_host,
            Inner::Lent($host) => $on_host,
            Inner::Local($local) => $on_local,
        }
    };
}

impl Batch {
    #[doc(hidden)]
    pub fn lent(batch: &host::Batch) -> Self {
        #[expect(
            unsafe_code,
            reason = "a second name for a handle that outlives the call it was lent for"
        )]
        // SAFETY: `ManuallyDrop` leaves the handle to its owner, and `&Batch` is all that a step gets.
        Self(Inner::Lent(ManuallyDrop::new(unsafe {
            host::Batch::from_handle(batch.handle())
        })))
    }

    pub(crate) fn owned(batch: host::Batch) -> Self {
        Self(Inner::Owned(batch))
    }

    /// The host's handle, which an output needs. A local batch is handed over first.
    #[doc(hidden)]
    pub fn into_host(self) -> Result<host::Batch> {
        match self.0 {
            Inner::Owned(batch) => Ok(batch),
            Inner::Lent(batch) => Ok(batch.slice(0, batch.rows()).map_err(Error::from)?),
            Inner::Local(batch) => send(
                batch.schema().fields(),
                batch.columns(),
                |fields, columns| host::make_batch(batch.num_rows() as u64, fields, columns),
            ),
        }
    }

    pub(crate) fn with_host<T>(&self, then: impl FnOnce(&host::Batch) -> T) -> Result<T> {
        Ok(
            either!(self, batch => then(batch), batch => then(&Self::from(batch.clone()).into_host()?)),
        )
    }

    pub(crate) fn into_local(self) -> Result<RecordBatch> {
        match self.0 {
            Inner::Local(batch) => Ok(batch),
            _ => {
                let fields = self.schema()?;
                let columns = fields
                    .iter()
                    .map(|field| self.array(field.name()))
                    .collect::<Result<Vec<_>>>()?;
                local(fields, columns, self.rows() as usize)
            }
        }
    }

    /// A batch of `rows` rows from nothing but what the step computed.
    ///
    /// # Errors
    /// `bad-batch` if a column is of another length or type than its field says, or a name stands twice.
    pub fn new(rows: usize, columns: Vec<(Field, ArrayRef)>) -> Result<Self> {
        let (fields, columns): (Vec<FieldRef>, Vec<ArrayRef>) = columns
            .into_iter()
            .map(|(field, column)| (Arc::new(field), column))
            .unzip();
        local(fields, columns, rows).map(Self::from)
    }

    /// Number of rows.
    pub fn rows(&self) -> u64 {
        either!(self, batch => batch.rows(), batch => batch.num_rows() as u64)
    }

    /// Every field, in order. Observes the whole schema.
    ///
    /// # Errors
    /// `bad-data` if the host describes a type that this SDK does not know.
    pub fn schema(&self) -> Result<Vec<FieldRef>> {
        either!(
            self,
            batch => wire::from_wire(&batch.schema()),
            batch => Ok(batch.schema().fields().iter().map(mark::without).collect())
        )
    }

    /// Every field, which in `check` says what it passes on.
    pub(crate) fn marked_schema(&self) -> Result<Vec<FieldRef>> {
        either!(self, batch => wire::from_wire(&batch.schema()), batch => Ok(batch.schema().fields().to_vec()))
    }

    /// One field, if there is one of this name.
    ///
    /// # Errors
    /// As [`Batch::schema`].
    pub fn find(&self, column: &str) -> Result<Option<FieldRef>> {
        either!(
            self,
            batch => batch.find(column).map(|list| wire::one_from_wire(&list)).transpose(),
            batch => Ok(batch.schema().fields().find(column).map(|(_, field)| mark::without(field)))
        )
    }

    /// One field.
    ///
    /// # Errors
    /// `missing-column`.
    pub fn field(&self, column: &str) -> Result<FieldRef> {
        self.find(column)?
            .ok_or_else(|| Error::missing_column(column))
    }

    /// One column of whatever type it has. Observes its values.
    ///
    /// # Errors
    /// `missing-column`.
    pub fn array(&self, column: &str) -> Result<ArrayRef> {
        let field = self.field(column)?;
        either!(
            self,
            batch => wire::array(&field, batch.column(column)),
            batch => batch.column_by_name(column).cloned().ok_or_else(|| Error::missing_column(column))
        )
    }

    /// One column as a typed Arrow array: `let delay: Float64Array = rows.column("arr_delay")?;`.
    ///
    /// # Errors
    /// - `missing-column`.
    /// - `wrong-type`, with the type that is there.
    pub fn column<A: Array + Clone + 'static>(&self, column: &str) -> Result<A> {
        let array = self.array(column)?;
        array.as_any().downcast_ref::<A>().cloned().ok_or_else(|| {
            let expected = std::any::type_name::<A>()
                .rsplit("::")
                .next()
                .unwrap_or_default()
                .trim_end_matches('>');
            Error::wrong_type(column, expected.trim_end_matches("Type"), array.data_type())
        })
    }

    /// The columns named, in that order. Observes no values.
    ///
    /// # Errors
    /// `missing-column`.
    pub fn select(&self, columns: &[&str]) -> Result<Self> {
        either!(
            self,
            batch => Ok(Self::owned(batch.select(columns)?)),
            batch => {
                let schema = batch.schema();
                let places: BTreeMap<&str, usize> =
                    schema.fields().iter().map(|field| field.name().as_str()).zip(0..).collect();
                let indices = columns
                    .iter()
                    .map(|name| places.get(name).copied().ok_or_else(|| Error::missing_column(name)))
                    .collect::<Result<Vec<_>>>()?;
                Ok(batch.project(&indices)?.into())
            }
        )
    }

    /// Adds a column that may hold nulls, or replaces the one of this name in place.
    ///
    /// # Errors
    /// `bad-batch` if the column has not as many values as the batch has rows.
    pub fn with(&self, column: &str, values: ArrayRef) -> Result<Self> {
        self.with_columns(vec![(
            Field::new(column, values.data_type().clone(), true),
            values,
        )])
    }

    /// Adds columns at the end, in order; one of an existing name replaces it in place.
    ///
    /// # Errors
    /// `bad-batch` if a column has not as many values as the batch has rows, or is not what its field says.
    pub fn with_columns(&self, columns: Vec<(Field, ArrayRef)>) -> Result<Self> {
        let (fields, arrays): (Vec<FieldRef>, Vec<ArrayRef>) = columns
            .into_iter()
            .map(|(field, array)| (Arc::new(field), array))
            .unzip();
        either!(
            self,
            batch => send(&fields, &arrays, |fields, columns| batch.with_columns(fields, columns)).map(Self::owned),
            batch => {
                let mut all_fields = batch.schema().fields().to_vec();
                let mut all = batch.columns().to_vec();
                for (field, array) in fields.into_iter().zip(arrays) {
                    match all_fields.iter().position(|old| old.name() == field.name()) {
                        Some(index) => {
                            all_fields[index] = field;
                            all[index] = array;
                        }
                        None => {
                            all_fields.push(field);
                            all.push(array);
                        }
                    }
                }
                local(all_fields, all, batch.num_rows()).map(Self::from)
            }
        )
    }

    /// Renames one column. The data stays where it is.
    ///
    /// # Errors
    /// `missing-column`, or `duplicate-column` if there is one named `to`.
    pub fn rename(&self, column: &str, to: &str) -> Result<Self> {
        either!(
            self,
            batch => Ok(Self::owned(batch.rename(column, to)?)),
            batch => {
                let index = batch.schema().index_of(column).map_err(|_| Error::missing_column(column))?;
                let mut fields = batch.schema().fields().to_vec();
                fields[index] = Arc::new(fields[index].as_ref().clone().with_name(to));
                local(fields, batch.columns().to_vec(), batch.num_rows()).map(Self::from)
            }
        )
    }

    /// The rows where `mask` is true. Null counts as false.
    ///
    /// # Errors
    /// `bad-batch` if the mask has not as many values as the batch has rows.
    pub fn filter(&self, mask: &BooleanArray) -> Result<Self> {
        either!(
            self,
            batch => Ok(Self::owned(lend(mask, |nodes| batch.filter(nodes))??)),
            batch => select::filter(batch, mask)
        )
    }

    /// The rows at `indices`, in that order. A null index gives a row of nulls.
    ///
    /// # Errors
    /// `bad-batch` if an index is out of range.
    pub fn take(&self, indices: &UInt64Array) -> Result<Self> {
        either!(
            self,
            batch => Ok(Self::owned(lend(indices, |nodes| batch.take(nodes))??)),
            batch => select::take(batch, indices)
        )
    }

    /// `length` rows from `start`.
    ///
    /// # Errors
    /// `bad-batch` if there are not as many.
    pub fn slice(&self, start: u64, length: u64) -> Result<Self> {
        either!(
            self,
            batch => Ok(Self::owned(batch.slice(start, length)?)),
            batch => {
                if start.checked_add(length).is_none_or(|end| end > batch.num_rows() as u64) {
                    return Err(Error::new("bad-batch", format!("rows {start} to {} are not there", start.saturating_add(length)))
                        .with("rows", batch.num_rows()));
                }
                Ok(batch.slice(start as usize, length as usize).into())
            }
        )
    }

    /// The columns of this batch, then those of `right`, which has as many rows and none of the names.
    ///
    /// # Errors
    /// `bad-batch` or `duplicate-column`.
    pub fn zip(&self, right: &Self) -> Result<Self> {
        match (&self.0, &right.0) {
            (Inner::Local(left), Inner::Local(right)) => {
                let fields = left
                    .schema()
                    .fields()
                    .iter()
                    .chain(right.schema().fields())
                    .cloned()
                    .collect();
                let columns = left
                    .columns()
                    .iter()
                    .chain(right.columns())
                    .cloned()
                    .collect();
                local(fields, columns, left.num_rows()).map(Self::from)
            }
            _ => Ok(Self::owned(self.with_host(|left| {
                right.with_host(|right| left.zip(right))
            })???)),
        }
    }

    /// The rows of `batches`, which have one schema, in order.
    ///
    /// # Errors
    /// `bad-batch` if there is none or their schemas differ.
    pub fn concat(batches: &[Self]) -> Result<Self> {
        let on_host: Option<Vec<&host::Batch>> = batches
            .iter()
            .map(|batch| match &batch.0 {
                Inner::Owned(batch) => Some(batch),
                Inner::Lent(batch) => Some(&**batch),
                Inner::Local(_) => None,
            })
            .collect();
        if let Some(batches) = on_host
            && !batches.is_empty()
        {
            return Ok(Self::owned(host::Batch::concat(&batches)?));
        }
        let batches = batches
            .iter()
            .map(|batch| batch.duplicate()?.into_local())
            .collect::<Result<Vec<_>>>()?;
        select::concat(&batches)
    }

    /// The same rows once more, to pass them on as they are. Nothing is copied.
    ///
    /// # Errors
    /// None that a step could cause.
    pub fn duplicate(&self) -> Result<Self> {
        either!(self, batch => Ok(Self::owned(batch.slice(0, batch.rows())?)), batch => Ok(batch.clone().into()))
    }
}

impl From<RecordBatch> for Batch {
    fn from(batch: RecordBatch) -> Self {
        Self(Inner::Local(batch))
    }
}

impl From<host::Error> for Error {
    fn from(error: host::Error) -> Self {
        Self {
            code: error.code,
            message: error.message,
            details: error.details,
        }
    }
}

impl From<Error> for host::Error {
    fn from(error: Error) -> Self {
        Self {
            code: error.code,
            message: error.message,
            details: error.details,
        }
    }
}

pub(crate) fn local(
    fields: Vec<FieldRef>,
    columns: Vec<ArrayRef>,
    rows: usize,
) -> Result<RecordBatch> {
    let mut names = BTreeSet::new();
    if let Some(twice) = fields.iter().find(|field| !names.insert(field.name())) {
        return Err(Error::new(
            "duplicate-column",
            format!("there are two columns `{}`", twice.name()),
        )
        .with("column", twice.name()));
    }
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), columns, &options)
        .map_err(|error| Error::new("bad-batch", error.to_string()))
}

pub(crate) fn lend<T>(
    array: &dyn Array,
    then: impl FnOnce(&[host::NodeParam<'_>]) -> T,
) -> Result<T> {
    let nodes = wire::nodes(array)?;
    Ok(then(&wire::Lent::new(&nodes).params()))
}

fn send<'a>(
    fields: impl IntoIterator<Item = &'a FieldRef>,
    columns: &[ArrayRef],
    then: impl FnOnce(
        &[host::FieldParam<'_>],
        &[&[host::NodeParam<'_>]],
    ) -> Result<host::Batch, host::Error>,
) -> Result<host::Batch> {
    let fields = wire::to_wire(fields)?;
    let fields: Vec<_> = fields.iter().map(wire::WireField::lend).collect();
    let fields: Vec<_> = fields.iter().map(wire::WireFieldLent::param).collect();
    let nodes = columns
        .iter()
        .map(|column| wire::nodes(column))
        .collect::<Result<Vec<_>>>()?;
    let lent: Vec<_> = nodes.iter().map(|nodes| wire::Lent::new(nodes)).collect();
    let params: Vec<_> = lent.iter().map(wire::Lent::params).collect();
    let slices: Vec<&[host::NodeParam<'_>]> = params.iter().map(Vec::as_slice).collect();
    Ok(then(&fields, &slices)?)
}

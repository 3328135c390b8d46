//! Checks a guest's nodes and builds arrays of them.

use arrow_array::types::{
    Decimal32Type, Decimal64Type, Decimal128Type, Decimal256Type, DecimalType,
};
use arrow_array::{Array as _, PrimitiveArray, make_array};
use arrow_buffer::{BooleanBuffer, Buffer, NullBuffer, bit_util};
use arrow_data::{ArrayData, ArrayDataBuilder};
use arrow_schema::{ArrowError, DataType};

use crate::arrow::chunk::canonical_type;
use crate::arrow::format::{DICTIONARY, MAX_DEPTH, path_text};
use crate::arrow::layout::{Layout, OffsetWidth, layout};
use crate::arrow::node::{BadArray, Node};
use crate::arrow::type_name;
use crate::arrow::views::{unpack_views, views_bytes};

/// Reads arrays off a pre-order list of nodes.
pub(crate) struct Decoder<'a> {
    /// Most values in one array.
    pub(crate) max_length: u64,
    pub(crate) nodes: std::vec::IntoIter<Node>,
    /// Bytes that may be made besides those that were sent.
    pub(crate) room: u64,
    /// How many nodes there were.
    pub(crate) found: usize,
    /// Names of the fields from the column down to the one being read.
    pub(crate) path: Vec<&'a str>,
}

impl<'a> Decoder<'a> {
    /// Reads one array and its children; `expected` is its length where that is known.
    pub(crate) fn array(
        &mut self,
        name: &'a str,
        data_type: &'a DataType,
        expected: Option<u64>,
    ) -> Result<ArrayData, BadArray> {
        self.path.push(name);
        if self.path.len() > MAX_DEPTH {
            return Err(BadArray::TooDeep { path: self.path() });
        }
        let Some(layout) = layout(data_type) else {
            return Err(BadArray::Unsupported {
                path: self.path(),
                found: type_name(data_type),
            });
        };
        let Some(node) = self.nodes.next() else {
            let expected = self.found + 1;
            return Err(BadArray::Nodes {
                path: self.path(),
                expected,
                found: self.found,
            });
        };
        let length = self.length(&node, expected)?;
        let builder = ArrayData::builder(canonical_type(data_type))
            .len(length)
            .align_buffers(true);
        let data = match layout {
            Layout::Null => self.null(node, builder)?,
            Layout::View => self.view(node, data_type, length)?,
            _ => {
                let nulls = self.nulls(&node, length)?;
                let builder = self.buffers(node, layout, length, builder)?;
                let builder = self.children(layout, length, builder)?;
                self.build(builder.nulls(nulls))?
            }
        };
        self.check_decimals(&data)?;
        self.path.pop();
        Ok(data)
    }

    fn length(&self, node: &Node, expected: Option<u64>) -> Result<usize, BadArray> {
        let bad = |expected| BadArray::Length {
            path: self.path(),
            expected,
            found: node.length,
        };
        match expected {
            Some(expected) if node.length != expected => Err(bad(expected.to_string())),
            _ if node.length > self.max_length => Err(bad(format!("at most {}", self.max_length))),
            _ => usize::try_from(node.length).map_err(|_| bad(format!("at most {}", usize::MAX))),
        }
    }

    fn null(&self, node: Node, builder: ArrayDataBuilder) -> Result<ArrayData, BadArray> {
        self.check_buffers(&node, 0)?;
        // arrow-rs says 0 of null arrays, everybody else their length.
        if node.null_count != 0 && node.null_count != node.length {
            return Err(BadArray::NullCount {
                path: self.path(),
                expected: node.length,
                found: node.null_count,
            });
        }
        self.build(builder)
    }

    fn nulls(&self, node: &Node, length: usize) -> Result<Option<NullBuffer>, BadArray> {
        let Some(validity) = node.buffers.first() else {
            return Err(BadArray::Buffers {
                path: self.path(),
                expected: 1,
                found: 0,
            });
        };
        let nulls = if validity.is_empty() {
            None
        } else {
            let validity = self.cut("validity", validity, bit_util::ceil(length, 8), 1)?;
            Some(NullBuffer::new(BooleanBuffer::new(validity, 0, length)))
        };
        let expected = nulls.as_ref().map_or(0, NullBuffer::null_count) as u64;
        if node.null_count != expected {
            let found = node.null_count;
            return Err(BadArray::NullCount {
                path: self.path(),
                expected,
                found,
            });
        }
        Ok(nulls.filter(|nulls| nulls.null_count() > 0))
    }

    /// Adds the buffers after validity, cut to their exact size.
    fn buffers(
        &self,
        node: Node,
        layout: Layout<'_>,
        length: usize,
        builder: ArrayDataBuilder,
    ) -> Result<ArrayDataBuilder, BadArray> {
        let offsets = |width: OffsetWidth| match &node.buffers[1] {
            empty if length == 0 && empty.is_empty() => Ok(Buffer::from(vec![0_u8; width.bytes()])),
            offsets => self.cut("offsets", offsets, length + 1, width.bytes()),
        };
        Ok(match layout {
            Layout::Boolean => {
                self.check_buffers(&node, 2)?;
                builder.add_buffer(self.cut(
                    "values",
                    &node.buffers[1],
                    bit_util::ceil(length, 8),
                    1,
                )?)
            }
            Layout::Fixed(width) => {
                self.check_buffers(&node, 2)?;
                builder.add_buffer(self.cut("values", &node.buffers[1], length, width)?)
            }
            Layout::Dictionary(width, _) => {
                self.check_buffers(&node, 2)?;
                builder.add_buffer(self.cut("index", &node.buffers[1], length, width)?)
            }
            Layout::Bytes(width) => {
                self.check_buffers(&node, 3)?;
                builder
                    .add_buffer(offsets(width)?)
                    .add_buffer(node.buffers[2].clone())
            }
            Layout::List(width, _) => {
                self.check_buffers(&node, 2)?;
                builder.add_buffer(offsets(width)?)
            }
            Layout::FixedList(..) | Layout::Struct(_) | Layout::Null | Layout::View => {
                self.check_buffers(&node, 1)?;
                builder
            }
        })
    }

    fn children(
        &mut self,
        layout: Layout<'a>,
        length: usize,
        builder: ArrayDataBuilder,
    ) -> Result<ArrayDataBuilder, BadArray> {
        Ok(match layout {
            Layout::List(_, item) => {
                builder.add_child_data(self.array(item.name(), item.data_type(), None)?)
            }
            Layout::FixedList(size, item) => {
                // The validity of a row becomes that of all its values while it is checked.
                self.afford((length as u64).saturating_mul(size as u64) / 8)?;
                // Saturated, it exceeds every length there is and is refused as such.
                let expected = (length as u64).saturating_mul(size as u64);
                builder.add_child_data(self.array(item.name(), item.data_type(), Some(expected))?)
            }
            Layout::Struct(fields) => {
                let mut builder = builder;
                for field in fields {
                    let child = self.array(field.name(), field.data_type(), Some(length as u64))?;
                    builder = builder.add_child_data(child);
                }
                builder
            }
            Layout::Dictionary(_, value) => {
                builder.add_child_data(self.array(DICTIONARY, value, None)?)
            }
            _ => builder,
        })
    }

    /// Reads views, checks them and writes them out as plain values.
    fn view(
        &mut self,
        node: Node,
        data_type: &DataType,
        length: usize,
    ) -> Result<ArrayData, BadArray> {
        /// How much larger than what was sent the plain form may be.
        const MAX_FACTOR: u64 = 64;

        let nulls = self.nulls(&node, length)?;
        let [_, views, data @ .., sizes] = node.buffers.as_slice() else {
            let found = node.buffers.len();
            return Err(BadArray::Buffers {
                path: self.path(),
                expected: 3,
                found,
            });
        };
        // The last buffer repeats the sizes of the data buffers; lists know theirs, so it is only checked to be there.
        self.cut("sizes", sizes, data.len(), 8)?;
        let views = self.cut("views", views, length, 16)?;
        let sent: usize = views.len() + data.iter().map(Buffer::len).sum::<usize>();
        let builder = ArrayData::builder(data_type.clone())
            .len(length)
            .nulls(nulls)
            .add_buffer(views)
            .add_buffers(data.iter().cloned())
            .align_buffers(true);
        let array = make_array(self.build(builder)?);
        let expected = (sent as u64)
            .saturating_mul(MAX_FACTOR)
            .min(i32::MAX as u64);
        let rows = length as u64;
        self.afford(views_bytes(&array).saturating_add(rows.saturating_mul(5)))?;
        let plain = unpack_views(&array, expected).map_err(|found| BadArray::Views {
            path: self.path(),
            expected,
            found,
        })?;
        Ok(plain.to_data())
    }

    /// Refuses decimals of more digits than their precision, which arrow-rs lets pass.
    fn check_decimals(&self, data: &ArrayData) -> Result<(), BadArray> {
        let wrong = match data.data_type() {
            DataType::Decimal32(precision, _) => wrong_decimal::<Decimal32Type>(data, *precision),
            DataType::Decimal64(precision, _) => wrong_decimal::<Decimal64Type>(data, *precision),
            DataType::Decimal128(precision, _) => wrong_decimal::<Decimal128Type>(data, *precision),
            DataType::Decimal256(precision, _) => wrong_decimal::<Decimal256Type>(data, *precision),
            _ => None,
        };
        match wrong {
            Some(row) => {
                let data_type = type_name(data.data_type());
                let reason = format!("more digits than {data_type} has at position {row}");
                Err(BadArray::Values {
                    path: self.path(),
                    reason,
                })
            }
            None => Ok(()),
        }
    }

    /// Refuses bytes that are about to be made and that there is no room for; those made before are counted.
    fn afford(&mut self, bytes: u64) -> Result<(), BadArray> {
        match self.room.checked_sub(bytes) {
            Some(room) => self.room = room,
            None => return Err(BadArray::Room { wanted: bytes }),
        }
        Ok(())
    }

    /// Checks every value and offset, and builds.
    fn build(&self, builder: ArrayDataBuilder) -> Result<ArrayData, BadArray> {
        builder.build().map_err(|error| self.bad_values(&error))
    }

    fn check_buffers(&self, node: &Node, expected: usize) -> Result<(), BadArray> {
        match node.buffers.len() {
            found if found == expected => Ok(()),
            found => Err(BadArray::Buffers {
                path: self.path(),
                expected,
                found,
            }),
        }
    }

    /// The first `count` items of `width` bytes each.
    fn cut(
        &self,
        buffer: &'static str,
        bytes: &Buffer,
        count: usize,
        width: usize,
    ) -> Result<Buffer, BadArray> {
        let found = bytes.len();
        match count.checked_mul(width) {
            Some(size) if size <= found => Ok(bytes.slice_with_length(0, size)),
            _ => Err(BadArray::Size {
                path: self.path(),
                buffer,
                expected: count as u128 * width as u128,
                found,
            }),
        }
    }

    fn bad_values(&self, error: &ArrowError) -> BadArray {
        let reason = match error {
            ArrowError::InvalidArgumentError(reason) => reason.clone(),
            other => other.to_string(),
        };
        BadArray::Values {
            path: self.path(),
            reason,
        }
    }

    fn path(&self) -> String {
        path_text(&self.path)
    }
}

/// The first row whose value has more digits than `precision`.
fn wrong_decimal<T: DecimalType>(data: &ArrayData, precision: u8) -> Option<usize> {
    let array = PrimitiveArray::<T>::from(data.clone());
    let fits = |value| T::is_valid_decimal_precision(value, precision);
    array
        .iter()
        .position(|value| value.is_some_and(|value| !fits(value)))
}

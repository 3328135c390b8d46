//! Which of Arrow's types a table can have: the one list that documentation and tests read.
//!
//! A kind is a type without its parameters, so there is one for each variant of [`DataType`], and one
//! that Arrow adds does not compile until it stands here. `docs/types.md` shows the list, and a test
//! compares the two. The generator of the tests makes every kind, in every unit and every nesting.

use arrow_schema::DataType;

/// What becomes of the values of a type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kept {
    /// Type and values stay, to the bit.
    AsIs,
    /// Values stay, to the bit, in the canonical form of their type.
    Rebuilt,
    /// Values stay, to the bit, and have another type.
    As(Kind),
    /// A table cannot have it.
    Refused,
}

macro_rules! kinds {
    ($($kind:ident $kept:ident$(($to:ident))? $names:literal $note:literal)*) => {
        /// A type without its parameters.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Kind {
            $(
                #[doc = $names]
                #[doc = ""]
                #[doc = $note]
                $kind,
            )*
        }

        impl Kind {
            /// Every kind, in the order of the documentation.
            pub const ALL: &[Self] = &[$(Self::$kind),*];

            /// The kind of a type.
            pub fn of(data_type: &DataType) -> Self {
                match data_type {
                    $(DataType::$kind { .. } => Self::$kind,)*
                }
            }

            /// What becomes of values of this kind.
            pub fn kept(self) -> Kept {
                match self {
                    $(Self::$kind => Kept::$kept$((Self::$to))?,)*
                }
            }

            /// The names that [`type_name`](crate::arrow::type_name) gives to its types, in Markdown.
            pub fn names(self) -> &'static str {
                match self {
                    $(Self::$kind => $names,)*
                }
            }

            /// What there is to say of it, in Markdown, without a full stop.
            pub fn note(self) -> &'static str {
                match self {
                    $(Self::$kind => $note,)*
                }
            }
        }
    };
}

kinds! {
    Null AsIs "`null`" "always nullable"
    Boolean AsIs "`boolean`" ""
    Int8 AsIs "`int8`" ""
    Int16 AsIs "`int16`" ""
    Int32 AsIs "`int32`" ""
    Int64 AsIs "`int64`" ""
    UInt8 AsIs "`uint8`" ""
    UInt16 AsIs "`uint16`" ""
    UInt32 AsIs "`uint32`" ""
    UInt64 AsIs "`uint64`" ""
    Float16 AsIs "`float16`" "any bits, every NaN and negative zero"
    Float32 AsIs "`float32`" "any bits, every NaN and negative zero"
    Float64 AsIs "`float64`" "any bits, every NaN and negative zero"
    Decimal32 AsIs "`decimal32(p, s)`" "no more digits than `p`"
    Decimal64 AsIs "`decimal64(p, s)`" "no more digits than `p`"
    Decimal128 AsIs "`decimal128(p, s)`" "no more digits than `p`"
    Decimal256 AsIs "`decimal256(p, s)`" "no more digits than `p`"
    Date32 AsIs "`date32`" ""
    Date64 AsIs "`date64`" "any number of milliseconds, also within a day"
    Time32 AsIs "`time32[s]`, `time32[ms]`" ""
    Time64 AsIs "`time64[us]`, `time64[ns]`" ""
    Timestamp AsIs "`timestamp[u]`, `timestamp[u, zone]`" "`u` is `s`, `ms`, `us` or `ns`; an empty zone is none"
    Duration AsIs "`duration[u]`" "`u` is `s`, `ms`, `us` or `ns`"
    Interval AsIs "`interval[year-month]`, `interval[day-time]`, `interval[month-day-nano]`" ""
    Utf8 AsIs "`utf8`" ""
    LargeUtf8 AsIs "`large-utf8`" ""
    Utf8View As(Utf8) "`utf8-view`" "written out, at any depth"
    Binary AsIs "`binary`" ""
    LargeBinary AsIs "`large-binary`" ""
    BinaryView As(Binary) "`binary-view`" "written out, at any depth"
    FixedSizeBinary AsIs "`fixed-size-binary[n]`" "`n` above 0"
    Dictionary Rebuilt "`dictionary<key, value>`" "keys of any integer type; each value once, in order of first use; a null value is a null key; values that are null or nested are refused"
    List Rebuilt "`list<item>`" "the child is named `item`"
    LargeList Rebuilt "`large-list<item>`" "the child is named `item`"
    FixedSizeList Rebuilt "`fixed-size-list<item>[n]`" "the child is named `item`; `n` above 0"
    Struct Rebuilt "`struct<…>`" "with or without fields; their metadata goes"
    Map Rebuilt "`map<key, value>`" "children are named `entries`, `key` and `value`; that keys are sorted is not kept"
    ListView Refused "`list-view<item>`" ""
    LargeListView Refused "`large-list-view<item>`" ""
    Union Refused "`union`" ""
    RunEndEncoded Refused "`run-end-encoded`" ""
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests;

//! Fields as they cross the wall: flat, in pre-order, with Arrow C Data Interface format strings.
//!
//! See <https://arrow.apache.org/docs/format/CDataInterface.html#data-type-description-format-strings>.
//! A dictionary-encoded field carries its index type in `format` and has one child named `dictionary`,
//! its value type, which is nullable and has no metadata. The only child of a map is the struct of its entries.
//! Where the interface leaves a choice: a decimal of 128 bits has no width (`d:38,10`), a timestamp without a zone
//! ends in the colon (`tsu:`), and the type is the [canonical](crate::arrow::chunk::canonical_type) one in
//! every digest.

pub(crate) mod strings;

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow_schema::{DataType, Field};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::arrow::format::strings::{flat, format_of, positive};
use crate::arrow::layout::layout;
use crate::digest::{Digest, StructuredHasher};

/// Deepest nesting of fields, the top-level field counting as 1.
pub const MAX_DEPTH: usize = 32;
/// Most fields in one list, children included.
pub const MAX_FIELDS: usize = 65_536;
/// Longest name, metadata key, metadata value and format string, in bytes.
pub const MAX_TEXT_BYTES: usize = 1024;
/// Name of the only child of a dictionary-encoded field.
pub const DICTIONARY: &str = "dictionary";

/// One field as it crosses the wall. A schema is a list of these in pre-order.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WireField {
    /// Name of the column or of the child.
    pub name: String,
    /// Arrow C Data Interface format string.
    pub format: String,
    /// Whether values may be null.
    pub nullable: bool,
    /// How many children follow, each with its own subtree.
    pub children: u32,
    /// Sorted by key.
    pub metadata: Vec<(String, String)>,
}

/// Fields that the host does not take.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum BadFields {
    /// There are too many fields in the list.
    #[error("too many fields\n  expected at most {MAX_FIELDS}\n  found    {found}")]
    TooMany {
        /// How many there are.
        found: usize,
    },
    /// A field lies too deep.
    #[error("field `{path}` is nested too deep\n  expected at most {MAX_DEPTH} levels")]
    TooDeep {
        /// Names from the column down, joined by dots.
        path: String,
    },
    /// The list ends before the children that a field has announced.
    #[error("field `{path}` lacks children\n  expected {expected}\n  found    {found}")]
    Truncated {
        /// Names from the column down, joined by dots.
        path: String,
        /// How many children the field announced.
        expected: u32,
        /// How many there are.
        found: u32,
    },
    /// A name, a metadata text or a format string is too long or has control characters.
    #[error(
        "{what} of field `{path}` is not usable\n  expected at most {MAX_TEXT_BYTES} bytes and no control characters"
    )]
    Text {
        /// Names from the column down, joined by dots; unprintable characters escaped.
        path: String,
        /// Which text.
        what: &'static str,
    },
    /// A metadata key is there twice.
    #[error("field `{path}` has the metadata key `{key}` twice")]
    DuplicateKey {
        /// Names from the column down, joined by dots.
        path: String,
        /// The key.
        key: String,
    },
    /// Two top-level fields have one name.
    #[error("there are two columns named `{name}`")]
    DuplicateName {
        /// The name.
        name: String,
    },
    /// The format string is not one of the Arrow C Data Interface, or not with these numbers.
    #[error(
        "field `{path}` has an unknown format\n  expected an Arrow C Data Interface format string\n  found    `{format}`"
    )]
    Format {
        /// Names from the column down, joined by dots.
        path: String,
        /// The format string.
        format: String,
    },
    /// The type is Arrow's but not one that the host takes.
    #[error("field `{path}` has a type that is not supported\n  found `{format}`, {what}")]
    Unsupported {
        /// Names from the column down, joined by dots.
        path: String,
        /// The format string.
        format: String,
        /// The type in words.
        what: &'static str,
    },
    /// The number or the shape of the children does not fit the format.
    #[error(
        "field `{path}` has children that do not fit its format `{format}`\n  expected {expected}\n  found    {found}"
    )]
    Children {
        /// Names from the column down, joined by dots.
        path: String,
        /// The format string.
        format: String,
        /// The children the format has.
        expected: &'static str,
        /// The number of children there are.
        found: usize,
    },
}

/// Flattens a field into pre-order.
///
/// Any Arrow type has a format string, so this cannot fail, but [`from_wire`] refuses the unsupported ones.
pub fn to_wire(field: &Field) -> Vec<WireField> {
    let mut wire = Vec::with_capacity(1);
    push_wire(
        field.name(),
        field.data_type(),
        field.is_nullable(),
        metadata(field),
        &mut wire,
    );
    wire
}

/// Rebuilds the top-level fields of a pre-order list that a guest sent.
///
/// The data types are as sent: views stay views, children keep their names.
/// [`canonical_field`](crate::arrow::chunk::canonical_field) gives the type of what
/// [`decode`](crate::arrow::node::decode) makes of them.
///
/// # Errors
/// [`BadFields`] says which field, by its path, and what is wrong with it. Equal top-level names are for
/// [`check_names`] to refuse.
pub fn from_wire(wire: &[WireField]) -> Result<Vec<Field>, BadFields> {
    if wire.len() > MAX_FIELDS {
        return Err(BadFields::TooMany { found: wire.len() });
    }
    let mut reader = Reader {
        rest: wire.iter(),
        path: Vec::new(),
    };
    let mut fields = Vec::new();
    while let Some(field) = reader.next()? {
        fields.push(field);
    }
    Ok(fields)
}

/// Refuses a schema with two top-level fields of one name.
///
/// # Errors
/// [`BadFields::DuplicateName`], for the first name that comes again.
pub fn check_names<'a>(fields: impl IntoIterator<Item = &'a Field>) -> Result<(), BadFields> {
    let mut names = BTreeSet::new();
    match fields.into_iter().find(|field| !names.insert(field.name())) {
        Some(field) => Err(BadFields::DuplicateName {
            name: field.name().clone(),
        }),
        None => Ok(()),
    }
}

/// Refuses a name that no column can have: too long, or with control characters.
///
/// # Errors
/// [`BadFields::Text`].
pub(crate) fn check_name(name: &str) -> Result<(), BadFields> {
    match is_text(name) {
        true => Ok(()),
        false => Err(BadFields::Text {
            path: path_text(&[name]),
            what: "the name",
        }),
    }
}

fn is_text(text: &str) -> bool {
    text.len() <= MAX_TEXT_BYTES && !text.chars().any(char::is_control)
}

/// The digest of one field: name, type, nullability and metadata, children included.
///
/// [Structured](crate::digest): text `pinion field 1`, then for the field and all below it, in pre-order: text
/// name, text format, option tag nullable, list of as many entries as there are children, which come after the
/// field's own facts, and list of metadata, by the bytes of the keys, each text key and text value.
pub fn field_digest(field: &Field) -> Digest {
    let mut hasher = StructuredHasher::new("pinion field 1");
    hash_field(field, &mut hasher);
    hasher.finish()
}

/// The digest of a schema.
///
/// [Structured](crate::digest): text `pinion schema 1`, list of the top-level fields, each with the facts that
/// stand behind the domain in [`field_digest`]. The metadata of the schema itself is nowhere.
pub fn schema_digest(fields: &[Field]) -> Digest {
    let mut hasher = StructuredHasher::new("pinion schema 1");
    hasher.list(fields.len());
    for field in fields {
        hash_field(field, &mut hasher);
    }
    hasher.finish()
}

/// Children of a type as `(name, type, nullable, metadata)`, a dictionary's values among them.
pub(crate) fn children(data_type: &DataType) -> Vec<(&str, &DataType, bool, Option<&Field>)> {
    fn child(field: &Field) -> (&str, &DataType, bool, Option<&Field>) {
        (
            field.name(),
            field.data_type(),
            field.is_nullable(),
            Some(field),
        )
    }

    match data_type {
        DataType::List(item)
        | DataType::LargeList(item)
        | DataType::ListView(item)
        | DataType::LargeListView(item)
        | DataType::FixedSizeList(item, _)
        | DataType::Map(item, _) => vec![child(item)],
        DataType::Struct(fields) => fields.iter().map(|field| child(field)).collect(),
        DataType::Union(fields, _) => fields.iter().map(|(_, field)| child(field)).collect(),
        DataType::RunEndEncoded(ends, values) => vec![child(ends), child(values)],
        DataType::Dictionary(_, value) => vec![(DICTIONARY, value, true, None)],
        _ => Vec::new(),
    }
}

fn metadata(field: &Field) -> Vec<(String, String)> {
    let mut pairs: Vec<_> = field
        .metadata()
        .iter()
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect();
    pairs.sort();
    pairs
}

fn push_wire(
    name: &str,
    data_type: &DataType,
    nullable: bool,
    metadata_pairs: Vec<(String, String)>,
    wire: &mut Vec<WireField>,
) {
    let children = children(data_type);
    wire.push(WireField {
        name: name.to_owned(),
        format: format_of(data_type),
        nullable,
        children: u32::try_from(children.len()).unwrap_or(u32::MAX),
        metadata: metadata_pairs,
    });
    for (name, data_type, nullable, field) in children {
        push_wire(
            name,
            data_type,
            nullable,
            field.map(metadata).unwrap_or_default(),
            wire,
        );
    }
}

fn hash_field(field: &Field, hasher: &mut StructuredHasher) {
    for wire in to_wire(field) {
        hasher
            .text(&wire.name)
            .text(&wire.format)
            .option_tag(wire.nullable);
        hasher
            .list(wire.children as usize)
            .list(wire.metadata.len());
        for (key, value) in &wire.metadata {
            hasher.text(key).text(value);
        }
    }
}

/// Reads fields off a pre-order list.
struct Reader<'a> {
    rest: std::slice::Iter<'a, WireField>,
    path: Vec<&'a str>,
}

impl Reader<'_> {
    fn next(&mut self) -> Result<Option<Field>, BadFields> {
        let Some(wire) = self.rest.next() else {
            return Ok(None);
        };
        self.path.push(&wire.name);
        let field = self.field(wire)?;
        self.path.pop();
        Ok(Some(field))
    }

    fn field(&mut self, wire: &WireField) -> Result<Field, BadFields> {
        let text = |what, text: &str| match is_text(text) {
            true => Ok(()),
            false => Err(BadFields::Text {
                path: self.path(),
                what,
            }),
        };
        text("the name", &wire.name)?;
        text("the format", &wire.format)?;
        let mut keys = BTreeSet::new();
        for (key, value) in &wire.metadata {
            text("a metadata key", key)?;
            // Values may be long and may span lines: they are JSON more often than not.
            if value.len() > MAX_TEXT_BYTES * 64 {
                return Err(BadFields::Text {
                    path: self.path(),
                    what: "a metadata value",
                });
            }
            if !keys.insert(key) {
                return Err(BadFields::DuplicateKey {
                    path: self.path(),
                    key: key.clone(),
                });
            }
        }
        if self.path.len() > MAX_DEPTH {
            return Err(BadFields::TooDeep { path: self.path() });
        }
        if wire.children as usize > self.rest.len() {
            let found = u32::try_from(self.rest.len()).unwrap_or(u32::MAX);
            return Err(BadFields::Truncated {
                path: self.path(),
                expected: wire.children,
                found,
            });
        }

        let mut children = Vec::new();
        while children.len() < wire.children as usize {
            let found = u32::try_from(children.len()).unwrap_or(u32::MAX);
            let Some(child) = self.next()? else {
                return Err(BadFields::Truncated {
                    path: self.path(),
                    expected: wire.children,
                    found,
                });
            };
            children.push(child);
        }
        let data_type = self.data_type(&wire.format, children)?;
        Ok(Field::new(&wire.name, data_type, wire.nullable)
            .with_metadata(wire.metadata.iter().cloned().collect()))
    }

    fn data_type(&self, format: &str, children: Vec<Field>) -> Result<DataType, BadFields> {
        let found = children.len();
        let bad_children = |expected| BadFields::Children {
            path: self.path(),
            format: format.to_owned(),
            expected,
            found,
        };
        let unsupported = |what| BadFields::Unsupported {
            path: self.path(),
            format: format.to_owned(),
            what,
        };

        match format {
            "+s" => return Ok(DataType::Struct(children.into())),
            "+r" => return Err(unsupported("run-end encoded")),
            "+vl" | "+vL" => return Err(unsupported("list view")),
            _ if format.starts_with("+u") => return Err(unsupported("union")),
            _ => {}
        }

        let bad_format = || BadFields::Format {
            path: self.path(),
            format: format.to_owned(),
        };
        if format.starts_with('+') {
            let [item] = <[Field; 1]>::try_from(children).map_err(|_| bad_children("1"))?;
            return match format {
                "+l" => Ok(DataType::List(Arc::new(item))),
                "+L" => Ok(DataType::LargeList(Arc::new(item))),
                "+m" => match item.data_type() {
                    DataType::Struct(pair)
                        if pair.len() == 2 && !item.is_nullable() && !pair[0].is_nullable() =>
                    {
                        Ok(DataType::Map(Arc::new(item), false))
                    }
                    _ => Err(bad_children(
                        "a non-null struct of a non-null key and a value",
                    )),
                },
                _ => {
                    let size = format
                        .strip_prefix("+w:")
                        .and_then(positive)
                        .ok_or_else(bad_format)?;
                    Ok(DataType::FixedSizeList(Arc::new(item), size))
                }
            };
        }

        let flat = flat(format).ok_or_else(bad_format)?;
        match <[Field; 1]>::try_from(children) {
            Ok([value]) if flat.is_dictionary_key_type() && value.name() == DICTIONARY => {
                let data_type =
                    DataType::Dictionary(Box::new(flat), Box::new(value.data_type().clone()));
                match layout(&data_type) {
                    Some(_) => Ok(data_type),
                    None => Err(unsupported("dictionary of null or nested values")),
                }
            }
            Err(children) if children.is_empty() => Ok(flat),
            _ if flat.is_dictionary_key_type() => {
                Err(bad_children("none, or one named `dictionary`"))
            }
            _ => Err(bad_children("none")),
        }
    }

    fn path(&self) -> String {
        path_text(&self.path)
    }
}

/// Joins names from the column down into one printable, bounded text.
pub(crate) fn path_text(names: &[&str]) -> String {
    let mut text: String = names
        .join(".")
        .chars()
        .take(200)
        .flat_map(char::escape_debug)
        .collect();
    if names
        .iter()
        .map(|name| name.chars().count() + 1)
        .sum::<usize>()
        > 201
    {
        text.push('…');
    }
    text
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::arrow::samples::{Random, random_field};

    fn wire(name: &str, format: &str, children: u32) -> WireField {
        let (name, format, metadata) = (name.to_owned(), format.to_owned(), Vec::new());
        WireField {
            name,
            format,
            nullable: true,
            children,
            metadata,
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn fields_round_trip(seed: u64) {
            let mut random = Random(seed);
            let metadata = [("unit".to_owned(), "km".to_owned()), ("a".to_owned(), "1\n2".to_owned())];
            let fields = [random_field("x", 3, &mut random), random_field("y", 3, &mut random).with_metadata(metadata.into())];
            let wire: Vec<_> = fields.iter().flat_map(to_wire).collect();
            // That the keys of a map are sorted is not said.
            let read: Vec<_> = from_wire(&wire).unwrap().iter().flat_map(to_wire).collect();
            prop_assert_eq!(read, wire);
        }

        #[test]
        fn any_list_is_a_schema_or_an_error(
            list in proptest::collection::vec(("[a-c\n]{0,3}", "[a-zA-Z+:,0-9-]{0,5}|\\+[slLmw]|\\+w:[0-9]|[iuln]", 0_u32..4, any::<bool>()), 0..20)
        ) {
            let list: Vec<_> = list
                .into_iter()
                .map(|(name, format, children, nullable)| WireField { nullable, ..wire(&name, &format, children) })
                .collect();
            if let Ok(fields) = from_wire(&list) {
                let again: Vec<_> = fields.iter().flat_map(to_wire).collect();
                prop_assert_eq!(from_wire(&again).unwrap(), fields);
            }
        }
    }

    #[test]
    fn every_flat_format_round_trips() {
        let formats = [
            "n",
            "b",
            "c",
            "C",
            "s",
            "S",
            "i",
            "I",
            "l",
            "L",
            "e",
            "f",
            "g",
            "z",
            "Z",
            "vz",
            "u",
            "U",
            "vu",
            "tdD",
            "tdm",
            "tts",
            "ttm",
            "ttu",
            "ttn",
            "tiM",
            "tiD",
            "tin",
            "tDs",
            "tDm",
            "tDu",
            "tDn",
            "tss:",
            "tsm:UTC",
            "tsu:+01:00",
            "tsn:Europe/Berlin",
            "w:1",
            "w:16",
            "d:9,2,32",
            "d:18,0,64",
            "d:38,10",
            "d:76,-3,256",
        ];
        for format in formats {
            let fields = from_wire(&[wire("x", format, 0)]).unwrap();
            assert_eq!(to_wire(&fields[0]), [wire("x", format, 0)]);
        }
    }

    #[test]
    fn formats_that_are_refused() {
        for format in [
            "",
            "x",
            "w:",
            "w:-1",
            "w:0",
            "w:99999999999",
            "d:",
            "d:0,0",
            "d:39,0",
            "d:5,6",
            "d:5,2,16",
            "d:5,2,128,1",
            "ts",
            "tsx:",
            "tt",
            "tdx",
            "tD",
            "i ",
        ] {
            let error = from_wire(&[wire("x", format, 0)]).unwrap_err();
            assert!(
                matches!(error, BadFields::Format { .. }),
                "{format}: {error}"
            );
        }
        for format in ["+r", "+vl", "+vL", "+ud:0,1", "+us:"] {
            let error = from_wire(&[wire("x", format, 0)]).unwrap_err();
            assert!(
                matches!(error, BadFields::Unsupported { .. }),
                "{format}: {error}"
            );
        }
    }

    #[test]
    fn children_that_do_not_fit_are_refused() {
        let lists = [
            vec![wire("x", "+l", 0)],
            vec![wire("x", "i", 1), wire("y", "u", 0)],
            vec![wire("x", "f", 1), wire("dictionary", "u", 0)],
            vec![wire("x", "+m", 1), wire("entries", "i", 0)],
            vec![wire("x", "+w:2", 2), wire("a", "i", 0), wire("b", "i", 0)],
        ];
        for list in lists {
            assert!(
                matches!(from_wire(&list), Err(BadFields::Children { .. })),
                "{list:?}"
            );
        }
        let nested = [
            wire("x", "i", 1),
            wire(DICTIONARY, "+l", 1),
            wire("item", "i", 0),
        ];
        assert!(matches!(
            from_wire(&nested),
            Err(BadFields::Unsupported { .. })
        ));
        let twice = [
            wire("x", "i", 1),
            wire(DICTIONARY, "i", 1),
            wire(DICTIONARY, "u", 0),
        ];
        assert!(matches!(
            from_wire(&twice),
            Err(BadFields::Unsupported { .. })
        ));
    }

    #[test]
    fn untrusted_shapes_are_bounded() {
        let chain = |depth: usize| -> Vec<_> {
            (1..depth)
                .map(|_| wire("x", "+l", 1))
                .chain([wire("x", "i", 0)])
                .collect()
        };
        assert!(from_wire(&chain(MAX_DEPTH)).is_ok());
        assert!(matches!(
            from_wire(&chain(60_000)),
            Err(BadFields::TooDeep { .. })
        ));
        let many = vec![wire("x", "i", 0); MAX_FIELDS + 1];
        assert_eq!(
            from_wire(&many),
            Err(BadFields::TooMany {
                found: MAX_FIELDS + 1
            })
        );
        assert_eq!(
            from_wire(&[wire("x", "+s", u32::MAX), wire("y", "i", 0)])
                .unwrap_err()
                .to_string(),
            "field `x` lacks children\n  expected 4294967295\n  found    1"
        );
        assert!(from_wire(&[wire(&"x".repeat(1025), "i", 0)]).is_err());
        assert!(from_wire(&[wire("a\u{7}", "i", 0)]).is_err());
        let mut twice = wire("x", "i", 0);
        twice.metadata = vec![("k".to_owned(), String::new()); 2];
        assert!(matches!(
            from_wire(&[twice]),
            Err(BadFields::DuplicateKey { .. })
        ));
    }

    #[test]
    fn names_of_columns_differ() {
        let fields = [
            Field::new("a", DataType::Null, true),
            Field::new("a", DataType::Int8, true),
        ];
        assert!(check_names(&fields[..1]).is_ok());
        assert_eq!(
            check_names(&fields),
            Err(BadFields::DuplicateName {
                name: "a".to_owned()
            })
        );
    }

    #[test]
    fn digests_tell_fields_apart() {
        let field = Field::new("x", DataType::Int32, true);
        let others = [
            field.clone().with_name("y"),
            field.clone().with_nullable(false),
            field.clone().with_data_type(DataType::Int64),
            field
                .clone()
                .with_metadata([("k".to_owned(), "v".to_owned())].into()),
        ];
        for other in others {
            assert_ne!(field_digest(&field), field_digest(&other));
            let alone = std::slice::from_ref(&field);
            assert_ne!(schema_digest(alone), schema_digest(&[other]));
        }
        assert_eq!(field_digest(&field), field_digest(&field.clone()));
    }
}

//! The face of a step: its ports, its params and the shapes it takes and gives.

use std::collections::BTreeMap;

use arrow_schema::{Field, FieldRef};

use crate::bindings::host::pinion::step::ports;
use crate::error::{Error, Result};
use crate::mark::{self, Passed};
use crate::wire;

/// What a step tells of itself: a summary and its ports. The kind and the schema of the params are
/// added by [`crate::export!`], which knows them.
#[derive(Clone, Debug)]
pub struct Descriptor {
    summary: String,
    inputs: Vec<Port>,
    outputs: Vec<Port>,
}

/// A named input or output.
#[derive(Clone, Debug)]
pub struct Port {
    name: String,
    role: &'static str,
    kind: &'static str,
    optional: bool,
    accepts: Vec<String>,
    doc: String,
    promise: Option<String>,
}

impl Descriptor {
    /// A step without ports; `summary` is one sentence.
    pub fn new(summary: &str) -> Self {
        Self {
            summary: summary.to_owned(),
            inputs: Vec::new(),
            outputs: Vec::new(),
        }
    }

    /// The main table, which the host hands over partition by partition. At most one.
    #[must_use]
    pub fn input(self, name: &str, doc: &str) -> Self {
        self.with_input(name, "main", "table", &[], doc)
    }

    /// A table that is there as a whole.
    #[must_use]
    pub fn side_table(self, name: &str, doc: &str) -> Self {
        self.with_input(name, "side", "table", &[], doc)
    }

    /// A blob of one of the media types `accepts`.
    #[must_use]
    pub fn side_blob(self, name: &str, accepts: &[&str], doc: &str) -> Self {
        self.with_input(name, "side", "blob", accepts, doc)
    }

    /// Makes the input port added last optional.
    #[must_use]
    pub fn optional(mut self) -> Self {
        if let Some(port) = self.inputs.last_mut() {
            port.optional = true;
        }
        self
    }

    /// A table that the step makes.
    #[must_use]
    pub fn output(self, name: &str, doc: &str) -> Self {
        self.with_output(name, "table", &[], doc)
    }

    /// A blob that the step makes.
    #[must_use]
    pub fn output_blob(self, name: &str, media_type: &str, doc: &str) -> Self {
        self.with_output(name, "blob", &[media_type], doc)
    }

    /// Promises of the output added last that the choice of columns which it passes on, and their names, are what
    /// `check` says of shapes alone ([`Shape::passes`]), whatever the data.
    ///
    /// The host fails the step in any unit where that does not hold. In return, lineage knows that nothing which the
    /// step read chose the columns.
    #[must_use]
    pub fn same_columns(self) -> Self {
        self.promise("columns".to_owned())
    }

    /// Promises of the output added last what [`Descriptor::same_columns`] does, and that its rows, their order
    /// and how they are cut into partitions are those of the table at `input`, whatever the data.
    ///
    /// The host cuts as the input is cut, and fails the step in any unit where the rows are others. In return, lineage
    /// knows that what the step read reaches the columns that it made and nothing else: a check which reads a column
    /// and passes all rows on does not taint all that follows.
    #[must_use]
    pub fn same_rows_as(self, input: &str) -> Self {
        self.promise(format!("rows:{input}"))
    }

    /// Promises of the output added last the rows of `input` alone, as [`Descriptor::same_rows_as`] does, and nothing
    /// of its columns: for a step that keeps the feature which predicts best, say.
    #[must_use]
    pub fn same_rows_only_as(self, input: &str) -> Self {
        self.promise(format!("only-rows:{input}"))
    }

    fn promise(mut self, promise: String) -> Self {
        if let Some(port) = self.outputs.last_mut() {
            port.promise = Some(promise);
        }
        self
    }

    fn with_input(
        mut self,
        name: &str,
        role: &'static str,
        kind: &'static str,
        accepts: &[&str],
        doc: &str,
    ) -> Self {
        self.inputs.push(port(name, role, kind, accepts, doc));
        self
    }

    fn with_output(mut self, name: &str, kind: &'static str, accepts: &[&str], doc: &str) -> Self {
        self.outputs.push(port(name, "out", kind, accepts, doc));
        self
    }

    /// Names of the output ports with whether each is a blob, in port order.
    pub(crate) fn output_ports(&self) -> impl Iterator<Item = (&str, bool)> {
        self.outputs
            .iter()
            .map(|port| (port.name.as_str(), port.kind == "blob"))
    }

    /// The form that crosses the wall.
    #[doc(hidden)]
    pub fn into_wire(self, kind: &str, params_schema: String) -> ports::Descriptor {
        let list = |ports: Vec<Port>| ports.into_iter().map(Port::into_wire).collect();
        ports::Descriptor {
            kind: kind.to_owned(),
            summary: self.summary,
            inputs: list(self.inputs),
            outputs: list(self.outputs),
            params_schema,
            annotations: vec![(
                "sdk".to_owned(),
                concat!("rust ", env!("CARGO_PKG_VERSION")).to_owned(),
            )],
        }
    }
}

fn port(name: &str, role: &'static str, kind: &'static str, accepts: &[&str], doc: &str) -> Port {
    Port {
        name: name.to_owned(),
        role,
        kind,
        optional: false,
        accepts: accepts
            .iter()
            .map(|media_type| (*media_type).to_owned())
            .collect(),
        doc: doc.to_owned(),
        promise: None,
    }
}

impl Port {
    fn into_wire(self) -> ports::Port {
        ports::Port {
            name: self.name,
            role: self.role.to_owned(),
            kind: self.kind.to_owned(),
            optional: self.optional,
            accepts: self.accepts,
            doc: self.doc,
            annotations: self
                .promise
                .map(|promise| ("promise".to_owned(), promise))
                .into_iter()
                .collect(),
        }
    }
}

/// What one port carries, before any data. Two are equal that carry the same, whatever they say of what is passed on.
#[derive(Clone, Debug)]
pub struct Shape {
    /// The port.
    pub port: String,
    /// The schema, or the media type.
    pub content: Content,
    /// By field, what is passed on.
    passed: BTreeMap<String, Passed>,
}

impl PartialEq for Shape {
    fn eq(&self, other: &Self) -> bool {
        self.port == other.port && self.content == other.content
    }
}

impl Eq for Shape {}

/// What a port carries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// A table with these fields.
    Table(Vec<FieldRef>),
    /// A blob of this media type.
    Blob(String),
}

impl Shape {
    /// A table with `fields`.
    pub fn table(port: &str, fields: Vec<FieldRef>) -> Self {
        Self {
            port: port.to_owned(),
            content: Content::Table(fields),
            passed: BTreeMap::new(),
        }
    }

    /// A blob of `media_type`.
    pub fn blob(port: &str, media_type: &str) -> Self {
        Self {
            port: port.to_owned(),
            content: Content::Blob(media_type.to_owned()),
            passed: BTreeMap::new(),
        }
    }

    /// Says which columns are passed on: every field that has the name of one of `table`, in which it is the column of
    /// that name, unless it is listed in `made`. What a port promises is held against this.
    #[must_use]
    pub fn passes(self, table: TableShape<'_>, made: &[&str]) -> Self {
        let of = |name: &str| {
            let passed = table.find(name).is_some() && !made.contains(&name);
            passed.then(|| name.to_owned())
        };
        self.passes_as(table, of)
    }

    /// Says which columns are passed on under which names: `of` gives for a name here the column of `table` that it
    /// is, if it is one. What is said of another table stays as it is.
    #[must_use]
    pub fn passes_as(self, table: TableShape<'_>, of: impl Fn(&str) -> Option<String>) -> Self {
        self.with_passed(table, false, of)
    }

    /// The same of columns that may have the values of other rows than those that the port promises, as a lag
    /// has, or of another table, as a join adds them.
    #[must_use]
    pub fn looks_up(self, table: TableShape<'_>, of: impl Fn(&str) -> Option<String>) -> Self {
        self.with_passed(table, true, of)
    }

    fn with_passed(
        mut self,
        table: TableShape<'_>,
        looked_up: bool,
        of: impl Fn(&str) -> Option<String>,
    ) -> Self {
        if let Content::Table(fields) = &self.content {
            for field in fields {
                if let Some(column) = of(field.name()) {
                    let passed = Passed {
                        port: table.port.to_owned(),
                        column,
                        looked_up,
                    };
                    self.passed.insert(field.name().clone(), passed);
                }
            }
        }
        self
    }

    /// A table of which the fields say by their marks what they pass on.
    pub(crate) fn marked(port: &str, fields: &[FieldRef]) -> Self {
        let mut shape = Self::table(port, fields.iter().map(mark::without).collect());
        for field in fields {
            if let Some(passed) = mark::of(field) {
                shape.passed.insert(field.name().clone(), passed);
            }
        }
        shape
    }

    #[doc(hidden)]
    pub fn into_wire(self) -> Result<ports::PortShape> {
        Ok(match self.content {
            Content::Table(fields) => ports::PortShape {
                port: self.port,
                kind: "table".to_owned(),
                fields: wire::to_wire(&mark::all(fields, &self.passed))?
                    .into_iter()
                    .map(wire::WireField::into_result)
                    .collect(),
                media_type: String::new(),
            },
            Content::Blob(media_type) => ports::PortShape {
                port: self.port,
                kind: "blob".to_owned(),
                fields: Vec::new(),
                media_type,
            },
        })
    }
}

/// The shapes of every input port that is bound.
#[derive(Clone, Debug, Default)]
pub struct Shapes(Vec<Shape>);

impl Shapes {
    /// Shapes in port order.
    pub fn new(shapes: Vec<Shape>) -> Self {
        Self(shapes)
    }

    #[doc(hidden)]
    pub fn from_wire(list: Vec<ports::PortShape>) -> Result<Self> {
        list.into_iter()
            .map(|shape| {
                Ok(match shape.kind.as_str() {
                    "blob" => Shape::blob(&shape.port, &shape.media_type),
                    _ => Shape::table(&shape.port, wire::from_wire(&shape.fields)?),
                })
            })
            .collect::<Result<_>>()
            .map(Self)
    }

    /// Whether something is bound to `port`.
    pub fn has(&self, port: &str) -> bool {
        self.0.iter().any(|shape| shape.port == port)
    }

    /// The shapes, in port order.
    pub fn iter(&self) -> impl Iterator<Item = &Shape> {
        self.0.iter()
    }

    /// The fields of the table at `port`.
    ///
    /// # Errors
    /// `missing-port` if nothing is bound there, or a blob.
    pub fn table(&self, port: &str) -> Result<TableShape<'_>> {
        self.0
            .iter()
            .find_map(|shape| match &shape.content {
                Content::Table(fields) if shape.port == port => Some(TableShape {
                    port: &shape.port,
                    fields,
                }),
                _ => None,
            })
            .ok_or_else(|| {
                Error::new(
                    "missing-port",
                    format!("there is no table at port `{port}`"),
                )
            })
    }
}

/// The fields of one table.
#[derive(Clone, Copy, Debug)]
pub struct TableShape<'a> {
    port: &'a str,
    fields: &'a [FieldRef],
}

impl<'a> TableShape<'a> {
    /// The port.
    pub fn port(&self) -> &'a str {
        self.port
    }

    /// Every field, in order.
    pub fn fields(&self) -> &'a [FieldRef] {
        self.fields
    }

    /// One field, if there is one of this name.
    pub fn find(&self, column: &str) -> Option<&'a Field> {
        self.fields
            .iter()
            .find(|field| field.name() == column)
            .map(AsRef::as_ref)
    }

    /// One field.
    ///
    /// # Errors
    /// `missing-column`, with the port and the columns that are there.
    pub fn field(&self, column: &str) -> Result<&'a Field> {
        self.find(column).ok_or_else(|| {
            let names: Vec<&str> = self
                .fields
                .iter()
                .map(|field| field.name().as_str())
                .collect();
            Error::missing_column(column)
                .with("port", self.port)
                .with("columns", names.join(", "))
        })
    }

    /// The fields with `added` at the end; one of an existing name replaces it in place, as
    /// [`crate::Batch::with_columns`] does.
    pub fn with(&self, added: impl IntoIterator<Item = Field>) -> Vec<FieldRef> {
        let mut fields = self.fields.to_vec();
        for field in added {
            match fields.iter_mut().find(|old| old.name() == field.name()) {
                Some(old) => *old = field.into(),
                None => fields.push(field.into()),
            }
        }
        fields
    }
}

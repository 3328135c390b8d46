//! Pipelines that grow step by step, each of which takes what it is given.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use arrow_schema::{DataType, Field, FieldRef};
use pinion_runtime::component::Component;
use pinion_runtime::pipeline::{Pipeline, StepName};
use pinion_runtime::unit::{Shape, ShapeContent};
use serde_json::Value;

use super::data::Source;
use super::known::{known, reference};
use super::random::Random;
use super::{standard, tells};

/// A pipeline, and what there is to build on.
pub(super) struct Grown {
    header: String,
    pub(super) sources: Vec<Source>,
    steps: Vec<String>,
    components: BTreeMap<StepName, Component>,
    pub(super) tables: Vec<TableAt>,
    pub(super) blobs: Vec<BlobAt>,
}

/// A table that a step puts out.
#[derive(Clone)]
pub(super) struct TableAt {
    pub(super) from: String,
    pub(super) fields: Vec<FieldRef>,
    /// The column that is going to change, and what may have been made of it.
    hot: BTreeSet<String>,
}

/// A blob that a step puts out.
#[derive(Clone)]
pub(super) struct BlobAt {
    pub(super) from: String,
    pub(super) media_type: String,
    /// Columns that it was made of.
    pub(super) columns: Vec<String>,
}

/// A step that could be added.
pub(super) struct Proposal {
    pub(super) component: &'static str,
    /// By port.
    pub(super) inputs: Vec<(&'static str, From)>,
    pub(super) params: Value,
    /// Columns that it may read.
    pub(super) reads: Vec<String>,
}

/// What an input reads.
pub(super) enum From {
    Table(TableAt),
    Blob(BlobAt),
}

impl TableAt {
    /// One of the columns that are `wanted`, rather one that is going to change.
    pub(super) fn column(
        &self,
        random: &mut Random,
        wanted: impl Fn(&Field) -> bool,
    ) -> Option<String> {
        let fields: Vec<&FieldRef> = self.fields.iter().filter(|field| wanted(field)).collect();
        let hot = fields
            .iter()
            .filter(|field| self.hot.contains(field.name()));
        let hot: Vec<&FieldRef> = hot.copied().collect();
        let fields = if random.chance(55) && !hot.is_empty() {
            hot
        } else {
            fields
        };
        random.pick(&fields).map(|field| field.name().clone())
    }

    /// The field of a column that is there.
    pub(super) fn field(&self, name: &str) -> &Field {
        let mut fields = self.fields.iter();
        fields.find(|field| field.name() == name).unwrap()
    }
}

impl Grown {
    /// A pipeline of one to six steps, in which the column `hot` of the first source is going to change.
    pub(super) fn new(mix: Mix, random: &mut Random) -> (Self, String) {
        let rows = match random.below(12) {
            0 => random.below(3),
            1 => 40,
            _ => 2 + random.below(20),
        };
        let mut sources = vec![Source::new("one", rows, random)];
        if random.chance(50) {
            let rows = random.below(8);
            sources.push(Source::new("two", rows, random));
        }
        let names: Vec<&str> = sources[0]
            .columns
            .iter()
            .map(|column| column.name)
            .collect();
        let hot = random
            .pick(&names[1..])
            .map_or("id", |name| name)
            .to_owned();
        let (batch_rows, batches) = (1 + random.below(5), 1 + random.below(3));
        let mut grown = Self {
            header: format!(
                "[pipeline]\nname = \"hunt\"\nbatch_rows = {batch_rows}\npartition_batches = {batches}\n"
            ),
            sources,
            steps: Vec::new(),
            components: BTreeMap::new(),
            tables: Vec::new(),
            blobs: Vec::new(),
        };
        for source in grown.sources.clone() {
            grown.read(&source, &hot);
        }
        let steps = 1 + random.below(6);
        for number in 1..=steps {
            // What a component refuses is proposed in another way.
            for _ in 0..20 {
                if grown.add(&format!("s{number}"), mix, random) {
                    break;
                }
            }
        }
        (grown, hot)
    }

    fn read(&mut self, source: &Source, hot: &str) {
        let (component, params) = source.reader();
        let name = source.name;
        let _ = write!(
            self.header,
            "[sources.{name}]\npath = \"{}\"\n",
            source.path()
        );
        self.steps.push(format!(
            "[steps.{name}]\nuse = \"{}\"\ninput = \"sources.{name}\"\nparams = {}\n",
            reference(component),
            toml(&params)
        ));
        self.components
            .insert(name.parse().unwrap(), known(component).component.clone());
        let is_first = self.tables.is_empty();
        self.tables.push(TableAt {
            from: format!("{name}.table"),
            fields: source.fields(),
            hot: is_first.then(|| hot.to_owned()).into_iter().collect(),
        });
    }

    /// Some table, rather one of the last step.
    pub(super) fn table(&self, random: &mut Random) -> TableAt {
        let last = self.tables.len().saturating_sub(3);
        let tables = if random.chance(65) {
            &self.tables[last..]
        } else {
            &self.tables[..]
        };
        random.pick(tables).unwrap().clone()
    }

    fn add(&mut self, name: &str, mix: Mix, random: &mut Random) -> bool {
        let tells = random.chance(mix.tells);
        let proposed = match tells {
            true => tells::propose(self, random),
            false => standard::propose(self, random),
        };
        let Some(proposal) = proposed else {
            return false;
        };
        let component = known(proposal.component);
        let mut withheld = Vec::new();
        let mut shapes = Vec::new();
        let mut inputs = Vec::new();
        for (at, port) in component.descriptor.inputs.iter().enumerate() {
            let bound = proposal
                .inputs
                .iter()
                .find(|(bound, _)| *bound == port.name);
            let (from, content) = match bound {
                None => continue,
                Some((_, From::Blob(blob))) => (
                    format!("\"{}\"", blob.from),
                    ShapeContent::Blob(blob.media_type.clone()),
                ),
                Some((_, From::Table(table))) => {
                    if at == 0 && random.chance(10) {
                        withheld = withhold(table, &proposal.reads, random);
                    }
                    let mut fields = table.fields.clone();
                    if at == 0 {
                        fields.retain(|field| !withheld.contains(field.name()));
                    }
                    let except = format!(
                        "{{ from = \"{}\", except = {} }}",
                        table.from,
                        toml(&withheld.clone().into())
                    );
                    let from = match at == 0 && !withheld.is_empty() {
                        true => except,
                        false => format!("\"{}\"", table.from),
                    };
                    (from, ShapeContent::Table(fields))
                }
            };
            inputs.push(format!("{} = {from}", port.name));
            shapes.push(Shape {
                port: port.name.as_str().into(),
                content,
                promise: None,
            });
        }
        let params = proposal.params.to_string();
        let Some(outputs) = component.check(&params, &shapes) else {
            return false;
        };
        self.steps.push(format!(
            "[steps.{name}]\nuse = \"{}\"\ninputs = {{ {} }}\nparams = {}\n",
            reference(proposal.component),
            inputs.join(", "),
            toml(&proposal.params)
        ));
        self.components
            .insert(name.parse().unwrap(), component.component.clone());
        self.put_out(name, &proposal, outputs);
        true
    }

    fn put_out(&mut self, name: &str, proposal: &Proposal, outputs: Vec<Shape>) {
        let tables: Vec<&TableAt> = proposal
            .inputs
            .iter()
            .filter_map(|(_, from)| match from {
                From::Table(table) => Some(table),
                From::Blob(_) => None,
            })
            .collect();
        let before: BTreeSet<&String> = tables.iter().flat_map(|table| &table.hot).collect();
        let known: BTreeSet<&String> = tables
            .iter()
            .flat_map(|table| table.fields.iter().map(|field| field.name()))
            .collect();
        let is_hot = proposal.reads.iter().any(|read| before.contains(read));
        for output in outputs {
            let from = format!("{name}.{}", output.port);
            match output.content {
                ShapeContent::Blob(media_type) => self.blobs.push(BlobAt {
                    from,
                    media_type,
                    columns: proposal.reads.clone(),
                }),
                ShapeContent::Table(fields) => {
                    let hot = fields.iter().map(|field| field.name());
                    let hot = hot
                        .filter(|name| before.contains(name) || (is_hot && !known.contains(name)));
                    self.tables.push(TableAt {
                        from,
                        hot: hot.cloned().collect(),
                        fields,
                    });
                }
            }
        }
    }

    /// The pipeline file.
    pub(super) fn text(&self) -> String {
        format!("{}{}", self.header, self.steps.concat())
    }

    /// The pipeline with the component of each step.
    pub(super) fn parsed(&self) -> (Pipeline, BTreeMap<StepName, Component>) {
        let text = self.text();
        let pipeline = Pipeline::parse(&text, "pinion.toml", &[]);
        let pipeline = pipeline.unwrap_or_else(|error| panic!("{error}\n{text}"));
        (pipeline, self.components.clone())
    }
}

/// Which steps pipelines are made of.
#[derive(Clone, Copy)]
pub(super) struct Mix {
    /// How many of a hundred are fixtures that tell what they read.
    pub(super) tells: usize,
}

/// Some columns that a step does not ask for.
fn withhold(table: &TableAt, reads: &[String], random: &mut Random) -> Vec<String> {
    let names = table.fields.iter().map(|field| field.name());
    let unread = names.filter(|name| !reads.contains(name) && random.chance(40));
    unread.cloned().collect()
}

/// Numbers that can be computed with.
pub(super) fn is_number(field: &Field) -> bool {
    matches!(field.data_type(), DataType::Int64 | DataType::Float64)
}

/// JSON as TOML has it on one line.
fn toml(value: &Value) -> String {
    match value {
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(toml).collect();
            format!("[{}]", items.join(", "))
        }
        Value::Object(entries) => {
            let entry = |(key, value): (&String, &Value)| {
                format!("{} = {}", Value::from(key.as_str()), toml(value))
            };
            let entries: Vec<String> = entries.iter().map(entry).collect();
            format!("{{ {} }}", entries.join(", "))
        }
        _ => value.to_string(),
    }
}

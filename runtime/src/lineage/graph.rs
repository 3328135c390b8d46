//! Columns, rows and blobs as a graph, and the shortest paths through it.
//!
//! Each edge is a channel ([`Link`]): a way in which what a unit was told can decide something of its outcome. A
//! unit's instance is fresh and knows nothing but its component, params and what it was told, so what it was
//! told in all its units reaches everything that it put out, on every channel, whatever happened in this run. What
//! the host itself holds a port to ([`Promised`](crate::promise::Promised)) is no channel.
//!
//! Along some edges run values, along others only which rows there are, in which order, and where they are cut,
//! and along the last kind only that a step did not fail. A path of edges of the first kind alone is *through
//! column*; one with edges of the second *through rows*, and one with any of the third *through success*.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt;

use super::step::{OutputLineage, StepLineage};
use crate::record::Size;

/// Something that can reach something else.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Node {
    /// The bytes of a source's files.
    Source(String),
    /// Which rows a table has, and in which order.
    Rows {
        /// The step that put it out.
        step: String,
        /// The output port.
        port: String,
    },
    /// The values of a column.
    Column {
        /// The step that put it out.
        step: String,
        /// The output port.
        port: String,
        /// The column.
        column: String,
    },
    /// A blob.
    Blob {
        /// The step that put it out.
        step: String,
        /// The output port.
        port: String,
    },
}

/// How something reaches something else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum How {
    /// Its values do.
    Column,
    /// It decided which rows there are, in which order, or where they are cut.
    Rows,
    /// A step would have failed had it been otherwise, and that is all.
    Success,
}

/// What a step did, or may have done, on the way from one node to the next: the channel of an edge.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Link {
    /// It read the one and made the values of the other.
    Made,
    /// It read the one and wrote the bytes of the other.
    Wrote,
    /// It passed it on as it was.
    Kept,
    /// It read the one and may have chosen by it which column to pass on under this name.
    ChoseColumns,
    /// It looked up the one by the other, as a join does.
    LookedUp,
    /// It was handed the one and put out the other without rows, so that nothing shows what it did with it.
    Unseen,
    /// It read the one and may have chosen by it which rows there are, in which order, and where they are cut.
    ChoseRows,
    /// It was handed those rows: how many, and how they are cut, is what every step gets to know.
    Handed,
    /// Nothing: a column has the rows of its table.
    Has,
    /// It read the one, and might have failed. The rest of what came out was promised whatever it read.
    Succeeded,
}

/// One node of a path, and how it was reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hop {
    /// The node.
    pub node: Node,
    /// The step and what it did; none for the first node.
    pub by: Option<(String, Link)>,
}

/// Whether and how something reaches something else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Influence {
    /// There is no path.
    None,
    /// Only in that no step failed: one of the shortest paths.
    Success(Vec<Hop>),
    /// Only by way of which rows there are: one of the shortest paths.
    Rows(Vec<Hop>),
    /// By way of values: one of the shortest paths.
    Column(Vec<Hop>),
}

impl Node {
    pub(super) fn rows(step: &str, port: &str) -> Self {
        Self::Rows {
            step: step.to_owned(),
            port: port.to_owned(),
        }
    }

    /// The column of this name that a step put out.
    pub fn column(step: &str, port: &str, column: &str) -> Self {
        Self::Column {
            step: step.to_owned(),
            port: port.to_owned(),
            column: column.to_owned(),
        }
    }

    pub(super) fn blob(step: &str, port: &str) -> Self {
        Self::Blob {
            step: step.to_owned(),
            port: port.to_owned(),
        }
    }
}

impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Source(name) => write!(f, "sources.{name}"),
            Self::Rows { step, port } | Self::Blob { step, port } => write!(f, "{step}.{port}"),
            Self::Column { step, port, column } => write!(f, "{step}.{port}.{column}"),
        }
    }
}

/// All nodes of a run and what reaches what.
pub(super) struct Graph {
    nodes: Vec<Node>,
    numbers: BTreeMap<Node, usize>,
    /// From each node, where to, how, and by what.
    edges: Vec<Vec<(usize, How, usize, Link)>>,
    steps: Vec<String>,
    /// A channel that is left out, to see that tests miss it.
    without: Option<Link>,
}

impl Graph {
    pub(super) fn of(steps: &[StepLineage], without: Option<Link>) -> Self {
        let mut graph = Self {
            without,
            nodes: Vec::new(),
            numbers: BTreeMap::new(),
            edges: Vec::new(),
            steps: steps.iter().map(|step| step.name.clone()).collect(),
        };
        for (at, step) in steps.iter().enumerate() {
            graph.add(at, step);
        }
        graph
    }

    fn number(&mut self, node: Node) -> usize {
        if let Some(number) = self.numbers.get(&node) {
            return *number;
        }
        let number = self.nodes.len();
        self.numbers.insert(node.clone(), number);
        self.nodes.push(node);
        self.edges.push(Vec::new());
        number
    }

    fn add(&mut self, at: usize, step: &StepLineage) {
        let bound = Bound::of(step);
        let read: Vec<usize> = bound
            .read
            .iter()
            .map(|node| self.number(node.clone()))
            .collect();
        let rows: Vec<usize> = bound
            .rows
            .iter()
            .map(|node| self.number(node.clone()))
            .collect();
        let handed: Vec<usize> = bound
            .handed
            .iter()
            .map(|node| self.number(node.clone()))
            .collect();
        for output in &step.outputs {
            if output.rows.is_none() {
                let blob = self.number(Node::blob(&step.name, &output.port));
                self.reach(&read, blob, How::Column, at, Link::Wrote);
                self.reach(&rows, blob, How::Rows, at, Link::Handed);
            } else if output.unseen {
                self.add_unseen(at, step, output, &handed, &rows);
            } else {
                self.add_table(at, step, output, &bound, &read, &rows);
            }
        }
    }

    fn add_unseen(
        &mut self,
        at: usize,
        step: &StepLineage,
        output: &OutputLineage,
        handed: &[usize],
        rows: &[usize],
    ) {
        let here = self.number(Node::rows(&step.name, &output.port));
        self.reach(rows, here, How::Rows, at, Link::Handed);
        self.reach(handed, here, How::Rows, at, Link::Unseen);
        for column in &output.made {
            let column = self.number(Node::column(&step.name, &output.port, column));
            self.reach(handed, column, How::Column, at, Link::Unseen);
            self.reach(&[here], column, How::Rows, at, Link::Has);
        }
    }

    fn add_table(
        &mut self,
        at: usize,
        step: &StepLineage,
        output: &OutputLineage,
        bound: &Bound,
        read: &[usize],
        rows: &[usize],
    ) {
        let (name, port) = (&step.name, &output.port);
        let here = self.number(Node::rows(name, port));
        let promised = output.rows_of().and_then(|port| bound.tables.get(port));
        if let Some((from, port)) = promised {
            let of = self.number(Node::rows(from, port));
            self.reach(&[of], here, How::Rows, at, Link::Handed);
            self.reach(read, here, How::Success, at, Link::Succeeded);
            self.reach(rows, here, How::Success, at, Link::Succeeded);
        } else {
            self.reach(rows, here, How::Rows, at, Link::Handed);
            self.reach(read, here, How::Rows, at, Link::ChoseRows);
        }
        for column in &output.made {
            let column = self.number(Node::column(name, port, column));
            self.reach(read, column, How::Column, at, Link::Made);
            self.reach(&[here], column, How::Rows, at, Link::Has);
            if promised.is_some() {
                // How many rows there are of every table at hand may be in the values.
                self.reach(rows, column, How::Rows, at, Link::Handed);
            }
        }
        for (column, sources) in &output.kept {
            let column = self.number(Node::column(name, port, column));
            self.reach(&[here], column, How::Rows, at, Link::Has);
            for kept in sources {
                if let Some((from, output)) = bound.tables.get(&kept.port) {
                    let of = self.number(Node::column(from, output, &kept.column));
                    self.reach(&[of], column, How::Column, at, Link::Kept);
                }
                if kept.looked_up {
                    self.reach(read, column, How::Column, at, Link::LookedUp);
                }
            }
            if !output.columns_are_promised() {
                self.reach(read, column, How::Column, at, Link::ChoseColumns);
            }
            // Whatever the values do not say of the choice, how many rows there are of every table at hand may.
            let is_free = !output.columns_are_promised() || sources.iter().any(|of| of.looked_up);
            if promised.is_some() && is_free {
                self.reach(rows, column, How::Rows, at, Link::Handed);
            }
        }
    }

    fn reach(&mut self, from: &[usize], to: usize, how: How, step: usize, link: Link) {
        if self.without == Some(link) {
            return;
        }
        for from in from {
            self.edges[*from].push((to, how, step, link));
        }
    }

    pub(super) fn influence(&self, from: &[Node], to: &[Node]) -> Influence {
        let numbers = |nodes: &[Node]| -> BTreeSet<usize> {
            let numbers = nodes.iter().filter_map(|node| self.numbers.get(node));
            numbers.copied().collect()
        };
        let (from, to) = (numbers(from), numbers(to));
        if let Some(path) = self.path(&from, &to, |how| how == How::Column) {
            return Influence::Column(path);
        }
        if let Some(path) = self.path(&from, &to, |how| how != How::Success) {
            return Influence::Rows(path);
        }
        self.path(&from, &to, |_| true)
            .map_or(Influence::None, Influence::Success)
    }

    /// A shortest path, among those the first in the order of the run.
    fn path(
        &self,
        from: &BTreeSet<usize>,
        to: &BTreeSet<usize>,
        along: impl Fn(How) -> bool,
    ) -> Option<Vec<Hop>> {
        let mut reached: BTreeMap<usize, Option<(usize, usize, Link)>> =
            from.iter().map(|node| (*node, None)).collect();
        let mut waiting: VecDeque<usize> = from.iter().copied().collect();
        while let Some(at) = waiting.pop_front() {
            if to.contains(&at) {
                return Some(self.back(at, &reached));
            }
            for (next, how, step, link) in &self.edges[at] {
                if along(*how) && !reached.contains_key(next) {
                    reached.insert(*next, Some((at, *step, *link)));
                    waiting.push_back(*next);
                }
            }
        }
        None
    }

    fn back(
        &self,
        end: usize,
        reached: &BTreeMap<usize, Option<(usize, usize, Link)>>,
    ) -> Vec<Hop> {
        let mut path = Vec::new();
        let mut next = Some(end);
        while let Some(at) = next {
            let before = reached.get(&at).copied().flatten();
            path.push(Hop {
                node: self.nodes[at].clone(),
                by: before.map(|(_, step, link)| (self.steps[step].clone(), link)),
            });
            next = before.map(|(before, _, _)| before);
        }
        path.reverse();
        path
    }
}

/// What was bound to a step, as nodes.
struct Bound {
    /// All that it could have asked for.
    handed: BTreeSet<Node>,
    /// What it was given the values of.
    read: BTreeSet<Node>,
    /// The rows of its tables.
    rows: BTreeSet<Node>,
    /// The step and the output that each port with a table reads.
    tables: BTreeMap<String, (String, String)>,
}

impl Bound {
    fn of(step: &StepLineage) -> Self {
        let mut bound = Self {
            handed: BTreeSet::new(),
            read: BTreeSet::new(),
            rows: BTreeSet::new(),
            tables: BTreeMap::new(),
        };
        for input in &step.inputs {
            let is_read = step.blobs_read.contains(&input.port);
            let Some((from, output)) = input.step() else {
                // Whoever turns files into a table has read them, also where there was no range to read.
                let source = input.source().map(|name| Node::Source(name.to_owned()));
                bound.handed.extend(source.clone());
                bound.read.extend(source);
                continue;
            };
            if !matches!(input.size, Size::Rows(_)) {
                let blob = Node::blob(from, output);
                bound.read.extend(is_read.then(|| blob.clone()));
                bound.handed.insert(blob);
                continue;
            }
            let node = |column: &String| Node::column(from, output, column);
            let handed = step.columns_handed.get(&input.port).into_iter().flatten();
            bound.handed.extend(handed.map(node));
            let read = step.columns_read.get(&input.port).into_iter().flatten();
            bound.read.extend(read.map(node));
            bound.rows.insert(Node::rows(from, output));
            let table = (from.to_owned(), output.to_owned());
            bound.tables.insert(input.port.clone(), table);
        }
        if step.saw_no_rows() {
            bound.read.extend(bound.handed.iter().cloned());
        }
        bound
    }
}

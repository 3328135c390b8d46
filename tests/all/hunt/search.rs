//! One case: a pipeline is run, a column of its source changes, it is run again, and what differs is compared with
//! what lineage says.

use std::collections::BTreeMap;
use std::fmt;

use pinion_runtime::lineage::{Influence, Lineage, Link, Node};
use pinion_runtime::record::RunRecord;
use pinion_runtime::run::Mode;

use super::data::{CHANGES, Change};
use super::ground::{Ground, Runnable};
use super::pipeline::{Grown, Mix};
use super::random::Random;

/// What came of a case.
#[derive(Default)]
pub(super) struct Looked {
    /// Why nothing could be compared, if nothing could.
    pub(super) failed: Option<String>,
    /// Runs that were compared with the first.
    pub(super) changes: u64,
    /// Pairs of the column and something that differed.
    pub(super) differing: u64,
    /// What differed and had no path.
    pub(super) found: Vec<Finding>,
    /// For each channel, what would have had no path without its edges.
    pub(super) noticed: BTreeMap<Link, u64>,
    /// Things that no change changed, downstream of the column's table.
    pub(super) steady: u64,
    /// How many of them have no path.
    pub(super) without_path: u64,
}

/// Something that is not as lineage says.
pub(super) struct Finding {
    case: u64,
    pipeline: String,
    what: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            case,
            pipeline,
            what,
        } = self;
        write!(
            f,
            "case {case}, which `HUNT={case}` runs alone: {what}\n{pipeline}"
        )
    }
}

/// The channels.
pub(super) const CHANNELS: [Link; 8] = [
    Link::Made,
    Link::Wrote,
    Link::Kept,
    Link::ChoseColumns,
    Link::LookedUp,
    Link::ChoseRows,
    Link::Handed,
    Link::Has,
];

/// The case of this number, in which the column changes so often.
pub(super) fn case(number: u64, changes: usize, mix: Mix, ground: &mut Ground) -> Looked {
    let random = &mut Random::new(number);
    let (grown, column) = Grown::new(mix, random);
    let (pipeline, components) = grown.parsed();
    let runnable = Runnable {
        pipeline,
        components,
    };
    let mut looked = Looked::default();
    let first = match ground.run(&runnable, &grown.sources, Mode::Cached) {
        Ok(first) => first,
        Err(error) => {
            looked.failed = Some(error);
            return looked;
        }
    };
    let source = &grown.sources[0];
    let x = Node::column(source.name, "table", &column);
    let mut steady: BTreeMap<Node, bool> = BTreeMap::new();
    for _ in 0..changes {
        let Some(change) = random.pick(&CHANGES).copied() else {
            continue;
        };
        let mut sources = grown.sources.clone();
        match source.changed(&column, change, random) {
            Some(changed) => sources[0] = changed,
            None => continue,
        }
        let second = match ground.run(&runnable, &sources, Mode::Cached) {
            Ok(second) => second,
            Err(error) => {
                looked.failed = Some(error);
                continue;
            }
        };
        // What is known of the first run must not decide anything either.
        if random.chance(15)
            && let Ok(fresh) = ground.run(&runnable, &sources, Mode::Fresh)
        {
            let differing = ground.differing(&second, &fresh);
            let differing = differing.iter().filter(|(_, differs)| *differs);
            looked.found.extend(differing.map(|(node, _)| Finding {
                case: number,
                pipeline: grown.text(),
                what: format!("{node} is not what it is without a cache, after {change:?} of {x}"),
            }));
        }
        let differing = ground.differing(&first, &second);
        let is_else =
            |(node, differs): &(Node, bool)| *differs && *node != x && is_of(node, source.name);
        if differing.iter().any(is_else) {
            looked.failed = Some("the change changed more than the column".to_owned());
            continue;
        }
        looked.changes += 1;
        for (node, differs) in &differing {
            *steady.entry(node.clone()).or_insert(true) &= !differs;
        }
        let differing = differing
            .into_iter()
            .filter(|(node, differs)| *differs && *node != x);
        let differing: Vec<Node> = differing.map(|(node, _)| node).collect();
        looked.differing += differing.len() as u64;
        let told = (&first, &second);
        compare(&mut looked, ground, told, &x, &differing, &|node| Finding {
            case: number,
            pipeline: grown.text(),
            what: describe(&x, node, change, &grown, &sources[0]),
        });
    }
    if looked.changes > 0 {
        let lineage = Lineage::of(&first, &ground.store).unwrap();
        let below = |node: &Node| {
            lineage
                .upstream(step_of(node))
                .iter()
                .any(|step| step.name == source.name)
        };
        for (node, steady) in &steady {
            if *steady && !is_of(node, source.name) && below(node) {
                looked.steady += 1;
                looked.without_path += u64::from(!is_path(&lineage, &x, node));
            }
        }
    }
    looked
}

/// Holds what differs against the lineage of both runs.
fn compare(
    looked: &mut Looked,
    ground: &Ground,
    (first, second): (&RunRecord, &RunRecord),
    x: &Node,
    differing: &[Node],
    finding: &dyn Fn(&Node) -> Finding,
) {
    let of = |record| Lineage::of(record, &ground.store).unwrap();
    let both = [of(first), of(second)];
    for node in differing {
        if !both.iter().all(|lineage| is_path(lineage, x, node)) {
            looked.found.push(finding(node));
        }
    }
    for channel in CHANNELS {
        let lineage = Lineage::of_without(first, &ground.store, channel).unwrap();
        let unseen = differing.iter().filter(|node| !is_path(&lineage, x, node));
        let unseen = unseen.count() as u64;
        if unseen > 0 {
            *looked.noticed.entry(channel).or_default() += unseen;
        }
    }
}

fn is_path(lineage: &Lineage<'_>, x: &Node, node: &Node) -> bool {
    let influence = lineage.influence(std::slice::from_ref(x), std::slice::from_ref(node));
    match influence {
        // That no step failed is known of both runs.
        Influence::None | Influence::Success(_) => false,
        Influence::Rows(_) | Influence::Column(_) => true,
    }
}

fn step_of(node: &Node) -> &str {
    match node {
        Node::Source(name) => name,
        Node::Rows { step, .. } | Node::Column { step, .. } | Node::Blob { step, .. } => step,
    }
}

fn is_of(node: &Node, step: &str) -> bool {
    step_of(node) == step
}

fn describe(
    x: &Node,
    node: &Node,
    change: Change,
    grown: &Grown,
    changed: &super::data::Source,
) -> String {
    let Node::Column { column, .. } = x else {
        return String::new();
    };
    let values = |source: &super::data::Source| {
        let mut columns = source.columns.iter();
        columns
            .find(|other| other.name == column)
            .map(|column| column.numbers.clone())
    };
    format!(
        "no path from {x} to {node}, which differs after {change:?}\n  before {:?}\n  after  {:?}",
        values(&grown.sources[0]).unwrap_or_default(),
        values(changed).unwrap_or_default()
    )
}

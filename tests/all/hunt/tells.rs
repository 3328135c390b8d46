//! Steps that tell what they read, through every channel that there is.

use serde_json::{Value, json};

use super::pipeline::{From, Grown, Proposal, TableAt};
use super::random::Random;

/// Ways that look at one batch after the other, and the ports that they may tell through.
const TOLD: [(&str, &[&str]); 18] = [
    ("values", &["rows", "chosen", "kept", "picked"]),
    ("nulls", &["rows", "chosen", "kept"]),
    ("words", &["rows", "chosen", "kept"]),
    ("claim", &["rows", "chosen", "kept"]),
    ("seed", &["rows", "chosen", "kept"]),
    ("position", &["rows", "chosen", "kept"]),
    ("rows", &["rows", "chosen"]),
    ("below", &["rows", "chosen"]),
    ("order", &["rows", "chosen"]),
    ("twice", &["rows", "chosen"]),
    ("gaps", &["rows"]),
    ("none", &["rows", "chosen"]),
    ("refused", &["rows", "chosen"]),
    ("choose", &["rows", "picked", "picked"]),
    ("swap", &["rows", "picked", "picked"]),
    ("peek", &["rows", "chosen", "kept"]),
    ("beside", &["rows", "kept"]),
    ("reach", &["rows", "chosen", "kept"]),
];

/// Ways that need all rows.
const WHOLE: [(&str, &[&str]); 11] = [
    ("cut", &["rows", "chosen"]),
    ("pieces", &["rows", "chosen"]),
    ("choose-cut", &["rows"]),
    ("choose-row", &["rows"]),
    ("sort", &["rows", "chosen"]),
    ("scratch", &["rows", "chosen"]),
    ("count", &["rows"]),
    ("partitions", &["rows"]),
    ("bytes", &["rows"]),
    ("length", &["rows"]),
    ("reach", &["rows"]),
];

/// Ways of the step that folds.
const FOLDED: [&str; 8] = [
    "values",
    "count",
    "partitions",
    "bytes",
    "rounds",
    "later",
    "seed",
    "merges",
];

/// A step that tells.
pub(super) fn propose(grown: &Grown, random: &mut Random) -> Option<Proposal> {
    let table = grown.table(random);
    let mut reads = Vec::new();
    // Whoever reads no column knows how rows are cut.
    let secret = if random.chance(70) {
        table.column(random, is_told)
    } else {
        None
    };
    reads.extend(secret.clone());
    let mut params = serde_json::Map::new();
    params.extend(secret.map(|secret| ("secret".to_owned(), secret.into())));
    let kind = random.below(10);
    if kind < 2 {
        let how = *random.pick(&FOLDED)?;
        params.insert("how".to_owned(), how.into());
        if let Some(later) = table.column(random, is_told).filter(|_| how == "later") {
            reads.push(later.clone());
            params.insert("later".to_owned(), later.into());
        }
        return Some(Proposal {
            component: "tell-all",
            inputs: vec![("rows", From::Table(table))],
            params: params.into(),
            reads,
        });
    }
    let each = kind < 5;
    let (how, ports): (Value, &[&str]) = match (each, random.chance(50)) {
        (false, true) => {
            let (how, ports) = random.pick(&WHOLE)?;
            ((*how).into(), ports)
        }
        (_, bit) => {
            let (how, ports) = random.pick(&TOLD)?;
            let key = if bit { "each" } else { "all" };
            (
                if each {
                    (*how).into()
                } else {
                    json!({ key: how })
                },
                ports,
            )
        }
    };
    params.insert("how".to_owned(), how);
    params.insert("to".to_owned(), (*random.pick(ports)?).into());
    if let Some((one, two)) = pair(&table, random) {
        reads.extend([one.clone(), two.clone()]);
        params.insert("pair".to_owned(), json!([one, two]));
    }
    let mut inputs = vec![("rows", From::Table(table))];
    if random.chance(60) {
        inputs.push(("side", From::Table(grown.table(random))));
    }
    if let Some(note) = random.pick(&grown.blobs).filter(|_| !each) {
        inputs.push(("note", From::Blob(note.clone())));
    }
    Some(Proposal {
        component: if each { "tell-each" } else { "tell" },
        inputs,
        params: params.into(),
        reads,
    })
}

fn is_told(field: &arrow_schema::Field) -> bool {
    field.name() != "id" && !field.data_type().is_nested()
}

/// Two columns of one type.
fn pair(table: &TableAt, random: &mut Random) -> Option<(String, String)> {
    let one = table.column(random, |_| true)?;
    let data_type = table.field(&one).data_type();
    let like = |field: &arrow_schema::Field| field.name() != &one && field.data_type() == data_type;
    let two = table.column(random, like)?;
    Some((one, two))
}

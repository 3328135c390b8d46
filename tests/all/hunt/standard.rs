//! Standard steps, with params that fit most of the time.

use arrow_schema::{DataType, Field};
use serde_json::{Value, json};

use super::pipeline::{BlobAt, From, Grown, Proposal, TableAt, is_number};
use super::random::Random;

type Propose = fn(&Grown, &mut Random) -> Option<Proposal>;

/// How often each is tried.
const STEPS: [(usize, Propose); 22] = [
    (12, filter),
    (8, sort),
    (10, derive),
    (8, select),
    (8, join),
    (6, group),
    (8, check),
    (4, cast),
    (6, coalesce),
    (4, distinct),
    (4, sample),
    (4, split_by_hash),
    (3, split_by_group),
    (4, split_by_time),
    (6, union),
    (8, window),
    (8, fit),
    (8, transform),
    (3, fit_linear),
    (3, predict),
    (3, evaluate),
    (3, write),
];

/// A standard step.
pub(super) fn propose(grown: &Grown, random: &mut Random) -> Option<Proposal> {
    let all: usize = STEPS.iter().map(|(weight, _)| weight).sum();
    let mut left = random.below(all);
    for (weight, propose) in STEPS {
        if left < weight {
            return propose(grown, random);
        }
        left -= weight;
    }
    None
}

fn of_rows(
    component: &'static str,
    table: TableAt,
    reads: Vec<String>,
    params: Value,
) -> Option<Proposal> {
    Some(Proposal {
        component,
        inputs: vec![("rows", From::Table(table))],
        params,
        reads,
    })
}

fn any(_: &Field) -> bool {
    true
}

fn is_key(field: &Field) -> bool {
    !field.data_type().is_nested() && !matches!(field.data_type(), DataType::Float64)
}

fn is_text(field: &Field) -> bool {
    *field.data_type() == DataType::Utf8
}

fn filter(grown: &Grown, random: &mut Random) -> Option<Proposal> {
    let table = grown.table(random);
    let column = table.column(random, any)?;
    let number = random.below(5);
    let condition = match table.field(&column).data_type() {
        DataType::Int64 | DataType::Float64 => match random.below(4) {
            0 => format!("{column} < {number}"),
            1 => format!("{column} >= {number}"),
            // All rows, or nearly all.
            2 => format!("{column} < 100000"),
            _ => format!("{column} IS NOT NULL"),
        },
        DataType::Utf8 => match random.below(3) {
            0 => format!("{column} = 't1'"),
            1 => format!("{column} <> 't{number}'"),
            _ => format!("{column} IS NOT NULL"),
        },
        DataType::Boolean => column.clone(),
        _ => format!("{column} IS NOT NULL"),
    };
    of_rows(
        "filter-rows",
        table,
        vec![column],
        json!({ "where": condition }),
    )
}

fn sort(grown: &Grown, random: &mut Random) -> Option<Proposal> {
    let table = grown.table(random);
    let column = table.column(random, any)?;
    let by = match random.chance(30) {
        true => json!({ "column": column, "descending": true }),
        false => json!(column),
    };
    of_rows("sort-rows", table, vec![column], json!({ "by": [by] }))
}

fn derive(grown: &Grown, random: &mut Random) -> Option<Proposal> {
    let table = grown.table(random);
    let column = table.column(random, any)?;
    let other = table.column(random, is_number);
    let mut reads = vec![column.clone()];
    let expression = match (table.field(&column).data_type(), random.below(3), other) {
        (DataType::Int64 | DataType::Float64, 0, Some(other)) => {
            reads.push(other.clone());
            format!("{column} + {other}")
        }
        (DataType::Int64 | DataType::Float64, 1, _) => format!("{column} * 2 + 1"),
        (DataType::Int64 | DataType::Float64, _, Some(other)) => {
            reads.push(other.clone());
            format!("CASE WHEN {column} > 2 THEN {other} ELSE 0 END")
        }
        (DataType::Utf8, 0, _) => format!("upper({column})"),
        (DataType::Boolean, 0, _) => format!("NOT {column}"),
        _ => format!("{column} IS NULL"),
    };
    let name = match random.chance(25) {
        true => table.column(random, |field| field.name() != "id")?,
        false => format!("x{}", random.below(3)),
    };
    of_rows(
        "derive-columns",
        table,
        reads,
        json!({ "columns": { name: expression } }),
    )
}

fn select(grown: &Grown, random: &mut Random) -> Option<Proposal> {
    let table = grown.table(random);
    let names: Vec<String> = table
        .fields
        .iter()
        .map(|field| field.name().clone())
        .collect();
    let params = match random.below(3) {
        0 => {
            let kept = names
                .iter()
                .filter(|name| *name == "id" || random.chance(60));
            json!({ "keep": kept.collect::<Vec<_>>() })
        }
        1 => json!({ "drop": [table.column(random, |field| field.name() != "id")?] }),
        _ => {
            let column = table.column(random, |field| field.name() != "id")?;
            json!({ "rename": { column: format!("r{}", random.below(3)) } })
        }
    };
    of_rows("select-columns", table, Vec::new(), params)
}

fn join(grown: &Grown, random: &mut Random) -> Option<Proposal> {
    let (left, right) = (grown.table(random), grown.table(random));
    let is_common = |field: &Field| {
        is_key(field)
            && right
                .fields
                .iter()
                .any(|other| other.name() == field.name() && other.data_type() == field.data_type())
    };
    let on = left.column(random, is_common)?;
    let how = *random.pick(&["left", "inner"])?;
    let component = *random.pick(&["join-tables", "join-tables", "join-large-tables"])?;
    Some(Proposal {
        component,
        inputs: vec![("left", From::Table(left)), ("right", From::Table(right))],
        params: json!({ "on": [on], "how": how, "suffix": format!("_{}", random.below(100)) }),
        reads: vec![on],
    })
}

fn group(grown: &Grown, random: &mut Random) -> Option<Proposal> {
    let table = grown.table(random);
    let by = table.column(random, is_key)?;
    let mut reads = vec![by.clone()];
    let mut aggregates = json!({ "rows": { "function": "count" } });
    if let Some(column) = table.column(random, |field| is_number(field) && *field.name() != by) {
        let function = *random.pick(&["sum", "mean", "min", "max", "first", "last", "count"])?;
        aggregates["figure"] = json!({ "column": column, "function": function });
        reads.push(column);
    }
    of_rows(
        "group-rows",
        table,
        reads,
        json!({ "by": [by], "aggregates": aggregates }),
    )
}

fn check(grown: &Grown, random: &mut Random) -> Option<Proposal> {
    let table = grown.table(random);
    let column = table.column(random, any)?;
    let fails = random.chance(50);
    let mut params = match (is_number(table.field(&column)), random.chance(50)) {
        (true, true) => json!({ "range": { &column: { "min": -100 } } }),
        _ => json!({ "not_null": [column] }),
    };
    if !fails {
        params["on_failure"] = "report".into();
    }
    if fails && table.field(&column).is_nullable() {
        return None;
    }
    of_rows("check-table", table, vec![column], params)
}

fn cast(grown: &Grown, random: &mut Random) -> Option<Proposal> {
    let table = grown.table(random);
    let column = table.column(random, is_number)?;
    let to = *random.pick(&["float64", "int64", "utf8"])?;
    of_rows(
        "cast-columns",
        table,
        vec![column.clone()],
        json!({ "columns": { column: to } }),
    )
}

fn coalesce(grown: &Grown, random: &mut Random) -> Option<Proposal> {
    of_rows("coalesce", grown.table(random), Vec::new(), json!({}))
}

fn distinct(grown: &Grown, random: &mut Random) -> Option<Proposal> {
    let table = grown.table(random);
    let by = table.column(random, any)?;
    let keep = *random.pick(&["first", "last"])?;
    of_rows(
        "distinct-rows",
        table,
        vec![by.clone()],
        json!({ "by": [by], "keep": keep }),
    )
}

fn sample(grown: &Grown, random: &mut Random) -> Option<Proposal> {
    let table = grown.table(random);
    let mut params = json!({ "rows": 1 + random.below(4) });
    let by = table.column(random, is_key).filter(|_| random.chance(50));
    if let Some(by) = &by {
        params["by"] = json!([by]);
    }
    of_rows("sample-rows", table, by.into_iter().collect(), params)
}

fn split_by_hash(grown: &Grown, random: &mut Random) -> Option<Proposal> {
    let table = grown.table(random);
    let by = table.column(random, is_key)?;
    let params = json!({ "by": [by], "weights": { "train": 2, "test": 1 } });
    of_rows("split-by-hash", table, vec![by], params)
}

fn split_by_group(grown: &Grown, random: &mut Random) -> Option<Proposal> {
    let table = grown.table(random);
    let by = table.column(random, is_key)?;
    let params = json!({ "by": [by], "weights": { "train": 2, "test": 1 }, "count": "rows" });
    of_rows("split-by-group", table, vec![by], params)
}

fn split_by_time(grown: &Grown, random: &mut Random) -> Option<Proposal> {
    let table = grown.table(random);
    let is_day = |field: &Field| *field.data_type() == DataType::Date32 && !field.is_nullable();
    let column = table.column(random, is_day)?;
    let params =
        json!({ "column": column, "cut": format!("2024-03-{:02}", 18 + random.below(14)) });
    of_rows("split-by-time", table, vec![column], params)
}

fn union(grown: &Grown, random: &mut Random) -> Option<Proposal> {
    let tables = [grown.table(random), grown.table(random)];
    let [first, second] = tables;
    Some(Proposal {
        component: "union-tables",
        inputs: vec![
            ("first", From::Table(first)),
            ("second", From::Table(second)),
        ],
        params: json!({ "missing": "null" }),
        reads: Vec::new(),
    })
}

fn window(grown: &Grown, random: &mut Random) -> Option<Proposal> {
    let table = grown.table(random);
    let order_by = table.column(random, |field| is_key(field) && !field.is_nullable())?;
    let mut reads = vec![order_by.clone()];
    let column = table.column(random, any)?;
    let lag = json!({ "function": "lag", "column": column, "rows": 1 });
    let mut features = json!({ format!("lag{}", random.below(50)): lag });
    if let Some(column) = table
        .column(random, is_number)
        .filter(|_| random.chance(40))
    {
        let mean = json!({ "function": "mean", "column": column, "rows": 2 });
        features[format!("mean{}", random.below(50))] = mean;
        reads.push(column);
    }
    let mut params = json!({ "order_by": order_by, "features": features });
    if let Some(by) = table.column(random, is_key).filter(|_| random.chance(40)) {
        params["by"] = json!([by]);
        reads.push(by);
    }
    of_rows("window-features", table, reads, params)
}

fn fit(grown: &Grown, random: &mut Random) -> Option<Proposal> {
    let table = grown.table(random);
    match random.below(3) {
        0 => {
            let column = table.column(random, is_number)?;
            of_rows(
                "fit-scaler",
                table,
                vec![column.clone()],
                json!({ "columns": [column] }),
            )
        }
        1 => {
            let column = table.column(random, is_text)?;
            of_rows(
                "fit-encoder",
                table,
                vec![column.clone()],
                json!({ "columns": [column] }),
            )
        }
        _ => {
            let column = table.column(random, is_number)?;
            of_rows(
                "fit-imputer",
                table,
                vec![column.clone()],
                json!({ "mean": [column] }),
            )
        }
    }
}

fn transform(grown: &Grown, random: &mut Random) -> Option<Proposal> {
    let port = |blob: &BlobAt| {
        let kinds = [
            ("scaler", "scale"),
            ("imputer", "impute"),
            ("encoder", "encode"),
        ];
        let mut kinds = kinds.into_iter();
        kinds.find(|(port, _)| blob.media_type.contains(&format!("pinion.{port}")))
    };
    let fitted: Vec<&BlobAt> = grown
        .blobs
        .iter()
        .filter(|blob| port(blob).is_some())
        .collect();
    let Some(blob) = random.pick(&fitted) else {
        return fit(grown, random);
    };
    let (port, list) = port(blob)?;
    let table = grown.table(random);
    Some(Proposal {
        component: "transform",
        inputs: vec![
            ("rows", From::Table(table)),
            (port, From::Blob((*blob).clone())),
        ],
        params: json!({ list: blob.columns }),
        reads: blob.columns.clone(),
    })
}

fn fit_linear(grown: &Grown, random: &mut Random) -> Option<Proposal> {
    let table = grown.table(random);
    let whole = |field: &Field| is_number(field) && !field.is_nullable();
    let target = table.column(random, whole)?;
    let feature = table.column(random, |field| whole(field) && *field.name() != target)?;
    let params = json!({ "target": target, "features": [feature], "alpha": 1.0 });
    of_rows("fit-linear", table, vec![feature, target], params)
}

fn predict(grown: &Grown, random: &mut Random) -> Option<Proposal> {
    let is_model = |blob: &&BlobAt| blob.media_type.contains("linear");
    let models: Vec<&BlobAt> = grown.blobs.iter().filter(is_model).collect();
    let Some(model) = random.pick(&models) else {
        return fit_linear(grown, random);
    };
    Some(Proposal {
        component: "predict",
        inputs: vec![
            ("rows", From::Table(grown.table(random))),
            ("model", From::Blob((*model).clone())),
        ],
        params: json!({}),
        reads: model.columns.clone(),
    })
}

fn evaluate(grown: &Grown, random: &mut Random) -> Option<Proposal> {
    let table = grown.table(random);
    let float = |field: &Field| *field.data_type() == DataType::Float64 && !field.is_nullable();
    let target = table.column(random, float)?;
    let prediction = table.column(random, |field| float(field) && *field.name() != target)?;
    let params = json!({ "target": target, "prediction": prediction });
    of_rows(
        "evaluate-regression",
        table,
        vec![target, prediction],
        params,
    )
}

fn write(grown: &Grown, random: &mut Random) -> Option<Proposal> {
    let table = grown.table(random);
    let reads = table.fields.iter().map(|field| field.name().clone());
    let reads = reads.collect();
    of_rows(
        "write-parquet",
        table,
        reads,
        json!({ "row_group_rows": 5 }),
    )
}

//! `diff` says what differs between two runs, and why, in text, in JSON and in Markdown.

use insta::assert_snapshot;
use pinion_tests::fixtures::component;
use pinion_tests::project::Project;
use serde_json::{Value, json};

/// Everything that a run can differ in: params, a component of one's own, sources, figures, a model.
const PIPELINE: &str = r#"
[pipeline]
name = "loans"

[params]
factor = 2
least = 0.5

[sources.loans]
path = "loans"

[steps.read]
use = "std:read-csv@0.1"
input = "sources.loans"

[steps.more]
use = "./add-one.wasm"
input = "read"
params = { column = "years", at_least = 0 }

[steps.derive]
use = "std:derive-columns@0.1"
input = "more.kept"
params = { columns = { product = "amount * ${params.factor}" } }

[steps.keep]
use = "std:filter-rows@0.1"
input = "derive"
params = { where = "amount > 0" }

[steps.fit]
use = "std:fit-scaler@0.1"
input = "keep"
params = { columns = ["product"] }

[steps.evaluate]
use = "std:evaluate-classification@0.1"
input = "keep"
params = { target = "late", probability = "chance", by = ["city"], threshold = "${params.least}" }
"#;

const LOANS: &str = "\
city,years,amount,late,chance
Oslo,1,10.5,1,0.75
Oslo,2,20.25,0,0.5
Turin,3,30,1,0.25
Turin,4,40.125,0,0.125
";

fn project() -> Project {
    let project = Project::with(&[("pinion.toml", PIPELINE), ("loans/2023.csv", LOANS)]);
    project.write("add-one.wasm", component("add-one"));
    project
}

#[track_caller]
fn run(project: &Project, args: &[&str]) -> String {
    let said = project.pinion(&[&["run", "--json"], args].concat());
    let id = said.succeeded().json()["run"].clone();
    id.as_str().unwrap().to_owned()
}

/// The same component with a section that says nothing.
fn other_bytes(component: &[u8]) -> Vec<u8> {
    let mut bytes = component.to_vec();
    bytes.extend([0, 6, 4]);
    bytes.extend(b"note!");
    bytes
}

/// Two runs between which everything differs that can.
fn edited() -> Project {
    let project = project();
    run(&project, &[]);
    let text = String::from_utf8(project.read("pinion.toml")).unwrap();
    let text = text
        .replace("factor = 2", "factor = 3")
        .replace("least = 0.5", "least = 0.625")
        .replace(
            "input = \"keep\"\nparams = { columns",
            "input = \"derive\"\nparams = { columns",
        )
        + "\n[steps.cities]\nuse = \"std:group-rows@0.1\"\ninput = \"read\"\nparams = { by = [\"city\"] }\n";
    project.write("pinion.toml", text.as_bytes());
    project.write("loans/2023.csv", LOANS.replace("0.75", "0.5").as_bytes());
    project.write(
        "loans/2024.csv",
        b"city,years,amount,late,chance\nLyon,5,50.5,1,0.875\n",
    );
    project.write("add-one.wasm", &other_bytes(component("add-one")));
    project.pinion(&["update"]).succeeded();
    run(&project, &[]);
    project
}

#[test]
fn equal_runs_are_equal() {
    let project = project();
    let first = run(&project, &[]);
    run(&project, &[]);
    assert_snapshot!(project.pinion(&["diff", "--exit-code"]).snapshot(), @"
    exit 0
    --- stdout
    run [RUN] -> [RUN]
      pipeline  loans                ->  loans
      outcome   succeeded            ->  succeeded
      digest    blake3:[DIGEST]  ->  blake3:[DIGEST]

    the runs are equal
    ");
    let view = project
        .pinion(&["diff", &first, "--json"])
        .succeeded()
        .json();
    assert_eq!(view["equal"], true);
    for part in [
        "settings",
        "params",
        "components",
        "sources",
        "steps",
        "outputs",
        "figures",
        "blobs",
    ] {
        assert_eq!(view[part], json!([]), "{part}");
    }
}

#[test]
fn a_param_that_differs_is_followed_to_everything_it_changes() {
    let project = project();
    run(&project, &[]);
    run(&project, &["--set", "factor=3"]);
    assert_snapshot!(project.pinion(&["diff"]).snapshot(), @r#"
    exit 0
    --- stdout
    run [RUN] -> [RUN]
      pipeline  loans                ->  loans
      outcome   succeeded            ->  succeeded
      digest    blake3:[DIGEST]  ->  blake3:[DIGEST]

    params
      factor  2  ->  3

    params of steps
      derive  columns.product  "amount * 2"  ->  "amount * 3"

    outputs
      derive.rows  4 rows                      ->  4 rows                      changed product
      keep.rows    4 rows                      ->  4 rows                      changed product
      fit.scaler   216 B, blake3:[DIGEST]  ->  217 B, blake3:[DIGEST]

    fields of `fit.scaler`
      field                         old                    new                difference
      model.columns.product.center  50.4375            ->  75.65625           +25.2
      model.columns.product.scale   22.05417690030621  ->  33.08126535045931  +11.0

    why
      derive  re-ran     param `columns.product`: "amount * 2" -> "amount * 3"
      keep    passed on  column `product` of `derive.rows`, because `derive` has another param `columns.product`
      fit     re-ran     column `product` of `keep.rows`, which `keep` passes on from `derive.rows`, because `derive` has another param `columns.product`

    the runs differ: 2 steps with another key, 1 step passing on other columns
    "#);
    assert_eq!(project.pinion(&["diff", "--exit-code"]).code, Some(1));
}

#[test]
fn everything_that_can_differ_is_told_in_text() {
    let project = edited();
    assert_snapshot!(project.pinion(&["diff"]).snapshot(), @r#"
    exit 0
    --- stdout
    run [RUN] -> [RUN]
      pipeline  loans                ->  loans
      outcome   succeeded            ->  succeeded
      digest    blake3:[DIGEST]  ->  blake3:[DIGEST]

    params
      factor  2    ->  3
      least   0.5  ->  0.625

    pipeline
      fit     input rows  keep.rows  ->  derive.rows
      cities  step        none       ->  added

    components
      ./add-one.wasm  sha256:[DIGEST]  ->  sha256:[DIGEST]        more
      std:group-rows  none                 ->  0.1.2 sha256:[DIGEST]  cities

    sources
      loans  loans/2023.csv  109 B, blake3:[DIGEST]  ->  108 B, blake3:[DIGEST]
      loans  loans/2024.csv  none                        ->  50 B, blake3:[DIGEST]
      loans  rows            4                           ->  5

    params of steps
      derive    columns.product  "amount * 2"  ->  "amount * 3"
      evaluate  threshold        0.5           ->  0.625

    outputs
      read.table        4 rows                      ->  5 rows                      changed city, years, amount, late, chance
      more.kept         4 rows                      ->  5 rows                      changed city, years, amount, late, chance
      more.rest         0 rows                      ->  0 rows                      partitions 1 -> 2
      derive.rows       4 rows                      ->  5 rows                      changed city, years, amount, late, chance, product
      keep.rows         4 rows                      ->  5 rows                      changed city, years, amount, late, chance, product
      fit.scaler        216 B, blake3:[DIGEST]  ->  216 B, blake3:[DIGEST]
      evaluate.metrics  3 rows                      ->  4 rows                      changed slice, value, rows, positives, accuracy, precision, recall, f1, log_loss…
      cities.groups     none                        ->  3 rows

    figures of `evaluate.metrics`
      row         figure               old                     new                  difference
      overall     rows                 4                   ->  5                    +1
      overall     positives            2                   ->  3                    +1
      overall     accuracy             0.5                 ->  0.6                  +0.100
      overall     precision            0.5                 ->  1.0                  +0.500
      overall     recall               0.5                 ->  0.3333333333333333   -0.167
      overall     log_loss             0.6251637516890348  ->  0.6079303014977653   -0.0172
      overall     brier                0.22265625          ->  0.21875              -0.00391
      overall     selection_rate       0.5                 ->  0.2                  -0.300
      overall     true_positive_rate   0.5                 ->  0.3333333333333333   -0.167
      overall     false_positive_rate  0.5                 ->  0.0                  -0.500
      city, Lyon  rows                 none                ->  1
      city, Lyon  positives            none                ->  1
      city, Lyon  accuracy             none                ->  1.0
      city, Lyon  precision            none                ->  1.0
      city, Lyon  recall               none                ->  1.0
      city, Lyon  f1                   none                ->  1.0
      city, Lyon  log_loss             none                ->  0.13353139262452263
      city, Lyon  brier                none                ->  0.015625
      city, Lyon  auc                  none                ->  null
      city, Lyon  selection_rate       none                ->  1.0
      and 11 more differences; `--limit 0` shows all

    fields of `fit.scaler`
      field                         old                    new                 difference
      model.columns.product.scale   22.05417690030621  ->  42.377588416520354  +20.3
      model.columns.product.center  50.4375            ->  90.825              +40.4
      model.columns.product.rows    4                  ->  5                   +1

    why
      read      re-ran  `sources.loans`, because file `loans/2023.csv` of source `loans` has changed, and 1 more file
      more      re-ran  component sha256:[DIGEST] -> sha256:[DIGEST] and 1 more difference
      derive    re-ran  param `columns.product`: "amount * 2" -> "amount * 3" and 1 more difference
      keep      re-ran  rows of `derive.rows`: 4 -> 5, because `derive` has another param `columns.product` and 1 more difference
      fit       re-ran  rows of `derive.rows`: 4 -> 5, because `fit` reads `derive.rows` at `rows`, no longer `keep.rows`
      evaluate  re-ran  param `threshold`: 0.5 -> 0.625 and 1 more difference

    the runs differ: 6 steps with another key
    "#);
}

#[test]
fn everything_that_can_differ_is_told_in_markdown() {
    let project = edited();
    let said = project.pinion(&["diff", "--markdown", "--limit", "3"]);
    assert_snapshot!(said.snapshot(), @r#"
    exit 0
    --- stdout
    ### Pipeline `loans`: run `[RUN]` → `[RUN]`

    the runs differ: 6 steps with another key

    |  | old | new |
    | --- | --- | --- |
    | pipeline | `loans` | `loans` |
    | outcome | `succeeded` | `succeeded` |
    | digest | `blake3:[DIGEST]` | `blake3:[DIGEST]` |

    #### params

    | param | old | new |
    | --- | --- | --- |
    | `factor` | `2` | `3` |
    | `least` | `0.5` | `0.625` |

    #### pipeline

    | step | what | old | new |
    | --- | --- | --- | --- |
    | `fit` | input `rows` | `keep.rows` | `derive.rows` |
    | `cities` | step | none | added |

    #### components

    | component | old | new | steps |
    | --- | --- | --- | --- |
    | `./add-one.wasm` | `sha256:[DIGEST]` | `sha256:[DIGEST]` | `more` |
    | `std:group-rows` | none | `0.1.2` `sha256:[DIGEST]` | `cities` |

    #### sources

    | source | file | old | new |
    | --- | --- | --- | --- |
    | `loans` | `loans/2023.csv` | `109 B, blake3:[DIGEST]` | `108 B, blake3:[DIGEST]` |
    | `loans` | `loans/2024.csv` | none | `50 B, blake3:[DIGEST]` |
    | `loans` | rows | `4` | `5` |

    #### params of steps

    | step | param | old | new |
    | --- | --- | --- | --- |
    | `derive` | `columns.product` | `"amount * 2"` | `"amount * 3"` |
    | `evaluate` | `threshold` | `0.5` | `0.625` |

    #### outputs

    | output | old | new | columns |
    | --- | --- | --- | --- |
    | `read.table` | 4 rows | 5 rows | changed `city, years, amount, late, chance` |
    | `more.kept` | 4 rows | 5 rows | changed `city, years, amount, late, chance` |
    | `more.rest` | 0 rows | 0 rows | partitions 1 -> 2 |
    | `derive.rows` | 4 rows | 5 rows | changed `city, years, amount, late, chance, product` |
    | `keep.rows` | 4 rows | 5 rows | changed `city, years, amount, late, chance, product` |
    | `fit.scaler` | `216 B, blake3:[DIGEST]` | `216 B, blake3:[DIGEST]` |  |
    | `evaluate.metrics` | 3 rows | 4 rows | changed `slice, value, rows, positives, accuracy, precision, recall, f1, log_loss…` |
    | `cities.groups` | none | 3 rows |  |

    #### figures of `evaluate.metrics`

    | row | figure | old | new | difference |
    | --- | --- | --- | --- | --- |
    | `overall` | `rows` | `4` | `5` | +1 |
    | `overall` | `positives` | `2` | `3` | +1 |
    | `overall` | `accuracy` | `0.5` | `0.6` | +0.100 |

    and 28 more differences

    #### fields of `fit.scaler`

    | field | old | new | difference |
    | --- | --- | --- | --- |
    | `model.columns.product.scale` | `22.05417690030621` | `42.377588416520354` | +20.3 |
    | `model.columns.product.center` | `50.4375` | `90.825` | +40.4 |
    | `model.columns.product.rows` | `4` | `5` | +1 |

    #### why

    | step | what | why |
    | --- | --- | --- |
    | `read` | re-ran | `sources.loans`, because file `loans/2023.csv` of source `loans` has changed, and 1 more file |
    | `more` | re-ran | component `sha256:[DIGEST]` -> `sha256:[DIGEST]` and 1 more difference |
    | `derive` | re-ran | param `columns.product`: `"amount * 2"` -> `"amount * 3"` and 1 more difference |
    | `keep` | re-ran | rows of `derive.rows`: 4 -> 5, because `derive` has another param `columns.product` and 1 more difference |
    | `fit` | re-ran | rows of `derive.rows`: 4 -> 5, because `fit` reads `derive.rows` at `rows`, no longer `keep.rows` |
    | `evaluate` | re-ran | param `threshold`: `0.5` -> `0.625` and 1 more difference |
    "#);
    // It is a comment that is replaced by each build: the same runs are the same text.
    assert_eq!(
        project.pinion(&["diff", "--markdown", "--limit", "3"]),
        said
    );
}

#[test]
fn everything_that_can_differ_is_told_in_json() {
    let project = edited();
    let said = project.pinion(&["diff", "--json"]).succeeded();
    let view = said.json();
    assert_eq!(view["equal"], false);
    assert_eq!(view["unread"], json!([]));
    let part = |name: &str| serde_json::to_string_pretty(&view[name]).unwrap();
    assert_snapshot!(part("params"), @r#"
    [
      {
        "new": 3,
        "old": 2,
        "path": "factor"
      },
      {
        "new": 0.625,
        "old": 0.5,
        "path": "least"
      }
    ]
    "#);
    assert_snapshot!(part("figures"), @r#"
    [
      {
        "key": [
          "slice",
          "value"
        ],
        "port": "metrics",
        "rows": [
          {
            "figures": [
              {
                "column": "rows",
                "difference": 1,
                "new": 5,
                "old": 4
              },
              {
                "column": "positives",
                "difference": 1,
                "new": 3,
                "old": 2
              },
              {
                "column": "accuracy",
                "difference": 0.09999999999999998,
                "new": 0.6,
                "old": 0.5
              },
              {
                "column": "precision",
                "difference": 0.5,
                "new": 1.0,
                "old": 0.5
              },
              {
                "column": "recall",
                "difference": -0.16666666666666669,
                "new": 0.3333333333333333,
                "old": 0.5
              },
              {
                "column": "log_loss",
                "difference": -0.01723345019126954,
                "new": 0.6079303014977653,
                "old": 0.6251637516890348
              },
              {
                "column": "brier",
                "difference": -0.00390625,
                "new": 0.21875,
                "old": 0.22265625
              },
              {
                "column": "selection_rate",
                "difference": -0.3,
                "new": 0.2,
                "old": 0.5
              },
              {
                "column": "true_positive_rate",
                "difference": -0.16666666666666669,
                "new": 0.3333333333333333,
                "old": 0.5
              },
              {
                "column": "false_positive_rate",
                "difference": -0.5,
                "new": 0.0,
                "old": 0.5
              }
            ],
            "key": [
              "overall",
              null
            ]
          },
          {
            "figures": [
              {
                "column": "rows",
                "new": 1
              },
              {
                "column": "positives",
                "new": 1
              },
              {
                "column": "accuracy",
                "new": 1.0
              },
              {
                "column": "precision",
                "new": 1.0
              },
              {
                "column": "recall",
                "new": 1.0
              },
              {
                "column": "f1",
                "new": 1.0
              },
              {
                "column": "log_loss",
                "new": 0.13353139262452263
              },
              {
                "column": "brier",
                "new": 0.015625
              },
              {
                "column": "auc",
                "new": null
              },
              {
                "column": "selection_rate",
                "new": 1.0
              },
              {
                "column": "true_positive_rate",
                "new": 1.0
              },
              {
                "column": "false_positive_rate",
                "new": null
              }
            ],
            "key": [
              "city",
              "Lyon"
            ]
          },
          {
            "figures": [
              {
                "column": "precision",
                "new": null,
                "old": 0.5
              },
              {
                "column": "recall",
                "difference": -1.0,
                "new": 0.0,
                "old": 1.0
              },
              {
                "column": "f1",
                "difference": -0.6666666666666666,
                "new": 0.0,
                "old": 0.6666666666666666
              },
              {
                "column": "log_loss",
                "difference": 0.2027325540540822,
                "new": 0.6931471805599453,
                "old": 0.4904146265058631
              },
              {
                "column": "brier",
                "difference": 0.09375,
                "new": 0.25,
                "old": 0.15625
              },
              {
                "column": "auc",
                "difference": -0.5,
                "new": 0.5,
                "old": 1.0
              },
              {
                "column": "selection_rate",
                "difference": -1.0,
                "new": 0.0,
                "old": 1.0
              },
              {
                "column": "true_positive_rate",
                "difference": -1.0,
                "new": 0.0,
                "old": 1.0
              },
              {
                "column": "false_positive_rate",
                "difference": -1.0,
                "new": 0.0,
                "old": 1.0
              }
            ],
            "key": [
              "city",
              "Oslo"
            ]
          }
        ],
        "step": "evaluate",
        "uncompared": []
      }
    ]
    "#);
    let reasons: Vec<Value> = view["steps"]
        .as_array()
        .unwrap()
        .iter()
        .map(|step| {
            json!([
                step["name"],
                step["presence"],
                step["effect"],
                step["reason"]["key"]["part"]
            ])
        })
        .collect();
    let reasons: Vec<String> = reasons.iter().map(Value::to_string).collect();
    assert_snapshot!(reasons.join("\n"), @r#"
    ["read","both","other-key","input"]
    ["more","both","other-key","component"]
    ["derive","both","other-key","param"]
    ["keep","both","other-key","input"]
    ["fit","both","other-key","input"]
    ["evaluate","both","other-key","param"]
    ["cities","added","unknown",null]
    "#);
}

#[test]
fn runs_that_failed_or_were_interrupted_are_compared_as_far_as_they_came() {
    let project = project();
    run(&project, &[]);
    let text = String::from_utf8(project.read("pinion.toml")).unwrap();
    let failing = text.replace("target = \"late\"", "target = \"years\"");
    project.write("pinion.toml", failing.as_bytes());
    let failed = project.pinion(&["run", "--keep-going"]);
    assert_eq!(failed.code, Some(1), "{}", failed.stderr);
    assert_snapshot!(project.pinion(&["diff"]).snapshot(), @r#"
    exit 0
    --- stdout
    run [RUN] -> [RUN]
      pipeline  loans                ->  loans
      outcome   succeeded            ->  failed
      digest    blake3:[DIGEST]  ->  none

    params of steps
      evaluate  target  "late"  ->  "years"

    outcomes
      evaluate  succeeded  ->  failed: column `years` has a value that cannot be used

    outputs
      evaluate.metrics  3 rows  ->  none

    why
      evaluate  failed  param `target`: "late" -> "years"

    the runs differ: 1 step with another key
    "#);

    // A record that ends after its third step is one of a run that was killed there.
    project.write("pinion.toml", text.as_bytes());
    let killed = run(&project, &[]);
    let record = format!(".pinion/runs/{killed}.jsonl");
    let lines = String::from_utf8(project.read(&record)).unwrap();
    let lines: Vec<&str> = lines.split_inclusive('\n').take(4).collect();
    project.write(&record, lines.concat().as_bytes());
    let first = project.pinion(&["runs", "--json"]).json()["runs"][2]["run"].clone();
    let said = project.pinion(&["diff", first.as_str().unwrap()]);
    assert_snapshot!(said.snapshot(), @"
    exit 0
    --- stdout
    run [RUN] -> [RUN]
      pipeline  loans                ->  loans
      outcome   succeeded            ->  interrupted
      digest    blake3:[DIGEST]  ->  none

    outcomes
      keep      succeeded  ->  not ended
      fit       succeeded  ->  not ended
      evaluate  succeeded  ->  not ended

    outputs
      keep.rows         4 rows                      ->  none
      fit.scaler        216 B, blake3:[DIGEST]  ->  none
      evaluate.metrics  3 rows                      ->  none

    the runs differ
    ");
}

#[test]
fn runs_of_some_steps_only_are_compared_in_those() {
    let project = project();
    run(&project, &["derive"]);
    run(&project, &["fit"]);
    assert_snapshot!(project.pinion(&["diff"]).snapshot(), @"
    exit 0
    --- stdout
    run [RUN] -> [RUN]
      pipeline  loans                ->  loans
      outcome   succeeded            ->  succeeded
      digest    blake3:[DIGEST]  ->  blake3:[DIGEST]

    pipeline
      keep  step  not asked for  ->  asked for
      fit   step  not asked for  ->  asked for

    outputs
      keep.rows   none  ->  4 rows
      fit.scaler  none  ->  216 B, blake3:[DIGEST]

    the runs differ
    ");
}

#[test]
fn what_is_gone_from_the_store_is_said_to_be() {
    let project = project();
    run(&project, &[]);
    run(&project, &["--set", "factor=3"]);
    for kind in ["tables", "blobs"] {
        std::fs::remove_dir_all(project.path().join(".pinion").join(kind)).unwrap();
    }
    let view = project.pinion(&["diff", "--json"]).succeeded().json();
    let unread = view["unread"].as_array().unwrap();
    assert!(
        unread.contains(&json!(
            "`derive.rows`: it is gone, or damaged; `pinion run` makes what it can again"
        )),
        "{view:#}"
    );
    assert_eq!(view["params"][0]["path"], "factor");
    let mut steps = view["steps"].as_array().unwrap().iter();
    let derive = steps.find(|step| step["name"] == "derive").unwrap();
    assert_eq!(derive["reason"]["key"]["part"], "param");
}

#[test]
fn runs_that_cannot_be_compared() {
    let project = project();
    assert_snapshot!(project.pinion(&["diff"]).snapshot(), @"
    exit 2
    --- stderr
    error: there are no runs in the store

    hint: to make one, run `pinion run`
    ");
    let first = run(&project, &["read"]);
    assert_snapshot!(project.pinion(&["diff"]).snapshot(), @"
    exit 2
    --- stderr
    error: there is nothing to compare run `[RUN]` with: it is the only one of its pipeline in the store

    hint: to make another, run `pinion run`
    ");
    let nearly = format!("{}zz", &first[..first.len() - 2]);
    assert_snapshot!(project.pinion(&["diff", &nearly]).snapshot().replace(&nearly, "[NEARLY]"), @"
    exit 2
    --- stderr
    error: there is no run `[NEARLY]`
      expected one of `[RUN]`

    hint: did you mean `[RUN]`?
    ");
    let loans = first;
    project.write(
        "pinion.toml",
        b"[pipeline]\nname = \"other\"\n\n[sources.loans]\npath = \"loans\"\n\n[steps.load]\nuse = \"std:read-csv@0.1\"\ninput = \"sources.loans\"\n",
    );
    let other = run(&project, &[]);
    // The last run is that of this pipeline, which has only one.
    assert_snapshot!(project.pinion(&["diff"]).snapshot(), @"
    exit 2
    --- stderr
    error: there is nothing to compare run `[RUN]` with: it is the only one of its pipeline in the store

    hint: to make another, run `pinion run`
    ");
    assert_snapshot!(project.pinion(&["diff", &loans]).snapshot(), @"
    exit 2
    --- stderr
    error: the runs are of other pipelines, and have no step in common
      old [RUN] of `loans`
      new [RUN] of `other`

    hint: name two runs of one pipeline; `pinion runs` lists them with their pipelines
    ");
    run(&project, &[]);
    let last = run(&project, &[]);
    project.pinion(&["diff", &other]).succeeded();
    assert_snapshot!(project.pinion(&["diff", &last]).snapshot(), @"
    exit 2
    --- stderr
    error: run `[RUN]` is the last one, and there is none to compare it with

    hint: to compare it with the run before it, run `pinion diff`
    ");
}

/// A table that is cut into other partitions has the same values.
#[test]
fn values_are_told_from_where_they_are_cut() {
    let text = |batch_rows: u32, steps: &str| {
        format!(
            "[pipeline]\nname = \"cuts\"\nbatch_rows = {batch_rows}\npartition_batches = 1\n\
            [sources.loans]\npath = \"loans.csv\"\n\
            [steps.read]\nuse = \"std:read-csv@0.1\"\ninput = \"sources.loans\"\n\
            [steps.none]\nuse = \"std:filter-rows@0.1\"\ninput = \"read\"\nparams = {{ where = \"years > 99\" }}\n{steps}"
        )
    };
    let derive = "[steps.derive]\nuse = \"std:derive-columns@0.1\"\ninput = \"read\"\n\
        params = { columns = { years = \"years + FACTOR\" } }\n";
    let project = Project::with(&[
        ("pinion.toml", &text(2, &derive.replace("FACTOR", "1"))),
        ("loans.csv", LOANS),
    ]);
    run(&project, &[]);
    project.write(
        "pinion.toml",
        text(3, &derive.replace("FACTOR", "2")).as_bytes(),
    );
    run(&project, &[]);
    let view = project.pinion(&["diff", "--json"]).succeeded().json();
    let outputs: Vec<String> = view["outputs"]
        .as_array()
        .unwrap()
        .iter()
        .map(|output| {
            let columns = &output["columns"];
            format!(
                "{} {} {}",
                output["step"], columns["changed"], columns["partitions"]
            )
        })
        .collect();
    assert_snapshot!(outputs.join("\n"), @r#"
    "read" [] {"new":2,"old":2}
    "derive" ["years"] {"new":2,"old":2}
    "#);
    let said = project.pinion(&["diff"]).succeeded().stdout;
    assert!(said.contains("partitions cut otherwise\n"), "{said}");
}

/// A step that another one kept from running did not change.
#[test]
fn steps_that_were_skipped_are_told_by_what_failed() {
    let project = project();
    run(&project, &[]);
    let text = String::from_utf8(project.read("pinion.toml")).unwrap();
    let failing = text.replace("amount > 0", "CAST(city AS INTEGER) > 0");
    project.write("pinion.toml", failing.as_bytes());
    let failed = project.pinion(&["run"]);
    assert_eq!(failed.code, Some(1), "{}", failed.stderr);
    let said = project.pinion(&["diff"]).succeeded().stdout;
    assert!(!said.contains("\npipeline\n"), "{said}");
    assert!(
        said.contains("  fit       skipped  `keep` failed\n"),
        "{said}"
    );
    assert!(
        said.contains("  evaluate  skipped  `keep` failed\n"),
        "{said}"
    );
}

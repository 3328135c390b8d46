//! A regression from a file to its figures, through the binary.

use pinion_tests::project::Project;

/// Fits trips in partitions of 20 rows, and judges the fit by city.
const PIPELINE: &str = r#"[pipeline]
name = "regression"
batch_rows = 10
partition_batches = 2

[sources.trips]
path = "trips.csv"

[steps.trips]
use = "std:read-csv@0.1"
input = "sources.trips"

[steps.cities]
use = "std:fit-encoder@0.1"
input = "trips"
params = { columns = ["city"] }

[steps.codes]
use = "std:transform@0.1"
inputs = { rows = "trips", encoder = "cities" }
params = { encode = ["city"] }

[steps.fit]
use = "std:fit-linear@0.1"
inputs = { rows = "codes", encoder = "cities" }
params = { target = "minutes", features = ["km"], categorical = ["city"], sample_weight = "weight" }

[steps.predict]
use = "std:predict@0.1"
inputs = { rows = "codes", model = "fit" }
params = { prediction = "expected" }

[steps.evaluate]
use = "std:evaluate-regression@0.1"
input = "predict"
params = { target = "minutes", prediction = "expected", by = ["city"] }
"#;

/// Minutes are 3 for each kilometre and 5, 7 or 12 for the city, but for one that counts nothing.
fn trips(count: usize) -> String {
    let mut rows = String::from("city,km,minutes,weight\n");
    for row in 0..count {
        let (city, start) = [("Bern", 5.0), ("Oslo", 7.0), ("Turin", 12.0)][row % 3];
        let km = (row * row % 17) as f64 / 4.0;
        let (late, weight) = if row == 31 { (100.0, 0) } else { (0.0, 2) };
        rows += &format!("{city},{km},{},{weight}\n", start + 3.0 * km + late);
    }
    rows
}

fn model(project: &Project) -> serde_json::Value {
    project
        .pinion(&["export", "fit", "-o", "model.json"])
        .succeeded();
    serde_json::from_slice(&project.read("model.json")).unwrap()
}

#[track_caller]
fn close(found: &serde_json::Value, expected: f64) {
    let found = found
        .as_f64()
        .unwrap_or_else(|| panic!("{found} is no number"));
    assert!((found - expected).abs() < 1e-9, "{found} is not {expected}");
}

#[test]
fn a_regression_is_fitted_applied_and_judged() {
    let project = Project::with(&[("pinion.toml", PIPELINE), ("trips.csv", &trips(90))]);
    project.pinion(&["run"]).succeeded();
    let fitted = model(&project);
    close(&fitted["model"]["numeric"][0]["coefficient"], 3.0);
    // The shortest of the solutions: the cities' coefficients add up to nothing.
    close(&fitted["model"]["intercept"], 8.0);
    let cities = &fitted["model"]["categorical"][0]["coefficients"];
    for (city, expected) in [-3.0, -1.0, 4.0].into_iter().enumerate() {
        close(&cities[city], expected);
    }
    let fit = &fitted["model"]["fit"];
    assert_eq!(
        (&fit["rows"], &fit["weight"], &fit["rank"]),
        (&90.into(), &178.0.into(), &3.into())
    );

    project
        .pinion(&["export", "evaluate", "-o", "metrics.csv"])
        .succeeded();
    let metrics = String::from_utf8(project.read("metrics.csv")).unwrap();
    let rows: Vec<Vec<&str>> = metrics
        .lines()
        .map(|line| line.split(',').collect())
        .collect();
    assert_eq!(
        rows[0].join(","),
        "slice,value,rows,weight,r2,rmse,mae,median_absolute_error,bias,mape"
    );
    assert_eq!(rows.len(), 5);
    let figure = |row: usize, column: usize| rows[row][column].parse::<f64>().unwrap();
    // One of 90 trips is 100 minutes too late, and one of the 30 in Oslo.
    for (row, slice, trips) in [(1, "overall", 90.0), (3, "city", 30.0)] {
        assert_eq!(rows[row][0], slice);
        assert_eq!(figure(row, 2), trips);
        for (column, expected) in [
            (5, 100.0 / f64::sqrt(trips)),
            (6, 100.0 / trips),
            (7, 0.0),
            (8, -100.0 / trips),
        ] {
            let found = figure(row, column);
            assert!((found - expected).abs() < 1e-9, "{found} is not {expected}");
        }
    }
    assert_eq!(rows[3][1], "1");

    // Where rows were added, only their partition is factorised anew.
    project.write("trips.csv", trips(100).as_bytes());
    let run = project.pinion(&["run", "--json"]).succeeded().json();
    let steps = run["steps"].as_array().unwrap();
    let fit = steps.iter().find(|step| step["name"] == "fit").unwrap();
    assert!(fit["units"]["cached"].as_u64().unwrap() >= 3, "{fit:#}");
    close(&model(&project)["model"]["intercept"], 8.0);
}

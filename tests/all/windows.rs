//! Features of what came before, through the binary, however the table is cut.

use pinion_tests::project::Project;

fn pipeline(batch_rows: usize) -> String {
    format!(
        r#"[pipeline]
name = "windows"
batch_rows = {batch_rows}
partition_batches = 2

[sources.trips]
path = "trips.csv"

[steps.trips]
use = "std:read-csv@0.1"
input = "sources.trips"

[steps.windows]
use = "std:window-features@0.1"
input = "trips"

[steps.windows.params]
by = ["city"]
order_by = "day"

[steps.windows.params.features]
last_note = {{ function = "lag", column = "note", rows = 1 }}
sum_3_days = {{ function = "sum", column = "km", duration = "3 d" }}
trips_before = {{ function = "count", rows = 1000 }}
"#
    )
}

#[test]
fn features_see_what_came_before_and_nothing_else() {
    // City, day of the month, kilometres: days out of order.
    let trips: Vec<(&str, usize, f64)> = (0..40)
        .map(|row| {
            let city = ["Bern", "Oslo"][row % 2];
            (city, row * 7 % 20 + 1, (row % 9) as f64 / 2.0)
        })
        .collect();
    let mut rows = String::from("city,day,km,note\n");
    let mut expected = String::from("city,day,km,note,last_note,sum_3_days,trips_before\n");
    for (row, (city, day, km)) in trips.iter().enumerate() {
        let text = format!("{city},2024-03-{day:02},{km:?},note {row}");
        rows += &format!("{text}\n");
        let mut before: Vec<_> = (0..trips.len())
            .filter(|other| trips[*other].0 == *city && (trips[*other].1, *other) < (*day, row))
            .collect();
        before.sort_by_key(|other| (trips[*other].1, *other));
        let recent = before
            .iter()
            .filter(|other| (day.saturating_sub(3)..*day).contains(&trips[**other].1));
        let recent: Vec<f64> = recent.map(|other| trips[*other].2).collect();
        let last = before
            .last()
            .map_or(String::new(), |last| format!("note {last}"));
        let sum = match recent.is_empty() {
            true => String::new(),
            false => format!("{:?}", recent.iter().sum::<f64>()),
        };
        expected += &format!("{text},{last},{sum},{}\n", before.len());
    }
    for batch_rows in [3, 1000] {
        let files = [
            ("pinion.toml", pipeline(batch_rows)),
            ("trips.csv", rows.clone()),
        ];
        let project = Project::with(&files.each_ref().map(|(path, text)| (*path, text.as_str())));
        project.pinion(&["run"]).succeeded();
        project
            .pinion(&["export", "windows", "-o", "found.csv"])
            .succeeded();
        let found = String::from_utf8(project.read("found.csv")).unwrap();
        assert_eq!(found, expected, "in batches of {batch_rows} rows");
    }
}

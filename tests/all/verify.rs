//! `verify` runs again without looking, and sees every difference.

use std::fs;

use cap_std::ambient_authority;
use cap_std::fs::Dir;
use pinion_runtime::record::Line;
use pinion_runtime::store::Store;
use pinion_tests::project::Project;
use pinion_tests::whole::key;
use serde_json::Value;

use crate::days::{self, PIPELINE, run, stored};

#[test]
fn an_equal_run_is_verified_by_name_as_the_last_and_against_a_file() {
    let project = days::project();
    let first = run(&project, &["--set", "factor=3"]);
    project.write(
        "expected.json",
        &serde_json::to_vec(&run(&project, &[])).unwrap(),
    );
    let verdict = project
        .pinion(&["verify", "--json", "--threads", "1"])
        .succeeded()
        .json();
    assert_eq!(verdict["equal"], true);
    assert_eq!(verdict["expected_run_digest"], verdict["found_run_digest"]);
    // With the params of then, not of the file.
    project
        .pinion(&["verify", first["run"].as_str().unwrap()])
        .succeeded();
    project
        .pinion(&["verify", "--expect", "expected.json"])
        .succeeded();
}

#[test]
fn there_may_be_nothing_to_compare_with() {
    let project = days::project();
    let said = project.pinion(&["verify"]);
    assert_eq!(said.code, Some(2), "{}", said.stderr);
    assert!(
        said.stderr
            .starts_with("error: there is no succeeded run of pipeline `days` to compare with\n"),
        "{}",
        said.stderr
    );

    let failing = PIPELINE.replace("not_null = [\"a\"]", "rows = { min = 1000 }");
    project.write("pinion.toml", failing.as_bytes());
    let failed = project.pinion(&["run", "--json"]);
    assert_eq!(failed.code, Some(1), "{}", failed.stderr);
    let id = failed.json()["run"].as_str().unwrap().to_owned();
    assert_eq!(project.pinion(&["verify"]).code, Some(2));
    assert_eq!(project.pinion(&["verify", &id]).code, Some(2));
    assert_eq!(project.pinion(&["verify", "20200101"]).code, Some(2));
    assert_eq!(
        project
            .pinion(&["verify", "--expect", "expected.json"])
            .code,
        Some(2)
    );
}

/// Every digest of the expected file counts: one other digit of any of them is a difference.
#[test]
fn one_other_digit_in_the_expected_file_is_a_difference() {
    let project = days::project();
    let expected = run(&project, &[]);
    for pointer in [
        "/run_digest",
        "/steps/0/outputs/0/digest",
        "/steps/11/outputs/0/digest",
        "/steps/3/digest",
    ] {
        let mut altered = expected.clone();
        let digest = altered.pointer_mut(pointer).unwrap();
        let text = digest.as_str().unwrap();
        let last = if text.ends_with('0') { '1' } else { '0' };
        *digest = Value::from(format!("{}{last}", &text[..text.len() - 1]));
        project.write("expected.json", &serde_json::to_vec(&altered).unwrap());
        let said = project.pinion(&["verify", "--expect", "expected.json", "--json"]);
        assert_eq!(said.code, Some(1), "{pointer}: {}", said.stderr);
        let verdict = said.json();
        assert_eq!(verdict["equal"], false);
        assert_eq!(
            verdict["differences"].as_array().unwrap().len(),
            1,
            "{pointer}: {verdict}"
        );
    }
}

#[test]
fn one_other_bit_in_a_stored_output_is_a_difference() {
    let project = days::project();
    run(&project, &[]);
    // The product of the last row of the first day, in the chunk that `multiply` made.
    let value = (119_i64 * 2).to_le_bytes();
    let chunks = project.path().join(".pinion/chunks");
    let found = stored(&project, "chunks").into_iter().find_map(|name| {
        let path = chunks.join(name);
        let bytes = fs::read(&path).unwrap();
        let at = bytes.windows(8).position(|window| window == value)?;
        Some((path, bytes, at))
    });
    let (path, mut bytes, at) = found.unwrap();
    bytes[at] ^= 1;
    // Replaced, not written to: another process may have it mapped.
    fs::remove_file(&path).unwrap();
    fs::write(&path, &bytes).unwrap();

    assert_eq!(project.pinion(&["doctor"]).code, Some(1));
    let said = project.pinion(&["verify", "--json"]);
    assert_eq!(said.code, Some(1), "{}", said.stderr);
    let verdict = said.json();
    assert_eq!(verdict["differences"][0]["step"], "multiply");
    // What ran again is as it was; it is the stored copy that is not.
    assert_eq!(verdict["expected_run_digest"], verdict["found_run_digest"]);

    // The next run makes it anew.
    let mended = run(&project, &[]);
    assert_eq!(days::units(&mended)["multiply"].0, 1);
    project.pinion(&["verify"]).succeeded();
    days::assert_sound(&project);
}

/// A record that claims another table than is made again: the first value that differs is found.
#[test]
fn the_first_value_that_differs_is_named() {
    let project = days::project();
    let other = run(&project, &["--set", "factor=3"]);
    let claimed = run(&project, &[]);
    let digest = |summary: &Value| {
        let mut steps = summary["steps"].as_array().unwrap().iter();
        let step = steps.find(|step| step["name"] == "multiply").unwrap();
        step["outputs"][0]["digest"].as_str().unwrap().to_owned()
    };
    let directory = project.path().join(".pinion");
    let directory = Dir::open_ambient_dir(directory, ambient_authority()).unwrap();
    let store = Store::open(directory, key()).unwrap();
    let mut record = store
        .run(&claimed["run"].as_str().unwrap().parse().unwrap())
        .unwrap();
    let id = "20990101-000000-0000";
    record.start.id = id.parse().unwrap();
    let mut writer = store.create_run(&record.start.id).unwrap();
    let forged = |line: Line| -> Line {
        let text = serde_json::to_string(&line).unwrap();
        serde_json::from_str(&text.replace(&digest(&claimed), &digest(&other))).unwrap()
    };
    writer
        .append(&forged(Line::Run(Box::new(record.start))))
        .unwrap();
    for step in record.steps {
        writer.append(&forged(Line::Step(Box::new(step)))).unwrap();
    }
    writer
        .append(&forged(Line::Outcome(record.end.unwrap())))
        .unwrap();
    drop((writer, store));

    let said = project.pinion(&["verify", "--json"]);
    assert_eq!(said.code, Some(1), "{}", said.stderr);
    let verdict = said.json();
    let first = &verdict["differences"][0];
    assert_eq!(first["step"], "multiply");
    insta::assert_snapshot!(first["place"], @r#"{"column":"product","expected":"300","found":"200","partition":0,"row":0}"#);
    let said = project.pinion(&["verify"]);
    assert_eq!(said.code, Some(1));
    let message = said.stderr.replace(&digest(&claimed), "[FOUND]");
    let message = message
        .replace(&digest(&other), "[EXPECTED]")
        .replace(id, "[RUN]");
    let error = message.split_once("error: ").unwrap().1;
    insta::assert_snapshot!(error, @"
    the output `rows` of step `multiply` differs from run [RUN]
      expected [EXPECTED]
      found    [FOUND]
      first in partition 0, column `product`, row 0
        expected 300
        found    200
    ");
}

#[test]
fn a_source_that_changed_since_is_read_from_the_copy_that_the_run_kept() {
    let project = days::project();
    run(&project, &[]);
    project.write(
        "expected.json",
        &serde_json::to_vec(&run(&project, &[])).unwrap(),
    );
    days::write(&project, 4, |row| row.a += 1);
    project.pinion(&["verify"]).succeeded();
    fs::remove_dir_all(project.path().join("days")).unwrap();
    project.pinion(&["verify"]).succeeded();
    // Against a file there is only what is there now.
    days::write(&project, 3, |row| row.a += 1);
    assert_eq!(
        project
            .pinion(&["verify", "--expect", "expected.json"])
            .code,
        Some(1)
    );
}

#[test]
fn a_source_that_was_not_kept_can_be_verified_as_long_as_it_is_there() {
    let project = Project::with(&[(
        "pinion.toml",
        &PIPELINE.replace("path = \"days\"", "path = \"days\"\nkeep = false"),
    )]);
    project.write("names.csv", b"key,name\nk0,zero\nk1,one\n");
    days::write(&project, 3, |_| {});
    run(&project, &[]);
    project.pinion(&["verify"]).succeeded();
    let found = project.read("days/day-2.csv");
    days::write(&project, 3, |row| row.a += i64::from(row.day == 2));
    let said = project.pinion(&["verify"]);
    assert_eq!(said.code, Some(2), "{}", said.stderr);
    assert!(
        said.stderr
            .starts_with("error: the bytes that the run read are gone\n"),
        "{}",
        said.stderr
    );
    assert!(said.stderr.contains("days/day-2.csv\n"), "{}", said.stderr);
    project.write("days/day-2.csv", &found);
    project.pinion(&["verify"]).succeeded();
}

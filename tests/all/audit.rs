//! A guest that looks for whatever tells machines apart finds nothing: one committed digest for each look,
//! the same on every target and engine.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{ArrayRef, Int64Array, RecordBatch};
use pinion_runtime::digest::ComponentDigest;
use pinion_runtime::sandbox::{Done, Sandbox, Share, StepError};
use pinion_runtime::unit::Call;
use pinion_tests::fixtures;
use pinion_tests::memory::Memory;
use pinion_tests::step::{NEVER, Step, rows, table};

/// One row through the audit, on both engines, which have to see the same.
fn audit(params: &str) -> (Result<Vec<RecordBatch>, StepError>, Sandbox) {
    let sandbox = Sandbox::cross_checking(1, None, Arc::new(|| 0), Share::ALL).unwrap();
    let component = fixtures::component("audit");
    let digest = ComponentDigest::of(component);
    let program = sandbox.program(digest, &|| Ok(component.to_vec())).unwrap();
    let step = Step::new("audit", params);
    let mut data = Memory::default();
    let row: ArrayRef = Arc::new(Int64Array::from(vec![1]));
    let given = data.table(&[RecordBatch::try_from_iter([("x", row)]).unwrap()]);
    let unit = step.unit(Call::RowMap, &[("rows", table(&given))]).unwrap();
    let data = Arc::new(data);
    let done: Result<Done, StepError> =
        sandbox.execute(&program, &unit, Arc::clone(&data) as _, &NEVER);
    (done.map(|done| rows(&done, &unit, 0, &data)), sandbox)
}

/// What follows from the component's bytes, and so changes with every build of it: both engines have to see the
/// same, and that is all.
const OF_THE_BUILD: [&str; 2] = ["order of hash maps", "addresses"];

#[test]
fn every_look_at_the_world_is_the_committed_one() {
    let (seen, sandbox) = audit("{}");
    let seen = seen.unwrap().remove(0);
    assert_eq!(sandbox.cross_checked().unwrap().units, 1);
    let (looks, digests) = (
        seen["look"].as_string::<i32>(),
        seen["digest"].as_string::<i32>(),
    );
    let lines = looks
        .iter()
        .zip(digests)
        .map(|(look, digest)| (look.unwrap(), digest.unwrap()))
        .filter(|(look, _)| !OF_THE_BUILD.contains(look))
        .map(|(look, digest)| format!("{digest} {look}"));
    insta::assert_snapshot!(lines.collect::<Vec<_>>().join("\n"), @"
    c06ac10d01f021aa5012aadaf1981863 arithmetic
    73cd0e96e565dcf6567fa02c2e9ae0fb arithmetic of 32 bits
    104e958abd6c9abebc16d144744434be conversions
    11aea371a6dcd14d04939a463dcacbee functions
    3d3cbfc3c797f89cdd81ca19e013030d functions of 32 bits
    6d337143bc1b6681f9eeea073ac5a97b text of floats
    418914c15a5b7f7541d1cbaf1eea6f89 simd
    b65f2130c3f7bbbaddffa046b2dc2b75 clocks
    7fe91030b55b7051e8d91414ce72d231 environment
    f7a858ba7755ae10efc3258db2c6d5fd files
    41b595d48e9ff07fbe5018faa57064cd memory
    ");
}

/// Where the stack ends is the machine's to say, so only the code counts, far from any limit.
#[test]
fn what_ends_a_guest_has_the_same_code_everywhere() {
    for (end, code) in [("recursion", "trapped"), ("memory", "limit-reached")] {
        let (seen, _) = audit(&format!(r#"{{"end":"{end}"}}"#));
        assert_eq!(seen.unwrap_err().code(), code, "{end}");
    }
}

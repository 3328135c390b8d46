//! What an author asks of the command line first: its help and its version.

use insta::assert_snapshot;
use pinion_tests::project::Project;

#[test]
fn the_help_of_every_verb_has_examples() {
    let place = Project::new();
    let help = place.pinion(&["--help"]).succeeded().stdout;
    let verbs = help.lines().skip_while(|line| *line != "Commands:").skip(1);
    let verbs = verbs.take_while(|line| !line.is_empty());
    // What does not fit on the line of its verb stands further in.
    let verbs: Vec<&str> = verbs
        .filter(|line| !line.starts_with("   "))
        .filter_map(|line| line.split_whitespace().next())
        .collect();
    assert!(verbs.contains(&"run"), "{help}");
    let mut requests: Vec<Vec<&str>> = verbs
        .into_iter()
        .filter(|verb| !["help", "step"].contains(verb))
        .map(|verb| vec![verb])
        .collect();
    requests.extend(["new", "build", "test", "run"].map(|verb| vec!["step", verb]));
    for request in requests {
        let said = place
            .pinion(&[&request[..], &["--help"]].concat())
            .succeeded();
        let example = format!("  pinion {}", request.join(" "));
        assert!(
            said.stdout.contains("Examples:"),
            "{request:?}: {}",
            said.stdout
        );
        assert!(
            said.stdout.contains(&example),
            "{request:?}: {}",
            said.stdout
        );
    }
}

#[test]
fn the_version_tells_engine_and_semantics() {
    assert_snapshot!(Project::new().pinion(&["--version"]).succeeded().stdout, @"pinion 0.1.0 (engine wasmtime 48.0.8, semantics 4+wasmtime-48.0)");
}

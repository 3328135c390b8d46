//! What shells and `man` are told of the command line.

use std::collections::BTreeSet;
use std::fs;

use pinion_tests::project::Project;

/// The verbs that `pinion --help` lists.
fn verbs() -> Vec<String> {
    let help = Project::new().pinion(&["--help"]).succeeded().stdout;
    let commands = help.lines().skip_while(|line| *line != "Commands:").skip(1);
    let verbs = commands
        .take_while(|line| line.starts_with("  "))
        .filter(|line| !line.starts_with("   "))
        .filter_map(|line| line.split_whitespace().next())
        .filter(|verb| *verb != "help");
    let verbs: Vec<String> = verbs.map(str::to_owned).collect();
    assert!(verbs.len() > 10, "{help}");
    verbs
}

#[test]
fn every_shell_completes_every_verb() {
    let project = Project::new();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = project.pinion(&["completions", shell]).succeeded();
        assert_eq!(script.stderr, "");
        for verb in verbs() {
            assert!(script.stdout.contains(&verb), "{shell}: {verb}");
        }
        assert!(script.stdout.contains("frozen"), "{shell}");
    }
    let unknown = project.pinion(&["completions", "tcsh"]);
    assert_eq!(unknown.code, Some(2));
    assert!(unknown.stderr.contains("bash"), "{}", unknown.stderr);
}

/// What bash makes of the script is what a person gets.
#[test]
fn bash_completes_a_verb_and_an_option() {
    let project = Project::new();
    let script = project.pinion(&["completions", "bash"]).succeeded();
    project.write("pinion.bash", script.stdout.as_bytes());
    let completed = |words: &str| {
        let ask = format!(
            "source ./pinion.bash; COMP_WORDS=({words}); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1)); \
             _pinion pinion \"${{COMP_WORDS[COMP_CWORD]}}\" \"${{COMP_WORDS[COMP_CWORD-1]}}\"; \
             printf '%s\\n' \"${{COMPREPLY[@]}}\""
        );
        let mut bash = std::process::Command::new("bash");
        bash.args(["--norc", "-c", &ask])
            .current_dir(project.path());
        project.said(bash.output()).succeeded().stdout
    };
    assert_eq!(completed("pinion expo"), "export\n");
    assert_eq!(completed("pinion run --fro"), "--frozen\n");
}

#[test]
fn every_verb_has_a_page() {
    let project = Project::new();
    project.pinion(&["man", "-o", "share/man1"]).succeeded();
    let pages = fs::read_dir(project.path().join("share/man1")).unwrap();
    let pages: BTreeSet<String> = pages
        .map(|page| page.unwrap().file_name().into_string().unwrap())
        .collect();
    let mut expected: BTreeSet<String> = verbs()
        .iter()
        .map(|verb| format!("pinion-{verb}.1"))
        .collect();
    expected.insert("pinion.1".to_owned());
    let below_step = pages
        .iter()
        .filter(|page| page.starts_with("pinion-step-"))
        .cloned();
    let below_step: Vec<String> = below_step.collect();
    assert!(below_step.contains(&"pinion-step-new.1".to_owned()));
    expected.extend(below_step);
    assert_eq!(pages, expected);
    let run = String::from_utf8(project.read("share/man1/pinion-run.1")).unwrap();
    for part in [".TH pinion-run 1", "\\-\\-frozen", "Examples:"] {
        assert!(run.contains(part), "{part} is not in\n{run}");
    }
}

//! Real processes: killed again and again, many at once, and with a clock that was put back.

use std::fs;
use std::process::{Child, Stdio};
use std::time::{Duration, SystemTime};

use pinion_runtime::record::{Line, RunRecord};
use pinion_tests::project::Project;

use super::*;
use crate::days::{self, assert_sound, results};

fn spawn(project: &Project, args: &[&str]) -> Child {
    let mut command = project.command(args);
    let command = command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().unwrap()
}

/// Kills until a run comes to its end, each after some units or some time: each goes on where the last one was.
#[cfg(unix)]
#[test]
fn runs_that_are_killed_again_and_again_come_to_an_end() {
    use crate::failure::{known, many_units};

    let undisturbed = days::run(&many_units(), &[]);
    let (mut kills, mut random) = (0, Random(1));
    // How many kills fit into a run is the machine's to say.
    for threads in ["1", "2"].into_iter().cycle().take(12) {
        if kills >= 30 {
            break;
        }
        let project = many_units();
        loop {
            let goal = known(&project) + random.below(24) as u64;
            let mut child = spawn(&project, &["run", "--json", "--threads", threads]);
            while known(&project) < goal && child.try_wait().unwrap().is_none() {
                std::thread::sleep(Duration::from_micros(300));
            }
            std::thread::sleep(Duration::from_micros(random.below(4_000) as u64));
            child.kill().unwrap();
            let said = project.said(child.wait_with_output());
            if said.code == Some(0) {
                assert_eq!(results(&said.json()), results(&undisturbed));
                break;
            }
            assert_eq!(said.code, None, "{}", said.stderr);
            kills += 1;
            if kills % 8 == 0 {
                assert_sound(&project);
                project.pinion(&["runs"]).succeeded();
            }
            assert!(kills < 400, "it comes to no end");
        }
        assert_sound(&project);
        let store = open(&project.path().join(".pinion"));
        assert_nothing_dangles(&store, |_| true);
        drop(store);
        let again = days::run(&project, &[]);
        assert_eq!(days::that_ran(&again), Vec::<&str>::new());
        assert_eq!(results(&again), results(&undisturbed));
    }
    println!("{kills} kills of a process");
    assert!(kills >= 30, "only {kills} kills");
}

/// Two and eight, with `gc` among them, which waits for all that came before it, and those after it wait for it.
#[test]
fn many_processes_may_use_one_store_at_once() {
    let expected = days::run(&days::project(), &[]);
    for (runs, gcs) in [(2, 0), (2, 1), (8, 0), (8, 2)] {
        let project = days::project();
        project.pinion(&["lock"]).succeeded();
        // Something that `gc` may remove.
        days::run(&project, &["--set", "factor=7"]);
        let mut children = Vec::new();
        for number in 0..runs {
            if gcs > 0 && number % (runs / gcs) == 1 {
                let args = ["gc", "--keep", "1", "--older-than", "0s", "--json"];
                children.push((spawn(&project, &args), false));
            }
            children.push((spawn(&project, &["run", "--json", "--threads", "2"]), true));
        }
        for (child, is_run) in children {
            let said = project.said(child.wait_with_output()).succeeded();
            if is_run {
                assert_eq!(results(&said.json()), results(&expected));
            }
        }
        assert_sound(&project);
        assert_nothing_dangles(&open(&project.path().join(".pinion")), |_| true);
        let after = days::run(&project, &[]);
        assert_eq!(days::that_ran(&after), Vec::<&str>::new());
        assert_eq!(results(&after), results(&expected));
        assert_eq!(days::stored(&project, "tmp"), Vec::<String>::new());
    }
}

/// The record of a run once more, as if it had begun at another time.
fn record_again(store: &Store, record: &RunRecord, id: &str, started: &str) {
    let mut start = record.start.clone();
    start.id = id.parse().unwrap();
    start.started = started.to_owned();
    let mut writer = store.create_run(&start.id).unwrap();
    writer.append(&Line::Run(Box::new(start))).unwrap();
    for step in &record.steps {
        writer.append(&Line::Step(Box::new(step.clone()))).unwrap();
    }
    let mut end = record.end.clone().unwrap();
    end.finished = "1999-12-31T23:59:59Z".to_owned();
    writer.append(&Line::Outcome(end)).unwrap();
}

fn newest(project: &Project) -> String {
    let runs = project.pinion(&["runs", "--json"]).succeeded().json();
    runs["runs"][0]["run"].as_str().unwrap().to_owned()
}

/// A clock that was years ahead is put right: the run after that is the last one all the same.
#[test]
fn the_clock_may_be_put_back() {
    let project = days::project();
    let first = days::run(&project, &["--set", "factor=7"]);
    let store = open(&project.path().join(".pinion"));
    let id = first["run"].as_str().unwrap().parse().unwrap();
    let record = store.run(&id).unwrap();
    record_again(
        &store,
        &record,
        "20991231-235959-fffe",
        "2099-12-31T23:59:59Z",
    );
    drop(store);
    // All that is there seems to come from the future, and so does what a killed process was writing.
    project.write(".pinion/tmp/1-1", b"torn");
    let ahead = SystemTime::now() + Duration::from_hours(24 * 365 * 70);
    for path in days::stored(&project, "") {
        let path = project.path().join(".pinion").join(path);
        let file = fs::File::options().write(true).open(path).unwrap();
        file.set_modified(ahead).unwrap();
    }

    let now = days::run(&project, &[]);
    assert_eq!(now["run"], "20991231-235959-ffff");
    assert_eq!(newest(&project), "20991231-235959-ffff");
    let next = days::run(&project, &[]);
    assert_eq!(next["run"], "21000101-000000-0000");
    assert_eq!(results(&now), results(&days::run(&days::project(), &[])));
    assert_eq!(results(&next), results(&now));
    // The last run is the one that was made last: `show` and `export` tell of it.
    let shown = project.pinion(&["show", "--json"]).succeeded().json();
    assert_eq!(shown["run_digest"], now["run_digest"]);
    let product: Vec<String> = days::column(&project, "multiply", "product");
    assert_eq!(product[0], "200");
    assert_sound(&project);

    // What seems young is kept, but for what nobody can be writing.
    project
        .pinion(&["gc", "--keep", "1", "--older-than", "0s"])
        .succeeded();
    assert_eq!(days::stored(&project, "tmp"), Vec::<String>::new());
    assert_sound(&project);
    let again = days::run(&project, &[]);
    assert_eq!(days::that_ran(&again), Vec::<&str>::new());
    assert_eq!(results(&again), results(&now));
}

/// One object of each kind, damaged in the ways that differ to a reader, and every command that reads: it says
/// what it said before, or fails; `doctor` finds it, and the next run mends it.
#[test]
fn commands_never_show_damaged_values() {
    let project = days::project();
    let expected = days::run(&project, &[]);
    let run = expected["run"].as_str().unwrap();
    let record = format!(".pinion/runs/{run}.jsonl");
    let recorded = project.read(&record);
    let commands: [&[&str]; 4] = [
        &["show", run, "scale", "--json"],
        &["export", run, "scale", "-o", "out.csv"],
        &["lineage", run, "scale", "--json"],
        &["export", run, "fit-kept.scaler", "-o", "out.json"],
    ];
    let said = |args: &[&str]| {
        let out = project.path().join(args.last().unwrap());
        drop(fs::remove_file(&out));
        let said = project.pinion(args);
        (said.code, said.stdout, fs::read(out).unwrap_or_default())
    };
    let before: Vec<_> = commands.iter().map(|args| said(args)).collect();
    for (code, ..) in &before {
        assert_eq!(*code, Some(0), "{before:?}");
    }
    let mut random = Random(2);
    let (mut cases, mut failed) = (0, 0);
    for directory in [
        "blobs",
        "chunks",
        "components",
        "memo",
        "runs",
        "tables",
        "units",
    ] {
        for harm in 0..4 {
            let files = days::stored(&project, directory);
            let path = format!(".pinion/{directory}/{}", random.one_of(&files));
            let mut bytes = project.read(&path);
            if bytes.is_empty() {
                continue;
            }
            let at = random.below(bytes.len());
            match harm {
                0 => bytes[at] ^= 1 << random.below(8),
                1 => bytes.truncate(at),
                2 => bytes.clear(),
                _ => fs::remove_file(project.path().join(&path)).unwrap(),
            }
            if harm < 3 {
                project.write(&path, &bytes);
            }
            cases += 1;
            // In another order each time: the first that finds damage moves it away.
            let first = random.below(commands.len());
            for number in 0..2 {
                let number = (first + number) % commands.len();
                let (code, stdout, file) = said(commands[number]);
                match code {
                    Some(0) => assert_eq!((code, stdout, file), before[number], "{path} {harm}"),
                    _ => failed += 1,
                }
            }
            let repaired = project.pinion(&["doctor", "--repair", "--json"]);
            assert_eq!(repaired.code, Some(0), "{}", repaired.stdout);
            assert_sound(&project);
            let after = days::run(&project, &[]);
            assert_eq!(results(&after), results(&expected), "{path} {harm}");
            // Nothing makes the record of a run again; the next case is to have one.
            project.write(&record, &recorded);
        }
    }
    // Without damage that is needed and gone, all is as before.
    days::run(&project, &["--no-cache"]);
    for (args, before) in commands.iter().zip(&before) {
        assert_eq!(said(args), *before, "{args:?}");
    }
    println!("{cases} damaged objects, {failed} commands failed");
    assert!(cases >= 26 && failed > 0, "{cases} {failed}");
}

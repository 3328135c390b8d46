//! `pinion run --watch`: what changes is run, and nothing ends it but Ctrl-C.

#![cfg(unix)]

use std::io::{BufRead as _, BufReader};
use std::process::{Child, ChildStderr, Command, Stdio};

use pinion_tests::project::Project;

/// A command that watches, and what it says.
struct Watching {
    child: Child,
    said: BufReader<ChildStderr>,
}

impl Watching {
    fn start(project: &Project) -> Self {
        let mut command = project.command(&["run", "--watch"]);
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let said = BufReader::new(child.stderr.take().unwrap());
        Self { child, said }
    }

    /// What it says until it waits for changes.
    fn until_it_waits(&mut self) -> String {
        let mut text = String::new();
        while !text.ends_with("waiting for changes, Ctrl-C ends\n") {
            let read = self.said.read_line(&mut text).unwrap();
            assert!(read > 0, "it has ended: {text}");
        }
        text
    }

    fn interrupt(mut self) -> Option<i32> {
        let id = self.child.id().to_string();
        let sent = Command::new("kill").args(["-INT", &id]).status().unwrap();
        assert!(sent.success());
        self.child.wait().unwrap().code()
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        drop(self.child.kill());
    }
}

#[test]
fn it_runs_what_changed_and_survives_what_is_wrong() {
    let project = Project::new();
    project.pinion(&["new", "churn"]).succeeded();
    let pipeline = String::from_utf8(project.read("churn/pinion.toml")).unwrap();
    let churn = project.path().join("churn");
    let mut command = project.command(&["run", "--watch"]);
    let mut child = command
        .current_dir(&churn)
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let said = BufReader::new(child.stderr.take().unwrap());
    let mut watching = Watching { child, said };
    let first = watching.until_it_waits();
    assert!(first.contains("succeeded: 3 steps, 0 cached"), "{first}");

    // The last step alone.
    let edited = pipeline.replace("60.0 / minutes, 1", "60.0 / minutes, 2");
    assert_ne!(edited, pipeline);
    project.write("churn/pinion.toml", edited.as_bytes());
    let second = watching.until_it_waits();
    assert!(second.starts_with("\nchanged: pinion.toml\n"), "{second}");
    assert!(second.contains("succeeded: 3 steps, 2 cached"), "{second}");

    // What does not parse is told, and what mends it is run.
    project.write("churn/pinion.toml", b"[pipeline\n");
    let broken = watching.until_it_waits();
    assert!(broken.contains("error: "), "{broken}");
    project.write("churn/pinion.toml", edited.as_bytes());
    let mended = watching.until_it_waits();
    assert!(mended.contains("succeeded: 3 steps, 3 cached"), "{mended}");

    // Data, in a directory below.
    let mut data = project.read("churn/data/trips.csv");
    let mut lines = data.split(|byte| *byte == b'\n');
    let last = lines.rfind(|line| !line.is_empty());
    let last = last.unwrap().to_vec();
    data.extend_from_slice(&last);
    data.push(b'\n');
    project.write("churn/data/trips.csv", &data);
    let third = watching.until_it_waits();
    assert!(third.starts_with("\nchanged: data/trips.csv\n"), "{third}");
    assert!(third.contains("succeeded: 3 steps"), "{third}");

    assert_eq!(watching.interrupt(), Some(130));
}

#[test]
fn it_needs_a_pipeline() {
    let place = Project::new();
    let mut watching = Watching::start(&place);
    let mut text = String::new();
    std::io::Read::read_to_string(&mut watching.said, &mut text).unwrap();
    assert!(
        text.starts_with("error: there is no `pinion.toml`"),
        "{text}"
    );
    assert_eq!(watching.child.wait().unwrap().code(), Some(2));
}

/// As long as nothing has begun, there is nothing to end in good order.
#[test]
fn it_ends_at_once_while_it_waits_for_the_store() {
    let project = Project::new();
    project.pinion(&["new", "churn"]).succeeded();
    project.pinion(&["run", "-C", "churn"]).succeeded();
    let lock = project.path().join("churn/.pinion/lock");
    let lock = std::fs::File::open(lock).unwrap();
    lock.lock().unwrap();
    let mut command = project.command(&["run", "--watch", "-C", "churn"]);
    let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
    let mut said = BufReader::new(child.stderr.take().unwrap());
    let mut text = String::new();
    said.read_line(&mut text).unwrap();
    assert!(text.starts_with("  waiting for another `pinion`"), "{text}");
    let mut watching = Watching { child, said };
    let id = watching.child.id().to_string();
    let sent = Command::new("kill").args(["-INT", &id]).status().unwrap();
    assert!(sent.success());
    for _ in 0..200 {
        if let Some(ended) = watching.child.try_wait().unwrap() {
            assert_eq!(ended.code(), Some(130));
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    panic!("it still waits");
}

//! Whatever lies in a project, and whatever names it, a run reads nothing outside of it, writes nothing outside of
//! it, and waits for nobody. Every attempt is a real one, against the real binary.
//!
//! Hard links are not here: who can make one to a file could read it, and the system tells it from no other file.

#![cfg(unix)]

use std::fs;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use cap_std::ambient_authority;
use cap_std::fs::Dir;
use insta::assert_snapshot;
use pinion_runtime::digest::Digest;
use pinion_runtime::record::SourceFile;
use pinion_runtime::run::StoreData;
use pinion_runtime::sandbox::Data as _;
use pinion_runtime::store::Store;
use pinion_tests::fixtures::component;
use pinion_tests::project::{Project, Said};
use pinion_tests::whole::key;

/// How long a command may take: whoever waits for a pipe waits for ever.
const PATIENCE: Duration = Duration::from_secs(60);

/// What no run may read.
const SECRET: &str = "user,password\nada,lovelace\n";

/// A pipeline that reads `path`.
fn pipeline(path: &str) -> String {
    format!(
        "[pipeline]\nname = \"trips\"\n\n[sources.trips]\npath = '{path}'\n\n\
        [steps.trips]\nuse = \"std:read-csv@0.1\"\ninput = \"sources.trips\"\n"
    )
}

/// A project in `inside/` of a directory of which the rest is none of its business.
struct Place(Project);

impl Place {
    fn new(path: &str) -> Self {
        let place = Self(Project::new());
        place.0.write("outside/secret.csv", SECRET.as_bytes());
        place.write("pinion.toml", &pipeline(path));
        place.write("data/a.csv", "day,city\n2024-03-01,Oslo\n");
        place
    }

    fn path(&self, path: &str) -> PathBuf {
        self.0.path().join("inside").join(path)
    }

    fn write(&self, path: &str, text: &str) {
        self.0.write(&format!("inside/{path}"), text.as_bytes());
    }

    fn link(&self, to: &str, path: &str) {
        symlink(to, self.path(path)).unwrap();
    }

    fn pipe(&self, path: &str) {
        make_pipe(&self.path(path));
    }

    /// Runs `pinion` in the project, which has to end.
    fn said(&self, args: &[&str]) -> Said {
        let mut command = self.0.command(args);
        command.current_dir(self.path(""));
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let child = child.spawn().unwrap();
        let id = child.id();
        let (sender, ended) = mpsc::channel();
        std::thread::spawn(move || drop(sender.send(child.wait_with_output())));
        match ended.recv_timeout(PATIENCE) {
            Ok(output) => self.0.said(output),
            Err(_) => {
                let killed = Command::new("kill").args(["-9", &id.to_string()]).status();
                panic!("`pinion {}` hangs; killed: {killed:?}", args.join(" "));
            }
        }
    }

    fn runs(&self) -> String {
        self.said(&["run"]).succeeded().snapshot()
    }

    /// What a run says that is refused. Nothing outside is read or written, and what is honest runs afterwards, in
    /// the same store.
    #[track_caller]
    fn refused(&self) -> String {
        self.refused_as(&["run"])
    }

    #[track_caller]
    fn refused_as(&self, args: &[&str]) -> String {
        let said = self.said(args);
        assert!(matches!(said.code, Some(1..=3)), "{said:?}");
        let all = format!("{}{}", said.stdout, said.stderr);
        assert!(
            !all.contains("lovelace") && !all.contains("user,password"),
            "{all}"
        );
        self.untouched();
        self.still_well();
        error_of(&said)
    }

    /// Nothing outside is other than it was.
    #[track_caller]
    fn untouched(&self) {
        let names = |path: &Path| -> Vec<String> {
            let entries = fs::read_dir(path).unwrap();
            let names = entries.map(|entry| entry.unwrap().file_name());
            let mut names: Vec<String> = names.map(|name| name.into_string().unwrap()).collect();
            names.sort();
            names
        };
        assert_eq!(names(self.0.path()), ["inside", "outside"]);
        assert_eq!(names(&self.0.path().join("outside")), ["secret.csv"]);
        assert_eq!(self.0.read("outside/secret.csv"), SECRET.as_bytes());
    }

    /// An honest pipeline in the same store.
    #[track_caller]
    fn still_well(&self) {
        let honest = Project::with(&[
            ("pinion.toml", &pipeline("data/a.csv")),
            ("data/a.csv", "day,city\n2024-03-01,Oslo\n"),
        ]);
        let store = self.path(".pinion");
        if !store.join("version").is_file() {
            return;
        }
        let store = store.to_string_lossy();
        honest.pinion(&["run", "--store", &store]).succeeded();
    }
}

/// Makes a pipe with the system's own program, which every Unix has.
fn make_pipe(path: &Path) {
    let made = Command::new("mkfifo").arg(path).status().unwrap();
    assert!(made.success());
}

/// What was said from the error on.
fn error_of(said: &Said) -> String {
    let text = said.snapshot();
    let error = text.find("error: ").map(|at| text[at..].to_owned());
    error.unwrap_or(text)
}

/// What is said of each case, under its name.
fn told(cases: &[(&str, &dyn Fn() -> String)]) -> String {
    let told = cases
        .iter()
        .map(|(name, case)| format!("# {name}\n{}", case().trim_end()));
    told.collect::<Vec<_>>().join("\n\n")
}

/// A source that is a link or something else which is no file.
fn strange(path: &str, make: impl Fn(&Place)) -> String {
    let place = Place::new(path);
    make(&place);
    place.refused()
}

#[test]
fn what_is_no_file_is_no_source() {
    assert_snapshot!(told(&[
        ("a pipe", &|| strange("data/pipe.csv", |place| place.pipe("data/pipe.csv"))),
        ("a pipe that a pattern means", &|| strange("data/*.csv", |place| place.pipe("data/pipe.csv"))),
        ("a pipe in a directory", &|| strange("data", |place| place.pipe("data/pipe"))),
        ("a socket", &|| strange("data/socket.csv", |place| {
            drop(UnixListener::bind(place.path("data/socket.csv")).unwrap());
        })),
        ("a device", &|| strange("data/zero.csv", |place| place.link("/dev/zero", "data/zero.csv"))),
    ]), @"
    # a pipe
    error: source `trips` cannot be read
      in data/pipe.csv
    caused by: it is a pipe and no file

    # a pipe that a pattern means
    error: source `trips` cannot be read
      in data/pipe.csv
    caused by: it is a pipe and no file

    # a pipe in a directory
    error: source `trips` cannot be read
      in data/pipe
    caused by: it is a pipe and no file

    # a socket
    error: source `trips` cannot be read
      in data/socket.csv
    caused by: it is a socket and no file

    # a device
    error: source `trips` cannot be read
      in data/zero.csv
    caused by: a link leads out of the directory, and nothing outside of it is read or written

    hint: copy the file into the directory of `pinion.toml`
    ");
    // What no pattern means is nobody's business.
    let place = Place::new("data/*.csv");
    place.pipe("data/pipe");
    place.runs();
}

#[test]
fn links_that_lead_out_are_not_followed() {
    assert_snapshot!(told(&[
        ("a file", &|| strange("data/x.csv", |place| place.link("../../outside/secret.csv", "data/x.csv"))),
        ("a file, by its absolute path", &|| strange("data/x.csv", |place| {
            let to = place.0.path().join("outside/secret.csv");
            place.link(&to.to_string_lossy(), "data/x.csv");
        })),
        ("a file that a pattern means", &|| strange("data/*.csv", |place| {
            place.link("../../outside/secret.csv", "data/x.csv");
        })),
        ("the environment", &|| strange("data/x.csv", |place| place.link("/proc/self/environ", "data/x.csv"))),
        ("by way of another link", &|| strange("data/x.csv", |place| {
            place.link("up/outside/secret.csv", "data/x.csv");
            place.link("../..", "data/up");
        })),
        ("a directory above a file", &|| strange("far/secret.csv", |place| place.link("../outside", "far"))),
        ("a directory above a pattern", &|| strange("far/*.csv", |place| place.link("../outside", "far"))),
        ("a directory in a pattern", &|| strange("*/*.csv", |place| place.link("../outside", "far"))),
        ("a directory anywhere", &|| strange("**/*.csv", |place| place.link("../../outside", "data/far"))),
        ("a directory as a source", &|| strange("far", |place| place.link("../outside", "far"))),
    ]), @"
    # a file
    error: source `trips` cannot be read
      in data/x.csv
    caused by: a link leads out of the directory, and nothing outside of it is read or written

    hint: copy the file into the directory of `pinion.toml`

    # a file, by its absolute path
    error: source `trips` cannot be read
      in data/x.csv
    caused by: a link leads out of the directory, and nothing outside of it is read or written

    hint: copy the file into the directory of `pinion.toml`

    # a file that a pattern means
    error: source `trips` cannot be read
      in data/x.csv
    caused by: a link leads out of the directory, and nothing outside of it is read or written

    hint: copy the file into the directory of `pinion.toml`

    # the environment
    error: source `trips` cannot be read
      in data/x.csv
    caused by: a link leads out of the directory, and nothing outside of it is read or written

    hint: copy the file into the directory of `pinion.toml`

    # by way of another link
    error: source `trips` cannot be read
      in data/x.csv
    caused by: a link leads out of the directory, and nothing outside of it is read or written

    hint: copy the file into the directory of `pinion.toml`

    # a directory above a file
    error: source `trips` cannot be read
      in far/secret.csv
    caused by: a link leads out of the directory, and nothing outside of it is read or written

    hint: copy the file into the directory of `pinion.toml`

    # a directory above a pattern
    error: source `trips` cannot be read
      in far
    caused by: a link leads out of the directory, and nothing outside of it is read or written

    hint: copy the file into the directory of `pinion.toml`

    # a directory in a pattern
    error: source `trips` cannot be read
      in far
    caused by: a link leads out of the directory, and nothing outside of it is read or written

    hint: copy the file into the directory of `pinion.toml`

    # a directory anywhere
    error: source `trips` cannot be read
      in data/far
    caused by: a link leads out of the directory, and nothing outside of it is read or written

    hint: copy the file into the directory of `pinion.toml`

    # a directory as a source
    error: source `trips` cannot be read
      in far
    caused by: a link leads out of the directory, and nothing outside of it is read or written

    hint: copy the file into the directory of `pinion.toml`
    ");
}

#[test]
fn links_that_lead_nowhere_or_in_circles() {
    assert_snapshot!(told(&[
        ("nowhere", &|| strange("data/*.csv", |place| place.link("none", "data/0.csv"))),
        ("to itself", &|| strange("data/*.csv", |place| place.link("x.csv", "data/x.csv"))),
        ("to a directory in circles", &|| strange("**/*.csv", |place| {
            place.link(".", "data/one");
            place.link(".", "data/two");
        })),
        ("to a directory", &|| strange("data", |place| {
            place.write("more/b.csv", "day,city\n2024-03-02,Bern\n");
            place.link("../more", "data/more");
        })),
    ]), @"
    # nowhere
    error: source `trips` cannot be read
      in data/0.csv
    caused by: it is a link that leads nowhere

    # to itself
    error: source `trips` cannot be read
      in data/x.csv
    caused by: Too many levels of symbolic links (os error 40)

    # to a directory in circles
    error: source `trips` has a link to a directory, which is not followed
      found `data/one`
      in    pinion.toml, line 4

    hint: give the path of the directory itself, or a pattern that leaves the link out

    # to a directory
    error: source `trips` has a link to a directory, which is not followed
      found `data/more`
      in    pinion.toml, line 4

    hint: give the path of the directory itself, or a pattern that leaves the link out
    ");
}

#[test]
fn links_inside_are_followed_to_files_and_nothing_else_is_looked_at() {
    let place = Place::new("data/*.csv");
    place.write("more/b.csv", "day,city\n2024-03-02,Bern\n");
    place.link("../more/b.csv", "data/b.csv");
    // None of these can be what the pattern means.
    place.link("none", "data/none.txt");
    place.link("../../outside/secret.csv", "data/secret.txt");
    place.link("../../outside", "data/outside");
    place.link(".", "data/circle");
    place.pipe("data/pipe");
    fs::create_dir_all(place.path("more/pipe.csv")).unwrap();
    assert_snapshot!(place.runs(), @"
    exit 0
    --- stderr
      locked std:read-csv@0.1.1 sha256:[DIGEST]
      locked source trips, 2 files
      trips  std:read-csv@0.1                  2 rows[TIME]
    run [RUN] succeeded: 1 step, 0 cached,[TIME]
    ");
    place.untouched();
    // A directory is where its path says, if that is a link inside.
    let place = Place::new("days/*.csv");
    place.link("data", "days");
    place.runs();
}

/// Other systems do not let one make such files.
#[cfg(target_os = "linux")]
#[test]
fn names_that_some_systems_cannot_have_are_refused() {
    use std::os::unix::ffi::OsStrExt as _;
    let named = |pattern: &str, names: &[&[u8]]| {
        let place = Place::new(pattern);
        for name in names {
            let path = place.path("").join(std::ffi::OsStr::from_bytes(name));
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "day,city\n2024-03-01,Oslo\n").unwrap();
        }
        place.refused()
    };
    assert_snapshot!(told(&[
        ("a device", &|| named("data/*", &[b"data/CON"])),
        ("a device with an extension", &|| named("data/*.csv", &[b"data/aux.csv"])),
        ("a dot at the end", &|| named("**/*.csv", &[b"data/x./b.csv"])),
        ("a space at the end", &|| named("data/*", &[b"data/b.csv "])),
        ("a stream of a file", &|| named("data/*.csv", &[b"data/b.csv:x.csv"])),
        ("a pattern", &|| named("data/*.csv", &[b"data/*.csv"])),
        ("a backslash", &|| named("data/*.csv", &[b"data/x\\..\\y.csv"])),
        ("a line break", &|| named("data/*.csv", &[b"data/x\nerror: y.csv"])),
        ("an escape sequence", &|| named("data/*.csv", &[b"data/\x1b[2Jx.csv"])),
        ("not UTF-8", &|| named("data/*.csv", &[b"data/\xff.csv"])),
        ("another case", &|| named("data/*.csv", &[b"data/A.csv"])),
        ("another case of a directory", &|| named("**/*.csv", &[b"Data/b.csv"])),
        ("another case of other letters", &|| {
            named("data/*.csv", &["data/é.csv".as_bytes(), "data/É.csv".as_bytes()])
        }),
        ("another form of accents", &|| {
            named("data/*.csv", &["data/\u{e9}.csv".as_bytes(), "data/e\u{301}.csv".as_bytes()])
        }),
    ]), @r#"
    # a device
    error: source `trips` has a file whose name cannot be used: a part of it is the name of a device on Windows
      found `data/CON`
      in    pinion.toml, line 4

    hint: rename the file, or give a path or a pattern that leaves it out

    # a device with an extension
    error: source `trips` has a file whose name cannot be used: a part of it is the name of a device on Windows
      found `data/aux.csv`
      in    pinion.toml, line 4

    hint: rename the file, or give a path or a pattern that leaves it out

    # a dot at the end
    error: source `trips` has a file whose name cannot be used: a part of it ends with a dot or a space, which Windows leaves out
      found `data/x./b.csv`
      in    pinion.toml, line 4

    hint: rename the file, or give a path or a pattern that leaves it out

    # a space at the end
    error: source `trips` has a file whose name cannot be used: a part of it ends with a dot or a space, which Windows leaves out
      found `data/b.csv `
      in    pinion.toml, line 4

    hint: rename the file, or give a path or a pattern that leaves it out

    # a stream of a file
    error: source `trips` has a file whose name cannot be used: it contains one of `< > : " | ? *`, which Windows does not allow in names
      found `data/b.csv:x.csv`
      in    pinion.toml, line 4

    hint: rename the file, or give a path or a pattern that leaves it out

    # a pattern
    error: source `trips` has a file whose name cannot be used: it contains one of `< > : " | ? *`, which Windows does not allow in names
      found `data/*.csv`
      in    pinion.toml, line 4

    hint: rename the file, or give a path or a pattern that leaves it out

    # a backslash
    error: source `trips` has a file whose name cannot be used: it contains `\`
      found `data/x\..\y.csv`
      in    pinion.toml, line 4

    hint: rename the file, or give a path or a pattern that leaves it out

    # a line break
    error: source `trips` has a file whose name cannot be used: it contains a control character
      found `data/x\nerror: y.csv`
      in    pinion.toml, line 4

    hint: rename the file, or give a path or a pattern that leaves it out

    # an escape sequence
    error: source `trips` has a file whose name cannot be used: it contains a control character
      found `data/\u{1b}[2Jx.csv`
      in    pinion.toml, line 4

    hint: rename the file, or give a path or a pattern that leaves it out

    # not UTF-8
    error: source `trips` cannot be read
      in data/�.csv
    caused by: its name is not UTF-8

    # another case
    error: source `trips` has two names that are one on other systems
      found `data/A.csv` and `data/a.csv`
      in    pinion.toml, line 4

    hint: rename one of the two

    # another case of a directory
    error: source `trips` has two names that are one on other systems
      found `Data` and `data`
      in    pinion.toml, line 4

    hint: rename one of the two

    # another case of other letters
    error: source `trips` has two names that are one on other systems
      found `data/É.csv` and `data/é.csv`
      in    pinion.toml, line 4

    hint: rename one of the two

    # another form of accents
    error: source `trips` has two names that are one on other systems
      found `data/e\u{301}.csv` and `data/\u{e9}.csv`
      in    pinion.toml, line 4

    hint: rename one of the two
    "#);
    // What the pattern leaves out may be called anything.
    let place = Place::new("data/a.*");
    for name in [
        &b"data/aux.csv"[..],
        b"data/\xff.csv",
        b"data/A.csv",
        b"data/x\ny.csv",
    ] {
        let path = place.path("").join(std::ffi::OsStr::from_bytes(name));
        fs::write(path, "day,city\n2024-03-01,Oslo\n").unwrap();
    }
    place.runs();
    // Letters that are written from right to left are letters; what turns the direction is shown.
    let place = Place::new("data/*.csv");
    place.write("data/\u{202e}vsc.csv", "no,table\n");
    let said = error_of(&place.said(&["run"]));
    assert!(
        said.contains("\\u{202e}vsc.csv") && !said.contains('\u{202e}'),
        "{said}"
    );
}

#[test]
fn authored_paths_stay_inside_and_mean_the_same_everywhere() {
    let authored = |path: &str| strange(path, |_| {});
    assert_snapshot!(told(&[
        ("absolute", &|| authored("/etc/passwd")),
        ("above", &|| authored("../outside/secret.csv")),
        ("above in a pattern", &|| authored("data/../../outside/*.csv")),
        ("of a drive", &|| authored("C:/data.csv")),
        ("of a host", &|| authored("//host/share/data.csv")),
        ("with backslashes", &|| authored("..\\outside\\secret.csv")),
        ("a device", &|| authored("data/nul")),
        ("a device in a pattern", &|| authored("com1/*.csv")),
        ("a stream", &|| authored("data/a.csv::$DATA")),
        ("a dot at the end", &|| authored("data./a.csv")),
    ]), @r#"
    # absolute
    error: path `/etc/passwd` cannot be used: it is absolute
      in pinion.toml, line 5
        5 | path = '/etc/passwd'
          |        ^^^^^^^^^^^^^

    # above
    error: path `../outside/secret.csv` cannot be used: it leaves the directory of the pipeline with `..`
      in pinion.toml, line 5
        5 | path = '../outside/secret.csv'
          |        ^^^^^^^^^^^^^^^^^^^^^^^

    # above in a pattern
    error: path `data/../../outside/*.csv` cannot be used: it leaves the directory of the pipeline with `..`
      in pinion.toml, line 5
        5 | path = 'data/../../outside/*.csv'
          |        ^^^^^^^^^^^^^^^^^^^^^^^^^^

    # of a drive
    error: path `C:/data.csv` cannot be used: it is absolute
      in pinion.toml, line 5
        5 | path = 'C:/data.csv'
          |        ^^^^^^^^^^^^^

    # of a host
    error: path `//host/share/data.csv` cannot be used: it is absolute
      in pinion.toml, line 5
        5 | path = '//host/share/data.csv'
          |        ^^^^^^^^^^^^^^^^^^^^^^^

    # with backslashes
    error: path `..\outside\secret.csv` cannot be used: it contains `\`
      in pinion.toml, line 5
        5 | path = '..\outside\secret.csv'
          |        ^^^^^^^^^^^^^^^^^^^^^^^

    # a device
    error: path `data/nul` cannot be used: a part of it is the name of a device on Windows
      in pinion.toml, line 5
        5 | path = 'data/nul'
          |        ^^^^^^^^^^

    # a device in a pattern
    error: path `com1/*.csv` cannot be used: a part of it is the name of a device on Windows
      in pinion.toml, line 5
        5 | path = 'com1/*.csv'
          |        ^^^^^^^^^^^^

    # a stream
    error: path `data/a.csv::$DATA` cannot be used: it contains one of `< > : " | ? *`, which Windows does not allow in names
      in pinion.toml, line 5
        5 | path = 'data/a.csv::$DATA'
          |        ^^^^^^^^^^^^^^^^^^^

    # a dot at the end
    error: path `data./a.csv` cannot be used: a part of it ends with a dot or a space, which Windows leaves out
      in pinion.toml, line 5
        5 | path = 'data./a.csv'
          |        ^^^^^^^^^^^^^
    "#);
}

#[test]
fn components_are_files_of_the_project() {
    let component = |uses: &str, make: &dyn Fn(&Place)| {
        let place = Place::new("data/a.csv");
        let step = format!("\n[steps.x]\nuse = \"{uses}\"\ninput = \"trips\"\n");
        place.write("pinion.toml", &(pipeline("data/a.csv") + &step));
        make(&place);
        place.refused()
    };
    assert_snapshot!(told(&[
        ("a pipe", &|| component("./x.wasm", &|place| place.pipe("x.wasm"))),
        ("a device", &|| component("./x.wasm", &|place| place.link("/dev/zero", "x.wasm"))),
        ("a directory", &|| component("./x.wasm", &|place| fs::create_dir(place.path("x.wasm")).unwrap())),
        ("a link that leads out", &|| component("./x.wasm", &|place| {
            place.link("../outside/secret.csv", "x.wasm");
        })),
        ("a terabyte of nothing", &|| component("./x.wasm", &|place| {
            fs::File::create(place.path("x.wasm")).unwrap().set_len(1 << 40).unwrap();
        })),
        ("a crate that lies outside", &|| {
            component("./steps/x", &|place| {
                fs::create_dir(place.path("steps")).unwrap();
                let add_one = pinion_tests::fixtures::workspace().join("tests/components/add-one");
                place.link(&add_one.to_string_lossy(), "steps/x");
            })
        }),
        ("a path above", &|| component("./../outside/x.wasm", &|_| {})),
        ("a device of Windows", &|| component("./steps/aux", &|_| {})),
    ]), @r#"
    # a pipe
    error: component `./x.wasm` cannot be read
      in x.wasm
      in pinion.toml, line 12, used by step `x`
        12 | use = "./x.wasm"
           |       ^^^^^^^^^^
    caused by: it is a pipe and no file

    # a device
    error: component `./x.wasm` cannot be read
      in x.wasm
      in pinion.toml, line 12, used by step `x`
        12 | use = "./x.wasm"
           |       ^^^^^^^^^^
    caused by: a link leads out of the directory, and nothing outside of it is read or written

    # a directory
    error: component `./x.wasm` cannot be read
      in x.wasm
      in pinion.toml, line 12, used by step `x`
        12 | use = "./x.wasm"
           |       ^^^^^^^^^^
    caused by: it is a directory and no file

    # a link that leads out
    error: component `./x.wasm` cannot be read
      in x.wasm
      in pinion.toml, line 12, used by step `x`
        12 | use = "./x.wasm"
           |       ^^^^^^^^^^
    caused by: a link leads out of the directory, and nothing outside of it is read or written

    # a terabyte of nothing
    error: component `./x.wasm` cannot be read
      in x.wasm
      in pinion.toml, line 12, used by step `x`
        12 | use = "./x.wasm"
           |       ^^^^^^^^^^
    caused by: it is too large: 1024 GiB, and at most 128 MiB are read

    # a crate that lies outside
    error: there is no crate at `./steps/x`
      expected steps/x/Cargo.toml
      in       pinion.toml, line 12, used by step `x`
        12 | use = "./steps/x"
           |       ^^^^^^^^^^^

    hint: to make one, run `pinion step new x`

    # a path above
    error: component `./../outside/x.wasm` cannot be used: it leaves the directory of the pipeline with `..`
      in pinion.toml, line 12
        12 | use = "./../outside/x.wasm"
           |       ^^^^^^^^^^^^^^^^^^^^^

    # a device of Windows
    error: component `./steps/aux` cannot be used: a part of it is the name of a device on Windows
      in pinion.toml, line 12
        12 | use = "./steps/aux"
           |       ^^^^^^^^^^^^^
    "#);
}

#[test]
fn the_pipeline_and_its_lockfile_are_files_of_the_project() {
    let strange = |make: &dyn Fn(&Place)| strange("data/a.csv", make);
    let locked = |make: &dyn Fn(String) -> String| {
        strange(&|place| {
            place.said(&["lock"]).succeeded();
            let lock = fs::read_to_string(place.path("pinion.lock")).unwrap();
            place.write("pinion.lock", &make(lock));
        })
    };
    let crated = |file: &str| {
        let (none, empty) = (Digest::of(b"none"), "0".repeat(64));
        format!(
            "\n[[component]]\nname = \"./steps/x\"\norigin = \"crate\"\nsources = \"{none}\"\nfile = \"{file}\"\ndigest = \"sha256:{empty}\"\n"
        )
    };
    assert_snapshot!(told(&[
        ("a pipeline that lies outside", &|| strange(&|place| {
            fs::remove_file(place.path("pinion.toml")).unwrap();
            place.link("../outside/secret.csv", "pinion.toml");
        })),
        ("a lockfile that is a pipe", &|| strange(&|place| place.pipe("pinion.lock"))),
        ("a lockfile that lies outside", &|| strange(&|place| {
            place.link("../outside/secret.csv", "pinion.lock");
        })),
        ("a lockfile of terabytes", &|| strange(&|place| {
            fs::File::create(place.path("pinion.lock")).unwrap().set_len(1 << 42).unwrap();
        })),
        ("a source that lies outside", &|| locked(&|lock| lock.replace("data/a.csv", "../outside/secret.csv"))),
        ("a source with an absolute path", &|| locked(&|lock| lock.replace("data/a.csv", "/etc/passwd"))),
        ("a source that is a device", &|| locked(&|lock| lock.replace("data/a.csv", "data/CON"))),
        ("a component that lies outside", &|| locked(&|lock| lock + &crated("../outside/x.wasm"))),
        ("a component that is a device", &|| locked(&|lock| lock + &crated("components/nul"))),
    ]), @r#"
    # a pipeline that lies outside
    error: cannot read `[DIR]/inside/pinion.toml`
    caused by: a link leads out of the directory, and nothing outside of it is read or written

    # a lockfile that is a pipe
    error: cannot read `[DIR]/inside/pinion.lock`
    caused by: it is a pipe and no file

    # a lockfile that lies outside
    error: cannot read `[DIR]/inside/pinion.lock`
    caused by: a link leads out of the directory, and nothing outside of it is read or written

    # a lockfile of terabytes
    error: cannot read `[DIR]/inside/pinion.lock`
    caused by: it is too large: 4096 GiB, and at most 1 GiB are read

    # a source that lies outside
    error: the lockfile is not valid: path `../outside/secret.csv` cannot be used: it leaves the directory of the pipeline with `..`
      in pinion.lock, line 18
        18 |     { path = "../outside/secret.csv", digest = "blake3:[DIGEST]", size = 25 },
           |              ^^^^^^^^^^^^^^^^^^^^^^^

    hint: restore the one that was committed; or remove it and run `pinion lock` to lock anew

    # a source with an absolute path
    error: the lockfile is not valid: path `/etc/passwd` cannot be used: it is absolute
      in pinion.lock, line 18
        18 |     { path = "/etc/passwd", digest = "blake3:[DIGEST]", size = 25 },
           |              ^^^^^^^^^^^^^

    hint: restore the one that was committed; or remove it and run `pinion lock` to lock anew

    # a source that is a device
    error: the lockfile is not valid: path `data/CON` cannot be used: a part of it is the name of a device on Windows
      in pinion.lock, line 18
        18 |     { path = "data/CON", digest = "blake3:[DIGEST]", size = 25 },
           |              ^^^^^^^^^^

    hint: restore the one that was committed; or remove it and run `pinion lock` to lock anew

    # a component that lies outside
    error: the lockfile is not valid: path `../outside/x.wasm` cannot be used: it leaves the directory of the pipeline with `..`
      in pinion.lock, line 32
        32 | file = "../outside/x.wasm"
           |        ^^^^^^^^^^^^^^^^^^^

    hint: restore the one that was committed; or remove it and run `pinion lock` to lock anew

    # a component that is a device
    error: the lockfile is not valid: path `components/nul` cannot be used: a part of it is the name of a device on Windows
      in pinion.lock, line 32
        32 | file = "components/nul"
           |        ^^^^^^^^^^^^^^^^

    hint: restore the one that was committed; or remove it and run `pinion lock` to lock anew
    "#);
}

#[test]
fn a_lockfile_cannot_control_the_terminal() {
    let place = Place::new("data/a.csv");
    place.said(&["lock"]).succeeded();
    let lock = fs::read_to_string(place.path("pinion.lock")).unwrap();
    let empty = "0".repeat(64);
    let tampered = format!(
        "{lock}\n[[component]]\nname = \"./x\\u001b[2J\\u009b2J\\u202ey\"\norigin = \"file\"\ndigest = \"sha256:{empty}\"\n"
    );
    place.write("pinion.lock", &tampered);
    assert_snapshot!(place.said(&["lock"]).succeeded().snapshot(), @r"
    exit 0
    --- stderr
      removed ./x\u{1b}[2J\u{9b}2J\u{202e}y
    ");
}

/// Another name is what a run writes to before its lockfile is put in place.
#[test]
fn the_lockfile_is_not_written_through_a_link() {
    let place = Place::new("data/a.csv");
    place.link("../outside/secret.csv", "pinion.lock");
    place.refused_as(&["lock"]);
    fs::remove_file(place.path("pinion.lock")).unwrap();
    // One that leads inside is replaced, and what it led to stays.
    place.write("other", "");
    place.link("other", "pinion.lock");
    let said = place.said(&["lock"]);
    assert_eq!(fs::read(place.path("other")).unwrap(), b"", "{said:?}");
    place.untouched();
}

#[test]
fn a_store_keeps_to_its_directory() {
    let ran = || {
        let place = Place::new("data/a.csv");
        place.runs();
        place.write("data/a.csv", "day,city\n2024-03-02,Bern\n");
        place
    };
    let instead = |directory: &str| {
        let place = ran();
        fs::remove_dir_all(place.path(&format!(".pinion/{directory}"))).unwrap();
        place.link("../../outside", &format!(".pinion/{directory}"));
        let said = place.said(&["run"]);
        place.untouched();
        error_of(&said)
    };
    assert_snapshot!(told(&[
        ("blobs", &|| instead("blobs")),
        ("runs", &|| instead("runs")),
        ("tmp", &|| instead("tmp")),
        ("a directory that is full", &|| {
            let place = Place::new("data/a.csv");
            place.link("../outside", ".pinion");
            let said = place.said(&["run"]);
            place.untouched();
            error_of(&said)
        }),
    ]), @"
    # blobs
    error: the store cannot be written to
    caused by: a link leads out of the directory, and nothing outside of it is read or written

    hint: the store is `[DIR]/inside/.pinion`; to keep results elsewhere, give `--store DIR`

    # runs
    error: the store cannot be written to
    caused by: a link leads out of the directory, and nothing outside of it is read or written

    hint: the store is `[DIR]/inside/.pinion`; to keep results elsewhere, give `--store DIR`

    # tmp
    error: the store cannot be written to
    caused by: a link leads out of the directory, and nothing outside of it is read or written

    hint: the store is `[DIR]/inside/.pinion`; to keep results elsewhere, give `--store DIR`

    # a directory that is full
    error: the directory is not a store
      found `secret.csv` in it

    hint: to use a store there, name a directory that is empty or does not exist yet
    ");
    // One part of the layout further down.
    let place = ran();
    for parent in fs::read_dir(place.path(".pinion/chunks")).unwrap() {
        let parent = parent.unwrap().path();
        fs::remove_dir_all(&parent).unwrap();
        symlink("../../../outside", parent).unwrap();
    }
    for args in [
        &["run"][..],
        &["show", "trips"],
        &["doctor"],
        &["gc"],
        &["verify"],
    ] {
        let said = place.said(args);
        assert!(!said.stdout.contains("lovelace"), "{said:?}");
        place.untouched();
    }
}

/// A link to another disk is the user's own; nothing but an empty directory and a store is written to.
#[test]
fn a_store_may_be_a_link_to_a_store() {
    let place = Place::new("data/a.csv");
    fs::create_dir(place.path("results")).unwrap();
    place.link("results", ".pinion");
    place.runs();
    assert!(place.path("results/version").is_file());
}

/// Whatever is replaced by a pipe, nobody waits for it.
#[test]
fn nobody_waits_for_a_pipe_in_a_store() {
    let files = |place: &Place| {
        let mut files = Vec::new();
        let mut directories = vec![place.path(".pinion")];
        while let Some(directory) = directories.pop() {
            for entry in fs::read_dir(directory).unwrap() {
                let entry = entry.unwrap();
                match entry.file_type().unwrap().is_dir() {
                    true => directories.push(entry.path()),
                    false => files.push(entry.path()),
                }
            }
        }
        files
    };
    let place = Place::new("data/a.csv");
    place.runs();
    let found = files(&place);
    assert!(found.len() > 8, "{found:?}");
    for file in &found {
        fs::remove_file(file).unwrap();
        make_pipe(file);
    }
    for args in [
        &["run"][..],
        &["runs"],
        &["show"],
        &["doctor"],
        &["gc"],
        &["verify"],
    ] {
        place.said(args);
    }
    assert_snapshot!(error_of(&place.said(&["run"])), @"
    error: the directory is not a store
      found `version` in it

    hint: if it is a store whose file `version` was damaged, remove that file, and it is written anew; else name a directory that is empty or does not exist yet
    ");
    // All but what says that it is a store.
    fs::remove_dir_all(place.path(".pinion")).unwrap();
    place.runs();
    for file in files(&place) {
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        if !["version", "lock", "gate"].contains(&name.as_str()) {
            fs::remove_file(&file).unwrap();
            make_pipe(&file);
        }
    }
    place.write("data/a.csv", "day,city\n2024-03-02,Bern\n");
    for args in [
        &["run"][..],
        &["runs"],
        &["show"],
        &["doctor"],
        &["gc"],
        &["verify"],
    ] {
        place.said(args);
    }
}

#[test]
fn runs_and_artifacts_are_names_and_no_paths() {
    let place = Place::new("data/a.csv");
    place.runs();
    fs::copy(
        place.path("pinion.toml"),
        place.path(".pinion/20261123-061530-4f2a.jsonl"),
    )
    .unwrap();
    let told = |args: &[&str]| place.refused_as(args);
    assert_snapshot!([
        told(&["show", "../../outside/secret.csv"]),
        told(&["show", "../20261123-061530-4f2a"]),
        told(&["show", "20261123-061530-4f2a/../x"]),
        told(&["show", "trips.../../x"]),
        told(&["diff", "/etc/passwd", "/etc/hosts"]),
        told(&["lineage", "2/../../x"]),
        told(&["export", "../../outside", "-o", "x.csv"]),
        told(&["pack", "../x", "-o", "x.tar"]),
        told(&["step", "run", "../x"]),
    ].join("\n"), @"
    error: run `[RUN]` has no step ``
      expected one of `trips`

    error: run `[RUN]` has no step ``
      expected one of `trips`

    error: there is no run `[RUN]/../x`
      expected one of `[RUN]`, `[RUN]`, `[RUN]`

    error: step `trips` has no output `../../x`
      expected one of `trips.table`

    error: `/etc/passwd` is not the id of a run

    hint: to see the runs, run `pinion runs`

    error: there is no run `2/../../x`
      expected one of `[RUN]`, `[RUN]`, `[RUN]`, `[RUN]`, `[RUN]` and 1 older

    error: run `[RUN]` has no step ``
      expected one of `trips`

    error: `../x` is not the id of a run

    hint: to see the runs, run `pinion runs`

    error: there is no step `../x`
      expected one of `trips`
    ");
    assert!(!place.path("x.csv").exists() && !place.path("x.tar").exists());
}

#[test]
fn what_is_made_is_made_inside_and_can_be_anywhere() {
    let place = Place::new("data/a.csv");
    let told = |args: &[&str]| place.refused_as(args);
    assert_snapshot!([
        told(&["new", "con"]),
        told(&["new", "new/lpt1"]),
        told(&["step", "new", "aux"]),
        told(&["step", "new", "../x"]),
        {
            place.link("../outside", "steps");
            told(&["step", "new", "label"])
        },
        {
            for name in ["steps", "Cargo.toml", "Cargo.lock"] {
                fs::remove_file(place.path(name)).unwrap();
            }
            place.link("../outside/secret.csv", "Cargo.lock");
            told(&["step", "new", "label"])
        },
    ].join("\n"), @"
    error: a project cannot be called `con`: it is the name of a device on Windows

    error: a project cannot be called `lpt1`: it is the name of a device on Windows

    error: a step cannot be called `aux`: it is the name of a device on Windows

    hint: choose another name

    error: a step cannot be called `../x`
      expected a lower-case letter, then lower-case letters and digits with single `-` between them, at most 64 in all

    hint: call it `x`

    error: `[DIR]/inside/steps/label/Cargo.toml` cannot be written
    caused by: a link leads out of the directory, and nothing outside of it is read or written

    error: a step's crate cannot be added to `[DIR]/inside/Cargo.lock`
    caused by: a link leads out of the directory, and nothing outside of it is read or written
    ");
}

#[test]
fn cases_of_steps_are_files_and_are_blessed_where_they_lie() {
    let place = Place::new("data/a.csv");
    place.0.write("inside/add.wasm", component("add-one"));
    let case = "cases/one";
    place.write(
        &format!("{case}/params.json"),
        "{\"column\": \"n\", \"at_least\": 0}",
    );
    place.write(&format!("{case}/inputs/rows.csv"), "n\n1\n");
    place.write(
        &format!("{case}/inputs/rows.types.json"),
        "{\"n\": \"int64\"}",
    );
    let args = ["step", "test", "./add.wasm", "--cases", "cases", "--bless"];
    fs::create_dir(place.path("cases/one/expected")).unwrap();
    place.link(
        "../../../../outside/secret.csv",
        "cases/one/expected/kept.csv",
    );
    let through_a_link = place.refused_as(&args);
    fs::remove_dir_all(place.path("cases/one/expected")).unwrap();
    fs::create_dir(place.path("elsewhere")).unwrap();
    place.link("../../elsewhere", "cases/one/expected");
    let to_a_directory = place.refused_as(&args);
    assert!(
        fs::read_dir(place.path("elsewhere"))
            .unwrap()
            .next()
            .is_none()
    );
    fs::remove_file(place.path("cases/one/expected")).unwrap();
    place.said(&args).succeeded();
    fs::remove_file(place.path("cases/one/inputs/rows.csv")).unwrap();
    place.pipe("cases/one/inputs/rows.csv");
    let from_a_pipe = place.refused_as(&args[..5]);
    assert_snapshot!([through_a_link, to_a_directory, from_a_pipe].join("\n"), @"
    error: `cases/one/expected/kept.csv` is a link, and `--bless` writes through none

    hint: remove the link, or replace it by what it leads to

    error: `cases/one/expected` is a link, and `--bless` writes through none

    hint: remove the link, or replace it by what it leads to

    error: cannot read `cases/one/inputs/rows.csv`
    caused by: it is a pipe and no file
    ");
}

/// A file that the store does not keep is read when a step asks, which is after it was hashed.
#[test]
fn a_source_that_is_replaced_after_it_was_hashed_is_not_read() {
    let place = Place::new("data/a.csv");
    let open = |path: &Path| {
        fs::create_dir_all(path).unwrap();
        Dir::open_ambient_dir(path, ambient_authority()).unwrap()
    };
    let bytes = fs::read(place.path("data/a.csv")).unwrap();
    let file = SourceFile {
        path: "data/a.csv".to_owned(),
        digest: Digest::of(&bytes),
        size_bytes: bytes.len() as u64,
    };
    let store = Store::open(open(&place.path("store")), key()).unwrap();
    let data = StoreData::new(store.into(), Some(open(&place.path(""))), [file.clone()]);
    assert_eq!(&data.blob(&file.digest).unwrap()[..], bytes);
    let replaced = |make: &dyn Fn()| {
        fs::remove_file(place.path("data/a.csv")).unwrap();
        make();
        let error = data.blob(&file.digest).unwrap_err().to_string();
        let digests = regex::Regex::new("blake3:[0-9a-f]{64}").unwrap();
        digests.replace_all(&error, "[DIGEST]").into_owned()
    };
    assert_snapshot!([
        replaced(&|| place.write("data/a.csv", "day,city\n2024-03-01,Rome\n")),
        replaced(&|| {
            let file = fs::File::create(place.path("data/a.csv")).unwrap();
            file.set_len(1 << 40).unwrap();
        }),
        replaced(&|| place.pipe("data/a.csv")),
        replaced(&|| place.link("../../outside/secret.csv", "data/a.csv")),
    ].join("\n"), @"
    `data/a.csv` changed while it was read
      expected [DIGEST]
      found    [DIGEST]
    `data/a.csv` cannot be read any more: it is too large: 1024 GiB, and at most 25 B are read
    `data/a.csv` cannot be read any more: it is a pipe and no file
    `data/a.csv` cannot be read any more: a link leads out of the directory, and nothing outside of it is read or written
    ");
}

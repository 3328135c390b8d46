//! Tests only: a fuzz body over the files of a corpus and over seeded mutations of them.
//!
//! A *body* is a function that takes any bytes, says whether they were accepted, and panics if a promise
//! is broken. The same files and the same number give the same bytes on every machine, so a failure is
//! told by its number alone.
//!
//! Two variables are read from the environment:
//!
//! - `MUTATION=<number>` does that one mutation and no other, and writes its bytes beside the temporary
//!   files of the system, to be looked at or to be added to the corpus;
//! - `MUTATIONS=<count>` does more of them, or fewer, than the test would.

mod mutator;

use std::any::Any;
use std::env;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use mutator::Mutator;

/// How many mutations a body gets where nothing speaks against it.
pub const COUNT: u64 = 10_000;

/// What names of files begin with that a body does not accept.
const REFUSED: &str = "refused-";
/// So many mutations at least say something about the share that is accepted.
const TELLING: u64 = 1_000;

/// Small files of one format, sound ones and such as have to be refused.
#[derive(Clone, Debug)]
pub struct Corpus {
    name: String,
    files: Vec<(String, Vec<u8>)>,
}

/// What became of the mutations of a corpus.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// How many there were.
    pub mutations: u64,
    /// How many of them were accepted.
    pub accepted: u64,
}

impl Corpus {
    /// The files of a directory whose names are `wanted`, in the order of their names.
    ///
    /// # Panics
    /// If there are none, or they cannot be read.
    pub fn read(directory: &Path, wanted: impl Fn(&str) -> bool) -> Self {
        let failed = |error| panic!("{}: {error}", directory.display());
        let mut files: Vec<_> = fs::read_dir(directory)
            .unwrap_or_else(failed)
            .map(|entry| entry.unwrap_or_else(|error| panic!("{}: {error}", directory.display())))
            .map(|entry| {
                (
                    entry.file_name().to_string_lossy().into_owned(),
                    entry.path(),
                )
            })
            .filter(|(name, _)| wanted(name))
            .map(|(name, path)| {
                let bytes = fs::read(&path);
                let bytes = bytes.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
                (name, bytes)
            })
            .collect();
        assert!(!files.is_empty(), "{} has no files", directory.display());
        files.sort();
        let name = directory.file_name().unwrap_or_default();
        Self {
            name: name.to_string_lossy().into_owned(),
            files,
        }
    }

    /// The bytes of one mutation.
    pub fn mutation(&self, number: u64) -> Vec<u8> {
        Mutator::new(number).mutate(&self.files)
    }

    /// Gives `body` every file, and then the mutations with the numbers below `count`.
    ///
    /// # Panics
    /// If the body does, with the file or the number that it was given; if a file is refused whose name
    /// does not begin with `refused-`, or the other way round; if all mutations are accepted, or none.
    pub fn check(&self, count: u64, body: impl Fn(&[u8]) -> bool) -> Outcome {
        let name = &self.name;
        let attempt = |bytes: &[u8], what: &dyn Fn() -> String| {
            catch_unwind(AssertUnwindSafe(|| body(bytes)))
                .unwrap_or_else(|panic| panic!("{}: {}", what(), message(panic.as_ref())))
        };
        if let Some(number) = number("MUTATION") {
            let bytes = self.mutation(number);
            let path = env::temp_dir().join(format!("{name}-{number}"));
            let written = fs::write(&path, &bytes);
            written.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            let accepted = attempt(&bytes, &|| format!("{}", path.display()));
            return Outcome {
                mutations: 1,
                accepted: accepted.into(),
            };
        }
        for (file, bytes) in &self.files {
            let accepted = attempt(bytes, &|| format!("file `{file}` of corpus `{name}`"));
            let expected = !file.starts_with(REFUSED);
            let how = if accepted { "accepted" } else { "refused" };
            assert!(
                accepted == expected,
                "file `{file}` of corpus `{name}` is {how}"
            );
        }
        let mutations = number("MUTATIONS").unwrap_or(count);
        let accepted = (0..mutations)
            .filter(|number| {
                attempt(&self.mutation(*number), &|| {
                    format!(
                        "mutation {number} of corpus `{name}`, which `MUTATION={number}` does alone"
                    )
                })
            })
            .count() as u64;
        let telling = mutations < TELLING || (1..mutations).contains(&accepted);
        assert!(
            telling,
            "corpus `{name}`: {accepted} of {mutations} mutations were accepted"
        );
        Outcome {
            mutations,
            accepted,
        }
    }
}

fn number(variable: &str) -> Option<u64> {
    let text = env::var(variable).ok()?;
    let number = text.parse();
    Some(number.unwrap_or_else(|error| panic!("{variable}: {error}")))
}

fn message(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("a panic without a message")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn corpus() -> Corpus {
        let file = |name: &str, bytes: &[u8]| (name.to_owned(), bytes.to_vec());
        Corpus {
            name: "words".to_owned(),
            files: vec![file("one", b"a word"), file("refused-two", b"an empty one")],
        }
    }

    fn panics(count: u64, body: impl Fn(&[u8]) -> bool) -> String {
        let panic = catch_unwind(AssertUnwindSafe(|| corpus().check(count, body)));
        match panic {
            Ok(outcome) => panic!("{outcome:?}"),
            Err(panic) => message(panic.as_ref()).to_owned(),
        }
    }

    #[test]
    fn a_number_is_the_same_bytes_and_others_are_others() {
        let all: std::collections::BTreeSet<_> =
            (0..1_000).map(|number| corpus().mutation(number)).collect();
        assert!(all.len() > 600, "{}", all.len());
        assert_eq!(corpus().mutation(7), corpus().mutation(7));
        assert!((0..1_000).all(|number| corpus().mutation(number).len() < 10_000));
    }

    #[test]
    fn a_body_that_panics_is_told_with_its_number() {
        let sound = |bytes: &[u8]| bytes == b"a word";
        assert_eq!(
            panics(1_000, |bytes| {
                assert!(bytes.len() < 50, "too long");
                sound(bytes)
            })
            .split_once(" of corpus ")
            .map(|(number, rest)| (
                number.starts_with("mutation "),
                rest.ends_with("alone: too long")
            )),
            Some((true, true))
        );
        assert_eq!(
            panics(0, |bytes| {
                assert!(bytes != b"a word", "at once");
                sound(bytes)
            }),
            "file `one` of corpus `words`: at once"
        );
    }

    #[test]
    fn a_body_that_says_the_same_of_everything_is_told() {
        assert!(panics(0, |_| true).starts_with("file `refused-two`"));
        assert!(panics(0, |_| false).starts_with("file `one`"));
        let seen = std::cell::Cell::new(0);
        let only_files = |bytes: &[u8]| {
            seen.set(seen.get() + 1);
            seen.get() == 1 && bytes == b"a word"
        };
        assert_eq!(
            panics(1_000, only_files),
            "corpus `words`: 0 of 1000 mutations were accepted"
        );
    }
}

//! Hostile documents for the tests of readers. A reader may refuse or accept a document. It must not panic or hang, not
//! even on large documents. With `FUZZ_SECONDS` a test tries more and larger documents, and different ones each time
//! (docs/testbed.md).

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::{Config, RngAlgorithm, TestError, TestRng, TestRunner};

use crate::process::environment::Environment;

/// Reading one document never takes longer, even on a busy machine.
const TIMEOUT: Duration = Duration::from_secs(30);

/// How many documents every test run tries on each reader.
const CASES: u32 = 30;

/// A reader under test, and the material for its documents.
pub(crate) struct Reader {
    /// For messages.
    pub(crate) name: &'static str,
    /// Documents that the reader accepts.
    pub(crate) seeds: Vec<Vec<u8>>,
    /// Words with a meaning in its documents.
    pub(crate) words: &'static [&'static str],
    /// Reads one document, and asserts what must hold for an accepted one.
    pub(crate) read: fn(&[u8]),
}

/// One change of a document.
#[derive(Clone, Debug)]
enum Change {
    Truncate(Index),
    Delete(Index, Index),
    Repeat(Index, Index, usize),
    Splice(Index, Index, Index, Index),
    Byte(Index, u8),
    Word(Index, Index),
    Line(Index, Index),
    Nest(Index, Index, usize),
}

impl Reader {
    /// Reads the seeds, mutated seeds and random documents.
    pub(crate) fn withstands_hostile_documents(&self) {
        for seed in &self.seeds {
            self.ends_well(seed.clone()).unwrap_or_else(|error| panic!("{}: {error}", self.name));
        }
        let seconds = Environment::from_process().get("FUZZ_SECONDS").unwrap().map(str::to_owned);
        let end = seconds.map(|seconds| Instant::now() + Duration::from_secs(seconds.parse().unwrap()));
        let config = Config { cases: CASES, failure_persistence: None, ..Config::default() };
        // A normal test run is deterministic: everybody gets the same result.
        let mut runner = match end {
            None => TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha)),
            Some(_) => TestRunner::new(config),
        };
        loop {
            match runner.run(&self.documents(), |document| self.ends_well(document)) {
                Ok(()) if end.is_some_and(|end| Instant::now() < end) => {}
                Ok(()) => return,
                Err(TestError::Fail(why, document)) => panic!("{}: {why}\n{}", self.name, shown(&document)),
                Err(TestError::Abort(why)) => panic!("{}: {why}", self.name),
            }
        }
    }

    /// Reads documents of [`LARGE`] bytes: the first seed repeated, and the first word repeated. A long run does so
    /// with every seed and every word, and with documents of [`MAX_SIZE`] bytes.
    pub(crate) fn withstands_large_documents(&self) {
        let is_long = Environment::from_process().get("FUZZ_SECONDS").unwrap().is_some();
        let (most, size) = if is_long { (usize::MAX, MAX_SIZE) } else { (1, LARGE) };
        let seeds = self.seeds.iter().map(Vec::as_slice).take(most);
        let words = self.words.iter().map(|word| word.as_bytes()).take(most);
        for unit in seeds.chain(words).filter(|unit| !unit.is_empty()) {
            let document = unit.repeat((size / unit.len()).max(1));
            self.ends_well(document).unwrap_or_else(|error| {
                panic!("{}: {error}\n{} …", self.name, shown(&unit[..unit.len().min(80)]))
            });
        }
    }

    /// Whether the document is read to its end. A thread of its own reads it, because a hang cannot be ended.
    fn ends_well(&self, document: Vec<u8>) -> Result<(), TestCaseError> {
        let (done, ended) = mpsc::channel();
        let read = self.read;
        let reader = thread::Builder::new().name(self.name.to_owned()).spawn(move || {
            let died = std::panic::catch_unwind(|| read(&document));
            let why = died.err().map(|payload| {
                let text = payload.downcast_ref::<String>().cloned();
                text.or_else(|| payload.downcast_ref::<&str>().map(|text| (*text).to_owned()))
                    .unwrap_or_default()
            });
            // After a hang nobody receives this.
            done.send(why).unwrap_or_default();
        });
        reader.unwrap();
        match ended.recv_timeout(TIMEOUT) {
            Ok(None) => Ok(()),
            Ok(Some(why)) => Err(TestCaseError::fail(format!("it died: {why}"))),
            Err(_) => Err(TestCaseError::fail(format!("it took longer than {} s", TIMEOUT.as_secs()))),
        }
    }

    fn documents(&self) -> impl Strategy<Value = Vec<u8>> {
        let words: Vec<Vec<u8>> = self.words.iter().map(|word| word.as_bytes().to_vec()).collect();
        let (all, seeds) = (words.clone(), self.seeds.clone());
        let of_words = vec(any::<Index>(), 0..60)
            .prop_map(move |picks| picks.iter().flat_map(|pick| pick.get(&all).clone()).collect::<Vec<u8>>());
        let changed = (any::<Index>(), vec(change(), 1..6)).prop_map(move |(seed, changes)| {
            let seed = seed.get(&seeds).clone();
            changes.iter().fold(seed, |document, change| changed(document, change, &words, &seeds))
        });
        let text = any::<String>().prop_map(String::into_bytes);
        prop_oneof![1 => vec(any::<u8>(), 0..400), 1 => text, 2 => of_words, 8 => changed]
    }
}

fn change() -> impl Strategy<Value = Change> {
    let at = any::<Index>;
    prop_oneof![
        at().prop_map(Change::Truncate),
        (at(), at()).prop_map(|(from, to)| Change::Delete(from, to)),
        (at(), at(), 1..200_usize).prop_map(|(from, to, times)| Change::Repeat(from, to, times)),
        (at(), at(), at(), at()).prop_map(|(at, seed, from, to)| Change::Splice(at, seed, from, to)),
        (at(), any::<u8>()).prop_map(|(at, byte)| Change::Byte(at, byte)),
        (at(), at()).prop_map(|(at, word)| Change::Word(at, word)),
        (at(), at()).prop_map(|(line, to)| Change::Line(line, to)),
        (at(), at(), 1..50_000_usize).prop_map(|(at, word, times)| Change::Nest(at, word, times)),
    ]
}

/// The size of a large document, in bytes. A reader with quadratic time would need hours for it.
const LARGE: usize = 2_000_000;

/// The size of a large document in a long run, in bytes.
const MAX_SIZE: usize = 10_000_000;

/// The largest case, in bytes.
const MAX_CASE_SIZE: usize = 1 << 20;

fn changed(mut document: Vec<u8>, change: &Change, words: &[Vec<u8>], seeds: &[Vec<u8>]) -> Vec<u8> {
    let within = |bytes: &[u8], a: &Index, b: &Index| {
        let (a, b) = (a.index(bytes.len() + 1), b.index(bytes.len() + 1));
        a.min(b)..a.max(b)
    };
    let place = |bytes: &[u8], at: &Index| at.index(bytes.len() + 1);
    match change {
        Change::Truncate(at) => document.truncate(place(&document, at)),
        Change::Delete(from, to) => drop(document.drain(within(&document, from, to))),
        Change::Repeat(from, to, times) => {
            let range = within(&document, from, to);
            let times = (*times).min(MAX_CASE_SIZE / range.len().max(1));
            let repeated = document[range.clone()].repeat(times);
            document.splice(range, repeated);
        }
        Change::Splice(at, seed, from, to) => {
            let seed = seed.get(seeds);
            let at = place(&document, at);
            document.splice(at..at, seed[within(seed, from, to)].iter().copied());
        }
        Change::Byte(at, byte) => {
            let at = place(&document, at);
            document.splice(at..(at + 1).min(document.len()), [*byte]);
        }
        Change::Word(at, word) => {
            let at = place(&document, at);
            document.splice(at..at, word.get(words).iter().copied());
        }
        Change::Line(line, to) => {
            let mut lines: Vec<_> = document.split_inclusive(|byte| *byte == b'\n').collect();
            if !lines.is_empty() {
                lines.insert(to.index(lines.len() + 1), lines[line.index(lines.len())]);
            }
            document = lines.concat();
        }
        Change::Nest(at, word, times) => {
            let (at, word) = (place(&document, at), word.get(words));
            let times = (*times).min(MAX_CASE_SIZE / word.len().max(1));
            document.splice(at..at, word.repeat(times));
        }
    }
    document.truncate(MAX_CASE_SIZE);
    document
}

/// Enough of a document to reproduce it.
fn shown(document: &[u8]) -> String {
    let text = document.escape_ascii().to_string();
    let end = text.len().min(4000);
    format!("{}{}", &text[..end], if end < text.len() { " …" } else { "" })
}

/// The file at `path`, relative to the top of the repository.
pub(crate) fn file(path: &str) -> Vec<u8> {
    fs::read(top().join(path)).unwrap_or_else(|error| panic!("reading `{path}`: {error}"))
}

fn top() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The tests of each reader, in a module with the reader's name.
macro_rules! readers {
    ($($name:ident: { seeds: $seeds:expr, words: $words:expr, read: $read:expr $(,)? })*) => {$(
        mod $name {
            use super::*;

            fn reader() -> $crate::process::hostile::Reader {
                $crate::process::hostile::Reader {
                    name: stringify!($name),
                    seeds: $seeds,
                    words: $words,
                    read: $read,
                }
            }

            #[test]
            fn withstands_hostile_documents() {
                reader().withstands_hostile_documents();
            }

            #[test]
            fn withstands_large_documents() {
                reader().withstands_large_documents();
            }
        }
    )*};
}
pub(crate) use readers;

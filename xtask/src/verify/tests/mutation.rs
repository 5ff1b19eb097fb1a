//! Changes each field of each document of a release in every way. After each change, except for those in
//! `exceptions.rs`, a claim of `verify` no longer holds. An attacker who changes a document also updates everything
//! that names it, and signs that if they have the key.

mod documents;
mod exceptions;
pub(super) mod json;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use super::recording::{Recording, all};
use super::world::World;
use crate::oci::index::Content;
use crate::process::environment::Environment;
use crate::verify::broken;
use documents::{Documents, Who};
use exceptions::{EXCEPTIONS, Exception, Why};
use json::{Change, Json};

/// One change.
struct Mutation {
    document: usize,
    who: Who,
    change: Change,
}

fn mutations(own: &Documents, other: &Documents) -> Vec<Mutation> {
    let mut mutations = Vec::new();
    for (document, found) in own.all.iter().enumerate() {
        let theirs = other.named(&found.name).map(|theirs| Json::parse(&theirs.bytes));
        let changes = Json::parse(&found.bytes).changes(theirs.as_ref());
        let authors = if found.is_signed() { &[Who::Signer, Who::Writer][..] } else { &[Who::Signer] };
        for &who in authors {
            mutations.extend(changes.iter().cloned().map(|change| Mutation { document, who, change }));
        }
    }
    mutations
}

/// Calls `check` with each number below `count`, on two threads; the results are in order.
fn each<T: Send>(count: usize, check: impl Fn(usize) -> Option<T> + Sync) -> Vec<T> {
    let next = AtomicUsize::new(0);
    let work = || {
        let mut found = Vec::new();
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= count {
                return found;
            }
            found.extend(check(number).map(|one| (number, one)));
        }
    };
    let mut found = thread::scope(|scope| {
        let threads = [scope.spawn(work), scope.spawn(work)];
        threads
            .map(|thread| thread.join().expect("no thread panics"))
            .into_iter()
            .flatten()
            .collect::<Vec<_>>()
    });
    found.sort_by_key(|(number, _)| *number);
    found.into_iter().map(|(_, one)| one).collect()
}

fn load(number: usize) -> Recording {
    let (_, dir) = all().unwrap().into_iter().nth(number).unwrap();
    Recording::load(&dir).unwrap().with_a_small_base()
}

/// With this variable in the environment, every change is tried, which takes minutes.
const EVERY: &str = "XTASK_EVERY_CHANGE";

/// Otherwise one in this many changes is tried. The seed chooses them, so they are the same on every machine.
const ONE_OF: u64 = 192;
const SEED: u64 = 16;

/// If there are fewer, the changes are no longer generated as they should be.
const AT_LEAST: usize = 20_000;

/// Whether the change with this number is tried when not all are.
fn is_chosen(number: usize) -> bool {
    let mut mixed = (number as u64 ^ SEED).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    mixed ^= mixed >> 32;
    mixed.is_multiple_of(ONE_OF)
}

/// What `verify --rebuild` compares (`Content`): each platform's config.
fn content(world: &World) -> Content {
    let manifest = |digest: &_| Ok(world.blobs[digest].clone());
    Content::of(&world.blobs[&world.digest], manifest).expect("an image")
}

#[test]
fn no_change_of_any_field_of_any_document_leaves_every_claim_true() {
    let newest = all().unwrap().len() - 1;
    let (recording, other) = (load(newest), load(newest - 1));
    let (own, other) = (Documents::of(recording.world.clone()), Documents::of(other.world.clone()));
    // Writing a document again without a change leaves every claim true, so what is detected below is the change.
    for (place, document) in own.all.iter().enumerate() {
        let world = own.with(place, Who::Signer, Clone::clone);
        let broken = broken(&recording.judge_with_the_stand_in(&world));
        assert!(broken.is_none(), "{}: {broken:?}", document.name);
    }
    let mutations = mutations(&own, &other);
    assert!(mutations.len() >= AT_LEAST, "there are {} changes", mutations.len());
    let is_every = Environment::from_process().get(EVERY).unwrap().is_some();
    let excepted = |Mutation { document, who, change }: &Mutation| {
        let (name, pointer) = (&own.all[*document].name, change.pointer());
        EXCEPTIONS.iter().position(|exception| exception.covers(name, &pointer, change.op, *who))
    };
    let chosen: Vec<_> = mutations
        .iter()
        .enumerate()
        .filter(|(number, _)| is_every || is_chosen(*number))
        .map(|(_, one)| one)
        .collect();
    let tried = |mutation: &Mutation| {
        let Mutation { document, who, change } = mutation;
        let theirs = other.named(&own.all[*document].name).map(|theirs| Json::parse(&theirs.bytes));
        own.with(*document, *who, |json| json.with(change, theirs.as_ref()))
    };
    let holds = |world: &World| broken(&recording.judge_with_the_stand_in(world)).is_none();
    let honest = content(&own.honest);
    let survivors = each(chosen.len(), |number| {
        let world = tried(chosen[number]);
        if !holds(&world) {
            return None;
        }
        let excepted = excepted(chosen[number]);
        let is_fine = match excepted.map(|place| EXCEPTIONS[place].why) {
            Some(Why::Rebuild) => honest.difference(&content(&world)).is_some(),
            Some(Why::Because(_)) => true,
            None => false,
        };
        let Mutation { document, who, change } = chosen[number];
        (!is_fine)
            .then(|| format!("{} {} {:?} by {who:?}", own.all[*document].name, change.pointer(), change.op))
    });
    assert!(
        survivors.is_empty(),
        "{} of {} changes leave everything true:\n{}",
        survivors.len(),
        chosen.len(),
        survivors.join("\n")
    );
    // An exception that is no longer needed could hide something that it was not made for.
    let places: Vec<_> = mutations.iter().map(excepted).collect();
    let unused = each(EXCEPTIONS.len(), |place| {
        let covered = mutations.iter().zip(&places).filter(|(_, found)| **found == Some(place));
        let Exception { document, path, .. } = EXCEPTIONS[place];
        (!covered.into_iter().any(|(mutation, _)| holds(&tried(mutation))))
            .then(|| format!("{document}{path}"))
    });
    assert!(unused.is_empty(), "unneeded exceptions: {unused:?}");
}

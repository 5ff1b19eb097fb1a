//! Lies about how the image was tested: in the test result, which must agree with provenance and commit, and in the
//! provenance itself.

use serde_json::{Value, json};

use super::super::change::{Key, NOTHING};
use super::super::world::World;
use super::Lie;
use crate::evidence::attached::{Kind, TEST_RESULT_PREDICATE};

/// A lie that only `smoke` detects.
const fn seen(name: &'static str, tell: fn(&mut World)) -> Lie {
    Lie { name, tell, wrong: &["smoke"], unchecked: &[] }
}

/// A lie after which cosign accepts no test result: there is also nothing to count the attachments against.
const fn rejected(name: &'static str, tell: fn(&mut World)) -> Lie {
    Lie { name, tell, wrong: &["smoke"], unchecked: &["attachments"] }
}

/// Attests a changed test result, by the project's key.
fn change(world: &mut World, change: impl FnOnce(&mut Value)) {
    let before = world.predicate(TEST_RESULT_PREDICATE);
    let mut changed = before.clone();
    change(&mut changed);
    assert_ne!(changed, before, "the test result did not change");
    world.attest_anew(TEST_RESULT_PREDICATE, &changed, Key::Own);
}

pub(super) const LIES: &[Lie] = &[
    rejected("test result removed", |world| world.replace_attestation(TEST_RESULT_PREDICATE, None)),
    rejected("test result by another key instead", |world| {
        let predicate = world.predicate(TEST_RESULT_PREDICATE);
        world.attest_anew(TEST_RESULT_PREDICATE, &predicate, Key::Other);
    }),
    rejected("test result copied from an older release", |world| {
        let older = world.release_older();
        let theirs = world.layers_of(&older, Kind::Attestations).remove(2).0;
        world.replace_attestation(TEST_RESULT_PREDICATE, Some(theirs));
    }),
    seen("a second test result by the key", |world| {
        let (digest, predicate) = (world.digest.clone(), world.predicate(TEST_RESULT_PREDICATE));
        let layer = world.attestation(&digest, TEST_RESULT_PREDICATE, &predicate, Key::Own);
        world.attach(Kind::Attestations, layer);
    }),
    seen("test result with a platform run natively that was emulated", |world| {
        change(world, |result| result["passedTests"][1] = "linux/arm64 native".into());
    }),
    seen("test result without one of the platforms", |world| {
        change(world, |result| drop(result["passedTests"].as_array_mut().expect("tests").pop()));
    }),
    seen("test result that failed", |world| change(world, |result| result["result"] = "FAILED".into())),
    seen("test result by another configuration than the commit's", |world| {
        change(world, |result| result["configuration"][0]["digest"]["sha256"] = NOTHING.into());
    }),
    seen("test result with an extra field", |world| {
        change(world, |result| result["url"] = json!("https://example.org/passed"));
    }),
    Lie {
        name: "provenance with a platform run natively that was emulated",
        tell: |world| world.set("/buildDefinition/internalParameters/smoke/linux~1arm64", "native"),
        // The page says how the image was tested.
        wrong: &["smoke", "page.commands"],
        unchecked: &[],
    },
    Lie {
        name: "provenance with a platform tested in a way that nobody knows",
        tell: |world| world.set("/buildDefinition/internalParameters/smoke/linux~1arm64", "simulated"),
        wrong: &["provenance.form"],
        unchecked: &["smoke"],
    },
];

//! Lies in what a release says since the second build type: the steps with network access, the commit in the
//! signatures, and the platforms among the subjects. All by the key.

use serde_json::{Value, json};

use super::super::change::Key;
use super::super::world::World;
use super::Lie;
use super::envelope::restate;
use crate::evidence::attached::{Kind, PROVENANCE_PREDICATE, SBOM_PREDICATE, TEST_RESULT_PREDICATE};
use crate::evidence::bundle::{Bundle, MARK, Of};
use crate::evidence::provenance::BuildType;
use crate::oci::reference::Digest;
use crate::tool::git::Commit;

const NETWORK: &str = "/buildDefinition/internalParameters/network";

/// A commit that nobody released.
const OTHER: &str = "8888888888888888888888888888888888888888";

/// A lie that one or several claims detect.
const fn seen(name: &'static str, tell: fn(&mut World), wrong: &'static [&'static str]) -> Lie {
    Lie { name, tell, wrong, unchecked: &[] }
}

/// Changes the steps that the provenance names.
fn change_steps(world: &mut World, change: impl FnOnce(&mut serde_json::Map<String, Value>)) {
    world.change_provenance(|provenance| {
        let steps = provenance.pointer_mut(NETWORK).and_then(Value::as_object_mut);
        change(steps.expect("it names them"));
    });
}

/// Leaves out a group of internal parameters.
fn without_group(world: &mut World, group: &str) {
    world.change_provenance(|provenance| {
        let groups = provenance["buildDefinition"]["internalParameters"].as_object_mut();
        groups.expect("it has parameters").remove(group);
    });
}

/// Says that the provenance has the first build type.
fn call_it_the_first(provenance: &mut Value) {
    provenance["buildDefinition"]["buildType"] = BuildType::V1.address().into();
}

/// Signs `digest` in place of its signatures, naming this commit or none.
fn sign(world: &mut World, digest: &Digest, commit: Option<&str>) {
    let layer = signature(world, digest, commit);
    world.attach_only(digest, Kind::Signatures, &[layer]);
}

fn signature(world: &mut World, digest: &Digest, commit: Option<&str>) -> Value {
    let mut said = json!({ "version": world.version(), MARK.0: MARK.1 });
    if let Some(commit) = commit {
        said["commit"] = commit.into();
    }
    world.signature_that_says(digest, &said, Key::Own)
}

/// The bundles, with that of the signature replaced by one that names this commit or none.
fn bundles(world: &World, commit: Option<&str>) -> Vec<Bundle> {
    let commit = commit.map(|commit| Commit::parse(commit).expect("a commit"));
    let bundle = world.signature_bundle_of(&world.digest, &world.version(), commit.as_ref(), Key::Own);
    let attested = world.bundles().into_iter().filter(|bundle| bundle.of != Of::Signature);
    [bundle].into_iter().chain(attested).collect()
}

fn subjects(statement: &mut Value) -> &mut Vec<Value> {
    statement["subject"].as_array_mut().expect("subjects")
}

pub(super) const LIES: &[Lie] = &[
    seen(
        "a step with a network left out of the provenance",
        |world| change_steps(world, serde_json::Map::clear),
        &["provenance.inputs"],
    ),
    seen(
        "an extra step with a network in the provenance",
        |world| change_steps(world, |steps| drop(steps.insert("Dockerfile:1".to_owned(), "RUN make".into()))),
        &["provenance.inputs"],
    ),
    seen(
        "other words of a step with a network in the provenance",
        |world| {
            change_steps(world, |steps| {
                *steps.values_mut().next().expect("there is one") = "RUN npm ci".into();
            });
        },
        &["provenance.inputs"],
    ),
    seen(
        "the provenance without the steps with a network",
        |world| without_group(world, "network"),
        &["provenance.form"],
    ),
    Lie {
        name: "the provenance without the smoke test",
        tell: |world| without_group(world, "smoke"),
        // The page says how the image was tested.
        wrong: &["provenance.form", "page.commands"],
        unchecked: &["smoke"],
    },
    Lie {
        name: "the provenance passed off as one of the first build type",
        tell: |world| world.change_provenance(call_it_the_first),
        // It has more subjects than a provenance of that type, so nobody knows what is due.
        wrong: &["provenance"],
        unchecked: &["provenance.*", "smoke"],
    },
    Lie {
        name: "the provenance and its subjects passed off as of the first build type",
        tell: |world| {
            for kind in [PROVENANCE_PREDICATE, SBOM_PREDICATE] {
                restate(world, kind, |statement| {
                    subjects(statement).truncate(1);
                    if kind == PROVENANCE_PREDICATE {
                        call_it_the_first(&mut statement["predicate"]);
                    }
                });
            }
        },
        wrong: &[
            "provenance.form",
            "signature",
            "signature.platforms",
            "attachments",
            "page.commands",
            "page.assets",
        ],
        unchecked: &[],
    },
    seen(
        "signed by the key, without the commit, instead",
        |world| sign(world, &world.digest.clone(), None),
        &["signature"],
    ),
    seen(
        "signed by the key, with another commit, instead",
        |world| sign(world, &world.digest.clone(), Some(OTHER)),
        &["signature"],
    ),
    seen(
        "the key's signature with another commit beside ours",
        |world| {
            let layer = signature(world, &world.digest.clone(), Some(OTHER));
            world.attach(Kind::Signatures, layer);
        },
        &["signature"],
    ),
    seen(
        "a platform's manifest signed without the commit instead",
        |world| {
            let platform = world.platforms().remove(1);
            sign(world, &platform, None);
        },
        &["signature.platforms"],
    ),
    seen(
        "a platform's manifest signed with another commit instead",
        |world| {
            let platform = world.platforms().remove(0);
            sign(world, &platform, Some(OTHER));
        },
        &["signature.platforms"],
    ),
    seen(
        "bundle of a signature without the commit, by the key",
        |world| world.bundle_only(&bundles(world, None)),
        &["attachments"],
    ),
    seen(
        "bundle of a signature with another commit, by the key",
        |world| world.bundle_only(&bundles(world, Some(OTHER))),
        &["attachments"],
    ),
    Lie {
        name: "a platform left out of the provenance's subjects",
        tell: |world| {
            restate(world, PROVENANCE_PREDICATE, |statement| drop(subjects(statement).pop()));
        },
        wrong: &["provenance"],
        unchecked: &["provenance.*", "smoke"],
    },
    Lie {
        name: "a platform left out of the SBOM's subjects",
        tell: |world| restate(world, SBOM_PREDICATE, |statement| drop(subjects(statement).pop())),
        wrong: &["sbom"],
        unchecked: &["sbom.components", "provenance.products"],
    },
    seen(
        "a platform left out of the test result's subjects",
        |world| restate(world, TEST_RESULT_PREDICATE, |statement| drop(subjects(statement).pop())),
        &["smoke"],
    ),
    Lie {
        name: "another image among the provenance's subjects",
        tell: |world| {
            restate(world, PROVENANCE_PREDICATE, |statement| {
                let mut other = subjects(statement)[1].clone();
                other["digest"]["sha256"] = Digest::of(b"another image").hex().into();
                subjects(statement).push(other);
            });
        },
        wrong: &["provenance"],
        unchecked: &["provenance.*", "smoke"],
    },
    Lie {
        name: "the provenance's statement of an older type",
        tell: |world| {
            restate(world, PROVENANCE_PREDICATE, |statement| {
                statement["_type"] = "https://in-toto.io/Statement/v0.1".into();
            });
        },
        wrong: &["provenance"],
        unchecked: &["provenance.*", "smoke"],
    },
];

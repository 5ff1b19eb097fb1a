//! Lies in the fields beside those that claims are mainly about, in documents that can be read nevertheless. All of
//! them were found by changing every field (`mutation.rs`).

use serde_json::{Value, json};

use super::super::change::NOTHING;
use super::super::world::World;
use super::Lie;
use super::predicate::DEPENDENCIES;
use crate::evidence::attached::Kind;
use crate::evidence::bundle::Of;

const BYPRODUCTS: &str = "/runDetails/byproducts";
const INTERNAL: &str = "/buildDefinition/internalParameters";

/// The claims that are false if the signature of the index says something else.
const OF_SIGNATURE: &[&str] = &["signature", "attachments"];

/// A lie in the provenance, by the key.
const fn said(name: &'static str, tell: fn(&mut World), wrong: &'static [&'static str]) -> Lie {
    Lie { name, tell, wrong, unchecked: &[] }
}

/// Makes the signature say something else, by the key.
fn sign(world: &mut World, change: impl FnOnce(&mut Value)) {
    let digest = world.digest.clone();
    let (mut layer, payload) = world.layers_of(&digest, Kind::Signatures).remove(0);
    let mut payload: Value = serde_json::from_slice(&payload).expect("a payload");
    change(&mut payload);
    let payload = world.put(&payload);
    layer["digest"] = payload.as_str().into();
    layer["size"] = world.blobs[&payload].len().into();
    world.attach_only(&digest, Kind::Signatures, &[layer]);
}

pub(super) const LIES: &[Lie] = &[
    Lie {
        name: "the provenance's build definition as a list of values",
        tell: |world| {
            world.change_provenance(|provenance| {
                let definition = provenance["buildDefinition"].take();
                let of = |key: &str| definition[key].clone();
                provenance["buildDefinition"] = json!([
                    of("buildType"),
                    of("externalParameters"),
                    of("internalParameters"),
                    of("resolvedDependencies"),
                ]);
            });
        },
        wrong: &["provenance.form"],
        unchecked: &[
            "provenance.source",
            "provenance.inputs",
            "provenance.builder",
            "provenance.time",
            "provenance.products",
            "provenance.run",
            "smoke",
            "page.assets",
        ],
    },
    said(
        "internal parameters in the provenance that no release has",
        |world| {
            world.change_provenance(|provenance| {
                let parameters = provenance.pointer_mut(INTERNAL).expect("it has parameters");
                parameters["note"] = json!({ "reviewed": "true" });
            });
        },
        &["provenance.form"],
    ),
    said(
        "the source from another place in the provenance",
        |world| {
            world.change_resource(DEPENDENCIES, "source", |source| {
                source["uri"] = "git+https://example.org/x".into();
            });
        },
        &["provenance.source"],
    ),
    said(
        "a second digest of the lockfile in the provenance",
        |world| {
            world.change_resource(DEPENDENCIES, "package-lock.json", |file| {
                file["digest"]["sha512"] = NOTHING.into();
            });
        },
        &["provenance.inputs"],
    ),
    said(
        "the base image from another place in the provenance",
        |world| {
            world.change_resource(DEPENDENCIES, "base-image", |image| {
                image["uri"] = "pkg:docker/mirror/node@22-slim".into();
            });
        },
        &["provenance.inputs"],
    ),
    said(
        "the provenance without what stood in for the base image",
        |world| {
            world.change_provenance(|provenance| {
                let list = provenance
                    .pointer_mut(DEPENDENCIES)
                    .and_then(Value::as_array_mut)
                    .expect("it has the list");
                list.retain(|resource| resource["name"] != "stand-in-image");
            });
        },
        &["provenance.inputs"],
    ),
    said(
        "a platform's manifest of another type among the byproducts",
        |world| {
            world.change_resource(BYPRODUCTS, "manifest linux/arm64", |product| {
                product["mediaType"] = "text/plain".into();
            });
        },
        &["provenance.products"],
    ),
    said(
        "a run of another number than its page in the provenance",
        |world| world.set(&format!("{INTERNAL}/forgejo/run_number"), "7"),
        &["provenance.builder", "provenance.run"],
    ),
    said(
        "a run of another repository in the provenance",
        |world| {
            world.set(
                "/runDetails/metadata/invocationId",
                "https://forge.example.org/acme/x/actions/runs/1/attempts/1",
            );
        },
        &["provenance.builder"],
    ),
    Lie {
        name: "an extra field in the signature, by the key",
        tell: |world| sign(world, |payload| payload["critical"]["note"] = "x".into()),
        wrong: OF_SIGNATURE,
        unchecked: &[],
    },
    Lie {
        name: "an extra annotation in the signature, by the key",
        tell: |world| sign(world, |payload| payload["optional"]["approved-by"] = "x".into()),
        wrong: OF_SIGNATURE,
        unchecked: &[],
    },
    Lie {
        name: "a signature of another kind, by the key",
        tell: |world| sign(world, |payload| payload["critical"]["type"] = "x".into()),
        wrong: OF_SIGNATURE,
        unchecked: &[],
    },
    Lie {
        name: "the bundle's envelope as a list of values",
        tell: |world| {
            let mut bundles = world.bundles();
            let bundle = bundles.iter_mut().find(|bundle| bundle.of == Of::Signature).expect("there is one");
            let mut json: Value = serde_json::from_slice(&bundle.bytes).expect("JSON");
            let envelope = json["dsseEnvelope"].take();
            let list =
                json!([envelope["payloadType"], envelope["payload"], envelope["signatures"]]).to_string();
            let text = String::from_utf8(bundle.bytes.clone()).expect("text");
            let (head, _) = text.split_once(r#""dsseEnvelope":"#).expect("an envelope");
            bundle.bytes = format!(r#"{head}"dsseEnvelope":{list}}}"#).into_bytes();
            world.bundle_only(&bundles);
        },
        wrong: &["attachments"],
        unchecked: &[],
    },
];

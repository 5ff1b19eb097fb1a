//! Lies about bundles, and about what else refers to the image: under the tag of the index, and in a registry that
//! lists referrers itself. Bundles add nothing to what is signed, so anything wrong with them affects only
//! `attachments`.

use serde_json::json;

use super::super::change::Key;
use super::super::world::World;
use super::Lie;
use crate::evidence::attached::{Attested, Kind, SBOM_PREDICATE};
use crate::evidence::bundle::{self, Bundle, MARK, Of};
use crate::oci::reference::Digest;

const PROVENANCE: Of = Of::Attestation(Attested::Provenance);
const SBOM: Of = Of::Attestation(Attested::Sbom);
const TEST_RESULT: Of = Of::Attestation(Attested::TestResult);

/// A lie that only `attachments` detects.
const fn attached(name: &'static str, tell: fn(&mut World)) -> Lie {
    Lie { name, tell, wrong: &["attachments"], unchecked: &[] }
}

/// Somebody else's bundle of a signature.
fn foreign(world: &mut World) -> Digest {
    let (of, version) = (world.digest.clone(), world.version());
    let bundle = world.signature_bundle(&of, &version, Key::Other);
    world.put_bundle(&of, &bundle)
}

/// The same for the image of a platform, and the platform.
fn foreign_of_platform(world: &mut World) -> (Digest, Digest) {
    let (platform, version) = (world.platforms().remove(1), world.version());
    let bundle = world.signature_bundle(&platform, &version, Key::Other);
    let manifest = world.put_bundle(&platform, &bundle);
    (platform, manifest)
}

/// Replaces our bundle of the same kind with `bundle`.
fn replace(world: &mut World, bundle: Bundle) {
    let mut bundles = world.bundles();
    bundles.retain(|ours| ours.of != bundle.of);
    bundles.push(bundle);
    world.bundle_only(&bundles);
}

/// Removes one of the bundles.
fn without(world: &mut World, of: Of) {
    let mut bundles = world.bundles();
    bundles.retain(|bundle| bundle.of != of);
    world.bundle_only(&bundles);
}

/// Changes the text of one bundle.
fn edit(world: &mut World, of: Of, from: &str, to: &str) {
    let mut bundle = world.bundles().into_iter().find(|bundle| bundle.of == of).expect("there is one");
    let text = String::from_utf8(bundle.bytes).expect("text");
    assert!(text.contains(from), "{from}");
    bundle.bytes = text.replacen(from, to, 1).into_bytes();
    replace(world, bundle);
}

pub(super) const LIES: &[Lie] = &[
    attached("another key's bundle in front of ours", |world| {
        let bundle = foreign(world);
        world.refer_first(bundle);
    }),
    attached("another key's bundle in front of ours, in a registry that lists referrers", |world| {
        let bundle = foreign(world);
        world.list_referrers();
        world.refer_first(bundle);
    }),
    attached("another key's bundle beside a platform's image", |world| {
        let (platform, manifest) = foreign_of_platform(world);
        world.refer_only(&platform, &[manifest]);
    }),
    attached("another key's bundle beside a platform's image, in a registry that lists referrers", |world| {
        let (platform, manifest) = foreign_of_platform(world);
        world.list_referrers();
        world.part_referrers.insert(platform, manifest);
    }),
    attached("another key's attestation beside a platform's image", |world| {
        let (platform, predicate) = (world.platforms().remove(0), world.predicate(SBOM_PREDICATE));
        let layer = world.attestation(&world.digest.clone(), SBOM_PREDICATE, &predicate, Key::Other);
        world.attach_only(&platform, Kind::Attestations, &[layer]);
    }),
    attached("an artifact of another kind among the referrers", |world| {
        let manifest = json!({ "schemaVersion": 2, "layers": [], "artifactType": "application/vnd.example" });
        let manifest = world.put(&manifest);
        world.list_referrers();
        world.refer_first(manifest);
    }),
    attached("fewer bundles under the tag than a registry lists", |world| {
        let whole = world.referring();
        without(world, SBOM);
        world.referrers = Some(whole);
    }),
    attached("fewer bundles in a registry's list than under the tag", |world| {
        let mut listed = world.referring();
        listed.pop();
        world.referrers = Some(listed);
    }),
    attached("the image under the tag of the bundles, in a registry that lists referrers", |world| {
        let (tag, digest) = (bundle::tag(&world.digest).to_string(), world.digest.clone());
        world.list_referrers();
        world.tags.insert(tag, digest);
    }),
    attached("another key's bundle in place of the signature's", |world| {
        let (of, version) = (world.digest.clone(), world.version());
        let bundle = world.signature_bundle(&of, &version, Key::Other);
        replace(world, bundle);
    }),
    attached("bundle of a signature with another version, by the key", |world| {
        let of = world.digest.clone();
        let bundle = world.signature_bundle(&of, "0.0.9", Key::Own);
        replace(world, bundle);
    }),
    attached("bundle of another digest's signature, by the key", |world| {
        let (older, version) = (world.release_older(), world.version());
        let bundle = world.signature_bundle(&older, &version, Key::Own);
        replace(world, bundle);
    }),
    attached("bundle of another digest's signature, by the key, beside ours", |world| {
        let (older, version) = (world.release_older(), world.version());
        let bundle = world.signature_bundle(&older, &version, Key::Own);
        let manifest = world.put_bundle(&older, &bundle);
        world.refer_first(manifest);
    }),
    attached("bundles removed", |world| {
        let tag = bundle::tag(&world.digest).to_string();
        world.tags.remove(&tag);
    }),
    attached("bundles removed, in a registry that lists referrers", |world| {
        world.list_referrers();
        world.referrers = Some(Vec::new());
    }),
    attached("bundle of the signature removed", |world| without(world, Of::Signature)),
    attached("bundle of the provenance removed", |world| without(world, PROVENANCE)),
    attached("bundle of the SBOM removed", |world| without(world, SBOM)),
    attached("bundle of the test result removed", |world| without(world, TEST_RESULT)),
    attached("bundle of the provenance gone, and still named", |world| {
        let bundle = Digest::of(&world.attestation_bundle(Attested::Provenance).bytes);
        world.blobs.remove(&bundle);
    }),
    attached("bundle of another provenance of this image, by the key", |world| {
        let (digest, kind) = (world.digest.clone(), PROVENANCE.predicate_type());
        let mut predicate = world.predicate(kind);
        predicate["runDetails"]["metadata"]["invocationId"] = "urn:uuid:another".into();
        let layer = world.attestation(&digest, kind, &predicate, Key::Own);
        let envelope = layer["digest"].as_str().expect("a digest").parse::<Digest>().expect("a digest");
        let bundle = Bundle::new(PROVENANCE, &world.blobs[&envelope], &world.hint);
        replace(world, bundle);
    }),
    attached("bundle with a key twice", |world| {
        edit(world, Of::Signature, r#""dsseEnvelope":"#, r#""dsseEnvelope":{},"dsseEnvelope":"#);
    }),
    attached("bundle with a key twice in two spellings", |world| {
        edit(world, SBOM, r#""payload":"#, r#""Payload":"e30=","payload":"#);
    }),
    attached("bundle with an extra field", |world| {
        edit(world, PROVENANCE, r#"{"publicKey""#, r#"{"tlogEntries":[],"publicKey""#);
    }),
    attached("bundle with a second signature", |world| {
        edit(world, Of::Signature, r#"[{"sig":"b3du"}]"#, r#"[{"sig":"b3du"},{"sig":"b3du"}]"#);
    }),
    attached("bundle with a signature in another spelling of base64", |world| {
        edit(world, Of::Signature, "b3du", "b3dv=");
    }),
    attached("bundle of another version of the format", |world| edit(world, Of::Signature, "v0.3", "v0.2")),
    attached("bundle's manifest with an extra field", |world| {
        let of = world.digest.clone();
        let mut named = world.referring();
        let mut manifest = world.json(named[0].as_str());
        manifest["note"] = "x".into();
        named[0] = world.put(&manifest);
        world.refer_only(&of, &named);
    }),
    attached("bundle of the SBOM named twice", |world| {
        let mut named = world.referring();
        named.push(named[2].clone());
        let of = world.digest.clone();
        world.refer_only(&of, &named);
    }),
    attached("index of the bundles with a key twice", |world| {
        let tag = bundle::tag(&world.digest).to_string();
        let text = world.json(&tag).to_string().replacen('{', r#"{"Manifests":[],"#, 1);
        let digest = Digest::of(text.as_bytes());
        world.blobs.insert(digest.clone(), text.into_bytes());
        world.tags.insert(tag, digest);
    }),
    attached("signature that says the bundles have another format, by the key", |world| {
        let digest = world.digest.clone();
        let version = world.version();
        world.sign_marked(&digest, &version, &format!("{}.1", MARK.1));
    }),
    Lie {
        name: "signature of a platform's manifest that says the bundles have another format, by the key",
        tell: |world| {
            let (platform, version) = (world.platforms().remove(0), world.version());
            world.sign_marked(&platform, &version, &format!("{}.1", MARK.1));
        },
        wrong: &["signature.platforms"],
        unchecked: &[],
    },
];

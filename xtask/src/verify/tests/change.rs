//! Changes to what is attached to an image, as somebody could make them with or without a key.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::evidence::assets;
use crate::evidence::attached::{Attested, Kind, PROVENANCE_PREDICATE, SBOM_PREDICATE};
use crate::evidence::bundle::MARK;
use crate::evidence::provenance::SBOM_FILE;
use crate::evidence::sbom;
use crate::evidence::signed_as::{COMMIT, VERSION};
use crate::oci::index;
use crate::oci::reference::Digest;

use super::cosign::{OTHER_KEY, SIGNATURE, statement};
use super::world::World;

/// The hex digits of a digest that nothing has.
pub(super) const NOTHING: &str = "00000000000000000000000000000000000000000000000000000000000000ff";

/// Who signs.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Key {
    /// The project.
    Own,
    /// Somebody else.
    Other,
}

impl Key {
    pub(super) fn signature(self) -> &'static str {
        match self {
            Self::Own => "b3du",
            Self::Other => OTHER_KEY,
        }
    }
}

impl World {
    /// The version to verify.
    pub(super) fn version(&self) -> String {
        self.tag.trim_start_matches('v').to_owned()
    }

    /// The platforms' manifests.
    pub(super) fn platforms(&self) -> Vec<Digest> {
        let index = self.json(self.digest.as_str());
        let entries = index["manifests"].as_array().expect("an index").iter();
        entries.map(|entry| entry["digest"].as_str().expect("a digest").parse().expect("a digest")).collect()
    }

    /// Attaches `layers` to `of`, in place of everything that was attached.
    pub(super) fn attach_only(&mut self, of: &Digest, kind: Kind, layers: &[Value]) {
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": { "mediaType": "application/vnd.oci.image.config.v1+json", "digest": Digest::of(b"{}"), "size": 2 },
            "layers": layers,
        });
        let digest = self.put(&manifest);
        self.tags.insert(kind.tag(of).to_string(), digest);
        if kind == Kind::Attestations {
            self.bundle_again(of);
            if of == &self.digest {
                self.files_again(of);
            }
        }
    }

    /// Makes the files on the page anew, if there are any, after somebody with the key changed what is attached to
    /// `of`.
    pub(super) fn files_again(&mut self, of: &Digest) {
        let layers = self.layers_of(of, Kind::Attestations);
        let envelope = |of: Attested| {
            let is_it =
                |(layer, _): &&(Value, Vec<u8>)| layer["annotations"]["predicateType"] == of.predicate_type();
            layers.iter().find(is_it).map(|(_, bytes)| (of, bytes.clone()))
        };
        let envelopes: Vec<_> = Attested::ALL.into_iter().filter_map(envelope).collect();
        let tag = self.tag.parse().expect("a tag");
        let Ok(documents) = assets::documents(&tag, of, &envelopes) else { return };
        if self.files.is_empty() {
            return;
        }
        let sums = documents.last().expect("the digests").bytes.clone();
        let signature = Key::Own.signature();
        if let Some(signed) = &mut self.signed {
            signed.insert((signature.to_owned(), Digest::of(&sums)));
        }
        let signed = assets::signed(&sums, signature, &self.hint);
        for asset in documents.into_iter().chain(signed) {
            self.put_file(&asset.name, asset.bytes);
        }
    }

    /// Gives the file `name` of the page other bytes.
    pub(super) fn put_file(&mut self, name: &str, bytes: Vec<u8>) {
        let page = self.page.as_mut().expect("there is a page");
        let listed = page.assets.iter_mut().find(|listed| listed.name == name).expect("it is listed");
        listed.size = bytes.len() as u64;
        self.files.insert(listed.id, bytes);
    }

    /// Adds one layer to those attached to the released image.
    pub(super) fn attach(&mut self, kind: Kind, layer: Value) {
        let digest = self.digest.clone();
        let mut layers: Vec<_> = self.layers_of(&digest, kind).into_iter().map(|(layer, _)| layer).collect();
        layers.push(layer);
        self.attach_only(&digest, kind, &layers);
    }

    fn layer(&mut self, media_type: &str, annotations: &Value, content: &Value) -> Value {
        let digest = self.put(content);
        let size = self.blobs[&digest].len();
        json!({ "mediaType": media_type, "size": size, "digest": digest, "annotations": annotations })
    }

    /// What a signature for `version` says.
    fn said(&self, version: &str) -> Value {
        let mut said = json!({ VERSION: version });
        if let Some(commit) = &self.signed_commit {
            said[COMMIT] = commit.as_str().into();
        }
        said
    }

    /// A signature of `digest`.
    pub(super) fn signature(&mut self, digest: &Digest, version: Option<&str>, by: Key) -> Value {
        let optional = version.map(|version| self.said(version));
        self.signature_that_says(digest, &json!(optional), by)
    }

    /// A signature of `digest` with exactly these annotations.
    pub(super) fn signature_that_says(&mut self, digest: &Digest, optional: &Value, by: Key) -> Value {
        let payload = json!({
            "critical": {
                "identity": { "docker-reference": self.image },
                "image": { "docker-manifest-digest": digest },
                "type": "cosign container image signature",
            },
            "optional": optional,
        });
        let annotations = json!({ SIGNATURE: by.signature() });
        self.layer("application/vnd.dev.cosign.simplesigning.v1+json", &annotations, &payload)
    }

    /// Replaces all signatures of `digest` with one that says that its bundles have `format`.
    pub(super) fn sign_marked(&mut self, digest: &Digest, version: &str, format: &str) {
        let mut said = self.said(version);
        said[MARK.0] = format.into();
        let layer = self.signature_that_says(digest, &said, Key::Own);
        self.attach_only(digest, Kind::Signatures, &[layer]);
    }

    /// Replaces all signatures of `digest` with a new one.
    pub(super) fn sign_anew(&mut self, digest: &Digest, version: Option<&str>, by: Key) {
        let layer = self.signature(digest, version, by);
        self.attach_only(digest, Kind::Signatures, &[layer]);
    }

    /// A statement about `digest`, of the type and with the subjects that go with this release's signatures.
    fn statement(&self, digest: &Digest, kind: &str, predicate: &Value) -> Value {
        let subject = |digest: &Digest| json!({ "name": "carol", "digest": { "sha256": digest.hex() } });
        let mut statement = json!({
            "_type": "https://in-toto.io/Statement/v0.1",
            "predicateType": kind,
            "subject": [subject(digest)],
            "predicate": predicate,
        });
        if self.signed_commit.is_some() {
            statement["_type"] = "https://in-toto.io/Statement/v1".into();
            let manifests = self.blobs.get(digest).map(|index| index::platforms(index).expect("an index"));
            let manifests = manifests.into_iter().flatten().map(|(_, manifest)| subject(&manifest));
            statement["subject"].as_array_mut().expect("subjects").extend(manifests);
        }
        statement
    }

    /// An attestation about `digest`.
    pub(super) fn attestation(&mut self, digest: &Digest, kind: &str, predicate: &Value, by: Key) -> Value {
        let statement = self.statement(digest, kind, predicate);
        self.envelope(kind, &statement, by)
    }

    /// An envelope around `statement`.
    pub(super) fn envelope(&mut self, kind: &str, statement: &Value, by: Key) -> Value {
        let envelope = json!({
            "payloadType": "application/vnd.in-toto+json",
            "payload": STANDARD.encode(statement.to_string()),
            "signatures": [{ "keyid": "", "sig": by.signature() }],
        });
        self.enveloped(kind, &envelope)
    }

    /// The layer of an envelope.
    pub(super) fn enveloped(&mut self, kind: &str, envelope: &Value) -> Value {
        let annotations = json!({ SIGNATURE: "", "predicateType": kind });
        self.layer("application/vnd.dsse.envelope.v1+json", &annotations, envelope)
    }

    /// The attached envelope of a kind.
    pub(super) fn envelope_of(&self, kind: &str) -> Value {
        let layers = self.layers_of(&self.digest, Kind::Attestations);
        let found = layers.iter().find(|(layer, _)| layer["annotations"]["predicateType"] == kind);
        serde_json::from_slice(&found.expect("it is attested").1).expect("an envelope")
    }

    /// The attested predicate of a kind for the released image.
    pub(super) fn predicate(&self, kind: &str) -> Value {
        statement(&self.envelope_of(kind))["predicate"].take()
    }

    /// Replaces the attestation of a kind with `layer`, or with nothing.
    pub(super) fn replace_attestation(&mut self, kind: &str, layer: Option<Value>) {
        let digest = self.digest.clone();
        let layers = self.layers_of(&digest, Kind::Attestations).into_iter().map(|(layer, _)| layer);
        let mut layers: Vec<_> =
            layers.filter(|layer| layer["annotations"]["predicateType"] != kind).collect();
        layers.extend(layer);
        self.attach_only(&digest, Kind::Attestations, &layers);
    }

    /// Replaces the attestation of a kind with one of `predicate`.
    pub(super) fn attest_anew(&mut self, kind: &str, predicate: &Value, by: Key) {
        let digest = self.digest.clone();
        let layer = self.attestation(&digest, kind, predicate, by);
        self.replace_attestation(kind, Some(layer));
    }

    /// Attests a changed provenance, by the project's key.
    pub(super) fn change_provenance(&mut self, change: impl FnOnce(&mut Value)) {
        let before = self.predicate(PROVENANCE_PREDICATE);
        let mut changed = before.clone();
        change(&mut changed);
        assert_ne!(changed, before, "the provenance did not change");
        self.attest_anew(PROVENANCE_PREDICATE, &changed, Key::Own);
    }

    /// Changes one existing value of the provenance.
    pub(super) fn set(&mut self, pointer: &str, value: impl Into<Value>) {
        self.change_provenance(|provenance| {
            *provenance.pointer_mut(pointer).expect("the provenance has that field") = value.into();
        });
    }

    /// Changes a resource that the provenance names: a dependency or a byproduct.
    pub(super) fn change_resource(&mut self, list: &str, name: &str, change: impl FnOnce(&mut Value)) {
        self.change_provenance(|provenance| {
            let list = provenance.pointer_mut(list).and_then(Value::as_array_mut).expect("it has the list");
            change(list.iter_mut().find(|resource| resource["name"] == name).expect("it names it"));
        });
    }

    /// Attests a changed SBOM, by the project's key.
    pub(super) fn change_sbom(&mut self, change: impl FnOnce(&mut Value)) {
        let before = self.predicate(SBOM_PREDICATE);
        let mut changed = before.clone();
        change(&mut changed);
        assert_ne!(changed, before, "the SBOM did not change");
        self.attest_anew(SBOM_PREDICATE, &changed, Key::Own);
    }

    /// Attests a changed SBOM, and a provenance that names it.
    pub(super) fn change_both(&mut self, change: impl FnOnce(&mut Value)) {
        self.change_sbom(change);
        let digest = sbom::digest(&self.predicate(SBOM_PREDICATE));
        self.change_resource("/runDetails/byproducts", SBOM_FILE, |product| {
            product["digest"]["sha256"] = digest.hex().into();
        });
    }

    /// Changes the text of the page.
    pub(super) fn edit_page(&mut self, change: impl FnOnce(&str) -> String) {
        let page = &mut self.page.as_mut().expect("there is a page").page;
        let changed = change(&page.body);
        assert_ne!(changed, page.body, "the page did not change");
        page.body = changed;
    }
}

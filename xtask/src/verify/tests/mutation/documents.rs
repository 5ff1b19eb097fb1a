//! The documents of a release, each before those that name it, and the release with one of them changed. Whatever
//! names that document by its digest then names the new one, as far as the author of the change can sign.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use crate::evidence::attached::{Kind, PROVENANCE_PREDICATE, SBOM_PREDICATE, TEST_RESULT_PREDICATE};
use crate::evidence::bundle;
use crate::evidence::sbom;
use crate::oci::reference::Digest;

use super::super::cosign::SIGNATURE;
use super::super::world::World;
use super::json::Json;

/// Who changes a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Who {
    /// Somebody with the project's key: what the key signs is signed again, with the new digests.
    Signer,
    /// Somebody who can write to the registry and the forge: what is signed stays as it is.
    Writer,
}

/// How a document is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// A blob or a manifest, named by its digest.
    Blob,
    /// A blob with signed content: an envelope, or a bundle around one.
    Envelope,
    /// A blob that is signed as a whole: the payload of a signature.
    Signed,
    /// The signed content of an envelope, in base64.
    Statement,
}

/// One document.
#[derive(Clone)]
pub(super) struct Document {
    pub(super) name: String,
    form: Form,
    pub(super) bytes: Vec<u8>,
}

impl Document {
    /// Whether the key signs it.
    pub(super) fn is_signed(&self) -> bool {
        matches!(self.form, Form::Signed | Form::Statement)
    }
}

/// All documents of one release.
pub(super) struct Documents {
    pub(super) honest: World,
    pub(super) all: Vec<Document>,
    signed: BTreeSet<(String, Digest)>,
}

/// One platform's image.
struct PlatformImage {
    name: String,
    digest: Digest,
}

impl PlatformImage {
    fn of(entry: &Value) -> Self {
        let name = entry["platform"]["architecture"].as_str().expect("it has one").to_owned();
        Self { name, digest: parsed(&entry["digest"]) }
    }
}

fn parsed(digest: &Value) -> Digest {
    digest.as_str().expect("a digest").parse().expect("a digest")
}

/// Text that has been replaced by other text.
struct Renamed {
    from: String,
    to: String,
}

impl Documents {
    /// The documents of `world`, in which everything is signed as it must be.
    pub(super) fn of(honest: World) -> Self {
        let mut found = Self { honest, all: Vec::new(), signed: BTreeSet::new() };
        let index = found.honest.json(found.honest.digest.as_str());
        let platforms: Vec<_> =
            index["manifests"].as_array().expect("an index").iter().map(PlatformImage::of).collect();
        for PlatformImage { name, digest } in &platforms {
            let manifest = found.honest.json(digest.as_str());
            found.add_stored(&format!("config {name}"), &parsed(&manifest["config"]["digest"]));
        }
        for PlatformImage { name, digest } in &platforms {
            found.add_stored(&format!("manifest {name}"), digest);
        }
        let image = found.honest.digest.clone();
        found.add_stored("index", &image);
        found.add_attestations(&image);
        let of_index = PlatformImage { name: "index".to_owned(), digest: image.clone() };
        for PlatformImage { name, digest } in platforms.iter().chain([&of_index]) {
            let (layer, payload) = found.honest.layers_of(digest, Kind::Signatures).remove(0);
            found.sign(&layer["annotations"][SIGNATURE], &payload);
            found.add(&format!("signature of the {name}"), Form::Signed, payload);
            found.add_tagged(
                &format!("manifest of the signature of the {name}"),
                Kind::Signatures.tag(digest).as_str(),
            );
        }
        // Releases from before bundles have no bundles.
        if found.honest.tags.contains_key(bundle::tag(&image).as_str()) {
            found.add_bundles(&image);
        }
        found.honest.signed = Some(std::mem::take(&mut found.signed));
        found.honest.files_again(&image);
        found
    }

    fn add(&mut self, name: &str, form: Form, bytes: Vec<u8>) {
        self.all.push(Document { name: name.to_owned(), form, bytes });
    }

    fn add_stored(&mut self, name: &str, digest: &Digest) {
        let bytes = self.honest.blobs[digest].clone();
        self.add(name, Form::Blob, bytes);
    }

    fn add_tagged(&mut self, name: &str, tag: &str) {
        let digest = self.honest.tags[tag].clone();
        self.add_stored(name, &digest);
    }

    fn sign(&mut self, signature: &Value, payload: &[u8]) {
        self.signed.insert((signature.as_str().expect("a signature").to_owned(), Digest::of(payload)));
    }

    fn add_attestations(&mut self, image: &Digest) {
        let layers = self.honest.layers_of(image, Kind::Attestations);
        // A provenance names the SBOM, so it comes after the SBOM.
        let kinds = [
            ("test result", TEST_RESULT_PREDICATE),
            ("sbom", SBOM_PREDICATE),
            ("provenance", PROVENANCE_PREDICATE),
        ];
        let envelopes: Vec<_> = kinds
            .into_iter()
            .filter_map(|(name, kind)| {
                let is_it = |(layer, _): &&(Value, _)| layer["annotations"]["predicateType"] == kind;
                Some((name, layers.iter().find(is_it)?.1.clone()))
            })
            .collect();
        for (name, bytes) in &envelopes {
            let (envelope, payload) = opened(bytes, &[]);
            self.sign(&envelope["signatures"][0]["sig"], &payload);
            self.add(&format!("statement of the {name}"), Form::Statement, payload);
        }
        for (name, bytes) in envelopes {
            self.add(&format!("envelope of the {name}"), Form::Envelope, bytes);
        }
        self.add_tagged("manifest of the attestations", Kind::Attestations.tag(image).as_str());
    }

    fn add_bundles(&mut self, image: &Digest) {
        let manifests = self.honest.referring();
        let bundle = |digest: &Digest| {
            let manifest = self.honest.json(digest.as_str());
            self.honest.blobs[&parsed(&manifest["layers"][0]["digest"])].clone()
        };
        let bundles: Vec<_> = manifests.iter().map(bundle).collect();
        let (envelope, payload) = opened(&bundles[0], &["dsseEnvelope"]);
        self.sign(&envelope["dsseEnvelope"]["signatures"][0]["sig"], &payload);
        self.add("statement of the signature", Form::Statement, payload);
        let names = ["signature", "provenance", "sbom", "test result"];
        for (name, bundle) in names.into_iter().zip(bundles) {
            self.add(&format!("bundle of the {name}"), Form::Envelope, bundle);
        }
        for (name, digest) in names.into_iter().zip(&manifests) {
            self.add_stored(&format!("manifest of the bundle of the {name}"), digest);
        }
        self.add_tagged("index of the bundles", bundle::tag(image).as_str());
    }

    /// The document with this name.
    pub(super) fn named(&self, name: &str) -> Option<&Document> {
        self.all.iter().find(|document| document.name == name)
    }

    /// The release with `change` made by `who` in the document at the place `target`. Later documents that name it
    /// are updated, as far as `who` can sign them.
    pub(super) fn with(&self, target: usize, who: Who, change: impl FnOnce(&Json) -> Json) -> World {
        let mut world = self.honest.clone();
        let mut renamed: Vec<Renamed> = Vec::new();
        let mut sizes: Vec<(String, usize)> = Vec::new();
        // No document before it in the list names it.
        let old = &self.all[target].bytes;
        let new = change(&Json::parse(old)).to_string().into_bytes();
        for (place, document) in self.all.iter().enumerate().skip(target) {
            let old = &document.bytes;
            let bytes = if place == target {
                new.clone()
            } else if document.is_signed() && who == Who::Writer {
                continue;
            } else {
                let text = String::from_utf8_lossy(old).into_owned();
                let text = rename(text, &renamed);
                if document.form == Form::Blob && text.as_bytes() != old {
                    let mut json = Json::parse(text.as_bytes());
                    json.resize(&sizes);
                    json.to_string().into_bytes()
                } else {
                    text.into_bytes()
                }
            };
            if &bytes == old {
                continue;
            }
            if document.is_signed() && who == Who::Signer {
                sign_as_before(&mut world, old, &bytes);
            }
            if document.form == Form::Statement {
                renamed.push(Renamed { from: STANDARD.encode(old), to: STANDARD.encode(&bytes) });
                renamed.extend(renamed_sbom(old, &bytes));
                continue;
            }
            let (from, to) = (Digest::of(old), Digest::of(&bytes));
            renamed.push(Renamed { from: from.hex().to_owned(), to: to.hex().to_owned() });
            if document.form == Form::Envelope {
                let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
                renamed.push(Renamed { from: text(old), to: text(&bytes) });
            }
            sizes.push((to.to_string(), bytes.len()));
            world.blobs.remove(&from);
            world.blobs.insert(to, bytes);
        }
        let of_digests = |text: String| rename(text, &renamed);
        world.digest = of_digests(world.digest.to_string()).parse().expect("a digest");
        let tags = std::mem::take(&mut world.tags);
        world.tags = tags
            .into_iter()
            .map(|(tag, digest)| (of_digests(tag), of_digests(digest.to_string()).parse().expect("a digest")))
            .collect();
        let page = &mut world.page.as_mut().expect("there is a page").page;
        page.body = of_digests(std::mem::take(&mut page.body));
        // The files on the page must equal what is attached byte for byte, so they are updated too.
        if who == Who::Signer {
            world.files_again(&world.digest.clone());
        }
        world
    }
}

/// Applies all replacements to `text`, the latest first, because an envelope holds text that was replaced before it.
fn rename(text: String, renamed: &[Renamed]) -> String {
    renamed.iter().rev().fold(text, |text, Renamed { from, to }| {
        if text.contains(from.as_str()) { text.replace(from.as_str(), to) } else { text }
    })
}

/// Makes every signature of the old payload count as one of the new payload too.
fn sign_as_before(world: &mut World, old: &[u8], new: &[u8]) {
    let signed = world.signed.as_mut().expect("it is known what is signed");
    let (old, new) = (Digest::of(old), Digest::of(new));
    let more: Vec<_> = signed.iter().filter(|(_, payload)| *payload == old).cloned().collect();
    signed.extend(more.into_iter().map(|(signature, _)| (signature, new.clone())));
}

/// The SBOM's digest in the provenance, if the statement is about an SBOM.
fn renamed_sbom(old: &[u8], new: &[u8]) -> Option<Renamed> {
    let digest = |statement: &[u8]| -> Option<String> {
        let statement: Value = serde_json::from_slice(statement).ok()?;
        let predicate =
            statement.as_object()?.iter().find(|(key, _)| key.eq_ignore_ascii_case("predicate"))?.1;
        (!predicate["bomFormat"].is_null()).then_some(())?;
        Some(sbom::digest(predicate).hex().to_owned())
    };
    let (from, to) = (digest(old)?, digest(new)?);
    (from != to).then_some(Renamed { from, to })
}

/// The whole JSON, and the payload of the envelope at `path` in it.
fn opened(bytes: &[u8], path: &[&str]) -> (Value, Vec<u8>) {
    let json: Value = serde_json::from_slice(bytes).expect("it is JSON");
    let envelope = path.iter().fold(&json, |json, key| &json[*key]);
    let payload =
        STANDARD.decode(envelope["payload"].as_str().expect("it has a payload")).expect("it is base64");
    (json, payload)
}

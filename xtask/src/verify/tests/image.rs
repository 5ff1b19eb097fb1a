//! Another image in place of the released one, rebuilt from its parts with a change. If somebody with the key did it,
//! the image is also signed, attested, tagged and on the page, as a release is.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::contents::layer::tests::{archive, facts};
use crate::evidence::attached::{Attested, Kind};
use crate::evidence::provenance::SBOM_FILE;
use crate::evidence::sbom;
use crate::oci::reference::Digest;

use super::change::Key;
use super::world::World;

/// An earlier release.
pub(super) const OLDER: &str = "v0.0.9";

/// An image in its parts.
pub(super) struct Parts {
    pub(super) index: Value,
    pub(super) platforms: Vec<PlatformImage>,
}

/// One platform's image.
pub(super) struct PlatformImage {
    /// Its entry in the index. Digest and size are filled in.
    pub(super) entry: Value,
    /// The digest and size of its config are filled in.
    pub(super) manifest: Value,
    pub(super) config: Value,
}

/// Sets the label or annotation of an image.
pub(super) fn label(table: &mut Value, key: &str, value: &str) {
    let place = &mut table[format!("org.opencontainers.image.{key}")];
    assert!(place.is_string() && *place != value, "`{key}` is {place}");
    *place = value.into();
}

impl Parts {
    /// Sets every label and annotation `key`.
    pub(super) fn label_all(&mut self, key: &str, value: &str) {
        label(&mut self.index["annotations"], key, value);
        for platform in &mut self.platforms {
            label(&mut platform.config["config"]["Labels"], key, value);
            label(&mut platform.manifest["annotations"], key, value);
        }
    }
}

fn push(list: &mut Value, item: Value) {
    list.as_array_mut().expect("it is a list").push(item);
}

impl World {
    fn parts(&self) -> Parts {
        let mut index = self.json(self.digest.as_str());
        let entries = index["manifests"].take();
        let platform = |entry: &Value| {
            let manifest = self.json(entry["digest"].as_str().expect("a digest"));
            let config = self.json(manifest["config"]["digest"].as_str().expect("a digest"));
            PlatformImage { entry: entry.clone(), manifest, config }
        };
        let platforms = entries.as_array().expect("an index").iter().map(platform).collect();
        Parts { index, platforms }
    }

    /// Stores the changed image; returns the digests of its index and of its platforms.
    fn store_changed(&mut self, change: impl FnOnce(&mut Self, &mut Parts)) -> (Digest, Vec<Digest>) {
        let mut parts = self.parts();
        change(self, &mut parts);
        let (mut entries, mut platforms) = (Vec::new(), Vec::new());
        for PlatformImage { mut entry, mut manifest, config } in parts.platforms {
            let config = self.put(&config);
            manifest["config"]["size"] = self.blobs[&config].len().into();
            manifest["config"]["digest"] = config.as_str().into();
            let manifest = self.put(&manifest);
            entry["size"] = self.blobs[&manifest].len().into();
            entry["digest"] = manifest.as_str().into();
            platforms.push(manifest);
            entries.push(entry);
        }
        parts.index["manifests"] = entries.into();
        (self.put(&parts.index), platforms)
    }

    /// What is attested about the released image.
    fn predicates(&self) -> [(Attested, Value); 3] {
        Attested::ALL.map(|of| (of, self.predicate(of.predicate_type())))
    }

    /// Puts the version tag on the changed image, which nobody signs.
    pub(super) fn push_changed(&mut self, change: impl FnOnce(&mut Self, &mut Parts)) {
        let (digest, _) = self.store_changed(change);
        self.tags.insert(self.tag.clone(), digest);
    }

    fn sign_and_attest(
        &mut self,
        tag: &str,
        digest: &Digest,
        platforms: &[Digest],
        attested: &[(Attested, Value)],
    ) {
        let version = tag.trim_start_matches('v');
        for digest in platforms.iter().chain([digest]) {
            self.sign_anew(digest, Some(version), Key::Own);
        }
        let layers = attested
            .iter()
            .map(|(of, predicate)| self.attestation(digest, of.predicate_type(), predicate, Key::Own));
        let layers: Vec<_> = layers.collect();
        self.attach_only(digest, Kind::Attestations, &layers);
        self.tags.insert(tag.to_owned(), digest.clone());
    }

    /// Releases the changed image by the project's key, so that only the change itself is wrong.
    pub(super) fn release_changed(&mut self, change: impl FnOnce(&mut Self, &mut Parts)) {
        let [mut provenance, sbom, test_result] = self.predicates();
        let (digest, platforms) = self.store_changed(change);
        name_products(&mut provenance.1, &self.json(digest.as_str()));
        let tag = self.tag.clone();
        self.sign_and_attest(&tag, &digest, &platforms, &[provenance, sbom, test_result]);
        self.files_again(&digest);
        self.tags.insert("latest".to_owned(), digest.clone());
        let before = self.digest.clone();
        self.edit_page(|body| body.replace(before.as_str(), digest.as_str()));
    }

    /// Makes an older release by the project's key, from another commit; returns its digest.
    pub(super) fn release_older(&mut self) -> Digest {
        let [(_, mut provenance), (_, mut bom), (_, mut test_result)] = self.predicates();
        let (version, commit) = (OLDER.trim_start_matches('v'), "8".repeat(40));
        let (digest, platforms) = self.store_changed(|_, parts| {
            parts.label_all("version", version);
            parts.label_all("revision", &commit);
        });
        bom["metadata"]["component"]["version"] = version.into();
        name_products(&mut provenance, &self.json(digest.as_str()));
        let products = provenance["runDetails"]["byproducts"].as_array_mut().expect("it has byproducts");
        let product = products.iter_mut().find(|product| product["name"] == SBOM_FILE).expect("an SBOM");
        product["digest"]["sha256"] = sbom::digest(&bom).hex().into();
        let definition = &mut provenance["buildDefinition"];
        definition["externalParameters"]["workflow"]["ref"] = format!("refs/tags/{OLDER}").into();
        let inputs = definition["resolvedDependencies"].as_array_mut().expect("it has dependencies");
        let source = inputs.iter_mut().find(|input| input["name"] == "source").expect("a source");
        let ours = source["digest"]["gitCommit"].as_str().expect("a commit").to_owned();
        source["digest"]["gitCommit"] = commit.clone().into();
        // The source is named by its tag, each file by the commit.
        for uri in inputs.iter_mut().filter_map(|input| input.get_mut("uri")) {
            let text = uri.as_str().expect("an address").replace(&ours, &commit);
            *uri = text.replace(&format!("refs/tags/{}", self.tag), &format!("refs/tags/{OLDER}")).into();
        }
        let configuration = &mut test_result["configuration"][0]["uri"];
        *configuration = configuration.as_str().expect("an address").replace(&ours, &commit).into();
        let attested =
            [(Attested::Provenance, provenance), (Attested::Sbom, bom), (Attested::TestResult, test_result)];
        self.sign_and_attest(OLDER, &digest, &platforms, &attested);
        digest
    }

    /// Puts a layer with `files` on top of every platform's image.
    pub(super) fn add_layer(&mut self, parts: &mut Parts, files: &[Vec<u8>]) {
        let layer = self.store_layer(files);
        for PlatformImage { manifest, config, .. } in &mut parts.platforms {
            push(&mut manifest["layers"], layer.clone());
            push(&mut config["rootfs"]["diff_ids"], layer["digest"].clone());
            push(&mut config["history"], json!({ "created_by": "one more" }));
        }
    }

    /// Replaces the last layer with one of `files`, which the config does not know.
    pub(super) fn replace_last_layer(&mut self, parts: &mut Parts, files: &[Vec<u8>]) {
        let layer = self.store_layer(files);
        for PlatformImage { manifest, .. } in &mut parts.platforms {
            let layers = manifest["layers"].as_array_mut().expect("a manifest has layers");
            *layers.last_mut().expect("a manifest has layers") = layer.clone();
        }
    }

    fn store_layer(&mut self, files: &[Vec<u8>]) -> Value {
        let archive = archive(files);
        let digest = Digest::of(&archive);
        self.layers.insert(digest.clone(), Some(Arc::new(facts(files))));
        self.lengths.insert(digest.clone(), archive.len() as u64);
        json!({ "mediaType": "application/vnd.oci.image.layer.v1.tar", "digest": digest, "size": archive.len() })
    }
}

/// Makes the provenance name the manifests of another index.
fn name_products(provenance: &mut Value, index: &Value) {
    let is_manifest =
        |product: &&Value| product["name"].as_str().is_some_and(|name| name.starts_with("manifest "));
    let products = provenance["runDetails"]["byproducts"].as_array().expect("it has byproducts").clone();
    let template = products.iter().find(is_manifest).expect("a manifest").clone();
    let mut named = Vec::new();
    for entry in index["manifests"].as_array().expect("an index") {
        let platform = &entry["platform"];
        let text = |value: &Value| value.as_str().expect("a word").to_owned();
        let mut product = template.clone();
        product["name"] =
            format!("manifest {}/{}", text(&platform["os"]), text(&platform["architecture"])).into();
        product["digest"]["sha256"] = text(&entry["digest"]).trim_start_matches("sha256:").into();
        named.push(product);
    }
    named.extend(products.iter().filter(|product| !is_manifest(product)).cloned());
    provenance["runDetails"]["byproducts"] = named.into();
}

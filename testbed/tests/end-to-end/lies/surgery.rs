//! Another image in place of the released one, by someone who has the key. It is rebuilt from its parts with a
//! change, and signed and attested like a release. Its provenance names its manifests, and both tags and the page
//! name it.

use anyhow::{Context as _, Result};
use serde_json::{Value, json};
use xtask::evidence::attached::{PROVENANCE_PREDICATE, TEST_RESULT_PREDICATE};
use xtask::oci::reference::Digest;

use super::attached::{self, SBOM_TYPE};
use super::honest::{Honest, TAG};
use super::registry::{Manifest, Registry};

/// An archive without files, which is how every layer ends.
const EMPTY_ARCHIVE: [u8; 1024] = [0; 1024];

/// An archive with one file (POSIX.1-2017 pax, "ustar Interchange Format").
pub(super) fn archive_of(path: &str, content: &[u8]) -> Vec<u8> {
    let mut header = [0; 512];
    header[..path.len()].copy_from_slice(path.as_bytes());
    header[100..108].copy_from_slice(b"0000644\0");
    header[124..136].copy_from_slice(format!("{:011o}\0", content.len()).as_bytes());
    header[156] = b'0';
    header[257..265].copy_from_slice(b"ustar\x0000");
    header[148..156].fill(b' ');
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    let mut archive = [&header, content].concat();
    archive.resize(archive.len().next_multiple_of(512), 0);
    [archive.as_slice(), &EMPTY_ARCHIVE].concat()
}

/// The parts of an image.
pub(super) struct Parts {
    pub(super) index: Value,
    pub(super) platforms: Vec<PlatformImage>,
}

/// One platform's image.
pub(super) struct PlatformImage {
    /// Its entry in the index. Digest and size are filled in later.
    pub(super) entry: Value,
    /// The digest and size of its config are filled in later.
    pub(super) manifest: Value,
    pub(super) config: Value,
}

impl Parts {
    fn of(registry: &Registry, digest: &Digest) -> Result<Self> {
        let mut index = registry.manifest(digest.as_str())?.json()?;
        let entries = index["manifests"].take();
        let platform = |entry: &Value| {
            let manifest = registry.manifest(text(&entry["digest"])?)?.json()?;
            let config = registry.blob(&text(&manifest["config"]["digest"])?.parse()?)?;
            let config = serde_json::from_slice(&config).context("reading a config")?;
            Ok(PlatformImage { entry: entry.clone(), manifest, config })
        };
        let platforms: Result<_> = entries.as_array().into_iter().flatten().map(platform).collect();
        Ok(Self { index, platforms: platforms? })
    }

    /// Stores everything, with the index under `tags`.
    fn store(mut self, registry: &Registry, tags: &[&str]) -> Result<Manifest> {
        let mut entries = Vec::new();
        for PlatformImage { mut entry, mut manifest, config } in self.platforms {
            let config = serde_json::to_vec(&config)?;
            manifest["config"]["size"] = config.len().into();
            manifest["config"]["digest"] = registry.upload(&config)?.as_str().into();
            let manifest = Manifest::of(&manifest)?;
            registry.put(manifest.digest().as_str(), &manifest)?;
            entry["size"] = manifest.bytes.len().into();
            entry["digest"] = manifest.digest().as_str().into();
            entries.push(entry);
        }
        self.index["manifests"] = entries.into();
        let index = Manifest::of(&self.index)?;
        for tag in tags {
            registry.put(tag, &index)?;
        }
        Ok(index)
    }
}

fn text(value: &Value) -> Result<&str> {
    value.as_str().context("a descriptor without digest")
}

impl Honest {
    /// Releases the image with a change, using the project's key, so that only the change itself is wrong.
    pub(super) fn release_changed(&self, change: impl FnOnce(&mut Parts) -> Result<()>) -> Result<()> {
        let mut parts = Parts::of(&self.registry, &self.digest)?;
        change(&mut parts)?;
        let index = parts.store(&self.registry, &[TAG, "latest"])?;
        let digest = index.digest();
        let version = format!("version={}", TAG.trim_start_matches('v'));
        let commit =
            format!("commit={}", self.project.checkout.git(&["rev-parse", &format!("{TAG}^{{commit}}")])?);
        self.own.sign(&digest, &["--recursive", "-a", &version, "-a", &commit])?;
        let mut provenance = self.provenance.clone();
        provenance["runDetails"]["byproducts"] = self.byproducts(&index)?;
        let (manifests, _) = index.names()?;
        let attest = |kind, predicate: &Value| self.own.attest(&digest, &manifests, kind, predicate);
        let envelopes = [
            attest(PROVENANCE_PREDICATE, &provenance)?,
            attest(SBOM_TYPE, &self.sbom)?,
            attest(TEST_RESULT_PREDICATE, &self.test_result)?,
        ];
        attached::store(&self.registry, &digest, &envelopes)?;
        self.files_again(&digest)?;
        self.edit_page(|body| body.replace(self.digest.as_str(), digest.as_str()))
    }

    /// The byproducts in the provenance, for the manifests of another index.
    fn byproducts(&self, index: &Manifest) -> Result<Value> {
        let ours = self.provenance["runDetails"]["byproducts"].as_array().context("no byproducts")?;
        let is_manifest =
            |product: &&Value| product["name"].as_str().is_some_and(|name| name.starts_with("manifest "));
        let mut products = Vec::new();
        let template = ours.iter().find(is_manifest).context("no manifest among the byproducts")?;
        for entry in index.json()?["manifests"].as_array().into_iter().flatten() {
            let platform = &entry["platform"];
            let (os, architecture) = (text(&platform["os"])?, text(&platform["architecture"])?);
            let mut product = template.clone();
            product["name"] = format!("manifest {os}/{architecture}").into();
            product["digest"]["sha256"] = text(&entry["digest"])?.trim_start_matches("sha256:").into();
            products.push(product);
        }
        products.extend(ours.iter().filter(|product| !is_manifest(product)).cloned());
        Ok(products.into())
    }

    /// Adds an empty layer to every platform's image.
    pub(super) fn add_a_layer(&self, parts: &mut Parts) -> Result<()> {
        self.add_archive(parts, &EMPTY_ARCHIVE)
    }

    /// Adds a layer with these files to every platform's image.
    pub(super) fn add_archive(&self, parts: &mut Parts, archive: &[u8]) -> Result<()> {
        let digest = self.registry.upload(archive)?;
        let layer = json!({
            "mediaType": "application/vnd.oci.image.layer.v1.tar", "digest": digest, "size": archive.len(),
        });
        for PlatformImage { manifest, config, .. } in &mut parts.platforms {
            push(&mut manifest["layers"], layer.clone())?;
            push(&mut config["rootfs"]["diff_ids"], json!(digest))?;
            push(&mut config["history"], json!({ "created_by": "one more" }))?;
        }
        Ok(())
    }
}

fn push(list: &mut Value, item: Value) -> Result<()> {
    list.as_array_mut().context("it is not a list")?.push(item);
    Ok(())
}

//! What cosign and xtask store beside an image: one signature, and one attestation of each type, after any number
//! of runs. The same holds for bundles.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use testbed::watcher::{BUNDLE_TYPES, PREDICATE_TYPES, bundled, predicate_types};
use xtask::oci::reference::{Digest, Tag};

use super::project::Project;

impl Project {
    /// Checks for one signature and one attestation of each type, in both formats.
    pub(super) fn ensure_signed_once(&self, digest: &Digest) -> Result<()> {
        let signatures = self.layers(digest, "sig")?.len();
        ensure!(signatures == 1, "{signatures} signatures");
        let mut types = BTreeMap::new();
        for layer in self.layers(digest, "att")? {
            let predicate = layer["annotations"]["predicateType"]
                .as_str()
                .context("an attestation without a type")?
                .to_owned();
            *types.entry(predicate).or_insert(0) += 1;
        }
        let found = types.iter().map(|(predicate, count)| (predicate.as_str(), *count));
        let is_once = found.eq(PREDICATE_TYPES.map(|predicate| (predicate, 1)));
        ensure!(is_once, "the attestations are {types:?}");
        let mut bundles = self.bundles(digest)?.context("there are no bundles")?;
        bundles.sort();
        ensure!(bundles == BUNDLE_TYPES, "the bundles are {bundles:?}");
        Ok(())
    }

    /// The types of the bundles; `None` if nothing names any bundles.
    pub(super) fn bundles(&self, digest: &Digest) -> Result<Option<Vec<String>>> {
        let found = self.repository.registry().manifest(&bundled(digest.as_str()).parse::<Tag>()?)?;
        found.map(|index| predicate_types(&index.bytes)).transpose()
    }

    fn layers(&self, digest: &Digest, kind: &str) -> Result<Vec<Value>> {
        let tag = format!("sha256-{}.{kind}", digest.hex());
        let manifest = self.repository.registry().manifest(&tag.parse::<Tag>()?)?;
        let manifest = manifest.with_context(|| format!("there is no `{tag}`"))?;
        let manifest: Value = serde_json::from_slice(&manifest.bytes)?;
        manifest["layers"].as_array().cloned().context("the manifest has no layers")
    }
}

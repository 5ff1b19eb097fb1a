//! The bundles, stored beside the legacy format: after it, from the envelopes that it holds, and before the version tag
//! (docs/decisions/0021-both-formats.md).

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, bail, ensure};
use serde::Deserialize;

use crate::evidence::attached::{Kind, Signed};
use crate::evidence::bundle::{self, Bundle, EMPTY_CONFIG, Hint, INDEX_TYPE, MANIFEST_TYPE, Of, Subject};
use crate::oci::exact;
use crate::oci::reference::Digest;
use crate::oci::registry::{Client, Manifest, Removal, Wanted};

/// How often they are made again because another run has changed the attestations meanwhile.
const MOST_ROUNDS: u32 = 5;

/// The attestations under the legacy tag.
pub(super) struct Legacy {
    /// The manifest that names them.
    manifest: Digest,
    envelopes: [(Of, Vec<u8>); 2],
}

impl Legacy {
    /// Those that this run has just stored, under `manifest`.
    pub(super) fn stored(manifest: &Digest, envelopes: &[Signed; 2]) -> Self {
        let [provenance, sbom] = envelopes.each_ref().map(|envelope| envelope.bytes.clone());
        Self { manifest: manifest.clone(), envelopes: [(Of::Provenance, provenance), (Of::Sbom, sbom)] }
    }

    /// Those that are there.
    ///
    /// # Errors
    /// When they are not one provenance and one SBOM.
    pub(super) fn read(registry: &Client, digest: &Digest) -> Result<Self> {
        #[derive(Deserialize)]
        struct Attached {
            layers: Vec<Layer>,
        }
        #[derive(Deserialize)]
        struct Layer {
            digest: Digest,
            annotations: BTreeMap<String, String>,
        }
        let tag = Kind::Attestations.tag(digest);
        let doing = || format!("reading the attestations under `{tag}`");
        let found = registry.manifest(&tag).with_context(doing)?;
        let found = found.with_context(|| format!("there is no `{tag}` in the registry"))?;
        let attached: Attached = exact::parse(&found.bytes).with_context(doing)?;
        ensure!(attached.layers.len() == 2, "{}: there are {} of them", doing(), attached.layers.len());
        let envelope = |of: Of| {
            let is_wanted = |layer: &&Layer| {
                layer.annotations.get("predicateType").is_some_and(|kind| kind == of.predicate_type())
            };
            let layer = attached.layers.iter().find(is_wanted);
            let layer = layer.with_context(|| format!("{}: there is none of the {of}", doing()))?;
            let bytes = registry.blob(&layer.digest).with_context(doing)?;
            anyhow::Ok((of, bytes.with_context(|| format!("{}: there is no `{}`", doing(), layer.digest))?))
        };
        let envelopes = [envelope(Of::Provenance)?, envelope(Of::Sbom)?];
        Ok(Self { manifest: found.digest, envelopes })
    }

    fn bundles(&self, signature: &Bundle, hint: &Hint) -> Vec<Bundle> {
        let attested = self.envelopes.iter().map(|(of, envelope)| Bundle::new(*of, envelope, hint));
        [signature.clone()].into_iter().chain(attested).collect()
    }
}

/// Stores the bundles of `signature` and of the attestations, which are `legacy` unless another run changes them: what is
/// stored in the end is made of what is attached in the end.
///
/// # Errors
/// When the registry does not take them, or the attestations do not come to rest.
pub(super) fn store(
    registry: &Client,
    subject: &Subject,
    mut legacy: Legacy,
    signature: &Bundle,
    hint: &Hint,
) -> Result<()> {
    for _ in 0..MOST_ROUNDS {
        put(registry, subject, &legacy.bundles(signature, hint))?;
        let now = registry.digest_of(&Kind::Attestations.tag(subject.digest()))?;
        if now.as_ref() == Some(&legacy.manifest) {
            return Ok(());
        }
        legacy = Legacy::read(registry, subject.digest())?;
    }
    bail!("the attestations changed {MOST_ROUNDS} times while their bundles were stored: which runs write them?")
}

/// Stores exactly these, beside whatever a stranger has stored: what they hold first, then what names it.
fn put(registry: &Client, subject: &Subject, bundles: &[Bundle]) -> Result<()> {
    registry.put_blob(EMPTY_CONFIG)?;
    for bundle in bundles {
        registry.put_blob(&bundle.bytes)?;
    }
    crate::process::interrupt::check()?;
    let mut ours = Vec::new();
    for bundle in bundles {
        let manifest = Manifest::new(MANIFEST_TYPE, bundle.manifest(subject)?);
        registry.put_untagged(&manifest)?;
        ours.push(manifest.digest);
    }
    match registry.referrers(subject.digest())? {
        Some(listed) => remove_stale(registry, subject, &ours, &listed),
        // One write, so that runs side by side leave one of each.
        None => {
            let index = Manifest::new(INDEX_TYPE, bundle::index(bundles, subject)?);
            registry.put(&bundle::tag(subject.digest()).parse()?, &index)
        }
    }
}

/// Removes the bundles of attestations that an earlier run has left in a registry which lists them by itself. A signature of
/// another run says the same as ours, and stays: two runs that removed each other's would leave none.
fn remove_stale(registry: &Client, subject: &Subject, ours: &[Digest], listed: &[Digest]) -> Result<()> {
    for digest in listed.iter().filter(|digest| !ours.contains(digest)) {
        let Some(manifest) = registry.manifest(digest.as_str())? else { continue };
        let Ok(layer) = bundle::layer_of(&manifest.bytes) else { continue };
        let Some(Ok(Some(blob))) = registry.several(&[Wanted::Blob(layer)]).pop() else { continue };
        if !bundle::is_attestation(&blob.into_bytes(), subject.digest()) {
            continue;
        }
        match registry.remove_manifest(digest)? {
            Removal::Gone | Removal::Missing => {}
            Removal::Refused(status) => bail!(
                "the registry does not let the bundle `{digest}` of an earlier run be removed (status {status}): delete it by \
                 hand"
            ),
        }
    }
    Ok(())
}

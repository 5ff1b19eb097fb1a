//! The bundles beside an image, and everything else that refers to it. cosign checks the signature in a bundle
//! against bytes that are read here, because cosign 2 does not read bundles, and cosign 3 accepts any bundle that the
//! key signed as a signature of the image.

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use crate::evidence::attached::Kind;
use crate::evidence::bundle::{self, Bundle, Hint, Of, Subject};
use crate::evidence::envelope::{open, pae};
use crate::inputs::release::Release;
use crate::oci::reference::Digest;
use crate::oci::registry::Wanted;
use crate::verify::Verifier;
use crate::verify::claim::Observed;
use crate::verify::observe::store::{Referrers, Store};

use super::{beside, seen};

/// Everything that refers to an image.
#[derive(Clone, Default)]
pub(in crate::verify) struct ObservedBundles {
    /// The tag that names them, if there is one.
    pub(in crate::verify) tag: Option<String>,
    pub(in crate::verify) found: Vec<ObservedBundle>,
}

/// One reference to the image.
#[derive(Clone)]
pub(in crate::verify) struct ObservedBundle {
    /// The digest of its manifest.
    pub(in crate::verify) manifest: Digest,
    /// The bundle, or why it is not one of ours.
    pub(in crate::verify) read: Result<Bundle, String>,
    /// For a signature: cosign's answer, `Err` if it rejects.
    pub(in crate::verify) signature: Option<Result<(), String>>,
}

/// Has cosign check that the base64 text is the key's signature of these bytes.
pub(in crate::verify) type Check<'a> = dyn Fn(&str, &[u8]) -> Result<Result<(), String>> + Sync + 'a;

/// Has cosign check a signature with the release's key.
pub(super) fn ask(verifier: &Verifier<'_>, signature: &str, bytes: &[u8]) -> Result<Result<(), String>> {
    verifier.anonymous.cosign.verify_blob(verifier.key_file()?, signature, bytes)
}

/// Looks at the bundles; `None` if the store leaves them out. `index` has the bytes of the image's index.
pub(super) fn look(
    release: &Release<'_>,
    store: &dyn Store,
    index: &[u8],
    hint: &Observed<Hint>,
    check: &Check<'_>,
) -> Observed<Option<ObservedBundles>> {
    let subject = seen(Subject::of(index))?;
    let (listed, index) = match seen(store.referrers(subject.digest()))? {
        Referrers::NotKept => return Ok(None),
        Referrers::Listed(listed, index) => (Some(listed), index),
        Referrers::Tagged(index) => (None, index),
    };
    let index = index.filter(|index| !beside::is_itself(index, subject.digest()));
    let both = [Kind::Signatures, Kind::Attestations];
    let listed = listed.map(|listed| beside::without_legacy(store, subject.digest(), &both, listed));
    let listed = listed.transpose()?;
    let tag = index.as_ref().map(|_| bundle::tag(subject.digest()).to_string());
    let named = match named(listed, index.as_deref()) {
        Ok(named) => named,
        Err(error) => {
            // A list of references that cannot be read, or contradicts the registry's, makes the claim false. What it
            // names is not read.
            let read = Err(format!("{error:#}"));
            let manifest = Digest::of(&index.unwrap_or_default());
            let found = vec![ObservedBundle { manifest, read, signature: None }];
            return Ok(Some(ObservedBundles { tag, found }));
        }
    };
    if named.is_empty() {
        return Ok(Some(ObservedBundles { tag, found: Vec::new() }));
    }
    let hint = hint.as_ref().map_err(Clone::clone)?;
    let wanted: Vec<_> = named.iter().map(|(digest, _)| Wanted::Manifest(digest.clone())).collect();
    let manifests = fetch(store, &wanted)?;
    let layer = |manifest: &Option<Vec<u8>>| bundle::layer_of(manifest.as_deref()?).ok();
    let layers: Vec<_> = manifests.iter().map(layer).collect();
    let wanted: Vec<_> = layers.iter().flatten().cloned().map(Wanted::Blob).collect();
    let mut blobs = fetch(store, &wanted)?.into_iter();
    let mut found = Vec::new();
    for (((digest, entry), manifest), layer) in named.into_iter().zip(manifests).zip(layers) {
        let blob = layer.and_then(|_| blobs.next().flatten());
        let read = read(release, manifest.as_deref(), blob.as_deref(), &subject, hint);
        let read = read.and_then(|bundle| {
            entry.map_or(Ok(()), |entry| bundle.check_entry(&entry, &subject))?;
            Ok(bundle)
        });
        let signature = match &read {
            Ok(Bundle { of: Of::Signature, envelope, .. }) => {
                let opened = seen(open(envelope))?;
                Some(seen(check(&opened.signature, &pae(&opened.payload)))?)
            }
            _ => None,
        };
        found.push(ObservedBundle {
            manifest: digest,
            read: read.map_err(|error| format!("{error:#}")),
            signature,
        });
    }
    Ok(Some(ObservedBundles { tag, found }))
}

/// The manifests that refer to the image, each with its entry in the index under the tag, if there is such an index.
/// If the registry lists them too, both must name the same manifests.
fn named(listed: Option<Vec<Digest>>, index: Option<&[u8]>) -> Result<Vec<(Digest, Option<Value>)>> {
    let Some(index) = index else {
        return Ok(listed.into_iter().flatten().map(|digest| (digest, None)).collect());
    };
    let entries = bundle::entries(index)?;
    if let Some(mut listed) = listed {
        let mut tagged: Vec<_> = entries.iter().map(|(digest, _)| digest.clone()).collect();
        listed.sort();
        tagged.sort();
        ensure!(listed == tagged, "the registry lists other manifests than the index under the tag names");
    }
    Ok(entries.into_iter().map(|(digest, entry)| (digest, Some(entry))).collect())
}

fn fetch(store: &dyn Store, wanted: &[Wanted]) -> Observed<Vec<Option<Vec<u8>>>> {
    store.fetch(wanted).into_iter().map(seen).collect()
}

fn read(
    release: &Release<'_>,
    manifest: Option<&[u8]>,
    blob: Option<&[u8]>,
    subject: &Subject,
    hint: &Hint,
) -> Result<Bundle> {
    let manifest = manifest.context("its manifest is gone")?;
    let blob = blob.context("it is not one layer that is there")?;
    let bundle = Bundle::parse(blob, subject.digest(), release.source, hint)?;
    bundle.check_manifest(manifest, subject)?;
    Ok(bundle)
}

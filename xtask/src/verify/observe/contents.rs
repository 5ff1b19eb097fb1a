//! What is in the layers of an image. Layers above the base image are unpacked in every run; those of the base image
//! may come from the cache.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use anyhow::{Context as _, Result, anyhow};
use serde_json::Value;

use crate::contents::base::{self, Base, PinnedBase};
use crate::contents::cache::Cache;
use crate::contents::image::Contents;
use crate::contents::read::{Known, Layers, Part as Layered, read};
use crate::evidence::claims;
use crate::evidence::sbom;
use crate::http::Curl;
use crate::inputs::dockerfile::Own;
use crate::inputs::release::Release;
use crate::oci::manifest::ImageManifest;
use crate::oci::reference::Digest;
use crate::oci::registry::Client;
use crate::verify::Verifier;
use crate::verify::claim::{Observed, Unavailable};
use crate::verify::observe::store::Store;

use super::Part;
use super::seen;

/// The content of an image. Clones share the large parts.
#[derive(Clone)]
pub(in crate::verify) struct ObservedContents {
    /// The content on each platform.
    pub(in crate::verify) platforms: Arc<[Contents]>,
    /// How many layers the platforms have, whether they were unpacked for this or came from the cache.
    pub(in crate::verify) layers: usize,
    /// How many bytes each layer has: as it was read, or as the manifests of the base image say.
    pub(in crate::verify) lengths: Arc<BTreeMap<Digest, u64>>,
    /// Whether the lowest layers are the base image's, according to the base image's manifests.
    pub(in crate::verify) base: Observed<()>,
    /// The SBOM of this content, once it has been written.
    sbom: Arc<OnceLock<Result<Value, String>>>,
}

impl ObservedContents {
    /// The SBOM that a release would write for this content, or why it would write none.
    pub(in crate::verify) fn sbom(&self, release: &Release<'_>) -> Result<&Value> {
        let made = || sbom::of(release, &self.platforms).map_err(|error| format!("{error:#}"));
        self.sbom.get_or_init(made).as_ref().map_err(|words| anyhow!("{words}"))
    }
}

/// The result of `read` for the layers of all `parts`, if each of them is complete.
pub(in crate::verify) fn look(
    parts: &Observed<Vec<Part>>,
    read: impl FnOnce(&[Layered]) -> Result<ObservedContents>,
) -> Observed<ObservedContents> {
    let parts = match parts {
        Ok(parts) => parts,
        Err(Unavailable::Invalid(_)) => return Err(Unavailable::DependsOn(claims::IMAGE_PRESENT)),
        Err(unseen) => return Err(unseen.clone()),
    };
    let whole = parts.iter().map(|part| part.layered.clone().filter(|_| part.missing.is_empty()));
    let layered = whole.collect::<Option<Vec<_>>>().filter(|parts| !parts.is_empty());
    let layered = layered.ok_or(Unavailable::DependsOn(claims::IMAGE_PRESENT))?;
    seen(read(&layered))
}

/// Reads the layers: those above the base image once per run, those of the base image once per machine.
pub(super) fn read_all(
    verifier: &Verifier<'_>,
    store: &dyn Store,
    parts: &[Layered],
) -> Result<ObservedContents> {
    let base = base(verifier, store, parts);
    contents_of(parts, base, verifier.release.inputs.own, store, verifier.cache, Known::Base)
}

/// The content of the layers in `parts`. If `base` is an error, it is as much as can be known without the base image.
pub(in crate::verify) fn contents_of(
    parts: &[Layered],
    base: Result<Base>,
    own: Own,
    store: &dyn Layers,
    cache: &Cache,
    known: Known,
) -> Result<ObservedContents> {
    let base = seen(
        base.and_then(|base| parts.iter().try_for_each(|part| base.count(part).map(drop)).map(|()| base)),
    );
    let read = read(parts, base.as_ref().ok(), own, store, cache, known)?;
    let mut lengths = base.as_ref().map(lengths_in).unwrap_or_default();
    lengths.extend(read.lengths);
    let layers = parts.iter().map(|part| part.layers.len()).sum();
    Ok(ObservedContents {
        platforms: read.platforms.into(),
        layers,
        lengths: lengths.into(),
        base: base.map(drop),
        sbom: Arc::default(),
    })
}

/// The lengths of the base image's layers, which are not read each time.
fn lengths_in(base: &Base) -> BTreeMap<Digest, u64> {
    // One of them is the index, which names no layers.
    let manifests = base.manifests().iter().filter_map(|(_, bytes)| ImageManifest::parse(bytes).ok());
    manifests.flat_map(|manifest| manifest.layers).map(|layer| (layer.digest, layer.size)).collect()
}

/// The base image's manifests: from the cache or `store`, else anonymously from their own registry. A run with a
/// login can fall back on docker, which knows the logins and mirrors that the build used.
fn base(verifier: &Verifier<'_>, store: &dyn Store, parts: &[Layered]) -> Result<Base> {
    let platforms: Vec<_> = parts.iter().map(|part| part.platform.clone()).collect();
    find_base(verifier, &platforms, |digest| store.base(digest))
}

/// The manifests of the release's base image.
///
/// # Errors
/// When they cannot be fetched.
pub fn base_manifests(verifier: &Verifier<'_>) -> Result<Vec<(Digest, Vec<u8>)>> {
    let platforms = verifier.release.platforms();
    Ok(find_base(verifier, &platforms, |_digest| None)?.manifests().to_vec())
}

/// What is not in the `cache` is first looked for in `kept`. If that returns `Some`, it is the place for these
/// manifests, and no registry is queried.
fn find_base(
    verifier: &Verifier<'_>,
    platforms: &[String],
    kept: impl Fn(&Digest) -> Option<Result<Vec<u8>>>,
) -> Result<Base> {
    let place = PinnedBase::for_release(&verifier.release);
    let image = place.image()?;
    let curl = Curl::new(verifier.runner, verifier.release.config.timeouts.http());
    let registry = Client::new(curl.clone(), image.clone(), None);
    Base::of(&place.digest, platforms, verifier.cache, |digest| {
        if let Some(kept) = kept(digest) {
            return kept;
        }
        let doing = || format!("asking for the base image `{}`", image.pinned(digest));
        let found = registry.manifest(digest).with_context(doing);
        match found.and_then(|found| found.with_context(|| format!("{}: there is none", doing()))) {
            Ok(manifest) => Ok(manifest.bytes),
            Err(error) if verifier.registry.is_anonymous() => Err(error),
            Err(error) => base::through_docker(verifier.docker, &curl, &place, digest)
                .map_err(|other| error.context(format!("{other:#}; before that"))),
        }
    })
}

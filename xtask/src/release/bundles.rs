//! The bundles, stored beside the legacy format: after it, made from its envelopes, and before the version tag
//! (docs/decisions/0021-both-formats.md).

use std::thread;

use anyhow::{Context as _, Result, bail, ensure};

use crate::evidence::attached::{self, Attested, Kind, Signed};
use crate::evidence::attestation::predicate;
use crate::evidence::bundle::{self, Bundle, EMPTY_CONFIG, Hint, Of, Subject};
use crate::evidence::envelope::pae;
use crate::evidence::provenance::BuildType;
use crate::evidence::signed_as::SignedAs;
use crate::oci::media_type;
use crate::oci::reference::Digest;
use crate::oci::registry::{Client, Manifest};
use crate::process::parallel::joined;
use crate::release::{Context, stale};

/// How often the bundles are made again because another run changed the attestations meanwhile.
const MOST_ROUNDS: u32 = 5;

/// The bundle of a signature, and the key hint that bundles carry.
pub(super) struct Signature {
    bundle: Bundle,
    hint: Hint,
}

impl Signature {
    /// Has cosign sign `digest` as the release of `context`, whose provenance has `build_type`. Stores nothing.
    ///
    /// # Errors
    /// When cosign fails.
    pub(super) fn new(context: &Context<'_>, digest: &Digest, build_type: BuildType) -> Result<Self> {
        let hint = context.verifier().hint()?;
        let signed_as = SignedAs::of(context.release.source, build_type);
        let signed = pae(&bundle::statement(digest, signed_as));
        let signature = context.tools.cosign.sign_blob(context.target.key()?, &signed)?;
        Ok(Self { bundle: Bundle::of_signature(digest, signed_as, &signature, &hint), hint })
    }
}

/// The attestations under the legacy tag.
pub(super) struct Legacy {
    /// The manifest that names the attestations.
    manifest: Digest,
    envelopes: Vec<(Attested, Vec<u8>)>,
}

impl Legacy {
    /// The attestations that this run has just stored under `manifest`.
    pub(super) fn stored(manifest: &Digest, envelopes: &[Signed]) -> Self {
        let bytes = envelopes.iter().map(|envelope| envelope.bytes.clone());
        Self { manifest: manifest.clone(), envelopes: Attested::ALL.into_iter().zip(bytes).collect() }
    }

    /// The attestations in the registry.
    ///
    /// # Errors
    /// When they are not exactly one of each kind that the provenance's build type requires.
    pub(super) fn read(registry: &Client, digest: &Digest) -> Result<Self> {
        let tag = Kind::Attestations.tag(digest);
        let doing = || format!("reading the attestations under `{tag}`");
        let found = registry.manifest(&tag).with_context(doing)?;
        let found = found.with_context(|| format!("there is no `{tag}` in the registry"))?;
        let layers = attached::layers(Kind::Attestations, &found.bytes).with_context(doing)?;
        let envelope = |of: Attested| {
            let layer = layers.iter().find(|layer| layer.marked() == Some(of));
            let layer = layer.with_context(|| format!("{}: there is none of the {of}", doing()))?;
            let bytes = registry.blob(&layer.digest).with_context(doing)?;
            anyhow::Ok((of, bytes.with_context(|| format!("{}: there is no `{}`", doing(), layer.digest))?))
        };
        let mut envelopes = vec![envelope(Attested::Provenance)?];
        let due = build_type(&envelopes[0].1, digest)?.attested();
        let (found_here, expected) = (layers.len(), due.len());
        ensure!(found_here == expected, "{}: there are {found_here} of them: expected {expected}", doing());
        for of in due.iter().filter(|of| **of != Attested::Provenance) {
            envelopes.push(envelope(*of)?);
        }
        Ok(Self { manifest: found.digest, envelopes })
    }

    /// The build type of the provenance about `digest`.
    ///
    /// # Errors
    /// When this xtask does not know the build type.
    pub(super) fn build_type(&self, digest: &Digest) -> Result<BuildType> {
        let provenance = self.envelopes.iter().find(|(of, _)| *of == Attested::Provenance);
        let (_, provenance) = provenance.context("there is no provenance")?;
        build_type(provenance, digest)
    }

    /// Each kind of attestation with its envelope.
    pub(super) fn envelopes(&self) -> &[(Attested, Vec<u8>)] {
        &self.envelopes
    }

    fn bundles(&self, signature: &Bundle, hint: &Hint) -> Vec<Bundle> {
        let bundle = |(of, envelope): &(Attested, Vec<u8>)| Bundle::new(Of::Attestation(*of), envelope, hint);
        let attested = self.envelopes.iter().map(bundle);
        [signature.clone()].into_iter().chain(attested).collect()
    }
}

/// The build type of the provenance in `envelope`, which is about `digest`.
fn build_type(envelope: &[u8], digest: &Digest) -> Result<BuildType> {
    let predicate = predicate(envelope, Attested::Provenance.predicate_type(), digest);
    predicate
        .and_then(|predicate| BuildType::of_predicate(&predicate))
        .context("reading the attached provenance")
}

/// Bundles whose bytes the registry has, but that nothing names yet.
pub(super) struct Uploaded {
    bundles: Vec<Manifest>,
    index: Manifest,
    /// Whether the registry itself lists what refers to an image. If so, storing a manifest makes it visible.
    lists: bool,
}

impl Uploaded {
    /// Uploads everything that does not become visible by its upload.
    ///
    /// # Errors
    /// When the registry rejects something.
    pub(super) fn new(
        registry: &Client,
        subject: &Subject,
        legacy: &Legacy,
        signature: &Signature,
    ) -> Result<Self> {
        let bundles = legacy.bundles(&signature.bundle, &signature.hint);
        let lists = registry.referrers(subject.digest())?.is_some();
        let blobs = bundles.iter().map(|bundle| bundle.bytes.as_slice()).chain([EMPTY_CONFIG]);
        upload(registry, blobs)?;
        let index = Manifest::new(media_type::INDEX, bundle::index(&bundles, subject)?);
        let manifest = |bundle: &Bundle| Ok(Manifest::new(media_type::MANIFEST, bundle.manifest(subject)?));
        let bundles = bundles.iter().map(manifest).collect::<Result<Vec<_>>>()?;
        if !lists {
            bundles.iter().try_for_each(|manifest| registry.put_untagged(manifest))?;
        }
        Ok(Self { bundles, index, lists })
    }

    /// Makes the bundles visible. If the registry does not list referrers, this takes one write, so concurrent runs
    /// leave one of each.
    fn show(&self, registry: &Client, subject: &Subject) -> Result<()> {
        if !self.lists {
            return registry.put(&bundle::tag(subject.digest()), &self.index);
        }
        self.bundles.iter().try_for_each(|manifest| registry.put_untagged(manifest))?;
        let listed = registry.referrers(subject.digest())?.unwrap_or_default();
        let ours: Vec<_> = self.bundles.iter().map(|manifest| manifest.digest.clone()).collect();
        stale::remove(registry, subject.digest(), &ours, &listed)
    }
}

/// Uploads blobs in parallel.
///
/// # Errors
/// When the registry rejects one.
pub(super) fn upload<'b>(registry: &Client, blobs: impl Iterator<Item = &'b [u8]>) -> Result<()> {
    thread::scope(|scope| {
        let running: Vec<_> = blobs.map(|bytes| scope.spawn(|| registry.put_blob(bytes))).collect();
        running.into_iter().try_for_each(|thread| joined(thread.join()).flatten().map(|_digest| ()))
    })
}

/// Makes the bundles of `legacy` visible. If another run changes the attestations meanwhile, the bundles are made
/// again, so that in the end they match the attestations that are attached.
///
/// # Errors
/// When the registry rejects them, or the attestations keep changing.
pub(super) fn show(
    registry: &Client,
    subject: &Subject,
    mut legacy: Legacy,
    mut uploaded: Uploaded,
    signature: &Signature,
) -> Result<()> {
    for _ in 0..MOST_ROUNDS {
        uploaded.show(registry, subject)?;
        let now = registry.digest_of(&Kind::Attestations.tag(subject.digest()))?;
        if now.as_ref() == Some(&legacy.manifest) {
            return Ok(());
        }
        legacy = Legacy::read(registry, subject.digest())?;
        uploaded = Uploaded::new(registry, subject, &legacy, signature)?;
    }
    bail!(
        "storing the bundles: the attestations changed {MOST_ROUNDS} times meanwhile, so another run is writing them; wait \
         for it, then run the same command again"
    )
}

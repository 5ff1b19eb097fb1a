//! The bundles, stored beside the legacy format: after it, made from its envelopes, and before the version tag
//! (docs/decisions/0021-both-formats.md).

use anyhow::{Context as _, Result, bail};

use crate::evidence::attached::{Attested, Kind};
use crate::evidence::bundle::{self, Bundle, EMPTY_CONFIG, Hint, Of, Subject};
use crate::evidence::envelope::pae;
use crate::evidence::provenance::BuildType;
use crate::evidence::signed_as::SignedAs;
use crate::oci::media_type;
use crate::oci::reference::Digest;
use crate::oci::registry::{Client, Manifest};
use crate::process::parallel::both;
use crate::release::legacy::Legacy;
use crate::release::{Context, stale};

/// The maximum number of times that the bundles are made: another run may change the attestations meanwhile.
const MAX_ROUNDS: u32 = 5;

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

    /// Its own bundle, then one of each attestation.
    fn with_bundles_of(&self, legacy: &Legacy) -> Vec<Bundle> {
        let bundle =
            |(of, envelope): &(Attested, Vec<u8>)| Bundle::new(Of::Attestation(*of), envelope, &self.hint);
        let attested = legacy.envelopes().iter().map(bundle);
        [self.bundle.clone()].into_iter().chain(attested).collect()
    }
}

/// Bundles whose bytes the registry has, but that nothing names yet.
pub(super) struct Uploaded {
    bundles: Vec<Manifest>,
    index: Manifest,
    /// Whether the registry itself lists what refers to an image. If so, storing a manifest makes it visible.
    lists: bool,
}

impl Uploaded {
    /// Uploads everything whose upload does not make it visible.
    ///
    /// # Errors
    /// When the registry rejects something.
    pub(super) fn new(
        registry: &Client,
        subject: &Subject,
        legacy: &Legacy,
        signature: &Signature,
    ) -> Result<Self> {
        let bundles = signature.with_bundles_of(legacy);
        let blobs = bundles.iter().map(|bundle| bundle.bytes.as_slice()).chain([EMPTY_CONFIG]);
        let blobs: Vec<_> = blobs.collect();
        let (listed, ()) = both(|| registry.referrers(subject.digest()), || registry.put_blobs(&blobs))?;
        let lists = listed.is_some();
        let index = Manifest::new(media_type::INDEX, bundle::index(&bundles, subject)?);
        let manifest = |bundle: &Bundle| Ok(Manifest::new(media_type::MANIFEST, bundle.manifest(subject)?));
        let bundles = bundles.iter().map(manifest).collect::<Result<Vec<_>>>()?;
        if !lists {
            // Measured: in parallel, they take twice as long on a forge with SQLite, whose writers wait for each
            // other.
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
        let listed = registry.referrers(subject.digest())?;
        let listed =
            listed.context("the registry listed referrers before, and does not now; run it again later")?;
        let ours: Vec<_> = self.bundles.iter().map(|manifest| manifest.digest.clone()).collect();
        stale::remove(registry, subject.digest(), &ours, &listed)
    }
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
    for _ in 0..MAX_ROUNDS {
        uploaded.show(registry, subject)?;
        let now = registry.digest_of(&Kind::Attestations.tag(subject.digest()))?;
        if now.as_ref() == Some(legacy.manifest()) {
            return Ok(());
        }
        legacy = Legacy::read(registry, subject.digest())?;
        uploaded = Uploaded::new(registry, subject, &legacy, signature)?;
    }
    bail!(
        "storing the bundles: the attestations changed {MAX_ROUNDS} times meanwhile, so another run is writing them; wait \
         for it, then run the same command again"
    )
}

//! Steps 7 to 9, sign and attest: the signature by cosign, which adds none that is there; the two attestations signed by
//! cosign and stored together, by one manifest `PUT`. Whatever else writes them at the same time, there is one of each
//! (docs/decisions/0010-attestations-are-one-write.md).

mod envelope;
mod manifest;

use std::thread;

use anyhow::{Result, anyhow};

use crate::progress::both;
use crate::reference::{Digest, Tag};
use crate::registry::{Client, Manifest};
use crate::release::Release;
use crate::tool::cosign::{PROVENANCE_TYPE, SBOM_TYPE};

use envelope::Envelope;

/// The predicate type of an SBOM, as the statement has it.
const SBOM_PREDICATE: &str = "https://cyclonedx.org/bom";

/// What cosign attests.
pub struct Attestations {
    /// The SLSA provenance predicate, as JSON.
    pub provenance: Vec<u8>,
    /// The `CycloneDX` SBOM, as JSON.
    pub sbom: Vec<u8>,
}

/// The attestations, signed and nowhere but here.
pub struct Signed([Envelope; 2]);

/// Signs the index and each platform's manifest. Stored at once; where it is there already, nothing changes.
///
/// # Errors
/// When cosign fails.
pub fn sign(release: &Release<'_>, digest: &Digest) -> Result<()> {
    let Release { tools, target, source, .. } = release;
    tools.cosign.sign(&target.key, source.tag.version(), &target.image, digest)
}

/// Signs both attestations, side by side, and reads back what was signed.
///
/// # Errors
/// When cosign fails, or signs something else than it was given.
pub fn attest(release: &Release<'_>, digest: &Digest, attestations: &Attestations) -> Result<Signed> {
    let Release { tools, target, .. } = release;
    // cosign has a short name for the one type, and damages the other under its short name.
    let envelope = |asked: &str, predicate_type: &'static str, predicate: &[u8]| {
        let bytes = tools.cosign.envelope(&target.key, asked, predicate, &target.image, digest)?;
        Envelope::parse(bytes, predicate_type, predicate, digest)
    };
    let (provenance, sbom) = both(
        || envelope(PROVENANCE_TYPE, PROVENANCE_TYPE, &attestations.provenance),
        || envelope(SBOM_TYPE, SBOM_PREDICATE, &attestations.sbom),
    )?;
    Ok(Signed([provenance, sbom]))
}

/// Stores the attestations where cosign looks for them: the blobs first, then the manifest that names them, which takes
/// the place of whatever was there.
///
/// # Errors
/// When the registry does not take them.
pub fn store(registry: &Client, digest: &Digest, Signed(envelopes): &Signed) -> Result<()> {
    let config = manifest::config(envelopes)?;
    let manifest = Manifest::new(manifest::MEDIA_TYPE, manifest::manifest(envelopes, &config)?);
    let blobs = envelopes.iter().map(|envelope| envelope.bytes.as_slice()).chain([config.as_slice()]);
    thread::scope(|scope| {
        let running: Vec<_> = blobs.map(|bytes| scope.spawn(|| registry.put_blob(bytes))).collect();
        let join = |thread: thread::ScopedJoinHandle<'_, Result<Digest>>| {
            thread.join().map_err(|_panic| anyhow!("a thread panicked"))?
        };
        running.into_iter().try_for_each(|thread| join(thread).map(|_| ()))
    })?;
    crate::interrupt::check()?;
    registry.put(&tag(digest)?, &manifest)
}

/// Where cosign keeps the attestations of `digest`.
fn tag(digest: &Digest) -> Result<Tag> {
    format!("sha256-{}.att", digest.hex()).parse()
}

//! Checks every claim of a release from scratch: as the gates inside `release`, and as `cargo xtask verify` for
//! everyone else. `observe` fetches and judges nothing; `judge` judges and fetches nothing. Nothing here writes, and
//! nothing here knows how a release is made.

pub mod by_hand;
pub mod claim;
pub mod difference;
mod gates;
mod judge;
pub mod known;
mod observe;
pub mod proven;
pub mod rebuilds;
mod standing;
pub mod survey;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, anyhow};

use crate::contents::cache::Cache;
use crate::evidence::attached;
use crate::evidence::bundle::Hint;
use crate::evidence::claims;
use crate::evidence::page::PublishedPage;
use crate::forge::Read;
use crate::inputs::PUBLIC_KEY;
use crate::inputs::keys::PublicKey;
use crate::inputs::release::Release;
use crate::inputs::source::Source;
use crate::inputs::version::ReleaseTag;
use crate::oci::reference::Digest;
use crate::oci::registry::Client;
use crate::process::Runner;
use crate::process::failure::Transient;
use crate::process::parallel::both;
use crate::process::progress::Steps;
use crate::tool::cosign::Cosign;
use crate::tool::docker::Docker;
use crate::tool::git::Git;

use claim::{Claim, Observed, Verdict, is_away};
use judge::public;

pub use gates::{Gate, fresh, of_public};
pub use judge::assets::Required;
pub use observe::SharedClone;
pub use observe::keys::{ObservedKeys, keys as observe_keys};
pub use observe::store::Layout;
pub use observe::{base_manifests, in_words, labels_of, seen};
pub use standing::{Standing, standing};

/// What verification works with. All of it only reads.
#[derive(Clone, Copy)]
pub struct Verifier<'a> {
    /// The release to verify.
    pub release: Release<'a>,
    /// The file with the public key for its signatures; `None` for the commit's.
    pub key: Option<&'a [u8]>,
    /// The forge that has its tag and page.
    pub forge: &'a dyn Read,
    /// Its registry, with the login if there is one.
    pub registry: &'a Client,
    /// With the same access as `registry`.
    pub cosign: &'a Cosign<'a>,
    /// Access without credentials.
    pub anonymous: &'a Anonymous<'a>,
    /// Knows the logins and mirrors for base images.
    pub docker: &'a Docker<'a>,
    /// Starts programs.
    pub runner: &'a Runner,
    /// What was read from layers. It is for `registry`: another one may serve other bytes.
    pub cache: &'a Cache,
    /// Progress output for people.
    pub steps: &'a Steps,
}

/// Access to the image without credentials.
pub struct Anonymous<'a> {
    /// Verifies signatures and attestations.
    pub cosign: Cosign<'a>,
    /// Reads manifests and blobs.
    pub registry: Client,
}

impl Verifier<'_> {
    /// The key that the signatures are checked with.
    ///
    /// # Errors
    /// When no key was given and the commit has none, or the file is not a public key.
    pub fn public_key(&self) -> Result<PublicKey> {
        PublicKey::parse(self.key_file()?)
            .with_context(|| format!("reading the public key `{}`", self.release.key_name))
    }

    /// The hint by which bundles name the key for the signatures.
    ///
    /// # Errors
    /// As [`Verifier::public_key`].
    pub fn hint(&self) -> Result<Hint> {
        Ok(Hint::of(&self.public_key()?))
    }

    /// The bytes of the file with the key for the signatures, unchanged.
    ///
    /// # Errors
    /// When no key was given and the commit has none.
    pub fn key_file(&self) -> Result<&[u8]> {
        let key = self.key.or(self.release.inputs.public_key.as_deref());
        key.with_context(|| format!("commit {} has no `{PUBLIC_KEY}`", self.release.source.commit))
    }

    /// The address from which anyone can download the public key of the released commit, if the forge serves files.
    #[must_use]
    pub fn key_address(&self) -> Option<String> {
        self.forge.raw_address(&self.release.source.commit, PUBLIC_KEY)
    }
}

/// Whether `attachments` is the only claim that does not hold. That is so while a run has stored only one of its two
/// formats, or after it died at that point.
#[must_use]
pub fn is_between_formats(claims: &[Claim]) -> bool {
    let mut broken = claims.iter().filter(|claim| claim.verdict != Verdict::Holds).peekable();
    broken.peek().is_some() && broken.all(|claim| claim.id == claims::ATTACHMENTS)
}

/// Those of `tags` under which something is attached to `digest` in a format other than ours.
fn others(tags: &Observed<Vec<String>>, digest: &Digest) -> Observed<Vec<String>> {
    let tags = tags.as_ref().map_err(Clone::clone)?;
    Ok(attached::other_tags(tags, digest))
}

/// The claims about the tagged commit, from the clone in `git`, and the ids of those that were not checked. `forge`
/// is queried only to find out whether the clone is behind; `shared` is what all releases have in common.
#[must_use]
pub fn source(
    git: &Git,
    forge: Option<&dyn Read>,
    source: &Source,
    shared: &SharedClone,
) -> (Vec<Claim>, Vec<&'static str>) {
    judge::source::judge(source, &observe::source(git, forge, source, shared))
}

/// The claims about the key that the release's signatures are checked with, from what [`observe_keys`] saw. `listed` are
/// the registry's tags; `None` if it is not the registry of the releases.
#[must_use]
pub fn keys(
    verifier: &Verifier<'_>,
    seen: &ObservedKeys,
    listed: Option<&Observed<Vec<String>>>,
) -> Vec<Claim> {
    let tag = verifier.release.tag();
    let untagged = match listed {
        Some(Ok(listed)) => observe::keys::signed_without_tag(verifier.registry, tag, seen, listed),
        _ => Ok(Vec::new()),
    };
    judge::keys::judge(tag, seen, listed, &untagged)
}

/// The bytes of our files on `page`, by name, as anyone downloads them.
///
/// # Errors
/// When the forge does not answer.
pub fn assets(forge: &dyn Read, page: &PublishedPage) -> Result<BTreeMap<String, Vec<u8>>> {
    observe::assets::downloaded(page, &|tag, wanted| forge.assets(tag, wanted)).map(|found| found.bytes)
}

/// Whether cosign accepts `signature` for `sums`, the digests of a page's files. The inner `Err` is cosign's rejection.
///
/// # Errors
/// When cosign cannot be run.
pub fn sums(verifier: &Verifier<'_>, signature: &[u8], sums: &[u8]) -> Result<Result<(), String>> {
    observe::assets::check_sums(verifier, signature, sums)
}

/// Checks that cosign accepts `digest` as another release, `tag`, of the same image by the same key.
///
/// # Errors
/// When cosign rejects it or cannot be run.
pub fn signature(verifier: &Verifier<'_>, tag: &ReleaseTag, digest: &Digest) -> Result<()> {
    observe::signature(verifier, tag, digest)
}

/// The last gate: everything that is public is consistent. If `latest` belongs on another version, it is left to that
/// version's run, which may be about to move it. `attested` returns what is attached to the image now.
///
/// Returns what is false, in words; `None` when every claim holds.
///
/// # Errors
/// When a claim could not be checked and none is false.
pub fn closed(
    verifier: &Verifier<'_>,
    digest: &Digest,
    attested: impl FnOnce() -> Result<Required> + Send,
) -> Result<Option<String>> {
    let (registry, release) = (verifier.registry, &verifier.release);
    let tag = release.tag().registry_tag();
    let public = || {
        let found = || Ok(registry.manifest(&tag)?.map(|found| found.digest));
        let version_tag = || Ok(seen(found()));
        let (version_tag, names) = both(version_tag, || Ok(observe::names(verifier, None)))?;
        Ok(observe::ObservedPublic { version_tag, names })
    };
    // `latest` is judged below only if it belongs on this release, which has its git tag.
    let others = || both(attested, || Ok(observe::common(registry, None, |_own| Ok(true))));
    let (seen, (attested, common)) = both(public, others)?;
    crate::process::interrupt::check()?;
    let mut claims =
        public::judge(release, digest, verifier.key_address().as_deref(), &seen, None, &Ok(attested));
    if !common.latest.as_ref().is_ok_and(|latest| !latest.belongs_to(release.tag())) {
        claims.push(public::latest(&common.latest));
    }
    match broken(&claims) {
        None => Ok(None),
        Some((Verdict::False, text)) => Ok(Some(text)),
        Some((_, text)) => Err(unchecked(&claims, format!("the release is public, but {text}"))),
    }
}

/// The error for claims that could not be checked while none is false; `text` describes them. It is [`Transient`] if a
/// server was at fault that may answer later.
#[must_use]
pub fn unchecked(claims: &[Claim], text: String) -> anyhow::Error {
    if is_away(claims) { Transient::new(text).into() } else { anyhow!(text) }
}

/// The worst verdict among the claims that do not hold, and these claims in words, except those that depend on
/// another one of them. A false claim outweighs any unchecked one.
pub fn broken(claims: &[Claim]) -> Option<(Verdict, String)> {
    let broken: Vec<_> = claims.iter().filter(|claim| claim.verdict != Verdict::Holds).collect();
    let worst = broken.iter().map(|claim| claim.verdict).max()?;
    let follows = |claim: &Claim| broken.iter().any(|other| Some(other.id) == claim.see);
    let text = broken.iter().filter(|claim| !follows(claim));
    let text = text.map(|claim| format!("`{}` {}: {}", claim.id, claim.verdict, claim.evidence));
    Some((worst, text.collect::<Vec<_>>().join("; ")))
}

//! The attestations in cosign's legacy format, as one tag names them. Each run of a release overwrites that tag as a
//! whole (docs/decisions/0010-attestations-are-one-write.md), possibly while another run reads it.

use anyhow::{Context as _, Error, Result, bail, ensure};

use crate::evidence::attached::{self, Attested, Kind, Signed};
use crate::evidence::attestation::predicate;
use crate::evidence::provenance::BuildType;
use crate::oci::reference::Digest;
use crate::oci::registry::{Client, Got, Manifest, Wanted};
use crate::release::tags::past_overwrite;

/// The maximum number of times that the attestations are read: another run may keep overwriting them.
const MAX_READS: u32 = 5;

/// The attestations under the legacy tag.
pub(super) struct Legacy {
    /// The manifest that names the attestations.
    manifest: Digest,
    envelopes: Vec<(Attested, Vec<u8>)>,
}

impl Legacy {
    /// The attestations that this run has just stored under `manifest`.
    ///
    /// # Errors
    /// When one of them is of a type that no release attests.
    pub(super) fn stored(manifest: &Digest, envelopes: &[Signed]) -> Result<Self> {
        let named = |envelope: &Signed| {
            let of = Attested::ALL.into_iter().find(|of| of.predicate_type() == envelope.predicate_type);
            let of =
                of.with_context(|| format!("`{}` is no predicate of a release", envelope.predicate_type))?;
            Ok((of, envelope.bytes.clone()))
        };
        let envelopes = envelopes.iter().map(named).collect::<Result<_>>()?;
        Ok(Self { manifest: manifest.clone(), envelopes })
    }

    /// The attestations in the registry, all of them from the same run, even if another run overwrites them meanwhile.
    ///
    /// # Errors
    /// When they are not exactly one of each kind that the provenance's build type requires.
    pub(super) fn read(registry: &Client, digest: &Digest) -> Result<Self> {
        let tag = Kind::Attestations.tag(digest);
        let ask = || registry.manifest(&tag);
        let read = |found: &Manifest| Self::named_by(registry, found, digest);
        settled(ask, |found| found.digest.clone(), read)
            .with_context(|| format!("reading the attestations under `{tag}`"))
    }

    fn named_by(registry: &Client, found: &Manifest, digest: &Digest) -> Result<Self> {
        let layers = attached::layers(Kind::Attestations, &found.bytes)?;
        let named =
            |of: &Attested| Some((*of, &layers.iter().find(|layer| layer.marked() == Some(*of))?.digest));
        let named: Vec<_> = Attested::ALL.iter().filter_map(named).collect();
        let wanted: Vec<_> = named.iter().map(|(_, layer)| Wanted::Blob((*layer).clone())).collect();
        let envelope = |((of, layer), blob): (&(Attested, &Digest), Result<Option<Got>>)| {
            anyhow::Ok((*of, blob?.with_context(|| format!("there is no `{layer}`"))?.into_bytes()))
        };
        let blobs = registry.batch(&wanted);
        let envelopes = named.iter().zip(blobs).map(envelope).collect::<Result<Vec<_>>>()?;
        let found_here = Self { manifest: found.digest.clone(), envelopes };
        let due = found_here.build_type(digest)?.attested();
        let (count, expected) = (layers.len(), due.len());
        ensure!(count == expected, "there are {count} of them: expected {expected}");
        let missing = due.iter().find(|of| named.iter().all(|(named, _)| named != *of));
        missing.map_or(Ok(found_here), |of| bail!("the attestation of the {of} is missing"))
    }

    /// The build type of the provenance about `digest`.
    ///
    /// # Errors
    /// When this xtask does not know the build type.
    pub(super) fn build_type(&self, digest: &Digest) -> Result<BuildType> {
        let provenance = self.envelopes.iter().find(|(of, _)| *of == Attested::Provenance);
        let (_, provenance) = provenance.context("the attestation of the provenance is missing")?;
        build_type(provenance, digest)
    }

    /// The manifest that names the attestations.
    pub(super) fn manifest(&self) -> &Digest {
        &self.manifest
    }

    /// Each kind of attestation with its envelope.
    pub(super) fn envelopes(&self) -> &[(Attested, Vec<u8>)] {
        &self.envelopes
    }
}

/// The build type of the provenance in `envelope`, which is about `digest`.
fn build_type(envelope: &[u8], digest: &Digest) -> Result<BuildType> {
    let predicate = predicate(envelope, Attested::Provenance.predicate_type(), digest);
    predicate
        .and_then(|predicate| BuildType::of_predicate(&predicate))
        .context("reading the attached provenance")
}

/// Reads what a tag names, and what that names in turn, all from the same write. When a tag is overwritten, the blobs
/// of its earlier manifest may be gone immediately (docs/facts.md#moved-tags), and for a moment the tag does not
/// exist (docs/facts.md#overwrite-gap). So if reading fails and the tag names something else by then, that is read;
/// what remains missing or unreadable is an error.
fn settled<M, D: PartialEq, T>(
    ask: impl Fn() -> Result<Option<M>>,
    digest: impl Fn(&M) -> D,
    read: impl Fn(&M) -> Result<T>,
) -> Result<T> {
    let found = || past_overwrite(&ask)?.context("there is nothing under this tag in the registry");
    let mut named = found()?;
    let mut reads = 0;
    loop {
        let error: Error = match read(&named) {
            Ok(read) => return Ok(read),
            Err(error) => error,
        };
        reads += 1;
        let now = found()?;
        if digest(&now) == digest(&named) {
            return Err(error);
        }
        if reads == MAX_READS {
            return Err(error.context(format!("they were overwritten {reads} times while they were read")));
        }
        named = now;
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::time::{Duration, Instant};

    use anyhow::{Context as _, Result};

    use super::settled;

    /// The result if each query for the tag gets the next of `answers`, and the last one repeatedly; only `readable`
    /// manifests can be read.
    fn read(answers: &[Option<u8>], readable: &[u8]) -> Result<u8, String> {
        let left = RefCell::new(answers.iter());
        let last = *answers.last().unwrap();
        let ask = || Ok(left.borrow_mut().next().copied().unwrap_or(last));
        let read = |found: &u8| readable.contains(found).then_some(*found).context("there is no blob");
        settled(ask, |found| *found, read).map_err(|error| format!("{error:#}"))
    }

    #[test]
    fn attestations_that_another_run_overwrites_are_read_again() {
        assert_eq!(read(&[Some(1)], &[1]), Ok(1), "no other run");
        assert_eq!(read(&[Some(1), Some(2)], &[2]), Ok(2), "overwritten between the manifest and its blobs");
        assert_eq!(read(&[None, Some(2)], &[2]), Ok(2), "in the gap of an overwrite");
        assert_eq!(read(&[Some(1), None, Some(2)], &[2]), Ok(2), "overwritten, and in the gap");
    }

    #[test]
    fn a_tag_that_is_missing_for_as_long_as_an_overwrite_takes_is_read() {
        // The longest gap that was measured is 21 ms (docs/facts.md#overwrite-gap).
        let gap = Duration::from_millis(21);
        let began = Instant::now();
        let ask = || Ok((began.elapsed() > gap).then_some(1));
        assert_eq!(settled(ask, |found| *found, |found| Ok(*found)).unwrap(), 1);
    }

    #[test]
    fn attestations_that_remain_missing_or_unreadable_are_an_error() {
        for (answers, words) in [
            (&[Some(1)][..], "there is no blob"),
            (&[Some(1), Some(2)], "there is no blob"),
            (&[None], "there is nothing under this tag in the registry"),
            (&[Some(1), None], "there is nothing under this tag in the registry"),
        ] {
            assert_eq!(read(answers, &[]).unwrap_err(), words, "{answers:?}");
        }
        let each_another: Vec<_> = (0..100).map(Some).collect();
        let error = read(&each_another, &[]).unwrap_err();
        assert_eq!(error, "they were overwritten 5 times while they were read: there is no blob");
    }
}

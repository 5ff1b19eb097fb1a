//! Whether what refers to an image is exactly this release's bundles: that of the signature, and those with the same
//! attestations as in the legacy format.

use anyhow::{Context as _, Result, bail, ensure};

use crate::evidence::attached::Attested;
use crate::evidence::bundle::{Bundle, MARK, Of};
use crate::evidence::envelope::open;
use crate::evidence::provenance::BuildType;
use crate::evidence::signed_as::SignedAs;
use crate::evidence::statement::Signature;
use crate::inputs::source::Source;
use crate::oci::reference::Digest;
use crate::verify::observe::ObservedBundles;

/// Whether the signatures say that there are bundles. A release from before bundles does not say so, but may have been
/// given some since.
pub(super) fn promised(signatures: &[Signature]) -> Result<bool> {
    for said in signatures.iter().filter_map(|signature| signature.bundle.as_deref()) {
        ensure!(said == MARK.1, "the signature says that there are bundles `{said}`: expected `{}`", MARK.1);
    }
    Ok(signatures.iter().any(|signature| signature.bundle.is_some()))
}

/// Returns the bundles, all of them ours: at least one of the signature, and one of each attestation that is `due`;
/// or none at all, if none are promised.
pub(super) fn ours<'s>(
    seen: &'s ObservedBundles,
    is_promised: bool,
    due: &[Attested],
) -> Result<Vec<&'s Bundle>> {
    let mut ours = Vec::new();
    for (place, found) in seen.found.iter().enumerate() {
        let is_twice = seen.found[..place].iter().any(|other| other.manifest == found.manifest);
        ensure!(!is_twice, "`{}` is named twice among what refers to the image", found.manifest);
        let wrong = |why: &str| {
            format!("`{}` refers to the image and is not a bundle of this release: {why}", found.manifest)
        };
        let bundle = found.read.as_ref().map_err(|why| anyhow::anyhow!(wrong(why)))?;
        match (&bundle.of, &found.signature) {
            (Of::Signature, Some(Err(why))) => bail!(wrong(&format!("cosign does not accept it: {why}"))),
            (Of::Signature, None) => bail!(wrong("cosign was not asked")),
            (Of::Signature, Some(Ok(()))) => ours.push(bundle),
            (Of::Attestation(of), _) if due.contains(of) => ours.push(bundle),
            (Of::Attestation(of), _) => bail!(wrong(&format!("there is to be no {of}"))),
        }
    }
    if ours.is_empty() && !is_promised && seen.tag.is_none() {
        return Ok(ours);
    }
    for of in [Of::Signature].into_iter().chain(due.iter().map(|of| Of::Attestation(*of))) {
        let count = ours.iter().filter(|bundle| bundle.of == of).count();
        ensure!(count > 0, "there has to be a bundle of the {of}, and there is none");
        ensure!(count == 1 || of == Of::Signature, "there are {count} bundles of the {of}: expected one");
    }
    Ok(ours)
}

/// Checks that a bundle of the signature names the commit if `build_type` requires that of signatures, and that none
/// does if the build type is older, as [`crate::evidence::statement::check_signatures`] does for the legacy format.
pub(super) fn check_commit(
    bundles: &[&Bundle],
    digest: &Digest,
    source: &Source,
    build_type: Option<BuildType>,
) -> Result<()> {
    let Some(build_type) = build_type.filter(|_| !bundles.is_empty()) else { return Ok(()) };
    let is_as = |other: BuildType| {
        let signed_as = SignedAs::of(source, other);
        bundles.iter().any(|bundle| bundle.signs(digest, signed_as))
    };
    ensure!(
        is_as(build_type),
        "no bundle of the signature signs `{digest}` in the way that a provenance of that build type requires"
    );
    ensure!(
        build_type.has_signed_commit() || !is_as(BuildType::NEWEST),
        "a bundle of the signature names the commit, which none does with such an old provenance"
    );
    Ok(())
}

/// Whether cosign printed what is stored as `attached`. cosign 3 reads bundles if there are any, and prints what it
/// read in its own format.
pub(super) fn was_printed(attached: &Digest, printed: &[&str], bundles: &[&Bundle]) -> bool {
    if printed.iter().any(|envelope| &Digest::of(envelope.as_bytes()) == attached) {
        return true;
    }
    let same = bundles.iter().find(|bundle| &Digest::of(&bundle.envelope) == attached);
    let is_same = |bundle: &Bundle| {
        let ours = open(&bundle.envelope).context("reading an envelope").ok()?;
        Some(printed.iter().any(|one| open(one.as_bytes()).is_ok_and(|found| found == ours)))
    };
    same.and_then(|bundle| is_same(bundle)).unwrap_or(false)
}

/// Checks that the attestations in bundles are those `attached` in the legacy format, byte for byte.
pub(super) fn check_same(bundles: &[&Bundle], attached: &[&Digest]) -> Result<()> {
    for bundle in bundles.iter().filter(|bundle| bundle.of != Of::Signature) {
        let envelope = Digest::of(&bundle.envelope);
        ensure!(
            attached.contains(&&envelope),
            "the bundle of the {} holds the envelope `{envelope}`, which is not the attached one",
            bundle.of
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{check_commit, ours, was_printed};
    use crate::evidence::attached::Attested;
    use crate::evidence::bundle::{Bundle, Hint, Of};
    use crate::evidence::envelope::seal;
    use crate::evidence::provenance::BuildType;
    use crate::evidence::signed_as::SignedAs;
    use crate::inputs::keys::PublicKey;
    use crate::inputs::source::Source;
    use crate::oci::reference::Digest;
    use crate::tool::git::Commit;
    use crate::verify::observe::{ObservedBundle, ObservedBundles};

    const KEY: &str = "-----BEGIN PUBLIC KEY-----\neA==\n-----END PUBLIC KEY-----\n";

    fn hint() -> Hint {
        Hint::of(&PublicKey::parse(KEY.as_bytes()).unwrap())
    }

    #[test]
    fn bundles_must_be_complete_or_absent_and_not_promised() {
        let (signature, provenance) = (Of::Signature, Of::Attestation(Attested::Provenance));
        let (sbom, test_result) = (Of::Attestation(Attested::Sbom), Of::Attestation(Attested::TestResult));
        let whole = [signature, provenance, sbom];
        let count = |found: &[Of], has_tag: bool, is_promised: bool| {
            let seen = |(place, of): (usize, &Of)| ObservedBundle {
                manifest: Digest::of(&[place as u8]),
                read: Ok(Bundle::new(*of, b"{}", &hint())),
                signature: Some(Ok(())),
            };
            let tag = has_tag.then(|| "sha256-a".to_owned());
            let seen = ObservedBundles { tag, found: found.iter().enumerate().map(seen).collect() };
            ours(&seen, is_promised, &[Attested::Provenance, Attested::Sbom]).map(|ours| ours.len()).ok()
        };
        assert_eq!(count(&[], false, false), Some(0), "a release from before bundles");
        assert_eq!(count(&[], false, true), None, "bundles were promised");
        assert_eq!(count(&[], true, false), None, "an index without any");
        for (found, expected) in [
            (&whole[..], Some(3)),
            (&[signature, signature, provenance, sbom], Some(4)),
            (&[provenance, sbom], None),
            (&[signature, provenance], None),
            (&[signature, provenance, sbom, sbom], None),
            (&[signature, provenance, sbom, test_result], None),
        ] {
            for (has_tag, is_promised) in [(false, false), (false, true), (true, false), (true, true)] {
                assert_eq!(count(found, has_tag, is_promised), expected, "{found:?} {has_tag} {is_promised}");
            }
        }
    }

    #[test]
    fn the_bundle_of_a_signature_names_the_commit_as_the_build_type_requires() {
        let digest = Digest::of(b"image");
        let commit = Commit::parse(&"8".repeat(40)).unwrap();
        let source = Source { tag: "v1.2.3".parse().unwrap(), commit, time: 0, is_tagged: true };
        let (old, new) = (BuildType::V1, BuildType::NEWEST);
        for (signed, build_type, is_right) in [
            (&[][..], Some(new), true),
            (&[new], None, true),
            (&[new], Some(new), true),
            (&[old, new], Some(new), true),
            (&[old], Some(new), false),
            (&[old], Some(old), true),
            (&[new], Some(old), false),
            (&[old, new], Some(old), false),
        ] {
            let bundle =
                |of: &BuildType| Bundle::of_signature(&digest, SignedAs::of(&source, *of), "MEUC", &hint());
            let bundles: Vec<_> = signed.iter().map(bundle).collect();
            let bundles: Vec<_> = bundles.iter().collect();
            let found = check_commit(&bundles, &digest, &source, build_type);
            assert_eq!(found.is_ok(), is_right, "{signed:?} {build_type:?}");
        }
    }

    #[test]
    fn an_envelope_in_the_format_of_cosign_3_is_matched_through_its_bundle() {
        let attached = br#"{"payloadType":"application/vnd.in-toto+json","payload":"e30=","signatures":[{"keyid":"","sig":"MEUC"}]}"#;
        let digest = Digest::of(attached);
        let bundle = Bundle::new(Of::Attestation(Attested::Sbom), attached, &hint());
        let printed = |envelope: &[u8], bundles: &[&Bundle]| {
            was_printed(&digest, &[std::str::from_utf8(envelope).unwrap()], bundles)
        };
        assert!(printed(attached, &[]), "as cosign 2 prints it");
        let same = seal(b"{}", "MEUC");
        assert!(
            printed(&same, &[&bundle]) && !printed(&same, &[]),
            "only a bundle shows what cosign 3 has read"
        );
        assert!(!was_printed(&Digest::of(b"other"), &[std::str::from_utf8(&same).unwrap()], &[&bundle]));
        for other in [seal(b"{}", "MEUD"), seal(b"[]", "MEUC"), b"x".to_vec()] {
            assert!(!printed(&other, &[&bundle]));
        }
    }
}

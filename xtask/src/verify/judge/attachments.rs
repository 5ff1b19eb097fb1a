//! The claim that nothing is attached to an image, in either format, except what its release attached.

use anyhow::{Result, ensure};

use crate::evidence::attached::{self, Attested, Kind};
use crate::evidence::bundle::Bundle;
use crate::evidence::claims;
use crate::evidence::statement::{envelopes, signatures};
use crate::verify::claim::{Claim, Observed, Unavailable};
use crate::verify::observe::{Answer, Attached, ObservedBundles, ObservedImage};

use super::image::borrow;
use super::{bundles, form};

/// One required attestation.
pub(super) struct Required<'a> {
    /// Its kind.
    pub(super) of: Attested,
    /// The claim that there is one.
    pub(super) claim: &'a Claim,
    /// cosign's answer about it.
    pub(super) answer: &'a Observed<Answer>,
}

/// Nothing may be attached except what cosign accepted as signed by the key. If cosign does not accept everything
/// that is required, there is nothing to count the attachments against.
pub(super) fn judge(
    signature: &Claim,
    due: &[Required<'_>],
    seen: &ObservedImage,
    tags: &Observed<Vec<String>>,
    signed_as: &dyn Fn(&[&Bundle]) -> Result<()>,
) -> Claim {
    let attested = due.iter().map(|one| (one.claim, one.answer));
    let missing = [(signature, &seen.signature)]
        .into_iter()
        .chain(attested)
        .find(|(_, answer)| !matches!(answer, Ok(Answer::Accepted(_))));
    let looked_at = match missing {
        Some((claim, _)) => Err(Unavailable::DependsOn(claim.id)),
        None => borrow(&seen.attached).and_then(|found| Ok((found, borrow(tags)?))),
    };
    let bundles = &seen.bundles;
    let looked_at = looked_at.and_then(|(found, tags)| Ok((found, tags, borrow(bundles)?.as_ref())));
    let looked_at = looked_at.and_then(|looked_at| Ok((looked_at, borrow(&seen.beside)?.as_ref())));
    let looked_at = looked_at.and_then(|(looked_at, beside)| Ok((looked_at, beside, of_parts(seen)?)));
    let printed: Vec<_> = due.iter().map(|one| (one.of, accepted(one.answer))).collect();
    Claim::judge(claims::ATTACHMENTS, &looked_at, |((found, tags, bundles), beside, parts)| {
        let ours = only_ours(found, tags, *bundles, accepted(&seen.signature), &printed, signed_as)?;
        if let Some(printed) = parts {
            only_ours_of_parts(found, printed)?;
        }
        let beside = beside.map_or_else(String::new, |beside| beside.join(", "));
        ensure!(
            beside.is_empty(),
            "{beside} refers to a platform's image: other programs look at it, and no release stores such a thing"
        );
        Ok(ours)
    })
}

/// cosign's output about the platforms' images, if a release of this kind signs them. Without its answer, nobody has
/// counted what is attached to them.
fn of_parts(seen: &ObservedImage) -> Observed<Option<&str>> {
    match &seen.part_signatures {
        None => Ok(None),
        Some(Ok(Answer::Accepted(printed))) => Ok(Some(printed)),
        Some(_) => Err(Unavailable::DependsOn(claims::SIGNATURE_PLATFORMS)),
    }
}

/// cosign's output; empty if it did not accept the attestation.
fn accepted(answer: &Observed<Answer>) -> &str {
    match answer {
        Ok(Answer::Accepted(output)) => output,
        _ => "",
    }
}

/// The same check for the platforms' signatures, because podman and skopeo check only these.
fn only_ours_of_parts(found: &Attached, printed: &str) -> Result<()> {
    let ours = signatures(printed)?.len();
    let manifests = found.of_parts.iter().flatten();
    let layers = manifests.map(|manifest| Ok(attached::layers(Kind::Signatures, manifest)?.len()));
    let attached: usize = layers.sum::<Result<_>>()?;
    ensure!(
        attached == ours,
        "{attached} signatures are attached to the platforms' images, and {ours} of them are by the key"
    );
    Ok(())
}

fn only_ours(
    found: &Attached,
    tags: &[String],
    bundles: Option<&ObservedBundles>,
    signature: &str,
    printed: &[(Attested, &str)],
    signed_as: &dyn Fn(&[&Bundle]) -> Result<()>,
) -> Result<String> {
    let of_bundles = bundles.and_then(|bundles| bundles.tag.as_ref());
    let others: Vec<_> = tags.iter().filter(|tag| Some(*tag) != of_bundles).map(String::as_str).collect();
    ensure!(
        others.is_empty(),
        "`{}` is attached in another format: other programs look at it, and nobody signed it",
        others.join("`, `")
    );
    let signatures = signatures(signature)?;
    let is_promised = bundles::promised(&signatures)?;
    let ours = signatures.len();
    let layers = |kind, manifest: &Option<Vec<u8>>| {
        manifest.as_ref().map_or(Ok(Vec::new()), |manifest| attached::layers(kind, manifest))
    };
    let signed = layers(Kind::Signatures, &found.signatures)?.len();
    ensure!(signed == ours, "{signed} signatures are attached, and {ours} of them are by the key");
    let of_each: Vec<(Attested, Vec<_>)> =
        printed.iter().map(|(of, printed)| (*of, envelopes(printed).collect())).collect();
    let judged: Vec<_> = of_each.iter().flat_map(|(_, envelopes)| envelopes.iter().copied()).collect();
    let attestations = layers(Kind::Attestations, &found.attestations)?;
    let ours = judged.len();
    let due: Vec<_> = printed.iter().map(|(of, _)| *of).collect();
    let read = bundles.map_or_else(|| Ok(Vec::new()), |bundles| bundles::ours(bundles, is_promised, &due))?;
    ensure!(
        attestations.len() == ours,
        "{} attestations are attached ({}), and {ours} of them are the release's by the key",
        attestations.len(),
        attestations.iter().map(|one| one.mark.as_str()).collect::<Vec<_>>().join(", ")
    );
    // The envelopes that were read above are the attached ones, not cosign's version of them (docs/facts.md#envelopes).
    for attached in &attestations {
        form::check_mark(attached, &of_each, &read)?;
        ensure!(
            bundles::was_printed(&attached.digest, &judged, &read),
            "the attestation `{}` ({}) is attached, and cosign printed another one",
            attached.digest,
            attached.mark
        );
    }
    let attached: Vec<_> = attestations.iter().map(|one| &one.digest).collect();
    bundles::check_same(&read, &attached)?;
    signed_as(&read)?;
    let both = if read.is_empty() { "" } else { ", and the same in bundles" };
    let plural = if signed == 1 { "" } else { "s" };
    Ok(format!("{signed} signature{plural}, {ours} attestations, all by the key{both}"))
}

#[cfg(test)]
mod tests {
    use super::only_ours;
    use crate::evidence::attached::{Attested, Signed, manifest};
    use crate::evidence::bundle::{Bundle, Hint, Of};
    use crate::evidence::envelope::seal;
    use crate::inputs::keys::PublicKey;
    use crate::oci::reference::Digest;
    use crate::verify::observe::{Attached, ObservedBundle, ObservedBundles};

    const KEY: &str = "-----BEGIN PUBLIC KEY-----\neA==\n-----END PUBLIC KEY-----\n";

    /// The payload of each attestation of a release, and its kind.
    const OURS: [(&str, Attested); 2] = [("provenance", Attested::Provenance), ("sbom", Attested::Sbom)];

    /// An envelope as it is stored: cosign 3 prints it without the empty `keyid`.
    fn stored(payload: &str) -> Vec<u8> {
        let printed = String::from_utf8(seal(payload.as_bytes(), "MEUC")).unwrap();
        printed.replace("{\"sig\"", "{\"keyid\":\"\",\"sig\"").into_bytes()
    }

    /// Whether these payloads, `attached` with these marks, count as [`OURS`] and nothing else.
    fn is_only_ours(attached: &[(&str, Attested)], has_bundles: bool, is_cosign_3: bool) -> bool {
        let layer = |(payload, mark): &(&str, Attested)| Signed {
            bytes: stored(payload),
            predicate_type: mark.predicate_type(),
        };
        let attached: Vec<_> = attached.iter().map(layer).collect();
        let attestations = Some(manifest(&attached, b"{}").unwrap());
        let found = Attached { signatures: None, attestations, of_parts: Vec::new() };
        let bundle = |of: Of, envelope: &[u8]| {
            let bundle = Bundle::new(of, envelope, &Hint::of(&PublicKey::parse(KEY.as_bytes()).unwrap()));
            ObservedBundle { manifest: Digest::of(&bundle.bytes), read: Ok(bundle), signature: Some(Ok(())) }
        };
        let signature = bundle(Of::Signature, &seal(b"signature", "MEUC"));
        let attested = OURS.iter().map(|(payload, of)| bundle(Of::Attestation(*of), &stored(payload)));
        let bundles = ObservedBundles { tag: None, found: [signature].into_iter().chain(attested).collect() };
        let print = |payload: &str| {
            let envelope = if is_cosign_3 { seal(payload.as_bytes(), "MEUC") } else { stored(payload) };
            String::from_utf8(envelope).unwrap()
        };
        let printed: Vec<_> = OURS.iter().map(|(payload, of)| (*of, print(payload))).collect();
        let printed: Vec<_> = printed.iter().map(|(of, envelope)| (*of, envelope.as_str())).collect();
        only_ours(&found, &[], has_bundles.then_some(&bundles), "", &printed, &|_| Ok(())).is_ok()
    }

    #[test]
    fn each_attestation_is_attached_once_with_its_own_mark_whatever_cosign_prints() {
        let [provenance, sbom] = OURS;
        // Without bundles, cosign 3 prints what is stored.
        for (has_bundles, is_cosign_3) in [(false, false), (true, false), (true, true)] {
            assert!(is_only_ours(&OURS, has_bundles, is_cosign_3));
            for other in [
                &[("provenance", sbom.1), ("sbom", provenance.1)][..],
                &[("provenance", Attested::TestResult), sbom],
                &[provenance, sbom, sbom],
                &[provenance, ("another", sbom.1)],
                &[provenance],
            ] {
                assert!(
                    !is_only_ours(other, has_bundles, is_cosign_3),
                    "{other:?} {has_bundles} {is_cosign_3}"
                );
            }
        }
    }
}

//! The claims about an image: what the registry shows, what is signed, and what the attestations say.

use anyhow::{Result, anyhow, bail, ensure};
use serde_json::Value;

use crate::evidence::attached::{Attested, PROVENANCE_PREDICATE, SBOM_PREDICATE};
use crate::evidence::attestation::Attestation;
use crate::evidence::bundle::Bundle;
use crate::evidence::claims;
use crate::evidence::labels;
use crate::evidence::provenance::{BuildType, Provenance, REHEARSE, REHEARSE_WORK_TREE, Smoked};
use crate::inputs::release::Release;
use crate::inputs::source::Source;
use crate::oci::index;
use crate::oci::reference::Digest;

use super::attachments::Required;
use super::{attachments, bundles, form, layers, provenance as of_provenance, smoke};
use crate::evidence::statement::{check_signatures, only_attestation, only_predicate, signatures};
use crate::verify::claim::{Claim, Observed, Unavailable};
use crate::verify::observe::{Answer, Metadata, ObservedImage, Part};

/// Judges what was seen of the image. `tags` are those under which anything else is attached to it.
pub(in crate::verify) fn judge(
    release: &Release<'_>,
    digest: &Digest,
    seen: &ObservedImage,
    tags: &Observed<Vec<String>>,
) -> Vec<Claim> {
    let mut claims = contents(release, digest, seen);
    let about = about(seen);
    let (provenance, predicate) = provenance(seen, digest);
    let build_type = predicate.as_ref().ok().and_then(|predicate| BuildType::of_predicate(predicate).ok());
    let signature = Claim::judge(claims::SIGNATURE, &seen.signature, |answer| {
        signed(release, answer, build_type, std::slice::from_ref(digest))
    });
    let parts = seen.part_signatures.as_ref().map(|answer| {
        let looked_at = borrow(answer).and_then(|answer| Ok((answer, seen.platforms()?)));
        Claim::judge(claims::SIGNATURE_PLATFORMS, &looked_at, |(answer, platforms)| {
            if let Answer::Rejected(words) = answer {
                bail!(unsigned_part(release, platforms, words)?);
            }
            let digests: Vec<_> = platforms.iter().map(|(_, digest)| digest.clone()).collect();
            let said = signed(release, answer, build_type, &digests)?;
            bundles::promised(&signatures(accepted(answer)?)?)?;
            Ok(said)
        })
    });
    let (sbom, bom) = attested(claims::SBOM, &seen.sbom, SBOM_PREDICATE, digest, |attestation| {
        about(attestation, build_type)
    });
    let signed_as = |bundles: &[&Bundle]| bundles::check_commit(bundles, digest, release.source, build_type);
    let smoke = smoke::judge(release, seen, digest, build_type, &predicate, &|attestation| {
        about(attestation, build_type)
    });
    let mut due = vec![
        Required { of: Attested::Provenance, claim: &provenance, answer: &seen.provenance },
        Required { of: Attested::Sbom, claim: &sbom, answer: &seen.sbom },
    ];
    due.extend(smoke.as_ref().map(|claim| Required {
        of: Attested::TestResult,
        claim,
        answer: &seen.test_result,
    }));
    let attachments = attachments::judge(&signature, &due, seen, tags, &signed_as);
    claims.push(signature);
    claims.extend(parts);
    claims.extend([attachments, provenance]);
    claims.extend(of_provenance::judge(release, seen, &predicate, &bom));
    claims.push(sbom);
    let components = layers::components(release, &claims, &seen.contents, &bom);
    claims.push(components);
    claims.extend(smoke);
    claims
}

/// The claim that there is one provenance, and its content if the claim holds.
pub(in crate::verify) fn provenance(seen: &ObservedImage, digest: &Digest) -> (Claim, Observed<Value>) {
    let about = about(seen);
    attested(claims::PROVENANCE, &seen.provenance, PROVENANCE_PREDICATE, digest, |attestation| {
        about(attestation, BuildType::of_predicate(&attestation.predicate).ok())
    })
}

/// Checks that an attestation is about the image. The provenance's build type decides what that means; anything unknown
/// is not checked.
fn about(seen: &ObservedImage) -> impl Fn(&Attestation, Option<BuildType>) -> Result<()> {
    let platforms = seen.platforms().ok();
    let manifests: Option<Vec<_>> = platforms.map(|all| all.into_iter().map(|(_, digest)| digest).collect());
    move |attestation, build_type| match (build_type, &manifests) {
        (Some(build_type), Some(manifests)) => attestation.check_subjects(build_type, manifests),
        // Then another claim does not hold and reports what is unknown.
        _ => Ok(()),
    }
}

/// Whether the provenance that cosign accepts says that it is of a rehearsal.
pub(in crate::verify) fn is_rehearsal(seen: &ObservedImage, digest: &Digest) -> bool {
    let (_, predicate) =
        attested(claims::PROVENANCE, &seen.provenance, PROVENANCE_PREDICATE, digest, |_| Ok(()));
    let command = predicate.as_ref().ok().and_then(|predicate| {
        predicate.pointer("/buildDefinition/externalParameters/localRun/command")?.as_str()
    });
    command.is_some_and(|command| [REHEARSE, REHEARSE_WORK_TREE].contains(&command))
}

/// The claims that need no key: that the image is complete, and what it says about itself.
fn contents(release: &Release<'_>, digest: &Digest, seen: &ObservedImage) -> Vec<Claim> {
    let present = Claim::judge(claims::IMAGE_PRESENT, &whole(seen), |(index, parts)| {
        ensure!(index.is_some(), "there is no `{}`", release.image.pinned(digest));
        let lacks =
            |part: &Part| part.missing.iter().map(|what| format!("{what} of {}", part.platform)).collect();
        let missing: Vec<String> = parts.iter().flat_map::<Vec<_>, _>(lacks).collect();
        ensure!(missing.is_empty(), "it lacks {}", missing.join(", "));
        // Bytes that are not an index at all are reported by `image.platforms`.
        if let Some(index) = index.filter(|_| !parts.is_empty()) {
            form::check_image(index, parts)?;
        }
        Ok(format!("the index, and manifest, config and layers of {} platforms", parts.len()))
    });
    let index = match borrow(&seen.index) {
        Ok(Some(index)) => Ok(index),
        Err(unknown @ (Unavailable::Failed(_) | Unavailable::Transient(_))) => Err(unknown),
        Ok(None) | Err(Unavailable::Invalid(_) | Unavailable::DependsOn(_)) => {
            Err(Unavailable::DependsOn(claims::IMAGE_PRESENT))
        }
    };
    let said = said(seen);
    let platforms = Claim::judge(claims::IMAGE_PLATFORMS, &index, |index| {
        let manifests = labels::platforms(index, release.config)?;
        for (platform, said) in said.iter().flatten() {
            ensure!(
                &said.platform == platform,
                "the image for {platform} is one for {}, as its config has it",
                said.platform
            );
        }
        Ok(manifests.into_iter().map(|(platform, _)| platform).collect::<Vec<_>>().join(", "))
    });
    let named = index.clone().and_then(|index| Ok((index, said?)));
    let labels =
        Claim::judge(claims::IMAGE_LABELS, &named, |(index, said)| judge_labels(release, index, said));
    let layers = layers::judge(&platforms, &seen.contents, &seen.parts);
    [vec![present, platforms, labels], layers].concat()
}

/// What each platform's image says about itself; an error if one of them says nothing.
fn said(seen: &ObservedImage) -> Observed<Vec<(&str, &Metadata)>> {
    let parts = match &seen.parts {
        Ok(parts) => parts,
        Err(Unavailable::Invalid(_)) => return Err(Unavailable::DependsOn(claims::IMAGE_PRESENT)),
        Err(unseen) => return Err(unseen.clone()),
    };
    let said = parts.iter().map(|part| Some((part.platform.as_str(), part.metadata.as_ref()?)));
    said.collect::<Option<_>>().ok_or(Unavailable::DependsOn(claims::IMAGE_PRESENT))
}

pub(super) fn borrow<T>(seen: &Observed<T>) -> Observed<&T> {
    seen.as_ref().map_err(Clone::clone)
}

/// The index and its parts. Bytes that are not an index have no parts; `image.platforms` reports that.
fn whole(seen: &ObservedImage) -> Observed<(Option<&Vec<u8>>, &[Part])> {
    let index = borrow(&seen.index)?.as_ref();
    match &seen.parts {
        Ok(parts) => Ok((index, parts)),
        Err(Unavailable::DependsOn(_)) => Ok((index, &[])),
        Err(unseen) => Err(unseen.clone()),
    }
}

pub(super) fn accepted(answer: &Answer) -> Result<&str> {
    match answer {
        Answer::Accepted(output) => Ok(output),
        Answer::Rejected(words) => bail!("cosign does not accept it: {words}"),
    }
}

fn signed(
    release: &Release<'_>,
    answer: &Answer,
    build_type: Option<BuildType>,
    digests: &[Digest],
) -> Result<String> {
    let Source { tag, commit, .. } = release.source;
    let image = (*release.image == release.config.image()?).then_some(release.image);
    let count = check_signatures(accepted(answer)?, release.source, image, build_type, digests)?;
    let has_commit = build_type.is_some_and(BuildType::has_signed_commit);
    let commit = if has_commit { format!(" and `commit={commit}`") } else { String::new() };
    let plural = if digests.len() == 1 { "" } else { "s" };
    Ok(format!(
        "{count} by the key, with `version={}`{commit}, of {} digest{plural}",
        tag.version(),
        digests.len()
    ))
}

/// Why the claim about the platforms' signatures is false. Copies of an image often lack them: cosign does not look
/// for them, and they are under tags of their own.
fn unsigned_part(release: &Release<'_>, platforms: &[(String, Digest)], words: &str) -> Result<String> {
    let platforms: Vec<_> = platforms.iter().map(|(platform, _)| platform.as_str()).collect();
    let is_copy = *release.image != release.config.image()?;
    let remedy =
        if is_copy { "; a mirror needs their `.sig` tags as well (docs/verifying.md#mirrors)" } else { "" };
    Ok(format!(
        "cosign does not accept the images for {} one by one, as podman and skopeo look at them: {words}{remedy}",
        platforms.join(", ")
    ))
}

/// The claim that there is exactly one such attestation and that `check` accepts it; and its predicate if the claim
/// holds.
pub(super) fn attested(
    id: &'static str,
    seen: &Observed<Answer>,
    predicate_type: &str,
    digest: &Digest,
    check: impl Fn(&Attestation) -> Result<()>,
) -> (Claim, Observed<Value>) {
    let mut predicate = Err(Unavailable::DependsOn(id));
    let claim = Claim::judge(id, seen, |answer| {
        let attestation = only_attestation(accepted(answer)?, predicate_type, digest)?;
        check(&attestation)?;
        predicate = Ok(attestation.predicate);
        Ok("exactly one by the key, of this digest".to_owned())
    });
    (claim, predicate)
}

fn judge_labels(release: &Release<'_>, index: &[u8], said: &[(&str, &Metadata)]) -> Result<String> {
    let expected = labels::of(release);
    let of_index = index::annotations(index)?;
    let mut places = vec![("annotation", "the index".to_owned(), &of_index)];
    for (platform, said) in said {
        places.push(("label", (*platform).to_owned(), &said.labels));
        places.push(("annotation", (*platform).to_owned(), &said.annotations));
    }
    for (key, value) in &expected {
        for (kind, place, found) in &places {
            let found = found.get(*key);
            ensure!(
                found == Some(value),
                "the {kind} `{key}` of {place} is `{}`: expected `{value}`",
                found.map_or("missing", String::as_str)
            );
        }
    }
    // An image inherits the labels of its base image, but not the annotations.
    let annotations = places.iter().filter(|(kind, ..)| *kind == "annotation");
    for (_, place, found) in annotations {
        let other = found.keys().find(|key| !expected.iter().any(|(ours, _)| ours == key));
        ensure!(other.is_none(), "there is an annotation `{}` of {place}", other.map_or("", String::as_str));
    }
    Ok(format!(
        "the {} of the release are annotations of the index, and annotations and labels of {} platforms",
        expected.len(),
        said.len()
    ))
}

/// How the image was tested, according to its provenance.
///
/// # Errors
/// When it has no provenance that says so.
pub(in crate::verify) fn smoked(
    release: &Release<'_>,
    seen: &ObservedImage,
    digest: &Digest,
) -> Result<Smoked> {
    let answer = seen.provenance.as_ref().map_err(|unseen| anyhow!("{unseen}"))?;
    let predicate = only_predicate(accepted(answer)?, PROVENANCE_PREDICATE, digest)?;
    let provenance = Provenance::read(&predicate)?;
    let platforms = release.platforms();
    provenance.smoked(&platforms)
}

/// The build type of its provenance.
///
/// # Errors
/// When it has no provenance, or one of an unknown build type.
pub(in crate::verify) fn build_type(seen: &ObservedImage, digest: &Digest) -> Result<BuildType> {
    let answer = seen.provenance.as_ref().map_err(|unseen| anyhow!("{unseen}"))?;
    BuildType::of_predicate(&only_predicate(accepted(answer)?, PROVENANCE_PREDICATE, digest)?)
}

//! The claims about an image: what the registry shows, what is signed, and what the attestations say.

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::Value;

use crate::reference::Digest;
use crate::release::{Attestations, Release, build};
use crate::sbom;
use crate::tool::cosign::PROVENANCE_TYPE;

use super::claim::{Claim, Seen};
use super::look::{Answer, ImageSeen};
use super::provenance;
use super::statement::{check_signatures, only_predicate};

/// The predicate type of an SBOM, as the statement has it.
const SBOM_PREDICATE: &str = "https://cyclonedx.org/bom";

/// The labels and annotations that name a release; the other ones may change with the configuration.
const NAMING: [&str; 4] = ["version", "revision", "source", "created"];

/// Judges what was seen of the image.
pub(super) fn judge(release: &Release<'_>, digest: &Digest, seen: &ImageSeen) -> Vec<Claim> {
    let provenance = predicate(&seen.provenance, PROVENANCE_TYPE, digest);
    let sbom = predicate(&seen.sbom, SBOM_PREDICATE, digest);
    let mut claims = vec![
        Claim::judge("image.present", &seen.index, |index| match index {
            Some(index) => Ok(format!("{} bytes of {}", index.bytes.len(), index.media_type)),
            None => bail!("the registry has no `{}`", release.target.image.pinned(digest)),
        }),
        Claim::judge("image.platforms", &seen.index, |index| {
            let index = index.as_ref().context("there is no image")?;
            let manifests = build::manifests(&index.bytes, release.session.config)?;
            Ok(manifests.into_iter().map(|(platform, _)| platform).collect::<Vec<_>>().join(", "))
        }),
        Claim::judge("image.labels", &seen.images, |_| labels(release, seen)),
        Claim::judge("signature", &seen.signature, |answer| {
            let version = release.source.tag.version().to_string();
            let count = check_signatures(accepted(answer)?, &version, digest)?;
            Ok(format!("{count} by the key, of this digest, with `version={version}`"))
        }),
        Claim::judge("provenance", &seen.provenance, |_| provenance.as_ref().map(|_| one()).map_err(said)),
        Claim::judge("sbom", &seen.sbom, |_| sbom.as_ref().map(|_| one()).map_err(said)),
        Claim::judge("sbom.components", &seen.sbom, |_| components(release, sbom.as_ref().map_err(said)?)),
    ];
    claims.extend(provenance::judge(release, seen, &provenance));
    claims
}

/// Whether the attestations are those that were just made. Another run of the same release may have put its own in their
/// place, whose provenance then names another run; that it is true was judged like ours.
pub(super) fn check_unchanged(seen: &ImageSeen, digest: &Digest, made: &Attestations) -> Result<()> {
    let sbom = predicate(&seen.sbom, SBOM_PREDICATE, digest)?;
    ensure!(sbom == serde_json::from_slice::<Value>(&made.sbom)?, "the SBOM came back changed");
    let provenance = predicate(&seen.provenance, PROVENANCE_TYPE, digest)?;
    check_provenance(&provenance, &serde_json::from_slice(&made.provenance)?)
}

fn check_provenance(found: &Value, made: &Value) -> Result<()> {
    let run = |provenance: &Value| provenance["runDetails"]["metadata"]["invocationId"].clone();
    ensure!(found == made || run(found) != run(made), "the provenance came back changed");
    Ok(())
}

fn one() -> String {
    "one by the key, of this digest".to_owned()
}

fn said(error: &anyhow::Error) -> anyhow::Error {
    anyhow::anyhow!("{error:#}")
}

fn accepted(answer: &Answer) -> Result<&str> {
    match answer {
        Answer::Accepted(output) => Ok(output),
        Answer::Rejected(words) => bail!("cosign does not accept it: {words}"),
    }
}

fn predicate(seen: &Seen<Answer>, predicate_type: &str, digest: &Digest) -> Result<Value> {
    match seen {
        Ok(answer) => only_predicate(accepted(answer)?, predicate_type, digest),
        Err(why) => bail!("{why}"),
    }
}

fn labels(release: &Release<'_>, seen: &ImageSeen) -> Result<String> {
    let images = seen.images.as_ref().map_err(|why| anyhow::anyhow!("{why}"))?;
    let expected = build::metadata(release.session.config, release.source, release.inputs);
    let expected =
        expected.iter().filter(|(key, _)| NAMING.iter().any(|name| key.ends_with(&format!(".{name}"))));
    ensure!(!images.is_empty(), "there is no image");
    for (key, value) in expected {
        for (platform, image) in images {
            let image = image
                .as_ref()
                .with_context(|| format!("the manifest or the config of {platform} is gone"))?;
            for (kind, found) in
                [("label", image.labels.get(*key)), ("annotation", image.annotations.get(*key))]
            {
                ensure!(
                    found == Some(value),
                    "the {kind} `{key}` of {platform} is `{}`: expected `{value}`",
                    found.map_or("missing", String::as_str)
                );
            }
        }
    }
    Ok(format!("{} on {} platforms", NAMING.join(", "), images.len()))
}

fn components(release: &Release<'_>, predicate: &Value) -> Result<String> {
    sbom::check_components(predicate, &release.inputs.lockfile)?;
    Ok(format!("{} packages, the lockfile's production set", release.inputs.lockfile.production.len()))
}

#[cfg(test)]
mod tests {
    use super::check_provenance;
    use serde_json::json;

    #[test]
    fn ours_comes_back_as_it_is_and_another_may_be_that_of_another_run() {
        let provenance = |run: &str, finished: &str| json!({"runDetails": {"metadata": {"invocationId": run, "finishedOn": finished}}});
        let ours = provenance("urn:1", "2026-11-23T18:09:00Z");
        assert!(check_provenance(&ours, &ours).is_ok());
        assert!(check_provenance(&provenance("urn:2", "2026-11-23T18:10:00Z"), &ours).is_ok());
        assert!(check_provenance(&provenance("urn:1", "2026-11-23T18:10:00Z"), &ours).is_err());
    }
}

//! The claims about the layers: they are those of the config, they are for the platform, and the SBOM lists their
//! content.

use anyhow::{Result, anyhow, ensure};
use serde_json::Value;

use crate::contents::machine;
use crate::evidence::claims;
use crate::evidence::sbom;
use crate::inputs::release::Release;

use crate::verify::claim::{Claim, Seen, Unseen};
use crate::verify::observe::ContentsSeen;

/// The claims that need no attestation. An image that is not for its platforms is not looked into: the claim
/// `platforms` covers that.
pub(in crate::verify) fn judge(platforms: &Claim, seen: &Seen<ContentsSeen>) -> Vec<Claim> {
    let seen = match seen {
        Err(Unseen::Follows(id)) => Err(Unseen::Follows(id)),
        other => platforms.holds().and(other.as_ref().map_err(Clone::clone)),
    };
    let content = Claim::judge(claims::IMAGE_CONTENT, &seen, |seen| Ok(content(seen)));
    let base = content.holds().and(seen.clone()).and_then(|seen| seen.base.clone().map(|()| seen));
    let base = Claim::judge(claims::IMAGE_BASE, &base, |seen| Ok(base_layers(seen)));
    let machine = content.holds().and(seen).and_then(|seen| {
        let found: Result<Vec<_>, _> = seen.platforms.iter().map(machine::check).collect();
        match (found, &seen.base) {
            // A base image may contain files for other machines.
            (Err(_), Err(Unseen::Wrong(_))) => Err(Unseen::Follows(claims::IMAGE_BASE)),
            (Err(wrong), Err(unknown)) => Err(Unseen::Unknown(format!(
                "{wrong}; or they are the base image's, which is not known: {unknown}"
            ))),
            (found, _) => Ok(found),
        }
    });
    let machine = Claim::judge(claims::IMAGE_MACHINE, &machine, |found| {
        Ok(format!("ELF files above the base image: {}", found.as_ref().map_err(Clone::clone)?.join("; ")))
    });
    vec![content, base, machine]
}

/// The claim that the attested SBOM is the one that the image's content gives. `claims` are the earlier ones.
pub(in crate::verify) fn components(
    release: &Release<'_>,
    claims: &[Claim],
    seen: &Seen<ContentsSeen>,
    bom: &Seen<Value>,
) -> Claim {
    let content = claims.iter().find(|claim| claim.id == claims::IMAGE_CONTENT).map_or(Ok(()), Claim::holds);
    let looked_at = bom.as_ref().map_err(Clone::clone).and_then(|bom| {
        content?;
        let seen = seen.as_ref().map_err(Clone::clone)?;
        match &seen.base {
            Ok(()) => Ok((bom, seen)),
            Err(Unseen::Wrong(_)) => Err(Unseen::Follows(claims::IMAGE_BASE)),
            Err(words) => {
                Err(Unseen::Unknown(format!("which packages are the base image's is not known: {words}")))
            }
        }
    });
    Claim::judge(claims::SBOM_COMPONENTS, &looked_at, |(bom, seen)| {
        let expected = seen.sbom(release)?;
        if let Some(words) = sbom::difference(bom, expected) {
            return Err(anyhow!(words));
        }
        let count = expected["components"].as_array().map_or(0, Vec::len);
        ensure!(count > 0, "it lists nothing");
        Ok(format!(
            "the {count} components that are in the image, and the packages that the lockfile installs"
        ))
    })
}

fn content(seen: &ContentsSeen) -> String {
    let platforms = seen.platforms.len();
    if seen.base.is_err() {
        return format!("all {} layers of {platforms} platforms, unpacked", seen.layers);
    }
    let below: usize = seen.platforms.iter().filter_map(|platform| platform.base_layers).sum();
    format!("{} layers above the base image of {platforms} platforms, unpacked", seen.layers - below)
}

fn base_layers(seen: &ContentsSeen) -> String {
    let each = seen
        .platforms
        .iter()
        .map(|image| format!("the lowest {} on {}", image.base_layers.unwrap_or_default(), image.platform));
    format!("layers of the pinned base image: {}", each.collect::<Vec<_>>().join(", "))
}

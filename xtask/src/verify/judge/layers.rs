//! The claims about the layers: they match the config, they begin with those of the base image, their binaries are
//! for the platform, and the SBOM lists their content.

use std::collections::BTreeMap;

use anyhow::{Result, anyhow, ensure};
use serde_json::Value;

use crate::contents::machine;
use crate::evidence::claims;
use crate::evidence::sbom;
use crate::inputs::release::Release;
use crate::oci::manifest::{Descriptor, ImageManifest};
use crate::oci::reference::Digest;

use crate::verify::claim::{Claim, Observed, Unavailable};
use crate::verify::observe::{ObservedContents, Part};

/// The claims that need no attestation. If the claim `platforms` does not hold, the layers are not looked into.
pub(in crate::verify) fn judge(
    platforms: &Claim,
    seen: &Observed<ObservedContents>,
    parts: &Observed<Vec<Part>>,
) -> Vec<Claim> {
    let seen = match seen {
        Err(Unavailable::DependsOn(id)) => Err(Unavailable::DependsOn(id)),
        other => platforms.holds().and(other.as_ref().map_err(Clone::clone)),
    };
    let measured = seen.clone().and_then(|seen| {
        let parts = parts.as_ref().map_err(Clone::clone)?;
        let odd = odd_size(parts, &seen.lengths)?;
        Ok((seen, odd))
    });
    let content = Claim::judge(claims::IMAGE_CONTENT, &measured, |(seen, odd)| match odd {
        Some(odd) => Err(anyhow!("{odd}")),
        None => Ok(content(seen)),
    });
    let base = content.holds().and(seen.clone()).and_then(|seen| seen.base.clone().map(|()| seen));
    let base = Claim::judge(claims::IMAGE_BASE, &base, |seen| Ok(base_layers(seen)));
    let machine = content.holds().and(seen).and_then(|seen| {
        let found: Result<Vec<_>, _> = seen.platforms.iter().map(machine::check).collect();
        match (found, &seen.base) {
            // A base image may contain files for other machines.
            (Err(_), Err(Unavailable::Invalid(_))) => Err(Unavailable::DependsOn(claims::IMAGE_BASE)),
            (Err(wrong), Err(unknown)) => Err(Unavailable::Failed(format!(
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

/// The claim that the attested SBOM is the one that follows from the image's content. `claims` are those judged so
/// far.
pub(in crate::verify) fn components(
    release: &Release<'_>,
    claims: &[Claim],
    seen: &Observed<ObservedContents>,
    bom: &Observed<Value>,
) -> Claim {
    let unjudged = Err(Unavailable::DependsOn(claims::IMAGE_CONTENT));
    let content =
        claims.iter().find(|claim| claim.id == claims::IMAGE_CONTENT).map_or(unjudged, Claim::holds);
    let looked_at = bom.as_ref().map_err(Clone::clone).and_then(|bom| {
        content?;
        let seen = seen.as_ref().map_err(Clone::clone)?;
        match &seen.base {
            Ok(()) => Ok((bom, seen)),
            Err(Unavailable::Invalid(_)) => Err(Unavailable::DependsOn(claims::IMAGE_BASE)),
            Err(words) => {
                Err(Unavailable::Failed(format!("which packages are the base image's is not known: {words}")))
            }
        }
    });
    Claim::judge(claims::SBOM_COMPONENTS, &looked_at, |(bom, seen)| {
        let expected = sbom::in_form_of(bom, seen.sbom(release)?);
        if let Some(words) = sbom::difference(bom, &expected) {
            return Err(anyhow!(words));
        }
        let count = expected["components"].as_array().map_or(0, Vec::len);
        ensure!(count > 0, "it lists nothing");
        Ok(format!(
            "the {count} components that are in the image, and the packages that the lockfile installs"
        ))
    })
}

/// The first layer whose size in a manifest is not the number of its bytes. Comparing digests does not show that: a
/// client may trust the size and stop reading there.
fn odd_size(parts: &[Part], lengths: &BTreeMap<Digest, u64>) -> Observed<Option<String>> {
    let mut unknown = None;
    for Part { platform, manifest, .. } in parts {
        // A manifest that cannot be parsed, for example because a size is missing, is reported by `image.present`.
        let manifest = manifest.as_deref().and_then(|manifest| ImageManifest::parse(manifest).ok());
        let layers = manifest.ok_or(Unavailable::DependsOn(claims::IMAGE_PRESENT))?.layers;
        for Descriptor { digest, size, .. } in layers {
            let layer = format!("the layer `{digest}` of {platform}");
            match lengths.get(&digest) {
                Some(length) if *length == size => {}
                Some(length) => {
                    return Ok(Some(format!("{layer} has {length} bytes, and {size} by the manifest")));
                }
                None => unknown = unknown.or(Some(format!("how many bytes {layer} has is not known"))),
            }
        }
    }
    unknown.map_or(Ok(None), |words| Err(Unavailable::Failed(words)))
}

fn content(seen: &ObservedContents) -> String {
    let platforms = seen.platforms.len();
    if seen.base.is_err() {
        return format!("all {} layers of {platforms} platforms, unpacked", seen.layers);
    }
    let below: usize = seen.platforms.iter().filter_map(|platform| platform.base_layers).sum();
    format!("{} layers above the base image of {platforms} platforms, unpacked", seen.layers - below)
}

fn base_layers(seen: &ObservedContents) -> String {
    let each = seen
        .platforms
        .iter()
        .map(|image| format!("the lowest {} on {}", image.base_layers.unwrap_or_default(), image.platform));
    format!("layers of the pinned base image: {}", each.collect::<Vec<_>>().join(", "))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::json;

    use super::odd_size;
    use crate::oci::manifest::tests::descriptor;
    use crate::oci::reference::Digest;
    use crate::verify::claim::Unavailable;
    use crate::verify::observe::Part;

    fn part(layers: &[(&str, u64)]) -> Part {
        let layers: Vec<_> = layers.iter().map(|(name, size)| descriptor(name, *size)).collect();
        let manifest = json!({"config": descriptor("config", 1), "layers": layers}).to_string();
        Part {
            platform: "linux/amd64".to_owned(),
            metadata: None,
            layered: None,
            manifest: Some(manifest.into_bytes()),
            config: None,
            missing: Vec::new(),
        }
    }

    #[test]
    fn a_layer_size_must_be_the_measured_length_and_is_unknown_without_one() {
        let lengths = BTreeMap::from([(Digest::of(b"a"), 5), (Digest::of(b"b"), 7)]);
        let judged = |layers: &[(&str, u64)]| odd_size(&[part(layers)], &lengths);
        assert_eq!(judged(&[("a", 5), ("b", 7), ("a", 5)]), Ok(None));
        for wrong in [&[("a", 5), ("b", 6)][..], &[("c", 1), ("a", 6)]] {
            assert!(matches!(judged(wrong), Ok(Some(_))), "{wrong:?}");
        }
        assert!(matches!(judged(&[("a", 5), ("c", 1)]), Err(Unavailable::Failed(_))));
        let none = Part { manifest: Some(b"{}".to_vec()), ..part(&[]) };
        assert_eq!(odd_size(&[none], &lengths), Err(Unavailable::DependsOn("image.present")));
    }
}

//! For each claim the command that shows its matter to a person, without this program.

use crate::evidence::commands::verify_commands;
use crate::inputs::release::Release;
use crate::oci::reference::{Digest, Tag};

use super::claim::Claim;

/// What prints the predicate that an attestation command accepts, from an envelope that holds nothing else.
const PREDICATE: &str = "| jq -r 'if keys == [\"payload\",\"payloadType\",\"signatures\"] then .payload else error(\"unknown fields\") end' \
    | base64 -d | jq .predicate";

/// Adds the commands to the claims of one release; `digest` is the image that was looked at.
pub fn add(release: &Release<'_>, digest: Option<&Digest>, claims: &mut [Claim]) {
    for claim in claims {
        claim.by_hand = command(release, digest, claim.id);
    }
}

fn command(release: &Release<'_>, digest: Option<&Digest>, id: &str) -> Option<String> {
    const INSPECT: &str = "docker buildx imagetools inspect";
    let (image, tag) = (release.image, &release.source.tag);
    let repository = release.config.source_url();
    let about_image = |digest: &Digest| {
        let pinned = image.pinned(digest);
        let [signature, provenance, sbom] =
            verify_commands(release, digest).map(|command| command.to_string());
        Some(match id {
            "image.present" => format!("docker pull {pinned}"),
            "image.platforms" => format!("{INSPECT} {pinned}"),
            "image.labels" => format!("{INSPECT} {pinned} --format '{{{{json .Image}}}}'"),
            // It unpacks every layer and compares with the config, as this claim does.
            "image.content" => format!("crane validate --remote {pinned}"),
            "image.machine" => format!(
                "mkdir root && docker export $(docker create {pinned}) | tar --extract --directory root && \
                 find root -name '*.node' -exec file {{}} +"
            ),
            "signature" => signature,
            "signature.platforms" => format!(
                "for each in $({INSPECT} --raw {pinned} | jq -r '.manifests[].digest'); do {}@$each; done",
                signature.trim_end_matches(&format!("@{digest}"))
            ),
            "attachments" => format!("cosign tree {pinned}"),
            "sbom" | "sbom.components" => format!("{sbom} {PREDICATE}"),
            "provenance.inputs" => format!(
                "{provenance} {PREDICATE}.buildDefinition.resolvedDependencies; git show {tag}:Dockerfile | sha256sum"
            ),
            _ if id.starts_with("provenance") => format!("{provenance} {PREDICATE}"),
            _ => return None,
        })
    };
    if let Some(command) = digest.and_then(about_image) {
        return Some(command);
    }
    match id {
        "tag.image" => Some(format!("{INSPECT} {}", image.tagged(&tag.registry_tag()))),
        "tag.git" => Some(format!("git ls-remote {repository} 'refs/tags/{tag}' 'refs/tags/{tag}^{{}}'")),
        "page.state" | "page.image" | "page.commands" => Some(format!("{repository}/releases/tag/{tag}")),
        "latest" => Some(format!("{INSPECT} {}", image.tagged(&Tag::latest()))),
        "rebuild" => Some(format!("cargo xtask verify {tag} --rebuild")),
        _ => None,
    }
}

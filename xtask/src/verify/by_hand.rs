//! For each claim, the command with which a person can check it without this program.

use std::path::Path;

use crate::evidence::claims;
use crate::evidence::commands::{test_result_command, verify_commands};
use crate::evidence::page;
use crate::inputs::keys::{DIRECTORY, HISTORY};
use crate::inputs::release::Release;
use crate::inputs::signers::SignedTag;
use crate::inputs::source::Source;
use crate::inputs::{ALLOWED_SIGNERS, PUBLIC_KEY};
use crate::oci::reference::{Digest, Tag};
use crate::process::command_line::quote;
use crate::tool::cosign::VerifyCommand;

use super::claim::Claim;

/// Prints the predicate of each attestation that the command before it accepts. An envelope with unknown fields or
/// with more than one signature is an error.
const PREDICATE: &str = "| jq -r 'if keys == [\"payload\",\"payloadType\",\"signatures\"] and (.signatures | length) == 1 \
    then .payload else error(\"unknown fields or signatures\") end' | base64 -d | jq .predicate";

/// What the caller gave in place of what the release itself has.
#[derive(Clone, Copy, Default)]
pub struct Given<'a> {
    /// The file with the public key; `None` for the commit's.
    pub key: Option<&'a Path>,
    /// The directory that holds the image; `None` for the registry.
    pub layout: Option<&'a Path>,
}

/// Adds the commands to the claims of one release. `digest` is the image that was verified.
pub fn add(release: &Release<'_>, digest: Option<&Digest>, given: Given<'_>, claims: &mut [Claim]) {
    let Source { tag, commit, is_tagged, .. } = release.source;
    // The key in the work tree may be a different one by now.
    let key = given.key.map_or_else(|| format!("{tag}.pub"), |key| key.display().to_string());
    let revision = if *is_tagged { tag.to_string() } else { commit.to_string() };
    let fetch = format!("git show {revision}:{PUBLIC_KEY} > {key} && ");
    let release = &Release { key_name: &key, ..*release };
    for claim in claims {
        let command = command(release, digest, given.layout, claim.id);
        claim.by_hand = command.map(|command| match given.key {
            None if command.contains(&format!("--key {key} ")) => fetch.clone() + &command,
            _ => command,
        });
    }
}

const INSPECT: &str = "docker buildx imagetools inspect";

/// The command for a claim about the image. For an image in a directory, there are only the commands that cosign can
/// run on a directory.
fn of_image(release: &Release<'_>, digest: &Digest, layout: Option<&Path>, id: &str) -> Option<String> {
    let pinned = release.image.pinned(digest);
    let shown = |command: VerifyCommand| match layout {
        Some(directory) => command.of_layout(directory).of_legacy().to_string(),
        None => command.to_string(),
    };
    let [signature, provenance, sbom] = verify_commands(release, digest).map(shown);
    let platforms = release.platforms().join(" ");
    let digests = format!("$({INSPECT} --raw {pinned} | jq -r '.manifests[].digest')");
    Some(match id {
        claims::SIGNATURE => signature,
        claims::SMOKE => format!("{} {PREDICATE}", shown(test_result_command(release, digest))),
        claims::SBOM | claims::SBOM_COMPONENTS => format!("{sbom} {PREDICATE}"),
        claims::PROVENANCE_INPUTS => format!(
            "{provenance} {PREDICATE}.buildDefinition.resolvedDependencies,\
             .predicate.buildDefinition.internalParameters.network; git show {}:Dockerfile | sha256sum",
            release.source.tag
        ),
        _ if id.starts_with(claims::PROVENANCE) => format!("{provenance} {PREDICATE}"),
        _ if layout.is_some() => return None,
        claims::SIGNATURE_PLATFORMS => format!(
            "for each in {digests}; do {}@$each; done",
            signature.trim_end_matches(&format!("@{digest}"))
        ),
        claims::ATTACHMENTS => {
            format!("for each in {digest} {digests}; do cosign tree {}@$each; done", release.image)
        }
        claims::IMAGE_PRESENT => {
            format!("for each in {platforms}; do docker pull --platform $each {pinned}; done")
        }
        claims::IMAGE_PLATFORMS => format!("{INSPECT} {pinned}"),
        claims::IMAGE_LABELS => format!("{INSPECT} {pinned} --format '{{{{json .Image}}}}'"),
        // This unpacks every layer and compares it with the config, as the claim does.
        claims::IMAGE_CONTENT => format!("crane validate --remote {pinned}"),
        // This prints the added layers as lines that begin with `>`. They must come after all of the base image's.
        claims::IMAGE_BASE => format!(
            "layers() {{ crane manifest --platform $1 $2 | jq -r '.layers[].digest'; }}; for each in {platforms}; do \
             diff <(layers $each {}) <(layers $each {pinned}); done",
            quote(&release.inputs.base.last.reference)
        ),
        claims::IMAGE_MACHINE => format!(
            "for each in {platforms}; do mkdir -p root/$each && crane export --platform $each {pinned} - | \
             tar --extract --directory root/$each; done; find root -name '*.node' -exec file {{}} +"
        ),
        _ => return None,
    })
}

fn command(
    release: &Release<'_>,
    digest: Option<&Digest>,
    layout: Option<&Path>,
    id: &str,
) -> Option<String> {
    if let Some(command) = digest.and_then(|digest| of_image(release, digest, layout, id)) {
        return Some(command);
    }
    let (image, tag) = (release.image, &release.source.tag);
    let repository = release.config.source_url();
    match id {
        claims::TAG_IMAGE => Some(format!("{INSPECT} {}", image.tagged(&tag.registry_tag()))),
        claims::TAG_GIT => {
            Some(format!("git ls-remote {} 'refs/tags/{tag}' 'refs/tags/{tag}^{{}}'", quote(&repository)))
        }
        claims::PAGE_STATE | claims::PAGE_IMAGE | claims::PAGE_COMMANDS => {
            Some(format!("{repository}/releases/tag/{tag}"))
        }
        claims::PAGE_ASSETS => Some(page::file_commands(release).join(" && ")),
        claims::LATEST => Some(format!("{INSPECT} {}", image.tagged(&Tag::latest()))),
        claims::REBUILD => Some(format!("cargo xtask verify {tag} --rebuild")),
        _ => of_clone(release.source, id),
    }
}

/// The command for a claim that is judged from a clone.
fn of_clone(Source { tag, commit, .. }: &Source, id: &str) -> Option<String> {
    match id {
        claims::SOURCE_BRANCH => {
            Some(format!("git fetch origin && git branch --remotes --contains {commit}"))
        }
        claims::TAG_SIGNED => Some(format!(
            "git show origin/HEAD:{ALLOWED_SIGNERS} > allowed_signers && \
             git -c gpg.ssh.allowedSignersFile=allowed_signers verify-tag --format='%(tag) %(object)' {tag} \
             $(git tag --list {})",
            SignedTag::Approval(tag)
        )),
        // Before the first rotation there is no history, and both fingerprints have to be the same.
        claims::KEY_HISTORY => Some(format!(
            "for each in {tag} origin/HEAD; do git show $each:{PUBLIC_KEY} | openssl pkey -pubin -outform DER | \
             sha256sum; done; git grep -h '' origin/HEAD -- {HISTORY} || echo 'no {HISTORY}'"
        )),
        claims::KEY_CONTINUITY => Some(format!("git log --patch {tag} -- {PUBLIC_KEY} {DIRECTORY}")),
        _ => None,
    }
}

//! The sections of a page about the image, and their commands.

use anyhow::Result;

use super::{Format, IMAGE_HEADING};
use crate::evidence::assets::{self, SUMS};
use crate::evidence::commands::{sums_command, verify_commands};
use crate::evidence::provenance::Smoked;
use crate::inputs::config::Visibility;
use crate::inputs::release::Release;
use crate::oci::reference::Digest;

/// The commands for a reader to paste: the lines in the fenced blocks of a page in that format.
#[must_use]
pub fn commands(
    format: Format,
    release: &Release<'_>,
    key_address: Option<&str>,
    digest: &Digest,
) -> Vec<String> {
    let cosign = verify_commands(release, digest).map(|command| command.to_string());
    let of_files = match format {
        Format::Two if key_address.is_some() => file_commands(release).to_vec(),
        Format::One | Format::Two => Vec::new(),
    };
    let commands = [pull(release, digest)].into_iter().chain(key_address.map(fetch_key)).chain(cosign);
    commands.chain(of_files).collect()
}

fn pull(release: &Release<'_>, digest: &Digest) -> String {
    format!("docker pull {}", release.image.pinned(digest))
}

fn fetch_key(address: &str) -> String {
    format!("curl -fsSLO {address}")
}

pub(super) fn image_section(release: &Release<'_>, digest: &Digest, smoked: &Smoked) -> String {
    let tried = match smoked.sentences() {
        none if none.is_empty() => none,
        sentences => format!("\n{sentences}\n"),
    };
    let hidden = match release.config.visibility {
        Visibility::Public => "",
        Visibility::Private => {
            "\nThe image is private: each of the commands here needs a login first, with `docker login`.\n"
        }
    };
    format!(
        "{IMAGE_HEADING}\n```sh\n{}\n```\n\n`{}` names the same image; only the digest can never name another.\n{hidden}{tried}",
        pull(release, digest),
        release.tagged()
    )
}

pub(super) fn verify_section(
    release: &Release<'_>,
    key_address: Option<&str>,
    digest: &Digest,
    repository: &str,
) -> String {
    let fetch = key_address.map(fetch_key).map_or(String::new(), |command| {
        format!("Run this in a checkout of this repository, or fetch the public key of the released commit first:\n\n```sh\n{command}\n```\n\n")
    });
    let commands: String =
        verify_commands(release, digest).iter().map(|command| format!("{command}\n")).collect();
    format!(
        "## Verify\n\n{fetch}The signature, the SLSA provenance and the SBOM, with cosign 2.5 or 3.1:\n\n```sh\n{commands}```\n\n\
         What each of them proves, and what it does not: \
         [docs/verifying.md]({repository}/src/commit/{}/docs/verifying.md).\n",
        release.source.commit
    )
}

/// Commands that download the files of a page and check them without any other request.
#[must_use]
pub fn file_commands(release: &Release<'_>) -> [String; 3] {
    let tag = release.tag();
    let base = format!("{}/releases/download/{tag}", release.config.source_url());
    [
        // curl expands the braces, so the shell must not.
        format!("curl -fsSLO '{base}/{{{}}}'", assets::names(tag).join(",")),
        sums_command(release).to_string(),
        format!("sha256sum -c {SUMS}"),
    ]
}

pub(super) fn files_section(release: &Release<'_>, key_address: Option<&str>) -> String {
    // Without an address, the forge serves no files either.
    if key_address.is_none() {
        return "\nThe attestations, the SBOM and their digests, signed by the key, are files beside this page.\n".to_owned();
    }
    format!(
        "\nOr without the registry, by the files of this page, whose digests the key signs:\n\n\
         ```sh\n{}\n```\n",
        file_commands(release).join("\n")
    )
}

pub(super) fn inputs_section(release: &Release<'_>, repository: &str) -> Result<String> {
    let Release { source, inputs, .. } = release;
    let base = &inputs.base.last;
    let replaced: String = release
        .replaced()
        .iter()
        .map(|(pinned, image)| {
            format!("\nThe base image `{pinned}` was replaced by a stand-in, `{image}`.\n")
        })
        .collect();
    let (path, lockfile) = inputs.package_lock()?;
    let commit = &source.commit;
    Ok(format!(
        "## Made from\n\n| input | digest |\n|---|---|\n\
         | source | [`{commit}`]({repository}/commit/{commit}) |\n\
         | base image `{}:{}` | `{}` |\n\
         | `{path}` | `{lockfile}` |\n{replaced}",
        base.name, base.tag, base.digest
    ))
}

//! Step 12, the release page: what changed, how to get the image, and how to check it.

use anyhow::Result;

use crate::forge::{Page, PublishedPage};
use crate::inputs::PUBLIC_KEY;
use crate::notes;
use crate::provenance::Smoked;
use crate::reference::Digest;
use crate::release::{Release, build};

/// Writes the page: the same release gives the same text. `smoked` is what the provenance says of how the image was tried.
///
/// # Errors
/// When git does not answer.
pub fn write(release: &Release<'_>, digest: &Digest, smoked: &Smoked) -> Result<Page> {
    let Release { session, target, source, .. } = release;
    let repository = session.config.source_url();
    let is_of_work_tree = target.invocation.is_of_work_tree();
    let body = format!(
        "{}{}\n{}\n{}\n{}",
        if is_of_work_tree { WORK_TREE } else { "" },
        notes::section(session.git, session.config, source)?,
        image_section(release, digest, smoked),
        verify_section(release, digest, &repository),
        inputs_section(release, &repository)?,
    );
    Ok(Page {
        tag: source.tag.clone(),
        commit: source.commit.clone(),
        title: format!(
            "{} {}{}",
            session.config.title,
            source.tag,
            if is_of_work_tree { " (work tree)" } else { "" }
        ),
        body,
        prerelease: !source.tag.is_stable(),
    })
}

/// Whether the published page says what `expected` says about the image, to everyone: a person may have added words to it.
#[must_use]
pub fn says_the_same(found: &PublishedPage, expected: &Page) -> bool {
    found.page.body.contains(promises(&expected.body))
        && found.page.prerelease == expected.prerelease
        && !found.draft
}

/// The part of the page that must stand as it was written: everything below the changes.
#[must_use]
pub fn promises(body: &str) -> &str {
    body.find(IMAGE_HEADING).map_or(body, |start| &body[start..])
}

/// The first words of a page about a work tree.
const WORK_TREE: &str =
    "A rehearsal of the work tree: the commit that is named here is in no repository.\n\n";

const IMAGE_HEADING: &str = "## Image\n";

/// Whether a page has the part about an image that [`write`] gives it, whoever else wrote the rest.
#[must_use]
pub fn has_image_part(body: &str) -> bool {
    body.contains(&format!("{IMAGE_HEADING}\n```sh\ndocker pull "))
}

/// What a reader is given to paste: the lines of the page's fenced blocks.
#[must_use]
pub fn commands(release: &Release<'_>, digest: &Digest) -> Vec<String> {
    let cosign = release.verify_commands(digest).into_iter().map(|command| command.to_string());
    [pull(release, digest)].into_iter().chain(fetch_key(release)).chain(cosign).collect()
}

fn pull(release: &Release<'_>, digest: &Digest) -> String {
    format!("docker pull {}", release.target.image.pinned(digest))
}

fn fetch_key(release: &Release<'_>) -> Option<String> {
    let address = release.target.forge.raw_address(&release.source.commit, PUBLIC_KEY)?;
    Some(format!("curl -fsSLO {address}"))
}

fn image_section(release: &Release<'_>, digest: &Digest, smoked: &Smoked) -> String {
    let tried = match smoked.sentences() {
        none if none.is_empty() => none,
        sentences => format!("\n{sentences}\n"),
    };
    let tagged = release.target.image.tagged(&release.source.tag.registry_tag());
    format!(
        "{IMAGE_HEADING}\n```sh\n{}\n```\n\n`{tagged}` names the same image; only the digest can never name another.\n{tried}",
        pull(release, digest)
    )
}

fn verify_section(release: &Release<'_>, digest: &Digest, repository: &str) -> String {
    let fetch = fetch_key(release).map_or(String::new(), |command| {
        format!("Run this in a checkout of this repository, or fetch the public key of the released commit first:\n\n```sh\n{command}\n```\n\n")
    });
    let commands: String =
        release.verify_commands(digest).iter().map(|command| format!("{command}\n")).collect();
    format!(
        "## Verify\n\n{fetch}The signature, the SLSA provenance and the SBOM, with cosign 2.5 or 3.1:\n\n```sh\n{commands}```\n\n\
         What each of them proves, and what it does not: \
         [docs/verifying.md]({repository}/src/commit/{}/docs/verifying.md).\n",
        release.source.commit
    )
}

fn inputs_section(release: &Release<'_>, repository: &str) -> Result<String> {
    let Release { target, source, inputs, .. } = release;
    let base = &inputs.base.last;
    let replaced: String = build::stand_ins(target, inputs)
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

//! The release page: what changed, how to get the image, and how to check it.

mod format;

use anyhow::Result;

use crate::evidence::commands::verify_commands;
use crate::evidence::notes;
use crate::evidence::provenance::Smoked;
use crate::inputs::config::Visibility;
use crate::inputs::history::History;
use crate::inputs::release::Release;
use crate::inputs::version::ReleaseTag;
use crate::inputs::words;
use crate::oci::reference::Digest;
use crate::tool::git::Commit;

pub use format::{Format, Newer};

/// A release page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// The tag that it is about.
    pub tag: ReleaseTag,
    /// What the tag points at.
    pub commit: Commit,
    /// Its title.
    pub title: String,
    /// Markdown.
    pub body: String,
    /// Shown as a pre-release, and never as the latest one.
    pub prerelease: bool,
}

/// A page as a forge has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublishedPage {
    /// The forge's own number for it.
    pub id: u64,
    /// What it says.
    pub page: Page,
    /// Not visible to the public.
    pub draft: bool,
    /// Where a person reads it.
    pub address: String,
}

/// What a page says beside what the commit and the image say.
pub struct Details<'a> {
    /// The commits since the previous release.
    pub history: &'a History,
    /// Where anyone gets the public key, if the forge serves files.
    pub key_address: Option<&'a str>,
    /// It is of a work tree, and of no commit that is in a repository.
    pub is_of_work_tree: bool,
    /// Those of this image and of the previous release's, where they were asked for.
    pub sizes: Option<&'a notes::Sizes>,
}

/// Writes the page in a format: the same release gives the same text. `smoked` is what the provenance says of how the image
/// was tried.
///
/// # Errors
/// When the inputs name no lockfile.
pub fn write(
    format: Format,
    release: &Release<'_>,
    details: &Details<'_>,
    digest: &Digest,
    smoked: &Smoked,
) -> Result<Page> {
    let Release { config, source, .. } = release;
    let changes = match format {
        Format::One => {
            let groups = &config.notes.groups;
            notes::section(Some(&config.source_url()), groups, &source.tag, details.history, details.sizes)
        }
    };
    let above = if details.is_of_work_tree { WORK_TREE } else { "" };
    let generated = generated(format, release, details.key_address, digest, smoked)?;
    let body = format!("{above}{changes}\n{generated}");
    let work_tree = if details.is_of_work_tree { " (work tree)" } else { "" };
    Ok(Page {
        tag: source.tag.clone(),
        commit: source.commit.clone(),
        title: format!("{} {}{work_tree}", config.title, source.tag),
        body,
        prerelease: !source.tag.is_stable(),
    })
}

/// The part about the image, in a format: from its heading to the end of the page.
///
/// # Errors
/// As [`write`].
pub fn generated(
    format: Format,
    release: &Release<'_>,
    key_address: Option<&str>,
    digest: &Digest,
    smoked: &Smoked,
) -> Result<String> {
    let repository = release.config.source_url();
    let text = match format {
        Format::One => format!(
            "{}\n{}\n{}",
            image_section(release, digest, smoked),
            verify_section(release, key_address, digest, &repository),
            inputs_section(release, &repository)?,
        ),
    };
    Ok(format!("{text}\n{}\n", format.mark()))
}

/// Whether the published page ends with what `expected`, in the same format, says about the image, to everyone: a person may
/// have added words above it, in a browser that ends lines in its own way.
#[must_use]
pub fn says_the_same(found: &PublishedPage, expected: &Page) -> bool {
    ends_with(&found.page.body, promises(&expected.body))
        && found.page.prerelease == expected.prerelease
        && !found.draft
}

/// Whether a page's text ends with `generated`, and has no such part above that.
#[must_use]
pub fn ends_with(body: &str, generated: &str) -> bool {
    promises(&body.replace("\r\n", "\n")).trim_end() == generated.trim_end()
}

/// The part of the page that must stand as it was written: everything below the changes.
#[must_use]
pub fn promises(body: &str) -> &str {
    image_part(body).map_or(body, |start| &body[start..])
}

/// Where the first part about an image begins.
fn image_part(body: &str) -> Option<usize> {
    let mut found = body.match_indices(IMAGE_HEADING).map(|(start, _)| start);
    found.find(|start| *start == 0 || body[..*start].ends_with('\n'))
}

/// `page` with what people wrote on the page that is there, whose text is `found`: above the generated part of that, or all of
/// it where somebody made it by hand; and what they wrote below it, above it from now on.
///
/// # Errors
/// When a page that was made by hand has something that could pass for the generated part.
pub fn with_words_of(found: &str, page: Page) -> Result<Page> {
    let found = found.replace("\r\n", "\n");
    let generated = promises(&page.body);
    let (above, rest) = match image_part(&found) {
        Some(start) => (found[..start].to_owned(), generated),
        None => (words::read(found.as_bytes())?, page.body.as_str()),
    };
    let mark = Format::NEWEST.mark();
    let below = found.rfind(&mark).map_or("", |start| &found[start + mark.len()..]);
    let parts = [above.trim(), below.trim(), rest.trim_end()];
    let parts: Vec<_> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    Ok(Page { body: format!("{}\n", parts.join("\n\n")), ..page })
}

/// The first words of a page about a work tree.
const WORK_TREE: &str =
    "A rehearsal of the work tree: the commit that is named here is in no repository.\n\n";

const IMAGE_HEADING: &str = "## Image\n";

/// Whether a page has the part about an image that [`write`] gives it; the rest may be by others.
#[must_use]
pub fn has_image_part(body: &str) -> bool {
    pulled(body).is_some()
}

/// What the part about the image has after `docker pull`, where there is such a part.
#[must_use]
pub fn pulled(body: &str) -> Option<&str> {
    let (_, rest) = body.split_once(&format!("{IMAGE_HEADING}\n```sh\ndocker pull "))?;
    rest.lines().next()
}

/// What a reader is given to paste: the lines of the fenced blocks of a page in that format.
#[must_use]
pub fn commands(
    format: Format,
    release: &Release<'_>,
    key_address: Option<&str>,
    digest: &Digest,
) -> Vec<String> {
    match format {
        Format::One => {
            let cosign = verify_commands(release, digest).map(|command| command.to_string());
            [pull(release, digest)].into_iter().chain(key_address.map(fetch_key)).chain(cosign).collect()
        }
    }
}

fn pull(release: &Release<'_>, digest: &Digest) -> String {
    format!("docker pull {}", release.image.pinned(digest))
}

fn fetch_key(address: &str) -> String {
    format!("curl -fsSLO {address}")
}

fn image_section(release: &Release<'_>, digest: &Digest, smoked: &Smoked) -> String {
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

fn verify_section(
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

fn inputs_section(release: &Release<'_>, repository: &str) -> Result<String> {
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

#[cfg(test)]
mod tests {
    use super::{Format, Page, PublishedPage, promises, says_the_same, with_words_of};
    use crate::tool::git::Commit;

    fn page(body: &str) -> Page {
        Page {
            tag: "v1.0.0".parse().unwrap(),
            commit: Commit::parse(&"a".repeat(40)).unwrap(),
            title: "carol v1.0.0".to_owned(),
            body: body.to_owned(),
            prerelease: false,
        }
    }

    fn found(body: &str, expected: &Page) -> bool {
        let page = page(body);
        says_the_same(&PublishedPage { id: 1, page, draft: false, address: String::new() }, expected)
    }

    #[test]
    fn a_person_may_add_text_above_and_nowhere_else() {
        let mark = Format::NEWEST.mark();
        let expected = page(&format!("## Changes\n\n- one\n\n## Image\n\npromise\n\n{mark}\n"));
        assert!(promises(&expected.body).ends_with(&format!("promise\n\n{mark}\n")));
        let found = |body: &str| found(body, &expected);
        let body = &expected.body;
        assert!(found(body) && found(body.trim_end()));
        assert!(found(&body.replace("- one", "- one, which was a lot of work")));
        assert!(found(&format!("Hello!\n\n### Image\n\nA picture.\n\n{body}")));
        assert!(found(&body.replace('\n', "\r\n")), "as a browser sends it");
        assert!(!found(&format!("{body}\nThanks to everyone.\n")), "it does not end with its own part");
        assert!(!found(&format!("## Image\n\nanother\n\n{body}")), "another part above it");
        assert!(!found(&body.replace("promise", "promise!")));
        assert!(!found(&body.replace(&mark, "")), "the mark is a part of it");
        assert!(!found(&body.replace(&mark, "<!-- page format 2 -->")));
    }

    #[test]
    fn what_people_wrote_is_kept_when_a_page_is_written_again() {
        let mark = Format::NEWEST.mark();
        let generated = format!("## Image\n\npromise\n\n{mark}\n");
        let expected = page(&format!("## Changes\n\n- one\n\n{generated}"));
        let written = |body: &str| with_words_of(body, expected.clone()).unwrap().body;
        assert_eq!(written(""), expected.body);
        assert_eq!(written(&expected.body), expected.body, "nobody wrote anything");
        let by_hand = "We are *very* happy.\r\n\r\n### Image\r\n\r\nA picture.\r\n";
        let kept = format!("We are *very* happy.\n\n### Image\n\nA picture.\n\n{}", expected.body);
        assert_eq!(written(by_hand), kept, "a page that was made by hand");
        let other = format!("Words.\n\n- one, by hand\n\n## Image\n\nanother\n\n{mark}\n\nThanks.\n");
        assert_eq!(written(&other), format!("Words.\n\n- one, by hand\n\nThanks.\n\n{generated}"));
        for body in [written(by_hand), written(&other)] {
            assert!(found(&body, &expected), "{body}");
            assert_eq!(written(&body), body, "once more is the same");
        }
        for bad in ["```sh\ncurl x | sh\n```", "<details>", "## Verify", "docker pull x@sha256:ab"] {
            assert!(with_words_of(bad, expected.clone()).is_err(), "{bad}");
        }
    }
}

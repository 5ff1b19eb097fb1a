//! The release page: the changes, how to get the image, and how to check it.

mod format;
mod kept;
mod sections;

use anyhow::Result;

use crate::evidence::assets::{Listed, names};
use crate::evidence::notes;
use crate::evidence::provenance::Smoked;
use crate::inputs::history::History;
use crate::inputs::release::Release;
use crate::inputs::version::ReleaseTag;
use crate::oci::reference::{Digest, Image};
use crate::tool::git::Commit;

pub use format::{Format, Newer};
pub use kept::{check_words, with_words_of};
pub use sections::{commands, file_commands};
use sections::{files_section, image_section, inputs_section, verify_section};

/// A release page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// Its tag.
    pub tag: ReleaseTag,
    /// The commit of the tag.
    pub commit: Commit,
    /// Its title.
    pub title: String,
    /// The text, in Markdown.
    pub body: String,
    /// Whether it is shown as a pre-release, and never as the latest release.
    pub prerelease: bool,
}

/// A page on a forge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublishedPage {
    /// The forge's own id for it.
    pub id: u64,
    /// Its contents.
    pub page: Page,
    /// Whether it is hidden from the public.
    pub draft: bool,
    /// The address for a person.
    pub address: String,
    /// Its files, in no particular order.
    pub assets: Vec<Listed>,
}

/// The notice in a draft whose files are not uploaded yet. Everybody may see it: the forge shows a draft to the
/// public if its tag is pushed again.
const UNFINISHED: &str =
    "This release is not complete yet: its files are missing. Running it again completes it.";

/// The text between this notice and the name of the image.
const NAMED: &str = "\nThe image is `";

impl Page {
    /// The draft of this page, to which its files are uploaded. It names none of them, only the image, which is
    /// already public.
    #[must_use]
    pub fn unfinished(&self) -> Self {
        let image = pulled(&self.body).map_or_else(String::new, |image| format!("{NAMED}{image}`.\n"));
        Self { body: format!("{UNFINISHED}\n{image}"), ..self.clone() }
    }
}

/// The parts of a text that [`Page::unfinished`] made.
struct Unfinished<'a> {
    /// What people have added before and after it.
    around: (&'a str, &'a str),
    /// The image that it names. Another run of the same release may have named an image with another digest.
    image: Option<&'a str>,
}

impl<'a> Unfinished<'a> {
    fn of(body: &'a str) -> Option<Self> {
        let (before, after) = body.split_once(UNFINISHED)?;
        let named = after.strip_prefix('\n').and_then(|rest| rest.strip_prefix(NAMED)?.split_once('`'));
        Some(match named {
            Some((image, rest)) => {
                let around = (before, rest.strip_prefix('.').unwrap_or(rest));
                Self { around, image: Some(image) }
            }
            None => Self { around: (before, after), image: None },
        })
    }
}

impl PublishedPage {
    /// Whether its text is that of [`Page::unfinished`], even if people have added to it.
    #[must_use]
    pub fn is_unfinished(&self) -> bool {
        self.page.body.contains(UNFINISHED)
    }

    /// Whether the page has the part about the image, and each file that its commands name. Only pages of the second
    /// format have such commands.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        let has = |name: &String| self.assets.iter().any(|listed| listed.name == *name);
        let names_files = Format::of(&self.page.body) == Ok(Format::Two);
        has_image_part(&self.page.body) && (!names_files || names(&self.page.tag).iter().all(has))
    }
}

/// What a page says besides the contents of the commit and the image.
pub struct Details<'a> {
    /// The history since the previous release.
    pub history: &'a History,
    /// The address of the public key, if the forge serves files.
    pub key_address: Option<&'a str>,
    /// Whether the page is about a work tree, whose commit is not in a repository.
    pub is_of_work_tree: bool,
    /// The sizes of this image and of the previous release's, if they were requested.
    pub sizes: Option<&'a notes::Sizes>,
}

/// Writes the page in the given format. The same release gives the same text. `smoked` says how the image was tested,
/// as in the provenance.
///
/// # Errors
/// When the lockfile is not among the inputs.
pub fn write(
    format: Format,
    release: &Release<'_>,
    details: &Details<'_>,
    digest: &Digest,
    smoked: &Smoked,
) -> Result<Page> {
    let Release { config, source, .. } = release;
    let changes = match format {
        Format::One | Format::Two => {
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

/// The part about the image, in the given format. It extends from its heading to the end of the page.
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
    let files = match format {
        Format::One => String::new(),
        Format::Two => files_section(release, key_address),
    };
    let text = format!(
        "{}\n{}{files}\n{}",
        image_section(release, digest, smoked),
        verify_section(release, key_address, digest, &repository),
        inputs_section(release, &repository)?,
    );
    Ok(format!("{text}\n{}\n", format.mark()))
}

/// Whether the published page is visible, has the same pre-release mark as `expected`, and ends with the same part
/// about the image. Both must have the same format. People may have added words above that part, in a browser with
/// other line endings.
#[must_use]
pub fn has_same_content(found: &PublishedPage, expected: &Page) -> bool {
    ends_with(&found.page.body, generated_part(&expected.body))
        && found.page.prerelease == expected.prerelease
        && !found.draft
}

/// Whether a page's text ends with `generated`, and has no other part about an image above it.
#[must_use]
pub fn ends_with(body: &str, generated: &str) -> bool {
    generated_part(&body.replace("\r\n", "\n")).trim_end() == generated.trim_end()
}

/// The part of the page that must stay as it was written: everything below the changes.
#[must_use]
pub fn generated_part(body: &str) -> &str {
    image_part(body).map_or(body, |start| &body[start..])
}

/// The beginning of the first part about an image.
fn image_part(body: &str) -> Option<usize> {
    image_parts(body).next()
}

fn image_parts(body: &str) -> impl Iterator<Item = usize> {
    let found = body.match_indices(IMAGE_HEADING).map(|(start, _)| start);
    found.filter(|start| *start == 0 || body[..*start].ends_with('\n'))
}

/// The beginning of the generated part: the last part about an image, if it begins as a release writes it or has the
/// mark of a format. A part with neither is text of a person who chose the same heading.
fn own_part(body: &str) -> Option<usize> {
    let start = image_parts(body).last()?;
    let part = &body[start..];
    (part.starts_with(PULL) || Format::is_marked(part)).then_some(start)
}

/// The first words of a page about a work tree.
const WORK_TREE: &str =
    "A rehearsal of the work tree: the commit that is named here is in no repository.\n\n";

/// The heading of the changes: the only one of its level above the part about the image.
pub const CHANGES_HEADING: &str = "## Changes";

const IMAGE_HEADING: &str = "## Image\n";

/// The beginning of the part about the image, up to the image's name.
const PULL: &str = "## Image\n\n```sh\ndocker pull ";

/// Whether a page has the part about an image that [`write`] makes. Other people may have written the rest.
#[must_use]
pub fn has_image_part(body: &str) -> bool {
    own_part(&body.replace("\r\n", "\n")).is_some()
}

/// Whether a reader finds the name of `image` or a digest anywhere on the page, under any heading.
#[must_use]
pub fn names_image(found: &str, image: &Image) -> bool {
    const DIGEST: &str = "sha256:";
    let body = found.to_ascii_lowercase();
    let is_digest = |(start, _): (usize, &str)| {
        let hex = body[start + DIGEST.len()..].bytes().take_while(u8::is_ascii_hexdigit);
        hex.count() >= 64
    };
    has_image_part(found) || body.contains(&image.to_string()) || body.match_indices(DIGEST).any(is_digest)
}

/// The image that a page names: the text after `docker pull` in the part about the image, unless there is no such
/// part or that line was changed. For an unfinished page, the image in its notice.
#[must_use]
pub fn pulled(body: &str) -> Option<String> {
    let body = body.replace("\r\n", "\n");
    if let Some(unfinished) = Unfinished::of(&body) {
        return unfinished.image.map(str::to_owned);
    }
    let rest = body[own_part(&body)?..].strip_prefix(PULL)?;
    rest.lines().next().map(str::to_owned)
}

#[cfg(test)]
mod tests;

//! A version tag exists but does not verify as this release: only a person can decide what to do.

use anyhow::{Error, Result};

use crate::build::rebuilt::Rebuilt;
use crate::evidence::page::{self, Format, Page, PublishedPage};
use crate::inputs::pin::document;
use crate::oci::reference::Digest;
use crate::process::failure::Refusal;
use crate::process::interrupt;
use crate::release::Context;
use crate::release::step::Step;

/// The refusal when claims about the public image `digest` are false: a conflict that only a person can resolve.
/// `text` describes these claims, and `is_signed` says whether the image's signature is the release's. The refusal
/// names both images: the public one, and the one that the tagged commit gives here. The conflict is reported before
/// the commit is built again for that comparison. If a signal ends the build, the error is that signal.
pub(super) fn refusal(context: &Context<'_>, digest: &Digest, text: &str, is_signed: bool) -> Error {
    let name = context.release.tagged();
    context.session.steps.line("conflict", &format!("`{name}` is public as `{digest}`: {text}"));
    let build = || compare(context, digest);
    let compared = context.step(Step::Compare, "builds the commit, and pushes nothing", build);
    conflict(&name, digest, text, is_signed, compared)
}

/// Checks an existing page before anything is signed. A version that was published once is not published again as
/// another image, even if the registry no longer has the first one: its page names what people have pulled. And the
/// text that people wrote on the page must be able to stay there, above the part about the image.
///
/// # Errors
/// A [`Refusal`] when the page names an image other than `digest`, which this run made, or when its words cannot stay;
/// other errors when the forge does not answer.
pub(super) fn check_page(context: &Context<'_>, digest: &Digest) -> Result<()> {
    let Some(page) = context.target.forge.page(context.release.tag())? else { return Ok(()) };
    match refused_page(&page, digest, &context.release.tagged()) {
        Some(text) => Err(Refusal::new(text).into()),
        None => Ok(()),
    }
}

/// Why a release of `digest` cannot use the existing page `found`; `None` if it can. `tagged` is the image's name
/// with its version tag, which the registry does not have.
fn refused_page(found: &PublishedPage, digest: &Digest, tagged: &str) -> Option<String> {
    let PublishedPage { page: Page { tag, body, .. }, address, .. } = found;
    let other = match page::pulled(body) {
        Some(named) if named.ends_with(digest.as_str()) => None,
        Some(named) => Some(format!("`{named}`")),
        None if found.draft || !page::has_image_part(body) => None,
        None => Some("an image that cannot be read, because that part was changed".to_owned()),
    };
    if let Some(named) = other {
        return Some(format!(
            "{tag} was published before: its page names {named}, the commit gives `{digest}`, and the registry has no `{tagged}`; \
             nothing public was changed. A version is never published twice: find out who removed it, then release the next one \
             ({address})"
        ));
    }
    // The page of a newer xtask stays as it is.
    if Format::of(body).is_err() {
        return None;
    }
    let bad = page::check_words(body).err()?;
    Some(format!(
        "the page of {tag} is there already, and what people wrote on it cannot stay: {bad:#}; nothing public was changed: \
         change that in the browser ({address}), then run the same command again"
    ))
}

/// Builds the commit and describes how its image differs from the one with `digest`; `None` if they are the same.
fn compare(context: &Context<'_>, digest: &Digest) -> Result<Option<String>> {
    let ours = Rebuilt::of(&context.build, context.session.runner)?;
    let theirs = context.tools.registry.content_of(digest)?;
    let other = ours.content.difference(&theirs);
    Ok(other.map(|platform| format!("the commit gives `{}`, with another image for {platform}", ours.digest)))
}

fn conflict(
    name: &str,
    digest: &Digest,
    text: &str,
    is_signed: bool,
    compared: Result<Option<String>>,
) -> Error {
    const PUSHED: &str = "find out who pushed it, then release the next version, or delete this one in the registry if it \
        was never released";
    const BESIDE: &str = concat!(
        "correct what is reported above (`xtask verify` explains each claim), then run the same command again; if the registry \
         has lost something, see ",
        document!("releasing.md#lost-data")
    );
    const UNSIGNED: &str = concat!(
        "find out who pushed it, then release the next version; if the registry has lost its signature, see ",
        document!("releasing.md#lost-data")
    );
    let (ours, next) = match compared {
        Ok(None) if is_signed => {
            ("the commit gives the same image, which is signed as this release".to_owned(), BESIDE)
        }
        Ok(None) => {
            ("the commit gives the same image, but it is not signed as this release".to_owned(), UNSIGNED)
        }
        Ok(Some(ours)) => (ours, PUSHED),
        Err(error) if interrupt::is_cause_of(&error) => return error,
        Err(error) => (format!("could not build the commit to compare: {error:#}"), PUSHED),
    };
    Refusal::new(format!(
        "`{name}` is public as `{digest}` and does not verify as this release: {text}\n\
         {ours}; the image was left as it is: {next}"
    ))
    .into()
}

#[cfg(test)]
mod tests {
    use super::{conflict, refused_page};
    use crate::evidence::page::{Page, PublishedPage};
    use crate::oci::reference::Digest;
    use crate::process::failure::exit_code;
    use crate::process::interrupt::Interrupted;
    use crate::tool::git::Commit;
    use anyhow::{Context as _, anyhow};

    #[test]
    fn a_signal_during_the_rebuild_is_not_a_refusal() {
        let of = |compared| conflict("x:v1.0.0", &Digest::of(b"x"), "`signature` is false", false, compared);
        assert_eq!(exit_code(&of(Ok(Some("the commit gives another".to_owned())))), 3);
        let failed = of(Err(anyhow!("no space left")));
        assert_eq!(exit_code(&failed), 3);
        assert!(
            failed.to_string().contains("`signature` is false") && failed.to_string().contains("no space")
        );
        let stopped = Err::<Option<String>, _>(Interrupted::by(2)).context("building");
        assert_eq!(exit_code(&of(stopped)), 130);
    }

    #[test]
    fn deleting_the_releases_own_image_is_never_suggested() {
        for (is_signed, compared, is_foreign) in [
            (true, None, false),
            (false, None, true),
            (true, Some("another".to_owned()), true),
            (false, Some("another".to_owned()), true),
        ] {
            let is_same = compared.is_none();
            let said = conflict("x:v1.0.0", &Digest::of(b"x"), "`tag.git` is false", is_signed, Ok(compared));
            let said = said.to_string();
            assert_eq!(said.contains("who pushed it"), is_foreign, "{said}");
            assert_eq!(said.contains("run the same command again"), !is_foreign, "{said}");
            assert_eq!(said.contains("docs/releasing.md#lost-data"), is_same, "{said}");
        }
    }

    #[test]
    fn an_existing_page_is_refused_if_it_names_another_image_or_its_text_cannot_stay() {
        let digest = Digest::of(b"x");
        let mark = "<!-- page format 2 -->";
        let image = |digest: &str| format!("## Image\n\n```sh\ndocker pull x@{digest}\n```\n\n{mark}\n");
        let (ours, other) = (image(digest.as_str()), image("sha256:ab"));
        for (body, draft, words) in [
            ("We are happy.\r\n", true, None),
            ("### Highlights\n\nFaster.\n", false, None),
            (&ours, false, None),
            (&format!("Words.\n\n{ours}"), false, None),
            (&other, false, Some("was published before: its page names `x@sha256:ab`")),
            (&ours.replace("docker", "podman"), false, Some("cannot be read")),
            (
                "## What's Changed\r\n\r\n* one\r\n",
                false,
                Some("cannot stay: line 1: the page's own headings"),
            ),
            ("Words.\n\n## Highlights\n", true, Some("cannot stay: line 3: the page's own headings")),
            ("```sh\nmake\n```\n", false, Some("cannot stay: line 1: a block of code")),
            (&format!("## Image\n\nA picture.\n\n{ours}"), false, Some("cannot stay: line 1: ")),
            ("<b>x</b>\n\n<!-- page format 99 -->\n", false, None),
        ] {
            let page = Page {
                tag: "v1.0.0".parse().unwrap(),
                commit: Commit::parse(&"a".repeat(40)).unwrap(),
                title: String::new(),
                body: body.to_owned(),
                prerelease: false,
            };
            let address = "https://forge.example.org/p".to_owned();
            let found = PublishedPage { id: 1, page, draft, address, assets: Vec::new() };
            let said = refused_page(&found, &digest, "x:v1.0.0");
            let is_as_expected = said.as_deref().map_or(words.is_none(), |said| {
                words.is_some_and(|words| {
                    said.contains(words) && said.contains("(https://forge.example.org/p)")
                })
            });
            assert!(is_as_expected, "{body:?}: {said:?}");
        }
    }
}

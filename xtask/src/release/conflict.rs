//! A version tag exists but does not verify as this release: only a person can decide what to do.

use anyhow::{Error, Result};

use crate::build::rebuilt::Rebuilt;
use crate::evidence::page;
use crate::oci::reference::Digest;
use crate::process::failure::Refusal;
use crate::process::interrupt;
use crate::release::Context;
use crate::release::plan::Found;
use crate::release::state::State;
use crate::release::step::Step;

/// The refusal when a claim about a public image is false, as `state` says: a conflict that only a person can resolve.
/// It names both images: the public one, and the one that the tagged commit gives here. The conflict is reported before
/// the commit is built again for that comparison. A signal during the build ends it as a signal.
pub(super) fn refusal(context: &Context<'_>, digest: &Digest, state: &State) -> Error {
    let text = &*state.conflict;
    let name = context.release.tagged();
    context.session.steps.line("conflict", &format!("`{name}` is public as `{digest}`: {text}"));
    let build = || compare(context, digest);
    let compared = context.step(Step::Compare, "builds the commit, and pushes nothing", build);
    conflict(&name, digest, text, state.facts.signature == Found::Right, compared)
}

/// A version that was published once is not published again as another image, even if the registry no longer has the
/// first one: its page names what people have pulled. This is checked before anything is signed.
///
/// # Errors
/// A [`Refusal`] when the page names an image other than `digest`, which this run made; other errors when the forge
/// does not answer.
pub(super) fn check_page(context: &Context<'_>, digest: &Digest) -> Result<()> {
    let (tag, tagged) = (context.release.tag(), context.release.tagged());
    let page = context.target.forge.page(tag)?;
    let Some(page) = page else { return Ok(()) };
    let body = &page.page.body;
    let named = match page::pulled(body) {
        Some(named) if named.ends_with(digest.as_str()) => return Ok(()),
        Some(named) => format!("`{named}`"),
        None if page.draft || !page::has_image_part(body) => return Ok(()),
        None => "an image that cannot be read, because that part was changed".to_owned(),
    };
    Err(Refusal::new(format!(
        "{tag} was published before: its page names {named}, the commit gives `{digest}`, and the registry has no `{tagged}`; \
         nothing public was changed. A version is never published twice: find out who removed it, then release the next one ({})",
        page.address
    ))
    .into())
}

/// What the commit gives here, in words; `None` for the same image.
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
    const BESIDE: &str =
        "put right what is said above (`xtask verify` explains each claim), then run the same command again";
    let (ours, next) = match compared {
        Ok(None) if is_signed => {
            ("the commit gives the same image, which is signed as this release".to_owned(), BESIDE)
        }
        Ok(None) => {
            ("the commit gives the same image, but it is not signed as this release".to_owned(), PUSHED)
        }
        Ok(Some(ours)) => (ours, PUSHED),
        Err(error) if interrupt::is_reason(&error) => return error,
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
    use super::conflict;
    use crate::oci::reference::Digest;
    use crate::process::failure::exit_code;
    use crate::process::interrupt::Interrupted;
    use anyhow::{Context as _, anyhow};

    #[test]
    fn a_signal_during_the_rebuild_is_no_refusal() {
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
    fn nobody_is_told_to_delete_an_image_that_is_the_release_s() {
        for (is_signed, compared, is_foreign) in [
            (true, None, false),
            (false, None, true),
            (true, Some("another".to_owned()), true),
            (false, Some("another".to_owned()), true),
        ] {
            let said = conflict("x:v1.0.0", &Digest::of(b"x"), "`tag.git` is false", is_signed, Ok(compared));
            let said = said.to_string();
            assert_eq!(said.contains("who pushed it"), is_foreign, "{said}");
            assert_eq!(said.contains("run the same command again"), !is_foreign, "{said}");
        }
    }
}

//! Steps 12 to 14: the page, `latest`, and a last look at everything that is public.

use anyhow::{Context as _, Error, Result, anyhow, bail};

use crate::evidence::page::{self, Format, Page, PublishedPage};
use crate::oci::reference::Digest;
use crate::process::failure::Refusal;
use crate::process::progress::AtStep;
use crate::release::plan::{Found, Plan};
use crate::release::state::{Public, State};
use crate::release::step::Step;
use crate::release::tags::Published;
use crate::release::{Context, assets, conflict, gate, tags};
use crate::verify;
use crate::verify::known::Known;

/// The maximum number of times that these steps are done: another run of the same release may change their result.
const MAX_ROUNDS: u32 = 3;

/// The result of the last steps.
pub(super) struct Finished {
    /// The image that the version tag names.
    pub(super) digest: Digest,
    /// The page's address.
    pub(super) page: String,
    /// Whether anything had to be done.
    pub(super) changed: bool,
}

/// Everything after the version tag. Another run of the same release may move the tag to its own digest of the same
/// content, and write its own page, until both have checked the result. So if something is wrong at the end, the
/// state is read again, and these steps are repeated.
///
/// `is_put` says whether this run put the version tag.
///
/// # Errors
/// A [`Refusal`] for a conflict, if this run has changed nothing public; other errors when a step fails, or when a
/// claim is still false after all rounds.
pub(super) fn run(context: &Context<'_>, state: State, is_put: bool) -> Result<Finished> {
    let mut changed = is_put;
    rounds(context, state, &mut changed).map_err(|error| late(error, changed))
}

/// A refusal says that nothing public was changed. After a change, the same error is a failure.
fn late(error: Error, changed: bool) -> Error {
    let refusal = error.chain().find_map(|cause| cause.downcast_ref::<Refusal>()).filter(|_| changed);
    let Some(refusal) = refusal else { return error };
    let step = error.downcast_ref::<AtStep>().map_or(Step::Close.name(), AtStep::name);
    anyhow!("{refusal}").context(AtStep::new(step))
}

/// `changed` says whether this run has changed anything public.
fn rounds(context: &Context<'_>, mut state: State, changed: &mut bool) -> Result<Finished> {
    let mut round = 0;
    loop {
        round += 1;
        *changed |= state.is_repaired;
        let (page, now, moved) = page_step(context, Image::of(context, state)?)?;
        *changed |= moved;
        let Image { plan, published, known, .. } = &now;
        *changed |= latest_step(context, plan, known, published)?;
        let closed = context.step(Step::Close, "", || {
            let attested = || assets::attested(context, published);
            let Some(wrong) = verify::closed(&context.verifier(), published.digest(), attested)? else {
                let removes = plan.does(Step::Close);
                return Ok(Closed::Right(removes && tags::remove_candidates(context, known)?));
            };
            if round == MAX_ROUNDS {
                bail!("the release is public, but {wrong}");
            }
            look_again(context, published.digest())
        })?;
        match closed {
            Closed::Right(removed) => {
                let digest = published.digest().clone();
                return Ok(Finished { digest, page, changed: *changed || removed });
            }
            Closed::Again(found) => state = *found,
        }
    }
}

/// How one round of the last steps ended.
enum Closed {
    /// Everything is right; the value says whether candidates were removed.
    Right(bool),
    /// Something is wrong; the value is the present state.
    Again(Box<State>),
}

fn look_again(context: &Context<'_>, digest: &Digest) -> Result<Closed> {
    let tag = context.release.tag().registry_tag();
    let found = tags::published(&context.tools.registry, &tag, digest)?;
    let found = found.with_context(|| format!("`{}` is gone", context.release.tagged()))?;
    Ok(Closed::Again(Box::new(gate::state(context, &found)?)))
}

/// A proven public image, and what is left to do for it.
struct Image {
    plan: Plan,
    published: Published,
    /// The page as it has to be.
    page: Page,
    /// The page as it is.
    found: Option<PublishedPage>,
    known: Known,
}

impl Image {
    fn of(context: &Context<'_>, state: State) -> Result<Self> {
        let State { facts, public, page: found, known, .. } = state;
        match public {
            Public::Conflict { digest, text } => {
                Err(conflict::refusal(context, &digest, &text, facts.signature == Found::Matches))
            }
            Public::Proven(published, page) => {
                Ok(Self { plan: Plan::of(&facts), published, page, found, known })
            }
        }
    }
}

/// Returns the page's address, the image after this step, and whether the page was written. The forge marks a new
/// page as its latest, and other versions may have appeared meanwhile. So after writing the page, the state is read
/// again to see where `latest` and the mark belong.
fn page_step(context: &Context<'_>, image: Image) -> Result<(String, Image, bool)> {
    let forge = &context.target.forge;
    if let Some(found) = image.found.as_ref().filter(|_| !image.plan.does(Step::Page)) {
        match Format::of(&found.page.body) {
            Ok(_) => context.line(Step::Page, "up to date"),
            Err(newer) => context.line(Step::Page, &format!("stays as it is: {newer}")),
        }
        return Ok((found.address.clone(), image, false));
    }
    let Image { published, page, found, .. } = image;
    let (tag, title) = (context.release.tag(), page.title.clone());
    context.step(Step::Page, &title, || {
        let is_new = found.as_ref().is_none_or(PublishedPage::is_unfinished);
        let page = if is_new { context.new_page(published.proven())? } else { page };
        // A draft, so that nobody sees the page before its files are there.
        if found.is_none() {
            forge.draft(&page.unfinished())?;
        }
        assets::complete(context, &published)?;
        // People may have written on the page while its files were uploaded.
        let found = forge.page(tag)?.with_context(|| format!("the page of {tag} is gone"))?;
        let page = page::with_words_of(&found.page.body, page).with_context(|| {
            format!(
                "keeping what people wrote on {}: change that in the browser, and run this again",
                found.address
            )
        })?;
        if found.draft
            && let Some(gone) = forge.check_tag(tag, &context.release.source.commit)?
        {
            // Showing the page would create a deleted tag again.
            bail!("the page stays a draft: {}", gone.text);
        }
        forge.update(&found, &page)?;
        let address = found.address;
        let now = State::of_written(context, published)?;
        Ok((address, Image::of(context, now)?, true))
    })
}

/// Moves the registry's `latest` and the forge's own mark; returns whether one of them moved.
fn latest_step(context: &Context<'_>, plan: &Plan, known: &Known, published: &Published) -> Result<bool> {
    let detail = tags::describe_latest(known, context.release.source, plan.does(Step::Latest));
    if !plan.does(Step::Latest) && !plan.does(Step::Mark) {
        context.line(Step::Latest, &detail);
        return Ok(false);
    }
    context.step(Step::Latest, &detail, || {
        if plan.does(Step::Latest) {
            tags::move_latest(context, published)?;
        }
        let moved = plan.does(Step::Latest);
        if !plan.does(Step::Mark) {
            return Ok(moved);
        }
        // After a backport, the forge shows the wrong release as its latest. Which one is right is determined again:
        // another run may have released a higher version since this run's plan was made.
        let known = Known::ask(&context.tools.registry)?;
        let marked = context.marked(known.highest())?;
        let settled = marked.map_or(Ok(false), |marked| context.target.forge.fix_latest_mark(&marked))?;
        Ok(moved || settled)
    })
}

#[cfg(test)]
mod tests {
    use anyhow::Error;

    use super::late;
    use crate::process::failure::{Refusal, Transient, exit_code};
    use crate::process::progress::AtStep;

    #[test]
    fn a_refusal_after_a_change_is_a_failure_and_anything_else_keeps_its_class() {
        let refusal = || Error::from(Refusal::new("replaced")).context(AtStep::new("page"));
        let transient = || Error::from(Transient::new("503"));
        for (error, changed, code) in
            [(refusal(), false, 3), (refusal(), true, 1), (transient(), true, 75), (transient(), false, 75)]
        {
            let error = late(error, changed);
            assert_eq!(exit_code(&error), code, "{error:#}");
        }
        assert_eq!(format!("{:#}", late(refusal(), true)), "step `page`: replaced");
        let outside_of_a_step = late(Refusal::new("conflict").into(), true);
        assert_eq!(outside_of_a_step.downcast_ref::<AtStep>().map(AtStep::name), Some("close"));
    }
}

//! Steps 12 to 14: the page, `latest`, and the last look at everything that is public.

use anyhow::{Context as _, Result, bail};

use crate::reference::Digest;
use crate::release::plan::{Plan, Step};
use crate::release::state::State;
use crate::release::{Release, tags};
use crate::verify;

/// How often they are done when another run of the same release changes what they left.
const MOST_ROUNDS: u32 = 3;

/// What the last steps came to.
pub(super) struct Finished {
    /// The image that the version tag names.
    pub(super) digest: Digest,
    /// The page's address.
    pub(super) page: String,
    /// Something had to be done.
    pub(super) changed: bool,
}

/// Everything after the version tag. Another run of the same release may move the tag to its own digest of the same
/// content, and write its own page, until both have looked: what turns out to be wrong at the end is looked at once more.
///
/// # Errors
/// A [`crate::failure::Refusal`] for a conflict; other errors when a step fails or a claim is false after all rounds.
pub(super) fn run(release: &Release<'_>, mut digest: Digest, mut state: State) -> Result<Finished> {
    let mut changed = false;
    for round in 1.. {
        let (page, new_state, moved) = page_step(release, &digest, state)?;
        changed |= moved;
        let plan = plan_of(release, &digest, &new_state)?;
        changed |= latest_step(release, &plan, &new_state, &digest)?;
        let closed = release.session.steps.run("close", "", || {
            let Some(wrong) = verify::closed(release, &digest)? else {
                let removes = plan.does(Step::Close);
                return Ok(Closed::Right(removes && tags::remove_candidates(release, &new_state.known)?));
            };
            if round == MOST_ROUNDS {
                bail!("the release is public, but {wrong}");
            }
            look_again(release, &digest)
        })?;
        match closed {
            Closed::Right(removed) => return Ok(Finished { digest, page, changed: changed || removed }),
            Closed::Again(found) => (digest, state) = *found,
        }
    }
    unreachable!("the last round returns or fails")
}

/// How one round of the last steps ended.
enum Closed {
    /// All is right; says whether candidates were removed.
    Right(bool),
    /// Something is not: what the version tag names now, and what is there of it.
    Again(Box<(Digest, State)>),
}

fn look_again(release: &Release<'_>, digest: &Digest) -> Result<Closed> {
    let tag = release.source.tag.registry_tag();
    let found = tags::published(&release.tools.registry, &tag, digest)?;
    let found = found.with_context(|| format!("`{}` is gone", release.target.image.tagged(&tag)))?;
    let state = State::of_public(release, &found)?;
    Ok(Closed::Again(Box::new((found, state))))
}

/// What is left to do for a public image.
fn plan_of(release: &Release<'_>, digest: &Digest, state: &State) -> Result<Plan> {
    let plan = Plan::of(&state.facts);
    if plan.is_conflict() { Err(verify::conflict(release, digest, &state.conflict)) } else { Ok(plan) }
}

/// The page's address, what there is after this step, and whether the page was written. A new page takes the forge's mark,
/// and other versions may have come meanwhile: where `latest` and the mark belong is looked at once more then.
fn page_step(release: &Release<'_>, digest: &Digest, state: State) -> Result<(String, State, bool)> {
    let (steps, forge) = (release.session.steps, &release.target.forge);
    let plan = plan_of(release, digest, &state)?;
    let page = state.page.as_ref().context("there is no page to publish")?;
    if let Some(found) = state.published.as_ref().filter(|_| !plan.does(Step::Page)) {
        steps.line("page", "is as it has to be");
        return Ok((found.address.clone(), state, false));
    }
    steps.run("page", &page.title, || {
        let address = match &state.published {
            Some(found) => forge.update(found, page).map(|()| found.address.clone())?,
            None => forge.publish(page)?,
        };
        Ok((address, State::of_proven(release, digest, state.smoked.clone())?, true))
    })
}

/// The registry's `latest` and the forge's own mark; says whether one was moved.
fn latest_step(release: &Release<'_>, plan: &Plan, state: &State, digest: &Digest) -> Result<bool> {
    let (steps, known) = (release.session.steps, &state.known);
    let detail = tags::describe_latest(known, release.source);
    if !plan.does(Step::Latest) && !plan.does(Step::Mark) {
        steps.line("latest", &detail);
        return Ok(false);
    }
    steps.run("latest", &detail, || {
        if plan.does(Step::Latest) {
            tags::move_latest(release, digest)?;
        }
        // After a backport the forge shows the wrong release as its latest.
        let highest = known.highest().filter(|_| plan.does(Step::Mark));
        let settled = highest.map_or(Ok(false), |highest| release.target.forge.settle_latest(highest))?;
        Ok(plan.does(Step::Latest) || settled)
    })
}

//! The gates of the tagged commit, held against those of the forge's default branch: who may only push a branch and tag it
//! must not decide what a release needs.

use anyhow::{Context as _, Result};

use crate::forge::BranchHead;
use crate::forge::default_branch::DefaultBranch;
use crate::inputs::config::Difference;
use crate::process::problem::Problem;
use crate::release::Session;
use crate::release::preflight::Found;
use crate::release::target::Target;

/// Each gate that the commit has set otherwise. A rehearsal has no forge, and keeps to the commit's.
pub(super) fn look(session: &Session<'_>, target: &Target) -> Result<Found> {
    let doing = "the commit's gates could not be held against the default branch's";
    let default = DefaultBranch::read(&*target.forge, session.git).context(doing)?;
    let Some(DefaultBranch { branch, config, .. }) = default else { return Ok(Found::default()) };
    let differing = session.config.gates_differing_from(&config).context(doing)?;
    Ok((Vec::new(), differing.iter().map(|found| problem(found, &branch)).collect()))
}

fn problem(
    Difference { key, tagged, default }: &Difference,
    BranchHead { name, head }: &BranchHead,
) -> Problem {
    let text = format!(
        "`{key}` is `{tagged}` in the tagged commit, and `{default}` at {head}, the head of the forge's default branch \
         `{name}`, which decides; change it on `{name}` first, or tag a commit that agrees with `{name}`"
    );
    Problem::new("gates", text)
}

//! What the forge's default branch requires of the tag. The tagged commit must have the same gates as that branch; if
//! the branch requires signed tags, the tag must be signed. The right to push a branch and tag it does not include
//! deciding what a release needs.

use anyhow::{Context as _, Result};

use crate::forge::BranchHead;
use crate::forge::default_branch::DefaultBranch;
use crate::inputs::ALLOWED_SIGNERS;
use crate::inputs::config::{Difference, TagPolicy};
use crate::inputs::source::Source;
use crate::process::problem::Problem;
use crate::release::preflight::{Found, keys};
use crate::release::target::Target;
use crate::release::{Context, Session};

/// Each gate that the commit sets differently, and what is wrong with the tag. A rehearsal has no forge, so the
/// commit's own gates apply.
pub(super) fn look(context: &Context<'_>) -> Result<Found> {
    let Context { session, target, release, .. } = context;
    let source = release.source;
    let doing = "the tag could not be compared with the forge's default branch";
    let Some(default) = DefaultBranch::read(&*target.forge, session.git).context(doing)? else {
        return Ok(Found::default());
    };
    let differing = session.config.gates_differing_from(&default.config).context(doing)?;
    let mut problems: Vec<_> = differing.iter().map(|found| problem(found, &default.branch)).collect();
    if default.config.tags == TagPolicy::Signed {
        problems
            .extend(unsigned(session, target, source, &default)?.map(|text| Problem::new("git tag", text)));
    }
    problems.extend(keys::wrong(context, &default)?.map(|text| Problem::new("signing key", text)));
    Ok((Vec::new(), problems))
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

/// Why the tag does not count as signed by a listed signer, if it does not. The forge must have the very same tag
/// object.
fn unsigned(
    session: &Session<'_>,
    target: &Target,
    source: &Source,
    default: &DefaultBranch,
) -> Result<Option<String>> {
    let (Source { tag, commit, .. }, branch) = (source, &default.branch.name);
    let Some(allowed) = &default.allowed_signers else {
        return Ok(Some(format!(
            "`tags` is `\"signed\"` on `{branch}`, which has no `{ALLOWED_SIGNERS}`; commit the keys of those who may sign \
             tags there (docs/keys.md)"
        )));
    };
    let name = tag.to_string();
    if let Err(words) = session.git.signer(&name, commit, allowed)? {
        return Ok(Some(format!(
            "`{tag}` is not signed by anyone in `{ALLOWED_SIGNERS}` of `{branch}`: {words}; sign it with a key that is \
             listed there, `git -c gpg.format=ssh tag --sign --force {tag} {commit}`, and push it with \
             `git push --force origin {tag}`"
        )));
    }
    let here = session.git.tag_object(&name, commit)?;
    let there = target.forge.tag_object(tag)?;
    Ok((here.ok() != there).then(|| {
        format!(
            "`{tag}` is signed here, and on the forge it is another tag at the same commit; push the signed one with \
             `git push --force origin {tag}`"
        )
    }))
}

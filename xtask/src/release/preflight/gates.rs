//! What the forge's default branch requires of the tag. The tagged commit must have the same gates as that branch,
//! and the tag must be signed if the branch requires that. The right to push a branch and tag it does not include the
//! right to decide what a release needs.

use anyhow::{Context as _, Result};

use crate::forge::BranchHead;
use crate::forge::default_branch::DefaultBranch;
use crate::inputs::ALLOWED_SIGNERS;
use crate::inputs::config::{Difference, TagPolicy};
use crate::inputs::pin::document;
use crate::inputs::signers::{SignedTag, Signers};
use crate::inputs::source::Source;
use crate::process::problem::Problem;
use crate::release::preflight::{Found, keys, observed};
use crate::release::target::Target;
use crate::release::{Context, Session};
use crate::tool::git::Commit;

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
        let texts = unsigned(session, target, source, &default)?;
        problems.extend(texts.into_iter().map(|text| Problem::new("git tag", text)));
    }
    problems.extend(keys::wrong(context, &default)?.map(|text| Problem::new("signing key", text)));
    Ok(observed(format!("those of the forge's default branch `{}`", default.branch.name), problems))
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

/// Why the release does not count as signed by those who must sign it. The forge must have the very same tag objects.
fn unsigned(
    session: &Session<'_>,
    target: &Target,
    source: &Source,
    default: &DefaultBranch,
) -> Result<Vec<String>> {
    let (Source { tag, commit, .. }, branch) = (source, &default.branch.name);
    let Some(allowed) = &default.allowed_signers else {
        return Ok(vec![format!(
            "`tags` is `\"signed\"` on `{branch}`, which has no `{ALLOWED_SIGNERS}`; commit the keys of those who may sign \
             tags there ({})",
            document!("keys.md")
        )]);
    };
    let Signers { release, approval } =
        Signers::of(session.git, source, allowed, default.config.tag_signers)?;
    let mut problems = Vec::new();
    let both = [(SignedTag::Release(tag), Some(release)), (SignedTag::Approval(tag), approval)];
    for (signed, signer) in both {
        let Some(signer) = signer else { continue };
        problems.extend(match signer {
            Err(words) => Some(not_signed(signed, &words, commit, branch)),
            Ok(_) => other_on_forge(session, target, signed, commit)?,
        });
    }
    Ok(problems)
}

/// Says that nobody who may sign `tag` has signed it, and what they have to type.
fn not_signed(tag: SignedTag<'_>, words: &str, commit: &Commit, branch: &str) -> String {
    let list = format!("`{ALLOWED_SIGNERS}` of `{branch}`");
    let push = format!("`git push --force origin {tag}`");
    let git = "git -c gpg.format=ssh -c user.signingKey=~/.ssh/id_ed25519.pub";
    match tag {
        SignedTag::Release(_) => format!(
            "`{tag}` is not signed by anyone in {list}: {words}; sign it with a key that is listed there, `{git} \
             tag --sign --force {tag} {commit}`, and push it with {push}"
        ),
        SignedTag::Approval(_) => format!(
            "`tag-signers` is `2` on `{branch}`, and `{tag}` is not signed by a second person in {list}: {words}; have \
             another person who is listed there sign it, `{git} tag --sign --force --message {tag} {tag} {commit}`, and push it with {push}; then run this release again"
        ),
    }
}

/// What is wrong if `tag`, which is signed in this clone, is another object on the forge.
fn other_on_forge(
    session: &Session<'_>,
    target: &Target,
    tag: SignedTag<'_>,
    commit: &Commit,
) -> Result<Option<String>> {
    let here = session.git.tag_object(&tag.to_string(), commit)?.ok();
    let push = format!("push the signed one with `git push --force origin {tag}`");
    Ok(match target.forge.tag_object(tag)? {
        there if there == here => None,
        None => Some(format!("`{tag}` is signed here, and it is not on the forge; {push}")),
        Some(_) => Some(format!(
            "`{tag}` is signed here, and on the forge it is another tag at the same commit; {push}"
        )),
    })
}

#[cfg(test)]
mod tests {
    use super::not_signed;
    use crate::inputs::signers::SignedTag;
    use crate::tool::git::Commit;

    const SIGN: &str = "git -c gpg.format=ssh -c user.signingKey=~/.ssh/id_ed25519.pub tag";

    #[test]
    fn a_missing_signature_is_reported_with_the_commands_to_type() {
        let (tag, commit) = ("v1.2.3".parse().unwrap(), Commit::parse(&"b".repeat(40)).unwrap());
        let first = not_signed(SignedTag::Release(&tag), "why", &commit, "main");
        let second = not_signed(SignedTag::Approval(&tag), "why", &commit, "main");
        for (text, words) in [
            (&first, format!("`{SIGN} --sign --force v1.2.3 {commit}`")),
            (&first, "`git push --force origin v1.2.3`".to_owned()),
            (&second, format!("`{SIGN} --sign --force --message approved/v1.2.3 approved/v1.2.3 {commit}`")),
            (&second, "`git push --force origin approved/v1.2.3`; then run this release again".to_owned()),
        ] {
            assert!(text.contains(&words), "no {words} in: {text}");
        }
        assert!(!first.contains("approved/") && first.contains("of `main`: why"), "{first}");
        assert!(second.contains("by a second person in `keys/allowed_signers` of `main`: why"), "{second}");
    }
}

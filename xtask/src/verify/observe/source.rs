//! What the clone knows about the released commit and its tag: which of the branches that may be released contain the
//! commit, and who signed the tag. The list of branches and the signers' keys are read at the head of the default
//! branch.

use anyhow::{Result, bail, ensure};

use crate::forge::Read;
use crate::inputs::ALLOWED_SIGNERS;
use crate::inputs::config::{Config, TagPolicy, TagSigners};
use crate::inputs::signers::{SignedTag, Signers};
use crate::inputs::source::Source;
use crate::tool::git::{Commit, Git};
use crate::verify::claim::{Observed, Unavailable};

use super::clone::{KnownDefault, SharedClone};
use super::seen;

/// What was found; `None` for what was not looked up.
#[derive(Clone)]
pub(in crate::verify) struct ObservedSource {
    /// The branches. Not looked up if the clone does not say which of its branches is the forge's default.
    pub(in crate::verify) branch: Option<Observed<ObservedBranch>>,
    /// Who signed the release. Not looked up if the configuration does not require a signature.
    pub(in crate::verify) signers: Option<Observed<ObservedSigners>>,
    /// Whether a configuration was found, so that it is known whether a signature is required.
    pub(in crate::verify) has_policy: bool,
}

/// Who signed the release, by one list of signers.
#[derive(Clone)]
pub(in crate::verify) struct ObservedSigners {
    /// The commit that has the list.
    pub(in crate::verify) at: Commit,
    /// The signers.
    pub(in crate::verify) signers: Signers,
}

/// The branches that may be released.
#[derive(Clone)]
pub(in crate::verify) struct ObservedBranch {
    /// The name of the default branch; its configuration lists the branches.
    pub(in crate::verify) default: String,
    /// Its head.
    pub(in crate::verify) head: Commit,
    /// Their names.
    pub(in crate::verify) branches: Vec<String>,
    /// The one whose history contains the commit.
    pub(in crate::verify) found: Option<String>,
}

/// Checks that `what`, which was read at `at`, the head of the default branch `name` in this clone, is up to date. A
/// key that was lost is taken off a list, and so is a signer; an old clone, or a clone of an old mirror, does not
/// know that.
pub(in crate::verify) fn check_current(
    forge: Option<&dyn Read>,
    name: &str,
    at: &Commit,
    what: &str,
) -> Result<()> {
    let Some(forge) = forge else { return Ok(()) };
    let there = forge.branch(name)?;
    if there.as_ref() == Some(at) {
        return Ok(());
    }
    let where_to = if there.is_some() { "elsewhere" } else { "no longer" };
    bail!("{what} was read at {at}, and `{name}` is {where_to} on the forge; {}", catch_up(there.is_some()))
}

/// What to run to bring a clone up to date. A branch that is no longer on the forge stays in a clone that is fetched
/// without `--prune`.
fn catch_up(is_there: bool) -> &'static str {
    if is_there {
        "run `git fetch origin`, then verify again"
    } else {
        "run `git fetch --prune origin && git remote set-head origin --auto`, then verify again"
    }
}

/// The head of the branch that is checked out, if there is one and it has a configuration. A commit that is checked
/// out without a branch may be the released one, which must not decide who has to sign it.
fn at_head(git: &Git) -> Result<Option<(Commit, Config)>> {
    if git.is_detached()? {
        return Ok(None);
    }
    let Some(head) = git.peel("HEAD")? else { return Ok(None) };
    Ok(Config::if_any(git, &head)?.map(|config| (head, config)))
}

/// Looks at `source` in its clone. `forge` is queried only to find out whether the clone is behind, and only if the
/// clone has the commit on none of the branches, or if signatures are required; `None` if it must not be queried.
#[must_use]
pub(in crate::verify) fn source(
    git: &Git,
    forge: Option<&dyn Read>,
    source: &Source,
    shared: &SharedClone,
) -> ObservedSource {
    let default = match shared.default(git) {
        Ok(default) => default,
        Err(unseen) => {
            return ObservedSource { branch: Some(Err(unseen.clone())), signers: None, has_policy: false };
        }
    };
    let branch = default.map(|default| branch_of(git, forge, source, default));
    let decides = match default {
        Some(default) => Ok(Some((default.head.clone(), default.config.clone()))),
        None => at_head(git),
    };
    let has_policy = !matches!(decides, Ok(None));
    let signers = decides.and_then(|decides| match decides {
        Some((head, config)) if config.tags == TagPolicy::Signed => {
            if let Some(KnownDefault { name, .. }) = default {
                check_current(forge, name, &head, &format!("`{ALLOWED_SIGNERS}`"))?;
            }
            let signers = signers(git, forge, source, &head, config.tag_signers)?;
            Ok(Some(ObservedSigners { at: head, signers }))
        }
        _ => Ok(None),
    });
    ObservedSource { branch, signers: seen(signers).transpose(), has_policy }
}

fn branch_of(
    git: &Git,
    forge: Option<&dyn Read>,
    source: &Source,
    default: &KnownDefault,
) -> Observed<ObservedBranch> {
    let KnownDefault { upstream, name, head, config } = default;
    let found = seen(containing(git, source, default))?;
    if found.is_none() && !upstream.is_bare {
        seen(check_not_behind(git, forge, default))?;
    }
    if found.is_none() && git.is_shallow() {
        let text = "this clone is shallow and does not show the commit's branch; run `git fetch --unshallow`";
        return Err(Unavailable::Failed(text.to_owned()));
    }
    if found.is_none() {
        seen(check_all_there(git, source, default))?;
    }
    Ok(ObservedBranch { default: name.clone(), head: head.clone(), branches: config.branches.clone(), found })
}

/// A commit that is on none of the branches may have been released from a branch that was deleted since. The clone is
/// known to be up to date here.
fn check_all_there(git: &Git, source: &Source, default: &KnownDefault) -> Result<()> {
    for name in &default.config.branches {
        ensure!(
            git.upstream_branch(&default.upstream, name)?.is_some(),
            "`{name}` is in `branches` at {}, and the forge has no such branch: nobody can tell whether {} was on it; ask the \
             maintainers to push it again as it was when it was deleted, or if it was renamed, to write its new name in \
             `branches`, then verify again",
            default.head,
            source.commit
        );
    }
    Ok(())
}

/// The first of the branches that has the commit in its history.
fn containing(git: &Git, source: &Source, default: &KnownDefault) -> Result<Option<String>> {
    for name in &default.config.branches {
        if let Some(head) = git.upstream_branch(&default.upstream, name)?
            && git.is_ancestor(&source.commit, &head)?
        {
            return Ok(Some(name.clone()));
        }
    }
    Ok(None)
}

/// A clone that has not fetched for a while says nothing about a commit that is missing from its branches.
fn check_not_behind(git: &Git, forge: Option<&dyn Read>, default: &KnownDefault) -> Result<()> {
    for name in &default.config.branches {
        let here = git.upstream_branch(&default.upstream, name)?;
        let Some(forge) = forge else {
            bail!(
                "the commit is on no branch that may be released, as far as this clone knows; {}",
                catch_up(true)
            );
        };
        let there = forge.branch(name)?;
        if here != there {
            let at =
                |head: &Option<Commit>| head.as_ref().map_or("no commit".to_owned(), ToString::to_string);
            let remedy = catch_up(there.is_some());
            bail!("`{name}` is at {} in this clone and at {} on the forge; {remedy}", at(&here), at(&there));
        }
    }
    Ok(())
}

/// Who signed the release, according to the list in the commit `head`, which requires `wanted` signers.
fn signers(
    git: &Git,
    forge: Option<&dyn Read>,
    source: &Source,
    head: &Commit,
    wanted: TagSigners,
) -> Result<Signers> {
    let [allowed] = git.files(head, [ALLOWED_SIGNERS])?;
    let Some(allowed) = allowed else {
        let why = format!("commit {head}, which demands signed tags, has no `{ALLOWED_SIGNERS}`");
        return Ok(Signers { release: Err(why), approval: None });
    };
    let found = Signers::of(git, source, &allowed, wanted)?;
    if found.release.is_ok() && found.approval.as_ref().is_some_and(Result::is_err) {
        check_has_approval(git, forge, SignedTag::Approval(&source.tag))?;
    }
    Ok(found)
}

/// A clone may lack the second person's tag, which is often made later than the release's own.
fn check_has_approval(git: &Git, forge: Option<&dyn Read>, tag: SignedTag<'_>) -> Result<()> {
    if git.tags()?.contains(&tag.to_string()) || git.upstream()?.is_bare {
        return Ok(());
    }
    let remedy = "run `git fetch --tags origin`, then verify again";
    let Some(forge) = forge else { bail!("there is no `{tag}`, as far as this clone knows; {remedy}") };
    if forge.tag_object(tag)?.is_some() {
        bail!("the forge has `{tag}`, and this clone does not; {remedy}");
    }
    Ok(())
}

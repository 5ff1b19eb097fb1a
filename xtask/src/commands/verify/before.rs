//! What `verify --all` finds besides releases of this tool: an adopter has tags from before this tool, a clone may
//! lack tags, and a tag may be on a commit that cannot be read.

use std::collections::BTreeSet;

use anyhow::{Context as _, Error, Result, bail};

use crate::evidence::claims;
use crate::evidence::page;
use crate::inputs::config::{self, Config};
use crate::inputs::version::ReleaseTag;
use crate::oci::reference::Image;
use crate::process::interrupt;
use crate::tool::git::{Commit, Git};

use super::report::Entry;
use crate::verify::claim::{Claim, Observed, Unavailable};
use crate::verify::in_words;
use crate::verify::survey::Shared;

/// The entry for a tag whose commit has no configuration. It is from before this tool, unless the registry or the
/// page contradicts that.
pub(super) fn older_than_this_tool(
    git: &Git,
    shared: &Shared<'_>,
    in_registry: &BTreeSet<ReleaseTag>,
    image: &Image,
    tag: &ReleaseTag,
    commit: &Commit,
) -> Result<Option<Entry>> {
    let [manifest] = git.files(commit, [config::MANIFEST])?;
    if Config::is_in(manifest.as_deref()).context("finding out whether the commit has a configuration")? {
        return Ok(None);
    }
    let why = "its commit has no `[workspace.metadata.release]` in `Cargo.toml`";
    let page = shared.pages.iter().flatten().find(|found| &found.page.tag == tag);
    let said = if in_registry.contains(tag) {
        Some("the registry has this version")
    } else {
        page.filter(|found| page::names_image(&found.page.body, image))
            .map(|_| "the page names an image of it")
    };
    let claim = said.map(|said| {
        Claim::judge(claims::CONFIGURATION, &Ok(()), |()| {
            bail!("{said}, and {why}: this tool has not released it; find out who did")
        })
    });
    let commit = Some(commit.to_string());
    Ok(Some(match claim {
        Some(claim) => alone(tag, commit, claim),
        None => {
            let not_released_by_this_tool = Some(why.to_owned());
            Entry {
                tag: tag.to_string(),
                commit,
                image: None,
                claims: Vec::new(),
                not_asked: Vec::new(),
                not_released_by_this_tool,
                rebuilds: Vec::new(),
                unattested: None,
                unsaved: None,
            }
        }
    }))
}

/// The entry for a tag that could not be checked because of `error`.
///
/// # Errors
/// `error` itself, if a signal caused it.
pub(super) fn unread(tag: &ReleaseTag, commit: Option<String>, error: Error) -> Result<Entry> {
    interrupt::check()?;
    if interrupt::is_cause_of(&error) {
        return Err(error);
    }
    let claim = Claim::unavailable(claims::CONFIGURATION, &Unavailable::Failed(in_words(&error)));
    Ok(alone(tag, commit, claim))
}

/// The entry for a release with a single claim.
fn alone(tag: &ReleaseTag, commit: Option<String>, claim: Claim) -> Entry {
    Entry {
        tag: tag.to_string(),
        commit,
        image: None,
        claims: vec![claim],
        not_asked: Vec::new(),
        not_released_by_this_tool: None,
        rebuilds: Vec::new(),
        unattested: None,
        unsaved: None,
    }
}

/// The entry for a version tag or a page for which this clone has no git tag, so there is nothing to compare it with.
///
/// The claim is false if the forge has no such tag either. If only this clone lacks it, that says nothing about the
/// release.
pub(super) fn without_commit(tag: &ReleaseTag, on_forge: &Observed<Option<Commit>>) -> Entry {
    let seen = match on_forge {
        Ok(Some(commit)) => Err(Unavailable::Failed(format!(
            "the forge has `{tag}` at {commit}, and there is no such tag here; get it with `git fetch --tags`"
        ))),
        Ok(None) => Ok(()),
        Err(unseen) => Err(unseen.clone()),
    };
    let claim = Claim::judge(claims::TAG_GIT, &seen, |()| {
        bail!(
            "there is no git tag `{tag}`, neither here nor on the forge; find out who removed it, or who published a version \
             without one"
        )
    });
    alone(tag, None, claim)
}

#[cfg(test)]
mod tests {
    use anyhow::{Context as _, Result, bail};

    use super::{unread, without_commit};
    use crate::process::interrupt::Interrupted;
    use crate::tool::git::Commit;
    use crate::verify::claim::{Unavailable, Verdict};

    #[test]
    fn a_git_tag_that_only_this_clone_lacks_is_unchecked_and_not_false() {
        let tag = "v0.1.0".parse().unwrap();
        let there = Commit::parse(&"a".repeat(40)).unwrap();
        for (on_forge, verdict) in [
            (Ok(None), Verdict::False),
            (Ok(Some(there)), Verdict::Unchecked),
            (Err(Unavailable::Transient("answered 503".to_owned())), Verdict::Unchecked),
        ] {
            assert_eq!(without_commit(&tag, &on_forge).claims[0].verdict, verdict, "{on_forge:?}");
        }
    }

    #[test]
    fn an_error_about_one_tag_ends_the_report_on_all_only_after_a_signal() {
        let unread = |error| unread(&"v0.1.0".parse().unwrap(), None, error);
        let odd: Result<()> = (|| bail!("`Cargo.toml` is no file"))();
        let entry = unread(odd.context("reading the commit").unwrap_err()).unwrap();
        let claim = &entry.claims[0];
        assert_eq!((claim.id, claim.verdict), ("configuration", Verdict::Unchecked));
        assert!(claim.evidence.contains("`Cargo.toml` is no file"), "{}", claim.evidence);
        assert!(unread(anyhow::Error::from(Interrupted::by(2)).context("asking git")).is_err());
    }
}

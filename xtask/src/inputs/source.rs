//! Step 1, resolve: the tag, and its commit.

use std::collections::BTreeSet;

use anyhow::{Context as _, Result};

use crate::inputs::run::Run;
use crate::inputs::version::{ReleaseTag, highest_stable};
use crate::process::failure::{Misuse, Refusal};
use crate::refuse;
use crate::tool::git::{Commit, Git};

/// What is released.
#[derive(Clone, Debug)]
pub struct Source {
    /// The tag; in a rehearsal it need not exist yet.
    pub tag: ReleaseTag,
    /// The commit of the tag, which may be annotated or lightweight.
    pub commit: Commit,
    /// The commit's time in seconds since 1970. All timestamps in the image have this value.
    pub time: u64,
    /// Whether the tag existed when the run began.
    pub is_tagged: bool,
}

/// What is done with a tag. Only a release may make one that is missing.
#[derive(Clone, Copy, Debug)]
pub enum Purpose {
    /// Its release is made, or tried out.
    Release,
    /// It was released before, and is only read.
    Read,
}

impl Source {
    /// The tag to release: `requested`, else the tag of this repository's workflow `run`, else the one at HEAD.
    ///
    /// # Errors
    /// [`Misuse`] when it is not a release tag, [`crate::process::failure::Refusal`] when it does not exist or the
    /// clone is shallow.
    pub fn to_release(git: &Git, run: Option<&Run>, requested: Option<&str>) -> Result<Self> {
        ensure_not_shallow(git)?;
        let value = |name: &str| run.and_then(|run| run.value(name));
        let tag = match (requested, value("REF_TYPE"), value("REF_NAME")) {
            (Some(requested), _, _) => named(requested)?,
            (None, Some("tag"), Some(name)) => named(name)?,
            _ => match tag_at_head(git)? {
                Some(tag) => tag,
                None => {
                    let head = git.peel("HEAD")?.context("HEAD has no commit yet; commit something first")?;
                    let (within, all) = tags_of(git, &head)?;
                    let next = next_tag(&within, &all)?;
                    let named = highest_stable(&within).unwrap_or(&next);
                    refuse!(
                        "HEAD has no release tag; make one, such as `git tag {next}`, or name one: \
                         `target/debug/xtask release {named}`"
                    )
                }
            },
        };
        Self::tagged(git, tag, Purpose::Release)
    }

    /// The released tag to look at: `requested`, else the one at HEAD.
    ///
    /// # Errors
    /// As [`Source::to_release`].
    pub fn to_read(git: &Git, requested: Option<&str>) -> Result<Self> {
        ensure_not_shallow(git)?;
        let tag = match requested {
            Some(requested) => named(requested)?,
            None => match tag_at_head(git)? {
                Some(tag) => tag,
                None => refuse!(
                    "HEAD has no release tag, so there is nothing to verify; name one, such as `cargo xtask verify v1.2.3`, \
                     or run `git fetch --tags`"
                ),
            },
        };
        Self::of_tag(git, tag)
    }

    /// What to try out, or what to list the changes of: a tag, or a commit under the next version.
    ///
    /// # Errors
    /// As [`Source::to_release`].
    pub fn for_rehearsal(git: &Git, requested: Option<&str>, purpose: Purpose) -> Result<Self> {
        ensure_not_shallow(git)?;
        let Some(requested) = requested else {
            return match tag_at_head(git)? {
                Some(tag) => Self::tagged(git, tag, purpose),
                None => {
                    let source = Self::next_version(git, "HEAD")?;
                    source.context("the repository has no commit yet; commit something first")
                }
            };
        };
        match requested.parse::<ReleaseTag>() {
            Ok(tag) => Self::tagged(git, tag, purpose),
            // A word that looks like a version was meant as a tag. Anything else may be a commit or a branch.
            Err(misuse)
                if requested.starts_with('v') && requested[1..].starts_with(|c: char| c.is_ascii_digit()) =>
            {
                Err(Misuse::from(misuse).into())
            }
            Err(misuse) => match Self::next_version(git, requested)? {
                Some(source) => Ok(source),
                None => Err(Misuse::new(format!("{misuse}, and no commit has that name")).into()),
            },
        }
    }

    /// A commit whose changes are listed as those of `tag`, which does not exist yet.
    ///
    /// # Errors
    /// As [`Source::to_release`]; also when the tag exists.
    pub fn of_coming(git: &Git, revision: &str, tag: ReleaseTag) -> Result<Self> {
        ensure_not_shallow(git)?;
        if git.peel(&tag.git_ref())?.is_some() {
            return Err(Misuse::new(format!("there is a tag `{tag}`: name it in place of `--as`")).into());
        }
        match git.dated(revision)? {
            Some((commit, time)) => Ok(Self { tag, commit, time, is_tagged: false }),
            None => Err(Misuse::new(format!("no commit has the name `{revision}`")).into()),
        }
    }

    /// A commit to try out under the next version, whatever tags are at HEAD.
    ///
    /// # Errors
    /// As [`Source::to_release`].
    pub fn of_commit(git: &Git, commit: &Commit) -> Result<Self> {
        ensure_not_shallow(git)?;
        let source = Self::next_version(git, commit.as_str())?;
        source.with_context(|| format!("there is no commit {commit} here"))
    }

    /// The source of a rehearsal of `tag` when there is no such tag: the commit that its image names.
    ///
    /// # Errors
    /// [`crate::process::failure::Refusal`] when this clone does not have the commit.
    pub fn of_rehearsal(git: &Git, tag: ReleaseTag, revision: &str) -> Result<Self> {
        let commit = Commit::parse(revision)?;
        match git.dated(commit.as_str())? {
            Some((commit, time)) => Ok(Self { tag, commit, time, is_tagged: false }),
            None => {
                ensure_not_shallow(git)?;
                refuse!(
                    "there is no tag `{tag}` here, and no commit {commit}, which the image names; run `git fetch --tags`, \
                     then the same command again. A rehearsal of a work tree can be verified only by the run that made it"
                )
            }
        }
    }

    /// The commit of `tag`, which was released before.
    ///
    /// # Errors
    /// [`crate::process::failure::Refusal`] when there is no such tag.
    pub fn of_tag(git: &Git, tag: ReleaseTag) -> Result<Self> {
        Self::tagged(git, tag, Purpose::Read)
    }

    fn tagged(git: &Git, tag: ReleaseTag, purpose: Purpose) -> Result<Self> {
        match git.dated(&tag.git_ref())? {
            Some((commit, time)) => Ok(Self { tag, commit, time, is_tagged: true }),
            None => Err(missing(git, &tag, purpose)?.into()),
        }
    }

    /// `None` when there is no such commit.
    fn next_version(git: &Git, revision: &str) -> Result<Option<Self>> {
        let Some((commit, time)) = git.dated(revision)? else { return Ok(None) };
        let (within, all) = tags_of(git, &commit)?;
        Ok(Some(Self { tag: next_tag(&within, &all)?, commit, time, is_tagged: false }))
    }

    /// The time of the release, in seconds since 1970: that of an annotated tag, else that of the commit.
    ///
    /// # Errors
    /// When git does not answer, or the tag claims a time before 1970 or in a year with five digits.
    pub fn released(&self, git: &Git) -> Result<u64> {
        if self.is_tagged { git.tag_time(&self.tag.to_string()) } else { Ok(self.time) }
    }

    /// Whether this clone still has the tag at the commit where it was when the run began: a fetch may have moved it.
    /// `Err` says where it is now.
    ///
    /// # Errors
    /// The outer result: when git does not answer.
    pub fn check_unmoved(&self, git: &Git) -> Result<Result<(), String>> {
        if !self.is_tagged {
            return Ok(Ok(()));
        }
        let Self { tag, commit, .. } = self;
        Ok(match git.peel(&tag.git_ref())? {
            Some(found) if &found == commit => Ok(()),
            Some(found) => Err(format!("`{tag}` is at {found} in this clone, and was at {commit}")),
            None => Err(format!("`{tag}` is gone from this clone, and was at {commit}")),
        })
    }
}

/// Why there is no commit of `tag`.
///
/// # Errors
/// When git fails.
pub fn missing(git: &Git, tag: &ReleaseTag, purpose: Purpose) -> Result<Refusal> {
    let is_there = git.tags()?.contains(&tag.to_string());
    Ok(Refusal::new(match (is_there, purpose) {
        (true, _) => format!(
            "the tag `{tag}` names no commit but another object, which `git cat-file -p {tag}` shows; find out who made it, \
             and use another version"
        ),
        (false, Purpose::Release) => format!(
            "there is no tag `{tag}` in this clone; get it with `git fetch --tags`, or, if it is new, make it with `git tag {tag}`"
        ),
        (false, Purpose::Read) => format!(
            "there is no tag `{tag}` in this clone; run `git fetch --tags`, then the same command again; if it is still missing, \
             it was never pushed, or it was removed"
        ),
    }))
}

/// The names that are release tags. Others are ignored.
#[must_use]
pub fn release_tags(names: &[String]) -> Vec<ReleaseTag> {
    names.iter().flat_map(|name| name.parse()).collect()
}

/// The release tags in the history of `commit`, and all of them.
fn tags_of(git: &Git, commit: &Commit) -> Result<(Vec<ReleaseTag>, Vec<ReleaseTag>)> {
    Ok((release_tags(&git.tags_within(commit)?), release_tags(&git.tags()?)))
}

/// The tag of the next stable version on a line with the tags `within`. It is not in `all`. An older line has a lower
/// next version.
fn next_tag(within: &[ReleaseTag], all: &[ReleaseTag]) -> Result<ReleaseTag> {
    let Some(highest) = highest_stable(within).or_else(|| highest_stable(all)) else {
        return Ok("v0.1.0".parse()?);
    };
    let mut next: ReleaseTag = format!("v{}", highest.next_patch()?).parse()?;
    let taken: BTreeSet<_> = all.iter().collect();
    while taken.contains(&next) {
        next = format!("v{}", next.next_patch()?).parse()?;
    }
    Ok(next)
}

/// The tag that the caller names.
fn named(text: &str) -> Result<ReleaseTag, Misuse> {
    Ok(text.parse::<ReleaseTag>()?)
}

fn tag_at_head(git: &Git) -> Result<Option<ReleaseTag>> {
    let Some(head) = git.peel("HEAD")? else { return Ok(None) };
    let mut tags = release_tags(&git.tags_at(&head)?);
    tags.sort();
    Ok(tags.pop())
}

fn ensure_not_shallow(git: &Git) -> Result<()> {
    if git.is_shallow() {
        refuse!(
            "this clone is shallow: notes and `latest` need the whole history; run `git fetch --unshallow --tags`"
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::next_tag;

    #[test]
    fn the_next_version_follows_the_highest_stable_one() {
        for (within, others, next) in [
            (&[][..], &[][..], Some("v0.1.0")),
            (&["v0.2.0-rc.1"], &[], Some("v0.1.0")),
            (&["v0.1.9", "v0.1.10", "v0.2.0-rc.1"], &[], Some("v0.1.11")),
            (&["v0.1.18446744073709551615"], &[], None),
            // An older line, one that another branch continues, and a branch from before the first release.
            (&["v1.2.4", "v1.2.5"], &["v1.3.0"], Some("v1.2.6")),
            (&["v1.2.4"], &["v1.2.5", "v1.2.6", "v1.3.0"], Some("v1.2.7")),
            (&[], &["v1.3.0"], Some("v1.3.1")),
        ] {
            let tags = |names: &[&str]| names.iter().map(|name| name.parse().unwrap()).collect::<Vec<_>>();
            let (within, all) = (tags(within), tags(&[within, others].concat()));
            let found = next_tag(&within, &all);
            assert_eq!(found.as_ref().ok().map(ToString::to_string).as_deref(), next, "{all:?}: {found:?}");
        }
    }
}

//! Steps 11, 13 and 14: the version tag, `latest`, and the candidate's end. A version tag is written once and never again.

use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};

use crate::forge::Forge;
use crate::progress::Steps;
use crate::reference::{Digest, Tag};
use crate::refuse;
use crate::registry::Client;
use crate::release::build::candidate_tag;
use crate::release::source::{Source, release_tags};
use crate::tool::git::Git;
use crate::version::{ReleaseTag, highest_stable};

/// A registry may answer 404 for 10-21 ms while a tag is overwritten (facts/peers.md): a reader asks once more.
const OVERWRITE_GAP: Duration = Duration::from_millis(60);

/// Puts `tag` on the proven image.
///
/// # Errors
/// A [`crate::failure::Refusal`] when the tag has another digest by now; other errors when the registry does not answer.
pub fn publish(registry: &Client, tag: &Tag, digest: &Digest) -> Result<()> {
    match registry.digest_of(tag.as_str())? {
        Some(found) if &found == digest => return Ok(()),
        Some(found) => refuse!(
            "`{}` names `{found}` by now, and this release is `{digest}`: a version tag is never moved; \
             find out who pushed it, then release the next version",
            registry.image().tagged(tag)
        ),
        None => {}
    }
    copy(registry, tag, digest)
}

/// Puts `latest` on this release if it is the highest stable version of the git tags and of the registry's, and says
/// whether it had to be moved. Read again just before and just after: another release may be under way.
///
/// # Errors
/// When git or the registry does not answer, or when someone else moves `latest` at the same time.
pub fn move_latest(
    git: &Git,
    steps: &Steps,
    registry: &Client,
    source: &Source,
    digest: &Digest,
) -> Result<bool> {
    let latest = Tag::latest();
    let Some(highest) = highest_known(git, registry)? else {
        steps.line("", "stays unset: there is no stable version");
        return Ok(false);
    };
    if highest != source.tag {
        steps.line("", &format!("stays where it is: {highest} is the highest stable version"));
        return Ok(false);
    }
    if registry.digest_of(latest.as_str())?.as_ref() == Some(digest) {
        return Ok(false);
    }
    copy(registry, &latest, digest)?;
    let after = highest_known(git, registry)?;
    ensure!(
        after.as_ref() == Some(&source.tag),
        "{} was released while `latest` was moved to {}; run `cargo xtask release {}` again to put it right",
        after.map_or("another version".to_owned(), |tag| tag.to_string()),
        source.tag,
        highest
    );
    Ok(true)
}

/// Removes the tag that held the image before it was proven, and says whether it was there.
///
/// # Errors
/// When the registry does not answer.
pub fn remove_candidate(registry: &Client, source: &Source) -> Result<bool> {
    registry.untag(&candidate_tag(source))
}

/// After a backport the forge shows the wrong release as its latest: makes it the highest stable one again, if that one
/// is released, and says whether it had to.
///
/// # Errors
/// When git, the registry or the forge does not answer.
pub fn settle_forge(git: &Git, forge: &dyn Forge, registry: &Client) -> Result<bool> {
    match highest_known(git, registry)? {
        Some(highest) => forge.settle_latest(&highest),
        None => Ok(false),
    }
}

fn highest_known(git: &Git, registry: &Client) -> Result<Option<ReleaseTag>> {
    let names = [git.tags()?, registry.tags()?].concat();
    Ok(highest_stable(&release_tags(&names)).cloned())
}

/// The same bytes under another tag: no tool that could change them touches them.
fn copy(registry: &Client, tag: &Tag, digest: &Digest) -> Result<()> {
    let manifest = registry.manifest(digest.as_str())?;
    let manifest = manifest
        .with_context(|| format!("`{}` is gone from the registry", registry.image().pinned(digest)))?;
    registry.put(tag, &manifest)?;
    let mut found = registry.digest_of(tag.as_str())?;
    if found.is_none() {
        thread::sleep(OVERWRITE_GAP);
        found = registry.digest_of(tag.as_str())?;
    }
    ensure!(
        found.as_ref() == Some(digest),
        "`{}` names {} right after it was put on `{digest}`: does someone else push there?",
        registry.image().tagged(tag),
        found.map_or("nothing".to_owned(), |found| format!("`{found}`"))
    );
    Ok(())
}

//! Releases from before this tool: a project that adopts it has a history, and `verify --all` meets it.

use anyhow::{Result, bail};

use crate::evidence::claims;
use crate::evidence::page;
use crate::inputs::config::{self, Config};
use crate::inputs::source::release_tags;
use crate::inputs::version::ReleaseTag;
use crate::tool::git::Git;

use super::report::Entry;
use crate::verify::claim::Claim;
use crate::verify::survey::Shared;

/// The entry of a tag whose commit has no configuration: it is from before this tool, unless the registry or the page
/// says something else.
pub(super) fn older_than_this_tool(
    git: &Git,
    shared: &Shared<'_>,
    in_registry: &[String],
    tag: &ReleaseTag,
) -> Result<Option<Entry>> {
    let Some(commit) = git.peel(&tag.git_ref())? else { return Ok(None) };
    let [manifest] = git.files(&commit, [config::MANIFEST])?;
    if Config::is_in(manifest.as_deref()) {
        return Ok(None);
    }
    let why = "its commit has no `[workspace.metadata.release]` in `Cargo.toml`";
    let page = shared.pages.iter().flatten().find(|found| &found.page.tag == tag);
    let said = if release_tags(in_registry).contains(tag) {
        Some("the registry has this version")
    } else {
        page.filter(|found| page::has_image_part(&found.page.body)).map(|_| "the page names an image of it")
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
            }
        }
    }))
}

/// The entry of a release about which there is one thing to say.
pub(super) fn alone(tag: &ReleaseTag, commit: Option<String>, claim: Claim) -> Entry {
    Entry {
        tag: tag.to_string(),
        commit,
        image: None,
        claims: vec![claim],
        not_asked: Vec::new(),
        not_released_by_this_tool: None,
    }
}

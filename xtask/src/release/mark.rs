//! The version whose page the forge should mark as its latest.

use anyhow::Result;

use crate::evidence::page;
use crate::forge::Read;
use crate::inputs::source::release_tags;
use crate::inputs::version::ReleaseTag;
use crate::oci::reference::Image;
use crate::release::Context;

/// The most pages that are requested. Tags without a page are those of releases that failed.
const MAX_PAGES: usize = 10;

impl Context<'_> {
    /// The version whose page the forge should mark; `highest` is the highest stable one in the registry.
    ///
    /// # Errors
    /// When git or the forge does not answer.
    pub(super) fn marked(&self, highest: Option<&ReleaseTag>) -> Result<Option<ReleaseTag>> {
        let tags = release_tags(&self.session.git.tags()?);
        of(&*self.target.forge, self.release.image, highest, &tags)
    }
}

/// The highest stable version. That is `highest`, the highest in the registry of `image`, or a higher one of `tags`,
/// the release tags of the repository, whose page names an image elsewhere: it was released before the image moved.
///
/// # Errors
/// When the forge does not answer.
pub fn of(
    forge: &dyn Read,
    image: &Image,
    highest: Option<&ReleaseTag>,
    tags: &[ReleaseTag],
) -> Result<Option<ReleaseTag>> {
    let is_higher = |tag: &&ReleaseTag| tag.is_stable() && highest.is_none_or(|highest| *tag > highest);
    let mut higher: Vec<_> = tags.iter().filter(is_higher).collect();
    higher.sort();
    for tag in higher.into_iter().rev().take(MAX_PAGES) {
        let page = forge.page(tag)?.filter(|page| !page.draft && !page.page.prerelease);
        let named = page.and_then(|page| page::pulled(&page.page.body));
        let is_elsewhere =
            |named: &String| named.split_once('@').is_some_and(|(named, _)| named != image.to_string());
        if named.as_ref().is_some_and(is_elsewhere) {
            return Ok(Some(tag.clone()));
        }
    }
    Ok(highest.cloned())
}

//! The page of a release. The same image gives the same text, except for a part that is written only on a new page.

use anyhow::Result;

use super::Context;
use super::step::Step;
use crate::evidence::notes::Sizes;
use crate::evidence::page::{self, Details, Format, Page};
use crate::oci::reference::Digest;
use crate::process::parallel::both;
use crate::process::shown;
use crate::verify::proven::Proven;

impl Context<'_> {
    /// The page of a proven image.
    ///
    /// # Errors
    /// When it is larger than a page may be.
    pub fn page(&self, proven: &Proven) -> Result<Page> {
        self.page_with(proven, None)
    }

    /// The page to publish if there is none. It also says how much the image grew since the previous release. Nothing
    /// compares that part with an existing page, so the page can be written even if the registry does not answer.
    ///
    /// # Errors
    /// As [`Context::page`].
    pub(super) fn new_page(&self, proven: &Proven) -> Result<Page> {
        let sizes = self.sizes(proven.digest()).unwrap_or_else(|error| {
            self.line(Step::Page, &format!("without the sizes of images: {}", shown::error(&error)));
            None
        });
        self.page_with(proven, sizes.as_ref())
    }

    /// `None` if there is nothing to compare with: a first release, or a previous one in another registry.
    fn sizes(&self, digest: &Digest) -> Result<Option<Sizes>> {
        let Some(previous) = &self.history.previous else { return Ok(None) };
        let registry = &self.tools.registry;
        let (before, after) = both(|| registry.sizes(&previous.registry_tag()), || registry.sizes(digest))?;
        Ok(before.zip(after).map(|(before, after)| Sizes { before, after }))
    }

    fn page_with(&self, proven: &Proven, sizes: Option<&Sizes>) -> Result<Page> {
        let key_address = self.verifier().key_address();
        let details = Details {
            history: &self.history,
            key_address: key_address.as_deref(),
            is_of_work_tree: self.target.invocation.is_of_work_tree(),
            sizes,
        };
        let format = Format::of_release(proven.build_type());
        page::write(format, &self.release, &details, proven.digest(), proven.smoked())
    }
}

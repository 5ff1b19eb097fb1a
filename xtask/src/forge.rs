//! The forge, as a release sees it: where tags and commit states are asked for, and where the release page is published.

pub mod directory;
pub mod forgejo;
pub mod run;

use anyhow::Result;

use crate::problem::Problem;
use crate::tool::git::Commit;
use crate::version::ReleaseTag;

/// A release page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// The tag that it is about.
    pub tag: ReleaseTag,
    /// What the tag points at.
    pub commit: Commit,
    /// Its title.
    pub title: String,
    /// Markdown.
    pub body: String,
    /// Shown as a pre-release, and never as the latest one.
    pub prerelease: bool,
}

/// A page as the forge has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublishedPage {
    /// The forge's own number for it.
    pub id: u64,
    /// What it says.
    pub page: Page,
    /// Not visible to the public.
    pub draft: bool,
    /// Where a person reads it.
    pub address: String,
}

/// What CI says of a commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CiState {
    /// All that counts has passed.
    Green,
    /// These contexts have not been decided yet, and none is red.
    Pending(Vec<String>),
    /// Not green, and it stays so until somebody does something: what was found, and what to do.
    Red(String),
}

/// What a forge is asked for.
pub trait Forge: Sync {
    /// What is wrong with publishing `tag` at `commit` here; every problem at once, and read-only.
    ///
    /// # Errors
    /// When the forge cannot be asked.
    fn preflight(&self, tag: &ReleaseTag, commit: &Commit) -> Result<Vec<Problem>>;

    /// What CI says of `commit`, as far as it is asked for.
    ///
    /// # Errors
    /// When the forge cannot be asked.
    fn ci_state(&self, commit: &Commit) -> Result<CiState>;

    /// What is wrong with reaching the forge at all: address, token, clock.
    ///
    /// # Errors
    /// When the forge cannot be asked.
    fn check_access(&self) -> Result<Vec<Problem>>;

    /// What is wrong with the forge's own `tag`, which must be at `commit`: a page for a missing tag would create it.
    ///
    /// # Errors
    /// When the forge cannot be asked.
    fn check_tag(&self, tag: &ReleaseTag, commit: &Commit) -> Result<Option<Problem>>;

    /// The commit that the forge has `tag` at.
    ///
    /// # Errors
    /// When the forge cannot be asked.
    fn tag(&self, tag: &ReleaseTag) -> Result<Option<Commit>>;

    /// The page of `tag`, drafts included.
    ///
    /// # Errors
    /// When the forge cannot be asked.
    fn page(&self, tag: &ReleaseTag) -> Result<Option<PublishedPage>>;

    /// All pages of release tags, drafts included where the credentials let them be seen.
    ///
    /// # Errors
    /// When the forge cannot be asked.
    fn pages(&self) -> Result<Vec<PublishedPage>>;

    /// Publishes `page` in one go, never as a draft first, and returns its address.
    ///
    /// # Errors
    /// When the forge refuses.
    fn publish(&self, page: &Page) -> Result<String>;

    /// Changes the published page to what `page` says.
    ///
    /// # Errors
    /// When the forge refuses.
    fn update(&self, published: &PublishedPage, page: &Page) -> Result<()>;

    /// Whether the forge shows `highest`, the highest stable release, as its latest one; yes where that has no page.
    ///
    /// # Errors
    /// When the forge cannot be asked.
    fn shows_as_latest(&self, highest: &ReleaseTag) -> Result<bool>;

    /// Makes the forge show `highest`, the highest stable release, as its latest one, and says whether it had to.
    ///
    /// # Errors
    /// When the forge refuses.
    fn settle_latest(&self, highest: &ReleaseTag) -> Result<bool>;

    /// Where a stranger gets the file `path` of `commit`, if the forge serves files.
    fn raw_address(&self, commit: &Commit, path: &str) -> Option<String>;
}

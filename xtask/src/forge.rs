//! A forge: where tags, pages and commit states are read, and where the release page is written.

pub mod default_branch;
pub mod directory;
pub mod forgejo;

use std::fmt;

use anyhow::Result;

use crate::evidence::assets::{Asset, Listed};
use crate::evidence::page::{Page, PublishedPage};
use crate::inputs::version::ReleaseTag;
use crate::process::problem::Problem;
use crate::tool::git::Commit;

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

/// A branch of the forge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BranchHead {
    /// Its name.
    pub name: String,
    /// The commit that it is at.
    pub head: Commit,
}

/// What the forge's own protections of tags and branches come to.
#[derive(Clone, Debug, Default)]
pub struct Protections {
    /// What there is, or why it was not asked.
    pub said: Vec<String>,
    /// What is missing, and what is there and protects nothing.
    pub problems: Vec<Problem>,
    /// The rules that would end a problem each, and that nobody has made.
    pub missing: Vec<Rule>,
    /// The forge told its rules; it does not tell them to everybody.
    pub were_told: bool,
}

/// A rule of the forge that keeps a release to those who may make one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rule {
    /// Tags that begin with `v`, which release.
    Tags,
    /// A branch that is released from, by its name.
    Branch(String),
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tags => write!(f, "tags `v*`: the named maintainers alone may push them"),
            Self::Branch(name) => write!(f, "branch `{name}`: nobody may push to it, changes are merged"),
        }
    }
}

/// A run of the forge's Actions, as the forge has it on record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunRecord {
    /// The number in its address.
    pub number: u64,
    /// What started it, such as `push`.
    pub event: String,
    /// The commit that it was started for.
    pub commit: Commit,
    /// The branch or tag that it was started for, by its short name.
    pub reference: String,
    /// The file name of its workflow.
    pub workflow: String,
}

/// What a forge says of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RunSaid {
    /// It has that record.
    Recorded(RunRecord),
    /// It tells of runs, and has none of that id.
    Missing,
    /// It does not tell whoever asked, for this reason: it has no such question, Actions is off, or a login is wanted.
    Untold(String),
}

/// What anyone may ask a forge.
pub trait Read: Sync {
    /// What the forge's record of the run `id` says, the number that is the same on the whole instance.
    ///
    /// # Errors
    /// When the forge cannot be asked.
    fn run(&self, id: u64) -> Result<RunSaid>;

    /// What CI says of `commit`, as far as it is asked for.
    ///
    /// # Errors
    /// When the forge cannot be asked.
    fn ci_state(&self, commit: &Commit) -> Result<CiState>;

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

    /// The object that the forge has `tag` at: an annotated tag's own, and the commit of a lightweight one.
    ///
    /// # Errors
    /// When the forge cannot be asked.
    fn tag_object(&self, tag: &ReleaseTag) -> Result<Option<Commit>>;

    /// The branch that the forge takes for the repository's main one; `None` where there is no forge to have one.
    ///
    /// # Errors
    /// When the forge cannot be asked, or the repository is empty.
    fn default_branch(&self) -> Result<Option<BranchHead>>;

    /// The commit that the forge has the branch `name` at.
    ///
    /// # Errors
    /// When the forge cannot be asked, or nobody could ask for that name.
    fn branch(&self, name: &str) -> Result<Option<Commit>>;

    /// The file `path` of `commit`, as the forge has it.
    ///
    /// # Errors
    /// When the forge cannot be asked.
    fn file(&self, commit: &Commit, path: &str) -> Result<Option<Vec<u8>>>;

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

    /// The bytes of files of the page of `tag`, in their order, as anyone gets them by name, and with the credentials where not
    /// everybody may; `None` where there are none.
    ///
    /// # Errors
    /// Of each: when the forge cannot be asked for it.
    fn assets(&self, tag: &ReleaseTag, wanted: &[&Listed]) -> Vec<Result<Option<Vec<u8>>>>;

    /// Whether the forge shows `highest`, the highest stable release, as its latest one; yes where that has no page.
    ///
    /// # Errors
    /// When the forge cannot be asked.
    fn shows_as_latest(&self, highest: &ReleaseTag) -> Result<bool>;

    /// Where anyone gets the file `path` of `commit`, if the forge serves files.
    fn raw_address(&self, commit: &Commit, path: &str) -> Option<String>;
}

/// What a release does on its forge, and what it asks before that with its token.
pub trait Write: Read {
    /// What is wrong with publishing `tag` at `commit` here; every problem at once, and read-only.
    ///
    /// # Errors
    /// When the forge cannot be asked.
    fn preflight(&self, tag: &ReleaseTag, commit: &Commit) -> Result<Vec<Problem>>;

    /// What is wrong with reaching the forge at all: address, token, clock.
    ///
    /// # Errors
    /// When the forge cannot be asked.
    fn check_access(&self) -> Result<Vec<Problem>>;

    /// What the forge's protections leave to people who are no maintainers: tags, and branches that are released.
    ///
    /// # Errors
    /// When the forge cannot be asked.
    fn protections(&self) -> Result<Protections>;

    /// Makes a rule that is missing. `maintainers`, accounts of the forge, may push the tags of releases then.
    ///
    /// # Errors
    /// When the forge refuses.
    fn protect(&self, rule: &Rule, maintainers: &[String]) -> Result<()>;

    /// Makes `page` as a draft, which nobody sees without a right to, and returns it; or the one that is there by now.
    ///
    /// # Errors
    /// When the forge refuses.
    fn draft(&self, page: &Page) -> Result<PublishedPage>;

    /// Adds a file to the page.
    ///
    /// # Errors
    /// When the forge refuses, or does not say that it has it: then it may have it nevertheless.
    fn upload(&self, published: &PublishedPage, asset: &Asset) -> Result<()>;

    /// Removes a file from the page, where it is still there.
    ///
    /// # Errors
    /// When the forge refuses.
    fn remove(&self, published: &PublishedPage, listed: &Listed) -> Result<()>;

    /// Changes the page to what `page` says, and shows it to everyone.
    ///
    /// # Errors
    /// When the forge refuses.
    fn update(&self, published: &PublishedPage, page: &Page) -> Result<()>;

    /// Makes the forge show `highest`, the highest stable release, as its latest one, and says whether it had to.
    ///
    /// # Errors
    /// When the forge refuses.
    fn settle_latest(&self, highest: &ReleaseTag) -> Result<bool>;
}

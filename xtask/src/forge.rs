//! A forge: where tags, pages and commit states are read, and where the release page is written.

pub mod default_branch;
pub mod directory;
pub mod forgejo;

use std::fmt;

use anyhow::Result;

use crate::evidence::assets::{Asset, Listed};
use crate::evidence::page::{Page, PublishedPage};
use crate::inputs::signers::SignedTag;
use crate::inputs::version::ReleaseTag;
use crate::process::problem::Problem;
use crate::tool::git::Commit;

/// What to do without a token for the forge.
pub const NO_TOKEN: &str = "`FORGEJO_TOKEN` is not set; in a workflow write `FORGEJO_TOKEN: ${{ github.token }}` into the \
    step's `env`, elsewhere make a token with `write:repository` in your settings on the forge";

/// CI's result for a commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CiState {
    /// Everything that counts has passed.
    Green,
    /// Some contexts are still pending or missing, and none is red.
    Pending(PendingContexts),
    /// Not green, and it stays that way until somebody acts: what was found, and what to do.
    Red(String),
}

/// The contexts that a release waits for. The names are safe to print.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PendingContexts {
    /// Those that are pending.
    pub pending: Vec<String>,
    /// Those that the configuration requires and for which the forge has no status that counts.
    pub missing: Vec<String>,
    /// Each context that the forge has for the commit, with its status: `ci / test (push)` is success.
    pub present: Vec<String>,
}

/// A branch of the forge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BranchHead {
    /// Its name.
    pub name: String,
    /// The commit that it points to.
    pub head: Commit,
}

/// What the forge's own protections of tags and branches cover, and what they leave open.
#[derive(Clone, Debug, Default)]
pub struct Protections {
    /// The protections that exist, or why the forge was not queried for them.
    pub said: Vec<String>,
    /// What is missing, and what exists but protects nothing.
    pub problems: Vec<Problem>,
    /// The rules that do not exist yet. Each of them would solve one of the problems.
    pub missing: Vec<Rule>,
    /// Whether the forge listed its rules; it does so only for some accounts.
    pub were_told: bool,
}

/// A rule of the forge that limits releasing to those who may release.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rule {
    /// Tags that begin with `v`; pushing one starts a release.
    Tags,
    /// Tags that begin with `approved/`, by which a second person signs a release.
    Approvals,
    /// A branch that is released from, by its name.
    Branch(String),
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tags => write!(f, "tags `v*`: only the named maintainers may push them"),
            Self::Approvals => write!(f, "tags `approved/*`: only the named maintainers may push them"),
            Self::Branch(name) => write!(f, "branch `{name}`: nobody may push to it, changes are merged"),
        }
    }
}

/// A run of the forge's Actions, as the forge has it on record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunRecord {
    /// The number in the run's address.
    pub number: u64,
    /// What started it, such as `push`.
    pub event: String,
    /// The commit that it was started for.
    pub commit: Commit,
    /// The tag that it was started for, by its short name, or the full name of anything else. Forgejo has only short
    /// names.
    pub reference: String,
    /// The file name of its workflow.
    pub workflow: String,
}

/// The forge's answer about a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RunLookup {
    /// It has this record.
    Recorded(RunRecord),
    /// It lists runs, but has none with that id.
    Missing,
    /// It does not answer this caller, for this reason: it has no such API, Actions is disabled, or it requires a
    /// login.
    Refused(String),
}

/// What anyone may read from a forge.
pub trait Read: Sync {
    /// The forge's record of the run `id`, the number that is unique on the whole instance.
    ///
    /// # Errors
    /// When the forge cannot be queried.
    fn run(&self, id: u64) -> Result<RunLookup>;

    /// CI's result for `commit`, as far as the configuration requires it.
    ///
    /// # Errors
    /// When the forge cannot be queried.
    fn ci_state(&self, commit: &Commit) -> Result<CiState>;

    /// What is wrong with `tag` on the forge, where it must name `commit`: publishing a page for a missing tag would
    /// create the tag.
    ///
    /// # Errors
    /// When the forge cannot be queried.
    fn check_tag(&self, tag: &ReleaseTag, commit: &Commit) -> Result<Option<Problem>>;

    /// The commit that `tag` names on the forge.
    ///
    /// # Errors
    /// When the forge cannot be queried.
    fn tag(&self, tag: &ReleaseTag) -> Result<Option<Commit>>;

    /// The object that `tag` names on the forge: the tag object of an annotated tag, the commit of a lightweight one.
    ///
    /// # Errors
    /// When the forge cannot be queried.
    fn tag_object(&self, tag: SignedTag<'_>) -> Result<Option<Commit>>;

    /// The repository's default branch on the forge; `None` if there is no forge.
    ///
    /// # Errors
    /// When the forge cannot be queried, or the repository is empty.
    fn default_branch(&self) -> Result<Option<BranchHead>>;

    /// The commit that the branch `name` names on the forge.
    ///
    /// # Errors
    /// When the forge cannot be queried, or the name cannot be put into an address.
    fn branch(&self, name: &str) -> Result<Option<Commit>>;

    /// The file `path` of `commit` on the forge.
    ///
    /// # Errors
    /// When the forge cannot be queried.
    fn file(&self, commit: &Commit, path: &str) -> Result<Option<Vec<u8>>>;

    /// The page of `tag`, drafts included.
    ///
    /// # Errors
    /// When the forge cannot be queried.
    fn page(&self, tag: &ReleaseTag) -> Result<Option<PublishedPage>>;

    /// All pages of release tags, including drafts if the credentials may see them.
    ///
    /// # Errors
    /// When the forge cannot be queried.
    fn pages(&self) -> Result<Vec<PublishedPage>>;

    /// The bytes of the `wanted` files of the page of `tag`, in the same order. Each file is downloaded by name
    /// without credentials, as anyone would, and with them if that is refused. `None` for a file that does not exist.
    ///
    /// # Errors
    /// For each file: when the download fails.
    fn assets(&self, tag: &ReleaseTag, wanted: &[&Listed]) -> Vec<Result<Option<Vec<u8>>>>;

    /// Whether the forge shows `highest`, the highest stable release, as its latest one. True if that release has no
    /// page.
    ///
    /// # Errors
    /// When the forge cannot be queried.
    fn shows_as_latest(&self, highest: &ReleaseTag) -> Result<bool>;

    /// The address at which anyone can download the file `path` of `commit`, if the forge serves files.
    fn raw_address(&self, commit: &Commit, path: &str) -> Option<String>;
}

/// What a release writes to its forge, and what it checks there first with its token.
pub trait Write: Read {
    /// Everything that is wrong with publishing `tag` at `commit` here, whatever the account.
    ///
    /// # Errors
    /// When the forge cannot be queried.
    fn check_source(&self, tag: &ReleaseTag, commit: &Commit) -> Result<Vec<Problem>>;

    /// As [`Write::check_source`], and whether the token may publish.
    ///
    /// # Errors
    /// When the forge cannot be queried.
    fn preflight(&self, tag: &ReleaseTag, commit: &Commit) -> Result<Vec<Problem>>;

    /// Why `commit`, which was on a branch that may be released, is no longer on any. `None` if it still is, or if
    /// this cannot be determined because the clone lacks the head of such a branch.
    ///
    /// # Errors
    /// When the forge cannot be queried.
    fn has_left_branches(&self, commit: &Commit) -> Result<Option<String>>;

    /// What is wrong with the access to the forge: address, token, clock, permission to write pages and their files.
    ///
    /// # Errors
    /// When the forge cannot be queried.
    fn check_access(&self) -> Result<Vec<Problem>>;

    /// What the forge's protections allow people who are not maintainers to do with tags, and with branches that are
    /// released from.
    ///
    /// # Errors
    /// When the forge cannot be queried.
    fn protections(&self) -> Result<Protections>;

    /// Creates a missing rule. `maintainers`, accounts of the forge, may then push release tags.
    ///
    /// # Errors
    /// When the forge refuses.
    fn protect(&self, rule: &Rule, maintainers: &[String]) -> Result<()>;

    /// Creates `page` as a draft, which only people with access can see, and returns it. If a page exists by then,
    /// returns that one.
    ///
    /// # Errors
    /// When the forge refuses.
    fn draft(&self, page: &Page) -> Result<PublishedPage>;

    /// Adds a file to the page.
    ///
    /// # Errors
    /// When the forge refuses, or does not confirm the upload. In the second case it may have stored the file.
    fn upload(&self, published: &PublishedPage, asset: &Asset) -> Result<()>;

    /// Removes a file from the page, if it is still there.
    ///
    /// # Errors
    /// When the forge refuses.
    fn remove(&self, published: &PublishedPage, listed: &Listed) -> Result<()>;

    /// Changes the published page to `page` and makes it visible to everyone.
    ///
    /// # Errors
    /// When the forge refuses.
    fn update(&self, published: &PublishedPage, page: &Page) -> Result<()>;

    /// Makes the forge show `highest`, the highest stable release, as its latest one. Returns whether it had to change
    /// anything.
    ///
    /// # Errors
    /// When the forge refuses.
    fn fix_latest_mark(&self, highest: &ReleaseTag) -> Result<bool>;
}

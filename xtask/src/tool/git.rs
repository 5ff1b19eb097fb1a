//! git, used only with output formats that are documented as stable.

mod allowed;
mod checkout;
mod commit;
#[cfg(test)]
mod hostile;
mod interner;
mod log;
mod message;
mod names;
mod objects;
mod open;
mod people;
mod pull_request;
mod sealed;
mod signer;
mod tag_message;
mod tree;
mod upstream;
mod work_tree;

use std::ffi::OsString;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Context as _, Result};
use xshell::cmd;

use crate::process::{Call, Dialogue, Runner};

use objects::Object;

pub use commit::Commit;
pub use interner::Interner;
pub use log::{Log, LogEntry, Names, log_format};
pub use message::{
    Message, QUOTING, REVERT, Reverted, announces_break, has_tag, marks_break, quoted, tagged,
};
pub use objects::NoFile;
pub use people::{Authors, MAX_COMMITS};
pub use pull_request::{squashed, unnumbered};
pub use signer::Signer;
pub use upstream::Upstream;
pub use work_tree::WorkTree;

const INSTALL: &str = "install it, for example with `apt-get install git`";

/// Enough to read all objects of a large repository from a slow disk.
const EXPORT: Duration = Duration::from_secs(300);

/// No name of a commit is longer, in bytes.
const MAX_REVISION_LEN: usize = 1024;

/// Where tags are stored, and the format that prints their names.
const TAGS: &str = "refs/tags";
const TAG_NAME: &str = "--format=%(refname:strip=2)";

/// The repository that a command runs in.
#[derive(Clone)]
pub struct Git {
    runner: Runner,
    root: PathBuf,
    /// The repository's own directory, in most cases `.git`.
    directory: String,
    is_shallow: bool,
    is_bare: bool,
    /// The directories in which the user allows git to work (`safe.directory`). Empty if git needs no such permission.
    trusted: Vec<OsString>,
    objects: Option<work_tree::Objects>,
    /// The process that reads objects; `None` before the first request and after an error.
    answers: Answers,
}

type Answers = Arc<Mutex<Option<Dialogue>>>;

impl Git {
    /// The top of the work tree. For a bare clone, the clone itself.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The version of the git program, such as `2.39.5`.
    ///
    /// # Errors
    /// When git fails.
    pub fn version(&self) -> Result<String> {
        let text = self.call(&["version"])?.read()?;
        let version = text.strip_prefix("git version ");
        Ok(version
            .with_context(|| format!("`git version` says `{text}`, which is not the usual git"))?
            .to_owned())
    }

    /// Whether the history is cut off, as by `git clone --depth`.
    #[must_use]
    pub fn is_shallow(&self) -> bool {
        self.is_shallow
    }

    /// The commit that `revision` resolves to through annotated tags; `None` when there is no such revision.
    ///
    /// # Errors
    /// When git fails.
    pub fn peel(&self, revision: &str) -> Result<Option<Commit>> {
        self.commit(revision)?.map(|commit| Commit::parse(&commit.id)).transpose()
    }

    /// As [`Git::peel`], with the time of the commit in seconds since 1970.
    ///
    /// # Errors
    /// When git fails, or the commit claims a time before 1970 or in a year with five digits.
    pub fn dated(&self, revision: &str) -> Result<Option<(Commit, u64)>> {
        let Some(found) = self.commit(revision)? else { return Ok(None) };
        let commit = Commit::parse(&found.id)?;
        let time = commit::time(&found.bytes).with_context(|| format!("reading the time of {commit}"))?;
        Ok(Some((commit, time)))
    }

    fn commit(&self, revision: &str) -> Result<Option<Object>> {
        if revision.len() > MAX_REVISION_LEN || revision.contains(char::is_control) {
            return Ok(None);
        }
        let found = self.object(&format!("{revision}^{{commit}}"));
        Ok(found.with_context(|| format!("looking for `{revision}`"))?.filter(|found| found.kind == "commit"))
    }

    /// The names of the tags at `commit` that are UTF-8.
    ///
    /// # Errors
    /// When git fails.
    pub fn tags_at(&self, commit: &Commit) -> Result<Vec<String>> {
        self.tag_names(["for-each-ref", "--points-at", commit.as_str(), TAG_NAME, TAGS])
    }

    /// The names of all tags that are UTF-8.
    ///
    /// # Errors
    /// When git fails.
    pub fn tags(&self) -> Result<Vec<String>> {
        self.tag_names(["for-each-ref", TAG_NAME, TAGS])
    }

    /// The names of the tags in the history of `commit` that are UTF-8, including those at `commit`.
    ///
    /// # Errors
    /// When git fails.
    pub fn tags_within(&self, commit: &Commit) -> Result<Vec<String>> {
        self.tag_names(["for-each-ref", "--merged", commit.as_str(), TAG_NAME, TAGS])
    }

    /// The bytes of the file at each of `paths` in `commit`; `None` where there is none.
    ///
    /// # Errors
    /// [`NoFile`] when something else is at a path. Any other error when git fails or its answer does not follow the
    /// documentation of `git cat-file --batch`.
    pub fn files<const N: usize>(&self, commit: &Commit, paths: [&str; N]) -> Result<[Option<Vec<u8>>; N]> {
        let paths = paths.map(str::to_owned);
        let mut answers = self.files_at(commit, &paths)?.into_iter();
        Ok(std::array::from_fn(|_| answers.next().flatten()))
    }

    /// As [`Git::files`], for any number of paths.
    ///
    /// # Errors
    /// As [`Git::files`].
    pub fn files_at(&self, commit: &Commit, paths: &[String]) -> Result<Vec<Option<Vec<u8>>>> {
        let wanted: Vec<_> = paths.iter().map(|path| (commit, path.as_str())).collect();
        let found = self.files_of(&wanted)?.into_iter().zip(paths);
        found.map(|(file, path)| file.with_context(|| format!("reading `{path}` of {commit}"))).collect()
    }

    /// As [`Git::files`], for paths in different commits. If something else is at a path, only the result for that
    /// path is an error.
    ///
    /// # Errors
    /// When git fails, or its answer does not follow the documentation of `git cat-file --batch`.
    pub fn files_of(&self, wanted: &[(&Commit, &str)]) -> Result<Vec<Result<Option<Vec<u8>>, NoFile>>> {
        let file = |(commit, path): &(&Commit, &str)| {
            let found = self.object(&format!("{commit}:{path}"));
            let found = found.with_context(|| format!("reading `{path}` of {commit}"))?;
            Ok(found.map(Object::into_file).transpose())
        };
        wanted.iter().map(file).collect()
    }

    /// Whether the work tree differs from `commit` at or below any of `paths`.
    ///
    /// # Errors
    /// When git fails.
    pub fn differs(&self, commit: &Commit, paths: &[&str]) -> Result<bool> {
        let arguments = [&["diff", "--no-ext-diff", "--quiet", commit.as_str(), "--"], paths].concat();
        let output = self.call(&arguments)?.output()?;
        match output.status.code() {
            Some(0) => Ok(false),
            Some(1) => Ok(true),
            _ => Err(output.failure()),
        }
    }

    /// The time of the commit, in seconds since 1970.
    ///
    /// # Errors
    /// As [`Git::dated`], and when there is no such commit.
    pub fn commit_time(&self, commit: &Commit) -> Result<u64> {
        let found = self.dated(commit.as_str())?;
        found.map(|(_, time)| time).with_context(|| format!("there is no commit {commit} here"))
    }

    /// Whether `ancestor` is in the history of `descendant`.
    ///
    /// # Errors
    /// When git fails, which is not the answer "no".
    pub fn is_ancestor(&self, ancestor: &Commit, descendant: &Commit) -> Result<bool> {
        let output =
            self.call(&["merge-base", "--is-ancestor", ancestor.as_str(), descendant.as_str()])?.output()?;
        match output.status.code() {
            Some(0) => Ok(true),
            Some(1) => Ok(false),
            _ => Err(output.failure()),
        }
    }

    /// Writes the files of `commit` to the new directory `tree`, byte for byte as git stores them. Modes do not
    /// depend on the umask, and everything has the commit's time: the build context is exactly the commit. During the
    /// export, a file beside the directory holds all objects.
    ///
    /// # Errors
    /// A [`crate::process::failure::Refusal`] for submodules, Git LFS pointers, links out of the tree, names that differ
    /// only in case, and what is below a link or a file. Other errors when git fails or the disk is full.
    pub fn export(&self, commit: &Commit, tree: &Path) -> Result<()> {
        let objects = tree.with_extension("objects");
        std::fs::create_dir(tree).with_context(|| format!("making `{}`", tree.display()))?;
        let list = self.call(&["ls-tree", "-r", "-z", "--full-tree", commit.as_str()])?;
        let entries = tree::entries(&list.output()?.success()?.stdout)?;
        let doing = || format!("writing `{}`", objects.display());
        let file = File::create_new(&objects).with_context(doing)?;
        self.call(&["cat-file", "--batch"])?.stdin(tree::asked(&entries)).timeout(EXPORT).save(file)?;
        let file = File::open(&objects).with_context(doing)?;
        tree::write(&entries, file, tree, self.commit_time(commit)?)?;
        std::fs::remove_file(&objects).with_context(|| format!("removing `{}`", objects.display()))
    }

    fn call<S: AsRef<std::ffi::OsStr>>(&self, arguments: &[S]) -> Result<Call> {
        let sh = self.runner.shell()?;
        let root = &self.root;
        let call = self.runner.call(cmd!(sh, "git -C {root} {arguments...}")).install_hint(INSTALL);
        let call = sealed::seal(call, &self.trusted);
        Ok(match &self.objects {
            Some(objects) => objects.of(call),
            None => call,
        })
    }

    /// The names of tags, printed one per line. A name that is not UTF-8 is left out: the tag of a release is ASCII,
    /// and a repository that was converted from another system may have such names.
    fn tag_names<const N: usize>(&self, arguments: [&str; N]) -> Result<Vec<String>> {
        let printed = self.call(&arguments)?.output()?.success()?.stdout;
        let names = printed.split(|byte| *byte == b'\n').filter(|name| !name.is_empty());
        Ok(names.filter_map(|name| std::str::from_utf8(name).ok()).map(str::to_owned).collect())
    }
}

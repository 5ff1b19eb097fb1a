//! The work tree as a commit that is not in the repository: its objects are in a private directory. The user's index,
//! branch and files stay unchanged.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use xshell::cmd;

use super::{Answers, Commit, Git};
use crate::process::Call;
use crate::process::temp_dir::TempDir;

/// The directories from which objects are read. New ones are written to `own`.
#[derive(Clone)]
pub(super) struct Objects {
    own: PathBuf,
    repository: PathBuf,
}

impl Objects {
    /// Makes `call` read both object directories and write to the private one (git(1), "ENVIRONMENT").
    pub(super) fn of(&self, call: Call) -> Call {
        // Quoted, because a colon would begin another directory.
        let path = self.repository.display().to_string().replace('\\', "\\\\").replace('"', "\\\"");
        call.env("GIT_OBJECT_DIRECTORY", &self.own)
            .env("GIT_ALTERNATE_OBJECT_DIRECTORIES", format!("\"{path}\""))
    }
}

/// A commit of the work tree. Dropping the value removes it.
pub struct WorkTree {
    /// The repository as if it had the commit.
    pub git: Git,
    /// The commit, a child of HEAD.
    pub commit: Commit,
    _scratch: TempDir,
}

/// Copies an index and keeps its time. git recognizes an unchanged file by size and times, except when the file may
/// have changed at the very moment at which the index was written. An index newer than the user's own would hide such
/// a change.
fn copy_with_time(from: &Path, to: &Path) -> std::io::Result<()> {
    let written = fs::metadata(from)?.modified()?;
    fs::copy(from, to)?;
    fs::File::options().write(true).open(to)?.set_modified(written)
}

impl Git {
    /// Commits the tracked and new files of the work tree, without ignored ones. The commit is on no branch. The same
    /// files on the same HEAD give the same commit.
    ///
    /// # Errors
    /// When there is no commit yet, or git fails.
    pub fn work_tree(&self) -> Result<WorkTree> {
        let head = self.dated("HEAD")?;
        let (head, time) = head.context("the repository has no commit yet; commit something first")?;
        let time = format!("{time} +0000");
        let scratch = TempDir::new()?;
        let (index, own) = (scratch.path().join("index"), scratch.path().join("objects"));
        fs::create_dir(&own).with_context(|| format!("making `{}`", own.display()))?;
        let path = |of: &str| self.call(&["rev-parse", "--path-format=absolute", "--git-path", of])?.read();
        let objects = Some(Objects { own, repository: path("objects")?.into() });
        let git = Self { objects, answers: Answers::default(), ..self.clone() };

        let users = PathBuf::from(path("index")?);
        if users.exists() {
            // So that files that are both tracked and ignored stay, and unchanged files are not read again.
            copy_with_time(&users, &index).with_context(|| format!("copying `{}`", users.display()))?;
        } else {
            git.on_index(&["read-tree", head.as_str()], &index)?.run()?;
        }
        let ignored = self.users_ignored()?.map(|file| format!("core.excludesFile={file}"));
        let add: Vec<_> = ignored.iter().flat_map(|set| ["-c", set]).chain(["add", "--all"]).collect();
        git.on_index(&add, &index)?.run().context("reading the work tree")?;
        let tree = git.on_index(&["write-tree"], &index)?.read()?;
        let commit = git.call(&["commit-tree", "-p", head.as_str(), "-m", "work tree", &tree])?;
        let somebody = ["AUTHOR", "COMMITTER"].iter().fold(commit, |call, role| {
            call.env(&format!("GIT_{role}_NAME"), "rehearsal")
                .env(&format!("GIT_{role}_EMAIL"), "rehearsal@localhost")
                .env(&format!("GIT_{role}_DATE"), &time)
        });
        let commit = Commit::parse(&somebody.read()?)?;
        Ok(WorkTree { git, commit, _scratch: scratch })
    }

    /// The number of tracked files in the work tree that differ from `commit`.
    ///
    /// # Errors
    /// When git fails.
    pub fn changed_files(&self, commit: &Commit) -> Result<usize> {
        let names = self
            .call(&["diff", "--no-ext-diff", "--no-renames", "--name-only", "-z", commit.as_str(), "--"])?
            .output()?
            .success()?
            .stdout;
        Ok(names.split(|byte| *byte == 0).filter(|name| !name.is_empty()).count())
    }

    /// The file with the user's ignore rules for all repositories, if the user named one. Without it, files that
    /// never show up as new for the user would be in the commit. git finds its default, `~/.config/git/ignore`, by
    /// itself.
    fn users_ignored(&self) -> Result<Option<String>> {
        let (sh, root) = (self.runner.shell()?, &self.root);
        let ask = cmd!(sh, "git -C {root} config --type=path --get core.excludesFile");
        let output = self.runner.call(ask).install_hint(super::INSTALL).output()?;
        match output.status.code() {
            Some(0) => Ok(Some(output.text()?.trim_end_matches('\n').to_owned())),
            // git-config(1): the key is not set.
            Some(1) => Ok(None),
            _ => Err(output.failure().context("reading which files the user's git ignores")),
        }
    }

    /// A call with `index` in place of the user's index.
    fn on_index(&self, arguments: &[&str], index: &Path) -> Result<Call> {
        Ok(self.call(arguments)?.env("GIT_INDEX_FILE", index))
    }
}

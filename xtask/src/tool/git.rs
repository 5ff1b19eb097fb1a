//! git, asked only for formats that are documented as stable.

mod commit;
mod objects;

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use xshell::cmd;

use crate::tool::{Call, Runner};

pub use commit::Commit;

const INSTALL: &str = "install it, for example with `apt-get install git`";

/// A whole history over a slow line.
const CLONE: Duration = Duration::from_secs(600);

/// One commit of a range, as release notes need it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogEntry {
    /// The commit.
    pub commit: Commit,
    /// The first line of its message, as written: hostile input.
    pub subject: String,
}

/// The repository that a command runs in.
#[derive(Clone)]
pub struct Git {
    runner: Runner,
    root: PathBuf,
    is_shallow: bool,
}

impl Git {
    /// The repository around `dir`.
    ///
    /// # Errors
    /// When git is not installed or `dir` is in no work tree.
    pub fn discover(runner: &Runner, dir: &Path) -> Result<Self> {
        let sh = runner.shell()?;
        let ask = cmd!(sh, "git rev-parse --show-toplevel --is-shallow-repository");
        let call = runner.call(ask).dir(dir).install_hint(INSTALL);
        let answer = call.read().context("finding the repository; run this inside a checkout")?;
        let (root, shallow) =
            answer.rsplit_once('\n').with_context(|| format!("`git rev-parse` printed `{answer}`"))?;
        Ok(Self { runner: runner.clone(), root: root.into(), is_shallow: yes_or_no(shallow)? })
    }

    /// A bare clone of the repository at `url`, whole and with its tags, in the new directory `dir`. Nothing of it is
    /// run or checked out.
    ///
    /// # Errors
    /// When git fails, or `url` is of a kind that runs a program.
    pub fn cloned(runner: &Runner, url: &str, dir: &Path) -> Result<Self> {
        let sh = runner.shell()?;
        let clone = cmd!(sh, "git -c core.hooksPath=/dev/null clone --quiet --bare -- {url} {dir}");
        let call = runner.call(clone).env("GIT_ALLOW_PROTOCOL", "https:http:ssh:git:file");
        call.install_hint(INSTALL).timeout(CLONE).run().context("cloning the source")?;
        let ask = cmd!(sh, "git -C {dir} rev-parse --is-shallow-repository");
        let shallow = runner.call(ask).read().context("looking at the clone")?;
        Ok(Self { runner: runner.clone(), root: dir.to_owned(), is_shallow: yes_or_no(&shallow)? })
    }

    /// The top of the work tree; of a bare clone, the clone.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Whether history is cut off, as `git clone --depth` does.
    #[must_use]
    pub fn is_shallow(&self) -> bool {
        self.is_shallow
    }

    /// The commit that `revision` leads to through annotated tags; `None` when there is no such revision.
    ///
    /// # Errors
    /// When git fails for another reason.
    pub fn peel(&self, revision: &str) -> Result<Option<Commit>> {
        let peeled = format!("{revision}^{{commit}}");
        let output =
            self.call(["rev-parse", "--verify", "--quiet", "--end-of-options", &peeled])?.output()?;
        match output.status.code() {
            Some(0) => Commit::parse(output.text()?.trim_end()).map(Some),
            // `--quiet` makes 1 mean "no such object" alone.
            Some(1) => Ok(None),
            _ => Err(output.failure()),
        }
    }

    /// Names of the tags at `commit`.
    ///
    /// # Errors
    /// When git fails.
    pub fn tags_at(&self, commit: &Commit) -> Result<Vec<String>> {
        self.lines(["tag", "--points-at", commit.as_str(), "--format=%(refname:strip=2)"])
    }

    /// Names of all tags.
    ///
    /// # Errors
    /// When git fails.
    pub fn tags(&self) -> Result<Vec<String>> {
        self.lines(["tag", "--format=%(refname:strip=2)"])
    }

    /// Names of the tags in the history of `commit`, its own included.
    ///
    /// # Errors
    /// When git fails.
    pub fn tags_within(&self, commit: &Commit) -> Result<Vec<String>> {
        self.lines(["tag", "--merged", commit.as_str(), "--format=%(refname:strip=2)"])
    }

    /// The bytes of each of the files at `paths` in `commit`; `None` for one that it does not have.
    ///
    /// # Errors
    /// When git fails or answers in another form than `git cat-file --batch` documents.
    pub fn files<const N: usize>(&self, commit: &Commit, paths: [&str; N]) -> Result<[Option<Vec<u8>>; N]> {
        let asked: String = paths.iter().map(|path| format!("{commit}:{path}\n")).collect();
        let answer = self.call(["cat-file", "--batch"])?.stdin(asked).output()?.success()?.stdout;
        let mut rest = answer.as_slice();
        let mut found = [const { None }; N];
        for (path, found) in paths.iter().zip(&mut found) {
            *found = objects::next(&mut rest).with_context(|| format!("reading `{path}` of {commit}"))?;
        }
        Ok(found)
    }

    /// Whether the work tree differs from `commit` below one of `paths`.
    ///
    /// # Errors
    /// When git fails.
    pub fn differs(&self, commit: &Commit, paths: &[&str]) -> Result<bool> {
        let arguments = [&["diff", "--quiet", commit.as_str(), "--"], paths].concat();
        let sh = self.runner.shell()?;
        let root = &self.root;
        let output = self.runner.call(cmd!(sh, "git -C {root} {arguments...}")).output()?;
        match output.status.code() {
            Some(0) => Ok(false),
            Some(1) => Ok(true),
            _ => Err(output.failure()),
        }
    }

    /// When the commit was made, in seconds since 1970.
    ///
    /// # Errors
    /// When git fails, or the commit claims to be older than 1970.
    pub fn commit_time(&self, commit: &Commit) -> Result<u64> {
        let text = self.read(["show", "--no-patch", "--format=%ct", "--end-of-options", commit.as_str()])?;
        text.parse().with_context(|| format!("reading the commit time `{text}` of {commit}"))
    }

    /// Whether `ancestor` is part of the history of `descendant`.
    ///
    /// # Errors
    /// When git fails, which is not the same answer as no.
    pub fn is_ancestor(&self, ancestor: &Commit, descendant: &Commit) -> Result<bool> {
        let output =
            self.call(["merge-base", "--is-ancestor", ancestor.as_str(), descendant.as_str()])?.output()?;
        match output.status.code() {
            Some(0) => Ok(true),
            Some(1) => Ok(false),
            _ => Err(output.failure()),
        }
    }

    /// The commits that `to` has and `from` has not, newest first, without merges.
    ///
    /// # Errors
    /// When git fails or its output does not have the asked form.
    pub fn log(&self, from: Option<&str>, to: &Commit) -> Result<Vec<LogEntry>> {
        let range = from.map_or_else(|| to.to_string(), |from| format!("refs/tags/{from}..{to}"));
        let text =
            self.read(["log", "--no-merges", "-z", "--format=%H%x1f%s", "--end-of-options", &range])?;
        text.split('\0').filter(|record| !record.is_empty()).map(parse_log_record).collect()
    }

    /// Writes the tree of `commit` below `dir`, with modes that do not depend on the umask and the commit's time on
    /// every file: the build context is the commit and nothing else.
    ///
    /// # Errors
    /// When git or tar fails.
    pub fn export(&self, commit: &Commit, dir: &Path) -> Result<()> {
        let sh = self.runner.shell()?;
        let (archive, tree, commit) = (dir.join("tree.tar"), dir.join("tree"), commit.as_str());
        std::fs::create_dir(&tree).with_context(|| format!("making `{}`", tree.display()))?;
        let root = &self.root;
        self.runner
            .call(cmd!(
                sh,
                "git -C {root} -c tar.umask=0022 archive --format=tar --output={archive} {commit}"
            ))
            .run()?;
        self.runner
            .call(cmd!(
                sh,
                "tar --extract --preserve-permissions --no-same-owner --file={archive} --directory={tree}"
            ))
            .run()?;
        std::fs::remove_file(&archive).with_context(|| format!("removing `{}`", archive.display()))
    }

    fn call<const N: usize>(&self, arguments: [&str; N]) -> Result<Call> {
        let sh = self.runner.shell()?;
        let root = &self.root;
        Ok(self.runner.call(cmd!(sh, "git -C {root} {arguments...}")).install_hint(INSTALL))
    }

    fn read<const N: usize>(&self, arguments: [&str; N]) -> Result<String> {
        self.call(arguments)?.read()
    }

    fn lines<const N: usize>(&self, arguments: [&str; N]) -> Result<Vec<String>> {
        Ok(self.read(arguments)?.lines().map(str::to_owned).collect())
    }
}

fn yes_or_no(text: &str) -> Result<bool> {
    match text {
        "true" => Ok(true),
        "false" => Ok(false),
        other => {
            bail!("`git rev-parse --is-shallow-repository` printed `{other}`: expected `true` or `false`")
        }
    }
}

fn parse_log_record(record: &str) -> Result<LogEntry> {
    let Some((commit, subject)) = record.split_once('\x1f') else {
        bail!("`git log` printed a record without a separator: `{record}`");
    };
    Ok(LogEntry { commit: Commit::parse(commit)?, subject: subject.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::parse_log_record;

    #[test]
    fn a_log_record_is_a_commit_and_a_subject_that_may_hold_anything() {
        let record = format!("{}\x1ffix: a \x1f and `tick`", "b".repeat(40));
        assert_eq!(parse_log_record(&record).unwrap().subject, "fix: a \x1f and `tick`");
        assert!(parse_log_record("fatal: not a git repository").is_err());
    }
}

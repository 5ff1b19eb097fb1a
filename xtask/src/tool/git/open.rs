//! The repository that git works in: the user's checkout, or a clone of our own.

use std::ffi::OsString;
use std::fs;
use std::path::Path;
use std::sync::PoisonError;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use xshell::cmd;

use super::{Answers, Git, INSTALL, sealed};
use crate::process::parallel::both;
use crate::process::temp_dir::TempDir;
use crate::process::{Output, Runner, environment};

/// Enough to clone a whole history over a slow line.
const CLONE: Duration = Duration::from_secs(600);

impl Git {
    /// The repository to which `dir` belongs.
    ///
    /// # Errors
    /// When git is not installed or `dir` is not in a work tree.
    pub fn discover(runner: &Runner, dir: &Path) -> Result<Self> {
        Self::answered(runner, dir, &[]).map(|(git, _)| git)
    }

    /// As [`Git::discover`], with the result of [`Git::tags`]: one git process reports both.
    ///
    /// # Errors
    /// As [`Git::discover`].
    pub fn with_tags(runner: &Runner, dir: &Path) -> Result<(Self, Vec<String>)> {
        // Most runs begin at the top of a repository that belongs to the user. There, the process that reads objects
        // can already start, because a path such as `./a` means the same to it.
        let early = || {
            let sh = runner.shell()?;
            sealed::seal(runner.call(cmd!(sh, "git -C {dir} cat-file --batch")), &[]).converse()
        };
        let more = ["--symbolic-full-name", "--tags"];
        let ((git, output), early) = both(|| Self::answered(runner, dir, &more), || Ok(early()))?;
        if git.root == dir && git.trusted.is_empty() {
            *git.answers.lock().unwrap_or_else(PoisonError::into_inner) = Some(early?);
        }
        // If git complained, for example about a broken tag, the tags are queried separately.
        let tags = if output.stderr.is_empty() { tags_before(&output.stdout).0 } else { git.tags()? };
        Ok((git, tags))
    }

    /// The repository, and what git printed. `more` may request the tags, which then come first.
    fn answered(runner: &Runner, dir: &Path, more: &[&str]) -> Result<(Self, Output)> {
        let sh = runner.shell()?;
        let ask = |trusted: &[OsString]| {
            let facts = ["--is-shallow-repository", "--absolute-git-dir", "--show-toplevel"];
            let ask = cmd!(sh, "git rev-parse {more...} {facts...}");
            sealed::seal(runner.call(ask), trusted).dir(dir).install_hint(INSTALL).output()
        };
        let (mut output, mut trusted) = (ask(&[])?, Vec::new());
        if !output.status.success() {
            // git refuses a checkout that belongs to another user, unless the user's settings list it.
            trusted = sealed::trusted_directories(runner)?;
            output = ask(&trusted)?;
        }
        let output = output.success().context("finding the repository; run this inside a checkout")?;
        let (_, answer) = tags_before(&output.stdout);
        let answer = std::str::from_utf8(answer)
            .with_context(|| format!("`{}` printed a path that is not UTF-8", output.command_line))?;
        let [shallow, directory, root] = answer.lines().collect::<Vec<_>>()[..] else {
            bail!("`git rev-parse` printed `{answer}`: move the repository to a path without a line break");
        };
        let (is_shallow, directory) = (yes_or_no(shallow)?, directory.to_owned());
        let (runner, root, is_bare, objects) = (runner.clone(), root.into(), false, None);
        let answers = Answers::default();
        let git = Self { runner, root, directory, is_shallow, is_bare, trusted, objects, answers };
        Ok((git, output))
    }

    /// The repository in which the command was started.
    ///
    /// # Errors
    /// As [`Git::discover`].
    pub fn here(runner: &Runner) -> Result<Self> {
        Self::discover(runner, &environment::current_directory()?)
    }

    /// A complete bare clone of the repository at `url`, with its tags, in the new directory `dir`. Nothing in it is
    /// run or checked out. Of the user's settings, git sees only those for the network, such as proxies, certificates
    /// and credentials. Others could substitute another repository (`url.….insteadOf`, `remote.origin.url`), hide
    /// refs or add some.
    ///
    /// # Errors
    /// When git fails, or `url` has a scheme that runs a program.
    pub fn cloned(runner: &Runner, url: &str, dir: &Path) -> Result<Self> {
        let sh = runner.shell()?;
        // The settings are in a file, because git does not pass settings in variables on to a server that is a local
        // directory.
        let scratch = TempDir::new()?;
        let settings = scratch.path().join("gitconfig");
        let doing = || format!("writing `{}`", settings.display());
        fs::write(&settings, sealed::network_settings(runner)?).with_context(doing)?;
        let clone = cmd!(sh, "git clone --quiet --bare --template= -- {url} {dir}");
        let call = sealed::seal(runner.call_with_ssh_agent(clone), &[]).env("GIT_CONFIG_GLOBAL", &settings);
        let call = call.env("GIT_ALLOW_PROTOCOL", "https:http:ssh:git:file");
        let output = call.install_hint(INSTALL).timeout(CLONE).output().context("cloning the source")?;
        // The command line would hide the few words that give the reason.
        let words = || output.stderr.split_whitespace().collect::<Vec<_>>().join(" ");
        ensure!(output.status.success(), "git says `{}`", words());
        let ask = cmd!(sh, "git -C {dir} rev-parse --is-shallow-repository --absolute-git-dir");
        let answer = sealed::seal(runner.call(ask), &[]).read().context("looking at the clone")?;
        let (shallow, directory) =
            answer.split_once('\n').with_context(|| format!("`git rev-parse` printed `{answer}`"))?;
        let (is_shallow, directory) = (yes_or_no(shallow)?, directory.to_owned());
        let (runner, root, is_bare) = (runner.clone(), dir.to_owned(), true);
        let (trusted, objects, answers) = (Vec::new(), None, Answers::default());
        Ok(Self { runner, root, directory, is_shallow, is_bare, trusted, objects, answers })
    }
}

/// The names of the tags with which an answer begins, and what follows them. A name that is not UTF-8 is left out, as by
/// [`Git::tags`].
fn tags_before(printed: &[u8]) -> (Vec<String>, &[u8]) {
    let (mut names, mut rest) = (Vec::new(), printed);
    while let Some(line) = rest.strip_prefix(b"refs/tags/") {
        let end = line.iter().position(|byte| *byte == b'\n').unwrap_or(line.len());
        names.extend(std::str::from_utf8(&line[..end]).ok().map(str::to_owned));
        rest = line.get(end + 1..).unwrap_or_default();
    }
    (names, rest)
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

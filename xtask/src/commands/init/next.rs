//! The end of `init`: what to look at, what to type next, and what is left to do.

use std::path::Path;

use anyhow::{Result, anyhow};

use super::survey::Survey;
use super::{Options, files, listed, notes};
use crate::commands::check;
use crate::evidence::provenance::RELEASE_WORKFLOW;
use crate::inputs::DOCKERFILE;
use crate::inputs::config::MANIFEST;
use crate::inputs::pin::document;
use crate::process::shown;
use crate::process::stderr;

/// What could not be done in a repository, with the command that does it later.
pub(super) struct Left<'a> {
    root: &'a Path,
    lines: Vec<String>,
}

impl<'a> Left<'a> {
    /// Nothing yet, in the repository at `root`.
    pub(super) fn of(root: &'a Path) -> Self {
        Self { root, lines: Vec::new() }
    }

    /// Remembers `what` is missing and the `command` for it, if the attempt failed.
    pub(super) fn unless(&mut self, tried: Result<()>, what: &str, command: &str) {
        if let Err(error) = tried {
            let (why, root) = (shown::error(&error), self.root.display());
            self.lines.push(format!("{what}: {why}\n  then run {command} in `{root}`"));
        }
    }

    /// Remembers what an existing `Cargo.toml` lacks, and the commands to run once it is added.
    pub(super) fn manifest(&mut self, tables: &str) {
        self.lines.push(format!(
            "`{MANIFEST}` is yours and was kept: write `{}` in its table `[workspace]`, beside other members, and add what it \
             lacks of the following:\n\n{tables}\n  then run `cargo generate-lockfile` and `cargo xtask policies` in `{}`",
            files::MEMBERS,
            self.root.display()
        ));
    }

    /// Names everything that is left. `dependency` is the line with the tool.
    ///
    /// # Errors
    /// When something is left.
    pub(super) fn conclude(self, dependency: &str) -> Result<()> {
        if self.lines.is_empty() {
            return Ok(());
        }
        let lines = listed(&self.lines);
        Err(anyhow!(
            "everything else is written, and this is left to do:{lines}\nthe tool is fetched as `{}` says: `{dependency}`; if it \
             is somewhere else, change that line ({})",
            files::PACKAGE,
            document!("adopting.md#from-a-fork-or-an-unreleased-version")
        ))
    }
}

/// What to look at, and what to type next. `hidden` are files that git ignores.
pub(super) fn say(survey: &Survey, options: &Options, hidden: &[String]) {
    let is_first = survey.dockerfile.as_ref().is_none_or(|old| !old.is_ours);
    let no_release = check::without_release_workflow(&survey.root);
    let mut all = notes::of_repository(survey, hidden, no_release.as_deref());
    all.extend(is_first.then(|| notes::of(survey)).into_iter().flatten());
    if !all.is_empty() {
        stderr::line("\nlook at these:");
        for note in all {
            stderr::line(format_args!("  {note}"));
        }
    }
    let last = match no_release {
        Some(_) => "push no version tag before the release's workflow is this tool's: see above".to_owned(),
        None => format!("wait for CI, then `git tag {0} && git push origin {0}`", survey.first_tag),
    };
    let (recipe, replace) = match &survey.dockerfile {
        Some(old) if !old.is_ours && survey.replaces.as_deref() == Some(DOCKERFILE) => {
            ("Dockerfile.new", "  mv Dockerfile.new Dockerfile\n")
        }
        _ => ("Dockerfile", ""),
    };
    stderr::line(format_args!(
        "\nnext, in `{}`:\n  review `{recipe}` and the table `smoke` in `Cargo.toml`\n{replace}  \
         cargo xtask keygen ~/{}-keys\n  \
         git add --all && git commit --message 'releases by cargo xtask' && git push origin HEAD\n  \
         cargo xtask check\n  cargo xtask rehearse\n\
         then, on the forge ({}):\n  store three secrets and the variable `REGISTRY`: {}\n  set up the runner: {}\n  \
         target/debug/xtask doctor --fix ACCOUNT    (protections: {})\n  \
         {last}",
        survey.root.display(),
        survey.title(),
        document!("setup.md"),
        document!("setup.md#secrets"),
        document!("setup.md#the-runners-machine"),
        document!("setup.md#protections"),
    ));
    if options.runner.is_none() {
        stderr::line(format_args!(
            "`check` notes that CI and the release run on the same runner; once the release has one of its own, write its label \
             after `runs-on:` in `{RELEASE_WORKFLOW}`"
        ));
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use anyhow::anyhow;

    use super::Left;

    #[test]
    fn what_is_left_to_do_is_reported_with_its_command() {
        let mut left = Left::of(Path::new("/my/service"));
        left.unless(Ok(()), "a is not written", "`a`");
        left.unless(Err(anyhow!("no network")), "`Cargo.lock` is not written", "`cargo generate-lockfile`");
        let error = left.conclude("xtask = 1").unwrap_err().to_string();
        assert!(
            error.contains("- `Cargo.lock` is not written: no network\n  then run `cargo generate-lockfile` in `/my/service`\n"),
            "{error}"
        );
        assert!(error.contains("`xtask = 1`") && !error.contains("a is not"), "{error}");
        Left::of(Path::new("/")).conclude("").unwrap();
    }
}

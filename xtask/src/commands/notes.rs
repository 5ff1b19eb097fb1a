//! `cargo xtask notes`: the first section of a release page, for any repository with version tags. It comes from git;
//! the forge adds the numbers of pull requests that git does not have.

mod changelog;
mod other_tags;

use std::collections::BTreeSet;
use std::mem::ManuallyDrop;

use anyhow::{Context as _, Result};

use crate::evidence::notes;
use crate::forge::forgejo::pulls::{self, BUDGET};
use crate::inputs::config::Config;
use crate::inputs::history::History;
use crate::inputs::pulls::Pulls;
use crate::inputs::source::{Purpose, Source, missing, release_tags};
use crate::inputs::version::ReleaseTag;
use crate::process::Runner;
use crate::process::environment::{self, Environment};
use crate::process::interrupt;
use crate::process::parallel::both;
use crate::process::shown;
use crate::process::stderr;
use crate::process::stdout;
use crate::tool::git::Git;

/// The output format of the notes.
#[derive(Clone, Copy)]
pub enum Form {
    /// The section of a release page.
    Section,
    /// One document for programs.
    Json,
    /// A section of `CHANGELOG.md`.
    Changelog,
}

impl Form {
    /// The format that the flags select; at most one of them is set.
    #[must_use]
    pub fn of(json: bool, changelog: bool) -> Self {
        match (json, changelog) {
            (true, _) => Self::Json,
            (false, true) => Self::Changelog,
            (false, false) => Self::Section,
        }
    }
}

/// Which changes to list.
pub struct Asked<'a> {
    /// A tag or a commit, else HEAD.
    pub what: Option<&'a str>,
    /// The version of a commit without a tag, else the next patch version.
    pub coming: Option<ReleaseTag>,
    /// The release to compare with, else the previous one.
    pub from: Option<&'a ReleaseTag>,
}

impl Asked<'_> {
    fn source(&self, git: &Git) -> Result<Source> {
        if let Some(tag) = &self.coming {
            return Source::of_coming(git, self.what.unwrap_or("HEAD"), tag.clone());
        }
        let source = Source::for_rehearsal(git, self.what, Purpose::Read)?;
        if !source.is_tagged {
            let version = source.tag.version();
            stderr::line(format_args!(
                "version  {version} is assumed; name another with `--as {}`",
                source.tag
            ));
        }
        Ok(source)
    }
}

/// Prints the changes that are `asked` for, in the format `form`. If the commit has a release configuration, commits
/// are linked to the forge that it names, and grouped if it says so. That forge is queried for pull requests, unless
/// `offline`.
///
/// # Errors
/// As [`Source::for_rehearsal`]; a [`crate::process::failure::Refusal`] when there is no tag `from`; when git fails; or when
/// the changelog cannot be read or written.
pub fn run(environment: &Environment, asked: &Asked<'_>, form: Form, offline: bool) -> Result<()> {
    let runner = Runner::new(environment);
    let (git, names) = Git::with_tags(&runner, &environment::current_directory()?)?;
    let (source, tags) = (asked.source(&git)?, release_tags(&names));
    if let Some(from) = asked.from
        && git.peel(&from.git_ref())?.is_none()
    {
        return Err(missing(&git, from, Purpose::Read)?.into());
    }
    let (history, config) =
        both(|| History::among(&git, &source, asked.from, &tags), || Config::if_any(&git, &source.commit))?;
    if history.previous.is_none()
        && let Some((name, tag)) = other_tags::before(&names, &source.tag)
    {
        stderr::line(format_args!(
            "tags     release tags have the form `v1.2.3`; to compare with `{name}`, run `git tag {tag} {name}`, then the same \
             command again"
        ));
    }
    // Its many small parts are not freed one by one: the process ends soon.
    let mut history = ManuallyDrop::new(history);
    if let Some(config) = config.as_ref().filter(|_| !offline) {
        history.pulls = pulls(&runner, &git, config, &history)?;
    }
    let repository = config.as_ref().map(Config::source_url);
    let groups = config.map(|config| config.notes.groups).unwrap_or_default();
    match form {
        Form::Section => {
            let section = || Ok(notes::section(repository.as_deref(), &groups, &source.tag, &history, None));
            // Ending git's process that reads objects takes a third as long as writing the section of a long range, so
            // the two run in parallel.
            let ended = || {
                drop(git);
                Ok(())
            };
            let (section, ()) = both(section, ended)?;
            stdout::print(&section)
        }
        Form::Json => stdout::print(&notes::document(&source, &groups, &history)?),
        Form::Changelog => {
            let time = source.released(&git)?;
            let section = notes::changelog(repository.as_deref(), &groups, &source.tag, time, &history);
            let version = source.tag.version();
            let done = match changelog::keep(git.root(), version, &section)? {
                true => format!("wrote    {}: a section of {version}", changelog::FILE),
                false => format!("kept     {}: it has a section of {version}", changelog::FILE),
            };
            stderr::line(done);
            Ok(())
        }
    }
}

/// The pull requests that the forge lists. If it does not answer, a line on standard error says so, and the notes go
/// without them.
fn pulls(runner: &Runner, git: &Git, config: &Config, history: &History) -> Result<Pulls> {
    let Some(previous) = history.previous.as_ref().filter(|_| !history.commits.is_empty()) else {
        return Ok(Pulls::default());
    };
    let query = || {
        let before = git.dated(&previous.git_ref())?;
        let (_, since) = before.with_context(|| format!("`{previous}` was there just now"))?;
        let commits: BTreeSet<_> = history.commits.iter().map(|entry| entry.commit.as_str()).collect();
        pulls::pulls(runner, config, &commits, since, BUDGET)
    };
    query().or_else(|error| {
        interrupt::check()?;
        stderr::line(format_args!(
            "pulls    left out, because the forge did not list them: {}",
            shown::error(&error)
        ));
        Ok(Pulls::default())
    })
}

//! `cargo xtask notes`: the first section of a page, from git alone, in any repository with version tags.

mod changelog;

use anyhow::Result;

use crate::evidence::notes;
use crate::inputs::config::Config;
use crate::inputs::history::History;
use crate::inputs::source::Source;
use crate::inputs::version::ReleaseTag;
use crate::process::Runner;
use crate::process::environment::Environment;
use crate::process::parallel::both;
use crate::process::stdout;
use crate::refuse;
use crate::tool::git::Git;

/// What is made of the notes.
#[derive(Clone, Copy)]
pub enum Form {
    /// The section of a page.
    Section,
    /// One document for programs.
    Json,
    /// A section of `CHANGELOG.md`.
    Changelog,
}

impl Form {
    /// By the flags, of which at most one is there.
    #[must_use]
    pub fn of(json: bool, changelog: bool) -> Self {
        match (json, changelog) {
            (true, _) => Self::Json,
            (false, true) => Self::Changelog,
            (false, false) => Self::Section,
        }
    }
}

/// Prints the section for `what`, a tag, or a commit as the next version: what changed since `from`, or since the release
/// before it; or another `form` of it. Commits are linked where the commit has the release's configuration, which names
/// the forge, and may order them.
///
/// # Errors
/// As [`Source::to_try`]; a [`crate::process::failure::Refusal`] where there is no tag `from`; when git does not answer; or when
/// the changelog cannot be read or written.
pub fn run(
    environment: &Environment,
    what: Option<&str>,
    from: Option<&ReleaseTag>,
    form: Form,
) -> Result<()> {
    let git = Git::here(&Runner::new(environment))?;
    let source = Source::to_try(&git, what)?;
    if let Some(from) = from
        && git.peel(&from.git_ref())?.is_none()
    {
        refuse!("there is no tag `{from}` here; fetch the repository's tags with `git fetch --tags`");
    }
    let (history, config) =
        both(|| History::of(&git, &source, from), || Config::if_any(&git, &source.commit))?;
    let repository = config.as_ref().map(Config::source_url);
    let groups = config.map(|config| config.notes.groups).unwrap_or_default();
    match form {
        Form::Section => {
            stdout::print(&notes::section(repository.as_deref(), &groups, &source.tag, &history))
        }
        Form::Json => stdout::print(&notes::document(&source, &groups, &history)?),
        Form::Changelog => {
            let time = source.released(&git)?;
            let section = notes::changelog(repository.as_deref(), &groups, &source.tag, time, &history);
            let version = source.tag.version();
            match changelog::keep(git.root(), version, &section)? {
                true => eprintln!("wrote    {}: a section of {version}", changelog::FILE),
                false => eprintln!("kept     {}: it has a section of {version}", changelog::FILE),
            }
            Ok(())
        }
    }
}

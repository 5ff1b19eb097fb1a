//! `cargo xtask notes`: the first section of a page, from git alone, in any repository with version tags.

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

/// Prints the section for `what`, a tag, or a commit as the next version: what changed since `from`, or since the release
/// before it; with `json`, as one document. Commits are linked where the commit has the release's configuration, which names
/// the forge, and may order them.
///
/// # Errors
/// As [`Source::to_try`]; a [`crate::process::failure::Refusal`] where there is no tag `from`; or when git does not answer.
pub fn run(
    environment: &Environment,
    what: Option<&str>,
    from: Option<&ReleaseTag>,
    json: bool,
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
    if json {
        return stdout::print(&notes::document(&source, &groups, &history)?);
    }
    stdout::print(&notes::section(repository.as_deref(), &groups, &source.tag, &history))
}

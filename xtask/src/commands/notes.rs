//! `cargo xtask notes`: the first section of a page, from git alone.

use anyhow::Result;

use crate::evidence::notes;
use crate::inputs::config::Config;
use crate::inputs::history::History;
use crate::inputs::source::Source;
use crate::process::Runner;
use crate::process::environment::Environment;
use crate::process::stdout;
use crate::tool::git::Git;

/// Prints the section for `what`: a tag, or a commit as the next version.
///
/// # Errors
/// As [`Source::to_try`], or when git does not answer.
pub fn run(environment: &Environment, what: Option<&str>) -> Result<()> {
    let git = Git::here(&Runner::new(environment))?;
    let source = Source::to_try(&git, what)?;
    let config = Config::of_commit(&git, &source.commit)?;
    stdout::print(&notes::section(&config, &source.tag, &History::of(&git, &source)?))
}

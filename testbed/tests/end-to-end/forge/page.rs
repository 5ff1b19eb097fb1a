//! The published page as a reader uses it: its commands are extracted and run unchanged.

use std::os::unix::fs::symlink;

use anyhow::{Context as _, Result, bail, ensure};
use xtask::process::temp_dir::TempDir;

use crate::harness::checkout::text;
use crate::harness::{call, environment, export};

/// The lines of all code blocks on a page, in order.
pub(super) fn commands(body: &str) -> Result<Vec<String>> {
    let mut commands = Vec::new();
    let mut is_open = false;
    for line in body.lines() {
        match (is_open, line.strip_prefix("```")) {
            (false, Some("sh")) => is_open = true,
            (true, Some("")) => is_open = false,
            (_, Some(other)) => bail!("a fence that is neither the start nor the end of commands: `{other}`"),
            (true, None) => commands.push(line.to_owned()),
            (false, None) => {}
        }
    }
    ensure!(!is_open, "the last fence is not closed");
    Ok(commands)
}

/// Runs `commands` in a shell in an empty directory, without any login. The cosign in the variable `cosign` comes
/// first on the PATH.
pub(super) fn paste(commands: &[String], cosign: &str) -> Result<()> {
    let (empty, bin, docker) = (TempDir::new()?, TempDir::new()?, TempDir::new()?);
    symlink(export(cosign)?, bin.path().join("cosign")).context("linking cosign")?;
    let environment = environment();
    let path = format!("{}:{}", text(bin.path())?, environment.get("PATH")?.unwrap_or_default());
    let shell = call("sh", &["-e", "-c", &commands.join("\n")])?.dir(empty.path());
    let shell = shell.env("PATH", path).env("DOCKER_CONFIG", docker.path());
    shell.run().with_context(|| format!("the commands of the page, with {cosign}"))
}

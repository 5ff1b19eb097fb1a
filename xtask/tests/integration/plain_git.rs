//! git for tests that make commits and tags: with an identity, and without the settings of this machine and its user,
//! such as those for signatures and hooks.

use std::path::Path;

use anyhow::Result;
use xshell::cmd;
use xtask::process::environment::Environment;
use xtask::process::{Call, Runner};

/// `git` with `words`, in `dir`.
pub(crate) fn call(dir: &Path, words: &[&str]) -> Result<Call> {
    let runner = Runner::new(&Environment::from_process());
    let (sh, identity) = (runner.shell()?, ["-c", "user.name=x", "-c", "user.email=x@example.org"]);
    let call = runner.call(cmd!(sh, "git {identity...} {words...}")).dir(dir);
    Ok(call.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1"))
}

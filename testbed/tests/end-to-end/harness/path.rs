//! A PATH on which a program is missing.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use anyhow::{Context as _, Result};

use super::checkout::text;
use super::environment;

/// Makes the directory `dir` with links to every program on the PATH except cosign, and returns its path. cosign's
/// directory cannot just be left out of the PATH: it differs between machines, and may have other programs.
pub(crate) fn without_cosign(dir: &Path) -> Result<String> {
    fs::create_dir(dir).with_context(|| format!("making `{}`", dir.display()))?;
    let environment = environment();
    let path = environment.get("PATH")?.context("PATH is not set")?;
    for entry in path.split(':').map(Path::new).filter(|dir| dir.is_dir()).flat_map(fs::read_dir).flatten() {
        let entry = entry?;
        let link = dir.join(entry.file_name());
        if entry.file_name() != "cosign" && !link.exists() {
            symlink(entry.path(), &link).with_context(|| format!("linking `{}`", entry.path().display()))?;
        }
    }
    Ok(text(dir)?.to_owned())
}

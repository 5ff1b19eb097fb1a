//! Directories and files that only this user can read, and removals that succeed if there is nothing to remove.

use std::fs::{self, DirBuilder, File};
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;

use anyhow::{Context as _, Result};
use xtask::process::file::if_any;

/// Makes `dir` and its parents, readable only by this user.
pub(crate) fn private_dir(dir: &Path) -> Result<()> {
    DirBuilder::new()
        .mode(0o700)
        .recursive(true)
        .create(dir)
        .with_context(|| format!("making the directory `{}`", dir.display()))
}

/// Removes a file if it exists.
pub(crate) fn remove_file(path: &Path) -> Result<()> {
    if_any(fs::remove_file(path)).map(drop).with_context(|| format!("removing `{}`", path.display()))
}

/// Removes a directory tree if it exists.
pub(crate) fn remove_dir(path: &Path) -> Result<()> {
    if_any(fs::remove_dir_all(path)).map(drop).with_context(|| format!("removing `{}`", path.display()))
}

/// Writes a file that only this user can read, completely or not at all.
pub(crate) fn write_private(path: &Path, text: &str) -> Result<()> {
    let partial = path.with_extension("partial");
    remove_file(&partial)?;
    File::options()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&partial)
        .and_then(|mut file| file.write_all(text.as_bytes()))
        .and_then(|()| fs::rename(&partial, path))
        .with_context(|| format!("writing `{}`", path.display()))
}

/// The text of a file, if it exists.
pub(crate) fn read_file(path: &Path) -> Result<Option<String>> {
    if_any(fs::read_to_string(path)).with_context(|| format!("reading `{}`", path.display()))
}

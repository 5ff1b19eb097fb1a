//! GNU tar, which unpacks what the builder exports.

use std::path::Path;

use anyhow::Result;
use xshell::cmd;

use crate::process::Runner;

/// Unpacks an OCI layout, which holds only blobs and their index.
///
/// # Errors
/// When it is not a tar file or the disk is full.
pub fn unpack_layout(runner: &Runner, archive: &Path, dir: &Path) -> Result<()> {
    let sh = runner.shell()?;
    runner.call(cmd!(sh, "tar --extract --no-same-owner --file {archive} --directory {dir}")).run()
}

//! GNU tar, which unpacks what the builder exports.

use std::path::Path;
use std::time::Duration;

use anyhow::Result;
use xshell::cmd;

use crate::process::Runner;

/// Enough for the largest image on a slow disk.
const UNPACK: Duration = Duration::from_secs(600);

/// Unpacks an OCI layout, which holds only blobs and their index.
///
/// # Errors
/// When it is not a tar file or the disk is full.
pub fn unpack_layout(runner: &Runner, archive: &Path, dir: &Path) -> Result<()> {
    let sh = runner.shell()?;
    let unpack = runner.call(cmd!(sh, "tar --extract --no-same-owner --file {archive} --directory {dir}"));
    unpack.install_hint("install it, for example with `apt-get install tar`").timeout(UNPACK).run()
}

//! tar, to look into layers: what a person would type to compare two of them.

use std::path::Path;

use anyhow::Result;
use xshell::cmd;

use crate::process::Runner;

/// A line for each entry of a gzipped layer: mode, owner, size, time and name.
///
/// # Errors
/// When it is no gzipped tar file.
pub fn list_layer(runner: &Runner, layer: &Path) -> Result<String> {
    let sh = runner.shell()?;
    let list = cmd!(sh, "tar --list --verbose --full-time --utc --numeric-owner --gzip --file {layer}");
    runner.call(list).read()
}

/// One file's bytes in a gzipped layer.
///
/// # Errors
/// When it is not there.
pub fn read_from_layer(runner: &Runner, layer: &Path, name: &str) -> Result<Vec<u8>> {
    let sh = runner.shell()?;
    let read = cmd!(sh, "tar --extract --to-stdout --gzip --file {layer} -- {name}");
    Ok(runner.call(read).output()?.success()?.stdout)
}

/// Unpacks an OCI layout, which holds no file but blobs and their index.
///
/// # Errors
/// When it is no tar file or the disk is full.
pub fn unpack_layout(runner: &Runner, archive: &Path, dir: &Path) -> Result<()> {
    let sh = runner.shell()?;
    runner.call(cmd!(sh, "tar --extract --no-same-owner --file {archive} --directory {dir}")).run()
}

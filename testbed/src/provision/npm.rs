//! Fetches packages from wherever this machine's npm fetches them. npm checks their integrity.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result};
use xshell::cmd;

use crate::context::Context;
use crate::files::private_dir;
use crate::files::remove_dir;

/// Enough for a slow registry.
const TIMEOUT: Duration = Duration::from_secs(10 * 60);

/// Fetches `name@version` unless it is there, and unpacks its content into `into`, which must exist.
pub(crate) fn unpack(cx: &Context, name: &str, version: &str, into: &Path) -> Result<()> {
    let package = fetch(cx, name, version)?;
    let shell = cx.runner.shell()?;
    // The registry's tarballs have the user ids of their packers.
    let call = cmd!(
        shell,
        "tar --extract --gzip --file {package} --directory {into} --strip-components=1 --no-same-owner"
    );
    cx.runner.call(call).timeout(TIMEOUT).run()
}

fn fetch(cx: &Context, name: &str, version: &str) -> Result<PathBuf> {
    let downloads = cx.layout.downloads("npm");
    let file = format!("{name}-{version}.tgz");
    let complete = downloads.join(&file);
    if complete.exists() {
        return Ok(complete);
    }
    let partial = super::partial(&complete);
    private_dir(&partial)?;
    let npm = cx.required("npm")?;
    let shell = cx.runner.shell()?;
    let pack = cmd!(
        shell,
        "{npm} pack {name}@{version} --pack-destination {partial} --ignore-scripts --silent --no-update-notifier"
    );
    let call = cx.runner.call(pack).dir(&partial).timeout(TIMEOUT);
    cx.with_package_settings(call)?
        .run()
        .with_context(|| format!("fetching npm package `{name}@{version}`"))?;
    fs::rename(partial.join(&file), &complete)
        .with_context(|| format!("keeping npm package `{name}@{version}` as `{}`", complete.display()))?;
    remove_dir(&partial)?;
    Ok(complete)
}

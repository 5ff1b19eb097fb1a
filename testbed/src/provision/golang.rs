//! Builds one program from a Go module. The module comes from where this machine's Go is set to fetch from, and Go's
//! checksum database vouches for it.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result};
use xshell::cmd;

use crate::context::Context;

/// For the largest, on a slow machine.
const PATIENCE: Duration = Duration::from_secs(45 * 60);

/// Builds `package@version` into `into`, under the last element of the package's path.
pub(crate) fn install(cx: &Context, package: &str, version: &str, into: &Path) -> Result<()> {
    let go = cx.required("go")?;
    let shell = cx.runner.shell()?;
    let call = cx.runner.call(cmd!(shell, "{go} install -trimpath {package}@{version}"));
    // Without cgo no C compiler is needed, and the program runs on any Linux.
    let call = call.env("GOBIN", into).env("CGO_ENABLED", "0").env("GOFLAGS", "").timeout(PATIENCE);
    cx.with_package_settings(call)?.run().with_context(|| format!("building `{package}` {version}"))
}

//! Builds one program from a Go module. The module comes from wherever this machine's Go fetches modules, and Go's
//! checksum database vouches for it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use serde::Deserialize;
use xshell::cmd;
use xtask::process::temp_dir::TempDir;

use crate::context::Context;
use crate::files::private_dir;
use crate::provision;

/// Enough for the largest program on a slow machine.
const TIMEOUT: Duration = Duration::from_secs(45 * 60);

/// If a part that is built from its Go module cannot be provisioned, the reason.
pub(crate) fn obstacle(cx: &Context) -> Option<String> {
    cx.host.which("go").is_none().then(|| "install Go; it is built from its Go module".to_owned())
}

/// Builds `package@version` into `into`, under the last element of the package's path.
pub(crate) fn install(cx: &Context, package: &str, version: &str, into: &Path) -> Result<()> {
    let go = cx.required("go")?;
    let shell = cx.runner.shell()?;
    let call = cx.runner.call(cmd!(shell, "{go} install -trimpath {package}@{version}"));
    // Without cgo no C compiler is needed, and the program runs on any Linux.
    let call = call.env("GOBIN", into).env("CGO_ENABLED", "0").env("GOFLAGS", "").timeout(TIMEOUT);
    cx.with_package_settings(call)?.run().with_context(|| format!("building `{package}` {version}"))
}

/// Builds the one-file program `source` against `requirement`, a module with its version, into the file `into`.
/// That module decides all other versions.
pub(crate) fn program(cx: &Context, source: &str, requirement: &str, into: &Path) -> Result<()> {
    let (go, dir) = (cx.required("go")?, TempDir::new()?);
    let file = dir.path().join("main.go");
    std::fs::write(&file, source).with_context(|| format!("writing `{}`", file.display()))?;
    let require = format!("-require={requirement}");
    let steps: [&[&str]; 4] = [
        &["mod", "init", "program"],
        &["mod", "edit", &require],
        &["mod", "tidy"],
        &["build", "-trimpath", "-o", provision::text(into)?, "."],
    ];
    let shell = cx.runner.shell()?;
    for words in steps {
        let call = cx.runner.call(cmd!(shell, "{go} {words...}")).dir(dir.path()).timeout(TIMEOUT);
        let call = call.env("GOFLAGS", "").env("CGO_ENABLED", "0");
        let built = cx.with_package_settings(call)?.run();
        built.with_context(|| format!("building a program against `{requirement}`"))?;
    }
    Ok(())
}

/// A module that `go install` refuses because its `go.mod` replaces others. It is fetched, and built in its own
/// directory.
pub(crate) struct Module {
    /// Its path.
    pub(crate) path: &'static str,
    /// Its version, with the `v`.
    pub(crate) version: &'static str,
    /// The program's package in the module, such as `./cmd/program`.
    pub(crate) package: &'static str,
    /// Build tags, separated by spaces.
    pub(crate) tags: &'static str,
    /// The variable with the version that the program reports, and that version.
    pub(crate) reported: (&'static str, &'static str),
    /// Whether it needs a C compiler.
    pub(crate) cgo: bool,
}

impl Module {
    /// The prefix for a part of this `name`, whether or not it exists yet.
    pub(crate) fn prefix(&self, cx: &Context, name: &str) -> Result<PathBuf> {
        Ok(provision::prefix(cx, name, &["1", self.version, &version(cx)?]))
    }

    /// Builds the program as `bin/NAME` in `prefix`.
    pub(crate) fn provision(&self, cx: &Context, prefix: &Path, name: &str) -> Result<()> {
        provision::complete(cx, prefix, |partial| {
            let source = self.fetch(cx)?;
            private_dir(&partial.join("bin"))?;
            self.build(cx, &source, &partial.join("bin").join(name))
        })
    }

    /// Fetches the source, which Go's checksum database vouches for, and returns its directory in Go's cache.
    pub(crate) fn fetch(&self, cx: &Context) -> Result<PathBuf> {
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct Download {
            dir: PathBuf,
        }
        let go = cx.required("go")?;
        let (shell, module) = (cx.runner.shell()?, format!("{}@{}", self.path, self.version));
        let call = cx.runner.call(cmd!(shell, "{go} mod download -json {module}"));
        let call = call.env("GOFLAGS", "").timeout(TIMEOUT);
        let answer = cx.with_package_settings(call)?.output()?;
        // On failure, it prints JSON as well, which has the reason.
        let text = answer.text()?;
        if !answer.status.success() {
            bail!("fetching `{module}`: {}", text.trim());
        }
        let download: Download = serde_json::from_str(&text)
            .with_context(|| format!("reading what `go mod download -json {module}` printed"))?;
        Ok(download.dir)
    }

    /// Builds the program in `source`, which [`Module::fetch`] returned, into the file `into`.
    pub(crate) fn build(&self, cx: &Context, source: &Path, into: &Path) -> Result<()> {
        let go = cx.required("go")?;
        let (shell, tags, package) = (cx.runner.shell()?, self.tags, self.package);
        let (symbol, version) = self.reported;
        let flags = format!("-s -w -X {symbol}={version}");
        let build = cmd!(
            shell,
            "{go} -C {source} build -p 2 -trimpath -tags {tags} -ldflags {flags} -o {into} {package}"
        );
        let cgo = if self.cgo { "1" } else { "0" };
        let call = cx.runner.call(build).env("GOFLAGS", "").env("CGO_ENABLED", cgo).timeout(TIMEOUT);
        cx.with_package_settings(call)?
            .run()
            .with_context(|| format!("building `{}` {}", self.path, self.version))
    }
}

/// The version of the Go that builds programs here, such as `go1.26.8`; empty if there is no Go.
pub(crate) fn version(cx: &Context) -> Result<String> {
    let Some(go) = cx.host.which("go") else { return Ok(String::new()) };
    let shell = cx.runner.shell()?;
    cx.with_package_settings(cx.runner.call(cmd!(shell, "{go} env GOVERSION")))?.read()
}

//! The forge's own scripts and styles. They are built from the source in its Go module, with the tools that its
//! lockfile names. Tests use the forge's API and do not need them; only a picture of a page does.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde::Deserialize;
use xshell::cmd;

use super::Part as _;
use super::forge::{MODULE, STATIC};
use super::node::Node;
use crate::context::Context;
use crate::files::{private_dir, remove_dir};
use crate::provision::{self, text};

/// Enough for some hundred packages and a build of a minute, on a slow machine.
const TIMEOUT: Duration = Duration::from_secs(30 * 60);

/// The directory of pages for a forge with its scripts and styles, if it has been built.
pub(crate) fn built(cx: &Context) -> Option<PathBuf> {
    let share = prefix(cx).join("share");
    share.exists().then_some(share)
}

/// Builds them unless they are there. The caller holds the lock.
pub(crate) fn ensure(cx: &Context) -> Result<()> {
    if built(cx).is_some() {
        return Ok(());
    }
    cx.progress.line("pages", "building the forge's scripts and styles");
    provision::complete(cx, &prefix(cx), |partial| {
        let (source, share) = (partial.join("source"), partial.join("share"));
        let shell = cx.runner.shell()?;
        let module = MODULE.fetch(cx)?;
        // Go's cache is read-only.
        cx.runner.call(cmd!(shell, "cp --recursive --no-preserve=mode {module} {source}")).run()?;
        build(cx, &source)?;
        private_dir(&share)?;
        for name in STATIC {
            let from = source.join(name);
            cx.runner.call(cmd!(shell, "mv {from} {share}")).run()?;
        }
        remove_dir(&source)
    })
}

fn build(cx: &Context, source: &Path) -> Result<()> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Package {
        package_manager: String,
    }
    let file = source.join("package.json");
    let json = std::fs::read(&file).with_context(|| format!("reading `{}`", file.display()))?;
    let Package { package_manager: pnpm } =
        serde_json::from_slice(&json).with_context(|| format!("reading `{}`", file.display()))?;
    ensure!(pnpm.starts_with("pnpm@"), "the forge's pages are built with `{pnpm}`, expected pnpm");
    let node = Node.find(cx)?.context("node is missing; run `cargo testbed up`")?;
    let bin = node.program.parent().context("node is in no directory")?;
    let path = format!("{}:{}", text(bin)?, cx.host.path());
    let npx = cx.required("npx")?;
    let shell = cx.runner.shell()?;
    for words in [&["install", "--frozen-lockfile", "--ignore-scripts"][..], &["exec", "vite", "build"]] {
        let call = cx.runner.call(cmd!(shell, "{npx} --yes {pnpm} {words...}")).dir(source);
        let call = cx.with_package_settings(call.env("PATH", &path))?;
        call.timeout(TIMEOUT).run().context("building the forge's scripts and styles")?;
    }
    Ok(())
}

fn prefix(cx: &Context) -> PathBuf {
    provision::prefix(cx, "pages", &["1", MODULE.version])
}

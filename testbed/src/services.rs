//! What runs in the background while the testbed is up.

pub(crate) mod buildkit;
pub(crate) mod engine;
pub(crate) mod forge;
mod ports;
pub(crate) mod registry;
pub(crate) mod runner;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;

use crate::context::Context;
use crate::layout::Layout;
use crate::process::{self, Process};

/// Every service, in the order in which they are ended.
pub(crate) const NAMES: [&str; 7] = [
    runner::NAME,
    forge::NAME,
    buildkit::NAME,
    registry::NAME,
    engine::DOCKERD,
    engine::CONTAINERD,
    engine::SHIMS,
];

/// The file in a service's command line by which its process is known.
pub(crate) fn marker(layout: &Layout, name: &str) -> PathBuf {
    layout.run(match name {
        runner::NAME => "runner.yml",
        forge::NAME => "forge.ini",
        buildkit::NAME => "buildkitd.toml",
        registry::NAME => "registry.yml",
        engine::DOCKERD => "dockerd.json",
        engine::CONTAINERD => "containerd.toml",
        _ => "containerd.sock",
    })
}

/// The live processes of a service.
pub(crate) fn processes(layout: &Layout, name: &str) -> Result<Vec<Process>> {
    process::find(&marker(layout, name))
}

/// How long a service may take to end by itself: dockerd gives its containers time.
const PATIENCE: Duration = Duration::from_secs(30);

/// Ends a service, whoever started it, and says so.
pub(crate) fn end(cx: &Context, name: &str) -> Result<()> {
    for process in processes(&cx.layout, name)? {
        process.end(PATIENCE)?;
        cx.progress.line(name, &format!("stopped (process {})", process.pid));
    }
    Ok(())
}

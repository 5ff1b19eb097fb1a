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

use engine::{FIRST, SECOND};

/// Every service, in the order in which they are ended.
pub(crate) const NAMES: [&str; 10] = [
    runner::NAME,
    forge::NAME,
    buildkit::NAME,
    registry::NAME,
    SECOND.dockerd,
    SECOND.containerd,
    SECOND.shims,
    FIRST.dockerd,
    FIRST.containerd,
    FIRST.shims,
];

/// The file in a service's command line that identifies its process.
pub(crate) fn marker(layout: &Layout, name: &str) -> PathBuf {
    let of_engine = [FIRST, SECOND].iter().find_map(|engine| engine.marker(layout, name));
    if let Some(marker) = of_engine {
        return marker;
    }
    layout.run(match name {
        runner::NAME => "runner.yml",
        forge::NAME => "forge.ini",
        buildkit::NAME => "buildkitd.toml",
        _ => "registry.yml",
    })
}

/// The live processes of a service.
pub(crate) fn processes(layout: &Layout, name: &str) -> Result<Vec<Process>> {
    process::find(&marker(layout, name))
}

/// How long a service may take to end. dockerd gives its containers time.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Ends a service, even one that another run started, and reports it.
pub(crate) fn end(cx: &Context, name: &str) -> Result<()> {
    for process in processes(&cx.layout, name)? {
        process.end(TIMEOUT)?;
        cx.progress.line(name, &format!("stopped (process {})", process.pid));
    }
    Ok(())
}

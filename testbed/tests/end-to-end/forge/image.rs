//! The published image as it is for someone who knows only its name.

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use testbed::watcher::http::Server;

use super::project::Project;
use crate::harness::{call, read, wait_for};

/// A container that is removed when the value is dropped.
pub(crate) struct Container(pub(crate) String);

impl Drop for Container {
    fn drop(&mut self) {
        if let Err(error) = read("docker", &["rm", "--force", "--volumes", &self.0]) {
            eprintln!("removing a container: {error:#}");
        }
    }
}

/// Removes every image of the project from the engine, and checks that they are gone.
pub(crate) fn forget(project: &Project) -> Result<()> {
    let name = project.repository.image().to_string();
    let list = ["image", "ls", "--all", "--no-trunc", "--format", "{{.Repository}} {{.ID}}"];
    let ours = |text: String| -> Vec<String> {
        let pairs = text.lines().filter_map(|line| line.split_once(' '));
        pairs.filter(|(repository, _)| *repository == name).map(|(_, id)| id.to_owned()).collect()
    };
    for id in ours(read("docker", &list)?) {
        // One id may be listed under several names. They are all removed at once.
        if call("docker", &["image", "inspect", &id])?.output()?.status.success() {
            read("docker", &["image", "rm", "--force", &id])?;
        }
    }
    let left = ours(read("docker", &list)?);
    ensure!(left.is_empty(), "images left: {left:?}");
    Ok(())
}

/// `docker run` with a port and nothing else. The service must answer, and say that it is `version` of `commit`.
pub(super) fn try_out(reference: &str, version: &str, commit: &str) -> Result<()> {
    let run = ["run", "--detach", "--publish", "127.0.0.1::3000", reference];
    let container = Container(read("docker", &run)?);
    let address = read("docker", &["port", &container.0, "3000/tcp"])?;
    let address = address.lines().next().context("docker names no port")?;
    let server = Server::of(&format!("http://{address}"))?;
    wait_for("the service to answer", || {
        Ok(server.ask("GET", "/healthz", &[]).ok().filter(|answer| answer.status == 200))
    })
    .with_context(|| format!("its log:\n{}", read("docker", &["logs", &container.0]).unwrap_or_default()))?;
    let said: Value = server.ask("GET", "/version", &[])?.json()?;
    ensure!(said["version"] == version && said["commit"] == commit, "it says {said}");
    Ok(())
}

//! The image of one platform: pulled, started and queried as a user would.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use testbed::committed::native;
use testbed::watcher::http::Server;

use super::worked::{TAG, Worked};
use crate::forge::image::Container;
use crate::harness::{call, export, read, wait_for};

/// The time for a pull from loopback, on a machine that is also building.
const PULL: Duration = Duration::from_secs(300);

/// What to start.
pub(super) struct Asked<'a> {
    platform: &'a str,
    image: &'a str,
    port: u16,
    options: Vec<String>,
}

impl<'a> Asked<'a> {
    /// The image of a platform, such as `linux/arm64`, whose service listens on `port`.
    pub(super) fn new(platform: &'a str, image: &'a str, port: u16) -> Self {
        Self { platform, image, port, options: Vec::new() }
    }

    /// Adds options of `docker run`.
    pub(super) fn with(mut self, options: &[&str]) -> Self {
        self.options.extend(options.iter().map(|option| (*option).to_owned()));
        self
    }

    /// Pulls and starts it. It must become healthy and say which release it is. Returns its answers on `paths`.
    pub(super) fn ask(&self, worked: &Worked, paths: &[&str]) -> Result<Vec<Value>> {
        let (_, architecture) = self.platform.split_once('/').context("a platform without `/`")?;
        if architecture != native() {
            let emulated = export("TESTBED_EMULATION").context("nothing here runs the other platform")?;
            ensure!(emulated == architecture, "{emulated} is emulated here, and not {architecture}");
        }
        call("docker", &["pull", "--quiet", "--platform", self.platform, self.image])?.timeout(PULL).run()?;
        let publish = format!("127.0.0.1::{}", self.port);
        let run = ["run", "--detach", "--platform", self.platform, "--publish", &publish];
        let options: Vec<_> = self.options.iter().map(String::as_str).collect();
        let container = Container(read("docker", &[&run, &options[..], &[self.image]].concat())?);
        let machine = read("docker", &["exec", &container.0, "node", "--print", "process.arch"])
            .with_context(|| log(&container))?;
        let expected = if architecture == "amd64" { "x64" } else { architecture };
        ensure!(machine == expected, "{}: node says that it runs on {machine}", self.platform);
        let address = read("docker", &["port", &container.0, &format!("{}/tcp", self.port)])?;
        let address = address.lines().next().context("docker names no port")?;
        let server = Server::of(&format!("http://{address}"))?;
        wait_for("the service to answer", || {
            Ok(server.ask("GET", "/healthz", &[]).ok().filter(|answer| answer.status == 200))
        })
        .with_context(|| log(&container))?;
        let version: Value = server.ask("GET", "/version", &[])?.json()?;
        let is_ours = version["version"] == TAG[1..] && version["commit"] == worked.project.head()?;
        ensure!(is_ours, "{}: it says that it is {version}", self.platform);
        let ask = |path: &&str| {
            let answer = server.ask("GET", path, &[])?;
            ensure!(answer.status == 200, "{}: `{path}` answers {}", self.platform, answer.status);
            answer.json()
        };
        paths.iter().map(ask).collect()
    }
}

fn log(container: &Container) -> String {
    format!("its log:\n{}", read("docker", &["logs", &container.0]).unwrap_or_default())
}

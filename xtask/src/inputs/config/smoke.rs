//! The smoke test of an image before it is signed: its parameters, its requests, and its companions.

mod check;

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;

pub use check::is_path;

/// The service's own name in the network of its smoke test.
pub const ALIAS: &str = "service";

/// The smoke test of an image before it is signed. No value is secret: they are in the repository and in messages.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Smoke {
    /// As in [`Http`], like the next two fields.
    port: Option<u16>,
    health: Option<String>,
    version: Option<String>,
    /// A command that must succeed in the container; empty for none.
    #[serde(default)]
    pub command: Vec<String>,
    /// The service's environment variables.
    #[serde(default)]
    pub env: BTreeMap<String, String>,
    /// Directories that are kept in memory.
    #[serde(default)]
    pub tmpfs: Vec<String>,
    /// Directories that get an empty volume each.
    #[serde(default)]
    pub writable: Vec<String>,
    /// The exit codes with which the service may stop after SIGTERM.
    #[serde(default = "Smoke::default_exit_codes")]
    pub exit_codes: Vec<u8>,
    /// The seconds within which the service must answer.
    #[serde(default = "Smoke::default_start_seconds")]
    start_seconds: u16,
    /// The seconds that the service may take to stop after SIGTERM.
    #[serde(default = "Smoke::default_stop_seconds")]
    stop_seconds: u16,
    /// The memory limit of each container, in docker's notation, such as `512m`.
    #[serde(default = "Smoke::default_memory")]
    pub memory: String,
    /// The maximum number of processes and threads in each container.
    #[serde(default = "Smoke::default_pids")]
    pub pids: u32,
    /// What to do about a platform that this machine cannot run.
    #[serde(default)]
    pub platforms: Platforms,
    /// The other containers that the service needs.
    #[serde(default, rename = "companion")]
    pub companions: Vec<Companion>,
}

/// What to do about a platform that this machine cannot run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Platforms {
    /// Report that it was not run.
    #[default]
    Possible,
    /// Refuse the release.
    All,
}

/// Another container that the service needs, such as a database.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Companion {
    /// The image, with its digest.
    pub image: String,
    /// The name under which the service reaches it.
    pub alias: String,
    /// Its environment variables.
    #[serde(default)]
    pub env: BTreeMap<String, String>,
    /// Arguments in place of the image's own; empty for the image's own.
    #[serde(default)]
    pub command: Vec<String>,
    /// Directories that are kept in memory.
    #[serde(default)]
    pub tmpfs: Vec<String>,
    /// A command that succeeds in the container once it is ready. If empty, it is ready once it is running.
    #[serde(default)]
    pub ready: Vec<String>,
}

/// The requests to a service that answers over HTTP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Http<'a> {
    /// The port on which the service listens in the container.
    pub port: u16,
    /// The path that answers 200 once the service is up.
    pub health: &'a str,
    /// The path that answers `{"version": …, "commit": …}`. Without it, both are taken from the image's labels.
    pub version: Option<&'a str>,
}

impl Smoke {
    fn default_exit_codes() -> Vec<u8> {
        // 143 is the exit code of a process that SIGTERM ended: 128 and the signal's number.
        vec![0, 143]
    }

    const fn default_start_seconds() -> u16 {
        30
    }

    const fn default_stop_seconds() -> u16 {
        10
    }

    fn default_memory() -> String {
        "1g".to_owned()
    }

    const fn default_pids() -> u32 {
        512
    }

    /// The HTTP requests to the service, if it answers over HTTP.
    #[must_use]
    pub fn http(&self) -> Option<Http<'_>> {
        let (port, health) = self.port.zip(self.health.as_deref())?;
        Some(Http { port, health, version: self.version.as_deref() })
    }

    /// The time within which the service must answer.
    #[must_use]
    pub fn start_timeout(&self) -> Duration {
        Duration::from_secs(self.start_seconds.into())
    }

    /// The time that the service may take to stop after SIGTERM.
    #[must_use]
    pub fn stop_timeout(&self) -> Duration {
        Duration::from_secs(self.stop_seconds.into())
    }
}

//! How the image is tried out before it is signed: what it is started with, what it is asked, what stands beside it.

mod check;

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;

/// The service's own name in the network of its try.
pub const ALIAS: &str = "service";

/// How the image is tried out before it is signed. Every value is public: it is in the repository, and in messages.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Smoke {
    /// As in [`Http`], as are the next two.
    port: Option<u16>,
    health: Option<String>,
    version: Option<String>,
    /// A command that must succeed in the container; empty for none.
    #[serde(default)]
    pub command: Vec<String>,
    /// Variables of the service.
    #[serde(default)]
    pub env: BTreeMap<String, String>,
    /// Directories that are in memory.
    #[serde(default)]
    pub tmpfs: Vec<String>,
    /// Directories that are an empty volume each.
    #[serde(default)]
    pub writable: Vec<String>,
    /// With what the service may exit after SIGTERM.
    #[serde(default = "Smoke::default_exit_codes")]
    pub exit_codes: Vec<u8>,
    /// Seconds until the service must answer.
    #[serde(default = "Smoke::default_start_seconds")]
    start_seconds: u16,
    /// Seconds that the service may take to stop on SIGTERM.
    #[serde(default = "Smoke::default_stop_seconds")]
    stop_seconds: u16,
    /// The most memory that each container gets, as docker reads it, such as `512m`.
    #[serde(default = "Smoke::default_memory")]
    pub memory: String,
    /// The most processes and threads that each container gets.
    #[serde(default = "Smoke::default_pids")]
    pub pids: u32,
    /// What becomes of a platform that cannot be run here.
    #[serde(default)]
    pub platforms: Platforms,
    /// What the service needs beside it.
    #[serde(default, rename = "companion")]
    pub companions: Vec<Companion>,
}

/// What becomes of a platform that cannot be run here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Platforms {
    /// It is said that it was not run.
    #[default]
    Possible,
    /// The release is refused.
    All,
}

/// A container beside the service, such as a database.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Companion {
    /// The image, with its digest.
    pub image: String,
    /// The name that the service reaches it by.
    pub alias: String,
    /// Its variables.
    #[serde(default)]
    pub env: BTreeMap<String, String>,
    /// What it is started with in place of the image's own arguments; empty for those.
    #[serde(default)]
    pub command: Vec<String>,
    /// Directories that are in memory.
    #[serde(default)]
    pub tmpfs: Vec<String>,
    /// A command that succeeds in it once it is ready; empty where running is enough.
    #[serde(default)]
    pub ready: Vec<String>,
}

/// What a service is asked that answers over HTTP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Http<'a> {
    /// The port that the service listens on in the container.
    pub port: u16,
    /// The path that answers 200 once the service is up.
    pub health: &'a str,
    /// The path that answers `{"version": …, "commit": …}`; without it the image's labels say both.
    pub version: Option<&'a str>,
}

impl Smoke {
    fn default_exit_codes() -> Vec<u8> {
        // 143 is what a process reports that SIGTERM ended: 128 and the signal's number.
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

    /// What the service is asked over HTTP, if anything.
    #[must_use]
    pub fn http(&self) -> Option<Http<'_>> {
        let (port, health) = self.port.zip(self.health.as_deref())?;
        Some(Http { port, health, version: self.version.as_deref() })
    }

    /// Until when the service must answer.
    #[must_use]
    pub fn start_timeout(&self) -> Duration {
        Duration::from_secs(self.start_seconds.into())
    }

    /// How long the service may take to stop on SIGTERM.
    #[must_use]
    pub fn stop_timeout(&self) -> Duration {
        Duration::from_secs(self.stop_seconds.into())
    }
}

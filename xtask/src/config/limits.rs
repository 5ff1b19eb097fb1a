//! How the image is tried out, and how long each step may take.

use std::time::Duration;

use serde::Deserialize;

/// How the image is tried out before it is signed.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Smoke {
    /// The port that the service listens on in the container.
    pub port: u16,
    /// The path that answers 200 once the service is up.
    pub health: String,
    /// The path that answers `{"version": …, "commit": …}`.
    pub version: String,
    /// Seconds until the health path must answer.
    #[serde(default = "Smoke::default_start_seconds")]
    start_seconds: u16,
    /// Seconds that the service may take to stop on SIGTERM.
    #[serde(default = "Smoke::default_stop_seconds")]
    stop_seconds: u16,
}

impl Smoke {
    const fn default_start_seconds() -> u16 {
        30
    }

    const fn default_stop_seconds() -> u16 {
        10
    }

    /// Until when the health path must answer.
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

/// Bounds in seconds.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Timeouts {
    build: u32,
    pull: u32,
    cosign: u32,
    http: u32,
    ci: u32,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self { build: 1800, pull: 300, cosign: 60, http: 30, ci: 900 }
    }
}

impl Timeouts {
    /// The image build with its push.
    #[must_use]
    pub fn build(&self) -> Duration {
        Duration::from_secs(self.build.into())
    }

    /// The pull of the pushed image.
    #[must_use]
    pub fn pull(&self) -> Duration {
        Duration::from_secs(self.pull.into())
    }

    /// One cosign call.
    #[must_use]
    pub fn cosign(&self) -> Duration {
        Duration::from_secs(self.cosign.into())
    }

    /// How long a pending status is waited for.
    #[must_use]
    pub fn ci(&self) -> Duration {
        Duration::from_secs(self.ci.into())
    }

    /// One HTTP request.
    #[must_use]
    pub fn http(&self) -> Duration {
        Duration::from_secs(self.http.into())
    }
}

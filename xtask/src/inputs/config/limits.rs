//! How long each step may take.

use std::time::Duration;

use serde::Deserialize;

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

//! The timeouts of the steps.

use std::time::Duration;

use serde::Deserialize;

/// Timeouts in seconds.
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
    /// For the image build and its push.
    #[must_use]
    pub fn build(&self) -> Duration {
        Duration::from_secs(self.build.into())
    }

    /// For the pull of the pushed image.
    #[must_use]
    pub fn pull(&self) -> Duration {
        Duration::from_secs(self.pull.into())
    }

    /// For one cosign call.
    #[must_use]
    pub fn cosign(&self) -> Duration {
        Duration::from_secs(self.cosign.into())
    }

    /// For a pending status to be decided.
    #[must_use]
    pub fn ci(&self) -> Duration {
        Duration::from_secs(self.ci.into())
    }

    /// For one HTTP request.
    #[must_use]
    pub fn http(&self) -> Duration {
        Duration::from_secs(self.http.into())
    }
}

//! The timeouts of the steps.

use std::time::Duration;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

/// Timeouts in seconds. Each has an upper limit, because the tagged commit, which is not trusted yet, sets how long
/// `verify` waits.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Timeouts {
    #[serde(deserialize_with = "build")]
    build: u32,
    #[serde(deserialize_with = "pull")]
    pull: u32,
    #[serde(deserialize_with = "cosign")]
    cosign: u32,
    #[serde(deserialize_with = "http")]
    http: u32,
    #[serde(deserialize_with = "ci")]
    ci: u32,
}

const HOUR: u32 = 60 * 60;
const DAY: u32 = 24 * HOUR;

/// At least one second, because curl treats 0 as no timeout, and at most `most`.
fn within<'de, D: Deserializer<'de>>(name: &str, most: u32, from: D) -> Result<u32, D::Error> {
    let seconds = u32::deserialize(from)?;
    if (1..=most).contains(&seconds) {
        return Ok(seconds);
    }
    Err(D::Error::custom(format!("`timeouts.{name}` is {seconds} seconds: write a number from 1 to {most}")))
}

fn build<'de, D: Deserializer<'de>>(from: D) -> Result<u32, D::Error> {
    within("build", DAY, from)
}

fn pull<'de, D: Deserializer<'de>>(from: D) -> Result<u32, D::Error> {
    within("pull", DAY, from)
}

fn cosign<'de, D: Deserializer<'de>>(from: D) -> Result<u32, D::Error> {
    within("cosign", HOUR, from)
}

fn http<'de, D: Deserializer<'de>>(from: D) -> Result<u32, D::Error> {
    within("http", HOUR, from)
}

fn ci<'de, D: Deserializer<'de>>(from: D) -> Result<u32, D::Error> {
    within("ci", DAY, from)
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

    /// For waiting until a pending status is decided.
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

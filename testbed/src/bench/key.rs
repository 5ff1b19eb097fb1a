//! The key pair of one measurement. It is made once, because making a key is not part of a release.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result};
use xtask::process::Runner;
use xtask::process::environment::Environment;
use xtask::process::secret::Secret;
use xtask::process::temp_dir::random_hex;
use xtask::tool::cosign::Cosign;
use xtask::tool::docker::DockerConfig;

/// The key pair that all contestants sign with.
pub(crate) struct Key {
    /// The encrypted PEM.
    pub(crate) private: Secret,
    /// The password of the private key.
    pub(crate) password: Secret,
    /// The public half, as PEM.
    pub(crate) public: String,
}

impl Key {
    /// Makes a key pair.
    pub(crate) fn make(environment: &Environment, scratch: &Path) -> Result<Self> {
        let runner = Runner::new(environment);
        let config = DockerConfig::new(environment, None)?;
        let password = Secret::new(random_hex()?);
        let prefix = scratch.join("cosign");
        let cosign = Cosign::new(&runner, "cosign", &config, Duration::from_secs(60));
        cosign.generate_key_pair(&prefix, &password).context("making the contestants' key pair")?;
        let read = |extension: &str| {
            let path = prefix.with_extension(extension);
            fs::read_to_string(&path).with_context(|| format!("reading `{}`", path.display()))
        };
        Ok(Self { private: Secret::new(read("key")?), password, public: read("pub")? })
    }
}

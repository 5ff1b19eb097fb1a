//! Small builds that test what the builder can do.

use std::time::Duration;

use anyhow::{Result, bail};

use super::Docker;
use super::sources::{self, Sources};
use crate::process::Call;
use crate::process::temp_dir::TempDir;

/// Enough for the builder to look up a base image.
const TIMEOUT: Duration = Duration::from_secs(120);

impl Docker<'_> {
    /// Checks that the builder can get `reference` for all of `platforms`, in the same way as in a real build.
    ///
    /// # Errors
    /// When a build based on it could not begin.
    pub fn has_base(&self, reference: &str, platforms: &[String], builder: &str) -> Result<()> {
        let platforms = format!("--platform={}", platforms.join(","));
        self.trial(&format!("FROM {reference}\n"), builder, Some(platforms))?.run()
    }

    /// Checks that the builder refuses a file that a policy denies. Its host name is one that never exists (RFC 6761),
    /// so that a builder without policies fetches nothing either.
    ///
    /// # Errors
    /// When the builder does not refuse the file because of the policy.
    pub fn check_denial(&self, builder: &str) -> Result<()> {
        // The call fails even if the builder denies the file, so only a second attempt rules out a transient failure.
        self.denies(builder).or_else(|_first| self.denies(builder))
    }

    fn denies(&self, builder: &str) -> Result<()> {
        const DENIED: &str = "https://denied.invalid/";
        let scratch = TempDir::new()?;
        let policy = Sources::default().write(scratch.path())?;
        let call = self.trial(&format!("FROM scratch\nADD {DENIED} /\n"), builder, None)?;
        match call.env(sources::VARIABLE, policy).run() {
            Err(error) if sources::denied(&error).as_deref() == Some(DENIED) => Ok(()),
            Err(error) => Err(error.context("asking the builder for a source that it has to deny")),
            Ok(()) => bail!("the builder fetched `{DENIED}`, which its source policy denies"),
        }
    }

    /// A build of `recipe`, given on standard input. Its result is discarded.
    fn trial(&self, recipe: &str, builder: &str, more: Option<String>) -> Result<Call> {
        let fixed = ["buildx", "build", "--progress=plain", "--provenance=false", "--output=type=cacheonly"];
        let builder = (!builder.is_empty()).then(|| format!("--builder={builder}"));
        let arguments =
            fixed.map(str::to_owned).into_iter().chain(builder).chain(more).chain(["-".to_owned()]);
        Ok(self.call(&arguments.collect::<Vec<_>>())?.stdin(recipe).timeout(TIMEOUT))
    }
}

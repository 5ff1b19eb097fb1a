//! Small builds that answer a question about the builder.

use std::time::Duration;

use anyhow::{Result, bail};

use super::Docker;
use super::sources::{self, Sources};
use crate::process::Call;
use crate::process::scratch::Scratch;

/// For the builder to find out what a base image is.
const PATIENCE: Duration = Duration::from_secs(120);

impl Docker<'_> {
    /// Asks the builder for `reference` on all of `platforms`, in whichever way a build would get it.
    ///
    /// # Errors
    /// When a build on it could not begin.
    pub fn has_base(&self, reference: &str, platforms: &[String], builder: &str) -> Result<()> {
        let platforms = format!("--platform={}", platforms.join(","));
        self.trial(&format!("FROM {reference}\n"), builder, Some(platforms))?.run()
    }

    /// Asks the builder for a file that a policy denies. The name of its host is one that never exists (RFC 6761), so that a
    /// builder without policies fetches nothing either.
    ///
    /// # Errors
    /// When it is not for the policy that the builder has none of it.
    pub fn check_denial(&self, builder: &str) -> Result<()> {
        // It ends with an error either way, so a fault that passes is told from the answer by asking again.
        self.denies(builder).or_else(|_first| self.denies(builder))
    }

    fn denies(&self, builder: &str) -> Result<()> {
        const DENIED: &str = "https://denied.invalid/";
        let scratch = Scratch::new()?;
        let policy = Sources::default().write(scratch.path())?;
        let call = self.trial(&format!("FROM scratch\nADD {DENIED} /\n"), builder, None)?;
        match call.env(sources::VARIABLE, policy).run() {
            Err(error) if sources::denied(&error).as_deref() == Some(DENIED) => Ok(()),
            Err(error) => Err(error.context("asking the builder for a source that it has to deny")),
            Ok(()) => bail!("the builder fetched `{DENIED}`, which its source policy denies"),
        }
    }

    /// A build of `recipe`, on standard input, whose result nobody keeps.
    fn trial(&self, recipe: &str, builder: &str, more: Option<String>) -> Result<Call> {
        let fixed = ["buildx", "build", "--progress=plain", "--provenance=false", "--output=type=cacheonly"];
        let builder = (!builder.is_empty()).then(|| format!("--builder={builder}"));
        let arguments =
            fixed.map(str::to_owned).into_iter().chain(builder).chain(more).chain(["-".to_owned()]);
        Ok(self.call(&arguments.collect::<Vec<_>>())?.stdin(recipe).timeout(PATIENCE))
    }
}

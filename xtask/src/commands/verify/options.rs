//! What `verify` is asked for, and what can be wrong with that before anything else is asked.

use std::path::PathBuf;

use anyhow::Result;

use crate::process::failure::Misuse;

/// What is verified, and how.
#[derive(Default)]
pub struct Options {
    /// A tag, or `IMAGE@DIGEST`; without it the tag at HEAD.
    pub what: Option<String>,
    /// Every version tag and every page.
    pub all: bool,
    /// The public key, where it is not the commit's.
    pub key: Option<PathBuf>,
    /// The repository's address, where this is no checkout of it.
    pub source: Option<String>,
    /// Read with the tokens of the environment, and not as anyone.
    pub login: bool,
    /// Build the commit again and compare digests.
    pub rebuild: bool,
    /// The buildx builder for that, where it is not the configured one.
    pub builder: Option<String>,
    /// Where to copy what was verified.
    pub save: Option<PathBuf>,
    /// What an earlier `save` copied: nothing else is asked.
    pub offline: Option<PathBuf>,
    /// One JSON document instead of text.
    pub json: bool,
}

impl Options {
    /// What can be said of its paths before anything is asked.
    pub(super) fn check_paths(&self) -> Result<()> {
        if let Some(dir) = self.save.as_ref().filter(|dir| dir.exists()) {
            let text = format!("`--save`: `{}` is there already: name a new directory", dir.display());
            return Err(Misuse::new(text).into());
        }
        if let Some(dir) = self.offline.as_ref().filter(|dir| !dir.is_dir()) {
            let text = format!(
                "`--offline`: `{}` is no directory: name one that `cargo xtask verify --save` made",
                dir.display()
            );
            return Err(Misuse::new(text).into());
        }
        Ok(())
    }

    /// The public key that was brought along.
    pub(super) fn read_key(&self) -> Result<Option<Vec<u8>>> {
        let Some(file) = &self.key else { return Ok(None) };
        let misuse =
            |error| Misuse::new(format!("`--key`: reading the public key `{}`: {error}", file.display()));
        Ok(Some(std::fs::read(file).map_err(misuse)?))
    }
}

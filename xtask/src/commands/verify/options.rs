//! The options of `verify`, and the checks on them that need no network.

use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::inputs::keys::PublicKey;
use crate::oci::reference::Digest;
use crate::process::failure::Misuse;

/// What to verify, and how.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct Options {
    /// A tag such as `v1.2.3`, or an image by its digest [default: the tag at HEAD]
    #[arg(value_name = "TAG or IMAGE@DIGEST")]
    pub what: Option<String>,
    /// Verify every version tag of the registry and every release page, including tags without a page and pages without
    /// a tag
    #[arg(long, conflicts_with_all = ["what", "save", "offline"])]
    pub all: bool,
    /// Use this public key instead of the commit's `cosign.pub`; the two are compared
    #[arg(long, value_name = "FILE")]
    pub key: Option<PathBuf>,
    /// Use the repository at this address (anything that `git clone` accepts) instead of the checkout here
    #[arg(long, value_name = "URL")]
    pub source: Option<String>,
    /// Read what is not public with `REGISTRY_TOKEN` and `FORGEJO_TOKEN`; each is sent only to its own host, and to the token server that it names
    #[arg(long, conflicts_with = "offline")]
    pub login: bool,
    /// Build the tagged commit again and compare the image's content; the compression may differ
    #[arg(long, conflicts_with = "offline")]
    pub rebuild: bool,
    /// The buildx builder for `--rebuild`, instead of the configured one
    #[arg(long, value_name = "NAME", requires = "rebuild")]
    pub builder: Option<String>,
    /// When every claim holds, sign with your own key that the rebuild gave the same result, and store that statement
    /// beside the image. Needs `--login` with a `REGISTRY_TOKEN` that may write
    #[arg(long, requires_all = ["rebuild", "login", "attest_key"], conflicts_with = "all")]
    pub attest: bool,
    /// The private key for `--attest`, in the format of `cosign generate-key-pair`; its password is in
    /// `COSIGN_PASSWORD`
    #[arg(long, value_name = "FILE", requires = "attest")]
    pub attest_key: Option<PathBuf>,
    /// When every claim holds, copy the image with its signatures and attestations to the new directory DIR
    #[arg(long, value_name = "DIR", conflicts_with = "offline")]
    pub save: Option<PathBuf>,
    /// Check what `--save` copied to DIR, without network access
    #[arg(long, value_name = "DIR")]
    pub offline: Option<PathBuf>,
    /// Print one JSON document instead of text; docs/verifying.md describes its format
    #[arg(long)]
    pub json: bool,
}

impl Options {
    /// Checks the paths before any server is queried.
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

    /// Checks that the image `held` in the directory of `--offline` is the one that was `asked` for.
    pub(super) fn check_is_in_layout(&self, asked: &Digest, held: &Digest) -> Result<(), Misuse> {
        if asked == held {
            return Ok(());
        }
        let dir = self.offline.as_deref().unwrap_or(Path::new("")).display();
        Err(Misuse::new(format!(
            "`--offline`: `{dir}` holds `{held}`, and `{asked}` was asked for: name the directory that `--save` made of that \
             image"
        )))
    }

    /// The public key that `--key` names.
    pub(super) fn read_key(&self) -> Result<Option<Vec<u8>>> {
        let Some(file) = &self.key else { return Ok(None) };
        let read = || {
            let bytes = std::fs::read(file)?;
            PublicKey::parse(&bytes)?;
            anyhow::Ok(bytes)
        };
        let misuse = |error: anyhow::Error| {
            Misuse::new(format!("`--key`: reading the public key `{}`: {error:#}", file.display()))
        };
        Ok(Some(read().map_err(misuse)?))
    }
}

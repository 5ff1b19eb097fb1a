//! The tagged commit built once more, to be compared with what is public.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context as _, Result};

use crate::build::ImageBuild;
use crate::oci::index::Content;
use crate::oci::reference::Digest;
use crate::oci::registry::WrongBytes;
use crate::process::Runner;
use crate::process::scratch::Scratch;
use crate::tool::tar;

/// The image as an unpacked OCI layout (image specification v1.1, "Image Layout"); its files go away with it.
pub struct Rebuilt {
    scratch: Scratch,
    /// The digest of its index, as this engine compresses it.
    pub digest: Digest,
    /// What it consists of, which does not depend on the engine.
    pub content: Content,
}

impl Rebuilt {
    /// Builds it; nothing is pushed.
    ///
    /// # Errors
    /// When the build fails, or what it wrote cannot be read.
    pub fn of(build: &ImageBuild<'_>, runner: &Runner) -> Result<Self> {
        let scratch = Scratch::new()?;
        let archive = scratch.path().join("image.tar");
        let digest = build.to_layout(&archive)?;
        tar::unpack_layout(runner, &archive, scratch.path())?;
        fs::remove_file(&archive).with_context(|| format!("removing `{}`", archive.display()))?;
        let blob = |digest: &Digest| blob(&scratch, digest);
        let content = Content::of(&blob(&digest)?, blob)?;
        Ok(Self { scratch, digest, content })
    }

    /// The file that holds a blob.
    #[must_use]
    pub fn file(&self, digest: &Digest) -> PathBuf {
        file(&self.scratch, digest)
    }

    /// A blob's bytes, held against its digest.
    ///
    /// # Errors
    /// When it is not there, or has other bytes.
    pub fn blob(&self, digest: &Digest) -> Result<Vec<u8>> {
        blob(&self.scratch, digest)
    }
}

fn file(scratch: &Scratch, digest: &Digest) -> PathBuf {
    scratch.path().join("blobs/sha256").join(digest.hex())
}

fn blob(scratch: &Scratch, digest: &Digest) -> Result<Vec<u8>> {
    let file = file(scratch, digest);
    let bytes = fs::read(&file).with_context(|| format!("reading `{}`", file.display()))?;
    WrongBytes::check_bytes("the build", &bytes, digest)?;
    Ok(bytes)
}

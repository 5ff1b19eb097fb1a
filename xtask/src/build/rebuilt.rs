//! Builds the tagged commit again, to compare the result with what is public.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context as _, Result, ensure};

use crate::build::ImageBuild;
use crate::oci::index::Content;
use crate::oci::reference::Digest;
use crate::process::Runner;
use crate::process::temp_dir::TempDir;
use crate::tool::tar;

/// The image as an unpacked OCI layout (image specification v1.1, "Image Layout"). Dropping this removes the files.
pub struct Rebuilt {
    scratch: TempDir,
    /// The digest of the image's index, as compressed by this engine.
    pub digest: Digest,
    /// The image's content, which does not depend on the engine.
    pub content: Content,
}

impl Rebuilt {
    /// Builds the image; nothing is pushed.
    ///
    /// # Errors
    /// When the build fails, or its output cannot be read.
    pub fn of(build: &ImageBuild<'_>, runner: &Runner) -> Result<Self> {
        let scratch = TempDir::new()?;
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

    /// A blob's bytes, checked against its digest.
    ///
    /// # Errors
    /// When the blob is missing, or has other bytes.
    pub fn blob(&self, digest: &Digest) -> Result<Vec<u8>> {
        blob(&self.scratch, digest)
    }
}

fn file(scratch: &TempDir, digest: &Digest) -> PathBuf {
    scratch.path().join("blobs/sha256").join(digest.hex())
}

fn blob(scratch: &TempDir, digest: &Digest) -> Result<Vec<u8>> {
    let file = file(scratch, digest);
    let bytes = fs::read(&file).with_context(|| format!("reading `{}`", file.display()))?;
    // This says nothing about the published image, so it is not one of the errors that make a claim false.
    let found = Digest::of(&bytes);
    ensure!(&found == digest, "the build wrote bytes with the digest `{found}` to `{}`", file.display());
    Ok(bytes)
}

//! Whether the audience of the page can read the pushed image. Some registries make every new package private; the
//! commands on its page would then work for nobody.

use anyhow::{Context as _, Result};

use crate::inputs::config::Visibility;
use crate::oci::reference::Digest;
use crate::oci::registry::Client;
use crate::process::failure::NotPublic;
use crate::refuse;

/// Requests `digest` anonymously, if it should be public.
///
/// # Errors
/// A [`crate::process::failure::Refusal`] when the image is hidden; other errors when the registry does not answer.
pub fn check(anonymous: &Client, digest: &Digest, visibility: Visibility) -> Result<()> {
    if visibility == Visibility::Private {
        return Ok(());
    }
    match anonymous.digest_of(digest) {
        Ok(Some(_)) => Ok(()),
        Err(error) if !error.chain().any(<dyn std::error::Error>::is::<NotPublic>) => {
            Err(error).context("asking for the pushed image without a login")
        }
        Ok(None) | Err(_) => refuse!(
            "`{}` was pushed, and cannot be read without a login, so the page would help nobody; no version tag was put. Make \
             the package (or its owner) public in the registry's settings and release again, or, if it is meant to be \
             private, write `visibility = \"private\"` into `[workspace.metadata.release]` and release the next version",
            anonymous.image().pinned(digest)
        ),
    }
}

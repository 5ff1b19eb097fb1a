//! Removes a tag or a manifest, and reports whether the registry allowed it.

use anyhow::Result;

use super::Client;
use super::token::Scope;
use crate::http::{Method, Request};
use crate::oci::reference::{Digest, Reference, Tag};

/// The result of a removal.
#[must_use]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Removal {
    /// It existed and was removed.
    Gone,
    /// It did not exist.
    Missing,
    /// It still exists: the registry refused with this status, because it cannot remove a single tag, never removes
    /// tags, or does not allow this account to do so.
    Refused(u16),
}

impl Client {
    /// Removes only `tag`: the digest stays reachable through its other tags.
    ///
    /// # Errors
    /// When the registry does not answer.
    pub fn remove_tag(&self, tag: &Tag) -> Result<Removal> {
        self.remove(tag.into())
    }

    /// Removes the manifest `digest` and all of its tags.
    ///
    /// # Errors
    /// As [`Client::remove_tag`].
    pub fn remove_manifest(&self, digest: &Digest) -> Result<Removal> {
        self.remove(digest.into())
    }

    fn remove(&self, reference: Reference<'_>) -> Result<Removal> {
        let request = Request::new(Method::Delete, self.url(&format!("manifests/{reference}")));
        let response = self.send_as(Scope::Delete, &request)?;
        Ok(match response.status {
            200 | 202 | 204 => Removal::Gone,
            404 => Removal::Missing,
            // 400 and 405: the distribution registry 2.x cannot remove a single tag, only a digest with all of its
            // tags. 401 and 403: no permission. 412: an immutable tag.
            status @ (400 | 401 | 403 | 405 | 412) => Removal::Refused(status),
            _ => return Err(response.unexpected()),
        })
    }
}

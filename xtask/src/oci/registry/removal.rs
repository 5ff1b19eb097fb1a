//! The end of a tag, in registries that let one end and in those that do not.

use anyhow::Result;

use super::Client;
use super::token::Scope;
use crate::http::Request;
use crate::oci::reference::{Digest, Tag};

/// What became of a tag that was to be removed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Removal {
    /// It was there and is gone.
    Gone,
    /// It was not there.
    Missing,
    /// It stays, as the registry says no with this status: it removes no single tag, keeps its tags for good, or does not let
    /// this account.
    Refused(u16),
}

impl Client {
    /// Removes `tag` alone: the digest stays reachable through its other tags.
    ///
    /// # Errors
    /// When the registry does not answer.
    pub fn remove_tag(&self, tag: &Tag) -> Result<Removal> {
        self.remove(tag.as_str())
    }

    /// Removes the manifest `digest`, with whatever tags it has.
    ///
    /// # Errors
    /// As [`Client::remove_tag`].
    pub fn remove_manifest(&self, digest: &Digest) -> Result<Removal> {
        self.remove(digest.as_str())
    }

    fn remove(&self, reference: &str) -> Result<Removal> {
        let request = Request::new("DELETE", self.url(&format!("manifests/{reference}")));
        let response = self.send_as(Scope::Delete, &request)?;
        Ok(match response.status {
            200 | 202 | 204 => Removal::Gone,
            404 => Removal::Missing,
            // 400 and 405: the distribution registry 2.x removes no single tag, only a digest with all of its tags. 401 and
            // 403: no right to. 412: an immutable tag.
            status @ (400 | 401 | 403 | 405 | 412) => Removal::Refused(status),
            _ => return Err(response.unexpected()),
        })
    }
}

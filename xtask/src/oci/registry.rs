//! The OCI distribution API, as far as a release needs it: manifests, tags, small blobs, and the token dance.
//! What each server does differently is in the comments; every answer's bytes are held against their digest.

mod blobs;
mod challenge;
mod credentials;
mod listing;
mod manifest;
mod redirect;
mod referrers;
mod removal;
mod several;
mod sizes;
mod token;
mod wrong_bytes;

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use anyhow::{Context as _, Result, ensure};

use crate::http::{self, Curl, Request, Response};
use crate::oci::index::Content;
use crate::oci::reference::{Digest, Image, Registry, Tag};
use crate::process::secret::Secret;

use manifest::{ACCEPT, said_digest};

pub use credentials::Credentials;
pub use manifest::Manifest;
pub use removal::Removal;
pub use several::{Got, Wanted};
pub use wrong_bytes::WrongBytes;

/// Reads `text` as each header that is taken apart here.
#[cfg(test)]
pub(super) fn read_headers(text: &str) {
    let challenge = challenge::Challenge::parse(text);
    drop(challenge.map(|challenge| challenge.url("repository:x:pull")));
    drop(listing::next_link(text).map(str::to_owned));
}

/// One image's repository in one registry.
pub struct Client {
    curl: Curl,
    image: Image,
    credentials: Option<Credentials>,
    /// Hosts that it may send us to without TLS.
    plain_http: Vec<Registry>,
    token: Mutex<Option<Secret>>,
    /// Manifests by digest, as they were seen: their bytes cannot change.
    seen: Mutex<BTreeMap<Digest, Manifest>>,
}

impl Client {
    /// Asks for `image` with `credentials`, or anonymously.
    #[must_use]
    pub fn new(curl: Curl, image: Image, credentials: Option<Credentials>) -> Self {
        let plain_http = Vec::new();
        Self { curl, image, credentials, plain_http, token: Mutex::new(None), seen: Mutex::default() }
    }

    /// The same client for a registry that may keep its bytes on `hosts`, without TLS.
    #[must_use]
    pub fn with_plain_http(self, hosts: &[Registry]) -> Self {
        Self { plain_http: hosts.to_vec(), ..self }
    }

    /// Whether it asks as anyone may.
    #[must_use]
    pub fn is_anonymous(&self) -> bool {
        self.credentials.is_none()
    }

    /// The image whose repository this is.
    #[must_use]
    pub fn image(&self) -> &Image {
        &self.image
    }

    /// Whether the registry answers at all: asks for nothing (distribution specification, "end-1").
    ///
    /// # Errors
    /// When it says nothing, as [`http::is_silent`] tells. Any answer will do: the next request
    /// finds out whether it refuses or is away.
    pub fn answers(&self) -> Result<()> {
        let request = Request::new("GET", format!("{}/v2/", self.image.registry.base_url()));
        self.curl
            .send(&request)
            .map(|_| ())
            .or_else(|error| if http::is_silent(&error) { Err(error) } else { Ok(()) })
    }

    /// The digest that `reference` (a tag or a digest) has now; `None` when there is none.
    ///
    /// # Errors
    /// When the registry cannot be asked.
    pub fn digest_of(&self, reference: &str) -> Result<Option<Digest>> {
        let request =
            Request::new("HEAD", self.url(&format!("manifests/{reference}"))).header("Accept", ACCEPT);
        let response = self.send(&request)?;
        match response.status {
            200 => {
                let said = said_digest(&response)?;
                said.with_context(|| format!("{response} without `Docker-Content-Digest`")).map(Some)
            }
            404 => Ok(None),
            _ => Err(response.unexpected()),
        }
    }

    /// The manifest behind `reference`; `None` when there is none.
    ///
    /// # Errors
    /// When the registry cannot be asked; [`WrongBytes`] when the bytes are not those of the digest that was asked for, or
    /// of the one that the answer itself names.
    pub fn manifest(&self, reference: &str) -> Result<Option<Manifest>> {
        let response = self.send(&self.manifest_request(reference))?;
        self.read_manifest(response, reference)
    }

    fn manifest_request(&self, reference: &str) -> Request {
        Request::new("GET", self.url(&format!("manifests/{reference}"))).header("Accept", ACCEPT)
    }

    fn read_manifest(&self, response: Response, reference: &str) -> Result<Option<Manifest>> {
        match response.status {
            200 => {}
            404 => return Ok(None),
            _ => return Err(response.unexpected()),
        }
        let manifest = manifest::read(response, reference)?;
        self.seen().insert(manifest.digest.clone(), manifest.clone());
        Ok(Some(manifest))
    }

    /// The manifest of `digest`, from what was seen of it before or from the registry: for its bytes, and not for whether
    /// it is still there.
    ///
    /// # Errors
    /// As [`Client::manifest`], and when there is none.
    pub fn bytes_of(&self, digest: &Digest) -> Result<Manifest> {
        let known = self.seen().get(digest).cloned();
        let found = match known {
            Some(manifest) => Some(manifest),
            None => self.manifest(digest.as_str())?,
        };
        found.with_context(|| format!("`{}` is gone from the registry", self.image.pinned(digest)))
    }

    /// What the image `digest` consists of.
    ///
    /// # Errors
    /// As [`Client::bytes_of`], and when it is no index of images.
    pub fn content_of(&self, digest: &Digest) -> Result<Content> {
        let reading = || format!("reading what `{}` consists of", self.image.pinned(digest));
        let index = self.bytes_of(digest).with_context(reading)?;
        Content::of(&index.bytes, |manifest| Ok(self.bytes_of(manifest)?.bytes)).with_context(reading)
    }

    fn seen(&self) -> MutexGuard<'_, BTreeMap<Digest, Manifest>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Stores `manifest` under `tag`: how a tag is put on a digest without docker, byte for byte.
    ///
    /// # Errors
    /// When the registry refuses, or stores it under another digest.
    pub fn put(&self, tag: &Tag, manifest: &Manifest) -> Result<()> {
        self.put_at(tag.as_str(), manifest)
    }

    fn put_at(&self, reference: &str, manifest: &Manifest) -> Result<()> {
        let request = Request::new("PUT", self.url(&format!("manifests/{reference}")))
            .body(&manifest.media_type, manifest.bytes.clone());
        let response = self.send(&request)?;
        ensure!(response.status == 201, response.unexpected());
        if let Some(stored) = said_digest(&response)? {
            ensure!(
                stored == manifest.digest,
                "{response} with digest `{stored}`: expected `{}`",
                manifest.digest
            );
        }
        Ok(())
    }

    fn url(&self, rest: &str) -> String {
        format!("{}/v2/{}/{rest}", self.image.registry.base_url(), self.image.path)
    }
}

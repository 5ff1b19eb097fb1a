//! The OCI distribution API, as far as a release needs it: manifests, tags, small blobs, and token authentication.
//! Comments note where servers differ. Every answer is checked against its digest.

mod batch;
mod blobs;
mod challenge;
mod credentials;
mod digest_mismatch;
mod listing;
mod manifest;
mod redirect;
mod referrers;
mod removal;
mod sizes;
mod token;

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use anyhow::{Context as _, Result, ensure};

use crate::http::{self, Curl, Method, Request, Response};
use crate::oci::index::Content;
use crate::oci::media_type::MANIFESTS;
use crate::oci::reference::{Digest, Image, Reference, Registry, Tag};
use crate::process::secret::Secret;

use manifest::declared_digest;

pub use batch::{Got, Wanted};
pub use credentials::Credentials;
pub use digest_mismatch::DigestMismatch;
pub use manifest::Manifest;
pub use referrers::{MAX_REFERRERS, check_count as check_referrers};
pub use removal::Removal;

/// Parses `text` as each kind of header that this module reads.
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
    /// Hosts without TLS to which the registry may redirect.
    plain_http: Vec<Registry>,
    token: Mutex<Option<Secret>>,
    /// The manifests seen so far, by digest: their bytes cannot change.
    seen: Mutex<BTreeMap<Digest, Manifest>>,
}

impl Client {
    /// A client for `image`, with `credentials` or anonymous.
    #[must_use]
    pub fn new(curl: Curl, image: Image, credentials: Option<Credentials>) -> Self {
        let plain_http = Vec::new();
        Self { curl, image, credentials, plain_http, token: Mutex::new(None), seen: Mutex::default() }
    }

    /// The same client for a registry that may store its bytes on `hosts`, without TLS.
    #[must_use]
    pub fn with_plain_http(self, hosts: &[Registry]) -> Self {
        Self { plain_http: hosts.to_vec(), ..self }
    }

    /// Whether its requests are anonymous.
    #[must_use]
    pub fn is_anonymous(&self) -> bool {
        self.credentials.is_none()
    }

    /// The image to which this repository belongs.
    #[must_use]
    pub fn image(&self) -> &Image {
        &self.image
    }

    /// Checks whether the registry answers at all, with the request that only probes the API (distribution
    /// specification, "end-1").
    ///
    /// # Errors
    /// When it stays silent, in the sense of [`http::is_timeout`]. Any answer will do: the next request finds out
    /// whether the registry refuses or is down.
    pub fn answers(&self) -> Result<()> {
        let request = Request::new(Method::Get, format!("{}/v2/", self.image.registry.base_url()));
        self.curl
            .send(&request)
            .map(|_| ())
            .or_else(|error| if http::is_timeout(&error) { Err(error) } else { Ok(()) })
    }

    /// The current digest of `reference`; `None` when it does not exist.
    ///
    /// # Errors
    /// When the request fails.
    pub fn digest_of<'a>(&self, reference: impl Into<Reference<'a>>) -> Result<Option<Digest>> {
        let response = self.send(&self.manifest_request(Method::Head, reference.into()))?;
        match response.status {
            200 => {
                let said = declared_digest(&response)?;
                said.with_context(|| format!("{response} without `Docker-Content-Digest`")).map(Some)
            }
            404 => Ok(None),
            _ => Err(response.unexpected()),
        }
    }

    /// The manifest of `reference`; `None` when it does not exist.
    ///
    /// # Errors
    /// When the request fails. [`DigestMismatch`] when the bytes do not match the requested digest or the digest that the
    /// answer itself names.
    pub fn manifest<'a>(&self, reference: impl Into<Reference<'a>>) -> Result<Option<Manifest>> {
        let reference = reference.into();
        let response = self.send(&self.manifest_request(Method::Get, reference))?;
        self.read_manifest(response, reference)
    }

    /// The registry must not convert between the types of manifests, so all are accepted.
    fn manifest_request(&self, method: Method, reference: Reference<'_>) -> Request {
        let request = Request::new(method, self.url(&format!("manifests/{reference}")));
        request.header("Accept", MANIFESTS.join(", "))
    }

    fn read_manifest(&self, response: Response, reference: Reference<'_>) -> Result<Option<Manifest>> {
        match response.status {
            200 => {}
            404 => return Ok(None),
            _ => return Err(response.unexpected()),
        }
        let manifest = manifest::read(response, reference)?;
        self.seen().insert(manifest.digest.clone(), manifest.clone());
        Ok(Some(manifest))
    }

    /// The manifest with `digest`, from memory or from the registry. Use it only for the bytes: it does not show
    /// whether the registry still has them.
    ///
    /// # Errors
    /// As [`Client::manifest`], and when it does not exist.
    pub fn known_manifest(&self, digest: &Digest) -> Result<Manifest> {
        let known = self.seen().get(digest).cloned();
        let found = match known {
            Some(manifest) => Some(manifest),
            None => self.manifest(digest)?,
        };
        found.with_context(|| format!("`{}` is gone from the registry", self.image.pinned(digest)))
    }

    /// The content of the image with `digest`.
    ///
    /// # Errors
    /// As [`Client::known_manifest`], and when it is not an index of images.
    pub fn content_of(&self, digest: &Digest) -> Result<Content> {
        let reading = || format!("reading what `{}` consists of", self.image.pinned(digest));
        let index = self.known_manifest(digest).with_context(reading)?;
        Content::of(&index.bytes, |manifest| Ok(self.known_manifest(manifest)?.bytes)).with_context(reading)
    }

    fn seen(&self) -> MutexGuard<'_, BTreeMap<Digest, Manifest>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Stores `manifest` under `tag`. This puts a tag on a digest byte for byte, without docker.
    ///
    /// # Errors
    /// When the registry refuses, or stores it under another digest.
    pub fn put(&self, tag: &Tag, manifest: &Manifest) -> Result<()> {
        self.put_at(tag.into(), manifest)
    }

    fn put_at(&self, reference: Reference<'_>, manifest: &Manifest) -> Result<()> {
        let request = Request::new(Method::Put, self.url(&format!("manifests/{reference}")))
            .body(&manifest.media_type, manifest.bytes.clone());
        let response = self.send(&request)?;
        ensure!(response.status == 201, response.unexpected());
        if let Some(stored) = declared_digest(&response)? {
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

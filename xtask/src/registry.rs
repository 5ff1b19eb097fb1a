//! The OCI distribution API, as far as a release needs it: manifests, tags, small blobs, and the token dance.
//! What each server does differently is in the comments; every answer's bytes are held against their digest.

mod blobs;
mod challenge;
mod credentials;
mod manifest;
mod several;
mod wrong_bytes;

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use anyhow::{Context as _, Result, bail, ensure};
use serde::Deserialize;

use crate::failure::NotPublic;
use crate::index::Content;
use crate::reference::{Digest, Image, Tag};
use crate::secret::Secret;
use crate::tool::curl::{self, Authorization, Curl, Request, Response};

use challenge::Challenge;
use manifest::{ACCEPT, said_digest};

pub use credentials::Credentials;
pub use manifest::Manifest;
pub use several::{Got, Wanted};
pub use wrong_bytes::WrongBytes;

/// A registry that lists more pages than this is not listing one image's tags.
const MOST_TAG_PAGES: usize = 200;

/// One image's repository in one registry.
pub struct Client {
    curl: Curl,
    image: Image,
    credentials: Option<Credentials>,
    token: Mutex<Option<Secret>>,
    /// Manifests by digest, as they were seen: their bytes cannot change.
    seen: Mutex<BTreeMap<Digest, Manifest>>,
}

impl Client {
    /// Asks for `image` with `credentials`, or as a stranger.
    #[must_use]
    pub fn new(curl: Curl, image: Image, credentials: Option<Credentials>) -> Self {
        Self { curl, image, credentials, token: Mutex::new(None), seen: Mutex::default() }
    }

    /// The image whose repository this is.
    #[must_use]
    pub fn image(&self) -> &Image {
        &self.image
    }

    /// Whether the registry answers at all: asks for nothing (distribution specification, "end-1").
    ///
    /// # Errors
    /// When it says nothing, as [`curl::is_silent`] tells. Any answer will do, and whoever talks to a registry finds out by
    /// himself that it refuses or is away.
    pub fn answers(&self) -> Result<()> {
        let request = Request::new("GET", format!("{}/v2/", self.image.registry.base_url()));
        self.curl
            .send(&request)
            .map(|_| ())
            .or_else(|error| if curl::is_silent(&error) { Err(error) } else { Ok(()) })
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
        let request = Request::new("PUT", self.url(&format!("manifests/{tag}")))
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

    /// Removes `tag` alone and says whether it was there and is gone: the digest stays reachable through its other tags.
    ///
    /// # Errors
    /// When the registry does not answer.
    pub fn untag(&self, tag: &Tag) -> Result<bool> {
        let response = self.send(&Request::new("DELETE", self.url(&format!("manifests/{tag}"))))?;
        match response.status {
            202 => Ok(true),
            // 400 and 405: the distribution registry 2.x removes no single tag, only a digest with all of its tags.
            404 | 400 | 405 => Ok(false),
            _ => Err(response.unexpected()),
        }
    }

    /// All tags; empty when the image does not exist.
    ///
    /// # Errors
    /// When the registry cannot be asked or answers something else.
    pub fn tags(&self) -> Result<Vec<String>> {
        #[derive(Deserialize)]
        struct Page {
            tags: Option<Vec<String>>,
        }
        let mut tags = Vec::<String>::new();
        for _ in 0..MOST_TAG_PAGES {
            let last = tags.last().map(|last| format!("&last={last}")).unwrap_or_default();
            let response = self.send(&Request::new("GET", self.url(&format!("tags/list?n=100{last}"))))?;
            match response.status {
                200 => {}
                404 => return Ok(tags),
                _ => return Err(response.unexpected()),
            }
            let page: Page = response.json()?;
            // Forgejo sends a `Link` to a next page even on the last one: only an empty page ends the list there.
            let fresh: Vec<_> =
                page.tags.unwrap_or_default().into_iter().filter(|tag| !tags.contains(tag)).collect();
            let more = response.header("Link").is_some_and(|link| link.contains("rel=\"next\""));
            if fresh.is_empty() {
                return Ok(tags);
            }
            tags.extend(fresh);
            if !more {
                return Ok(tags);
            }
        }
        bail!("listing the tags of `{}`: no end after {MOST_TAG_PAGES} pages", self.image)
    }

    fn url(&self, rest: &str) -> String {
        format!("{}/v2/{}/{rest}", self.image.registry.base_url(), self.image.path)
    }

    /// Sends all of them with the token at hand; whatever the registry wants another one for is sent on its own.
    fn send_all(&self, requests: &[Request]) -> Vec<Result<Response>> {
        let token = self.token.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let authorization = token.map_or(Authorization::Anonymous, Authorization::Bearer);
        let authorized = requests.iter().map(|request| request.clone().authorization(authorization.clone()));
        let answers = self.curl.send_all(&authorized.collect::<Vec<_>>());
        let checked = requests.iter().zip(answers).map(|(request, answer)| match answer {
            Ok(response) if response.status == 401 => self.send(request),
            other => other,
        });
        checked.collect()
    }

    /// Sends with the token at hand; when the registry asks for another, gets one and sends again.
    fn send(&self, request: &Request) -> Result<Response> {
        let token = self.token.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let authorization = token.map_or(Authorization::Anonymous, Authorization::Bearer);
        let response = self.curl.send(&request.clone().authorization(authorization))?;
        let Some(challenge) = response.header("WWW-Authenticate").filter(|_| response.status == 401) else {
            return Ok(response);
        };
        let authorization = match Challenge::parse(challenge) {
            Some(challenge) => {
                let token = self.fetch_token(&challenge)?;
                *self.token.lock().unwrap_or_else(PoisonError::into_inner) = Some(token.clone());
                Authorization::Bearer(token)
            }
            None => match &self.credentials {
                Some(credentials) => {
                    Authorization::Basic(credentials.user.clone(), credentials.password.clone())
                }
                None => return Err(self.not_public(&response)),
            },
        };
        let response = self.curl.send(&request.clone().authorization(authorization))?;
        let is_hidden = self.credentials.is_none() && [401, 403].contains(&response.status);
        if is_hidden { Err(self.not_public(&response)) } else { Ok(response) }
    }

    fn not_public(&self, response: &Response) -> anyhow::Error {
        let hidden = anyhow::Error::new(NotPublic::new(format!("`{}`", self.image)));
        hidden.context(response.unexpected())
    }

    fn fetch_token(&self, challenge: &Challenge) -> Result<Secret> {
        #[derive(Deserialize)]
        struct Answer {
            token: Option<String>,
            access_token: Option<String>,
        }
        let doing = || format!("getting a token for `{}`", self.image);
        challenge.check_realm(&self.image.registry).with_context(doing)?;
        let actions = if self.credentials.is_some() { "pull,push" } else { "pull" };
        let mut request =
            Request::new("GET", challenge.url(&format!("repository:{}:{actions}", self.image.path)));
        if let Some(credentials) = &self.credentials {
            let basic = Authorization::Basic(credentials.user.clone(), credentials.password.clone());
            request = request.authorization(basic);
        }
        let response = self.curl.send(&request).with_context(doing)?;
        if self.credentials.is_none() && [401, 403].contains(&response.status) {
            return Err(self.not_public(&response).context(doing()));
        }
        ensure!(response.status == 200, response.unexpected().context(doing()));
        let answer: Answer = response.json().with_context(doing)?;
        let token =
            answer.token.or(answer.access_token).with_context(|| format!("{response} without a token"))?;
        Secret::single_line("token", token).with_context(doing)
    }
}

//! The forge's registry through plain requests. They do what a pusher may do and `xtask` never does: store a
//! manifest by its digest, take a blob from another image, delete something.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use testbed::watcher::http::{Answer, Server};
use xtask::http::{Authorization, Curl, Method, Request};
use xtask::oci::reference::Digest;
use xtask::oci::registry::Credentials;
use xtask::process::Runner;
use xtask::process::secret::Secret;

use crate::harness::environment;

/// The media types that are requested.
const ACCEPT: &str = "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json";

/// The type of everything that is not a manifest.
const BYTES: &str = "application/octet-stream";

/// The time for one request while the machine also builds images.
const TIMEOUT: Duration = Duration::from_secs(60);

/// A manifest's bytes and their type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Manifest {
    pub(super) media_type: String,
    pub(super) bytes: Vec<u8>,
}

/// The repository of one image, with its owner's rights.
#[derive(Clone)]
pub(super) struct Registry {
    /// For changes.
    curl: Curl,
    /// For reads, without a process for each.
    server: Server,
    /// `http://…/v2`
    base: String,
    path: String,
    credentials: Credentials,
}

impl Manifest {
    /// `json` as a manifest. It states its own type.
    pub(super) fn of(json: &Value) -> Result<Self> {
        let media_type = json["mediaType"].as_str().context("a manifest without `mediaType`")?.to_owned();
        Ok(Self { media_type, bytes: serde_json::to_vec(json)? })
    }

    pub(super) fn digest(&self) -> Digest {
        Digest::of(&self.bytes)
    }

    pub(super) fn json(&self) -> Result<Value> {
        serde_json::from_slice(&self.bytes).context("reading a manifest")
    }

    /// The digests that it names: the manifests of an index, or the config and layers of an image.
    pub(super) fn names(&self) -> Result<(Vec<Digest>, Vec<Digest>)> {
        let json = self.json()?;
        let list = |key: &str| json[key].as_array().into_iter().flatten();
        let digest = |value: &Value| value["digest"].as_str().context("a descriptor without digest")?.parse();
        let manifests: Result<_> = list("manifests").map(digest).collect();
        let config = Some(&json["config"]).filter(|config| config.is_object());
        let blobs: Result<_> = config.into_iter().chain(list("layers")).map(digest).collect();
        Ok((manifests?, blobs?))
    }
}

impl Registry {
    /// The image `path` of the forge at `url`, as `user`.
    pub(super) fn new(url: &str, path: &str, user: &str, token: &Secret) -> Result<Self> {
        let curl = Curl::new(&Runner::new(&environment()), TIMEOUT);
        let (server, base) = (Server::of(url)?, format!("{url}/v2"));
        let credentials = Credentials::new(user, token.clone());
        Ok(Self { curl, server, base, path: path.to_owned(), credentials })
    }

    /// Another image of the same owner.
    pub(super) fn beside(&self, path: &str) -> Self {
        Self { path: path.to_owned(), ..self.clone() }
    }

    /// Reads something that may or may not exist: 200 or 404.
    fn look(&self, method: &str, rest: &str) -> Result<Answer> {
        let path = format!("/v2/{}/{rest}", self.path);
        let who = format!("Authorization: Basic {}", self.credentials.pair.expose());
        let answer = self.server.ask(method, &path, &[&format!("Accept: {ACCEPT}"), &who])?;
        ensure!(matches!(answer.status, 200 | 404), "{method} {path} is answered with {}", answer.status);
        Ok(answer)
    }

    fn change(&self, status: u16, method: Method, rest: &str, media_type: &str, bytes: &[u8]) -> Result<()> {
        let Credentials { user, password, .. } = self.credentials.clone();
        let who = Authorization::Basic(user, password);
        let request = Request::new(method, format!("{}/{}/{rest}", self.base, self.path)).authorization(who);
        let response = self.curl.send(&request.body(media_type, bytes))?;
        ensure!(response.status == status, response.unexpected());
        Ok(())
    }

    /// Every tag and the digest that it names.
    pub(super) fn tags(&self) -> Result<BTreeMap<String, Digest>> {
        let list: Value = self.look("GET", "tags/list?n=1000")?.json()?;
        let names = list["tags"].as_array().context("a list without tags")?.iter().filter_map(Value::as_str);
        let digest = |name: &str| {
            let found = self.look("HEAD", &format!("manifests/{name}"))?;
            let digest =
                found.header("Docker-Content-Digest").context("a manifest without digest")?.parse()?;
            Ok((name.to_owned(), digest))
        };
        names.map(digest).collect()
    }

    /// The manifest behind a tag or digest, which must be there.
    pub(super) fn manifest(&self, reference: &str) -> Result<Manifest> {
        self.find(reference)?.with_context(|| format!("the registry has no `{}:{reference}`", self.path))
    }

    /// The manifest behind a tag or digest.
    pub(super) fn find(&self, reference: &str) -> Result<Option<Manifest>> {
        let found = self.look("GET", &format!("manifests/{reference}"))?;
        if found.status == 404 {
            return Ok(None);
        }
        let media_type = found.header("Content-Type").context("a manifest without a type")?.to_owned();
        Ok(Some(Manifest { media_type, bytes: found.body }))
    }

    /// Stores a manifest under a tag or its own digest.
    pub(super) fn put(&self, reference: &str, manifest: &Manifest) -> Result<()> {
        self.change(
            201,
            Method::Put,
            &format!("manifests/{reference}"),
            &manifest.media_type,
            &manifest.bytes,
        )
    }

    /// Deletes a tag, or a digest, which must be there.
    pub(super) fn delete(&self, reference: &str) -> Result<()> {
        self.change(202, Method::Delete, &format!("manifests/{reference}"), BYTES, b"")
    }

    /// A blob, which must be there.
    pub(super) fn blob(&self, digest: &Digest) -> Result<Vec<u8>> {
        let found = self.look("GET", &format!("blobs/{digest}"))?;
        ensure!(found.status == 200, "the registry has no `{}@{digest}`", self.path);
        Ok(found.body)
    }

    /// Stores a blob in one piece.
    pub(super) fn upload(&self, bytes: &[u8]) -> Result<Digest> {
        let digest = Digest::of(bytes);
        self.change(201, Method::Post, &format!("blobs/uploads/?digest={digest}"), BYTES, bytes)?;
        Ok(digest)
    }

    /// Takes a blob from another image. A 202 would mean that the blob is not there.
    fn mount(&self, digest: &Digest, from: &Self) -> Result<()> {
        let rest = format!("blobs/uploads/?mount={digest}&from={}", from.path);
        self.change(201, Method::Post, &rest, BYTES, b"")
    }

    /// Copies the manifest of `reference` in `from` to the same reference here, along with everything it names that
    /// is missing here.
    pub(super) fn copy(&self, reference: &str, from: &Self) -> Result<()> {
        let manifest = from.manifest(reference)?;
        let (manifests, blobs) = manifest.names()?;
        for digest in manifests {
            if self.find(digest.as_str())?.is_none() {
                self.copy(digest.as_str(), from)?;
            }
        }
        for digest in blobs {
            self.mount(&digest, from)?;
        }
        self.put(reference, &manifest)
    }
}

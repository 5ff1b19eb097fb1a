//! The forge's registry by plain requests: what a pusher may do and `xtask` never does, such as a manifest stored by its
//! digest, a blob taken from another image, something deleted.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::Value;
use xtask::reference::Digest;
use xtask::secret::Secret;
use xtask::tool::Runner;
use xtask::tool::curl::{Authorization, Curl, Request, Response};

use crate::harness::environment;

/// What the registry is asked for.
const ACCEPT: &str = "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json";

/// One request, on a machine that builds images beside it.
const PATIENCE: Duration = Duration::from_secs(60);

/// A manifest's bytes and their type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Manifest {
    pub(super) media_type: String,
    pub(super) bytes: Vec<u8>,
}

/// The repository of one image, with its owner's right.
pub(super) struct Registry {
    curl: Curl,
    host: String,
    path: String,
    who: (String, Secret),
}

impl Manifest {
    /// What `json` is as a manifest; it says its type itself.
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

    /// What it names: the manifests of an index, or the config and layers of an image.
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
    /// The image `path` at `host`, as `user`.
    pub(super) fn new(host: &str, path: &str, user: &str, token: &Secret) -> Self {
        let curl = Curl::new(&Runner::new(&environment()), PATIENCE);
        Self { curl, host: host.to_owned(), path: path.to_owned(), who: (user.to_owned(), token.clone()) }
    }

    /// Another image of the same owner.
    pub(super) fn beside(&self, path: &str) -> Self {
        Self {
            curl: self.curl.clone(),
            host: self.host.clone(),
            path: path.to_owned(),
            who: self.who.clone(),
        }
    }

    fn request(&self, method: &'static str, rest: &str) -> Request {
        let (user, token) = self.who.clone();
        let url = format!("http://{}/v2/{}/{rest}", self.host, self.path);
        Request::new(method, url).header("Accept", ACCEPT).authorization(Authorization::Basic(user, token))
    }

    fn expect(&self, statuses: &[u16], request: &Request) -> Result<Response> {
        let response = self.curl.send(request)?;
        ensure!(statuses.contains(&response.status), response.unexpected());
        Ok(response)
    }

    /// Every tag and the digest that it names.
    pub(super) fn tags(&self) -> Result<BTreeMap<String, Digest>> {
        let list: Value = self.expect(&[200], &self.request("GET", "tags/list?n=1000"))?.json()?;
        let names = list["tags"].as_array().context("a list without tags")?.iter().filter_map(Value::as_str);
        let digest = |name: &str| {
            let found = self.expect(&[200], &self.request("HEAD", &format!("manifests/{name}")))?;
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
        let found = self.expect(&[200, 404], &self.request("GET", &format!("manifests/{reference}")))?;
        if found.status == 404 {
            return Ok(None);
        }
        let media_type = found.header("Content-Type").context("a manifest without a type")?.to_owned();
        Ok(Some(Manifest { media_type, bytes: found.body }))
    }

    /// Stores a manifest under a tag or its own digest.
    pub(super) fn put(&self, reference: &str, manifest: &Manifest) -> Result<()> {
        let request = self.request("PUT", &format!("manifests/{reference}"));
        self.expect(&[201], &request.body(&manifest.media_type, manifest.bytes.clone())).map(|_| ())
    }

    /// Deletes a tag, or a digest, which must be there.
    pub(super) fn delete(&self, reference: &str) -> Result<()> {
        self.expect(&[202], &self.request("DELETE", &format!("manifests/{reference}"))).map(|_| ())
    }

    pub(super) fn blob(&self, digest: &Digest) -> Result<Vec<u8>> {
        Ok(self.expect(&[200], &self.request("GET", &format!("blobs/{digest}")))?.body)
    }

    /// Stores a blob in one piece.
    pub(super) fn upload(&self, bytes: &[u8]) -> Result<Digest> {
        let digest = Digest::of(bytes);
        let request = self.request("POST", &format!("blobs/uploads/?digest={digest}"));
        self.expect(&[201], &request.body("application/octet-stream", bytes))?;
        Ok(digest)
    }

    /// Takes a blob from another image.
    fn mount(&self, digest: &Digest, from: &Self) -> Result<()> {
        let request = self.request("POST", &format!("blobs/uploads/?mount={digest}&from={}", from.path));
        let answer = self.expect(&[201, 202], &request.body("application/octet-stream", ""))?;
        if answer.status == 202 {
            bail!("the registry did not take {digest} from `{}`", from.path);
        }
        Ok(())
    }

    /// Copies what `from` has as `reference` to the same reference here, with what is missing of all that it
    /// names.
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

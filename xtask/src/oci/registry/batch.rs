//! A batch of requests.

use anyhow::Result;

use super::{Client, Manifest};
use crate::http::{Method, Request, Response};
use crate::oci::reference::{Digest, Tag};

/// A request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// A manifest, by its digest.
    Manifest(Digest),
    /// The manifest that a tag names.
    Tagged(Tag),
    /// A small blob, with its bytes.
    Blob(Digest),
    /// Whether a blob exists.
    HasBlob(Digest),
    /// The manifests that refer to a digest, as far as the registry lists them.
    Referrers(Digest),
}

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Got {
    /// The bytes of a manifest or a blob.
    Bytes(Vec<u8>),
    /// The blob exists.
    There,
    /// At least one manifest.
    Referrers(Vec<Digest>),
}

impl Got {
    fn of(manifest: Manifest) -> Self {
        Self::Bytes(manifest.bytes)
    }

    /// The bytes of a manifest or a blob; none for any other answer.
    #[must_use]
    pub fn into_bytes(self) -> Vec<u8> {
        match self {
            Self::Bytes(bytes) => bytes,
            Self::There | Self::Referrers(_) => Vec::new(),
        }
    }
}

impl Client {
    /// Sends all of `wanted` over one connection. The answers are in the order of `wanted`, each as
    /// [`Client::manifest`], [`Client::blob`], [`Client::has_blob`] or [`Client::referrers`] returns it; `None` for
    /// what does not exist.
    pub fn batch(&self, wanted: &[Wanted]) -> Vec<Result<Option<Got>>> {
        let requests: Vec<_> = wanted.iter().map(|wanted| self.request(wanted)).collect();
        let answers = self.send_all(&requests);
        wanted.iter().zip(answers).map(|(wanted, answer)| self.got(wanted, answer?)).collect()
    }

    fn request(&self, wanted: &Wanted) -> Request {
        match wanted {
            Wanted::Manifest(digest) => self.manifest_request(Method::Get, digest.into()),
            Wanted::Tagged(tag) => self.manifest_request(Method::Get, tag.into()),
            Wanted::Blob(digest) => Request::new(Method::Get, self.blob_url(digest)),
            Wanted::HasBlob(digest) => Request::new(Method::Head, self.blob_url(digest)),
            Wanted::Referrers(digest) => self.referrers_request(digest),
        }
    }

    fn got(&self, wanted: &Wanted, answer: Response) -> Result<Option<Got>> {
        Ok(match wanted {
            Wanted::Manifest(digest) => self.read_manifest(answer, digest.into())?.map(Got::of),
            Wanted::Tagged(tag) => self.read_manifest(answer, tag.into())?.map(Got::of),
            Wanted::Blob(digest) => super::blobs::read(answer, digest)?.map(Got::Bytes),
            Wanted::HasBlob(_) => super::blobs::is_there(&answer)?.then_some(Got::There),
            Wanted::Referrers(_) => {
                let listed = super::referrers::read(&answer)?.unwrap_or_default();
                (!listed.is_empty()).then_some(Got::Referrers(listed))
            }
        })
    }
}

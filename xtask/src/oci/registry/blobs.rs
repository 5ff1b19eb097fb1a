//! Blobs: reads small ones into memory, downloads large ones to a file, and stores those of attestations. Also
//! decides which address an upload may go to.

use std::fs::File;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};

use super::token::Scope;
use super::{Client, DigestMismatch, Wanted};
use crate::http::{Method, Request, Response};
use crate::oci::reference::Digest;
use crate::process::parallel::at_once;

/// No service has a larger layer.
const MAX_FILE_SIZE: u64 = 4 << 30;

/// For one layer over a slow connection. A request to a silent server ends much earlier.
const DOWNLOAD_TIMEOUT: Duration = Duration::from_secs(15 * 60);

impl Client {
    /// A blob's bytes, checked against its digest; `None` when it does not exist.
    ///
    /// # Errors
    /// When the request fails. [`DigestMismatch`] when the bytes do not match the digest.
    pub fn blob(&self, digest: &Digest) -> Result<Option<Vec<u8>>> {
        read(self.send(&Request::new(Method::Get, self.blob_url(digest)))?, digest)
    }

    /// Downloads a blob of any size to `file` and checks it against its digest. Returns whether the blob exists.
    ///
    /// # Errors
    /// As [`Client::blob`], and when the file cannot be written.
    pub fn download(&self, digest: &Digest, file: &Path) -> Result<bool> {
        let request = Request::new(Method::Get, self.blob_url(digest));
        let send = |request: &Request| self.curl.download(request, file, MAX_FILE_SIZE, DOWNLOAD_TIMEOUT);
        let answer = self.send_by(&request, &send)?;
        if !is_there(&answer)? {
            return Ok(false);
        }
        let doing = || format!("reading `{}`", file.display());
        let found = Digest::of_reader(File::open(file).with_context(doing)?).with_context(doing)?;
        DigestMismatch::check_digest(&answer.to_string(), found, digest)?;
        Ok(true)
    }

    /// Whether the registry says that the blob exists, without reading it.
    ///
    /// # Errors
    /// When the request fails.
    pub fn has_blob(&self, digest: &Digest) -> Result<bool> {
        is_there(&self.send(&Request::new(Method::Head, self.blob_url(digest)))?)
    }

    /// Stores `bytes` as a blob, unless it exists, and returns its digest.
    ///
    /// # Errors
    /// When the registry refuses, or stores it under another digest.
    pub fn put_blob(&self, bytes: &[u8]) -> Result<Digest> {
        self.put_blobs(&[bytes])?;
        Ok(Digest::of(bytes))
    }

    /// Stores those of `blobs` that do not exist, in parallel.
    ///
    /// # Errors
    /// As [`Client::put_blob`].
    pub fn put_blobs(&self, blobs: &[&[u8]]) -> Result<()> {
        let digests: Vec<_> = blobs.iter().map(|bytes| Digest::of(bytes)).collect();
        let wanted: Vec<_> = digests.iter().cloned().map(Wanted::HasBlob).collect();
        let there = self.batch(&wanted).into_iter().collect::<Result<Vec<_>>>()?;
        let missing = digests.iter().zip(blobs).zip(there).filter(|(_, there)| there.is_none());
        let missing: Vec<_> = missing.map(|(blob, _)| blob).collect();
        at_once(&missing, |(digest, bytes)| self.put_missing(digest, bytes)).map(|_| ())
    }

    /// Stores a blob that did not exist. The upload is in one piece ("POST then PUT" in the distribution
    /// specification).
    fn put_missing(&self, digest: &Digest, bytes: &[u8]) -> Result<()> {
        let mut response = self.upload(digest, bytes)?;
        if matches!(response.status, 400 | 404 | 416) {
            // An upload accepts its bytes once. If the answer to the first request was lost, its retry gets such a
            // status.
            if self.has_blob(digest)? {
                return Ok(());
            }
            response = self.upload(digest, bytes)?;
        }
        ensure!(response.status == 201, response.unexpected());
        if let Some(stored) = super::declared_digest(&response)? {
            ensure!(stored == *digest, "{response} with digest `{stored}`: expected `{digest}`");
        }
        Ok(())
    }

    fn upload(&self, digest: &Digest, bytes: &[u8]) -> Result<Response> {
        let upload = self.open_upload()?;
        let separator = if upload.contains('?') { '&' } else { '?' };
        let request = Request::new(Method::Put, format!("{upload}{separator}digest={digest}"));
        self.send(&request.body("application/octet-stream", bytes))
    }

    /// Proves the right to push by opening and cancelling an upload.
    ///
    /// # Errors
    /// When the registry does not let these credentials push.
    pub fn check_push(&self) -> Result<()> {
        let cancelled = self.send_as(Scope::Delete, &Request::new(Method::Delete, self.open_upload()?))?;
        // With a 4xx status, the server cannot cancel an upload, or requires the right to delete for it, which is not
        // the right to push (the distribution registry with token authentication). It drops the empty upload after a
        // while.
        let is_fine = matches!(cancelled.status, 200 | 202 | 204 | 400 | 401 | 403 | 404 | 405);
        ensure!(is_fine, cancelled.unexpected());
        Ok(())
    }

    /// Opens an upload and returns its address. The registry drops an abandoned upload after a while.
    fn open_upload(&self) -> Result<String> {
        let request = Request::new(Method::Post, self.url("blobs/uploads/")).repeatable();
        let response = self.send(&request.body("application/octet-stream", ""))?;
        ensure!(response.status == 202, response.unexpected());
        upload_address(&response, &self.image.registry.base_url())
    }

    pub(super) fn blob_url(&self, digest: &Digest) -> String {
        self.url(&format!("blobs/{digest}"))
    }
}

/// The blob in an answer.
pub(super) fn read(response: Response, digest: &Digest) -> Result<Option<Vec<u8>>> {
    match response.status {
        200 => {
            DigestMismatch::check(&response, digest)?;
            Ok(Some(response.body))
        }
        404 => Ok(None),
        _ => Err(response.unexpected()),
    }
}

/// Whether an answer says that the blob exists.
pub(super) fn is_there(response: &Response) -> Result<bool> {
    match response.status {
        200 => Ok(true),
        404 => Ok(false),
        _ => Err(response.unexpected()),
    }
}

/// `Location` is relative in Forgejo and absolute in distribution. Another host must not get our credentials.
fn upload_address(response: &Response, base: &str) -> Result<String> {
    let location = response.header("Location").with_context(|| format!("{response} without a `Location`"))?;
    let upload = if location.starts_with('/') { format!("{base}{location}") } else { location.to_owned() };
    ensure!(
        upload.starts_with(&format!("{base}/")),
        "{response} with an upload on another host: `{location}`"
    );
    Ok(upload)
}

#[cfg(test)]
mod tests {
    use super::upload_address;
    use crate::http::Response;

    #[test]
    fn an_upload_continues_only_on_the_same_host() {
        const BASE: &str = "https://forge.example.org";
        let address =
            |location: &str| upload_address(&Response::of(202, &[("Location", location)], b""), BASE);
        let absolute = "https://forge.example.org/v2/acme/carol/blobs/uploads/1?_state=x";
        assert_eq!(address(absolute).unwrap(), absolute);
        assert_eq!(
            address("/v2/acme/carol/blobs/uploads/1").unwrap(),
            format!("{BASE}/v2/acme/carol/blobs/uploads/1")
        );
        for elsewhere in
            ["https://forge.example.org.evil.example/v2/", "http://forge.example.org/v2/", "uploads/1", ""]
        {
            assert!(address(elsewhere).is_err(), "{elsewhere}");
        }
        assert!(upload_address(&Response::of(202, &[], b""), BASE).is_err());
    }
}

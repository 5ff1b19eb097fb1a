//! The referrers of an image: manifests that name it as their `subject`. A registry with the referrers API lists them
//! (distribution specification v1.1, "Listing Referrers"). For all others the client maintains an index under a tag.

use anyhow::{Context as _, Result, ensure};
use serde::Deserialize;

use super::{Client, Manifest};
use crate::http::{Method, Request, Response};
use crate::oci::exact;
use crate::oci::reference::Digest;

/// No image of ours has more referrers, and each of them costs a request.
pub const MAX_REFERRERS: usize = 1000;

impl Client {
    /// The manifests that refer to `digest`; `None` if the registry does not list referrers.
    ///
    /// # Errors
    /// When the request fails, or the answer is not a complete list.
    pub fn referrers(&self, digest: &Digest) -> Result<Option<Vec<Digest>>> {
        read(&self.send(&self.referrers_request(digest))?)
    }

    pub(super) fn referrers_request(&self, digest: &Digest) -> Request {
        Request::new(Method::Get, self.url(&format!("referrers/{digest}")))
    }

    /// Stores `manifest` by its digest, without a tag.
    ///
    /// # Errors
    /// As [`Client::put`].
    pub fn put_untagged(&self, manifest: &Manifest) -> Result<()> {
        self.put_at((&manifest.digest).into(), manifest)
    }
}

/// The list in an answer; `None` if the registry does not support this request, for which registries use different
/// statuses. 303 is a redirect that was not followed.
pub(super) fn read(response: &Response) -> Result<Option<Vec<Digest>>> {
    #[derive(Deserialize)]
    struct Index {
        manifests: Option<Vec<Entry>>,
    }
    #[derive(Deserialize)]
    struct Entry {
        digest: Digest,
    }
    match response.status {
        200 => {}
        303 | 400 | 404 | 405 | 406 => return Ok(None),
        _ => return Err(response.unexpected()),
    }
    ensure!(
        response.header("Link").is_none(),
        "{response} with more than one page of referrers: a release adds only a few"
    );
    let index: Index = exact::parse(&response.body).with_context(|| format!("{response}: reading it"))?;
    let found: Vec<_> = index.manifests.unwrap_or_default().into_iter().map(|entry| entry.digest).collect();
    check_count(found.len()).with_context(|| response.to_string())?;
    Ok(Some(found))
}

/// Checks the number of manifests that refer to an image.
///
/// # Errors
/// When it is larger than [`MAX_REFERRERS`].
pub fn check_count(count: usize) -> Result<()> {
    ensure!(count <= MAX_REFERRERS, "{count} manifests refer to the image: expected {MAX_REFERRERS} at most");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{MAX_REFERRERS, read};
    use crate::http::Response;
    use crate::oci::reference::Digest;

    #[test]
    fn an_incomplete_list_is_an_error_and_a_registry_may_have_no_list() {
        let one = Digest::of(b"one");
        let answer = |status: u16, body: &str| read(&Response::of(status, &[], body.as_bytes()));
        let list = format!(r#"{{"schemaVersion":2,"manifests":[{{"digest":"{one}","size":1}}]}}"#);
        assert_eq!(answer(200, &list).unwrap(), Some(vec![one.clone()]));
        assert_eq!(answer(200, r#"{"manifests":[]}"#).unwrap(), Some(Vec::new()));
        assert_eq!(answer(200, r#"{"manifests":null}"#).unwrap(), Some(Vec::new()));
        for status in [303, 400, 404, 405, 406] {
            assert_eq!(answer(status, "{}").unwrap(), None, "{status}");
        }
        assert!(answer(500, &list).is_err() && answer(401, &list).is_err());
        for wrong in ["", "<html>", r#"{"manifests":[{}]}"#, r#"{"manifests":[],"Manifests":[]}"#] {
            assert!(answer(200, wrong).is_err(), "{wrong}");
        }
        let many = |count: usize| {
            let entries = vec![format!(r#"{{"digest":"{one}"}}"#); count].join(",");
            answer(200, &format!(r#"{{"manifests":[{entries}]}}"#))
        };
        assert!(many(MAX_REFERRERS).is_ok() && many(MAX_REFERRERS + 1).is_err());
        let more = [("Link", "</v2/x/referrers/y?n=1>; rel=\"next\"")];
        assert!(read(&Response::of(200, &more, list.as_bytes())).is_err());
    }
}

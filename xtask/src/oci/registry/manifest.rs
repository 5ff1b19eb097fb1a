//! A manifest, and the checks on an answer with a manifest.

use anyhow::{Context as _, Result, ensure};

use super::DigestMismatch;
use crate::http::Response;
use crate::oci::index;
use crate::oci::media_type::MANIFESTS;
use crate::oci::reference::{Digest, Reference};

/// A manifest as stored. The digest covers exactly these bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    /// The digest of `bytes`, computed here.
    pub digest: Digest,
    /// Its `Content-Type`.
    pub media_type: String,
    /// The stored bytes.
    pub bytes: Vec<u8>,
}

impl Manifest {
    /// A manifest to be stored: `bytes` of `media_type`.
    #[must_use]
    pub fn new(media_type: impl Into<String>, bytes: Vec<u8>) -> Self {
        Self { digest: Digest::of(&bytes), media_type: media_type.into(), bytes }
    }
}

/// Whether `media_type` is that of a manifest.
pub(super) fn is_manifest(media_type: &str) -> bool {
    MANIFESTS.contains(&essence(media_type))
}

/// A `Content-Type` without its parameters.
fn essence(media_type: &str) -> &str {
    media_type.split(';').next().unwrap_or_default().trim()
}

/// The manifest in an answer for `reference`. Its bytes must match the requested digest and the digest that the answer
/// names.
pub(super) fn read(response: Response, reference: Reference<'_>) -> Result<Manifest> {
    let media_type =
        response.header("Content-Type").with_context(|| format!("{response} without a type"))?.to_owned();
    // The HTML page of a proxy is not an answer of the registry, and must not count as a digest mismatch.
    ensure!(is_manifest(&media_type), "{response} with `{}`: expected a manifest", essence(&media_type));
    index::check_size(&response.body).with_context(|| response.to_string())?;
    let requested = match reference {
        Reference::Digest(digest) => Some(digest),
        Reference::Tag(_) => None,
    };
    for named in requested.into_iter().chain(&declared_digest(&response)?) {
        DigestMismatch::check(&response, named)?;
    }
    Ok(Manifest::new(media_type, response.body))
}

/// The digest that the registry names for its answer.
pub(super) fn declared_digest(response: &Response) -> Result<Option<Digest>> {
    let header = response.header("Docker-Content-Digest").map(str::parse).transpose();
    header.with_context(|| format!("{response} with a bad `Docker-Content-Digest`"))
}

#[cfg(test)]
mod tests {
    use super::{Reference, declared_digest, read};
    use crate::http::Response;
    use crate::oci::index::MAX_SIZE;
    use crate::oci::media_type::INDEX;
    use crate::oci::reference::{Digest, Tag};
    use crate::oci::registry::DigestMismatch;

    #[test]
    fn an_html_page_is_an_error_but_not_a_digest_mismatch() {
        let page = || Response::of(200, &[("Content-Type", "text/html; charset=utf-8")], b"<html>");
        for reference in [Reference::Tag(&Tag::latest()), Reference::Digest(&Digest::of(b"index"))] {
            let error = read(page(), reference).unwrap_err();
            assert!(!error.chain().any(<dyn std::error::Error>::is::<DigestMismatch>), "{error:#}");
        }
    }

    #[test]
    fn a_manifest_must_match_the_requested_digest_and_the_one_in_the_header() {
        let (these, those) = (Digest::of(b"these"), Digest::of(b"those"));
        let answered = |reference: Reference<'_>, said: &Digest| {
            let headers = [("Content-Type", INDEX), ("Docker-Content-Digest", said.as_str())];
            read(Response::of(200, &headers, b"these"), reference)
        };
        assert_eq!(answered((&Tag::latest()).into(), &these).unwrap().digest, these);
        assert_eq!(answered((&these).into(), &these).unwrap().media_type, INDEX);
        let latest = Tag::latest();
        let wrong = [
            (Reference::Tag(&latest), &those),
            (Reference::Digest(&these), &those),
            (Reference::Digest(&those), &these),
        ];
        for (reference, said) in wrong {
            let error = answered(reference, said).unwrap_err();
            assert!(error.chain().any(<dyn std::error::Error>::is::<DigestMismatch>), "{error:#}");
        }
    }

    #[test]
    fn a_manifest_that_is_too_large_is_rejected() {
        let answered = |size: usize| {
            let answer = Response::of(200, &[("Content-Type", INDEX)], &vec![b' '; size]);
            read(answer, Reference::Tag(&Tag::latest()))
        };
        assert!(answered(MAX_SIZE).is_ok());
        assert!(answered(MAX_SIZE + 1).is_err());
    }

    #[test]
    fn a_digest_in_a_header_is_parsed_or_refused() {
        let digest = Digest::of(b"x");
        let said =
            |value: &str| declared_digest(&Response::of(200, &[("docker-content-digest", value)], b""));
        assert_eq!(said(digest.as_str()).unwrap(), Some(digest));
        assert!(said("sha256:1").is_err() && said("").is_err());
        assert_eq!(declared_digest(&Response::of(200, &[], b"")).unwrap(), None);
    }
}

//! Registries that store their bytes elsewhere, or under another name. Forgejo with direct serving and most hosted
//! registries answer `GET` of a blob or a manifest with a redirect to a storage server. For an owner's old name,
//! Forgejo redirects to the new one (docs/facts.md#renamed-repositories). The request that follows is anonymous, and
//! the bytes that it brings are checked against the digest.

use anyhow::{Context as _, Result, ensure};
use serde::Deserialize;

use super::Client;
use super::manifest::is_manifest;
use super::token::Send;
use crate::http::{Address, Method, Request, Response, follow, is_redirect, resolve};
use crate::oci::reference::{Digest, Registry, Tag};

/// Headers by which a registry describes its answer. From a storage server they mean nothing.
const DIGEST: &str = "Docker-Content-Digest";
const TYPE: &str = "Content-Type";

/// An owner may have been renamed more than once.
const MAX_NAMES: usize = 5;

impl Client {
    /// Follows the redirect in `response`, if it is one. `request` is the request that it answers.
    ///
    /// # Errors
    /// When requests may not go to that address, or get no answer there.
    pub(super) fn follow(&self, request: &Request, response: Response) -> Result<Response> {
        self.follow_by(request, response, &|request| self.curl.send(request))
    }

    /// As [`Client::follow`], but sends with `send`.
    pub(super) fn follow_by(
        &self,
        request: &Request,
        response: Response,
        send: &Send<'_>,
    ) -> Result<Response> {
        let (request, response) = self.under_present_name(request, response, send)?;
        if !is_redirect(&request, &response) || leads_to_no_list(&request, &response)? {
            return Ok(response);
        }
        let (said, kind) = (self.said(&request, &response)?, own(&response, TYPE));
        let stored = follow(&request, response, |url| self.check_address(url), send)?;
        Ok(as_of_registry(stored, said.as_deref(), kind.as_deref()))
    }

    /// The request for the name that the image has now, and its answer. Each further request is anonymous: neither
    /// the password nor a token obtained with it is meant for another name.
    fn under_present_name(
        &self,
        request: &Request,
        response: Response,
        send: &Send<'_>,
    ) -> Result<(Request, Response)> {
        let (mut request, mut response) = (request.clone(), response);
        for _ in 0..MAX_NAMES {
            let to = response.header("Location").filter(|_| is_redirect(&request, &response));
            let to = to.and_then(|location| resolve(request.url(), location).ok());
            let base = self.image.registry.base_url();
            let Some((url, name)) = to.as_ref().and_then(|url| Some((url, present_name(&base, url)?))) else {
                break;
            };
            request = request.elsewhere(url.as_str());
            response = self.anonymously(name, &request, send)?;
        }
        Ok((request, response))
    }

    /// The digest that the registry names for its answer. For a tag there must be one, because the bytes come from
    /// another server.
    fn said(&self, request: &Request, response: &Response) -> Result<Option<String>> {
        let tag = request.url().rsplit_once("/manifests/").map(|(_, reference)| reference);
        let tag =
            tag.filter(|reference| request.method() == Method::Get && reference.parse::<Digest>().is_err());
        let tag = tag.map(Tag::foreign).transpose()?;
        match (own(response, DIGEST), tag) {
            (None, Some(tag)) => {
                let digest = self.digest_of(&tag)?;
                digest
                    .map(|digest| Some(digest.to_string()))
                    .with_context(|| format!("{response}, and there is no `{tag}`"))
            }
            (said, _) => Ok(said),
        }
    }

    fn check_address(&self, url: &str) -> Result<()> {
        let shown = url.split('?').next().unwrap_or_default();
        ensure!(
            may_lead_to(url, &self.image.registry, &self.plain_http),
            "it leads to `{shown}`, without TLS; name its host in `plain-http` in `Cargo.toml` if that network is trusted"
        );
        Ok(())
    }
}

/// Whether the registry `own` may lead to this address: to any with TLS, because the request carries no secret. Without
/// TLS only to a host that the configuration names, or from one server of this machine to another.
fn may_lead_to(url: &str, own: &Registry, plain_http: &[Registry]) -> bool {
    let Some(address) = Address::parse(url) else { return false };
    if address.is_https() {
        return true;
    }
    let Ok(host) = address.authority.parse::<Registry>() else { return false };
    let is_local = host.is_loopback() && own.is_loopback();
    let own = Some(own).filter(|own| own.is_plain_elsewhere());
    is_local || plain_http.iter().chain(own).any(|named| named.as_str() == host.as_str())
}

/// Whether the registry redirects a request for a list of referrers to another host with 303, "See Other" (RFC 9110
/// §15.4.4), which means that it has no such list. GHCR does so, and the server there limits the rate of requests.
///
/// # Errors
/// When the `Location` is not an address.
fn leads_to_no_list(request: &Request, response: &Response) -> Result<bool> {
    let is_list = request.url().rsplit_once('/').is_some_and(|(before, _)| before.ends_with("/referrers"));
    let Some(location) = response.header("Location").filter(|_| is_list && response.status == 303) else {
        return Ok(false);
    };
    let to = resolve(request.url(), location).with_context(|| response.to_string())?;
    let origin = |url: &str| Address::parse(url).map(|address| address.origin());
    Ok(origin(&to) != origin(request.url()))
}

/// The image's path in an address of the registry at `base`: what comes before `/manifests/`, `/blobs/` and so on.
fn present_name<'a>(base: &str, url: &'a str) -> Option<&'a str> {
    let path = url.strip_prefix(base)?.strip_prefix("/v2/")?;
    let kinds = ["/manifests/", "/blobs/", "/tags/list", "/referrers/"];
    let end = kinds.iter().filter_map(|kind| path.rfind(kind)).max()?;
    Some(&path[..end])
}

fn own(response: &Response, name: &str) -> Option<String> {
    response.header(name).map(str::to_owned)
}

/// The storage server's answer with the registry's headers: its digest, and the media type of a manifest if one is
/// found. The registry's type takes precedence, then the storage server's, then the one in the manifest itself.
fn as_of_registry(response: Response, said: Option<&str>, kind: Option<&str>) -> Response {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Typed {
        media_type: String,
    }
    let named = kind.filter(|kind| is_manifest(kind)).map(str::to_owned);
    let sent = || own(&response, TYPE).filter(|kind| is_manifest(kind));
    let inner = || {
        let typed = serde_json::from_slice::<Typed>(&response.body);
        typed.map(|typed| typed.media_type).ok().filter(|kind| is_manifest(kind))
    };
    let found = named.or_else(sent).or_else(inner).or_else(|| own(&response, TYPE));
    response.with_header(DIGEST, said).with_header(TYPE, found.as_deref())
}

#[cfg(test)]
mod tests {
    use super::{as_of_registry, may_lead_to, present_name};
    use crate::http::Response;
    use crate::oci::media_type::{INDEX, MANIFEST};
    use crate::oci::reference::Registry;

    #[test]
    fn without_tls_a_registry_may_redirect_only_to_configured_hosts_or_within_loopback() {
        let registry = |text: &str| text.parse::<Registry>().unwrap();
        let (public, local) = (registry("forge.example.org"), registry("127.0.0.1:3000"));
        let (lan, named) = (registry("forge.lan:3000").over_http(), [registry("storage.lan:9000")]);
        for (own, url, expected) in [
            (&public, "https://storage.example.org/x", true),
            (&public, "http://storage.example.org/x", false),
            (&public, "http://forge.example.org/x", false),
            (&public, "http://127.0.0.1:9000/x", false),
            (&public, "http://storage.lan:9000/x", true),
            (&public, "http://storage.lan/x", false),
            (&public, "http://storage.lan:9000@192.0.2.1/x", false),
            (&public, "file:///etc/passwd", false),
            (&local, "http://localhost:9000/x", true),
            (&local, "http://192.0.2.1:9000/x", false),
            (&lan, "http://forge.lan:3000/x", true),
            (&lan, "http://forge.lan/x", false),
            (&lan, "http://127.0.0.1:9000/x", false),
        ] {
            assert_eq!(may_lead_to(url, own, &named), expected, "{own} {url}");
        }
    }

    #[test]
    fn the_registrys_headers_override_those_of_the_storage_server() {
        let stored = |headers: &[(&str, &str)], body: &str| Response::of(200, headers, body.as_bytes());
        let other = stored(&[("Docker-Content-Digest", "sha256:other"), ("Content-Type", MANIFEST)], "{}");
        let found = as_of_registry(other, Some("sha256:said"), Some(INDEX));
        assert_eq!(found.header("docker-content-digest"), Some("sha256:said"));
        assert_eq!(found.header("content-type"), Some(INDEX));
        let octets = [("content-type", "application/octet-stream")];
        let kind = |body: &str, kind: Option<&str>| {
            let found = as_of_registry(stored(&octets, body), None, kind);
            assert_eq!(found.header("Docker-Content-Digest"), None);
            found.header("Content-Type").map(str::to_owned)
        };
        let typed = format!(r#"{{"mediaType": "{INDEX}"}}"#);
        assert_eq!(kind(&typed, Some("text/html")).as_deref(), Some(INDEX));
        assert_eq!(kind("{}", Some("text/html")).as_deref(), Some("application/octet-stream"));
        assert_eq!(kind(r#"{"mediaType": "text/html"}"#, None).as_deref(), Some("application/octet-stream"));
    }

    #[test]
    fn a_name_is_read_only_from_an_address_of_the_same_registry() {
        let base = "https://forge.example.org";
        for (url, expected) in [
            ("https://forge.example.org/v2/new/carol/manifests/v1.0.0", Some("new/carol")),
            ("https://forge.example.org/v2/new/blobs/carol/blobs/sha256:0", Some("new/blobs/carol")),
            ("https://forge.example.org/v2/new/carol/tags/list?n=100", Some("new/carol")),
            ("https://forge.example.org/v2/new/carol/referrers/sha256:0", Some("new/carol")),
            ("https://forge.example.org/v2/new/carol", None),
            ("https://forge.example.org/bucket/manifests/x", None),
            ("https://forge.example.org.evil.example/v2/new/carol/manifests/x", None),
            ("http://forge.example.org/v2/new/carol/manifests/x", None),
            ("https://storage.example.org/v2/new/carol/manifests/x", None),
        ] {
            assert_eq!(present_name(base, url), expected, "{url}");
        }
    }
}

//! A repository that was renamed, or whose owner was. The forge redirects requests for the old name to the new one,
//! until somebody else takes the old name (docs/facts.md#renamed-repositories).

use anyhow::Result;

use crate::http::{Request, Response, resolve};
use crate::inputs::config::RepositoryName;

/// The repository and its owner may each have been renamed, more than once.
const MAX_HOPS: usize = 5;

/// The answer to `request` under the repository's present name, and that name if it differs from the one in
/// `request`. `send` sends a request with the authorization that it has.
///
/// # Errors
/// When no answer arrives.
pub(super) fn follow(
    api: &str,
    mut request: Request,
    send: impl Fn(&Request) -> Result<Response>,
) -> Result<(Response, Option<RepositoryName>)> {
    let (mut response, mut present) = (send(&request)?, None);
    for _ in 0..MAX_HOPS {
        let Some((name, url)) = read(api, &request, &response) else { break };
        request = request.renamed(url);
        response = send(&request)?;
        present = Some(name);
    }
    Ok((response, present))
}

/// The present name of the repository that `request` names below `api`, and the request's address under that name.
/// `None` unless `response` is a redirect to the same path and query of another repository of the same API. Only such
/// a redirect may be followed with the token.
fn read(api: &str, request: &Request, response: &Response) -> Option<(RepositoryName, String)> {
    if !matches!(response.status, 301 | 302 | 307 | 308) {
        return None;
    }
    let url = resolve(request.url(), response.header("Location")?).ok()?;
    let (_, asked) = named(api, request.url())?;
    let (name, leads_to) = named(api, &url)?;
    (asked == leads_to).then_some((name, url))
}

/// The repository in an address below `api`, and the rest of the address.
fn named<'a>(api: &str, url: &'a str) -> Option<(RepositoryName, &'a str)> {
    let path = url.strip_prefix(api)?;
    let (owner, rest) = path.split_once('/')?;
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (name, rest) = rest.split_at(end);
    Some((RepositoryName::try_from(format!("{owner}/{name}")).ok()?, rest))
}

#[cfg(test)]
mod tests {
    use super::read;
    use crate::http::{Method, Request, Response};

    #[test]
    fn only_a_redirect_to_the_same_path_of_another_repository_is_a_rename() {
        let api = "https://forge.example.org/api/v1/repos/";
        let asked = "https://forge.example.org/api/v1/repos/acme/carol";
        for (rest, status, location, expected) in [
            ("", 301, "/api/v1/repos/acme/dave", Some("acme/dave")),
            ("/tags/v1.0.0", 301, "/api/v1/repos/acme/dave/tags/v1.0.0", Some("acme/dave")),
            (
                "/tags/v1.0.0",
                307,
                "https://forge.example.org/api/v1/repos/new/carol/tags/v1.0.0",
                Some("new/carol"),
            ),
            ("/pulls?page=1", 302, "/api/v1/repos/new/dave/pulls?page=1", Some("new/dave")),
            (
                "/tags/v1.0.0",
                308,
                "//forge.example.org/api/v1/repos/acme/dave/tags/v1.0.0",
                Some("acme/dave"),
            ),
            ("/tags/v1.0.0", 200, "/api/v1/repos/acme/dave/tags/v1.0.0", None),
            ("/tags/v1.0.0", 303, "/api/v1/repos/acme/dave/tags/v1.0.0", None),
            ("/tags/v1.0.0", 301, "/api/v1/repos/acme/dave/tags/v2.0.0", None),
            ("/tags/v1.0.0", 301, "/api/v1/repos/acme/dave", None),
            ("/tags/v1.0.0", 301, "/user/login", None),
            ("/tags/v1.0.0", 301, "https://evil.example/api/v1/repos/acme/dave/tags/v1.0.0", None),
            ("/tags/v1.0.0", 301, "http://forge.example.org/api/v1/repos/acme/dave/tags/v1.0.0", None),
            ("/tags/v1.0.0", 301, "https://forge.example.org:8443/api/v1/repos/acme/dave/tags/v1.0.0", None),
            ("/tags/v1.0.0", 301, "/api/v1/repos/acme/../tags/v1.0.0", None),
            ("/tags/v1.0.0", 301, "/api/v1/repos/a%2f/dave/tags/v1.0.0", None),
            ("/tags/v1.0.0", 301, "tags/v1.0.0", None),
        ] {
            let request = Request::new(Method::Get, format!("{asked}{rest}"));
            let found = read(api, &request, &Response::of(status, &[("Location", location)], b""));
            assert_eq!(found.map(|(name, _)| name.to_string()).as_deref(), expected, "{rest} {location}");
        }
        let elsewhere = Request::new(Method::Get, "https://forge.example.org/api/v1/version");
        assert_eq!(
            read(api, &elsewhere, &Response::of(301, &[("Location", "/api/v1/repos/a/b")], b"")),
            None
        );
        let silent = Request::new(Method::Get, asked);
        assert_eq!(read(api, &silent, &Response::of(301, &[], b"")), None);
    }
}

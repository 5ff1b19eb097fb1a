//! Redirects. The caller decides to which addresses a request may go.

use anyhow::{Context as _, Result, ensure};

use super::{Address, Request, Response};

/// More than any server needs; it ends redirects that go in a circle.
const MAX_HOPS: u32 = 5;

/// Follows the redirects that begin with `response`, the answer to `request`, and returns the last answer. Each
/// further request is anonymous. Its address must pass `check`, and `send` sends it.
///
/// # Errors
/// When `check` refuses an address, a request gets no answer, or the redirects do not end.
pub fn follow(
    request: &Request,
    response: Response,
    check: impl Fn(&str) -> Result<()>,
    send: impl Fn(&Request) -> Result<Response>,
) -> Result<Response> {
    let (mut request, mut response, mut hops) = (request.clone(), response, 0);
    while is_redirect(&request, &response) {
        ensure!(hops < MAX_HOPS, "{response}, after {MAX_HOPS} others: it leads nowhere");
        hops += 1;
        let location = response.header("Location");
        let location = location.with_context(|| format!("{response} without a `Location`"))?;
        let url = resolve(request.url(), location).with_context(|| response.to_string())?;
        check(&url).with_context(|| response.to_string())?;
        request = request.elsewhere(url);
        response = send(&request)?;
    }
    Ok(response)
}

/// Whether `response` redirects `request` to another address.
#[must_use]
pub fn is_redirect(request: &Request, response: &Response) -> bool {
    request.method().is_safe() && matches!(response.status, 301 | 302 | 303 | 307 | 308)
}

/// Resolves `location`, from an answer to a request for `base` (RFC 3986 §5.2). A `location` relative to the path of
/// `base` is not supported: no server sends one.
///
/// # Errors
/// When it is not an address.
pub fn resolve(base: &str, location: &str) -> Result<String> {
    let base = Address::parse(base).with_context(|| format!("`{base}` is not an address"))?;
    let url = match location {
        _ if location.starts_with("//") => format!("{}:{location}", base.scheme),
        _ if location.starts_with('/') => base.origin() + location,
        _ => location.to_owned(),
    };
    ensure!(Address::parse(&url).is_some(), "its `Location` is not an address");
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::{Request, Response, follow, resolve};
    use crate::http::Method;

    #[test]
    fn redirects_are_followed_only_up_to_a_limit() {
        let request = Request::new(Method::Get, "https://forge.example.org/0").header("Accept", "x");
        let redirect = |to: usize| Response::of(302, &[("Location", &format!("/{to}"))], b"");
        let after = |hops: usize| {
            follow(
                &request,
                redirect(1),
                |_| Ok(()),
                |request| {
                    let (_, at) = request.url().split_once(".org/").unwrap();
                    let at: usize = at.parse().unwrap();
                    Ok(if at == hops { Response::of(200, &[], b"found") } else { redirect(at + 1) })
                },
            )
        };
        assert_eq!(after(1).unwrap().body, b"found");
        assert_eq!(after(5).unwrap().body, b"found");
        let error = after(6).err().unwrap().to_string();
        assert!(error.contains("after 5 others: it leads nowhere"), "{error}");
        let refused = follow(&request, redirect(1), |_| anyhow::bail!("not there"), |_| unreachable!());
        assert!(format!("{:#}", refused.err().unwrap()).ends_with("answered 302: not there"));
    }

    #[test]
    fn a_location_is_resolved_against_the_requested_address() {
        let resolved = |location| resolve("https://forge.example.org/v2/acme/carol/blobs/x", location);
        for (location, expected) in [
            ("https://s3.example.org/x?signature=y", "https://s3.example.org/x?signature=y"),
            ("//s3.example.org/x", "https://s3.example.org/x"),
            ("/storage/x", "https://forge.example.org/storage/x"),
        ] {
            assert_eq!(resolved(location).unwrap(), expected);
        }
        for bad in ["", "x", "?x", "file:///etc/passwd", "ftp://s3.example.org/x", "https:///x", "///x"] {
            assert!(resolved(bad).is_err(), "{bad}");
        }
    }
}

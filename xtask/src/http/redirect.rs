//! Where a redirect points. The caller decides whether a request goes there, and with which credentials.

use anyhow::{Context as _, Result, ensure};

use super::{Address, Request, Response};

/// Whether `response` redirects `request` to another address.
#[must_use]
pub fn is_redirect(request: &Request, response: &Response) -> bool {
    matches!(request.method(), "GET" | "HEAD") && matches!(response.status, 301 | 302 | 303 | 307 | 308)
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
    use super::resolve;

    #[test]
    fn an_address_is_resolved_against_the_one_that_was_asked() {
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

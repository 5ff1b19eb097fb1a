//! The tags of an image, page by page. The registry itself says where the next page is (distribution specification,
//! "Listing Tags"), because some registries use an opaque cursor in place of the last tag.

use std::collections::BTreeSet;

use anyhow::{Context as _, Result, bail, ensure};
use serde::Deserialize;

use super::Client;
use crate::http::{Address, MAX_LISTING_SIZE, Method, Request, Response};
use crate::oci::reference::Image;

/// The tags of one image never need more pages.
const MAX_PAGES: usize = 200;

impl Client {
    /// All tags, in the registry's order; empty when the image does not exist.
    ///
    /// # Errors
    /// When a request fails, an answer has an unexpected form, the registry points to another host, or the list does
    /// not end.
    pub fn tags(&self) -> Result<Vec<String>> {
        list(&self.image, self.url("tags/list?n=100"), |url| self.send(&Request::new(Method::Get, url)))
            .with_context(|| format!("listing the tags of `{}`", self.image))
    }
}

fn list(image: &Image, first: String, ask: impl Fn(String) -> Result<Response>) -> Result<Vec<String>> {
    #[derive(Deserialize)]
    struct Page {
        tags: Option<Vec<String>>,
    }
    let (mut tags, mut known, mut left) = (Vec::new(), BTreeSet::new(), MAX_LISTING_SIZE);
    let mut next = first;
    for page in 0..MAX_PAGES {
        let response = ask(next)?;
        match response.status {
            200 => {}
            404 if page == 0 => return Ok(tags),
            _ => return Err(response.unexpected()),
        }
        let page = response.json_of_page::<Page>(&mut left)?.tags.unwrap_or_default();
        // Forgejo sends a `Link` to a next page even on the last one, so only an empty page ends the list there.
        let is_empty = page.is_empty();
        tags.extend(page.into_iter().filter(|tag| known.insert(tag.clone())));
        match next_page(image, &response)? {
            Some(link) if !is_empty => next = link,
            _ => return Ok(tags),
        }
    }
    bail!(
        "no end after {MAX_PAGES} pages with {} tags; find out who pushes them, and remove those that nothing needs, such as \
         candidates of refused releases",
        tags.len()
    )
}

/// The address of the next page. It must be on this registry, because the request for it carries our credentials.
fn next_page(image: &Image, response: &Response) -> Result<Option<String>> {
    let Some(link) = response.headers("Link").find_map(next_link) else { return Ok(None) };
    // Behind a proxy, a registry may put the wrong scheme into its own address. The scheme of the connection is kept.
    let path = match Address::parse(link) {
        Some(address) if address.authority == image.registry.host() => address.path,
        _ => link,
    };
    ensure!(path.starts_with("/v2/"), "{response} with a link to `{link}`, which is not on this registry");
    Ok(Some(format!("{}{path}", image.registry.base_url())))
}

/// The target with `rel="next"` in a `Link` header (RFC 8288 §3).
pub(super) fn next_link(header: &str) -> Option<&str> {
    let mut rest = header;
    while let Some(start) = rest.find('<') {
        let (target, after) = rest[start + 1..].split_once('>')?;
        let parameters = after.find('<').map_or(after, |end| &after[..end]);
        let is_next = |parameter: &str| {
            let value = parameter.trim().trim_end_matches(',').strip_prefix("rel=");
            value.is_some_and(|value| {
                value.trim_matches('"').split(' ').any(|kind| kind.eq_ignore_ascii_case("next"))
            })
        };
        if parameters.split(';').any(is_next) {
            return Some(target);
        }
        rest = after;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::{list, next_link};
    use crate::http::{MAX_LISTING_SIZE, Response};

    #[test]
    fn an_endless_list_is_an_error() {
        let image = "registry.example.org/acme/carol".parse().unwrap();
        let pages = |size: usize| {
            let more = [("Link", "</v2/acme/carol/tags/list?last=a>; rel=\"next\"")];
            let body = r#"{"tags":["a"]}"#.to_owned() + &" ".repeat(size);
            let found = list(&image, String::new(), |_url| Ok(Response::of(200, &more, body.as_bytes())));
            format!("{:#}", found.unwrap_err())
        };
        let error = pages(0);
        assert!(error.contains("no end after 200 pages with 1 tags; find out who"), "{error}");
        let error = pages(MAX_LISTING_SIZE / 4 * 3);
        assert!(error.contains("after the answers before it"), "{error}");
    }

    #[test]
    fn the_next_page_is_found_among_other_links() {
        let path = "/v2/acme/carol/tags/list?n=100&last=v1";
        for header in [
            format!("<{path}>; rel=\"next\""),
            format!("<{path}>;rel=next"),
            format!("</v2/>; rel=\"first\", <{path}>; title=\"x\"; rel=\"next\", </v2/x>; rel=\"last\""),
            format!("<{path}>; rel=\"last next\""),
        ] {
            assert_eq!(next_link(&header), Some(path), "{header}");
        }
        for header in ["", "</v2/>; rel=\"prev\"", "</v2/", "/v2/; rel=\"next\"", "</v2/>; title=\"next\""] {
            assert_eq!(next_link(header), None, "{header}");
        }
    }
}

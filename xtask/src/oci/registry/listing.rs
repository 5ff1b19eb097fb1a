//! The tags of an image, page by page. The registry itself says where the next page is (distribution specification,
//! "Listing Tags"), because some registries take an opaque cursor in place of the last tag.

use std::collections::BTreeSet;

use anyhow::{Context as _, Result, bail, ensure};
use serde::Deserialize;

use super::Client;
use crate::http::{Request, Response};

/// The tags of one image never need more pages.
const MOST_PAGES: usize = 200;

impl Client {
    /// All tags, in the registry's order; empty when the image does not exist.
    ///
    /// # Errors
    /// When a request fails, an answer has another form, or the registry points to another host.
    pub fn tags(&self) -> Result<Vec<String>> {
        #[derive(Deserialize)]
        struct Page {
            tags: Option<Vec<String>>,
        }
        let (mut tags, mut known) = (Vec::new(), BTreeSet::new());
        let mut next = self.url("tags/list?n=100");
        for page in 0..MOST_PAGES {
            let response = self.send(&Request::new("GET", next))?;
            match response.status {
                200 => {}
                404 if page == 0 => return Ok(tags),
                _ => return Err(response.unexpected()),
            }
            let page = response.json::<Page>()?.tags.unwrap_or_default();
            // Forgejo sends a `Link` to a next page even on the last one, so only an empty page ends the list there.
            let is_empty = page.is_empty();
            tags.extend(page.into_iter().filter(|tag| known.insert(tag.clone())));
            match self.next_page(&response)? {
                Some(link) if !is_empty => next = link,
                _ => return Ok(tags),
            }
        }
        bail!("listing the tags of `{}`: no end after {MOST_PAGES} pages", self.image)
    }

    /// The address of the next page. It must be on this registry, because the request for it carries our credentials.
    fn next_page(&self, response: &Response) -> Result<Option<String>> {
        let Some(link) = response.headers("Link").find_map(next_link) else { return Ok(None) };
        let doing = || format!("{response} with a link to `{link}`");
        // Behind a proxy a registry may name itself with the other scheme. The scheme of the connection stays.
        let rest = link.strip_prefix("https://").or_else(|| link.strip_prefix("http://"));
        let path = match rest {
            Some(rest) => rest.strip_prefix(self.image.registry.as_str()).with_context(doing)?,
            None => link,
        };
        ensure!(path.starts_with("/v2/"), "{}, which is not on this registry", doing());
        Ok(Some(format!("{}{path}", self.image.registry.base_url())))
    }
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
    use super::next_link;

    #[test]
    fn the_next_page_is_told_among_other_links() {
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

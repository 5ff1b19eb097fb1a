//! Compares `engines.node` of package.json with the node of the base image. npm only warns if they disagree.

use anyhow::{Context as _, Result};
use serde_json::Value;

use super::PACKAGE_JSON;
use super::lockfile::manifest;
use crate::oci::reference::{undigested, untagged};

/// The major version of node in an image, by its name: 22 for `node:22-slim@sha256:…`, distroless' `nodejs22-debian12`,
/// Red Hat's `nodejs-22-minimal` and Lambda's `nodejs:22`.
#[must_use]
pub fn node_of(image: &str) -> Option<u32> {
    let (name, tag) = untagged(undigested(image).0);
    let name = name.rsplit('/').next()?;
    let version = match name {
        "node" | "nodejs" => tag?,
        _ => name.strip_prefix("nodejs")?,
    };
    leading_number(version.strip_prefix('-').unwrap_or(version))
}

/// The range in `engines.node` and the version of node in `image`, if the version is outside of the range. Only the
/// ranges `>=N`, `^N`, `~N`, `N.x` and alternatives of these are judged.
#[must_use]
pub fn misfit(engines: &Value, image: &str) -> Option<(String, u32)> {
    let range = engines.get("node")?.as_str()?;
    let node = node_of(image)?;
    let fits = range.split("||").map(|part| fits(part.trim(), node)).collect::<Option<Vec<_>>>()?;
    (!fits.contains(&true)).then(|| (range.to_owned(), node))
}

/// Describes a [`misfit`] in the service's `package.json`.
///
/// # Errors
/// As [`manifest`].
pub fn note(package_json: &[u8], image: &str) -> Result<Option<String>> {
    let package: Value =
        manifest(package_json).with_context(|| format!("reading the `engines` of `{PACKAGE_JSON}`"))?;
    let found = package.get("engines").and_then(|engines| misfit(engines, image));
    Ok(found.map(|(range, node)| {
        format!(
            "`engines.node` is `{}`, and the base image `{image}` has node {node}; pin another base image in the Dockerfile, \
             or change `engines`",
            range.escape_debug()
        )
    }))
}

/// Whether `node` is in the range; `None` if the range is not plain.
fn fits(range: &str, node: u32) -> Option<bool> {
    let (is_least, version) = match range.strip_prefix(">=") {
        Some(version) => (true, version.trim_start()),
        None => (false, range.strip_prefix(['^', '~']).unwrap_or(range)),
    };
    let version = version.strip_prefix('v').unwrap_or(version);
    let is_plain = version.chars().all(|c| c.is_ascii_digit() || matches!(c, '.' | 'x' | 'X' | '*'));
    let major = leading_number(version).filter(|_| is_plain)?;
    Some(if is_least { node >= major } else { node == major })
}

fn leading_number(text: &str) -> Option<u32> {
    text[..text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len())].parse().ok()
}

#[cfg(test)]
mod tests {
    use super::{misfit, node_of, note};
    use serde_json::json;

    #[test]
    fn plain_ranges_are_judged_and_others_are_ignored() {
        for (range, fits) in [
            (">=20", true),
            (">= 22.3.0", true),
            ("^22", true),
            ("~22.1", true),
            ("22.x", true),
            ("v22", true),
            ("^20 || >=22", true),
            ("22", true),
            (">=18 <23", true),
            (">22", true),
            ("*", true),
            ("lts", true),
            (">=99999999999", true),
            (">=24", false),
            ("^20.9.0", false),
            ("20.x", false),
            ("^18 || ^20", false),
        ] {
            let found = misfit(&json!({"node": range}), "docker.io/library/node:22-slim@sha256:0");
            assert_eq!(found.is_none(), fits, "{range}");
        }
        assert_eq!(misfit(&json!(["node >= 24"]), "node:22"), None);
    }

    #[test]
    fn only_the_name_of_a_node_image_tells_the_version_of_node() {
        for (image, expected) in [
            ("node:22-slim@sha256:0", Some(22)),
            ("localhost:5000/mirror/node:24.1.0-alpine", Some(24)),
            ("gcr.io/distroless/nodejs24-debian12:nonroot@sha256:0", Some(24)),
            ("registry.access.redhat.com/ubi9/nodejs-24-minimal", Some(24)),
            ("public.ecr.aws/lambda/nodejs:22", Some(22)),
            ("node:lts", None),
            ("node", None),
            ("nodejs", None),
            ("node:99999999999", None),
            ("x/mynode:22", None),
            ("acme/base:22", None),
        ] {
            assert_eq!(node_of(image), expected, "{image}");
        }
    }

    #[test]
    fn a_note_names_the_range_and_the_base_image() {
        let package = |range: &str| json!({"engines": {"node": range}}).to_string();
        let words = note(package(">=24").as_bytes(), "node:22-slim").unwrap().unwrap();
        assert!(words.contains("`>=24`") && words.contains("`node:22-slim` has node 22"), "{words}");
        assert_eq!(note(package(">=20").as_bytes(), "node:22-slim").unwrap(), None);
        assert!(note(b"{", "node:22").is_err());
    }
}

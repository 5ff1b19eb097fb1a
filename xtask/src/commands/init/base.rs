//! The base image with its digest: nothing is built on a tag that can move.

use anyhow::{Context as _, Result};

use super::Options;
use crate::inputs::dockerfile::existing::Existing;
use crate::oci::reference::{undigested, untagged};

/// This project's own Dockerfile; Renovate keeps its digest current.
const OWN: &str = include_str!("../../../../Dockerfile");

/// The reference of the last `FROM`: the one from the command line, else the old Dockerfile's if it has a digest, else this
/// project's own pin.
///
/// # Errors
/// When this project's own pin cannot be found.
pub(super) fn pinned(options: &Options, old: Option<&Existing>) -> Result<String> {
    if let Some(named) = &options.base {
        return Ok(named.reference.clone());
    }
    let of_old = old.and_then(|old| old.base.as_ref()).map(|base| &base.value);
    match of_old.filter(|base| base.contains("@sha256:")) {
        Some(base) => Ok(tagged(base)),
        None => own(),
    }
}

/// The image of the other stages, which need a shell and npm.
///
/// # Errors
/// As [`pinned`].
pub(super) fn of_stages(base: &str) -> Result<String> {
    if is_distroless(base) { own() } else { Ok(base.to_owned()) }
}

/// Whether an image's name says that it is distroless: it has no shell and no npm, and its node at another path.
pub(super) fn is_distroless(image: &str) -> bool {
    image.contains("distroless")
}

/// The path of node in the image.
pub(super) fn node(image: &str) -> &'static str {
    if is_distroless(image) { "/nodejs/bin/node" } else { "node" }
}

/// `image` with a tag: if it has none, `latest`, which docker uses then.
pub(super) fn tagged(image: &str) -> String {
    let (name, digest) = undigested(image);
    let latest = if untagged(name).1.is_some() { "" } else { ":latest" };
    let digest = digest.map_or_else(String::new, |digest| format!("@{digest}"));
    format!("{name}{latest}{digest}")
}

/// This project's own pin.
fn own() -> Result<String> {
    let from = OWN.lines().rfind(|line| line.starts_with("FROM "));
    from.and_then(|line| line.split_whitespace().nth(1))
        .map(str::to_owned)
        .context("this project's Dockerfile begins with no image")
}

#[cfg(test)]
mod tests {
    use super::{own, pinned, tagged};
    use crate::commands::init::Options;
    use crate::inputs::dockerfile::{BaseImage, existing};

    #[test]
    fn the_base_image_has_a_digest_wherever_it_comes_from() {
        let (own, options) = (own().unwrap(), Options::default());
        assert!(own.starts_with("node:") && own.contains("@sha256:"), "{own}");
        let old = |image: &str| existing::read(&format!("FROM {image}\n"));
        assert_eq!(pinned(&options, None).unwrap(), own);
        assert_eq!(pinned(&options, Some(&old("node:20"))).unwrap(), own);
        let kept = format!("node:22@sha256:{}", "a".repeat(64));
        assert_eq!(pinned(&options, Some(&old(&kept))).unwrap(), kept);
        let named = Options { base: Some(BaseImage::parse("", &kept).unwrap()), ..Options::default() };
        assert_eq!(pinned(&named, Some(&old("node:20"))).unwrap(), kept);
    }

    #[test]
    fn an_image_without_a_tag_gets_latest_as_in_docker() {
        for (image, expected) in [
            ("node", "node:latest"),
            ("node:22", "node:22"),
            ("localhost:5000/node", "localhost:5000/node:latest"),
            ("gcr.io/x/nodejs22@sha256:a", "gcr.io/x/nodejs22:latest@sha256:a"),
            ("gcr.io/x/nodejs22:nonroot@sha256:a", "gcr.io/x/nodejs22:nonroot@sha256:a"),
        ] {
            assert_eq!(tagged(image), expected);
        }
    }
}

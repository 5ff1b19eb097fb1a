//! The base image with its digest: nothing is built on a tag that can move.

use anyhow::{Context as _, Result};

use super::Options;
use crate::inputs::dockerfile::existing::Existing;

/// This project's own Dockerfile; Renovate keeps its digest current.
const OWN: &str = include_str!("../../../../Dockerfile");

/// The reference after `FROM`: the one from the command line, else the old Dockerfile's if it has a digest, else this
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
        Some(base) => Ok(base.clone()),
        None => own(),
    }
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
    use super::{own, pinned};
    use crate::commands::init::Options;
    use crate::inputs::dockerfile::{BaseImage, existing};

    #[test]
    fn a_base_has_a_digest_whoever_names_it() {
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
}

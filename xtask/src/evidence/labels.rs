//! What an image says about itself: its labels and annotations, and the platforms of its index.

use anyhow::{Context as _, Result, ensure};

use crate::inputs::config::Config;
use crate::inputs::release::Release;
use crate::oci::index;
use crate::oci::reference::Digest;
use crate::process::time::rfc3339;

/// The labels of an image, which are also its annotations, by the pre-defined keys of the OCI image specification
/// ("Annotations").
#[must_use]
pub fn of(release: &Release<'_>) -> Vec<(&'static str, String)> {
    let Release { config, source, inputs, .. } = release;
    let base = &inputs.base.last;
    vec![
        ("org.opencontainers.image.title", config.title.clone()),
        ("org.opencontainers.image.description", config.description.clone()),
        ("org.opencontainers.image.licenses", config.licenses.clone()),
        ("org.opencontainers.image.version", source.tag.version().to_string()),
        ("org.opencontainers.image.revision", source.commit.to_string()),
        ("org.opencontainers.image.source", config.source_url()),
        ("org.opencontainers.image.created", rfc3339(source.time)),
        ("org.opencontainers.image.base.name", base.full_name()),
        ("org.opencontainers.image.base.digest", base.digest.to_string()),
    ]
}

/// The manifests of an index, which must be exactly the configured platforms.
///
/// # Errors
/// When it is not an index, or has other platforms.
pub fn platforms(bytes: &[u8], config: &Config) -> Result<Vec<(String, Digest)>> {
    let manifests = index::platforms(bytes).context("reading the pushed image's index")?;
    let mut found: Vec<_> = manifests.iter().map(|(platform, _)| platform.clone()).collect();
    let mut expected: Vec<_> = config.platforms.iter().map(ToString::to_string).collect();
    found.sort();
    expected.sort();
    ensure!(found == expected, "the image has the platforms {found:?}: expected {expected:?}");
    Ok(manifests)
}

//! The media types of an image's documents: OCI's (image specification v1.1, "Media Types"), and Docker's before that.

/// An index.
pub const INDEX: &str = "application/vnd.oci.image.index.v1+json";
/// The manifest of a platform, and of an artifact.
pub const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
/// The config of a platform's image.
pub const CONFIG: &str = "application/vnd.oci.image.config.v1+json";

/// Docker's index.
pub const DOCKER_INDEX: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
/// Docker's manifest.
pub const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
/// Docker's config.
pub const DOCKER_CONFIG: &str = "application/vnd.docker.container.image.v1+json";

/// All types that a registry stores as a manifest.
pub const MANIFESTS: [&str; 4] = [INDEX, MANIFEST, DOCKER_INDEX, DOCKER_MANIFEST];

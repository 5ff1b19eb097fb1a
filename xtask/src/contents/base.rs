//! Which layers of an image come from its base image. The manifests that the Dockerfile pins by digest decide, wherever
//! they are fetched from.

#[cfg(test)]
mod tests;

use anyhow::{Context as _, Result, anyhow};

use super::cache::Cache;
use super::read::{Damaged, Part};
use crate::http::Curl;
use crate::inputs::dockerfile::BaseImage;
use crate::inputs::release::Release;
use crate::inputs::stand_in::{self, StandIn};
use crate::oci::index;
use crate::oci::manifest::ImageManifest;
use crate::oci::platform;
use crate::oci::reference::{Digest, Image, Registry, untagged};
use crate::oci::registry::{Client, DigestMismatch};
use crate::tool::docker::Docker;

/// The beginning of the names of images on Docker Hub.
const DOCKER_HUB: &str = "docker.io/";

/// The layers of a base image, for each platform.
pub struct Base {
    layers: Vec<(String, Vec<Digest>)>,
    manifests: Vec<(Digest, Vec<u8>)>,
}

/// The name and digest of a base image.
pub struct PinnedBase {
    /// The name, with its registry.
    pub name: String,
    /// The pinned digest, which is that of an index.
    pub digest: Digest,
}

impl PinnedBase {
    /// The base image of the final stage, or its stand-in in a release where one is allowed.
    #[must_use]
    pub fn for_release(release: &Release<'_>) -> Self {
        let base = &release.inputs.base.last;
        Self::of(base, stand_in::of(release.stand_ins, base).filter(|_| release.is_trial()))
    }

    /// The image that the Dockerfile pins, or its stand-in.
    #[must_use]
    pub fn of(base: &BaseImage, stand_in: Option<&StandIn>) -> Self {
        match stand_in {
            Some(StandIn { image, digest, .. }) => Self { name: image.to_string(), digest: digest.clone() },
            None => Self { name: untagged(&base.full_name()).0.to_owned(), digest: base.digest.clone() },
        }
    }

    /// The repository that serves it.
    ///
    /// # Errors
    /// When its name is not an image name.
    pub fn image(&self) -> Result<Image> {
        self.name.parse()
    }
}

/// The manifest or index `digest` of the image at `place`, with docker, which has the logins that the build used. If
/// docker cannot read an image of Docker Hub, it is requested from the engine's mirrors: the build uses them, but
/// docker's client does not. It does not matter who serves the bytes, because they are compared with the digest.
///
/// # Errors
/// When neither docker nor a mirror can read it.
pub fn through_docker(
    docker: &Docker<'_>,
    curl: &Curl,
    place: &PinnedBase,
    digest: &Digest,
) -> Result<Vec<u8>> {
    let unread = match docker.raw_manifest(&format!("{}@{digest}", place.name)) {
        Ok(manifest) => return Ok(manifest.into_bytes()),
        Err(error) => error,
    };
    let Some(path) = place.name.strip_prefix(DOCKER_HUB) else { return Err(unread) };
    let mut tried = unread;
    for url in docker.engine()?.mirrors {
        let answer = at_mirror(&url, path).and_then(|image| {
            let found = Client::new(curl.clone(), image, None).manifest(digest)?;
            found.with_context(|| format!("it has no `{digest}`"))
        });
        match answer {
            Ok(manifest) => return Ok(manifest.bytes),
            Err(error) => tried = tried.context(format!("the engine's mirror `{url}`: {error:#}")),
        }
    }
    Err(tried)
}

/// The image that Docker Hub has at `path`, at one of the engine's mirrors. The engine accepts only URLs of a host and
/// scheme (moby's `ValidateMirror`).
fn at_mirror(url: &str, path: &str) -> Result<Image> {
    let (scheme, host) = url.split_once("://").with_context(|| format!("`{url}` is not a URL"))?;
    let registry: Registry = host.trim_end_matches('/').parse()?;
    let image: Image = format!("{registry}/{path}").parse()?;
    Ok(match scheme {
        "http" => Image { registry: registry.over_http(), ..image },
        _ => image,
    })
}

impl Base {
    /// Reads the index `digest` and its manifests for `platforms`. Manifests that are not in the cache are requested
    /// with `ask`.
    ///
    /// # Errors
    /// When a request fails, or one of the platforms is missing.
    pub fn of(
        digest: &Digest,
        platforms: &[String],
        cache: &Cache,
        ask: impl Fn(&Digest) -> Result<Vec<u8>>,
    ) -> Result<Self> {
        let mut manifests = Vec::new();
        let mut manifest = |digest: &Digest| -> Result<Vec<u8>> {
            if let Some(bytes) = cache.manifest(digest) {
                manifests.push((digest.clone(), bytes.clone()));
                return Ok(bytes);
            }
            let bytes = ask(digest)?;
            DigestMismatch::check_bytes(
                &format!("`{digest}` of the base image is answered"),
                &bytes,
                digest,
            )?;
            // A manifest that cannot be stored is requested again the next time.
            cache.keep_manifest(digest, &bytes).ok();
            manifests.push((digest.clone(), bytes.clone()));
            Ok(bytes)
        };
        let doing = || format!("reading the base image `{digest}`");
        let index = index::platforms(&manifest(digest)?).with_context(doing)?;
        let mut layers = Vec::new();
        for wanted in platforms {
            let same = |(listed, _): &&(String, Digest)| platform::is_same(listed, wanted);
            let (_, digest) =
                index.iter().find(same).with_context(|| format!("{}: it is not for {wanted}", doing()))?;
            let read = ImageManifest::parse(&manifest(digest)?).with_context(doing)?;
            layers.push((wanted.clone(), read.layers.into_iter().map(|layer| layer.digest).collect()));
        }
        Ok(Self { layers, manifests })
    }

    /// The manifests that were read: the index, and one for each platform.
    #[must_use]
    pub fn manifests(&self) -> &[(Digest, Vec<u8>)] {
        &self.manifests
    }

    /// How many layers of `part` come from the base image.
    ///
    /// # Errors
    /// [`Damaged`] when the lowest layers of `part` are not those of the base image.
    pub fn count(&self, part: &Part) -> Result<usize> {
        let of_base =
            self.layers.iter().find(|(platform, _)| platform == &part.platform).map(|(_, layers)| layers);
        let of_base = of_base.map_or(&[][..], Vec::as_slice);
        let own: Vec<_> = part.layers.iter().take(of_base.len()).map(|layer| &layer.digest).collect();
        if of_base.is_empty() || !own.into_iter().eq(of_base) {
            return Err(anyhow!(Damaged(format!(
                "the lowest layers of the image for {} are not those of the base image that the Dockerfile pins",
                part.platform
            ))));
        }
        Ok(of_base.len())
    }

    #[cfg(test)]
    pub(super) fn from_layers<const N: usize>(layers: [(&str, &[Digest]); N]) -> Self {
        Self {
            layers: layers.map(|(platform, layers)| (platform.to_owned(), layers.to_vec())).into(),
            manifests: Vec::new(),
        }
    }
}

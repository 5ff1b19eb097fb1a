//! Which layers of an image are its base image's: asked of whatever has the manifests that the Dockerfile pins by digest.

#[cfg(test)]
mod tests;

use anyhow::{Context as _, Result, anyhow};

use super::cache::Cache;
use super::read::{Damaged, Manifest, Part};
use crate::inputs::dockerfile::BaseImage;
use crate::inputs::release::Release;
use crate::inputs::stand_in;
use crate::oci::index;
use crate::oci::reference::{Digest, Image};
use crate::oci::registry::WrongBytes;

/// Docker Hub's registry has another name than its images.
const DOCKER_HUB: (&str, &str) = ("docker.io/", "registry-1.docker.io/");

/// A base image's layers, for each platform.
pub struct Base {
    layers: Vec<(String, Vec<Digest>)>,
    manifests: Vec<(Digest, Vec<u8>)>,
}

/// Where a base image is.
pub struct Place {
    /// Its name in its registry.
    pub name: String,
    /// What is pinned: an index.
    pub digest: Digest,
}

impl Place {
    /// Where the base image of the final stage is: a stand-in only where a stand-in may be.
    ///
    /// # Errors
    /// When the stand-in's name cannot be read.
    pub fn for_release(release: &Release<'_>) -> Result<Self> {
        let base = &release.inputs.base.last;
        match stand_in::of(release.stand_ins, base).filter(|_| release.is_trial()) {
            Some(stand_in) => Self::of_stand_in(&stand_in.image),
            None => Ok(Self::of(base)),
        }
    }

    /// What the Dockerfile pins.
    #[must_use]
    pub fn of(base: &BaseImage) -> Self {
        let full = base.full_name();
        let name = full.rsplit_once(':').map_or(full.as_str(), |(name, _)| name);
        Self { name: name.to_owned(), digest: base.digest.clone() }
    }

    /// What stands in for it: `registry/path:tag@sha256:…`.
    ///
    /// # Errors
    /// When it is not of that form.
    pub fn of_stand_in(reference: &str) -> Result<Self> {
        let doing = || format!("reading the stand-in `{reference}`");
        let (tagged, digest) = reference.split_once('@').with_context(doing)?;
        let name = match tagged.rsplit_once(':') {
            Some((name, tag)) if !tag.contains('/') => name,
            _ => tagged,
        };
        Ok(Self { name: name.to_owned(), digest: digest.parse().with_context(doing)? })
    }

    /// The repository that is asked for it.
    ///
    /// # Errors
    /// When its name is none.
    pub fn image(&self) -> Result<Image> {
        match self.name.strip_prefix(DOCKER_HUB.0) {
            Some(path) => format!("{}{path}", DOCKER_HUB.1).parse(),
            None => self.name.parse(),
        }
    }
}

impl Base {
    /// Reads the index `digest` and the manifests of `platforms` in it. What is not in the cache is `asked` for.
    ///
    /// # Errors
    /// When it cannot be asked, or is not there for one of the platforms.
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
            WrongBytes::check_bytes(&format!("`{digest}` of the base image is answered"), &bytes, digest)?;
            // What cannot be kept is asked for again the next time.
            cache.keep_manifest(digest, &bytes).ok();
            manifests.push((digest.clone(), bytes.clone()));
            Ok(bytes)
        };
        let doing = || format!("reading the base image `{digest}`");
        let index = index::platforms(&manifest(digest)?).with_context(doing)?;
        let mut layers = Vec::new();
        for wanted in platforms {
            // `linux/arm64/v8` is what some publishers call `linux/arm64`.
            let same = |(platform, _): &&(String, Digest)| {
                platform == wanted || platform.starts_with(&format!("{wanted}/"))
            };
            let (_, digest) =
                index.iter().find(same).with_context(|| format!("{}: it is not for {wanted}", doing()))?;
            let read: Manifest = serde_json::from_slice(&manifest(digest)?).with_context(doing)?;
            layers.push((wanted.clone(), read.layers.into_iter().map(|layer| layer.digest).collect()));
        }
        Ok(Self { layers, manifests })
    }

    /// The manifests that were read: the index, and one for each platform.
    #[must_use]
    pub fn manifests(&self) -> &[(Digest, Vec<u8>)] {
        &self.manifests
    }

    /// How many layers of `part` are the base image's.
    ///
    /// # Errors
    /// [`Damaged`] when its lowest layers are others.
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

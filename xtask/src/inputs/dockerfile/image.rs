//! Images, as a Dockerfile pins them.

use anyhow::{Context as _, Result, bail, ensure};

use crate::oci::reference::Digest;

/// A base image, as a `FROM` line pins it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BaseImage {
    /// The reference as written: `node:22-slim@sha256:…`.
    pub reference: String,
    /// The name without tag and digest: `node`.
    pub name: String,
    /// The tag before the digest, which Renovate follows.
    pub tag: String,
    /// The digest, which decides what is used.
    pub digest: Digest,
}

/// Whether an image's name says that it is based on musl.
#[must_use]
pub fn says_musl(image: &str) -> bool {
    let words = image.to_ascii_lowercase();
    words.contains("alpine") || words.contains("musl")
}

impl BaseImage {
    /// `written` is the text before the reference, such as `FROM`.
    pub(super) fn parse(written: &str, reference: &str) -> Result<Self> {
        let Some((tagged, digest)) = reference.split_once('@') else {
            bail!(
                "`{written}{reference}` names no digest, so what it takes can change; \
                 write `{reference}@sha256:…` with the digest from `docker buildx imagetools inspect {reference}`"
            );
        };
        let (name, tag) = match tagged.rsplit_once(':') {
            Some((name, tag)) if !tag.contains('/') => (name, tag),
            _ => bail!(
                "`{written}{reference}` names no tag; write one before the digest, so that updates can be found"
            ),
        };
        let digest = digest.parse().with_context(|| format!("reading `{written}{reference}`"))?;
        Ok(Self { reference: reference.to_owned(), name: name.to_owned(), tag: base_tag(tag)?, digest })
    }

    /// Whether its name says that it is based on musl.
    pub(super) fn is_musl(&self) -> bool {
        says_musl(&self.reference)
    }

    /// The name with the registry and path that docker adds: `docker.io/library/node:22-slim`.
    #[must_use]
    pub fn full_name(&self) -> String {
        match (self.has_registry(), self.name.contains('/')) {
            (true, _) => format!("{}:{}", self.name, self.tag),
            (false, true) => format!("docker.io/{}:{}", self.name, self.tag),
            (false, false) => format!("docker.io/library/{}:{}", self.name, self.tag),
        }
    }

    /// The package URL (`pkg:docker/…`) by the purl specification, type `docker`: names without a registry are those of
    /// Docker Hub.
    #[must_use]
    pub fn package_url(&self) -> String {
        match self.name.split_once('/') {
            Some((registry, path)) if self.has_registry() => {
                format!("pkg:docker/{path}@{}?repository_url={registry}", self.tag)
            }
            _ => format!("pkg:docker/{}@{}", self.name, self.tag),
        }
    }

    fn has_registry(&self) -> bool {
        let first = self.name.split('/').next().unwrap_or_default();
        self.name.contains('/') && (first.contains(['.', ':']) || first == "localhost")
    }
}

/// The base images of a Dockerfile that follows the rules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BaseImages {
    /// The images of all other stages, each once; the first stage's comes first.
    pub builders: Vec<BaseImage>,
    /// The image on which the final stage, the published image, is based.
    pub last: BaseImage,
}

impl BaseImages {
    /// All base images, each once.
    pub fn distinct(&self) -> impl Iterator<Item = &BaseImage> {
        std::iter::once(&self.last).chain(self.builders.iter().filter(|base| **base != self.last))
    }

    /// Each image with its name in provenance: `builder-image`, `builder-image-2` …, `base-image`.
    #[must_use]
    pub fn named(&self) -> Vec<(String, &BaseImage)> {
        let builder = |(base, number): (_, u32)| match number {
            1 => ("builder-image".to_owned(), base),
            _ => (format!("builder-image-{number}"), base),
        };
        self.builders.iter().zip(1..).map(builder).chain([("base-image".to_owned(), &self.last)]).collect()
    }
}

/// Tags of other people's images may have upper case, unlike ours: `[\w][\w.-]{0,127}` of the distribution
/// specification.
fn base_tag(tag: &str) -> Result<String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_.-".contains(c);
    let is_tag = (1..=128).contains(&tag.len()) && tag.chars().all(plain) && !tag.starts_with(['.', '-']);
    ensure!(is_tag, "`{tag}` is not a registry tag");
    Ok(tag.to_owned())
}

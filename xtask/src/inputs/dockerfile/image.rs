//! Images as a Dockerfile pins them.

use anyhow::{Context as _, Result, bail, ensure};

use crate::oci::reference::Digest;

/// A base image as a `FROM` line pins it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BaseImage {
    /// As the Dockerfile writes it: `node:22-slim@sha256:…`.
    pub reference: String,
    /// Without tag and digest: `node`.
    pub name: String,
    /// The tag beside the digest: what Renovate follows.
    pub tag: String,
    /// What is built on.
    pub digest: Digest,
}

/// Whether the name of an image says that it is built on musl.
#[must_use]
pub fn says_musl(image: &str) -> bool {
    let words = image.to_ascii_lowercase();
    words.contains("alpine") || words.contains("musl")
}

impl BaseImage {
    /// `written` is where it stands, such as `FROM`.
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

    /// Whether its name says that it is built on musl.
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

    /// The package URL (`pkg:docker/…`) of the purl specification, type `docker`: names without a registry are Docker
    /// Hub's.
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

/// The base images of a Dockerfile that keeps the rules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BaseImages {
    /// What the other stages build in, each once; the first is the first stage's.
    pub builders: Vec<BaseImage>,
    /// What the final stage, the published image, is made of.
    pub last: BaseImage,
}

impl BaseImages {
    /// All of them, each once.
    pub fn distinct(&self) -> impl Iterator<Item = &BaseImage> {
        std::iter::once(&self.last).chain(self.builders.iter().filter(|base| **base != self.last))
    }

    /// Each with the name that provenance gives it: `builder-image`, `builder-image-2` …, `base-image`.
    #[must_use]
    pub fn named(&self) -> Vec<(String, &BaseImage)> {
        let builder = |(base, number): (_, u32)| match number {
            1 => ("builder-image".to_owned(), base),
            _ => (format!("builder-image-{number}"), base),
        };
        self.builders.iter().zip(1..).map(builder).chain([("base-image".to_owned(), &self.last)]).collect()
    }
}

/// Tags of other people's images may be in upper case, unlike ours. `[\w][\w.-]{0,127}` of the distribution specification.
fn base_tag(tag: &str) -> Result<String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_.-".contains(c);
    let is_tag = (1..=128).contains(&tag.len()) && tag.chars().all(plain) && !tag.starts_with(['.', '-']);
    ensure!(is_tag, "`{tag}` is not a registry tag");
    Ok(tag.to_owned())
}

//! Images, as a Dockerfile pins them.

use anyhow::{Context as _, Result, bail, ensure};

use crate::oci::reference::{Digest, Registry, Tag, undigested, untagged};

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
    /// Parses `reference`. `written` is the text before it, such as `FROM`.
    ///
    /// # Errors
    /// When it has no tag or no digest, or is no reference.
    pub fn parse(written: &str, reference: &str) -> Result<Self> {
        let (tagged, digest) = undigested(reference);
        let (name, tag) = untagged(tagged);
        // This comes first, because the messages below and the commands of `verify` repeat the name.
        check_name(name).with_context(|| format!("reading `{written}{reference}`"))?;
        let tag = tag.map(Tag::foreign).transpose()?;
        let Some(digest) = digest else {
            bail!(
                "`{written}{reference}` names no digest, so what it takes can change; \
                 write `{reference}@sha256:…` with the digest from `docker buildx imagetools inspect {reference}`"
            );
        };
        let Some(tag) = tag else {
            bail!(
                "`{written}{reference}` names no tag; write one before the digest, so that updates can be found"
            );
        };
        let digest = digest.parse().with_context(|| format!("reading `{written}{reference}`"))?;
        Ok(Self { reference: reference.to_owned(), name: name.to_owned(), tag: tag.to_string(), digest })
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
        registry_and_path(&self.name).0.is_some()
    }
}

/// The name's registry, if it has one, and the rest. The first component is a registry if docker reads it as one.
fn registry_and_path(name: &str) -> (Option<&str>, &str) {
    match name.split_once('/') {
        Some((first, path)) if first.contains(['.', ':']) || first == "localhost" => (Some(first), path),
        _ => (None, name),
    }
}

/// Checks the characters of an image's name. The builder knows the rest of the grammar, which is stricter.
fn check_name(name: &str) -> Result<()> {
    let (registry, path) = registry_and_path(name);
    if let Some(registry) = registry {
        registry.parse::<Registry>()?;
    }
    let edge = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let is_component = |part: &str| {
        part.starts_with(edge) && part.ends_with(edge) && part.chars().all(|c| edge(c) || "._-".contains(c))
    };
    ensure!(
        name.len() <= 255 && path.split('/').all(is_component),
        "`{name}` is not the name of an image: expected lower-case words of `a-z`, `0-9`, joined by `.`, `_`, `-` or `/`"
    );
    Ok(())
}

/// The base images of a Dockerfile that follows the rules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BaseImages {
    /// The images of all other stages, each once; the first stage's comes first.
    pub builders: Vec<BaseImage>,
    /// The image on which the final stage, the published image, is based.
    pub last: BaseImage,
    /// Those other than the last one that are used on the platforms of the image: by stages that run there, and to copy
    /// from.
    pub(super) on_target: Vec<BaseImage>,
}

impl BaseImages {
    /// All base images, each once.
    pub fn distinct(&self) -> impl Iterator<Item = &BaseImage> {
        std::iter::once(&self.last).chain(self.builders.iter().filter(|base| **base != self.last))
    }

    /// Whether `image` must exist for every platform of the image. The others are only used on the building machine.
    #[must_use]
    pub fn is_on_target(&self, image: &BaseImage) -> bool {
        *image == self.last || self.on_target.contains(image)
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

#[cfg(test)]
mod tests {
    use super::BaseImage;
    use crate::oci::reference::Digest;

    #[test]
    fn a_base_image_needs_a_valid_name_of_an_image() {
        let parse = |name: &str| BaseImage::parse("FROM ", &format!("{name}:22@{}", Digest::of(b"x")));
        for good in [
            "node",
            "library/node",
            "ghcr.io/acme/a__b--c.d_e",
            "localhost/x",
            "127.0.0.1:5000/acme/node",
            "Registry.Example.org/x",
        ] {
            assert_eq!(parse(good).unwrap().name, good);
        }
        let long = "a".repeat(256);
        for bad in [
            "",
            "evil.example/n;`id>&2`;\u{1b}[1A\u{1b}[2Kok",
            "node$(id)",
            "evil.example/a b",
            "evil.example:x/n",
            "-evil.example/n",
            "a//b",
            "a/../b",
            "Node",
            &long,
        ] {
            let error = format!("{:#}", parse(bad).unwrap_err());
            assert!(
                error.contains("is not the name of an image") || error.contains("is not a registry"),
                "{error}"
            );
        }
        // A name is checked before it becomes part of a command.
        let error = format!("{:#}", BaseImage::parse("FROM ", "node;id").unwrap_err());
        assert!(!error.contains("imagetools"), "{error}");
        assert!(
            format!("{:#}", BaseImage::parse("FROM ", "node").unwrap_err())
                .contains("imagetools inspect node")
        );
    }
}

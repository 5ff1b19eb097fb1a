//! Stand-ins for base images that cannot be reached. They are only for trials between loopback registries, and both
//! the provenance and the page name them.

use std::fmt;

use anyhow::{Context as _, Result, bail, ensure};

use crate::inputs::dockerfile::BaseImage;
use crate::oci::reference::{Digest, Image, Tag, untagged};
use crate::process::environment::Environment;

/// One or more references, each with its digest.
const IMAGES: &str = "TESTBED_BASE_STAND_IN";
/// The image that each of them imitates, in the same order. Without this variable, their own names decide.
const NAMES: &str = "TESTBED_BASE_STAND_IN_FOR";

/// A stand-in for a base image. Its text form is `registry/path:tag@sha256:…`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StandIn {
    /// Where it is.
    pub image: Image,
    /// Its tag, if one is named.
    pub tag: Option<Tag>,
    /// Its digest, which decides what is used.
    pub digest: Digest,
    /// The imitated name and tag, without docker's own additions: `node:22-slim`.
    imitates: String,
}

impl StandIn {
    /// The stand-ins that the environment names, separated by spaces.
    ///
    /// # Errors
    /// When one of them is no image with a digest, or imitates nothing.
    pub fn of_environment(environment: &Environment) -> Result<Vec<Self>> {
        let words = |name| {
            let value = environment.get(name)?.unwrap_or_default();
            Ok::<Vec<_>, anyhow::Error>(value.split(' ').filter(|word| !word.is_empty()).collect())
        };
        let (images, names) = (words(IMAGES)?, words(NAMES)?);
        ensure!(
            names.is_empty() || names.len() == images.len(),
            "`{IMAGES}` names {} images and `{NAMES}` {}: expected the same number",
            images.len(),
            names.len()
        );
        let each = images.iter().enumerate().map(|(number, image)| {
            Self::parse(image, names.get(number).copied()).with_context(|| {
                format!("reading `{image}` of `{IMAGES}`, expected `registry/path:tag@sha256:…`")
            })
        });
        each.collect()
    }

    /// The stand-in `reference` for the image `imitated`, or else for the one that its own path and tag name.
    ///
    /// # Errors
    /// When it is no image with a digest, or imitates nothing.
    pub(crate) fn parse(reference: &str, imitated: Option<&str>) -> Result<Self> {
        let (tagged, digest) = reference.split_once('@').context("it names no digest")?;
        let (name, tag) = untagged(tagged);
        let image: Image = name.parse()?;
        let tag = tag.map(Tag::foreign).transpose()?;
        let imitates = match (imitated, &tag) {
            (Some(name), _) => name.to_owned(),
            (None, Some(tag)) => format!("{}:{tag}", image.path),
            (None, None) => bail!("it has no tag, and `{NAMES}` does not say what it imitates"),
        };
        Ok(Self { image, tag, digest: digest.parse()?, imitates: short(&imitates).to_owned() })
    }

    /// Whether it may replace `base`. All other images are used unchanged.
    #[must_use]
    pub fn imitates(&self, base: &BaseImage) -> bool {
        short(&base.full_name()) == self.imitates
    }
}

impl fmt::Display for StandIn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.image.fmt(f)?;
        if let Some(tag) = &self.tag {
            write!(f, ":{tag}")?;
        }
        write!(f, "@{}", self.digest)
    }
}

/// The stand-in for `base`, if there is one.
#[must_use]
pub fn of<'a>(stand_ins: &'a [StandIn], base: &BaseImage) -> Option<&'a StandIn> {
    stand_ins.iter().find(|stand_in| stand_in.imitates(base))
}

/// A name without the registry and path that docker adds.
fn short(name: &str) -> &str {
    let name = name.strip_prefix("docker.io/").unwrap_or(name);
    name.strip_prefix("library/").unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::{StandIn, of};
    use crate::inputs::dockerfile;
    use crate::oci::reference::Digest;
    use crate::process::environment::Environment;

    #[test]
    fn a_stand_in_replaces_only_the_image_that_it_imitates() {
        let digest = Digest::of(b"x");
        let base = |name: &str| dockerfile::read(&format!("FROM {name}@{digest}"), &[]).unwrap().base.last;
        let slim = format!("127.0.0.1:5000/library/node:22-slim@{digest}");
        let alpine = format!("127.0.0.1:5000/made/here:1@{digest}");
        let read =
            |pairs: &[(&str, String)]| StandIn::of_environment(&Environment::from_pairs(pairs.to_vec()));
        let one = read(&[("TESTBED_BASE_STAND_IN", slim.clone())]).unwrap();
        assert_eq!(of(&one, &base("node:22-slim")).unwrap().to_string(), slim);
        for other in ["node:24-slim", "debian:12", "forge.example.org/node:22-slim", "acme/node:22-slim"] {
            assert_eq!(of(&one, &base(other)), None, "{other}");
        }
        let two = read(&[
            ("TESTBED_BASE_STAND_IN", format!("{slim} {alpine}")),
            ("TESTBED_BASE_STAND_IN_FOR", "node:22-slim node:24-alpine".to_owned()),
        ])
        .unwrap();
        assert_eq!(of(&two, &base("docker.io/library/node:24-alpine")).unwrap().to_string(), alpine);
        assert_eq!(of(&two, &base("node:22-slim")).unwrap().to_string(), slim);
        assert_eq!(read(&[]).unwrap(), []);
        for bad in [
            [("TESTBED_BASE_STAND_IN", slim), ("TESTBED_BASE_STAND_IN_FOR", "node:1 node:2".to_owned())],
            [("TESTBED_BASE_STAND_IN", "node".to_owned()), ("TESTBED_BASE_STAND_IN_FOR", String::new())],
        ] {
            assert!(read(&bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_stand_in_needs_a_valid_digest_and_an_image_to_imitate() {
        let digest = Digest::of(b"x");
        let read = |image: &str, name: &str| {
            StandIn::of_environment(&Environment::from_pairs([
                ("TESTBED_BASE_STAND_IN", image.to_owned()),
                ("TESTBED_BASE_STAND_IN_FOR", name.to_owned()),
            ]))
        };
        let [stand_in] = &read(&format!("127.0.0.1:5000/node@{digest}"), "node:22").unwrap()[..] else {
            panic!("one")
        };
        assert_eq!((&*stand_in.image.to_string(), &stand_in.tag), ("127.0.0.1:5000/node", &None));
        assert_eq!(stand_in.to_string(), format!("127.0.0.1:5000/node@{digest}"));
        for (bad, name) in [
            ("127.0.0.1:5000/node:22".to_owned(), "node:22"),
            ("127.0.0.1:5000/node:22@sha256:1".to_owned(), "node:22"),
            (format!("node:22@{digest}"), "node:22"),
            (format!("127.0.0.1:5000/node:-@{digest}"), "node:22"),
            (format!("127.0.0.1:5000/node@{digest}"), ""),
        ] {
            let error = format!("{:#}", read(&bad, name).unwrap_err());
            assert!(error.contains(&format!("`{bad}` of `TESTBED_BASE_STAND_IN`")), "{error}");
        }
    }
}

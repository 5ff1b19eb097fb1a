//! Stand-ins for base images that cannot be reached. They are only for trials between loopback registries, and both
//! the provenance and the page name them.

use anyhow::{Context as _, Result, ensure};

use crate::inputs::dockerfile::BaseImage;
use crate::oci::reference::{Digest, Image};
use crate::process::environment::Environment;

/// One or more references, each with its digest.
const IMAGES: &str = "TESTBED_BASE_STAND_IN";
/// The image that each of them imitates, in the same order. Without this variable their own names decide.
const NAMES: &str = "TESTBED_BASE_STAND_IN_FOR";

/// A stand-in for a base image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StandIn {
    /// `registry/path:tag@sha256:…`.
    pub image: String,
    /// The imitated name and tag, without docker's own additions: `node:22-slim`.
    imitates: String,
}

impl StandIn {
    /// The stand-ins that the environment names, separated by spaces.
    ///
    /// # Errors
    /// When one of them imitates nothing.
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
        let own_name = |image: &str| {
            let tagged = image.split_once('@').map_or(image, |(tagged, _)| tagged);
            let path = tagged.split_once('/').map(|(_, path)| path.to_owned());
            path.with_context(|| format!("`{IMAGES}` is `{image}`: expected `registry/path:tag@sha256:…`"))
        };
        let each = images.iter().enumerate().map(|(number, image)| {
            let imitates = match names.get(number) {
                Some(name) => (*name).to_owned(),
                None => own_name(image)?,
            };
            Ok(Self { image: (*image).to_owned(), imitates: short(&imitates).to_owned() })
        });
        each.collect()
    }

    /// Whether it may replace `base`. All other images are used unchanged.
    #[must_use]
    pub fn imitates(&self, base: &BaseImage) -> bool {
        short(&base.full_name()) == self.imitates
    }

    /// The image without its tag and digest.
    ///
    /// # Errors
    /// When it has no digest or is not an image.
    pub fn name(&self) -> Result<Image> {
        let (name, digest) =
            self.image.split_once('@').with_context(|| format!("`{}` names no digest", self.image))?;
        digest.parse::<Digest>()?;
        let untagged =
            name.rsplit_once(':').filter(|(_, tag)| !tag.contains('/')).map_or(name, |(name, _)| name);
        untagged.parse()
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
    fn a_stand_in_takes_the_place_of_what_it_imitates_alone() {
        let digest = Digest::of(b"x");
        let base = |name: &str| dockerfile::read(&format!("FROM {name}@{digest}"), &[]).unwrap().base.last;
        let slim = format!("127.0.0.1:5000/library/node:22-slim@{digest}");
        let alpine = format!("127.0.0.1:5000/made/here:1@{digest}");
        let read =
            |pairs: &[(&str, String)]| StandIn::of_environment(&Environment::from_pairs(pairs.to_vec()));
        let one = read(&[("TESTBED_BASE_STAND_IN", slim.clone())]).unwrap();
        assert_eq!(of(&one, &base("node:22-slim")).unwrap().image, slim);
        assert_eq!(one[0].name().unwrap().to_string(), "127.0.0.1:5000/library/node");
        for other in ["node:24-slim", "debian:12", "forge.example.org/node:22-slim", "acme/node:22-slim"] {
            assert_eq!(of(&one, &base(other)), None, "{other}");
        }
        let two = read(&[
            ("TESTBED_BASE_STAND_IN", format!("{slim} {alpine}")),
            ("TESTBED_BASE_STAND_IN_FOR", "node:22-slim node:24-alpine".to_owned()),
        ])
        .unwrap();
        assert_eq!(of(&two, &base("docker.io/library/node:24-alpine")).unwrap().image, alpine);
        assert_eq!(of(&two, &base("node:22-slim")).unwrap().image, slim);
        assert_eq!(read(&[]).unwrap(), []);
        for bad in [
            [("TESTBED_BASE_STAND_IN", slim), ("TESTBED_BASE_STAND_IN_FOR", "node:1 node:2".to_owned())],
            [("TESTBED_BASE_STAND_IN", "node".to_owned()), ("TESTBED_BASE_STAND_IN_FOR", String::new())],
        ] {
            assert!(read(&bad).is_err(), "{bad:?}");
        }
    }
}

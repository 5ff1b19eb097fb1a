//! A release by what its tagged commit says of it, and the names that it goes by. It makes nothing and asks nothing.

use crate::inputs::Inputs;
use crate::inputs::config::Config;
use crate::inputs::source::Source;
use crate::inputs::stand_in::{self, StandIn};
use crate::inputs::version::ReleaseTag;
use crate::oci::reference::Image;

/// What is released, and where its image is.
#[derive(Clone, Copy)]
pub struct Release<'a> {
    /// The commit's configuration.
    pub config: &'a Config,
    /// The tag and the commit.
    pub source: &'a Source,
    /// What the commit pins.
    pub inputs: &'a Inputs,
    /// Where the image is.
    pub image: &'a Image,
    /// The public key as the printed commands name it: a relative path.
    pub key_name: &'a str,
    /// Images in place of base images; none but in trials.
    pub stand_ins: &'a [StandIn],
}

impl<'a> Release<'a> {
    /// The release's tag.
    #[must_use]
    pub fn tag(&self) -> &'a ReleaseTag {
        &self.source.tag
    }

    /// The image by its version tag.
    #[must_use]
    pub fn tagged(&self) -> String {
        self.image.tagged(&self.source.tag.registry_tag())
    }

    /// Whether it is one that nobody else can reach: only then may something stand in for a base image.
    #[must_use]
    pub fn is_trial(&self) -> bool {
        self.image.registry.is_loopback()
    }

    /// What is built and released: `linux/amd64` and the like.
    #[must_use]
    pub fn platforms(&self) -> Vec<String> {
        self.config.platforms.iter().map(ToString::to_string).collect()
    }

    /// Each pinned base image that something stands in for, and what does.
    #[must_use]
    pub fn replaced(&self) -> Vec<(String, String)> {
        let pairs = self.inputs.base.distinct().filter_map(|base| {
            let found = stand_in::of(self.stand_ins, base)?;
            Some((base.reference.clone(), found.image.clone()))
        });
        pairs.collect()
    }
}

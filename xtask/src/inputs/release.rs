//! A release as its tagged commit describes it, and its names. This module makes and queries nothing.

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
    /// The commit's pins.
    pub inputs: &'a Inputs,
    /// The image's name.
    pub image: &'a Image,
    /// The public key's name in the printed commands: a relative path.
    pub key_name: &'a str,
    /// Stand-ins for base images; only in trials.
    pub stand_ins: &'a [StandIn],
}

impl<'a> Release<'a> {
    /// The release's tag.
    #[must_use]
    pub fn tag(&self) -> &'a ReleaseTag {
        &self.source.tag
    }

    /// The image reference with the version tag.
    #[must_use]
    pub fn tagged(&self) -> String {
        self.image.tagged(&self.source.tag.registry_tag())
    }

    /// Whether the image is in a registry that nobody else can reach. Only then may a base image be replaced.
    #[must_use]
    pub fn is_trial(&self) -> bool {
        self.image.registry.is_loopback()
    }

    /// The released platforms, such as `linux/amd64`.
    #[must_use]
    pub fn platforms(&self) -> Vec<String> {
        self.config.platforms.iter().map(ToString::to_string).collect()
    }

    /// Each pinned base image that has a stand-in, and the stand-in.
    #[must_use]
    pub fn replaced(&self) -> Vec<(String, StandIn)> {
        let pairs = self.inputs.base.distinct().filter_map(|base| {
            let found = stand_in::of(self.stand_ins, base)?;
            Some((base.reference.clone(), found.clone()))
        });
        pairs.collect()
    }
}

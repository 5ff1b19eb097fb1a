//! The containers of an attempt: the service, its companions, and the one that queries it.

use crate::inputs::config::{ALIAS, Companion};
use crate::release::Context;
use crate::tool::docker::{Network, Run};

use super::attempt::Attempt;
use super::image::Image;

impl Attempt<'_, '_> {
    /// The service.
    pub(super) fn service(&self, network: &str) -> Run {
        let smoke = self.smoke();
        Run {
            network: Some(network.to_owned()),
            alias: Some(ALIAS.to_owned()),
            env: smoke.env.clone(),
            tmpfs: smoke.tmpfs.clone(),
            writable: smoke.writable.clone(),
            ..strictly(self.context, self.image)
        }
    }

    /// A companion keeps its capabilities and a writable root: database images change their user as they start.
    pub(super) fn companion(&self, companion: &Companion, network: &str) -> Run {
        Run {
            image: companion.image.clone(),
            platform: None,
            alias: Some(companion.alias.clone()),
            is_strict: false,
            env: companion.env.clone(),
            tmpfs: companion.tmpfs.clone(),
            writable: Vec::new(),
            arguments: companion.command.clone(),
            ..self.service(network)
        }
    }
}

/// The node of an image, run as strictly as the service, but without what its `NODE_OPTIONS` loads.
pub(super) fn node(
    context: &Context<'_>,
    image: &Image,
    network: Option<&Network<'_>>,
    arguments: &[&str],
) -> Run {
    Run {
        network: network.map(|network| network.name().to_owned()),
        env: [("NODE_OPTIONS".to_owned(), String::new())].into(),
        entrypoint: Some(image.node().to_owned()),
        arguments: arguments.iter().map(|word| (*word).to_owned()).collect(),
        ..strictly(context, image)
    }
}

/// The bare image: it can write to nothing, and runs within the limits of the configuration.
fn strictly(context: &Context<'_>, image: &Image) -> Run {
    let smoke = &context.session.config.smoke;
    Run {
        image: image.reference.clone(),
        platform: Some(image.platform.clone()),
        network: None,
        alias: None,
        is_strict: true,
        memory: smoke.memory.clone(),
        pids: smoke.pids,
        env: [].into(),
        tmpfs: Vec::new(),
        writable: Vec::new(),
        entrypoint: None,
        arguments: Vec::new(),
        label: context.session.config.repository.to_string(),
    }
}

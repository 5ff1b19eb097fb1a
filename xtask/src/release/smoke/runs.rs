//! The containers of an attempt: the service, what stands beside it, and what asks it.

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
            image: self.image.reference.clone(),
            platform: Some(self.image.platform.clone()),
            network: Some(network.to_owned()),
            alias: Some(ALIAS.to_owned()),
            is_strict: true,
            memory: smoke.memory.clone(),
            pids: smoke.pids,
            env: smoke.env.clone(),
            tmpfs: smoke.tmpfs.clone(),
            writable: smoke.writable.clone(),
            entrypoint: None,
            arguments: Vec::new(),
            label: self.context.session.config.repository.to_string(),
        }
    }

    /// A companion keeps its capabilities and its root: images of databases change their user as they start.
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

/// The node of an image, strictly as the service is run, but for what its `NODE_OPTIONS` loads.
pub(super) fn node(
    context: &Context<'_>,
    image: &Image,
    network: Option<&Network<'_>>,
    arguments: &[&str],
) -> Run {
    let smoke = &context.session.config.smoke;
    Run {
        image: image.reference.clone(),
        platform: Some(image.platform.clone()),
        network: network.map(|network| network.name().to_owned()),
        alias: None,
        is_strict: true,
        memory: smoke.memory.clone(),
        pids: smoke.pids,
        env: [("NODE_OPTIONS".to_owned(), String::new())].into(),
        tmpfs: Vec::new(),
        writable: Vec::new(),
        entrypoint: Some(image.node().to_owned()),
        arguments: arguments.iter().map(|word| (*word).to_owned()).collect(),
        label: context.session.config.repository.to_string(),
    }
}

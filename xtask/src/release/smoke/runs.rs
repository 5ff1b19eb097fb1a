//! The containers of an attempt: the service, and what stands beside it.

use crate::inputs::config::{ALIAS, Companion};
use crate::tool::docker::Run;

use super::attempt::Attempt;

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

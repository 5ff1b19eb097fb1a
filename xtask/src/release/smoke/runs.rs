//! The containers of an attempt: the service, what stands beside it, and what asks it.

use crate::config::{ALIAS, Companion, Http};
use crate::tool::docker::Run;

use super::attempt::Attempt;
use super::probe;

/// What the probe needs: node and one request at a time.
const PROBE_MEMORY: &str = "256m";
const PROBE_PIDS: u32 = 64;

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
            label: self.release.session.config.repository.to_string(),
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

    pub(super) fn asking(&self, http: &Http<'_>, network: &str) -> Run {
        let question = probe::question(http, self.patience());
        Run {
            image: self.probe.reference.clone(),
            platform: Some(self.probe.platform.clone()),
            alias: None,
            memory: PROBE_MEMORY.to_owned(),
            pids: PROBE_PIDS,
            // What an image's `NODE_OPTIONS` loads is for the service alone.
            env: [("NODE_OPTIONS".to_owned(), String::new())].into(),
            tmpfs: Vec::new(),
            writable: Vec::new(),
            entrypoint: Some(self.probe.node().to_owned()),
            arguments: vec!["-e".to_owned(), probe::PROGRAM.to_owned(), question],
            ..self.service(network)
        }
    }
}

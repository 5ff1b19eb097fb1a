//! A recorded release whose base image has fewer packages, so that a hundred lies are judged in less than a second:
//! most of an SBOM is about what the base image contains. The rest of the recording is unchanged.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::Value;

use crate::contents::facts::Fact;
use crate::oci::reference::Digest;
use crate::verify::claim::Claim;

use super::recording::Recording;
use super::world::World;

/// The number of operating-system packages that are kept.
const FEW: usize = 3;

/// The packages that npm itself consists of.
const NPMS_OWN: &str = "usr/local/lib/node_modules/npm/node_modules/";

impl Recording {
    /// The same with a small base image, and an SBOM and a provenance by the key that fit it.
    pub(super) fn with_a_small_base(mut self) -> Self {
        for digest in self.base_layers() {
            let facts = self.world.layers.get_mut(&digest).and_then(Option::as_mut).expect("it was recorded");
            let facts = Arc::make_mut(facts);
            facts.facts.retain(|path, _| !path.starts_with(NPMS_OWN));
            facts.others.retain(|path| path.starts_with("app/"));
            for fact in facts.facts.values_mut() {
                if let Fact::Debian(packages) | Fact::Alpine(packages) = fact {
                    packages.truncate(FEW);
                }
            }
        }
        // The content now gives another SBOM. It is known after this call, which reads the image.
        drop(self.judge_with_the_stand_in(&self.world));
        let contents = self.honest_contents().expect("the honest image was read");
        let bom = contents.sbom(&self.release()).expect("an SBOM").clone();
        self.world.change_both(|sbom| *sbom = bom);
        self
    }

    /// The layers of the base image.
    fn base_layers(&self) -> BTreeSet<Digest> {
        let manifests = self.base.values().map(|bytes| serde_json::from_slice::<Value>(bytes).expect("JSON"));
        let layers =
            manifests.flat_map(|manifest| manifest["layers"].as_array().cloned().unwrap_or_default());
        layers.map(|layer| layer["digest"].as_str().expect("a digest").parse().expect("a digest")).collect()
    }

    /// Every claim of the release, with `world` as what is public.
    pub(super) fn judge_with_the_stand_in(&self, world: &World) -> Vec<Claim> {
        let version = world.version();
        self.judge(world, &|digest, commands| world.cosign(&version, digest, commands.len()))
            .expect("no signal")
    }
}

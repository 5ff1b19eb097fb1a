//! The files of the page: the original ones, and those that someone with the key makes from the current attestations.

use anyhow::{Context as _, Result};
use xtask::evidence::assets::{self, Asset};
use xtask::evidence::attached::Attested;
use xtask::evidence::bundle::Hint;
use xtask::inputs::keys::PublicKey;
use xtask::oci::reference::Digest;

use super::attached::stored_as;
use super::honest::{Honest, TAG};
use crate::forge::project::Project;

/// The original files.
pub(super) struct Files(Vec<Asset>);

impl Files {
    /// The files that are there now.
    pub(super) fn of(project: &Project) -> Result<Self> {
        let file = |name: String| {
            let bytes = project.repository.file(TAG, &name)?;
            Ok(Asset { name, bytes })
        };
        Ok(Self(assets::names(&TAG.parse()?).into_iter().map(file).collect::<Result<_>>()?))
    }

    /// Restores every file that has changed.
    pub(super) fn put_back(&self, project: &Project) -> Result<()> {
        self.0.iter().try_for_each(|asset| put(project, asset))
    }
}

fn put(project: &Project, Asset { name, bytes }: &Asset) -> Result<()> {
    if &project.repository.file(TAG, name)? == bytes {
        return Ok(());
    }
    project.repository.detach(TAG, name)?;
    project.repository.attach(TAG, name, bytes)
}

impl Honest {
    /// Makes the page's files from the attestations of `digest`, with checksums that the project's key signs.
    pub(super) fn files_again(&self, digest: &Digest) -> Result<()> {
        let stored = self.registry.manifest(&stored_as(digest, "att"))?.json()?;
        let layers = stored["layers"].as_array().context("attestations without layers")?;
        let envelope = |of: Attested| {
            let is_it =
                |layer: &&serde_json::Value| layer["annotations"]["predicateType"] == of.predicate_type();
            let layer = layers.iter().find(is_it).with_context(|| format!("no attestation of the {of}"))?;
            let blob = layer["digest"].as_str().context("a layer")?.parse()?;
            Ok((of, self.registry.blob(&blob)?))
        };
        let envelopes = Attested::ALL.into_iter().map(envelope).collect::<Result<Vec<_>>>()?;
        let documents = assets::documents(&TAG.parse()?, digest, &envelopes)?;
        let sums = documents.last().context("no digests")?.bytes.clone();
        let key = std::fs::read(self.project.checkout.top().join("cosign.pub")).context("reading the key")?;
        let signed = assets::signed(&sums, &self.own.sign_bytes(&sums)?, &Hint::of(&PublicKey::parse(&key)?));
        documents.iter().chain(&signed).try_for_each(|asset| put(&self.project, asset))
    }
}

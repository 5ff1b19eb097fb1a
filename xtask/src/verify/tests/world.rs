//! Everything that is public about a release: the answers of a registry and a forge, as values that a test can change.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, Result, anyhow};
use serde_json::Value;

use crate::contents::facts::LayerFacts;
use crate::contents::read::Layers;
use crate::evidence::assets::Listed;
use crate::evidence::attached::Kind;
use crate::evidence::bundle::{self, Hint};
use crate::evidence::page::PublishedPage;
use crate::forge::RunLookup;
use crate::inputs::version::ReleaseTag;
use crate::oci::reference::Digest;
use crate::oci::registry::{DigestMismatch, Got, Manifest, Wanted};
use crate::tool::git::Commit;
use crate::verify::observe::ObservedSource;
use crate::verify::observe::store::{Referrers, Store};

use super::image::OLDER;
use super::keys::KeyWorld;

/// What is public.
#[derive(Clone)]
pub(super) struct World {
    /// The image's name.
    pub(super) image: String,
    /// The tag to verify.
    pub(super) tag: String,
    /// The index that was released under it.
    pub(super) digest: Digest,
    /// What the registry has by digest, except layers.
    pub(super) blobs: BTreeMap<Digest, Vec<u8>>,
    /// The digests and tags for which the registry answers with one extra byte.
    pub(super) damaged: BTreeSet<String>,
    /// The registry's tags.
    pub(super) tags: BTreeMap<String, Digest>,
    /// The registry's layers and their contents; `None` if the bytes do not match the digest.
    pub(super) layers: BTreeMap<Digest, Option<Arc<LayerFacts>>>,
    /// How many bytes each layer has.
    pub(super) lengths: BTreeMap<Digest, u64>,
    /// The commit that the signatures name; `None` if they are older.
    pub(super) signed_commit: Option<Commit>,
    pub(super) forge_tag: Option<Commit>,
    pub(super) page: Option<PublishedPage>,
    /// The bytes of the page's files by their number. A number that is missing here is listed but not served.
    pub(super) files: BTreeMap<u64, Vec<u8>>,
    /// The key hint that bundles carry.
    pub(super) hint: Hint,
    /// What refers to the released index, if the registry lists referrers itself.
    pub(super) referrers: Option<Vec<Digest>>,
    /// What the registry lists as referring to a platform's manifest.
    pub(super) part_referrers: BTreeMap<Digest, Digest>,
    /// Each signature by the key, with the digest of what it signs; `None` if every signature except [`OTHER_KEY`]
    /// counts as the key's.
    ///
    /// [`OTHER_KEY`]: super::cosign::OTHER_KEY
    pub(super) signed: Option<BTreeSet<(String, Digest)>>,
    /// What a clone knows about the tagged commit.
    pub(super) source: ObservedSource,
    /// What the clone knows about the project's keys.
    pub(super) keys: KeyWorld,
    /// The run that the forge has on record, by its id.
    pub(super) run: (u64, RunLookup),
    /// The tags that the registry does not list, although it answers for them.
    pub(super) unlisted: BTreeSet<String>,
    /// Why the registry does not answer, if it does not.
    pub(super) silent_registry: Option<&'static str>,
    /// The same for the forge.
    pub(super) silent_forge: Option<&'static str>,
}

fn answers(silent: Option<&'static str>) -> Result<()> {
    silent.map_or(Ok(()), |words| Err(anyhow!(words)))
}

impl World {
    /// The bytes for `reference`, which stands for `digest`.
    fn blob(&self, reference: &str, digest: &Digest) -> Result<Option<Vec<u8>>> {
        answers(self.silent_registry)?;
        let Some(bytes) = self.blobs.get(digest) else { return Ok(None) };
        if self.damaged.contains(reference) {
            DigestMismatch::check_bytes("the registry answers", &[bytes, &b" "[..]].concat(), digest)?;
        }
        Ok(Some(bytes.clone()))
    }

    /// The manifest behind a tag or a digest.
    pub(super) fn manifest(&self, reference: &str) -> Result<Option<Manifest>> {
        answers(self.silent_registry)?;
        let digest = match reference.parse() {
            Ok(digest) => Some(digest),
            Err(_) => self.tags.get(reference).cloned(),
        };
        let Some(digest) = digest else { return Ok(None) };
        Ok(self.blob(reference, &digest)?.map(|bytes| Manifest { digest, media_type: String::new(), bytes }))
    }

    /// As [`World::manifest`], which must be there, as JSON.
    pub(super) fn json(&self, reference: &str) -> Value {
        let found = self.manifest(reference).expect("the registry answers").expect("there is one");
        serde_json::from_slice(&found.bytes).expect("it is JSON")
    }

    /// Stores `json` by its digest.
    pub(super) fn put(&mut self, json: &Value) -> Digest {
        let bytes = serde_json::to_vec(json).expect("JSON is written");
        let digest = Digest::of(&bytes);
        self.blobs.insert(digest.clone(), bytes);
        digest
    }

    pub(super) fn tags(&self) -> Result<Vec<String>> {
        answers(self.silent_registry)?;
        Ok(self.tags.keys().filter(|tag| !self.unlisted.contains(*tag)).cloned().collect())
    }

    pub(super) fn forge_tag(&self) -> Result<Option<Commit>> {
        answers(self.silent_forge)?;
        Ok(self.forge_tag.clone())
    }

    /// Whether the clone or the forge has this tag: they have those of the release and of the one before it.
    pub(super) fn is_git_tag(&self, tag: &ReleaseTag) -> bool {
        [self.tag.as_str(), OLDER].contains(&tag.to_string().as_str())
    }

    /// What the forge says of a run.
    pub(super) fn run(&self, id: u64) -> Result<RunLookup> {
        answers(self.silent_forge)?;
        Ok(match &self.run {
            (_, said @ RunLookup::Refused(_)) => said.clone(),
            (known, said) if *known == id => said.clone(),
            _ => RunLookup::Missing,
        })
    }

    /// The page as a stranger sees it: no draft.
    pub(super) fn page(&self) -> Result<Option<PublishedPage>> {
        answers(self.silent_forge)?;
        Ok(self.page.clone().filter(|page| !page.draft))
    }
}

impl World {
    /// The bytes of the `wanted` files, as the forge serves them.
    pub(super) fn assets(&self, wanted: &[&Listed]) -> Vec<Result<Option<Vec<u8>>>> {
        let bytes = |listed: &&Listed| {
            answers(self.silent_forge)?;
            Ok(self.files.get(&listed.id).cloned())
        };
        wanted.iter().map(bytes).collect()
    }
}

impl Layers for World {
    /// Is called only for layers that are not in the cache, which are those with wrong bytes.
    fn layer(&self, digest: &Digest, _scratch: &Path) -> Result<Option<PathBuf>> {
        self.layers.get(digest).context("there is no such layer")?;
        DigestMismatch::check_bytes("the registry answers", b"other bytes", digest)?;
        Ok(None)
    }
}

impl Store for World {
    fn referrers(&self, digest: &Digest) -> Result<Referrers> {
        answers(self.silent_registry)?;
        let tagged = self.manifest(bundle::tag(digest).as_str())?.map(|found| found.bytes);
        Ok(match &self.referrers {
            Some(listed) => Referrers::Listed(listed.clone(), tagged),
            None => Referrers::Tagged(tagged),
        })
    }

    fn batch(&self, wanted: &[Wanted]) -> Vec<Result<Option<Got>>> {
        let answer = |wanted: &Wanted| match wanted {
            Wanted::Manifest(digest) | Wanted::Blob(digest) => {
                Ok(self.blob(digest.as_str(), digest)?.map(Got::Bytes))
            }
            Wanted::Tagged(tag) => Ok(self.manifest(tag.as_str())?.map(|found| Got::Bytes(found.bytes))),
            Wanted::HasBlob(digest) => {
                answers(self.silent_registry)?;
                Ok(self.layers.contains_key(digest).then_some(Got::There))
            }
            Wanted::Referrers(digest) => {
                answers(self.silent_registry)?;
                Ok(self.part_referrers.get(digest).map(|found| Got::Referrers(vec![found.clone()])))
            }
        };
        wanted.iter().map(answer).collect()
    }

    fn attached(&self, digest: &Digest, kind: Kind) -> Option<Wanted> {
        Some(Wanted::Tagged(kind.tag(digest)))
    }
}

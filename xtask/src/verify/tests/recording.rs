//! A recorded release, read in the way that `verify` reads a public one.

mod files;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use anyhow::{Context as _, Result, anyhow};
use serde_json::Value;

use crate::contents::base::{Base, PinnedBase};
use crate::contents::cache::Cache;
use crate::contents::read::{Known, Part as Layered};
use crate::evidence::assets::Listed;
use crate::evidence::attached::PROVENANCE_PREDICATE;
use crate::evidence::page::{Page, PublishedPage};
use crate::evidence::provenance::{Provenance, RUN};
use crate::evidence::signed_as::COMMIT;
use crate::forge::{RunLookup, RunRecord, forgejo};
use crate::inputs::config::{Config, MANIFEST};
use crate::inputs::release::Release;
use crate::inputs::signers::Signers;
use crate::inputs::source::Source;
use crate::inputs::stand_in::StandIn;
use crate::inputs::{Inputs, PUBLIC_KEY};
use crate::oci::reference::{Digest, Image};
use crate::oci::registry::Manifest;
use crate::process::environment::Environment;
use crate::process::temp_dir::TempDir;
use crate::tool::cosign::VerifyCommand;
use crate::tool::git::{Commit, Signer};
use crate::verify::claim::{Claim, Observed};
use crate::verify::observe::assets;
use crate::verify::observe::contents::{self, ObservedContents};
use crate::verify::observe::image::{self, Sources};
use crate::verify::observe::{
    Answer, Common, Names, ObservedAssets, ObservedBranch, ObservedLatest, ObservedPublic, ObservedSigners,
    ObservedSource, Part, Place, listed, seen,
};
use crate::verify::{judge, survey};

use files::{Record, RecordedPage, by_digest, layers, page_files, sizes};

use super::image::OLDER;
use super::keys::KeyWorld;
use super::world::World;

/// cosign's recorded outputs, in the order of the commands.
const COSIGN: [&str; 5] = ["signature", "provenance", "sbom", "test-result", "platforms"];

/// Answers commands about an image.
type Cosign<'a> = dyn Fn(&Digest, &[VerifyCommand]) -> Vec<Observed<Answer>> + Sync + 'a;

/// A recording.
pub(super) struct Recording {
    pub(super) config: Config,
    source: Source,
    inputs: Inputs,
    image: Image,
    stand_ins: Vec<StandIn>,
    /// What is public.
    pub(super) world: World,
    /// cosign's outputs; `None` if there was no such thing.
    pub(super) cosign: [Option<String>; 5],
    pub(super) base: BTreeMap<Digest, Vec<u8>>,
    /// What the honest image was found to contain. Layers are read again only if they are different ones.
    honest: Mutex<Option<(Vec<Layered>, ObservedContents)>>,
    /// The cache of what was read from layers.
    kept: TempDir,
}

/// The committed recordings, the oldest first.
pub(super) fn all() -> Result<Vec<(u32, PathBuf)>> {
    let parent = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/released");
    let mut found = Vec::new();
    for entry in fs::read_dir(&parent)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        found.push((name.parse().with_context(|| format!("`{name}` is no version"))?, path));
    }
    found.sort();
    Ok(found)
}

/// What a clone says about a commit that is merged and whose tag is signed as its main branch requires. Recordings do
/// not include a clone.
fn signed_on_main(commit: &Commit) -> ObservedSource {
    let main = "main".to_owned();
    let branch = ObservedBranch {
        default: main.clone(),
        head: commit.clone(),
        branches: vec![main.clone()],
        found: Some(main),
    };
    let fingerprint = format!("SHA256:{}", "a".repeat(43));
    let signer = Signer { principal: "alice@example.org".to_owned(), fingerprint };
    let signers =
        ObservedSigners { at: commit.clone(), signers: Signers { release: Ok(signer), approval: None } };
    ObservedSource { branch: Some(Ok(branch)), signers: Some(Ok(signers)), has_policy: true }
}

/// The commit that the printed signature names.
fn signed_commit(printed: &str) -> Result<Option<Commit>> {
    let payloads: Value = serde_json::from_str(printed)?;
    payloads[0]["optional"][COMMIT].as_str().map(Commit::parse).transpose()
}

/// The run that the provenance names, as the forge would have recorded it: the release was made by a runner.
fn recorded_run(world: &World) -> Result<(u64, RunLookup)> {
    let provenance: Provenance = serde_json::from_value(world.predicate(PROVENANCE_PREDICATE))?;
    let run = &provenance.build_definition.internal_parameters[RUN];
    let record = RunRecord {
        number: run["run_number"].parse()?,
        event: run["event_name"].clone(),
        commit: world.forge_tag.clone().context("the forge has no tag")?,
        reference: world.tag.clone(),
        workflow: "release.yml".to_owned(),
    };
    Ok((run["run_id"].parse()?, RunLookup::Recorded(record)))
}

impl Recording {
    /// Reads the recording in `dir`.
    pub(super) fn load(dir: &Path) -> Result<Self> {
        let text = fs::read_to_string(dir.join("release.json"))?;
        let record: Record = serde_json::from_str(&text).context("reading `release.json`")?;
        let (commit, tag) = (Commit::parse(&record.commit)?, record.tag.parse()?);
        let config = Config::of_file(&commit, Some(fs::read(dir.join("commit").join(MANIFEST))?))?;
        let inputs = Inputs::read(&config, &|paths| {
            Ok(paths.iter().map(|path| fs::read(dir.join("commit").join(path)).ok()).collect())
        })?;
        let image: Image = record.image.parse()?;
        let RecordedPage { id, commit: at, title, body, prerelease, draft, address, assets } = record.page;
        let page = Page { tag, commit: Commit::parse(&at)?, title, body, prerelease };
        let files = page_files(&dir.join("assets"), &assets)?;
        let listed = (1..).zip(assets).map(|(id, name)| Listed { id, name, size: files[&id].len() as u64 });
        let cosign = COSIGN.map(|name| fs::read_to_string(dir.join("cosign").join(name)).ok());
        let source = Source { tag: page.tag.clone(), commit, time: record.time, is_tagged: true };
        let keys = KeyWorld::of(inputs.public_key.as_deref().context("the commit has no key")?)?;
        let mut world = World {
            image: record.image,
            tag: record.tag,
            digest: record.digest,
            blobs: by_digest(&dir.join("blobs"))?.into_iter().collect(),
            damaged: BTreeSet::new(),
            tags: record.tags,
            layers: layers(&dir.join("layers"))?,
            lengths: BTreeMap::new(),
            signed_commit: signed_commit(cosign[0].as_deref().context("no signature was recorded")?)?,
            forge_tag: Some(Commit::parse(&record.forge_tag)?),
            page: Some(PublishedPage { id, page, draft, address, assets: listed.collect() }),
            files,
            source: signed_on_main(&source.commit),
            hint: keys.hint()?,
            referrers: None,
            part_referrers: BTreeMap::new(),
            signed: None,
            keys,
            run: (0, RunLookup::Missing),
            unlisted: BTreeSet::new(),
            silent_registry: None,
            silent_forge: None,
        };
        world.run = recorded_run(&world)?;
        world.lengths = world.blobs.values().filter_map(|bytes| sizes(bytes)).flatten().collect();
        anyhow::ensure!(world.tags.get("latest") == record.latest.as_ref(), "`latest` is recorded twice");
        Ok(Self {
            image: config.reached(image),
            config,
            source,
            inputs,
            stand_ins: StandIn::of_environment(&Environment::from_pairs(record.stand_ins))?,
            world,
            cosign,
            base: by_digest(&dir.join("base"))?.into_iter().collect(),
            honest: Mutex::new(None),
            kept: TempDir::new()?,
        })
    }

    /// The same, read from a registry that is not on this machine.
    pub(super) fn elsewhere(self) -> Result<Self> {
        Ok(Self { image: "registry.example.org/acme/carol".parse()?, ..self })
    }

    /// What was released.
    pub(super) fn release(&self) -> Release<'_> {
        Release {
            config: &self.config,
            source: &self.source,
            inputs: &self.inputs,
            image: &self.image,
            key_name: PUBLIC_KEY,
            stand_ins: &self.stand_ins,
        }
    }

    /// The address from which the page gets the public key.
    pub(super) fn key_address(&self) -> String {
        forgejo::raw_address(&self.config, &self.source.commit, PUBLIC_KEY)
    }

    /// Every claim of the release, with `world` as what is public and `ask` as cosign.
    pub(super) fn judge(&self, world: &World, ask: &Cosign<'_>) -> Result<Vec<Claim>> {
        let release = self.release();
        let unpack = |parts: &Observed<Vec<Part>>| contents::look(parts, |parts| self.contents(world, parts));
        let tagged = seen(world.manifest(&world.tag));
        let version_tag = tagged.clone().map(|found| found.map(|manifest| manifest.digest));
        let image = match survey::tagged_image(&tagged) {
            Ok(Manifest { digest, bytes, .. }) => {
                let ask = |commands: &[VerifyCommand]| ask(digest, commands);
                let hint = Ok(world.hint.clone());
                let check = |signature: &str, bytes: &[u8]| Ok(world.check(signature, bytes));
                let sources =
                    Sources { store: world, ask: &ask, unpack: &unpack, check: &check, hint: &hint };
                let seen = image::look(&release, digest, Place::Registry, Some(bytes.clone()), sources)?;
                Ok((digest.clone(), seen))
            }
            Err(unseen) => Err(unseen),
        };
        let page = seen(world.page());
        let assets = match &page {
            Ok(Some(page)) => assets::look(page, &|_, wanted| world.assets(wanted), &|signature, sums| {
                Ok(world.check_sums(signature, sums))
            }),
            Ok(None) => Ok(ObservedAssets::default()),
            Err(unseen) => Err(unseen.clone()),
        };
        let names = Names { forge_tag: seen(world.forge_tag()), page, assets };
        let has_tag = version_tag.as_ref().is_ok_and(Option::is_some);
        let public = ObservedPublic { version_tag, names };
        let tags = listed(seen(world.tags()), Some(&self.source.tag).filter(|_| has_tag));
        let latest = tags.clone().map(|tags| {
            let known = crate::verify::known::Known::of(tags);
            let highest = known.highest().map(|tag| (tag.clone(), world.tags.get(&tag.to_string()).cloned()));
            let is_tagged = Ok(highest.as_ref().is_none_or(|(tag, _)| world.is_git_tag(tag)));
            ObservedLatest { latest: world.tags.get("latest").cloned(), highest, is_tagged }
        });
        let key = self.key_address();
        let run = survey::asked_run(&image, |id| world.run(id));
        let (hint, common) = (Ok(world.hint.clone()), Common { tags: tags.clone(), latest });
        let claims = survey::judge(&release, (Some(&key), &hint), &image, &public, &common, &run);
        let (of_source, _) = judge::source::judge(&self.source, &world.source);
        // The release before is not in the recording, but the registry would list it.
        let listed = tags.map(|tags| [tags, vec![OLDER.to_owned()]].concat());
        let (tag, of_clone) = (&self.source.tag, world.keys.seen()?);
        let untagged = super::keys::untagged(tag, &of_clone, Some(&listed));
        let of_keys = judge::keys::judge(tag, &of_clone, Some(&listed), &untagged);
        Ok([claims, of_source, of_keys].concat())
    }

    /// What was found in the honest image, after it was judged.
    pub(super) fn honest_contents(&self) -> Option<ObservedContents> {
        let honest = self.honest.lock().ok()?;
        honest.as_ref().map(|(_, contents)| contents.clone())
    }

    /// The content of the layers of `parts`. All layers come from the cache, except those for which the registry now
    /// answers wrongly.
    fn contents(&self, world: &World, parts: &[Layered]) -> Result<ObservedContents> {
        let mut honest = self.honest.lock().map_err(|_poison| anyhow!("a test failed before"))?;
        let is_honest = world.layers == self.world.layers;
        if let Some((_, contents)) = honest.as_ref().filter(|(known, _)| is_honest && known == parts) {
            return Ok(contents.clone());
        }
        // The facts about the recorded layers are written to the cache only once. If the registry answers wrongly for
        // a layer, the cache is a fresh one.
        let is_known = world.layers.iter().all(|(_, facts)| facts.is_some());
        let fresh = TempDir::new()?;
        let home = if is_known { self.kept.path() } else { fresh.path() };
        let home = home.to_str().context("a temporary directory that is not UTF-8")?;
        let cache = Cache::new(&Environment::from_pairs([("XDG_CACHE_HOME", home)]))?;
        let is_written =
            |digest: &Digest| is_known && honest.is_some() && self.world.layers.contains_key(digest);
        for layer in parts.iter().flat_map(|part| &part.layers) {
            let facts = world.layers.get(&layer.digest).and_then(Option::as_ref);
            if let Some(facts) = facts.filter(|_| !is_written(&layer.digest)) {
                cache.keep_layer(&layer.digest, facts)?;
            }
        }
        let base = PinnedBase::for_release(&self.release()).digest;
        let platforms: Vec<_> = parts.iter().map(|part| part.platform.clone()).collect();
        let base = Base::of(&base, &platforms, &cache, |digest| {
            self.base.get(digest).cloned().with_context(|| format!("`{digest}` was not recorded"))
        });
        let mut found =
            contents::contents_of(parts, base, self.release().inputs.own, world, &cache, Known::All)?;
        // No layer was recorded whole, so nothing could be measured.
        found.lengths = Arc::new(world.lengths.clone());
        if honest.is_none() && is_honest {
            *honest = Some((parts.to_vec(), found.clone()));
        }
        Ok(found)
    }
}

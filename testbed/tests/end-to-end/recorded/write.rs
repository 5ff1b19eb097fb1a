//! Makes a recording: what a stranger gets of a release from the forge, its registry and cosign.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use flate2::{Compression, GzBuilder};
use serde_json::{Value, json};
use testbed::readable::{payloads, telling_lines};
use xtask::contents::budget::Budget;
use xtask::contents::cache::Cache;
use xtask::contents::facts::LayerFacts;
use xtask::contents::layer;
use xtask::evidence::attached::Kind;
use xtask::evidence::bundle;
use xtask::evidence::commands::{test_result_command, verify_commands};
use xtask::evidence::page::PublishedPage;
use xtask::forge::Read as _;
use xtask::forge::forgejo::Forgejo;
use xtask::http::Curl;
use xtask::inputs::config::{Config, MANIFEST};
use xtask::inputs::release::Release;
use xtask::inputs::source::Source;
use xtask::inputs::{Inputs, PUBLIC_KEY};
use xtask::oci::manifest::ImageManifest;
use xtask::oci::reference::{Digest, Tag};
use xtask::oci::registry::{Client, Wanted};
use xtask::process::Runner;
use xtask::process::environment::Environment;
use xtask::process::temp_dir::TempDir;
use xtask::tool::cosign::VerifyCommand;
use xtask::tool::git::Git;

use crate::forge::project::Project;
use crate::forge::released::TAG;
use crate::harness::checkout::text;
use crate::harness::run::Xtask;
use crate::harness::{call, environment, export};

const STAND_INS: [&str; 2] = ["TESTBED_BASE_STAND_IN", "TESTBED_BASE_STAND_IN_FOR"];

/// A directory that is written to.
struct Place<'a>(&'a Path);

impl Place<'_> {
    fn write(&self, name: &str, bytes: &[u8]) -> Result<()> {
        let file = self.0.join(name);
        fs::create_dir_all(file.parent().context("a file is in a directory")?)?;
        fs::write(&file, bytes).with_context(|| format!("writing `{}`", file.display()))
    }

    fn layer(&self, digest: &Digest, facts: &LayerFacts) -> Result<()> {
        // Without a name or a time, so that the same facts give the same bytes.
        let mut file = GzBuilder::new().write(Vec::new(), Compression::best());
        file.write_all(&serde_json::to_vec(facts)?)?;
        self.write(&name_of_layer(digest), &file.finish()?)
    }

    fn has_layer(&self, digest: &Digest) -> bool {
        self.0.join(name_of_layer(digest)).exists()
    }

    fn blob(&self, digest: &Digest, bytes: &[u8]) -> Result<()> {
        ensure!(&Digest::of(bytes) == digest, "the bytes do not have the digest `{digest}`");
        self.write(&format!("blobs/sha256-{}", digest.hex()), bytes)
    }
}

fn name_of_layer(digest: &Digest) -> String {
    format!("layers/sha256-{}.json.gz", digest.hex())
}

/// Records the release of `project` in `dir`.
pub(super) fn record(project: &Project, dir: &Path) -> Result<()> {
    let place = Place(dir);
    let runner = Runner::new(&environment());
    let git = Git::discover(&runner, project.checkout.top())?;
    let source = Source::of_tag(&git, TAG.parse()?)?;
    let manifest = git.files(&source.commit, [MANIFEST])?.into_iter().next().flatten();
    place.write(&format!("commit/{MANIFEST}"), manifest.as_deref().context("no manifest")?)?;
    let config = Config::of_commit(&git, &source.commit)?;
    let inputs = Inputs::read(&config, &|paths| {
        let found = git.files_at(&source.commit, paths)?;
        for (path, bytes) in paths.iter().zip(&found) {
            bytes.iter().try_for_each(|bytes| place.write(&format!("commit/{path}"), bytes))?;
        }
        Ok(found)
    })?;
    let image = config.image()?;
    let release = Release {
        config: &config,
        source: &source,
        inputs: &inputs,
        image: &image,
        key_name: PUBLIC_KEY,
        stand_ins: &[],
    };
    let curl = Curl::new(&runner, Duration::from_secs(60));
    let client = Client::new(curl.clone(), image.clone(), None);
    let index = client.manifest(&release.tag().registry_tag())?;
    let index = index.context("there is no version tag")?;
    let platforms = image_blobs(&client, &place, &index.digest)?;
    for digest in platforms.iter().chain([&index.digest]) {
        attached(&client, &place, digest, Kind::Signatures)?;
    }
    attached(&client, &place, &index.digest, Kind::Attestations)?;
    bundles(&client, &place, &index.digest)?;
    cosign(project, &place, &release, &index.digest, &platforms)?;
    layers(project, &client, &place, &platforms)?;

    let mut tags = BTreeMap::new();
    for tag in client.tags()? {
        let digest = client.digest_of(&tag.parse::<Tag>()?)?.context("a tag without a digest")?;
        tags.insert(tag, digest);
    }
    let forge = Forgejo::new(curl, &git, &config, None, None);
    let page = forge.page(release.tag())?.context("there is no page")?;
    let assets = assets(&forge, &place, &page)?;
    let stand_ins: BTreeMap<_, _> = STAND_INS
        .into_iter()
        .filter_map(|name| Some((name, environment().get(name).ok().flatten()?.to_owned())))
        .collect();
    let record = json!({
        "tag": TAG, "commit": source.commit.as_str(), "time": source.time, "image": image.to_string(),
        "digest": index.digest, "latest": tags.get("latest"), "tags": tags,
        "forge_tag": forge.tag(release.tag())?.context("the forge has no tag")?.as_str(),
        "stand_ins": stand_ins,
        "page": {
            "id": page.id, "commit": page.page.commit.as_str(), "title": page.page.title,
            "body": page.page.body, "prerelease": page.page.prerelease, "draft": page.draft,
            "address": page.address, "assets": assets,
        },
    });
    place.write("release.json", &serde_json::to_vec_pretty(&record)?)?;
    ensure_nothing_of_this_machine(project, dir)
}

/// Records the files of the page; returns their names.
fn assets(forge: &Forgejo, place: &Place<'_>, page: &PublishedPage) -> Result<Vec<String>> {
    let mut listed: Vec<_> = page.assets.iter().collect();
    listed.sort_by_key(|listed| &listed.name);
    for (listed, bytes) in listed.iter().zip(forge.assets(&page.page.tag, &listed)) {
        let bytes = bytes?.with_context(|| format!("`{}` cannot be downloaded", listed.name))?;
        place.write(&format!("assets/{}", listed.name), &bytes)?;
    }
    Ok(listed.into_iter().map(|listed| listed.name.clone()).collect())
}

/// Records the index, and the manifest and config of each platform. Returns the platforms' manifests.
fn image_blobs(client: &Client, place: &Place<'_>, index: &Digest) -> Result<Vec<Digest>> {
    let bytes = client.known_manifest(index)?.bytes;
    place.blob(index, &bytes)?;
    let index: Value = serde_json::from_slice(&bytes)?;
    let mut platforms = Vec::new();
    for entry in index["manifests"].as_array().context("an index without manifests")? {
        let digest = digest(entry)?;
        let bytes = client.known_manifest(&digest)?.bytes;
        place.blob(&digest, &bytes)?;
        let manifest: Value = serde_json::from_slice(&bytes)?;
        blob(client, place, &self::digest(&manifest["config"])?)?;
        platforms.push(digest);
    }
    Ok(platforms)
}

/// Records what cosign stores beside `of`, and each of its layers: signed payloads, or envelopes.
fn attached(client: &Client, place: &Place<'_>, of: &Digest, kind: Kind) -> Result<()> {
    let found = client.manifest(&kind.tag(of))?.with_context(|| format!("there is no `{}`", kind.tag(of)))?;
    place.blob(&found.digest, &found.bytes)?;
    let manifest: Value = serde_json::from_slice(&found.bytes)?;
    for layer in manifest["layers"].as_array().context("a manifest without layers")? {
        blob(client, place, &digest(layer)?)?;
    }
    Ok(())
}

/// Records the bundles of `of`, and the index that names them. The testbed's registries do not list referrers.
fn bundles(client: &Client, place: &Place<'_>, of: &Digest) -> Result<()> {
    let index = client.manifest(&bundle::tag(of))?.context("there are no bundles")?;
    place.blob(&index.digest, &index.bytes)?;
    for digest in bundle::named(&index.bytes)? {
        let bytes = client.known_manifest(&digest)?.bytes;
        place.blob(&digest, &bytes)?;
        blob(client, place, &bundle::layer_of(&bytes)?)?;
    }
    Ok(())
}

fn blob(client: &Client, place: &Place<'_>, digest: &Digest) -> Result<()> {
    let found = client.batch(&[Wanted::Blob(digest.clone())]).pop().context("no answer")??;
    place.blob(digest, &found.with_context(|| format!("there is no `{digest}`"))?.into_bytes())
}

fn digest(descriptor: &Value) -> Result<Digest> {
    descriptor["digest"].as_str().context("a descriptor without digest")?.parse()
}

/// Records the output of cosign for the commands of the page, and for the signatures of the platforms.
fn cosign(
    project: &Project,
    place: &Place<'_>,
    release: &Release<'_>,
    index: &Digest,
    platforms: &[Digest],
) -> Result<()> {
    let platforms: Vec<_> = platforms.iter().collect();
    let of_platforms =
        VerifyCommand::signature(PUBLIC_KEY, release.tag().version(), release.image, &platforms);
    let more = [test_result_command(release, index), of_platforms];
    let commands = Vec::from(verify_commands(release, index)).into_iter().chain(more);
    let (docker, bin) = (TempDir::new()?, TempDir::new()?);
    std::os::unix::fs::symlink(export("TESTBED_COSIGN_2")?, bin.path().join("cosign"))?;
    let path = format!("{}:{}", text(bin.path())?, environment().get("PATH")?.unwrap_or_default());
    let names = ["signature", "provenance", "sbom", "test-result", "platforms"];
    for (name, command) in names.into_iter().zip(commands) {
        let call = call("sh", &["-c", &command.to_string()])?.dir(project.checkout.top());
        let call = call.env("PATH", &path).env("DOCKER_CONFIG", docker.path());
        place.write(&format!("cosign/{name}"), &call.output()?.success()?.stdout)?;
    }
    Ok(())
}

fn layers(project: &Project, client: &Client, place: &Place<'_>, platforms: &[Digest]) -> Result<()> {
    base(project, place)?;
    own_layers(client, place, platforms)
}

/// Records what `verify` caches: the manifests of the base image, and its facts about that image's layers.
fn base(project: &Project, place: &Place<'_>) -> Result<()> {
    let kept = TempDir::new()?;
    let home = text(kept.path())?;
    Xtask::new(&project.checkout, &["verify", TAG]).env("XDG_CACHE_HOME", home).run()?.success()?;
    let cache = Cache::new(&Environment::from_pairs([("XDG_CACHE_HOME", home)]))?;
    let digests = |kind: &str| -> Result<Vec<Digest>> {
        let entries = fs::read_dir(kept.path().join("xtask").join(kind))?;
        let name =
            |entry: std::io::Result<fs::DirEntry>| Ok(entry?.file_name().to_string_lossy().into_owned());
        let names: Result<Vec<String>> = entries.map(name).collect();
        names?.iter().map(|name| name.replace('-', ":").parse()).collect()
    };
    for digest in digests("layers")? {
        place.layer(&digest, &cache.layer(&digest).with_context(|| format!("`{digest}` was not kept"))?)?;
    }
    for digest in digests("manifests")? {
        let bytes = cache.manifest(&digest).with_context(|| format!("`{digest}` was not kept"))?;
        place.write(&format!("base/sha256-{}", digest.hex()), &bytes)?;
    }
    Ok(())
}

/// Records the facts about the layers of the `platforms` that are not the base image's, as `verify` reads them each
/// time.
fn own_layers(client: &Client, place: &Place<'_>, platforms: &[Digest]) -> Result<()> {
    for platform in platforms {
        for layer in ImageManifest::parse(&client.known_manifest(platform)?.bytes)?.layers {
            if !place.has_layer(&layer.digest) {
                let bytes =
                    client.batch(&[Wanted::Blob(layer.digest.clone())]).pop().context("no answer")??;
                let bytes = bytes.context("there is no layer")?.into_bytes();
                let compression = layer::Compression::of(&layer.media_type)?;
                place.layer(&layer.digest, &layer::read(&*bytes, compression, &Budget::of_image())?)?;
            }
        }
    }
    Ok(())
}

/// Checks that the recording reveals nothing about this machine and contains no secret.
fn ensure_nothing_of_this_machine(project: &Project, dir: &Path) -> Result<()> {
    let secrets = &project.secrets;
    let token = project.user.token();
    let private = format!("{}/xtask-", environment().get("TMPDIR")?.unwrap_or("/tmp"));
    let mut never =
        vec![text(project.checkout.top())?.to_owned(), env!("CARGO_MANIFEST_DIR").to_owned(), private];
    for secret in
        [&secrets.private_key, &secrets.password, &secrets.registry_token, &secrets.forge_token, token]
    {
        never.extend(telling_lines(secret.expose())?);
    }
    let mut envelopes = 0;
    super::shape::each(dir, &mut |name, bytes| {
        let payloads = payloads(bytes);
        envelopes += payloads.len();
        for bytes in payloads.iter().map(Vec::as_slice).chain([bytes]) {
            let text = String::from_utf8_lossy(bytes);
            let found = never.iter().position(|word| text.contains(word.as_str()));
            ensure!(found.is_none(), "`{name}` holds a secret or a path of this machine, number {found:?}");
        }
        Ok(())
    })?;
    ensure!(envelopes > 0, "no envelope was opened");
    Ok(())
}

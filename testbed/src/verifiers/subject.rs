//! What the verifiers check: a real release, with evidence in one format or in both, and with a stranger's bundle
//! beside it.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde::Deserialize;
use serde_json::Value;
use xshell::cmd;
use xtask::evidence::bundle;
use xtask::oci::reference::{Digest, Tag};
use xtask::process::environment::Environment;

use crate::bench::Key;
use crate::project::Project;

/// The tag that is released.
pub(super) const TAG: &str = "v0.1.0";

/// Enough for a release of two platforms, one of them emulated.
const RELEASE: Duration = Duration::from_secs(600);

/// The formats of the evidence beside the image.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    /// `signatures = ["legacy"]`
    Legacy,
    /// Only bundles. No release leaves only these, so the tags of the other format are deleted.
    Bundle,
    /// As a release leaves it.
    Both,
}

impl Format {
    /// All, in the order of the table.
    pub(super) const ALL: [Self; 3] = [Self::Legacy, Self::Bundle, Self::Both];

    /// Its name in the table.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Legacy => "legacy",
            Self::Bundle => "bundle",
            Self::Both => "both",
        }
    }
}

/// One release.
pub(super) struct Subject {
    project: Project,
    xtask: PathBuf,
    digest: Digest,
    /// The directory of its files.
    dir: PathBuf,
}

/// The part of an index or a manifest that names other things.
#[derive(Deserialize)]
pub(super) struct Names {
    #[serde(default)]
    pub(super) manifests: Vec<Named>,
    #[serde(default)]
    layers: Vec<Named>,
}

#[derive(Deserialize)]
pub(super) struct Named {
    pub(super) digest: Digest,
}

impl Subject {
    /// Makes a release with `xtask`, in its own repository.
    pub(super) fn release(
        environment: &Environment,
        xtask: &Path,
        dir: &Path,
        format: Format,
    ) -> Result<Self> {
        fs::create_dir(dir).with_context(|| format!("making `{}`", dir.display()))?;
        let project = Project::new(environment, dir, &[TAG], |manifest| configured(manifest, format))?;
        let shell = project.runner.shell()?;
        let call = project.runner.call(cmd!(shell, "{xtask} release {TAG}")).dir(&project.checkout);
        project.trusted(call)?.timeout(RELEASE).run().context("making the release that is verified")?;
        let digest =
            project.repository.registry().digest_of(&TAG.parse::<Tag>()?)?.context("there is no image")?;
        let subject = Self { project, xtask: xtask.to_owned(), digest, dir: dir.to_owned() };
        if format == Format::Bundle {
            subject.remove_legacy()?;
        }
        Ok(subject)
    }

    fn remove_legacy(&self) -> Result<()> {
        let tags = self.project.repository.registry_tags()?;
        let legacy: Vec<_> =
            tags.iter().filter(|tag| tag.starts_with("sha256-") && tag.contains('.')).collect();
        ensure!(legacy.len() > 1, "no legacy format among {tags:?}");
        legacy.into_iter().try_for_each(|tag| self.project.repository.delete_image_version(tag))
    }

    /// `HOST/OWNER/NAME@DIGEST`, as in its signature.
    pub(super) fn image(&self) -> String {
        let name = self.project.repository.full_name();
        format!("{}/{name}@{}", self.project.proxy.address(), self.digest)
    }

    /// The project that was released.
    pub(super) fn project(&self) -> &Project {
        &self.project
    }

    /// The digest of the index.
    pub(super) fn digest(&self) -> &Digest {
        &self.digest
    }

    /// The digests of its platforms' manifests.
    pub(super) fn platforms(&self) -> Result<Vec<Digest>> {
        let index = self.project.repository.registry().known_manifest(&self.digest)?;
        Ok(names(&index.bytes)?.manifests.into_iter().map(|named| named.digest).collect())
    }

    /// The public key.
    pub(super) fn key(&self) -> PathBuf {
        self.project.checkout.join("cosign.pub")
    }

    /// Writes the bundles into files.
    pub(super) fn bundles(&self) -> Result<Vec<PathBuf>> {
        let registry = self.project.repository.registry();
        let Some(index) = registry.manifest(&bundle::tag(&self.digest))? else { return Ok(Vec::new()) };
        let mut files = Vec::new();
        for manifest in names(&index.bytes)?.manifests {
            let manifest = registry.known_manifest(&manifest.digest)?;
            let layer =
                names(&manifest.bytes)?.layers.into_iter().next().context("a bundle without a layer")?;
            let bytes = registry.blob(&layer.digest)?.context("a bundle's blob is gone")?;
            let file = self.dir.join(format!("bundle-{}.json", files.len()));
            fs::write(&file, bytes).with_context(|| format!("writing `{}`", file.display()))?;
            files.push(file);
        }
        Ok(files)
    }

    /// Adds a bundle of a stranger who can push but has another key, in the form that cosign 3 makes by default.
    pub(super) fn add_strangers_bundle(&self, cosign: &Path, key: &Key) -> Result<()> {
        let (project, image) = (&self.project, self.image());
        let login = project.login()?;
        let shell = project.runner.shell()?;
        let sign = cmd!(
            shell,
            "{cosign} sign --yes --key env://COSIGN_PRIVATE_KEY --tlog-upload=false --use-signing-config=false {image}"
        );
        let call = project.runner.call(sign).env("DOCKER_CONFIG", login.path());
        let call = call.secret_env("COSIGN_PRIVATE_KEY", &key.private);
        call.secret_env("COSIGN_PASSWORD", &key.password).run().context("signing as a stranger")
    }

    /// The claims that `xtask verify` finds false for a copy of the image.
    pub(super) fn wrong(&self, copy: &str) -> Result<Vec<String>> {
        let (project, xtask, shell) = (&self.project, &self.xtask, self.project.runner.shell()?);
        let verify = cmd!(shell, "{xtask} verify {copy} --json");
        let call = project.runner.call(verify).dir(&project.checkout).timeout(RELEASE);
        let report = project.untrusted(call)?.output()?.text()?;
        let report: Value =
            serde_json::from_str(&report).context("reading what `xtask verify` says of a copy")?;
        let claims = report["releases"][0]["claims"].as_array().context("`xtask verify` has no claims")?;
        let wrong = claims.iter().filter(|claim| claim["verdict"] == "false");
        Ok(wrong.filter_map(|claim| claim["id"].as_str()).map(str::to_owned).collect())
    }

    /// Removes what it left in the engine.
    pub(super) fn clean_up(&self) -> Result<()> {
        self.project.remove_containers()?;
        self.project.remove_images()
    }
}

/// `Cargo.toml` with the requested format.
fn configured(manifest: &str, format: Format) -> Result<String> {
    let line = "\nforge = ";
    ensure!(
        manifest.contains(line) && !manifest.contains("\nsignatures = "),
        "`Cargo.toml` is not as expected"
    );
    Ok(match format {
        Format::Legacy => manifest.replacen(line, &format!("\nsignatures = [\"legacy\"]{line}"), 1),
        Format::Bundle | Format::Both => manifest.to_owned(),
    })
}

pub(super) fn names(bytes: &[u8]) -> Result<Names> {
    serde_json::from_slice(bytes).context("reading a manifest of the bundles")
}

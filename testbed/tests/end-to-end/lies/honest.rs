//! The honest release that all lies are about, beside an older one. `xtask` reaches the forge only through a proxy, so
//! that a lie can also be told on the way.

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use testbed::forge_client::State as Status;
use testbed::proxy::Proxy;
use xtask::oci::reference::{Digest, Image};
use xtask::process::secret::Secret;
use xtask::process::temp_dir::random_hex;

use super::attached::{self, Signer};
use super::files::Files;
use super::registry::Registry;
use super::state::{Forge, State};
use crate::forge::project::{Project, Secrets, new_key};
use crate::harness::run::{Finished, Xtask};

/// The tag that is verified.
pub(super) const TAG: &str = "v0.2.0";
/// A stable release before it.
pub(super) const OLDER: &str = "v0.1.0";

/// A server that does not answer costs four times this long (docs/releasing.md, "Retries").
const HTTP_TIMEOUT: &str = "\n[workspace.metadata.release.timeouts]\nhttp = 5\n";

/// The release, and everything needed to lie about it.
pub(super) struct Honest {
    pub(super) project: Project,
    /// Runs between `xtask` and the forge.
    pub(super) proxy: Proxy,
    /// The image at the address that `xtask` uses.
    pub(super) image: Image,
    /// The same image, without the proxy.
    pub(super) registry: Registry,
    pub(super) forge: Forge,
    /// The digest of the index under [`TAG`].
    pub(super) digest: Digest,
    /// The attested predicates.
    pub(super) provenance: Value,
    pub(super) sbom: Value,
    pub(super) test_result: Value,
    /// The project's key, and a stranger's.
    pub(super) own: Signer,
    pub(super) other: Signer,
    /// A copy of everything under another name, for the undo.
    kept: Registry,
    saved: State,
    files: Files,
}

/// Releases, and saves everything public.
pub(super) fn make() -> Result<Honest> {
    let project = Project::for_both_platforms()?;
    let proxy = project.go_by_proxy()?;
    let before = "\n[workspace.metadata.release.smoke]";
    project.checkout.replace("Cargo.toml", before, &format!("{HTTP_TIMEOUT}{before}"))?;
    project.checkout.commit("chore: by way of a proxy")?;
    release_both(&project)?;

    let user = project.user.name().to_owned();
    let path = project.repository.full_name();
    let registry = Registry::new(&project.forge, &path, &user, project.user.token())?;
    let image: Image = format!("{}/{path}", proxy.address()).parse()?;
    let (forge, kept) = (Forge::new(&project, TAG)?, registry.beside(&format!("{user}/kept")));
    for tag in registry.tags()?.keys() {
        kept.copy(tag, &registry)?;
    }
    let index = registry.manifest(TAG)?;
    let (digest, (manifests, _)) = (index.digest(), index.names()?);
    let saved = State::of(&registry, &forge, &manifests)?;
    let [provenance, sbom, test_result] = attached::predicates(&registry, &digest)?;
    let Secrets { private_key, password, .. } = &project.secrets;
    let own = Signer::new(&project, &image, private_key.clone(), password.clone());
    let password = Secret::new(random_hex()?);
    let other = Signer::new(&project, &image, new_key(&project.checkout, "other", &password)?, password);
    let files = Files::of(&project)?;
    let honest = Honest {
        project,
        proxy,
        image,
        registry,
        forge,
        digest,
        provenance,
        sbom,
        test_result,
        own,
        other,
        kept,
        saved,
        files,
    };
    honest.verify(&[])?.success().context("before the first lie")?;
    Ok(honest)
}

/// Releases the older one, then the one that the lies are about.
fn release_both(project: &Project) -> Result<()> {
    let older = project.head()?;
    let ours = project.commit("feat: what is new")?;
    project.push_main()?;
    for (tag, commit) in [(OLDER, older), (TAG, ours)] {
        project.set_status(&commit, Status::Success)?;
        project.checkout.git(&["tag", tag, &commit])?;
        project.push_tags()?;
        project.laptop(&["release", tag]).run()?.success()?;
    }
    Ok(())
}

impl Honest {
    /// `xtask verify` as a stranger runs it, with the arguments `more`.
    pub(super) fn verify(&self, more: &[&str]) -> Result<Finished> {
        let arguments = [&["verify", TAG, "--json"], more].concat();
        Xtask::new(&self.project.checkout, &arguments).run()
    }

    /// Restores everything.
    pub(super) fn undo(&self) -> Result<()> {
        self.proxy.pass();
        self.saved.put_back(&self.project, &self.registry, &self.kept, &self.forge)?;
        self.files.put_back(&self.project)
    }

    /// The platforms' manifests, amd64 first.
    pub(super) fn manifests(&self) -> Result<Vec<Digest>> {
        let (manifests, _) = self.registry.manifest(self.digest.as_str())?.names()?;
        ensure!(manifests.len() == 2, "there are {} manifests: expected two", manifests.len());
        Ok(manifests)
    }

    /// Puts `tag` on the manifest of `reference`.
    pub(super) fn move_tag(&self, tag: &str, reference: &str) -> Result<()> {
        self.registry.put(tag, &self.registry.manifest(reference)?)
    }

    /// Changes the text of the page.
    pub(super) fn edit_page(&self, change: impl FnOnce(&str) -> String) -> Result<()> {
        let body = self.forge.page()?.body;
        let changed = change(&body);
        ensure!(changed != body, "the page was not changed:\n{body}");
        self.forge.change(&serde_json::json!({ "body": changed }))
    }
}

//! The honest release that everything is done to, beside an older one. It knows the forge by a proxy's address alone,
//! so that a lie may be told on the way as well. Its clone stays below the target directory, as libtest has no place
//! to end things, and is replaced by the next run's.

use std::fs::File;
use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};

use anyhow::{Context as _, Result, anyhow, ensure};
use nix::fcntl::Flock;
use serde_json::Value;
use testbed::forge_client::State as Status;
use testbed::proxy::Proxy;
use xtask::oci::reference::{Digest, Image};
use xtask::process::scratch::random_hex;
use xtask::process::secret::Secret;

use super::attached::{self, Signer};
use super::registry::Registry;
use super::state::{Forge, State};
use crate::forge::project::{Project, Secrets, new_key};
use crate::harness::checkout::text;
use crate::harness::read;
use crate::harness::run::{Finished, Xtask};
use crate::harness::shared::lasting_directory;

/// The tag that is verified.
pub(super) const TAG: &str = "v0.2.0";
/// A stable release before it.
pub(super) const OLDER: &str = "v0.1.0";

/// A slow server costs this long four times (docs/releasing.md, "Exit codes").
const HTTP_TIMEOUT: &str = "\n[workspace.metadata.release.timeouts]\nhttp = 2\n";

/// The release, and all that it takes to lie about it.
pub(super) struct Honest {
    pub(super) project: Project,
    /// Between `xtask` and the forge.
    pub(super) proxy: Proxy,
    /// The image as `xtask` knows it.
    pub(super) image: Image,
    /// The same image, not by the proxy.
    pub(super) registry: Registry,
    pub(super) forge: Forge,
    /// Of the index under [`TAG`].
    pub(super) digest: Digest,
    /// The predicates that are attested.
    pub(super) provenance: Value,
    pub(super) sbom: Value,
    /// The project's key, and a stranger's.
    pub(super) own: Signer,
    pub(super) other: Signer,
    /// A copy of everything under another name, to put it back from.
    kept: Registry,
    saved: State,
    /// Held to the end of the process: a second run of the tests waits for the clone.
    _lock: Flock<File>,
}

/// A release, or why there is none; nothing before the first test asks.
type Made = Option<Result<Honest, String>>;

/// Does `work` with a release that no other test lies about meanwhile; made where there is none yet.
pub(super) fn with_honest<T>(work: impl FnOnce(&Honest) -> Result<T>) -> Result<T> {
    let (number, mut made) = turn();
    let made = made.get_or_insert_with(|| make(number).map_err(|error| format!("{error:#}")));
    work(made.as_ref().map_err(|error| anyhow!("the release that this test lies about: {error}"))?)
}

/// The first release that is free, with its number; where none is, the first one.
fn turn() -> (usize, MutexGuard<'static, Made>) {
    /// One for each of the tests that `cargo xtask ci` runs side by side.
    static ALL: [Mutex<Made>; 2] = [const { Mutex::new(None) }; 2];
    for (number, one) in ALL.iter().enumerate() {
        match one.try_lock() {
            Ok(made) => return (number, made),
            Err(TryLockError::Poisoned(error)) => return (number, error.into_inner()),
            Err(TryLockError::WouldBlock) => {}
        }
    }
    (0, ALL[0].lock().unwrap_or_else(PoisonError::into_inner))
}

fn make(number: usize) -> Result<Honest> {
    let (parent, lock) = lasting_directory(&format!("lies-{number}"))?;
    let project = Project::within(&parent)?;
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
    let [provenance, sbom] = attached::predicates(&registry, &digest)?;
    let Secrets { private_key, password, .. } = &project.secrets;
    let own = Signer::new(&project, &image, private_key.clone(), password.clone());
    let password = Secret::new(random_hex()?);
    let other = Signer::new(&project, &image, new_key(&project.checkout, "other", &password)?, password);
    let honest = Honest {
        project,
        proxy,
        image,
        registry,
        forge,
        digest,
        provenance,
        sbom,
        own,
        other,
        kept,
        saved,
        _lock: lock,
    };
    honest.verify(&[])?.success().context("before the first lie")?;
    Ok(honest)
}

/// Releases the older one, then the one that is lied about.
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
    /// `xtask verify` as a stranger runs it, with what else is asked of it.
    pub(super) fn verify(&self, more: &[&str]) -> Result<Finished> {
        let arguments = [&["verify", TAG, "--json"], more].concat();
        Xtask::new(&self.project.checkout, &arguments).run()
    }

    /// Makes everything as it was.
    pub(super) fn undo(&self) -> Result<()> {
        self.proxy.pass();
        self.saved.put_back(&self.project, &self.registry, &self.kept, &self.forge)
    }

    /// The digest under a tag, before any lie.
    pub(super) fn digest_of(&self, tag: &str) -> Result<Digest> {
        Ok(self.registry.manifest(tag)?.digest())
    }

    /// The platforms' manifests, amd64 first.
    pub(super) fn manifests(&self) -> Result<Vec<Digest>> {
        let (manifests, _) = self.registry.manifest(self.digest.as_str())?.names()?;
        ensure!(manifests.len() == 2, "there are {} manifests: expected two", manifests.len());
        Ok(manifests)
    }

    /// Puts `tag` on what `reference` has.
    pub(super) fn move_tag(&self, tag: &str, reference: &str) -> Result<()> {
        self.registry.put(tag, &self.registry.manifest(reference)?)
    }

    /// Changes the text of the page.
    pub(super) fn edit_page(&self, change: impl FnOnce(&str) -> String) -> Result<()> {
        let body = self.forge.page()?.body;
        let changed = change(&body);
        ensure!(changed != body, "the page is as it was:\n{body}");
        self.forge.change(&serde_json::json!({ "body": changed }))
    }

    /// Git, in the clone.
    pub(super) fn commit_of(&self, tag: &str) -> Result<String> {
        let top = text(self.project.checkout.top())?;
        read("git", &["-C", top, "rev-parse", &format!("{tag}^{{commit}}")])
    }
}

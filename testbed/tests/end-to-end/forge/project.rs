//! This project in a new repository of a new user, with its own key, as if someone had adopted it and changed only
//! `cosign.pub` and the forge's address.

use std::path::Path;

use anyhow::{Context as _, Result};
use testbed::committed::FORGE;
use testbed::forge_client::{Client, Repository, State, User};
use testbed::proxy::Proxy;
use testbed::watcher::Watcher;
use xtask::oci::reference::Tag;
use xtask::process::secret::Secret;
use xtask::process::temp_dir::random_hex;

use crate::harness::checkout::{Checkout, text};
use crate::harness::run::Xtask;
use crate::harness::{call, environment, export, wait_for};

/// Timeouts of a project whose requests are held.
const PATIENT: &str = "\n[workspace.metadata.release.timeouts]\nhttp = 600\ncosign = 600\n";

/// The context of CI's status for a commit.
const CI: &str = "ci / ci (push)";

/// The repository and its clone.
pub(crate) struct Project {
    pub(crate) user: User,
    pub(crate) repository: Repository,
    pub(crate) checkout: Checkout,
    pub(crate) secrets: Secrets,
    /// The address of the forge.
    pub(crate) forge: String,
}

/// The secrets of a release.
pub(crate) struct Secrets {
    pub(crate) private_key: Secret,
    pub(crate) password: Secret,
    pub(crate) registry_token: Secret,
    /// For releases from a laptop. The workflow uses its automatic token.
    pub(crate) forge_token: Secret,
}

impl Project {
    /// A project with one platform. Its clone is removed when the value is dropped. Its main branch is not pushed
    /// yet.
    pub(crate) fn new() -> Result<Self> {
        let checkout = Checkout::as_committed()?;
        checkout.keep_one_platform()?;
        Self::of(checkout)
    }

    /// Like [`Project::new`], with both platforms.
    pub(crate) fn for_both_platforms() -> Result<Self> {
        Self::of(Checkout::as_committed()?)
    }

    /// Like [`Project::for_both_platforms`], in a directory that is kept.
    pub(crate) fn within(parent: &Path) -> Result<Self> {
        Self::of(Checkout::within(parent)?)
    }

    /// A project whose main branch is on the forge, with one green commit.
    pub(crate) fn ready() -> Result<Self> {
        Self::new()?.pushed()
    }

    /// Pushes main and sets a green status on HEAD.
    pub(crate) fn pushed(self) -> Result<Self> {
        self.push_main()?;
        self.set_status(&self.head()?, State::Success)?;
        Ok(self)
    }

    fn of(mut checkout: Checkout) -> Result<Self> {
        let client = Client::from_environment(&environment())?;
        let user = client.new_user("e2e")?;
        let repository = user.new_repository_named(user.name(), "carol", false)?;
        repository.switch_actions(false)?;
        let password = Secret::new(random_hex()?);
        let private_key = new_key(&checkout, "own", &password)?;
        std::fs::copy(checkout.beside("own.pub"), checkout.top().join("cosign.pub"))?;
        let forge = client.url().to_owned();
        checkout.replace("Cargo.toml", &format!("forge = \"{FORGE}\""), &format!("forge = \"{forge}\""))?;
        checkout.call_it(&repository.full_name())?;
        Xtask::new(&checkout, &["policies"]).run()?.success()?;
        checkout.commit("chore: another forge and another key")?;
        let secrets = Secrets {
            private_key,
            password,
            registry_token: user.new_token(&["write:package"])?,
            forge_token: user.new_token(&["write:repository"])?,
        };
        Ok(Self { user, repository, checkout, secrets, forge })
    }

    /// Puts a proxy between `xtask` and the forge. The configuration, which is not committed yet, only has the
    /// proxy's address.
    pub(crate) fn go_by_proxy(&self) -> Result<Proxy> {
        let address = self.forge.strip_prefix("http://");
        let address =
            address.with_context(|| format!("`{}`: the proxy speaks plain HTTP only", self.forge))?;
        let proxy = Proxy::start(
            address.parse().with_context(|| format!("`{address}` is not an address to forward to"))?,
        )?;
        let (from, to) = (format!("\"{}\"", self.forge), format!("\"http://{}\"", proxy.address()));
        self.checkout.replace("Cargo.toml", &from, &to)?;
        Ok(proxy)
    }

    /// A project that reaches the forge through a proxy, and waits for an answer longer than a test holds one back. Its
    /// main branch is on the forge, with one green commit.
    pub(crate) fn by_proxy() -> Result<(Self, Proxy)> {
        let project = Self::new()?;
        let proxy = project.go_by_proxy()?;
        let before = "\n[workspace.metadata.release.smoke]";
        project.checkout.replace("Cargo.toml", before, &format!("{PATIENT}{before}"))?;
        project.checkout.commit("chore: by way of a proxy")?;
        Ok((project.pushed()?, proxy))
    }

    /// The commit at HEAD.
    pub(crate) fn head(&self) -> Result<String> {
        self.checkout.git(&["rev-parse", "HEAD"])
    }

    /// Commits an irrelevant change and returns the commit.
    pub(crate) fn commit(&self, subject: &str) -> Result<String> {
        self.checkout.write("CHANGES", &format!("{subject}\n"))?;
        self.checkout.commit(subject)?;
        self.head()
    }

    /// Commits an irrelevant change, pushes it with a green status, and pushes `tag` on it.
    pub(crate) fn push_tagged(&self, tag: &str) -> Result<()> {
        let commit = self.commit("feat: what is new")?;
        self.push_main()?;
        self.set_status(&commit, State::Success)?;
        self.push_tag(tag)
    }

    /// Pushes HEAD as main while Actions is off, so that CI does not start CI.
    pub(crate) fn push_main(&self) -> Result<()> {
        self.repository.push(self.checkout.top(), &["HEAD:refs/heads/main"])?;
        let head = self.head()?;
        wait_for("the forge to notice the push", || Ok(self.repository.has_noticed(&head)?.then_some(())))
    }

    /// Sets the status of a commit as CI would.
    pub(crate) fn set_status(&self, commit: &str, state: State) -> Result<()> {
        self.repository.set_status(commit, CI, state)
    }

    /// Stores the secrets and switches workflows on.
    pub(crate) fn switch_workflows_on(&self) -> Result<()> {
        self.repository.switch_actions(true)?;
        let Secrets { private_key, password, registry_token, .. } = &self.secrets;
        self.repository.set_secret("COSIGN_PRIVATE_KEY", private_key)?;
        self.repository.set_secret("COSIGN_PASSWORD", password)?;
        self.repository.set_secret("REGISTRY_TOKEN", registry_token)
    }

    /// `git tag` on HEAD.
    pub(crate) fn tag(&self, tag: &str) -> Result<()> {
        self.checkout.git(&["tag", tag]).map(|_| ())
    }

    /// `git push --tags`
    pub(crate) fn push_tags(&self) -> Result<()> {
        self.repository.push(self.checkout.top(), &["--tags"])
    }

    /// Tags HEAD and pushes it.
    pub(crate) fn push_tag(&self, tag: &str) -> Result<()> {
        self.tag(tag)?;
        self.push_tags()
    }

    /// The tag of the page that the forge shows as its latest.
    pub(crate) fn latest_page(&self) -> Result<String> {
        Ok(self.repository.latest_release()?.context("the forge has no latest release")?.tag_name)
    }

    /// Watches from now on what strangers see.
    pub(super) fn watch(&self) -> Result<Watcher> {
        Watcher::start(&self.forge, &self.repository.full_name())
    }

    /// The image under a tag.
    pub(crate) fn image(&self, tag: &str) -> Result<String> {
        Ok(self.repository.image().tagged(&tag.parse::<Tag>()?))
    }

    /// The digest that a tag of the image names.
    pub(crate) fn digest(&self, tag: &str) -> Result<String> {
        let digest = self.repository.registry().digest_of(&tag.parse::<Tag>()?)?;
        Ok(digest.with_context(|| format!("there is no `{}:{tag}`", self.repository.image()))?.to_string())
    }
}

/// Makes a key pair beside the clone, with the public half in `name.pub`. Returns the private half.
pub(crate) fn new_key(checkout: &Checkout, name: &str, password: &Secret) -> Result<Secret> {
    let prefix = checkout.beside(name);
    let make =
        call(export("TESTBED_COSIGN_2")?, &["generate-key-pair", "--output-key-prefix", text(&prefix)?])?;
    make.secret_env("COSIGN_PASSWORD", password).run()?;
    let key = std::fs::read_to_string(prefix.with_extension("key")).context("reading the new key")?;
    Ok(Secret::new(key))
}

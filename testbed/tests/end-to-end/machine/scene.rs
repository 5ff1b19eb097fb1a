//! A release that is disturbed, and what must be visible of it afterwards.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use testbed::forge_client::State;
use testbed::proxy::Proxy;
use xtask::http::Curl;
use xtask::oci::reference::{Image, Tag};
use xtask::oci::registry::Client;
use xtask::process::Runner;

use crate::forge::project::Project;
use crate::harness::environment;
use crate::harness::run::{Finished, Xtask};

/// The tag that is released.
pub(super) const TAG: &str = "v0.1.0";

/// The time for one request to a registry on this machine.
const TIMEOUT: Duration = Duration::from_secs(20);

/// A project, and the destination of its image.
pub(super) struct Scene {
    pub(super) project: Project,
    /// As strangers find it, without a proxy.
    image: Image,
    /// Whether the registry can remove a tag; distribution 2 cannot.
    removes_tags: bool,
    variables: Vec<(&'static str, String)>,
}

impl Scene {
    /// A project whose image goes to its forge.
    pub(super) fn new() -> Result<Self> {
        let project = Project::new()?;
        let image = project.repository.image().clone();
        Ok(Self { project, image, removes_tags: true, variables: Vec::new() })
    }

    /// Like [`Scene::new`], with a proxy between `xtask` and the forge.
    pub(super) fn by_proxy() -> Result<(Self, Proxy)> {
        let scene = Self::new()?;
        let proxy = scene.project.go_by_proxy()?;
        Ok((scene, proxy))
    }

    /// Pushes the image to `by`, which is a distribution registry at `registry` or a proxy in front of it.
    pub(super) fn push_to(&mut self, registry: &str, by: &str) -> Result<()> {
        let name = self.project.repository.full_name();
        self.image = format!("{registry}/{name}").parse()?;
        self.removes_tags = false;
        self.configure(&format!("image = \"{by}/{name}\""))
    }

    /// Adds a line to the configuration.
    pub(super) fn configure(&self, line: &str) -> Result<()> {
        self.project.checkout.replace("Cargo.toml", "title = ", &format!("{line}\ntitle = "))
    }

    /// Sets a variable for `xtask` from now on.
    pub(super) fn set(&mut self, name: &'static str, value: &str) {
        self.variables.push((name, value.to_owned()));
    }

    /// Commits the changes, and pushes them with the tag.
    pub(super) fn push(&self) -> Result<()> {
        self.project.checkout.git(&[
            "commit",
            "--quiet",
            "--all",
            "--allow-empty",
            "--message",
            "the scene",
        ])?;
        self.project.push_main()?;
        self.project.set_status(&self.project.head()?, State::Success)?;
        self.project.push_tag(TAG)
    }

    /// `xtask release` of the tag.
    pub(super) fn release(&self) -> Xtask<'_> {
        self.xtask(&["release", TAG])
    }

    pub(super) fn xtask(&self, arguments: &[&str]) -> Xtask<'_> {
        let run = self.project.laptop(arguments);
        self.variables.iter().fold(run, |run, (name, value)| run.env(name, value))
    }

    /// Checks the disturbed run. It must fail, say each of `words` and what the next run will do, and leave nothing
    /// that could be mistaken for a release.
    pub(super) fn ensure_failed(&self, run: &Finished, words: &[&str]) -> Result<()> {
        self.ensure_ended(run, 1, words)
    }

    /// Like [`Scene::ensure_failed`], for a failure that only needs another run.
    pub(super) fn ensure_transient(&self, run: &Finished, words: &[&str]) -> Result<()> {
        self.ensure_ended(run, 75, words)
    }

    fn ensure_ended(&self, run: &Finished, code: i32, words: &[&str]) -> Result<()> {
        ensure!(run.code == code, "exit code {}, expected {code}:\n{}{}", run.code, run.stdout, run.stderr);
        let next = ["this run pushed no version tag", "run the same command again"];
        self.ensure_nothing_public(run, &[words, &next].concat())
    }

    /// Like [`Scene::ensure_failed`], with any exit code.
    pub(super) fn ensure_nothing_public(&self, run: &Finished, words: &[&str]) -> Result<()> {
        let Finished { stdout, stderr, .. } = run;
        let message = stderr.split_once("\nxtask: ").map_or("", |(_, message)| message);
        for word in words {
            ensure!(message.contains(word), "the message does not say `{word}`:\n{stderr}");
        }
        ensure!(stdout.is_empty(), "standard output is for results:\n{stdout}");
        for tag in [TAG, "latest"] {
            ensure!(
                self.registry().digest_of(&tag.parse::<Tag>()?)?.is_none(),
                "`{tag}` is public:\n{stderr}"
            );
        }
        let pages = self.project.repository.releases()?;
        ensure!(pages.is_empty(), "there are pages: {pages:?}");
        self.project.checkout.ensure_nothing_is_left()
    }

    /// Runs the same command undisturbed. It must finish the release, and the release must verify.
    pub(super) fn ensure_finishes(&self) -> Result<()> {
        let run = self.release().run()?.success()?;
        self.ensure_released(&run)
    }

    /// Checks the result of `run`: tags, page, every claim of `verify`, and nothing else.
    pub(super) fn ensure_released(&self, run: &Finished) -> Result<()> {
        let (digest, registry) = (run.digest()?, self.registry());
        for tag in [TAG, "latest"] {
            ensure!(
                registry.digest_of(&tag.parse::<Tag>()?)?.as_ref() == Some(&digest),
                "`{tag}` does not name {digest}"
            );
        }
        let tags = registry.tags()?;
        let candidates = tags.iter().any(|tag| tag.starts_with("candidate"));
        ensure!(!(candidates && self.removes_tags), "a candidate is left: {tags:?}");
        let pages = self.project.repository.releases()?;
        ensure!(pages.len() == 1 && pages[0].tag_name == TAG && !pages[0].draft, "the pages are {pages:?}");
        self.xtask(&["verify", TAG]).run()?.success().context("verifying what was released")?;
        self.project.checkout.ensure_nothing_is_left()
    }

    /// The registry that the image goes to, without a login.
    pub(super) fn registry(&self) -> Client {
        Client::new(Curl::new(&Runner::new(&environment()), TIMEOUT), self.image.clone(), None)
    }
}

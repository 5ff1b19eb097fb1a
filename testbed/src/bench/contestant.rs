//! The contestants. Each has its own repository on the forge, with the same content as the others', and a clone of it.
//! All of them reach the forge through the proxy.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::json;
use xshell::cmd;
use xtask::http::Method;
use xtask::inputs::dockerfile;
use xtask::oci::reference::{Digest, Image, Tag};
use xtask::oci::registry::Credentials;
use xtask::process::Runner;
use xtask::process::environment::Environment;
use xtask::process::secret::Secret;
use xtask::tool::docker::DockerConfig;

use super::key::Key;
use super::measure::{Subject, Usage, run};
use crate::committed::{FORGE, REPOSITORY};
use crate::forge_client::{Client, Repository, State, User};
use crate::provision::text;

/// The repository whose release is measured.
const PROJECT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// The baseline.
const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/bench/straight-script.sh");

/// One of the contestants.
pub(super) struct Contestant {
    repository: Repository,
    checkout: PathBuf,
    words: Vec<String>,
    variables: Vec<(&'static str, String)>,
    secrets: Vec<(&'static str, Secret)>,
    /// The image, addressed through the proxy.
    image: Image,
    /// Holds the script's login for as long as the contestant exists.
    _docker: Option<DockerConfig>,
}

/// What all contestants are made from.
pub(super) struct Arena<'a> {
    /// The testbed's environment.
    pub(super) environment: &'a Environment,
    /// The forge itself, for requests that are not measured.
    pub(super) client: &'a Client,
    /// The owner of their repositories.
    pub(super) user: &'a User,
    /// `127.0.0.1:port` of the proxy.
    pub(super) proxy: &'a str,
    /// The key that all of them sign with.
    pub(super) key: &'a Key,
    /// The directory for the clones.
    pub(super) scratch: &'a Path,
}

impl Arena<'_> {
    /// `xtask release`, in a clone called `name`.
    pub(super) fn ours(&self, name: &str, xtask: &Path) -> Result<Contestant> {
        let (repository, checkout) = self.repository(name)?;
        let mut secrets = self.signing();
        secrets.push(("REGISTRY_TOKEN", self.user.token().clone()));
        secrets.push(("FORGEJO_TOKEN", self.user.token().clone()));
        let mut variables = vec![("REGISTRY_USER", self.user.name().to_owned())];
        for name in ["TESTBED_BASE_STAND_IN", "DOCKER_CONFIG"] {
            variables.extend(self.environment.get(name)?.map(|value| (name, value.to_owned())));
        }
        let words = vec![text(xtask)?.to_owned(), "release".to_owned()];
        let image = self.image(&repository)?;
        Ok(Contestant { repository, checkout, words, variables, secrets, image, _docker: None })
    }

    /// The baseline, in a clone called `name`, with `flags` added to its build. Its login is prepared beforehand,
    /// because `xtask` gets its login from a variable.
    pub(super) fn script(&self, name: &str, flags: &str) -> Result<Contestant> {
        let (repository, checkout) = self.repository(name)?;
        let mut secrets = self.signing();
        secrets.push(("FORGE_TOKEN", self.user.token().clone()));
        let image = self.image(&repository)?;
        let login = Credentials::new(self.user.name(), self.user.token().clone());
        let docker = DockerConfig::new(self.environment, Some((&image.registry, &login)))?;
        let mut variables = vec![
            ("FORGE", format!("http://{}", self.proxy)),
            ("REPOSITORY", repository.full_name()),
            ("BUILD_FLAGS", format!("{} {flags}", self.build_flags(&checkout)?)),
            ("DOCKER_CONFIG", text(docker.path())?.to_owned()),
        ];
        let buildx = self.environment.get("DOCKER_CONFIG")?.map(|config| Path::new(config).join("buildx"));
        if let Some(buildx) = buildx.filter(|buildx| buildx.is_dir()) {
            variables.push(("BUILDX_CONFIG", text(&buildx)?.to_owned()));
        }
        let words = vec!["bash".to_owned(), SCRIPT.to_owned()];
        Ok(Contestant { repository, checkout, words, variables, secrets, image, _docker: Some(docker) })
    }

    fn signing(&self) -> Vec<(&'static str, Secret)> {
        vec![("COSIGN_PRIVATE_KEY", self.key.private.clone()), ("COSIGN_PASSWORD", self.key.password.clone())]
    }

    fn image(&self, repository: &Repository) -> Result<Image> {
        format!("{}/{}", self.proxy, repository.full_name()).parse()
    }

    /// The arguments that xtask adds to a build on this machine: the stand-in for the base image and the machine's
    /// certificates.
    fn build_flags(&self, checkout: &Path) -> Result<String> {
        let path = checkout.join("Dockerfile");
        let recipe = fs::read_to_string(&path).with_context(|| format!("reading `{}`", path.display()))?;
        let mut flags = Vec::new();
        if let Some(image) = self.environment.get("TESTBED_BASE_STAND_IN")? {
            for base in dockerfile::read(&recipe, &[])?.base.distinct() {
                flags.push(format!("--build-context={}=docker-image://{image}", base.reference));
            }
        }
        let certificates = self.environment.get("NODE_EXTRA_CA_CERTS")?;
        flags.extend(certificates.map(|path| format!("--secret=id=ca,src={path}")));
        ensure!(!flags.iter().any(|flag| flag.contains(' ')), "a path with a space in one of {flags:?}");
        Ok(flags.join(" "))
    }

    /// A repository with the project's last commit and a green status. Actions are off, so that a pushed tag starts
    /// nothing.
    fn repository(&self, name: &str) -> Result<(Repository, PathBuf)> {
        let repository = self.user.new_repository(self.user.name(), false)?;
        let off = json!({ "has_actions": false });
        let answer =
            self.client.api(Method::Patch, &format!("/repos/{}", repository.full_name()), Some(&off))?;
        ensure!(answer.status == 200, answer.unexpected());
        let checkout = self.scratch.join(name);
        let runner = Runner::new(self.environment);
        let shell = runner.shell()?;
        runner.call(cmd!(shell, "git clone --quiet --no-tags {PROJECT} {checkout}")).run()?;
        git(&runner, &checkout, &["checkout", "--quiet", "-B", "main"])?;
        let path = checkout.join("Cargo.toml");
        let manifest = fs::read_to_string(&path).with_context(|| format!("reading `{}`", path.display()))?;
        let manifest = manifest
            .replace(FORGE, &format!("http://{}", self.proxy))
            .replace(&format!("\"{REPOSITORY}\""), &format!("\"{}\"", repository.full_name()));
        for (file, content) in [("Cargo.toml", &manifest), ("cosign.pub", &self.key.public)] {
            let path = checkout.join(file);
            fs::write(&path, content).with_context(|| format!("writing `{}`", path.display()))?;
        }
        git(
            &runner,
            &checkout,
            &["commit", "--quiet", "--all", "--message", "configured for a measurement"],
        )?;
        repository.push(&checkout, &["HEAD:refs/heads/main"])?;
        repository.set_status(&git(&runner, &checkout, &["rev-parse", "HEAD"])?, "ci", State::Success)?;
        Ok((repository, checkout))
    }
}

impl Contestant {
    /// Creates `tag` on the commit that has all the other tags, and pushes it.
    pub(super) fn tag(&self, runner: &Runner, tag: &str) -> Result<()> {
        git(runner, &self.checkout, &["tag", tag, "main"])?;
        self.repository.push(&self.checkout, &[&format!("refs/tags/{tag}")])
    }

    /// Releases `tag`; returns the cost and standard error.
    pub(super) fn release(&self, runner: &Runner, tag: &str, scratch: &Path) -> Result<(Usage, String)> {
        let words: Vec<&str> = self.words.iter().map(String::as_str).chain([tag]).collect();
        let (variables, secrets) = (&*self.variables, &*self.secrets);
        run(runner, &Subject { words: &words, dir: &self.checkout, variables, secrets }, scratch)
    }

    /// Runs `words` without secrets, as anyone could. A command that fails is an error.
    pub(super) fn look(&self, runner: &Runner, words: &[&str], scratch: &Path) -> Result<Usage> {
        let variables = &*self.variables;
        let subject = Subject { words, dir: &self.checkout, variables, secrets: &[] };
        run(runner, &subject, scratch).map(|(usage, _said)| usage)
    }

    /// The first word of its release command.
    pub(super) fn program(&self) -> &str {
        self.words.first().map_or("", String::as_str)
    }

    /// The image, addressed through the proxy, and the digest that `tag` names.
    pub(super) fn image_of(&self, tag: &str) -> Result<(Image, Digest)> {
        let digest = self.repository.registry().digest_of(&tag.parse::<Tag>()?)?;
        let digest = digest.with_context(|| format!("there is no `{}`", self.repository.image()))?;
        Ok((self.image.clone(), digest))
    }

    /// Removes its images from the engine.
    pub(super) fn remove_images(&self, runner: &Runner) -> Result<()> {
        let name = self.image.to_string();
        let listed = self.docker(runner, &["image", "ls", "--quiet", "--no-trunc", &name])?;
        let images: BTreeSet<_> = listed.lines().collect();
        if images.is_empty() {
            return Ok(());
        }
        let remove = ["image", "rm", "--force"].into_iter().chain(images);
        self.docker(runner, &remove.collect::<Vec<_>>()).map(|_| ())
    }

    /// Empties the builder's cache, which everyone on this engine shares.
    pub(super) fn empty_cache(&self, runner: &Runner) -> Result<()> {
        self.docker(runner, &["builder", "prune", "--all", "--force"]).map(|_| ())
    }

    fn docker(&self, runner: &Runner, words: &[&str]) -> Result<String> {
        let shell = runner.shell()?;
        let config = self.variables.iter().find(|(name, _)| *name == "DOCKER_CONFIG");
        let mut call = runner.call(cmd!(shell, "docker {words...}")).timeout(Duration::from_secs(300));
        if let Some((name, value)) = config {
            call = call.env(name, value);
        }
        call.read()
    }
}

fn git(runner: &Runner, dir: &Path, words: &[&str]) -> Result<String> {
    let shell = runner.shell()?;
    let somebody = ["-c", "user.name=bench", "-c", "user.email=bench@example.org"];
    let unsigned = ["-c", "commit.gpgSign=false", "-c", "tag.gpgSign=false"];
    runner.call(cmd!(shell, "git -C {dir} {somebody...} {unsigned...} {words...}")).read()
}

//! A project that is released: a repository on the forge with this project's last commit, a clone that reaches the
//! forge only at the proxy's address, and the secrets of a release.

use std::fs;
use std::net::ToSocketAddrs as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use xshell::cmd;
use xtask::oci::reference::Image;
use xtask::oci::registry::Credentials;
use xtask::process::environment::Environment;
use xtask::process::{Call, Runner};
use xtask::tool::docker::{DockerConfig, LABEL};

use crate::bench::Key;
use crate::committed::{FORGE, REPOSITORY};
use crate::forge_client::{Client, Repository, State, User};
use crate::layout::Layout;
use crate::process::{poll, with_variable};
use crate::provision::text;
use crate::proxy::Proxy;
use crate::services::{self, engine::FIRST};

/// The repository that is released.
const SOURCE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// Its name on the forge. Each project has its own user as owner.
const NAME: &str = "carol";

/// How long the forge may take to notice a push after git has ended.
const NOTICED: Duration = Duration::from_secs(30);

/// How many restarts of the engine in a row are tolerated.
const MAX_ENGINES: usize = 6;

/// How long an engine that is being restarted may take to answer.
const ENGINE: Duration = Duration::from_secs(300);

/// How long killed processes may take to disappear.
const GONE: Duration = Duration::from_secs(10);

/// A commit that only changes a file of its own.
pub(crate) struct Commit<'a> {
    /// `NAME <ADDRESS>`
    pub(crate) author: &'a str,
    /// Subject and body.
    pub(crate) message: &'a str,
}

/// The project.
pub(crate) struct Project {
    pub(crate) environment: Environment,
    pub(crate) runner: Runner,
    pub(crate) repository: Repository,
    pub(crate) proxy: Proxy,
    /// The address of the forge itself.
    pub(crate) forge: String,
    /// The directory of its clone.
    pub(crate) checkout: PathBuf,
    user: User,
    key: Key,
}

impl Project {
    /// Makes the project in `dir`, with each of `tags` on a commit of its own, in this order. `configure` gets
    /// `Cargo.toml` with the forge's address and the repository's name filled in, and returns the content to commit.
    pub(crate) fn new(
        environment: &Environment,
        dir: &Path,
        tags: &[&str],
        configure: impl FnOnce(&str) -> Result<String>,
    ) -> Result<Self> {
        let client = Client::from_environment(environment)?;
        let host = client.registry();
        ensure!(client.url().starts_with("http://"), "`{}` is not `http://host:port`", client.url());
        let mut found =
            host.to_socket_addrs().with_context(|| format!("looking for the forge at `{host}`"))?;
        let proxy = Proxy::start(found.next().with_context(|| format!("`{host}` has no address"))?)?;
        let user = client.new_user("testbed")?;
        let repository = user.new_repository_named(user.name(), NAME, false)?;
        // A pushed tag must not start a workflow.
        repository.switch_actions(false)?;
        let project = Self {
            environment: environment.clone(),
            runner: Runner::new(environment),
            repository,
            proxy,
            forge: client.url().to_owned(),
            checkout: dir.join("checkout"),
            key: Key::make(environment, dir)?,
            user,
        };
        project.fill(tags, configure)?;
        Ok(project)
    }

    fn fill(&self, tags: &[&str], configure: impl FnOnce(&str) -> Result<String>) -> Result<()> {
        let (shell, checkout) = (self.runner.shell()?, &self.checkout);
        self.runner.call(cmd!(shell, "git clone --quiet --no-tags {SOURCE} {checkout}")).run()?;
        self.git(&["checkout", "--quiet", "-B", "main"])?;
        let path = checkout.join("Cargo.toml");
        let manifest = fs::read_to_string(&path).with_context(|| format!("reading `{}`", path.display()))?;
        let manifest = manifest
            .replace(FORGE, &format!("http://{}", self.proxy.address()))
            .replace(&format!("\"{REPOSITORY}\""), &format!("\"{}\"", self.repository.full_name()));
        let files = [("Cargo.toml", configure(&manifest)?), ("cosign.pub", self.key.public.clone())];
        for (file, content) in files {
            fs::write(checkout.join(file), content).with_context(|| format!("writing `{file}`"))?;
        }
        for tag in tags {
            self.commit(tag, &format!("feat: what {tag} is about"), "testbed <testbed@example.org>")?;
            self.git(&["tag", tag])?;
        }
        self.push(tags)
    }

    /// Adds commits, with `tag` on the last of them.
    pub(crate) fn add(&self, commits: &[Commit<'_>], tag: &str) -> Result<()> {
        for Commit { author, message } in commits {
            self.commit(message, message, author)?;
        }
        self.git(&["tag", tag])?;
        self.push(&[tag])
    }

    fn commit(&self, change: &str, message: &str, author: &str) -> Result<()> {
        fs::write(self.checkout.join("CHANGES"), change).context("writing `CHANGES`")?;
        self.git(&["add", "--all"])?;
        self.git(&["commit", "--quiet", "--author", author, "--message", message]).map(drop)
    }

    /// Pushes everything, and sets a green status on each of `tags`, as CI would.
    fn push(&self, tags: &[&str]) -> Result<()> {
        self.repository.push(&self.checkout, &["HEAD:refs/heads/main", "--tags"])?;
        // Before the forge has noticed the push, it answers 500 for a branch that exists.
        let head = self.git(&["rev-parse", "HEAD"])?;
        let noticed = poll(NOTICED, || self.repository.has_noticed(&head))?;
        ensure!(noticed, "the forge does not notice the push of {head}");
        for tag in tags {
            self.repository.set_status(&self.git(&["rev-parse", tag])?, "ci", State::Success)?;
        }
        Ok(())
    }

    /// A second clone in `dir`, for a second person.
    pub(crate) fn clone_to(&self, dir: &Path) -> Result<()> {
        let (shell, checkout) = (self.runner.shell()?, &self.checkout);
        self.runner.call(cmd!(shell, "git clone --quiet {checkout} {dir}")).run()
    }

    fn git(&self, words: &[&str]) -> Result<String> {
        let (shell, dir) = (self.runner.shell()?, &self.checkout);
        let somebody = ["-c", "user.name=testbed", "-c", "user.email=testbed@example.org"];
        let unsigned = ["-c", "commit.gpgSign=false", "-c", "tag.gpgSign=false"];
        self.runner.call(cmd!(shell, "git -C {dir} {somebody...} {unsigned...} {words...}")).read()
    }

    /// Adds the variables and secrets that `xtask release` finds in a user's environment to a call.
    pub(crate) fn trusted(&self, call: Call) -> Result<Call> {
        let token = self.user.token();
        Ok(self
            .untrusted(call)?
            .env("REGISTRY_USER", self.user.name())
            .secret_env("COSIGN_PRIVATE_KEY", &self.key.private)
            .secret_env("COSIGN_PASSWORD", &self.key.password)
            .secret_env("REGISTRY_TOKEN", token)
            .secret_env("FORGEJO_TOKEN", token))
    }

    /// Like [`Project::trusted`], without secrets.
    pub(crate) fn untrusted(&self, mut call: Call) -> Result<Call> {
        for name in ["TESTBED_BASE_STAND_IN", "DOCKER_CONFIG"] {
            if let Some(value) = self.environment.get(name)? {
                call = call.env(name, value);
            }
        }
        Ok(call)
    }

    /// A login to the forge's registry, at the address that this project uses for it.
    pub(crate) fn login(&self) -> Result<DockerConfig> {
        let image: Image = format!("{}/{}", self.proxy.address(), self.repository.full_name()).parse()?;
        let credentials = Credentials::new(self.user.name(), self.user.token().clone());
        DockerConfig::new(&self.environment, Some((&image.registry, &credentials)))
    }

    /// The names that depend on this project, and their replacements in the names of cases.
    pub(crate) fn names(&self, dir: &Path) -> Result<Vec<(String, String)>> {
        let pair = |from: &str, to: &str| (from.to_owned(), to.to_owned());
        Ok(vec![
            pair(text(&self.checkout)?, "CLONE"),
            pair(text(dir)?, "DIR"),
            pair(&self.proxy.address().to_string(), "FORGE"),
            pair(self.user.name(), "acme"),
        ])
    }

    /// Removes what releases left on the forge.
    pub(crate) fn reset(&self) -> Result<()> {
        // In this order, so that no page is without its image.
        self.repository.remove_releases()?;
        self.repository.remove_image()
    }

    /// Ends the processes of a run that had `tmp` as its `TMPDIR`, as when the machine goes down. Returns how many
    /// there were.
    pub(crate) fn end_processes(&self, tmp: &Path) -> Result<usize> {
        let variable = format!("TMPDIR={}", text(tmp)?);
        let mut most = 0;
        let gone = poll(GONE, || {
            let left = with_variable(&variable)?;
            most = most.max(left.len());
            for process in &left {
                // An error means that it has just ended on its own.
                kill(Pid::from_raw(process.pid), Signal::SIGKILL).ok();
            }
            Ok(left.is_empty())
        })?;
        ensure!(gone, "processes with `{variable}` do not end");
        Ok(most)
    }

    /// Does `work` on an engine that is not restarted meanwhile. If another run restarts it, the result of `work` says
    /// nothing about releases, and `work` is repeated.
    pub(crate) fn on_one_engine<T>(&self, work: impl Fn() -> Result<T>) -> Result<T> {
        let engine = || services::processes(&Layout::from_environment(&self.environment)?, FIRST.dockerd);
        for _ in 0..MAX_ENGINES {
            let answers = poll(ENGINE, || Ok(self.docker(&["version"]).is_ok()))?;
            ensure!(answers, "docker's engine does not answer");
            let before = engine()?;
            let done = work();
            if engine()? == before {
                return done;
            }
            xtask::process::interrupt::check()?;
            eprintln!("testbed: docker's engine was restarted meanwhile; trying again");
        }
        bail!("docker's engine was restarted {MAX_ENGINES} times in a row")
    }

    /// Removes containers of this project's images, and their networks.
    pub(crate) fn remove_containers(&self) -> Result<()> {
        let image = format!(" {}/{}@", self.proxy.address(), self.repository.full_name());
        let listed = self.docker(&["ps", "--all", "--no-trunc", "--format", "{{.Names}} {{.Image}}"])?;
        for line in listed.lines().filter(|line| line.contains(&image)) {
            let name = line.split(' ').next().unwrap_or_default();
            // An error means that it is already being removed.
            self.docker(&["rm", "--force", "--volumes", name]).ok();
        }
        let ours = format!("label={LABEL}={}", self.repository.full_name());
        for name in self.docker(&["network", "ls", "--filter", &ours, "--format", "{{.Name}}"])?.lines() {
            self.docker(&["network", "rm", "--force", name]).ok();
        }
        Ok(())
    }

    /// Removes this project's images from the engine.
    pub(crate) fn remove_images(&self) -> Result<()> {
        let image = format!("{}/{}", self.proxy.address(), self.repository.full_name());
        let listed = self.docker(&["image", "ls", "--quiet", "--no-trunc", &image])?;
        for id in listed.lines() {
            // Several names may have the same id, which is removed with the first.
            self.docker(&["image", "rm", "--force", id]).ok();
        }
        Ok(())
    }

    fn docker(&self, words: &[&str]) -> Result<String> {
        let shell = self.runner.shell()?;
        self.untrusted(self.runner.call(cmd!(shell, "docker {words...}")))?.read()
    }
}

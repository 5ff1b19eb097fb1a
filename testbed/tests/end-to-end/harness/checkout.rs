//! A clone of the repository under test, at its HEAD and without tags. A test may change it in any way.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use testbed::committed;
use testbed::run::Finished;
use xtask::process::temp_dir::{TempDir, random_hex};
use xtask::tool::docker::LABEL;

use super::{image, read, wait_for};

/// The repository under test.
const REPOSITORY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// The clone and a private directory for temporary files. Both are removed when the value is dropped.
pub(crate) struct Checkout {
    top: PathBuf,
    tmp: PathBuf,
    /// Owner and name. The name of every image that is made here ends with them.
    repository: String,
    _scratch: Option<TempDir>,
}

impl Checkout {
    /// A clone whose images have a unique name, for one platform. By this name, what the clone leaves in a registry or
    /// an engine can be distinguished from what others leave there at the same time.
    pub(crate) fn new() -> Result<Self> {
        let checkout = Self::for_both_platforms()?;
        checkout.keep_one_platform()?;
        checkout.commit("one platform")?;
        Ok(checkout)
    }

    /// Like [`Checkout::new`], with images for both platforms.
    pub(crate) fn for_both_platforms() -> Result<Self> {
        let mut checkout = Self::as_committed()?;
        checkout.call_it(&format!("acme/e2e-{}", &random_hex()?[..12]))?;
        checkout.commit("a name of its own")?;
        Ok(checkout)
    }

    /// A clone of exactly the commit under test. Two such clones give the same digest.
    pub(crate) fn as_committed() -> Result<Self> {
        let scratch = TempDir::new()?;
        let mut checkout = Self::within(scratch.path())?;
        checkout._scratch = Some(scratch);
        Ok(checkout)
    }

    /// Like [`Checkout::as_committed`], in a directory that is kept.
    pub(crate) fn within(parent: &Path) -> Result<Self> {
        let checkout = Self::cloned(parent, &["--no-tags", REPOSITORY])?;
        // A runner checks out a commit and no branch, so a clone of that has no branch either. `verify` ignores local
        // branches: it only looks at those of the remote.
        checkout.git(&["checkout", "--quiet", "-B", "main"])?;
        Ok(checkout)
    }

    /// A clone of the repository at `url`, with its tags.
    pub(crate) fn of(url: &str) -> Result<Self> {
        let scratch = TempDir::new()?;
        let mut checkout = Self::cloned(scratch.path(), &[url])?;
        checkout._scratch = Some(scratch);
        Ok(checkout)
    }

    /// A new repository without commits. Its name on the forge will be `repository`.
    pub(crate) fn started(repository: &str) -> Result<Self> {
        let scratch = TempDir::new()?;
        let (top, tmp) = (scratch.path().join("checkout"), scratch.path().join("tmp"));
        for directory in [&top, &tmp] {
            fs::create_dir(directory).with_context(|| format!("making `{}`", directory.display()))?;
        }
        read("git", &["init", "--quiet", "--initial-branch=main", text(&top)?])?;
        Ok(Self { top, tmp, repository: repository.to_owned(), _scratch: Some(scratch) })
    }

    fn cloned(parent: &Path, what: &[&str]) -> Result<Self> {
        let (top, tmp) = (parent.join("checkout"), parent.join("tmp"));
        fs::create_dir(&tmp).with_context(|| format!("making `{}`", tmp.display()))?;
        read("git", &[&["clone", "--quiet"], what, &[text(&top)?]].concat())?;
        let checkout = Self { top, tmp, repository: committed::REPOSITORY.to_owned(), _scratch: None };
        ensure!(
            checkout.git(&["rev-parse", "--is-shallow-repository"])? == "false",
            "the repository under test is shallow: run `git fetch --unshallow`"
        );
        Ok(checkout)
    }

    /// Gives the repository another owner and name, without committing.
    pub(crate) fn call_it(&mut self, repository: &str) -> Result<()> {
        let line = |repository: &str| format!("repository = \"{repository}\"");
        self.replace("Cargo.toml", &line(&self.repository), &line(repository))?;
        repository.clone_into(&mut self.repository);
        Ok(())
    }

    /// Keeps only this machine's own platform, without committing.
    pub(crate) fn keep_one_platform(&self) -> Result<()> {
        self.replace("Cargo.toml", committed::PLATFORMS, &committed::one_platform())
    }

    /// The top of the work tree.
    pub(crate) fn top(&self) -> &Path {
        &self.top
    }

    /// The `TMPDIR` of what runs here. No other process has it in its environment.
    pub(crate) fn tmp(&self) -> &Path {
        &self.tmp
    }

    /// A file beside the clone.
    pub(crate) fn beside(&self, name: &str) -> PathBuf {
        self.tmp.with_file_name(name)
    }

    /// Runs git here, with a made-up author and without this machine's settings for signing.
    pub(crate) fn git(&self, arguments: &[&str]) -> Result<String> {
        let somebody = ["-c", "user.name=e2e", "-c", "user.email=e2e@example.org"];
        let unsigned = ["-c", "commit.gpgSign=false", "-c", "tag.gpgSign=false"];
        let here = ["-C", text(&self.top)?];
        read("git", &[&here, &somebody[..], &unsigned, arguments].concat())
    }

    /// The content of a file in the last commit.
    pub(crate) fn committed(&self, path: &str) -> Result<Vec<u8>> {
        let show = super::call("git", &["-C", text(&self.top)?, "show", &format!("HEAD:{path}")])?;
        Ok(show.output()?.success()?.stdout)
    }

    /// Commits everything.
    pub(crate) fn commit(&self, subject: &str) -> Result<()> {
        self.git(&["add", "--all"])?;
        self.git(&["commit", "--quiet", "--message", subject]).map(|_| ())
    }

    /// Imports a stream for `git fast-import` on `refs/heads/imported`, and continues from there.
    pub(crate) fn import(&self, stream: &str) -> Result<()> {
        let import = super::call("git", &["-C", text(&self.top)?, "fast-import", "--quiet"])?;
        import.stdin(stream).run().context("importing commits")?;
        self.git(&["reset", "--quiet", "--hard", "imported"]).map(|_| ())
    }

    /// Writes a file in the work tree.
    pub(crate) fn write(&self, path: &str, content: &str) -> Result<()> {
        let path = self.top.join(path);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).with_context(|| format!("making `{}`", parent.display()))?;
        }
        fs::write(&path, content).with_context(|| format!("writing `{}`", path.display()))
    }

    /// Replaces the first `from`, which must be there, with `to`.
    pub(crate) fn replace(&self, path: &str, from: &str, to: &str) -> Result<()> {
        let file = self.top.join(path);
        let text = fs::read_to_string(&file).with_context(|| format!("reading `{}`", file.display()))?;
        ensure!(text.contains(from), "`{path}` does not contain `{from}`");
        self.write(path, &text.replacen(from, to, 1))
    }

    /// Makes the first stage of the build read a secret of 36 characters from the variable `name`. The line differs
    /// each time, so that no builder has a cached result for it.
    pub(crate) fn read_a_secret(&self, name: &str) -> Result<()> {
        let table = "[workspace.metadata.release]\n";
        self.replace("Cargo.toml", table, &format!("{table}build-secrets = [\"{name}\"]\n"))?;
        let file = format!("/run/secrets/{name}");
        let line = format!(
            "RUN --mount=type=secret,id={name} test \"$(wc -c < {file})\" -eq 36 && : {}\n",
            random_hex()?
        );
        self.replace("Dockerfile", " AS dependencies\n", &format!(" AS dependencies\n{line}"))?;
        self.commit("a secret of the build")
    }

    /// The page of a rehearsal here.
    pub(crate) fn page(&self, run: &Finished) -> Result<String> {
        let path = self.top.join(run.field("page")?);
        fs::read_to_string(&path).with_context(|| format!("reading `{}`", path.display()))
    }

    /// Files below `target/rehearsal`.
    pub(crate) fn pages(&self) -> Result<Vec<String>> {
        let mut names = names_in(&self.top.join("target/rehearsal"))?;
        names.sort();
        Ok(names)
    }

    /// Checks that runs here have left nothing besides pages: temporary files, containers, networks, processes.
    pub(crate) fn ensure_nothing_is_left(&self) -> Result<()> {
        let files = names_in(&self.tmp)?;
        ensure!(files.is_empty(), "left in TMPDIR: {files:?}");
        let containers = self.containers()?;
        ensure!(containers.is_empty(), "containers left: {containers:?}");
        let networks = self.networks()?;
        ensure!(networks.is_empty(), "networks left: {networks:?}");
        // docker queries its plugins, and does not wait for them to end.
        wait_for("the end of what xtask started", || Ok(super::processes::of(self)?.is_empty().then_some(())))
    }

    /// Containers from images of this clone, running or not, by name, with their state.
    pub(crate) fn containers(&self) -> Result<Vec<(String, String)>> {
        // Untruncated, because the short form leaves the digest out, or shows an id instead of the name.
        let ps = ["ps", "--all", "--no-trunc", "--format", "{{.Names}} {{.State}} {{.Image}}"];
        let all = read("docker", &ps)?;
        let ours = format!("/{}@", self.repository);
        let lines = all.lines().filter(|line| line.contains(&ours));
        let words = lines.map(|line| line.split(' ').map(str::to_owned));
        words
            .map(|mut words| words.next().zip(words.next()).context("reading `docker ps`: too few words"))
            .collect()
    }

    /// Networks that runs of this clone made, by name.
    pub(crate) fn networks(&self) -> Result<Vec<String>> {
        let ours = format!("label={LABEL}={}", self.repository);
        let names = read("docker", &["network", "ls", "--filter", &ours, "--format", "{{.Name}}"])?;
        Ok(names.lines().map(str::to_owned).collect())
    }

    /// Repositories that runs here made in the registry.
    pub(crate) fn repositories(&self) -> Result<Vec<String>> {
        let ours = format!("/{}", self.repository);
        Ok(image::catalog()?.into_iter().filter(|name| name.ends_with(&ours)).collect())
    }
}

/// The names in a directory; none if it does not exist.
fn names_in(dir: &Path) -> Result<Vec<String>> {
    if !dir.exists() {
        return Ok(Vec::new());
    }
    let name = |entry: std::io::Result<fs::DirEntry>| Ok(entry?.file_name().to_string_lossy().into_owned());
    fs::read_dir(dir)?.map(name).collect()
}

/// A path as an argument.
pub(crate) fn text(path: &Path) -> Result<&str> {
    path.to_str().with_context(|| format!("`{}` is not UTF-8", path.display()))
}

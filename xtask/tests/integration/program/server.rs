//! A repository, and servers on loopback that are both its registry and its forge.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use xshell::cmd;
use xtask::process::environment::Environment;
use xtask::process::temp_dir::TempDir;
use xtask::process::{Output, Runner};

use crate::plain_git;
use crate::servers::server::Server;

/// Every secret that a shell or a step may have, under its name there.
pub(crate) const SECRETS: [(&str, &str); 5] = [
    ("REGISTRY_TOKEN", "canary-registry"),
    ("FORGEJO_TOKEN", "canary-forgejo"),
    ("GITHUB_TOKEN", "canary-github"),
    ("COSIGN_PRIVATE_KEY", "canary-key"),
    ("COSIGN_PASSWORD", "canary-password"),
];

/// A server that requires a login for everything.
pub(crate) fn denying() -> Result<Server> {
    let challenge = || vec![("WWW-Authenticate", "Basic realm=\"packages\"".to_owned())];
    Server::start(move |_, _| (401, challenge(), Vec::new()))
}

/// A server that is too busy to answer anything.
pub(crate) fn busy() -> Result<Server> {
    Server::start(|_, _| (503, vec![("Retry-After", "0".to_owned())], Vec::new()))
}

/// A repository whose commit at `v0.1.0` releases to `host` and `image`.
pub(crate) fn repository(scratch: &TempDir, name: &str, host: &str, image: &str) -> Result<PathBuf> {
    let (root, dir) = (Path::new(env!("CARGO_MANIFEST_DIR")).join(".."), scratch.path().join(name));
    fs::create_dir_all(dir.join("service"))?;
    for file in ["Dockerfile", "service/package.json", "service/package-lock.json"] {
        fs::copy(root.join(file), dir.join(file)).with_context(|| format!("copying `{file}`"))?;
    }
    git(&dir, &["init", "--quiet"])?;
    configure(&dir, host, image)?;
    git(&dir, &["tag", "v0.1.0"])?;
    Ok(dir)
}

/// Commits a configuration.
pub(crate) fn configure(dir: &Path, host: &str, image: &str) -> Result<()> {
    let manifest = format!(
        "[workspace]\n\n[workspace.metadata.release]\nforge = \"http://{host}\"\nimage = \"{image}\"\n\
         repository = \"acme/carol\"\ntitle = \"carol\"\ndescription = \"a service\"\nlicenses = \"MIT\"\n\
         platforms = [\"linux/amd64\"]\nbranches = [\"main\"]\n\n\
         [workspace.metadata.release.smoke]\nport = 3000\nhealth = \"/healthz\"\nversion = \"/version\"\n"
    );
    fs::write(dir.join("Cargo.toml"), manifest)?;
    git(dir, &["add", "."])?;
    git(dir, &["commit", "--quiet", "--message=one"])
}

pub(crate) fn git(dir: &Path, words: &[&str]) -> Result<()> {
    plain_git::call(dir, words)?.run()
}

pub(crate) fn verify(dir: &Path, arguments: &[&str], more: &[(&str, &str)]) -> Result<Output> {
    xtask(dir, &[&["verify"], arguments].concat(), more)
}

/// Runs the program with every secret in its environment.
pub(crate) fn xtask(dir: &Path, arguments: &[&str], more: &[(&str, &str)]) -> Result<Output> {
    let runner = Runner::new(&Environment::from_process());
    let (sh, program) = (runner.shell()?, env!("CARGO_BIN_EXE_xtask"));
    let mut call = runner.call(cmd!(sh, "{program} {arguments...}")).dir(dir);
    for (name, value) in SECRETS.iter().chain(more) {
        call = call.env(name, value);
    }
    call.output().context("running xtask")
}

pub(crate) fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), output.stderr)
}

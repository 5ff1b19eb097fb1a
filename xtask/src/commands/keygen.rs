//! `cargo xtask keygen`: makes the key pair that signs every release. The public half goes into the repository. The
//! private half and its password go into a new directory outside it, for their owner to store (docs/keys.md).

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use crate::inputs::config::Config;
use crate::inputs::keys::PublicKey;
use crate::inputs::pin::document;
use crate::inputs::{PUBLIC_KEY, is_placeholder};
use crate::process::Runner;
use crate::process::environment::Environment;
use crate::process::failure::{Misuse, refused};
use crate::process::file::{self, if_any};
use crate::process::secret::Secret;
use crate::process::stdout;
use crate::process::temp_dir::{TempDir, random_hex};
use crate::refuse;
use crate::tool::cosign::{Cosign, Program};
use crate::tool::docker::DockerConfig;
use crate::tool::git::Git;

/// The files in the new directory.
pub(super) const PRIVATE_KEY: &str = "cosign.key";
pub(super) const PASSWORD: &str = "cosign.password";

/// Makes the pair; the private half goes into the new directory `directory`.
///
/// # Errors
/// A [`crate::process::failure::Refusal`] when the repository has a public key already, the directory exists, or it
/// would be inside the repository.
pub fn run(environment: &Environment, directory: &Path) -> Result<()> {
    let runner = &Runner::new(environment);
    let git = Git::here(runner)?;
    let config = Config::of_work_tree(git.root())?;
    let public_key = git.root().join(PUBLIC_KEY);
    check_free(&public_key)?;
    let directory = outside(&git, directory)?;
    if directory.try_exists().with_context(|| format!("looking for `{}`", directory.display()))? {
        refuse!(
            "`{}` is there already; name a new directory, so that no key is overwritten",
            directory.display()
        );
    }

    let parent = directory.parent().context("the new directory has no parent")?;
    let scratch = TempDir::within(parent)?;
    let docker_config = DockerConfig::new(environment, None)?;
    // Everything made so far is removed with the scratch directory, so a failure changes nothing: it is a refusal.
    let made = make_pair(&cosign(environment, runner, &config, &docker_config), scratch.path());
    made.map_err(refused)?;
    let public = fs::read(scratch.path().join(PUBLIC_KEY)).context("reading the public key")?;

    let making = || format!("making `{}`", directory.display());
    DirBuilder::new().mode(0o700).create(&directory).with_context(making)?;
    for name in [PRIVATE_KEY, PASSWORD, PUBLIC_KEY] {
        fs::rename(scratch.path().join(name), directory.join(name)).with_context(making)?;
    }
    file::replace(&public_key, &public)?;
    report(&config, &directory, &PublicKey::parse(&public).context("reading the new public key")?)
        .with_context(|| {
            format!("`{}` and `{PUBLIC_KEY}` are made; printing what to do next", directory.display())
        })
}

/// The cosign that the configuration allows.
pub(super) fn cosign<'a>(
    environment: &Environment,
    runner: &'a Runner,
    config: &Config,
    docker_config: &'a DockerConfig,
) -> Cosign<'a> {
    let program = Program::new(Path::new("cosign"), &config.cosign_digests, environment);
    Cosign::new(runner, program, docker_config, config.timeouts.cosign())
}

/// Makes a key pair and its password in the private directory `place`.
pub(super) fn make_pair(cosign: &Cosign<'_>, place: &Path) -> Result<()> {
    let password = Secret::new(format!("{}{}", random_hex()?, random_hex()?));
    cosign.generate_key_pair(&place.join("cosign"), &password)?;
    write_private(&place.join(PASSWORD), password.expose().as_bytes())
}

/// Refuses to replace a key: another key is another identity, which takes an explicit `rotate`. The placeholder
/// counts as no key.
fn check_free(public_key: &Path) -> Result<()> {
    let found = if_any(fs::read(public_key));
    let found = found.with_context(|| format!("reading `{}`", public_key.display()))?;
    if found.is_some_and(|found| !is_placeholder(&found)) {
        refuse!(
            "there is a `{PUBLIC_KEY}`, and nothing was changed; to use another key from now on run `cargo xtask rotate DIR`; if \
             nothing was released with it, `git rm {PUBLIC_KEY}` and run this again ({})",
            document!("keys.md")
        );
    }
    Ok(())
}

/// The absolute path of the directory to make. It must not be inside the repository, where it could be committed.
pub(super) fn outside(git: &Git, directory: &Path) -> Result<PathBuf> {
    let shown = directory.display();
    let misuse =
        |why: String| Misuse::new(format!("`{shown}` {why}; name a new directory, such as `~/release-keys`"));
    let name = directory.file_name().ok_or_else(|| misuse("does not end in a name".to_owned()))?;
    let parent = directory.parent().filter(|parent| *parent != Path::new("")).unwrap_or(Path::new("."));
    let parent =
        parent.canonicalize().map_err(|error| misuse(format!("is not in a readable directory ({error})")))?;
    let root = git.root().canonicalize().context("finding the top of the repository")?;
    if parent.starts_with(root) {
        refuse!(
            "`{shown}` would be in the repository, where a private key can be committed; name a directory outside of it"
        );
    }
    Ok(parent.join(name))
}

/// Makes a new file that only its owner may read.
fn write_private(path: &Path, bytes: &[u8]) -> Result<()> {
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    let written = file.and_then(|mut file: File| file.write_all(bytes).and_then(|()| file.sync_all()));
    written.with_context(|| format!("writing `{}`", path.display()))
}

fn report(config: &Config, directory: &Path, public: &PublicKey) -> Result<()> {
    let directory = directory.display();
    stdout::print(&format!(
        "public key   {PUBLIC_KEY}\n\
         fingerprint  {}\n\
         private key  {directory}/{PRIVATE_KEY}\n\
         password     {directory}/{PASSWORD}\n\n\
         1. Commit the public key: `git add {PUBLIC_KEY} && git commit --message 'keys: the release key'`\n\
         2. Store two secrets at {}/settings/actions/secrets:\n   \
         `COSIGN_PRIVATE_KEY`, all of `{PRIVATE_KEY}` with its line breaks\n   \
         `COSIGN_PASSWORD`, what is in `{PASSWORD}`, without a line break after it\n\
         3. Move `{directory}` to two offline media: {} says why\n",
        public.fingerprint(),
        config.source_url(),
        document!("keys.md")
    ))
}

//! `cargo xtask rotate`: another key signs from the next version on, and the present key endorses it. If a rotation is
//! interrupted at any point, the same command completes it.
//!
//! The order of the [`STEPS`] makes that possible. The new pair is complete in its directory before anything names
//! it. Replacing the list of keys is the last step that needs the old key. From then on the list describes the
//! rotation, and the remaining steps follow from it.

mod plan;
mod write;

use std::fs::{self, DirBuilder};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use crate::inputs::PUBLIC_KEY;
use crate::inputs::config::Config;
use crate::inputs::keys::{Entry, HISTORY, PublicKey, check_words, endorsement_file, public_file, statement};
use crate::process::Runner;
use crate::process::environment::Environment;
use crate::process::failure::Misuse;
use crate::process::file::{if_any, replace};
use crate::process::secret::Secret;
use crate::refuse;
use crate::tool::cosign::{Cosign, SigningKey};
use crate::tool::docker::DockerConfig;
use crate::tool::git::Git;

use super::keygen::{self, PASSWORD, PRIVATE_KEY};
use super::policies;
use plan::Plan;

/// What to rotate, and how.
pub struct Options {
    /// The directory for the new pair, outside the repository: a new one, or that of an interrupted rotation.
    pub directory: PathBuf,
    /// Why the present key cannot endorse the new one, if it cannot.
    pub lost: Option<String>,
}

/// The number of steps. Each step can be repeated.
pub const STEPS: usize = 6;

/// What the steps work with.
struct Rotation<'a> {
    git: &'a Git,
    config: &'a Config,
    cosign: &'a Cosign<'a>,
    directory: &'a Path,
    plan: Plan,
}

/// Rotates the key.
///
/// # Errors
/// A [`crate::process::failure::Refusal`] when the rotation is impossible; nothing was changed then. After any other
/// error, run it again.
pub fn run(environment: &Environment, options: &Options) -> Result<()> {
    let git = Git::here(&Runner::new(environment))?;
    run_steps(environment, &git, options, STEPS)
}

/// As [`run`], in the repository of `git`, but stops after `most` steps, as a power failure would. For the tests.
///
/// # Errors
/// As [`run`].
pub fn run_steps(environment: &Environment, git: &Git, options: &Options, most: usize) -> Result<()> {
    let runner = &Runner::new(environment);
    let config = &Config::of_work_tree(git.root())?;
    let docker_config = DockerConfig::new(environment, None)?;
    let cosign = &keygen::cosign(environment, runner, config, &docker_config);
    if let Some(words) = &options.lost {
        check_words(words).map_err(|error| Misuse::new(format!("`--lost`: {error:#}")))?;
    }
    let directory = &keygen::outside(git, &options.directory)?;
    let pair = read_pair(cosign, directory)?;
    let plan = Plan::of(git, pair.as_ref(), options.lost.as_deref())?;
    let old = match &plan {
        Plan::Begin { present, lost: None, .. } => Some(present_key(environment, cosign, present)?),
        _ => None,
    };
    let rotation = Rotation { git, config, cosign, directory, plan };
    let steps: [&dyn Fn() -> Result<()>; STEPS] = [
        &|| rotation.make_pair(),
        &|| rotation.write_public_keys(),
        &|| rotation.write_endorsement(old.as_ref()),
        &|| rotation.write_history(),
        &|| rotation.write_present_key(),
        &|| policies::write_all(git.root()),
    ];
    for step in steps.iter().take(most) {
        crate::process::interrupt::check()?;
        step()?;
    }
    if most == STEPS { rotation.report() } else { Ok(()) }
}

/// The present signing key, from the environment. Its public half must be the repository's.
fn present_key(environment: &Environment, cosign: &Cosign<'_>, present: &PublicKey) -> Result<SigningKey> {
    let private_key = environment.secret("COSIGN_PRIVATE_KEY")?.filter(|key| !key.expose().is_empty());
    let (Some(private_key), Some(password)) = (private_key, environment.secret("COSIGN_PASSWORD")?) else {
        refuse!(
            "`COSIGN_PRIVATE_KEY` or `COSIGN_PASSWORD` is not set: the key that signs now has to endorse the new one; set both, \
             or, if it is lost, add `--lost \"WHY\"`, which every verification reports from then on"
        );
    };
    let key = SigningKey::new(private_key, password);
    let derived = cosign.public_half(&key).context(
        "`COSIGN_PRIVATE_KEY` cannot be read with `COSIGN_PASSWORD`; set both again, the key as the whole PEM text with its \
         line breaks, the password without one at its end",
    )?;
    if derived != *present {
        refuse!(
            "the key in `COSIGN_PRIVATE_KEY` has the public half `{}`, and the present key is `{}`; set the one that signs now",
            derived.fingerprint(),
            present.fingerprint()
        );
    }
    Ok(key)
}

/// The public half of the pair in `directory`, which an earlier run made. `None` if there is no such directory.
fn read_pair(cosign: &Cosign<'_>, directory: &Path) -> Result<Option<PublicKey>> {
    let shown = directory.display();
    if !directory.try_exists().with_context(|| format!("looking for `{shown}`"))? {
        return Ok(None);
    }
    let read = |name: &str| fs::read_to_string(directory.join(name));
    let (Ok(private_key), Ok(password), Ok(public)) = (read(PRIVATE_KEY), read(PASSWORD), read(PUBLIC_KEY))
    else {
        refuse!("`{shown}` is there already, but does not hold a key pair; name a new directory");
    };
    let key = SigningKey::new(Secret::new(private_key), Secret::new(password));
    let derived = cosign.public_half(&key).with_context(|| format!("reading the key pair in `{shown}`"))?;
    let public = PublicKey::parse(public.as_bytes());
    let public = public.with_context(|| format!("reading `{shown}/{PUBLIC_KEY}`"))?;
    if derived != public {
        refuse!("`{shown}` holds two halves of different keys; name a new directory");
    }
    Ok(Some(public))
}

impl Rotation<'_> {
    /// Makes the pair; the directory appears complete or not at all.
    fn make_pair(&self) -> Result<()> {
        let directory = self.directory;
        let shown = directory.display();
        if directory.try_exists().with_context(|| format!("looking for `{shown}`"))? {
            return Ok(());
        }
        let mut unfinished = directory.as_os_str().to_owned();
        unfinished.push(".unfinished");
        let unfinished = Path::new(&unfinished);
        let doing = || format!("making `{}`", unfinished.display());
        remove_unfinished(unfinished).with_context(doing)?;
        DirBuilder::new().mode(0o700).create(unfinished).with_context(doing)?;
        keygen::make_pair(self.cosign, unfinished)?;
        fs::rename(unfinished, directory).with_context(|| format!("making `{shown}`"))
    }

    fn new_key(&self) -> Result<PublicKey> {
        let path = self.directory.join(PUBLIC_KEY);
        let doing = || format!("reading `{}`", path.display());
        PublicKey::parse(&fs::read(&path).with_context(doing)?).with_context(doing)
    }

    fn write_public_keys(&self) -> Result<()> {
        let Plan::Begin { number, present, .. } = &self.plan else { return Ok(()) };
        let root = self.git.root();
        if *number == 2 {
            replace(&root.join(public_file(1)), present.pem().as_bytes())?;
        }
        replace(&root.join(public_file(*number)), self.new_key()?.pem().as_bytes())
    }

    fn write_endorsement(&self, old: Option<&SigningKey>) -> Result<()> {
        let Plan::Begin { number, present, from, .. } = &self.plan else { return Ok(()) };
        let (root, file) = (self.git.root(), endorsement_file(*number));
        let Some(old) = old else { return write::remove(root, &file) };
        let text = statement(&present.fingerprint(), &self.new_key()?.fingerprint(), from);
        let signature = self.cosign.sign_blob(old, text.as_bytes()).context("endorsing the new key")?;
        let verified = self.cosign.verify_blob(present.pem().as_bytes(), &signature, text.as_bytes())?;
        verified
            .map_err(|words| anyhow::anyhow!("cosign does not accept what it has just signed: {words}"))?;
        replace(&root.join(file), format!("{signature}\n").as_bytes())
    }

    fn write_history(&self) -> Result<()> {
        let Plan::Begin { first, present, from, lost, .. } = &self.plan else { return Ok(()) };
        let root = self.git.root();
        let entry = Entry {
            fingerprint: self.new_key()?.fingerprint(),
            from: from.clone(),
            also: Vec::new(),
            unendorsed: lost.clone(),
            retired: false,
        };
        let first = first.clone().map(|from| (present.fingerprint(), from));
        let text = write::history(root, first, &entry)?;
        replace(&root.join(HISTORY), text.as_bytes())
    }

    fn write_present_key(&self) -> Result<()> {
        replace(&self.git.root().join(PUBLIC_KEY), self.new_key()?.pem().as_bytes())
    }

    fn report(&self) -> Result<()> {
        write::report(self.git.root(), self.config, self.directory)
    }
}

/// Removes the incomplete pair that an interrupted run left in `directory`.
///
/// # Errors
/// A [`crate::process::failure::Refusal`] when there is anything else.
fn remove_unfinished(directory: &Path) -> Result<()> {
    let Some(found) = if_any(fs::symlink_metadata(directory))? else { return Ok(()) };
    let mut is_ours = found.is_dir();
    if is_ours {
        for entry in fs::read_dir(directory)? {
            let entry = entry?;
            let is_known = [PRIVATE_KEY, PASSWORD, PUBLIC_KEY].iter().any(|name| entry.file_name() == *name);
            is_ours &= is_known && entry.file_type()?.is_file();
        }
    }
    if !is_ours {
        refuse!(
            "`{}` is there already, and is not what an interrupted rotation leaves behind; move it away, or name another \
             new directory for the key pair",
            directory.display()
        );
    }
    Ok(fs::remove_dir_all(directory)?)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::remove_unfinished;
    use crate::process::failure::exit_code;
    use crate::process::temp_dir::TempDir;

    #[test]
    fn only_what_an_interrupted_rotation_left_behind_is_removed() {
        let scratch = TempDir::new().unwrap();
        let directory = &scratch.path().join("keys.unfinished");
        remove_unfinished(directory).unwrap();
        for files in [&[][..], &["cosign.key"], &["cosign.key", "cosign.pub", "cosign.password"]] {
            fs::create_dir(directory).unwrap();
            files.iter().for_each(|file| fs::write(directory.join(file), "").unwrap());
            remove_unfinished(directory).unwrap();
            assert!(!directory.exists(), "{files:?}");
        }
        fs::create_dir_all(directory.join("cosign.pub")).unwrap();
        assert_eq!(exit_code(&remove_unfinished(directory).unwrap_err()), 3);
        fs::remove_dir(directory.join("cosign.pub")).unwrap();
        fs::write(directory.join("cosign.key"), "").unwrap();
        fs::write(directory.join("thesis.txt"), "").unwrap();
        let error = remove_unfinished(directory).unwrap_err();
        assert!(format!("{error:#}").contains("keys.unfinished") && exit_code(&error) == 3, "{error:#}");
        assert!(directory.join("thesis.txt").exists() && directory.join("cosign.key").exists());
        let link = &scratch.path().join("link.unfinished");
        symlink(directory, link).unwrap();
        assert_eq!(exit_code(&remove_unfinished(link).unwrap_err()), 3);
    }
}

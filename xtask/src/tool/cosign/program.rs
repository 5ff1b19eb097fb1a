//! Which file runs as cosign. With pinned digests it is a private copy, and the copy is hashed. So the hashed bytes are
//! what runs, even if somebody else may write to cosign's directory. Keeping the original file open would not be
//! enough: its owner can write to it between the hash and the start.

use std::fs::{File, OpenOptions};
use std::io::{Read as _, copy};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context as _, Result, ensure};
use nix::sys::statvfs::{FsFlags, statvfs};

use super::INSTALL;
use super::known::name_of;
use crate::oci::reference::Digest;
use crate::process::environment::Environment;
use crate::process::temp_dir::TempDir;
use crate::refuse;

/// cosign 3.1 has 130 MB.
const MAX_SIZE: u64 = 1 << 30;

/// cosign by name or path, possibly restricted to files with certain digests.
#[derive(Clone)]
pub struct Program(Arc<Inner>);

struct Inner {
    name: PathBuf,
    pins: Vec<Digest>,
    environment: Environment,
    copy: Mutex<Option<Copy>>,
}

struct Copy {
    digest: Digest,
    path: PathBuf,
    /// Removed together with the last clone.
    _directory: TempDir,
}

impl From<&str> for Program {
    /// cosign by name, with any digest.
    fn from(name: &str) -> Self {
        Self::new(Path::new(name), &[], &Environment::default())
    }
}

impl Program {
    /// `name` is `cosign` or a path to a cosign. With `pins`, only a file with one of these digests is run.
    #[must_use]
    pub fn new(name: &Path, pins: &[Digest], environment: &Environment) -> Self {
        let (name, pins) = (name.to_owned(), pins.to_vec());
        Self(Arc::new(Inner { name, pins, environment: environment.clone(), copy: Mutex::new(None) }))
    }

    /// The file to run.
    ///
    /// # Errors
    /// A [`crate::process::failure::Refusal`] when the digest is not among the pins. In that case nothing has been
    /// started. Other errors when the program is not on the PATH or cannot be copied.
    pub(super) fn path(&self) -> Result<PathBuf> {
        if self.0.pins.is_empty() {
            Ok(self.0.name.clone())
        } else {
            self.with_copy(|copy| copy.path.clone())
        }
    }

    /// The digest of the file to run; `None` without pins.
    ///
    /// # Errors
    /// As [`Program::path`].
    pub fn digest(&self) -> Result<Option<Digest>> {
        if self.0.pins.is_empty() { Ok(None) } else { self.with_copy(|copy| Some(copy.digest.clone())) }
    }

    fn with_copy<T>(&self, use_it: impl FnOnce(&Copy) -> T) -> Result<T> {
        let mut copy = self.0.copy.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(copy) = &*copy {
            return Ok(use_it(copy));
        }
        Ok(use_it(copy.insert(self.make_copy()?)))
    }

    fn make_copy(&self) -> Result<Copy> {
        let Inner { name, pins, environment, .. } = &*self.0;
        let found = environment.find_program(name)?;
        let found = found.with_context(|| format!("`{}` is not on the PATH; {INSTALL}", name.display()))?;
        let directory = TempDir::new()?;
        let path = directory.path().join("cosign");
        let digest = copied(&found, &path).with_context(|| format!("copying `{}`", found.display()))?;
        if !pins.contains(&digest) {
            let name = name_of(&digest).map(|name| format!(", Sigstore's own {name}")).unwrap_or_default();
            refuse!(
                "the digest of `{}` is `{digest}`{name}, which is not among `cosign-digests` in `Cargo.toml`, and it was not \
                 started; install a pinned one, or add the digest after checking where the file came from",
                found.display()
            );
        }
        let flags =
            statvfs(directory.path()).context("asking how the temporary directory is mounted")?.flags();
        ensure!(
            !flags.contains(FsFlags::ST_NOEXEC),
            "`{}` is mounted with `noexec`, and cosign is started from there; set `TMPDIR` to another directory",
            directory.path().display()
        );
        Ok(Copy { digest, path, _directory: directory })
    }
}

/// Makes a copy, and hashes the copy.
fn copied(from: &Path, to: &Path) -> Result<Digest> {
    let source = File::open(from)?;
    let size = source.metadata()?.size();
    ensure!(size <= MAX_SIZE, "it has {size} bytes, and no cosign has more than {MAX_SIZE}");
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o500).open(to)?;
    copy(&mut source.take(MAX_SIZE), &mut file)?;
    // A file that is open for writing cannot be executed.
    drop(file);
    Ok(Digest::of_reader(File::open(to)?)?)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

    use super::Program;
    use crate::oci::reference::Digest;
    use crate::process::environment::Environment;
    use crate::process::failure::exit_code;
    use crate::process::temp_dir::TempDir;

    #[test]
    fn a_pinned_cosign_runs_from_a_private_copy_whose_digest_was_checked() {
        let scratch = TempDir::new().unwrap();
        let cosign = scratch.path().join("cosign");
        fs::write(&cosign, "#!/bin/sh\necho one\n").unwrap();
        fs::set_permissions(&cosign, fs::Permissions::from_mode(0o755)).unwrap();
        let pin = Digest::of(b"#!/bin/sh\necho one\n");
        let environment = Environment::default();
        let program = Program::new(&cosign, std::slice::from_ref(&pin), &environment);
        let path = program.path().unwrap();
        assert_eq!(program.digest().unwrap(), Some(pin.clone()));
        fs::write(&cosign, "#!/bin/sh\necho two\n").unwrap();
        assert_eq!(fs::read(program.clone().path().unwrap()).unwrap(), b"#!/bin/sh\necho one\n");
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o500);
        drop(program);
        assert!(!path.exists());
        let error = Program::new(&cosign, &[pin], &environment).path().unwrap_err();
        assert_eq!(exit_code(&error), 3, "{error:#}");
        assert!(error.to_string().contains("not among `cosign-digests`"), "{error:#}");
        assert_eq!(Program::new(&cosign, &[], &environment).path().unwrap(), cosign);
    }
}

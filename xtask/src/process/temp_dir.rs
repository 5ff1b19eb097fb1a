//! Private temporary directories: mode 0700, an unguessable name, removed when the work ends, also after an error or
//! a signal.

use std::fs::{self, DirBuilder, File, TryLockError};
use std::io::{self, Read as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use nix::errno::Errno;
use nix::fcntl::OFlag;

use crate::process::environment::temporary_directory;
use crate::process::file::if_any;
use crate::process::stderr;

/// The prefix of a directory's name when it holds secrets. A directory gets such a name only after it was locked.
const SECRETS: &str = "xtask-secrets-";

/// A directory that only this user can read. Dropping the value removes it.
pub struct TempDir {
    path: PathBuf,
    is_there: bool,
    /// Held as long as the directory is used; the kernel releases it when the process ends, however it ends.
    lock: Option<File>,
}

impl TempDir {
    /// Makes `<temporary directory>/xtask-<random>`.
    ///
    /// # Errors
    /// When the directory cannot be made, for example on a full disk.
    pub fn new() -> Result<Self> {
        Self::within(&temporary_directory())
    }

    /// Makes `<parent>/xtask-<random>`.
    ///
    /// # Errors
    /// As [`TempDir::new`].
    pub fn within(parent: &Path) -> Result<Self> {
        let path = parent.join(format!("xtask-{}", random_hex()?));
        DirBuilder::new()
            .mode(0o700)
            .create(&path)
            .with_context(|| format!("making the private directory `{}`", path.display()))?;
        Ok(Self { path, is_there: true, lock: None })
    }

    /// Makes a directory for secrets, and removes those that killed processes of this user have left.
    ///
    /// # Errors
    /// As [`TempDir::new`], and when one that was left cannot be removed.
    pub fn for_secrets() -> Result<Self> {
        Self::for_secrets_within(&temporary_directory())
    }

    fn for_secrets_within(parent: &Path) -> Result<Self> {
        let mut made = Self::within(parent)?;
        let own = made.path.metadata().context("looking at a private directory")?.uid();
        remove_left(parent, own).with_context(|| {
            let place = parent.display();
            format!("removing what killed runs have left as `{place}/{SECRETS}*`: it may hold a login; remove it by hand")
        })?;
        let lock = open(&made.path).context("opening a private directory")?;
        match lock.try_lock() {
            Ok(()) => {}
            // Without the prefix, no other process takes the directory for a leftover.
            Err(TryLockError::Error(error)) if has_no_locks(&error) => return Ok(made),
            Err(error) => return Err(error).context("locking a private directory"),
        }
        // The directory gets this name only now, because another process removes one that has the name but no lock.
        let path = parent.join(format!("{SECRETS}{}", random_hex()?));
        fs::rename(&made.path, &path).context("naming a private directory")?;
        (made.path, made.lock) = (path, Some(lock));
        Ok(made)
    }

    /// Moves the directory to `place` and replaces what is there. Readers never see a part of it. A process that is
    /// killed between the two moves leaves the old directory at `<place>.old`.
    ///
    /// # Errors
    /// When `place` is on another file system or cannot be replaced. What is there stays.
    pub fn persist(mut self, place: &Path) -> Result<()> {
        let doing = || format!("putting `{}` in its place", place.display());
        let mut old = place.to_owned().into_os_string();
        old.push(".old");
        let old = PathBuf::from(old);
        let replaces = if_any(place.symlink_metadata()).with_context(doing)?.is_some();
        // While nothing is at `place`, the old directory may be the only one.
        if replaces {
            if_any(fs::remove_dir_all(&old)).with_context(doing)?;
            fs::rename(place, &old).with_context(doing)?;
        }
        if let Err(error) = fs::rename(&self.path, place) {
            if replaces {
                let still = || format!("{error}; the old directory is still at `{}`", old.display());
                fs::rename(&old, place).with_context(still).with_context(doing)?;
            }
            return Err(error).with_context(doing);
        }
        self.path = old;
        self.is_there = self.path.exists();
        Ok(())
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for TempDir {
    fn drop(&mut self) {
        if !self.is_there {
            return;
        }
        if let Err(error) = fs::remove_dir_all(&self.path) {
            stderr::line(format_args!(
                "xtask: removing `{}`: {error}; remove it by hand",
                self.path.display()
            ));
        }
    }
}

/// Whether the file system cannot lock files.
fn has_no_locks(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::Unsupported
        || error.raw_os_error().is_some_and(|code| code == Errno::ENOLCK as i32)
}

/// Removes the directories for secrets in `parent` that belong to the user `own` and to no running process.
fn remove_left(parent: &Path, own: u32) -> io::Result<()> {
    for entry in fs::read_dir(parent)? {
        let entry = entry?;
        if !entry.file_name().to_string_lossy().starts_with(SECRETS) {
            continue;
        }
        if_any((|| {
            let metadata = entry.path().symlink_metadata()?;
            if !metadata.is_dir() || metadata.uid() != own {
                return Ok(());
            }
            match open(&entry.path())?.try_lock() {
                Ok(()) => fs::remove_dir_all(entry.path()),
                Err(TryLockError::WouldBlock) => Ok(()),
                Err(TryLockError::Error(error)) => Err(error),
            }
        })())?;
    }
    Ok(())
}

/// Opens a directory, to lock it.
fn open(path: &Path) -> io::Result<File> {
    let flags = OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW;
    File::options().read(true).custom_flags(flags.bits()).open(path)
}

/// 128 random bits in hexadecimal.
///
/// # Errors
/// When the system's random source cannot be read.
pub fn random_hex() -> Result<String> {
    let mut bytes = [0_u8; 16];
    File::open("/dev/urandom")
        .and_then(|mut source| source.read_exact(&mut bytes))
        .context("reading random bytes from `/dev/urandom`")?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

#[cfg(test)]
mod tests {
    use super::TempDir;
    use std::os::unix::fs::PermissionsExt as _;
    use std::time::{Duration, Instant};

    #[test]
    fn a_directory_is_private_and_removed_on_drop() {
        let scratch = TempDir::new().unwrap();
        let path = scratch.path().to_owned();
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o700);
        std::fs::write(path.join("file"), "x").unwrap();
        drop(scratch);
        assert!(!path.exists());
    }

    #[test]
    fn only_directories_for_secrets_of_killed_processes_are_removed() {
        let parent = TempDir::new().unwrap();
        let used = TempDir::for_secrets_within(parent.path()).unwrap();
        let mut killed = TempDir::for_secrets_within(parent.path()).unwrap();
        std::fs::write(killed.path().join("config.json"), "a login").unwrap();
        killed.lock = None;
        for other in ["xtask-other", "secrets"] {
            std::fs::create_dir(parent.path().join(other)).unwrap();
        }
        std::fs::write(parent.path().join("xtask-secrets-file"), "x").unwrap();
        let link = parent.path().join("xtask-secrets-link");
        std::os::unix::fs::symlink(parent.path().join("secrets"), &link).unwrap();

        // A child that another test starts has a copy of the lock until its program runs.
        let deadline = Instant::now() + Duration::from_secs(10);
        let next = loop {
            let next = TempDir::for_secrets_within(parent.path()).unwrap();
            if !killed.path().exists() || Instant::now() > deadline {
                break next;
            }
        };
        assert!(used.path().exists() && next.path().exists() && !killed.path().exists());
        assert!(link.is_dir() && parent.path().join("xtask-other").exists());
        killed.is_there = false;
        drop((used, next));
        let left: Vec<_> =
            parent.path().read_dir().unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left.len(), 4, "{left:?}");
    }

    #[test]
    fn a_directory_can_replace_an_older_one() {
        let parent = TempDir::new().unwrap();
        let place = parent.path().join("place");
        for text in ["first", "second"] {
            let scratch = TempDir::within(parent.path()).unwrap();
            std::fs::write(scratch.path().join("file"), text).unwrap();
            scratch.persist(&place).unwrap();
            assert_eq!(std::fs::read_to_string(place.join("file")).unwrap(), text);
            assert_eq!(parent.path().read_dir().unwrap().count(), 1, "nothing else is left");
        }
    }

    #[test]
    fn a_directory_that_cannot_be_replaced_stays() {
        let parent = TempDir::new().unwrap();
        let (place, old) = (parent.path().join("place"), parent.path().join("place.old"));
        std::fs::create_dir(&place).unwrap();
        std::fs::write(place.join("file"), "first").unwrap();
        // A directory that is gone cannot be moved, just as one on another file system.
        let replace = || {
            let mut scratch = TempDir::within(parent.path()).unwrap();
            std::fs::remove_dir(scratch.path()).unwrap();
            scratch.is_there = false;
            scratch.persist(&place)
        };
        for _ in 0..2 {
            assert!(replace().is_err());
            assert_eq!(std::fs::read_to_string(place.join("file")).unwrap(), "first");
        }
        // A killed process has left it like this.
        std::fs::rename(&place, &old).unwrap();
        assert!(replace().is_err());
        assert_eq!(std::fs::read_to_string(old.join("file")).unwrap(), "first");
        TempDir::within(parent.path()).unwrap().persist(&place).unwrap();
        assert!(place.exists() && !old.exists());
    }
}

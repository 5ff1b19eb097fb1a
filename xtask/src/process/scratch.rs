//! Private temporary directories: mode 0700, an unguessable name, removed however the process ends its work.

use std::fs::{self, DirBuilder, File};
use std::io::{self, Read as _};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use crate::process::environment::temporary_directory;

/// A directory that only this user can read. Dropping the value removes it.
pub struct Scratch {
    path: PathBuf,
    is_there: bool,
}

impl Scratch {
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
    /// As [`Scratch::new`].
    pub fn within(parent: &Path) -> Result<Self> {
        let path = parent.join(format!("xtask-{}", random_hex()?));
        DirBuilder::new()
            .mode(0o700)
            .create(&path)
            .with_context(|| format!("making the private directory `{}`", path.display()))?;
        Ok(Self { path, is_there: true })
    }

    /// Moves it to `place` and replaces what is there. Readers see either the old directory or the new one.
    ///
    /// # Errors
    /// When `place` is on another file system or cannot be replaced.
    pub fn become_directory(mut self, place: &Path) -> Result<()> {
        let doing = || format!("putting `{}` in its place", place.display());
        let old = place.with_extension("old");
        let unless_missing = |result: io::Result<()>| match result {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error).with_context(doing),
            _ => Ok(()),
        };
        unless_missing(fs::remove_dir_all(&old))?;
        unless_missing(fs::rename(place, &old))?;
        fs::rename(&self.path, place).with_context(doing)?;
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

impl Drop for Scratch {
    fn drop(&mut self) {
        if !self.is_there {
            return;
        }
        if let Err(error) = fs::remove_dir_all(&self.path) {
            eprintln!("xtask: removing `{}`: {error}; remove it by hand", self.path.display());
        }
    }
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
    use super::Scratch;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn it_is_private_and_gone_afterwards() {
        let scratch = Scratch::new().unwrap();
        let path = scratch.path().to_owned();
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o700);
        std::fs::write(path.join("file"), "x").unwrap();
        drop(scratch);
        assert!(!path.exists());
    }

    #[test]
    fn it_takes_the_place_of_an_older_directory() {
        let parent = Scratch::new().unwrap();
        let place = parent.path().join("place");
        for text in ["first", "second"] {
            let scratch = Scratch::within(parent.path()).unwrap();
            std::fs::write(scratch.path().join("file"), text).unwrap();
            scratch.become_directory(&place).unwrap();
            assert_eq!(std::fs::read_to_string(place.join("file")).unwrap(), text);
            assert_eq!(parent.path().read_dir().unwrap().count(), 1, "nothing else is left");
        }
    }
}

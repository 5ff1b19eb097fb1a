//! Private temporary directories: mode 0700, an unguessable name, removed on every way out.

use std::fs::{self, DirBuilder, File};
use std::io::Read as _;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

/// A directory that only this user can read and that goes away with the value.
pub struct Scratch {
    path: PathBuf,
}

impl Scratch {
    /// Makes `<temporary directory>/xtask-<random>`.
    ///
    /// # Errors
    /// When the directory cannot be made, a full disk included.
    pub fn new() -> Result<Self> {
        Self::within(&std::env::temp_dir())
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
        Ok(Self { path })
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
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
}

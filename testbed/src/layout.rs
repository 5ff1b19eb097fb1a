//! Where everything is kept: one state directory outside `target/`, so that a fresh clone finds what an older one
//! made.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use xtask::process::environment::Environment;

/// The kernel's limit for the path of a unix socket, less what containerd appends to its own.
const MAX_SOCKET_PATH_LEN: usize = 107 - ".ttrpc".len();

/// The paths below the state directory.
#[derive(Clone)]
pub(crate) struct Layout {
    root: PathBuf,
}

impl Layout {
    /// `TESTBED_DIR`, else `$XDG_CACHE_HOME/carol-testbed`, else `~/.cache/carol-testbed`. Creates nothing.
    pub(crate) fn from_environment(environment: &Environment) -> Result<Self> {
        let root = match (environment.get("TESTBED_DIR")?, environment.get("XDG_CACHE_HOME")?) {
            (Some(dir), _) => PathBuf::from(dir),
            (None, Some(cache)) => Path::new(cache).join("carol-testbed"),
            (None, None) => {
                let home = environment.get("HOME")?.context(
                    "looking for a cache directory: neither `TESTBED_DIR`, `XDG_CACHE_HOME` nor `HOME` is set; \
                     set `TESTBED_DIR` to a directory of its own",
                )?;
                Path::new(home).join(".cache/carol-testbed")
            }
        };
        if !root.is_absolute() {
            bail!("`{}` is not an absolute path; set `TESTBED_DIR` to one", root.display());
        }
        let layout = Self { root };
        let longest = layout.run("containerd-2.sock");
        if longest.as_os_str().len() > MAX_SOCKET_PATH_LEN {
            bail!(
                "`{}` is longer than the {MAX_SOCKET_PATH_LEN} bytes that a socket's path may have; \
                 set `TESTBED_DIR` to a shorter directory",
                longest.display()
            );
        }
        Ok(layout)
    }

    /// The state directory itself.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// The lock of the process that changes the state directory.
    pub(crate) fn lock(&self) -> PathBuf {
        self.root.join("lock")
    }

    /// Fetched files, kept for the next time that something is unpacked or built from them.
    pub(crate) fn downloads(&self, name: &str) -> PathBuf {
        self.root.join("downloads").join(name)
    }

    /// One provisioned part. It has this name only once it is complete.
    pub(crate) fn prefix(&self, name: &str) -> PathBuf {
        self.root.join("prefix").join(name)
    }

    /// Files of the running testbed: sockets, configurations, logs, exports.
    pub(crate) fn run(&self, name: &str) -> PathBuf {
        self.root.join("run").join(name)
    }

    /// What the services store: images, layers, blobs.
    pub(crate) fn data(&self, name: &str) -> PathBuf {
        self.root.join("data").join(name)
    }

    /// The output of a service.
    pub(crate) fn log(&self, service: &str) -> PathBuf {
        self.run(&format!("{service}.log"))
    }

    /// What `env` prints, written at the end of `up`.
    pub(crate) fn state(&self) -> PathBuf {
        self.run("state.json")
    }
}

#[cfg(test)]
mod tests {
    use super::Layout;
    use xtask::process::environment::Environment;

    fn root(pairs: &[(&str, &str)]) -> Result<String, String> {
        let environment = Environment::from_pairs(pairs.iter().copied());
        match Layout::from_environment(&environment) {
            Ok(layout) => Ok(layout.root().display().to_string()),
            Err(error) => Err(error.to_string()),
        }
    }

    #[test]
    fn the_explicit_directory_comes_first_then_the_cache_then_home() {
        let (testbed, cache, home) = (("TESTBED_DIR", "/t"), ("XDG_CACHE_HOME", "/c"), ("HOME", "/h"));
        assert_eq!(root(&[testbed, cache, home]).unwrap(), "/t");
        assert_eq!(root(&[cache, home]).unwrap(), "/c/carol-testbed");
        assert_eq!(root(&[home]).unwrap(), "/h/.cache/carol-testbed");
    }

    #[test]
    fn a_missing_relative_or_too_long_directory_is_refused_with_a_reason() {
        assert!(root(&[]).unwrap_err().contains("set `TESTBED_DIR`"));
        assert!(root(&[("TESTBED_DIR", "relative")]).unwrap_err().contains("absolute"));
        let long = format!("/{}", "d".repeat(100));
        assert!(root(&[("TESTBED_DIR", &long)]).unwrap_err().contains("shorter"));
    }
}

//! The platform for which packages are installed, in npm's terms.

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};

use super::entry::Entry;
use crate::oci::platform::Platform;

/// The C library of an image, or the one with which a file is linked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Libc {
    /// The C library of Debian and most others.
    Glibc,
    /// The C library of Alpine.
    Musl,
}

impl Libc {
    /// The word for `npm --libc`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Glibc => "glibc",
            Self::Musl => "musl",
        }
    }
}

/// A platform in the terms of `npm --os --cpu --libc`, in which packages declare where they run.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Target {
    /// `process.platform`, such as `linux`.
    pub os: String,
    /// `process.arch`, such as `x64`.
    pub cpu: String,
    /// The C library.
    pub libc: Libc,
}

impl Target {
    /// The platform in npm's terms, with Node.js's name for the architecture.
    ///
    /// # Errors
    /// When Node.js has no name for the architecture.
    pub fn new(platform: &Platform, libc: Libc) -> Result<Self> {
        let cpu = platform.node_architecture().with_context(|| {
            format!(
                "Node.js has no name for the platform `{platform}`: expected one such as `linux/amd64` or `linux/arm64`"
            )
        })?;
        Ok(Self { os: "linux".to_owned(), cpu: cpu.to_owned(), libc })
    }

    /// Whether the package declares that it runs here, by npm's rule (`checkPlatform` of its `npm-install-checks`).
    pub(super) fn fits(&self, entry: &Entry) -> bool {
        fits(&self.os, entry.os.list())
            && fits(&self.cpu, entry.cpu.list())
            && fits(self.libc.as_str(), entry.libc.list())
    }
}

impl std::fmt::Display for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {} {}", self.os, self.cpu, self.libc.as_str())
    }
}

/// Accepts no value that is listed with `!`. If there are words without `!`, the value must be one of them.
fn fits(value: &str, words: &[String]) -> bool {
    if words.is_empty() || words == ["any"] {
        return true;
    }
    let (excluded, wanted): (Vec<_>, Vec<_>) = words.iter().partition(|word| word.starts_with('!'));
    !excluded.iter().any(|word| word[1..] == *value)
        && (wanted.is_empty() || wanted.iter().any(|word| *word == value))
}

#[cfg(test)]
mod tests {
    use super::{Libc, Target, fits};
    use crate::oci::platform::Platform;

    #[test]
    fn platforms_have_the_names_that_node_gives_them() {
        for (platform, cpu) in [
            ("linux/amd64", "x64"),
            ("linux/amd64/v2", "x64"),
            ("linux/arm64", "arm64"),
            ("linux/arm64/v8", "arm64"),
            ("linux/arm", "arm"),
            ("linux/arm/v6", "arm"),
            ("linux/386", "ia32"),
            ("linux/ppc64le", "ppc64"),
            ("linux/s390x", "s390x"),
            ("linux/riscv64", "riscv64"),
        ] {
            let platform = Platform::try_from(platform.to_owned()).unwrap();
            assert_eq!(Target::new(&platform, Libc::Musl).unwrap().cpu, cpu);
        }
        for platform in ["windows/amd64", "linux/mips64le", "linux/amd64/v9", "linux/arm/v5"] {
            let platform = Platform::try_from(platform.to_owned()).unwrap();
            assert!(Target::new(&platform, Libc::Glibc).unwrap_err().to_string().contains("no name"));
        }
    }

    #[test]
    fn a_list_names_what_fits_or_with_an_exclamation_mark_what_does_not_fit() {
        for (words, expected) in [
            (&[][..], true),
            (&["any"], true),
            (&["linux"], true),
            (&["darwin", "linux"], true),
            (&["darwin"], false),
            (&["!win32"], true),
            (&["!win32", "!linux"], false),
            (&["!win32", "darwin"], false),
            (&["!linux", "linux"], false),
        ] {
            let words: Vec<_> = words.iter().map(|word| (*word).to_owned()).collect();
            assert_eq!(fits("linux", &words), expected, "{words:?}");
        }
    }
}

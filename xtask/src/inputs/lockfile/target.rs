//! The platform that a set of packages is installed for, in npm's words.

use anyhow::{Result, bail};

use super::entry::Entry;
use crate::inputs::config::Platform;

/// The C library of the image that the packages run in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Libc {
    /// Debian's and most others'.
    Glibc,
    /// Alpine's.
    Musl,
}

impl Libc {
    /// As `npm --libc` writes it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Glibc => "glibc",
            Self::Musl => "musl",
        }
    }
}

/// A platform as `npm --os --cpu --libc` names it, which is how packages say where they fit.
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
    /// The platform's name at npm, by what Node.js calls the architecture.
    ///
    /// # Errors
    /// When Node.js has no name for it.
    pub fn new(platform: &Platform, libc: Libc) -> Result<Self> {
        let text = platform.to_string();
        let cpu = match text.as_str() {
            "linux/amd64" => "x64",
            "linux/arm64" | "linux/arm64/v8" => "arm64",
            "linux/arm" | "linux/arm/v7" | "linux/arm/v6" => "arm",
            "linux/386" => "ia32",
            "linux/ppc64le" => "ppc64",
            "linux/s390x" => "s390x",
            "linux/riscv64" => "riscv64",
            "linux/loong64" => "loong64",
            _ => bail!(
                "Node.js has no name for the platform `{text}`: expected one such as `linux/amd64` or `linux/arm64`"
            ),
        };
        Ok(Self { os: "linux".to_owned(), cpu: cpu.to_owned(), libc })
    }

    /// Whether the package says that it runs here, by npm's rule (`checkPlatform` of its `npm-install-checks`).
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

/// None of the words with `!`, and one of the others if there are any.
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
    use crate::inputs::config::Platform;

    #[test]
    fn platforms_have_the_names_that_node_gives_them() {
        for (platform, cpu) in [
            ("linux/amd64", "x64"),
            ("linux/arm64", "arm64"),
            ("linux/arm/v7", "arm"),
            ("linux/386", "ia32"),
            ("linux/ppc64le", "ppc64"),
            ("linux/s390x", "s390x"),
            ("linux/riscv64", "riscv64"),
        ] {
            let platform = Platform::try_from(platform.to_owned()).unwrap();
            assert_eq!(Target::new(&platform, Libc::Musl).unwrap().cpu, cpu);
        }
        for platform in ["windows/amd64", "linux/mips64le"] {
            let platform = Platform::try_from(platform.to_owned()).unwrap();
            assert!(Target::new(&platform, Libc::Glibc).unwrap_err().to_string().contains("no name"));
        }
    }

    #[test]
    fn a_list_may_name_what_fits_or_with_an_exclamation_mark_what_does_not() {
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

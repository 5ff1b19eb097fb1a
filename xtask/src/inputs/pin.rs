//! The origin of the release tool itself: a repository that has it as a dependency pins it by commit in `Cargo.lock`.

use anyhow::{Context as _, Result, bail};
use serde::Deserialize;

use crate::inputs::toml;
use crate::tool::git::Commit;

/// The lockfile of Rust packages, at the top of the repository.
pub const CARGO_LOCK: &str = "Cargo.lock";

/// The tool's own repository.
pub const HOME: &str = "https://forge.wynning.tech/james/carol";

/// The address, as a literal, of a page of the tool's documentation, such as `keys.md#storing`, at the version of this
/// program. A repository that uses the tool does not have these pages.
macro_rules! document {
    ($page:literal) => {
        concat!(
            "https://forge.wynning.tech/james/carol/src/tag/v",
            env!("CARGO_PKG_VERSION"),
            "/docs/",
            $page
        )
    };
}

pub(crate) use document;

/// The largest `Cargo.lock`, in bytes.
const MAX_LEN: usize = 1 << 20;

/// The package of this tool.
pub const PACKAGE: &str = "xtask";

/// The tool as a dependency of another repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToolPin {
    /// The address from which cargo fetches it, without the part that selects the commit.
    pub url: String,
    /// The commit.
    pub commit: Commit,
}

impl ToolPin {
    /// Reads `Cargo.lock`. `None` if the tool is part of the repository itself, as in its own.
    ///
    /// # Errors
    /// When it is not a lockfile, or the tool does not come from a git repository.
    pub fn of(lockfile: &[u8]) -> Result<Option<Self>> {
        #[derive(Deserialize)]
        struct Lockfile {
            #[serde(default)]
            package: Vec<Package>,
        }
        #[derive(Deserialize)]
        struct Package {
            name: String,
            source: Option<String>,
        }
        let text = std::str::from_utf8(lockfile).with_context(|| format!("`{CARGO_LOCK}` is not UTF-8"))?;
        let lockfile: Lockfile =
            toml::parse_within(MAX_LEN, text).with_context(|| format!("reading `{CARGO_LOCK}`"))?;
        let mut found = lockfile.package.into_iter().filter(|package| package.name == PACKAGE);
        let Some(package) = found.next() else { return Ok(None) };
        if found.next().is_some() {
            bail!("`{CARGO_LOCK}` has `{PACKAGE}` twice: it is unclear which one releases");
        }
        package.source.map(|source| parse(&source)).transpose()
    }
}

/// `git+https://forge.example.org/owner/name?tag=v1.2.3#<commit>`
fn parse(source: &str) -> Result<ToolPin> {
    let git = source.strip_prefix("git+").and_then(|rest| rest.rsplit_once('#'));
    let (url, commit) = git.with_context(|| {
        format!("`{CARGO_LOCK}` has `{PACKAGE}` from `{source}`: depend on its git repository, by tag")
    })?;
    let url = url.split_once('?').map_or(url, |(url, _choice)| url);
    Ok(ToolPin { url: url.to_owned(), commit: Commit::parse(commit)? })
}

#[cfg(test)]
mod tests {
    use super::ToolPin;

    fn lockfile(source: &str) -> Vec<u8> {
        format!("version = 4\n\n[[package]]\nname = \"release\"\nversion = \"0.0.0\"\n\n[[package]]\nname = \"xtask\"\nversion = \"0.1.0\"\n{source}")
            .into_bytes()
    }

    #[test]
    fn a_document_is_in_the_tools_own_repository() {
        let expected = format!("{}/src/tag/v{}/docs/keys.md#storing", super::HOME, env!("CARGO_PKG_VERSION"));
        assert_eq!(document!("keys.md#storing"), expected);
    }

    #[test]
    fn a_deeply_nested_lockfile_is_refused_without_a_crash() {
        assert!(ToolPin::of(format!("a = {}", "[".repeat(100_000)).as_bytes()).is_err());
    }

    #[test]
    fn the_tool_is_pinned_by_commit_or_part_of_the_repository() {
        let commit = "8".repeat(40);
        let pin = |source: &str| ToolPin::of(&lockfile(&format!("source = \"{source}\"\n")));
        for choice in ["?tag=v0.1.0", "?rev=8888", "?branch=main", ""] {
            let found =
                pin(&format!("git+https://forge.example.org/acme/tool{choice}#{commit}")).unwrap().unwrap();
            assert_eq!(
                (found.url.as_str(), found.commit.as_str()),
                ("https://forge.example.org/acme/tool", &*commit)
            );
        }
        assert_eq!(ToolPin::of(&lockfile("")).unwrap(), None);
        assert_eq!(ToolPin::of(b"version = 4\n").unwrap(), None);
        for bad in
            ["registry+https://example.org", "git+https://example.org/x", "git+https://example.org/x#main"]
        {
            assert!(pin(bad).is_err(), "{bad}");
        }
        let twice = [lockfile(""), lockfile("")].concat();
        assert!(ToolPin::of(&twice).is_err());
        assert!(ToolPin::of(b"\xff").is_err());
    }
}

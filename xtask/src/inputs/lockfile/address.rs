//! The origin of an entry's archive: the field `resolved`, and version ranges that npm reads as an address.

use anyhow::{Context as _, Result, bail, ensure};

use crate::http::{self, WebUrl};
use crate::inputs::config::Config;
use crate::oci::reference::Registry;

/// The addresses that the configuration allows.
#[derive(Clone, Debug, Default)]
pub struct Registries {
    /// `npm-registries`. If empty, any single host is allowed.
    pub named: Vec<WebUrl>,
    /// `plain-http`: hosts without TLS, in addition to loopback.
    pub plain_http: Vec<Registry>,
}

impl Registries {
    /// The addresses that `config` allows.
    #[must_use]
    pub fn of(config: &Config) -> Self {
        Self { named: config.npm_registries.clone(), plain_http: config.plain_http.clone() }
    }

    /// Whether an address is below one of the named registries. Without named registries, any address is.
    pub(super) fn have(&self, address: &Address<'_>) -> bool {
        let is_below = |registry: &WebUrl| {
            let rest = address.text.strip_prefix(&registry.to_string());
            rest.is_some_and(|rest| rest.starts_with('/'))
        };
        self.named.is_empty() || self.named.iter().any(is_below)
    }

    /// Whether nobody on the network can replace what comes from this address, or the configuration trusts the network.
    pub(super) fn trust(&self, address: &Address<'_>) -> bool {
        address.parts.is_https()
            || address.parts.authority.parse().is_ok_and(|host: Registry| {
                host.is_loopback() || self.plain_http.iter().any(|named| named.as_str() == host.as_str())
            })
    }
}

/// The address of an archive at a registry.
#[derive(Clone, Copy, Debug)]
pub(super) struct Address<'a> {
    text: &'a str,
    parts: http::Address<'a>,
}

impl<'a> Address<'a> {
    /// # Errors
    /// When it can be read in more than one way, or is not an `http` or `https` address. The error says what it is.
    pub(super) fn parse(text: &'a str) -> Result<Self> {
        if let Some(kind) = other_source(text) {
            bail!("{kind}");
        }
        let parts = http::Address::parse(text).context("it is not an `https` address")?;
        let is_host = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-.:".contains(c);
        ensure!(parts.authority.chars().all(is_host), "its host has a user, capitals or other signs");
        let is_plain = |c: char| c.is_ascii_graphic() && !"\"'`<>\\^{|}$#?".contains(c);
        ensure!(parts.path.chars().all(is_plain), "it has a query, a fragment, blanks or other signs");
        let is_dots =
            |word: &str| matches!(word.to_ascii_lowercase().replace("%2e", ".").as_str(), "." | "..");
        ensure!(!parts.path.split('/').any(is_dots), "its path has `.` or `..`");
        Ok(Self { text, parts })
    }

    /// The scheme, and the host with its port.
    pub(super) fn origin(&self) -> String {
        self.parts.origin()
    }

    /// Whether the name of the file is that of another package or version. Files of registries that name them in
    /// another way are not judged.
    pub(super) fn is_of_another(&self, name: &str, version: &str) -> bool {
        let file = self.parts.path.rsplit('/').next().unwrap_or_default();
        let Some(stem) = file.strip_suffix(".tgz") else { return false };
        let base = name.rsplit('/').next().unwrap_or(name);
        let (stem, plain) = (stem.replace("%2B", "+").replace("%2b", "+"), version.split('+').next());
        let versions = [Some(version), plain];
        let is_this = |version: &str| stem == version || stem == format!("{base}-{version}");
        let other_file = !versions.into_iter().flatten().any(is_this);
        // In the layout of npm's registry, the full package name precedes the file.
        let folder = self.parts.path.rsplit_once("/-/").map(|(folder, _)| folder.to_ascii_lowercase());
        let encoded = name.to_ascii_lowercase();
        let spellings = [encoded.clone(), encoded.replace('/', "%2f"), encoded.replace('@', "%40")];
        let both = spellings[1].replace('@', "%40");
        let ends = |folder: &str, name: &str| {
            folder.strip_suffix(name).is_some_and(|rest| rest.is_empty() || rest.ends_with('/'))
        };
        let is_in = |folder: String| spellings.iter().chain([&both]).any(|name| ends(&folder, name));
        let other_folder = folder.is_some_and(|folder| !is_in(folder));
        other_file || other_folder
    }
}

/// What `text` names if it is neither a registry's address nor a version range: npm fetches it without an integrity, or
/// from this machine.
pub(super) fn other_source(text: &str) -> Option<&'static str> {
    let lower = text.trim().to_ascii_lowercase();
    let scheme = lower.split(':').next().filter(|scheme| scheme.len() < lower.len()).unwrap_or_default();
    match scheme {
        "git" | "ssh" | "github" | "gitlab" | "bitbucket" | "gist" => Some(GIT),
        _ if scheme.starts_with("git+") || scheme.contains('@') => Some(GIT),
        "http" | "https" if lower.contains(".git#") || lower.ends_with(".git") => Some(GIT),
        "file" | "link" | "workspace" | "portal" => {
            Some("it is a file or folder, not an archive in a registry")
        }
        _ => None,
    }
}

const GIT: &str = "it is a git repository, for which npm has no integrity";

/// What a range names if it is not a version in a registry: an address, git, or a path.
pub(super) fn foreign_range(range: &str) -> Option<&'static str> {
    let range = range.trim();
    if range.starts_with("npm:") {
        return None;
    }
    other_source(range).or_else(|| match range {
        _ if range.contains("://") => Some("it is an address of its own, not a version"),
        _ if [".", "~/", "/"].iter().any(|start| range.starts_with(start)) && range.contains('/') => {
            Some("it is a file or folder, not an archive in a registry")
        }
        _ if range.contains('/') && !range.contains(' ') => Some(GIT),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::{Address, Registries, foreign_range};

    #[test]
    fn an_address_is_http_or_https_and_can_be_read_in_one_way() {
        for (text, expected) in [
            ("https://npm.example.org/a/-/a-1.0.0.tgz", None),
            ("https://npm.example.org:8443/@s%2fa/-/a-1.0.0.tgz", None),
            ("http://127.0.0.1:4873/a/-/a-1.0.0.tgz", None),
            ("git+ssh://git@forge.example.org/a/b.git#0123", Some("git repository")),
            ("git://forge.example.org/a", Some("git repository")),
            ("github:a/b", Some("git repository")),
            ("git@forge.example.org:a/b", Some("git repository")),
            ("https://forge.example.org/a/b.git#0123", Some("git repository")),
            ("file:../a.tgz", Some("file or folder")),
            ("ftp://npm.example.org/a.tgz", Some("not an `https` address")),
            ("//npm.example.org/a.tgz", Some("not an `https` address")),
            ("https://user:word@npm.example.org/a.tgz", Some("its host")),
            ("https:///a.tgz", Some("not an `https` address")),
            ("https://npm.example.org/a/../b.tgz", Some("`..`")),
            ("https://npm.example.org/a/%2E%2e/b.tgz", Some("`..`")),
            ("https://npm.example.org/a.tgz?x=1", Some("a query")),
            ("https://npm.example.org\\@elsewhere.example.org/a.tgz", Some("its host")),
            ("https://npm.example.org/a b.tgz", Some("blanks")),
        ] {
            let error = Address::parse(text).err().map(|error| error.to_string());
            match (expected, &error) {
                (None, None) => {}
                (Some(words), Some(error)) if error.contains(words) => {}
                _ => panic!("{text}: expected {expected:?}, got {error:?}"),
            }
        }
    }

    #[test]
    fn a_file_of_another_package_or_version_is_recognized() {
        for (address, name, version, is_another) in [
            ("https://n.example.org/a/-/a-1.0.0.tgz", "a", "1.0.0", false),
            ("https://n.example.org/@s/a/-/a-1.0.0.tgz", "@s/a", "1.0.0", false),
            ("https://n.example.org/@s%2Fa/-/a-1.0.0.tgz", "@s/a", "1.0.0", false),
            ("https://f.example.org/npm/%40s%2Fa/-/1.0.0/a-1.0.0.tgz", "@s/a", "1.0.0", false),
            ("https://f.example.org/npm/@s/a/-/@s/a-1.0.0.tgz", "@s/a", "1.0.0", false),
            ("https://n.example.org/~/11/@s/a/1.0.0.tgz", "@s/a", "1.0.0", false),
            ("https://n.example.org/download/@s/a/1.0.0/0123abcd", "@s/a", "1.0.0", false),
            ("https://n.example.org/a/-/a-1.0.0.tgz", "a", "1.0.0+build", false),
            ("https://n.example.org/a/-/a-1.0.0.tgz", "a", "9.9.9", true),
            ("https://n.example.org/evil/-/evil-1.0.0.tgz", "a", "1.0.0", true),
            ("https://n.example.org/evil/-/a-1.0.0.tgz", "a", "1.0.0", true),
            ("https://n.example.org/@t/a/-/a-1.0.0.tgz", "@s/a", "1.0.0", true),
            ("https://n.example.org/xa/-/a-1.0.0.tgz", "a", "1.0.0", true),
            ("https://n.example.org/evil.tgz", "a", "1.0.0", true),
        ] {
            let found = Address::parse(address).unwrap().is_of_another(name, version);
            assert_eq!(found, is_another, "{address} for {name} {version}");
        }
    }

    #[test]
    fn a_registry_is_allowed_with_its_path_and_plain_http_with_its_host() {
        let registries = Registries {
            named: vec!["https://f.example.org/npm/acme/".to_owned().try_into().unwrap()],
            plain_http: vec!["npm.lan:4873".parse().unwrap()],
        };
        for (address, named, trusted) in [
            ("https://f.example.org/npm/acme/a.tgz", true, true),
            ("https://f.example.org/npm/acmes/a.tgz", false, true),
            ("https://f.example.org/npm/other/a.tgz", false, true),
            ("https://f.example.org.elsewhere.org/npm/acme/a.tgz", false, true),
            ("http://npm.lan:4873/a.tgz", false, true),
            ("http://npm.lan/a.tgz", false, false),
            ("http://127.0.0.1:1/a.tgz", false, true),
        ] {
            let address = Address::parse(address).unwrap();
            assert_eq!(
                (registries.have(&address), registries.trust(&address)),
                (named, trusted),
                "{address:?}"
            );
            assert!(Registries::default().have(&address));
        }
    }

    #[test]
    fn a_range_that_names_an_address_git_or_a_path_is_foreign() {
        for range in
            ["^1.0.0", "1.x || >=2 <3", "*", "", "latest", "npm:@s/a@^1", ">= 1.0.0 < 2", "1.0.0-rc.1+b"]
        {
            assert_eq!(foreign_range(range), None, "{range}");
        }
        for range in [
            "git+https://f.example.org/a.git",
            "github:a/b",
            "a/b",
            "a/b#semver:^1",
            "https://n.example.org/a.tgz",
            "http://n.example.org/a.tgz",
            "git@f.example.org:a/b.git",
            "file:../a",
            "../a",
            "./a",
            "~/a",
            "/a",
            "workspace:*",
        ] {
            assert!(foreign_range(range).is_some(), "{range}");
        }
    }
}

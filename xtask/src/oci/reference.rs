//! Names of registries, images, tags and digests as types, which accept only valid names. The grammar is that of the
//! OCI distribution specification v1.1 ("Pulling manifests"), narrowed to what docker, cosign and Forgejo all accept.

mod digest;
mod tag;

use std::fmt;
use std::str::FromStr;

use anyhow::{Result, bail, ensure};

pub use digest::{Digest, is_hex_digit};
pub use tag::{Reference, Tag};

/// A registry's host and optional port, such as `forge.example.org` or `127.0.0.1:5000`, and whether connections use
/// TLS.
#[derive(Clone, Debug, PartialEq, Eq, Hash, serde::Deserialize)]
#[serde(try_from = "String")]
pub struct Registry {
    name: String,
    is_plain: bool,
}

impl Registry {
    /// Whether it is on this machine.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        let host = self.name.rsplit_once(':').map_or(self.name.as_str(), |(host, _)| host);
        host == "localhost" || host.parse::<std::net::Ipv4Addr>().is_ok_and(|address| address.is_loopback())
    }

    /// The same registry without TLS. Only for a registry that the configuration lists as such.
    #[must_use]
    pub fn over_http(self) -> Self {
        Self { is_plain: true, ..self }
    }

    /// Whether it has no TLS although it is not on this machine. Docker and cosign must be configured for that.
    #[must_use]
    pub fn is_plain_elsewhere(&self) -> bool {
        self.is_plain && !self.is_loopback()
    }

    /// The host and port that answer. For Docker Hub, they differ from those in its image names.
    #[must_use]
    pub fn host(&self) -> &str {
        if self.name == "docker.io" { "registry-1.docker.io" } else { &self.name }
    }

    /// `http://…` or `https://…`, without a trailing slash.
    #[must_use]
    pub fn base_url(&self) -> String {
        let scheme = if self.is_plain { "http" } else { "https" };
        format!("{scheme}://{}", self.host())
    }

    /// The text form, which is its key in docker's configuration.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.name
    }
}

impl FromStr for Registry {
    type Err = anyhow::Error;

    /// Docker, cosign and this tool use plain HTTP for loopback registries and HTTPS for all others, unless the
    /// configuration says otherwise.
    fn from_str(text: &str) -> Result<Self> {
        let (host, port) = text.split_once(':').map_or((text, None), |(host, port)| (host, Some(port)));
        let label = |label: &str| {
            !label.is_empty()
                && label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
                && !label.starts_with('-')
                && !label.ends_with('-')
        };
        // One spelling each: registries are compared as text.
        let is_port =
            |port: &str| port.parse::<u16>().is_ok_and(|number| number.to_string() == port && number > 0);
        let port_is_right = port.is_none_or(is_port);
        // Without a dot, a port or `localhost`, docker treats the first component as part of a Docker Hub name.
        let is_a_host = host.contains('.') || port.is_some() || host == "localhost";
        ensure!(
            text.len() <= 255 && host.split('.').all(label) && port_is_right && is_a_host,
            "`{text}` is not a registry: expected a host name with an optional port, such as `forge.example.org`"
        );
        let registry = Self { name: text.to_owned(), is_plain: false };
        Ok(Self { is_plain: registry.is_loopback(), ..registry })
    }
}

impl TryFrom<String> for Registry {
    type Error = anyhow::Error;

    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

/// An image's name in one registry, without tag or digest: `forge.example.org/acme/carol`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Image {
    /// The registry.
    pub registry: Registry,
    /// The path in the registry, such as `acme/carol`.
    pub path: String,
}

impl Image {
    /// `registry/path:tag`.
    #[must_use]
    pub fn tagged(&self, tag: &Tag) -> String {
        format!("{self}:{tag}")
    }

    /// `registry/path@sha256:…`.
    #[must_use]
    pub fn pinned(&self, digest: &Digest) -> String {
        format!("{self}@{digest}")
    }
}

impl FromStr for Image {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self> {
        let Some((registry, path)) = text.split_once('/') else {
            bail!("`{text}` is not an image name: expected `registry/owner/name`");
        };
        ensure!(
            path.len() <= 255 && path.split('/').all(is_path_component),
            "`{text}` is not an image name: `{path}` must be lower-case words of `a-z`, `0-9`, joined by `.`, `_`, `-` or `/`"
        );
        Ok(Self { registry: registry.parse()?, path: path.to_owned() })
    }
}

/// Splits `name:tag@digest` into what is before the digest, and the digest, if it has one.
#[must_use]
pub fn undigested(text: &str) -> (&str, Option<&str>) {
    text.split_once('@').map_or((text, None), |(tagged, digest)| (tagged, Some(digest)))
}

/// Splits `name:tag`, without a digest, into the name and its tag, if it has one. The port of a registry is not a
/// tag.
#[must_use]
pub fn untagged(text: &str) -> (&str, Option<&str>) {
    match text.rsplit_once(':') {
        Some((name, tag)) if !tag.contains('/') => (name, Some(tag)),
        _ => (text, None),
    }
}

impl fmt::Display for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

impl fmt::Display for Image {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.registry, self.path)
    }
}

/// `[a-z0-9]+([._-][a-z0-9]+)*`. The specification also allows `__` and runs of `-` as separators.
fn is_path_component(component: &str) -> bool {
    let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "._-".contains(c);
    let edge = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    !component.is_empty()
        && component.chars().all(inner)
        && component.starts_with(edge)
        && component.ends_with(edge)
        && !["..", "._", "_.", ".-", "-.", "-_", "_-", "___"].iter().any(|pair| component.contains(pair))
}

#[cfg(test)]
mod tests {
    use super::{Image, Registry, untagged};

    #[test]
    fn a_port_is_not_a_tag() {
        for (text, expected) in [
            ("node", ("node", None)),
            ("node:22", ("node", Some("22"))),
            ("127.0.0.1:5000/node", ("127.0.0.1:5000/node", None)),
            ("127.0.0.1:5000/node:22", ("127.0.0.1:5000/node", Some("22"))),
        ] {
            assert_eq!(untagged(text), expected);
        }
    }

    #[test]
    fn registries_parse_or_refuse() {
        for good in
            ["forge.example.org", "localhost", "localhost:5000", "127.0.0.1:5000", "a-b.example.org:443"]
        {
            assert!(good.parse::<Registry>().is_ok(), "{good}");
        }
        for bad in [
            "",
            "node",
            "-a.org",
            "a-.org",
            "a..org",
            "a.org:",
            "a.org:0",
            "a.org:65536",
            "a.org:+5000",
            "a.org:05000",
            "https://a.org",
            "a.org/x",
            "a b.org",
        ] {
            assert!(bad.parse::<Registry>().is_err(), "{bad}");
        }
        let long = |size: usize| format!("{}.org", "a".repeat(size - 4)).parse::<Registry>();
        assert!(long(255).is_ok() && long(256).is_err());
    }

    #[test]
    fn only_loopback_and_listed_registries_use_plain_http() {
        for (registry, url) in [
            ("127.0.0.1:5000", "http://127.0.0.1:5000"),
            ("localhost", "http://localhost"),
            ("10.0.0.1:5000", "https://10.0.0.1:5000"),
            ("localhost.example.org", "https://localhost.example.org"),
            ("docker.io", "https://registry-1.docker.io"),
        ] {
            assert_eq!(registry.parse::<Registry>().unwrap().base_url(), url);
        }
        let named = "10.0.0.1:5000".parse::<Registry>().unwrap().over_http();
        assert_eq!(named.base_url(), "http://10.0.0.1:5000");
        assert!(named.is_plain_elsewhere() && !named.is_loopback());
        assert!(!"127.0.0.1:5000".parse::<Registry>().unwrap().is_plain_elsewhere());
    }

    #[test]
    fn images_parse_or_refuse() {
        let image: Image = "127.0.0.1:5000/acme/carol".parse().unwrap();
        assert_eq!((image.registry.as_str(), image.path.as_str()), ("127.0.0.1:5000", "acme/carol"));
        assert_eq!(image.to_string(), "127.0.0.1:5000/acme/carol");
        for bad in [
            "carol",
            "acme/carol",
            "forge.example.org/",
            "forge.example.org/Acme/x",
            "forge.example.org/a//b",
        ] {
            assert!(bad.parse::<Image>().is_err(), "{bad}");
        }
        for bad in [
            "forge.example.org/a/../b",
            "forge.example.org/a:b",
            "forge.example.org/a@b",
            "forge.example.org/-a",
            "forge.example.org/a-",
        ] {
            assert!(bad.parse::<Image>().is_err(), "{bad}");
        }
        let long = |size: usize| format!("forge.example.org/{}", "a".repeat(size)).parse::<Image>();
        assert!(long(255).is_ok() && long(256).is_err());
        for separator in [".", "_", "-", "__"] {
            assert!(format!("forge.example.org/a{separator}b").parse::<Image>().is_ok(), "{separator}");
        }
        for separator in ["..", "._", "_.", ".-", "-.", "-_", "_-", "___"] {
            assert!(format!("forge.example.org/a{separator}b").parse::<Image>().is_err(), "{separator}");
        }
    }
}

//! Package URLs, by which scanners identify a component (<https://github.com/package-url/purl-spec>).

use crate::contents::system::{OsPackage, OsRelease};

/// `pkg:npm/%40scope/name@1.2.3`.
#[must_use]
pub fn npm(name: &str, version: Option<&str>) -> String {
    let name: Vec<_> = name.split('/').map(encode).collect();
    with_version(&format!("pkg:npm/{}", name.join("/")), version)
}

/// `pkg:generic/node@22.1.0`.
pub(super) fn node(version: Option<&str>) -> String {
    with_version("pkg:generic/node", version)
}

/// `pkg:deb/debian/libc6@2.36-9?arch=amd64&distro=debian-12&upstream=glibc`: `kind` is `deb` or `apk`. Vulnerabilities
/// are recorded for source packages, and `upstream` names these.
pub(super) fn system(kind: &str, package: &OsPackage, release: Option<&OsRelease>) -> String {
    let namespace =
        release.map_or(if kind == "apk" { "alpine" } else { "debian" }, |release| release.id.as_str());
    let mut url =
        format!("pkg:{kind}/{}/{}@{}", encode(namespace), encode(&package.name), encode(&package.version));
    let distro = release.map(|release| match &release.version {
        Some(version) => format!("{}-{version}", release.id),
        None => release.id.clone(),
    });
    let upstream = package.source.as_ref().map(|source| match &package.source_version {
        Some(version) => format!("{source}@{version}"),
        None => source.clone(),
    });
    let qualifiers = [("arch", package.architecture.clone()), ("distro", distro), ("upstream", upstream)];
    let mut separator = '?';
    for (key, value) in qualifiers {
        if let Some(value) = value {
            url += &format!("{separator}{key}={}", encode(&value));
            separator = '&';
        }
    }
    url
}

fn with_version(url: &str, version: Option<&str>) -> String {
    version.map_or_else(|| url.to_owned(), |version| format!("{url}@{}", encode(version)))
}

/// Percent-encodes text; the specification leaves the colon unchanged.
fn encode(text: &str) -> String {
    let encode = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b':' => {
            char::from(byte).to_string()
        }
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(encode).collect()
}

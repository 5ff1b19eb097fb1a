//! The packages of the operating system, as an image lists them: dpkg's `status` (deb-control(5)), also with one file
//! per package as in distroless images, and apk's `installed` (Alpine's wiki, "Apk spec"). Also the system's own name
//! (os-release(5)).

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};

use super::budget::Budget;

/// A package of the operating system.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct OsPackage {
    /// The name, such as `libc6`.
    pub name: String,
    /// The version, with epoch and revision.
    pub version: String,
    /// The architecture in the system's own terms, such as `amd64` or `x86_64`.
    pub architecture: Option<String>,
    /// The source package from which it is built, if that has another name or version.
    pub source: Option<String>,
    /// The version of the source package, if it differs.
    pub source_version: Option<String>,
    /// The licence that the package declares. Debian's packages declare none.
    pub license: Option<String>,
}

impl OsPackage {
    /// Whether it is node.
    #[must_use]
    pub fn is_node(&self) -> bool {
        matches!(self.name.as_str(), "nodejs" | "nodejs-current")
    }

    /// About how many bytes of memory it takes.
    pub(super) fn size(&self) -> usize {
        let optional = [&self.architecture, &self.source, &self.source_version, &self.license];
        let optional: usize = optional.into_iter().flatten().map(String::len).sum();
        size_of::<Self>() + self.name.len() + self.version.len() + optional
    }
}

/// The operating system.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct OsRelease {
    /// The id, such as `debian`.
    pub id: String,
    /// The version, such as `12`; Debian's unstable has none.
    pub version: Option<String>,
}

/// Parses dpkg's list. Packages that are not installed are left out: removed ones stay in the list.
///
/// # Errors
/// When it is not UTF-8, a package has no name or version, or the packages need more than is left of `budget`.
pub(super) fn debian(bytes: &[u8], budget: &Budget) -> Result<Vec<OsPackage>> {
    let text = std::str::from_utf8(bytes).context("it is not UTF-8")?;
    let mut packages = Vec::new();
    for paragraph in text.split("\n\n") {
        let field = |name: &str| {
            let value = |line: &str| {
                let (key, value) = line.split_once(':')?;
                key.eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
            };
            paragraph.lines().find_map(value).filter(|value| !value.is_empty())
        };
        let Some(name) = field("Package") else { continue };
        // `want flag status`. Distroless images have no such field.
        if field("Status").is_some_and(|status| !status.ends_with(" installed")) {
            continue;
        }
        let version = field("Version").with_context(|| format!("`{name}` has no version"))?;
        let (source, source_version) = match field("Source") {
            None => (None, None),
            Some(source) => match source.split_once(" (") {
                None => (Some(source), None),
                Some((source, version)) => {
                    (Some(source.to_owned()), Some(version.trim_end_matches(')').to_owned()))
                }
            },
        };
        let source = source.filter(|source| source != &name || source_version.is_some());
        let architecture = field("Architecture");
        let package = OsPackage { name, version, architecture, source, source_version, license: None };
        budget.take(package.size())?;
        packages.push(package);
    }
    Ok(packages)
}

/// Parses apk's list.
///
/// # Errors
/// When it is not UTF-8, a package has no version, or the packages need more than is left of `budget`.
pub(super) fn alpine(bytes: &[u8], budget: &Budget) -> Result<Vec<OsPackage>> {
    let text = std::str::from_utf8(bytes).context("it is not UTF-8")?;
    let mut packages = Vec::new();
    for paragraph in text.split("\n\n") {
        let field = |key: &str| {
            let value = paragraph.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':'));
            value.map(|value| value.trim().to_owned()).filter(|value| !value.is_empty())
        };
        let Some(name) = field("P") else { continue };
        let package = OsPackage {
            version: field("V").with_context(|| format!("`{name}` has no version"))?,
            architecture: field("A"),
            source: field("o").filter(|origin| origin != &name),
            source_version: None,
            license: field("L"),
            name,
        };
        budget.take(package.size())?;
        packages.push(package);
    }
    Ok(packages)
}

/// Parses `os-release`; `None` if it names no system.
pub(super) fn os_release(bytes: &[u8]) -> Option<OsRelease> {
    let text = std::str::from_utf8(bytes).ok()?;
    let value = |key: &str| {
        let lines = text.lines().filter_map(|line| line.trim().strip_prefix(key)?.strip_prefix('='));
        let value = lines.map(|value| value.trim_matches(['"', '\''])).next_back()?;
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        (!value.is_empty() && value.chars().all(is_plain)).then(|| value.to_owned())
    };
    Some(OsRelease { id: value("ID")?, version: value("VERSION_ID") })
}

#[cfg(test)]
mod tests {
    use super::{Budget, OsPackage, os_release};

    fn debian(bytes: &[u8]) -> anyhow::Result<Vec<OsPackage>> {
        super::debian(bytes, &Budget::of_image())
    }

    fn alpine(bytes: &[u8]) -> anyhow::Result<Vec<OsPackage>> {
        super::alpine(bytes, &Budget::of_image())
    }

    fn package(
        name: &str,
        version: &str,
        architecture: &str,
        source: Option<(&str, Option<&str>)>,
    ) -> OsPackage {
        OsPackage {
            name: name.to_owned(),
            version: version.to_owned(),
            architecture: Some(architecture.to_owned()),
            source: source.map(|(source, _)| source.to_owned()),
            source_version: source.and_then(|(_, version)| version).map(str::to_owned),
            license: None,
        }
    }

    #[test]
    fn installed_debian_packages_are_listed_with_their_source() {
        let status = "Package: libc6\nStatus: install ok installed\nArchitecture: amd64\nSource: glibc\nVersion: 2.36-9+deb12u9\nDescription: GNU\n Package: no\n\n\
            Package: libgcc-s1\nStatus: install ok installed\nArchitecture: amd64\nSource: gcc-12 (12.2.0-14)\nVersion: 12.2.0-14+deb12u1\n\n\
            Package: gone\nStatus: deinstall ok config-files\nArchitecture: amd64\nVersion: 1\n\n";
        let expected = [
            package("libc6", "2.36-9+deb12u9", "amd64", Some(("glibc", None))),
            package("libgcc-s1", "12.2.0-14+deb12u1", "amd64", Some(("gcc-12", Some("12.2.0-14")))),
        ];
        assert_eq!(debian(status.as_bytes()).unwrap(), expected);
        let distroless = "Package: tzdata\nArchitecture: all\nVersion: 2025b-0+deb12u1\n";
        assert_eq!(
            debian(distroless.as_bytes()).unwrap(),
            [package("tzdata", "2025b-0+deb12u1", "all", None)]
        );
        assert_eq!(debian(b"d41d8cd98f00b204e9800998ecf8427e  usr/share/doc/x\n").unwrap(), []);
        assert!(debian(b"Package: x\n").is_err() && debian(b"\xff").is_err());
    }

    #[test]
    fn alpine_packages_are_listed_with_their_origin() {
        let installed = "C:Q1x=\nP:musl\nV:1.2.5-r0\nA:x86_64\nL:MIT\no:musl\nF:lib\nR:ld-musl-x86_64.so.1\n\nP:libcrypto3\nV:3.3.2-r1\nA:x86_64\nL:Apache-2.0\no:openssl\n\n";
        let found = alpine(installed.as_bytes()).unwrap();
        assert_eq!((found[0].name.as_str(), found[0].source.as_deref()), ("musl", None));
        assert_eq!((found[1].version.as_str(), found[1].source.as_deref()), ("3.3.2-r1", Some("openssl")));
        assert_eq!(found[1].license.as_deref(), Some("Apache-2.0"));
        assert!(alpine(b"P:x\n").is_err());
    }

    #[test]
    fn a_list_that_exceeds_the_budget_is_refused() {
        let (dpkg, apk) = ("Package:a\nVersion:1\n\n".repeat(100), "P:a\nV:1\n\n".repeat(100));
        let budget = || Budget::of(1000);
        for result in [super::debian(dpkg.as_bytes(), &budget()), super::alpine(apk.as_bytes(), &budget())] {
            let error = result.unwrap_err().to_string();
            assert!(error.contains("packages in all layers of the image take more than"), "{error}");
        }
    }

    #[test]
    fn the_system_is_named_by_os_release() {
        let of = |text: &str| os_release(text.as_bytes()).map(|found| (found.id, found.version));
        let debian = "PRETTY_NAME=\"Debian GNU/Linux 12\"\nVERSION_ID=\"12\"\nID=debian\n";
        assert_eq!(of(debian), Some(("debian".to_owned(), Some("12".to_owned()))));
        assert_eq!(of("ID=debian\n"), Some(("debian".to_owned(), None)));
        assert_eq!(of("ID=\"a b\"\n"), None);
        assert_eq!(of(""), None);
    }
}

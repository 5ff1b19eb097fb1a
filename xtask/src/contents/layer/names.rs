//! How a file is read, according to its name.

use super::super::npm::{self, Place};
use crate::inputs::PACKAGE_JSON;

/// What a file is read as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ReadAs {
    /// A package's `package.json`.
    Manifest,
    /// A list of Debian packages.
    Debian,
    /// A list of Alpine packages.
    Alpine,
    /// The system's name.
    OsRelease,
    /// A list of packages that this program cannot read.
    Unread,
}

/// What the file `path` is read as because of its name; `None` for a file that is judged by its first bytes.
pub(super) fn read_as(path: &str) -> Option<ReadAs> {
    let (directory, name) = path.rsplit_once('/').unwrap_or(("", path));
    match path {
        _ if name == PACKAGE_JSON && npm::place(directory) != Place::Part => Some(ReadAs::Manifest),
        "var/lib/dpkg/status" => Some(ReadAs::Debian),
        _ if is_one_of_debian(path) => Some(ReadAs::Debian),
        "lib/apk/db/installed" | "usr/lib/apk/db/installed" => Some(ReadAs::Alpine),
        "etc/os-release" | "usr/lib/os-release" => Some(ReadAs::OsRelease),
        _ if is_rpm(path) => Some(ReadAs::Unread),
        _ => None,
    }
}

/// Whether `path` is a place for the loader of the system: a file of the same name elsewhere is not it.
pub(super) fn is_loader(path: &str) -> bool {
    let words: Vec<_> = path.split('/').collect();
    let [directories @ .., name] = &words[..] else { return false };
    let directories = directories.strip_prefix(&["usr"]).unwrap_or(directories);
    let is_library = directories.first().is_some_and(|first| first.starts_with("lib"));
    is_library && directories.len() <= 2 && name.starts_with("ld")
}

fn is_one_of_debian(path: &str) -> bool {
    let name = path.strip_prefix("var/lib/dpkg/status.d/");
    name.is_some_and(|name| !name.contains('/') && !name.ends_with(".md5sums"))
}

/// RPM's database, or the list that images without the program `rpm` have in its place.
fn is_rpm(path: &str) -> bool {
    if path == "var/lib/rpmmanifest/container-manifest-2" {
        return true;
    }
    ["var/lib/rpm/", "usr/lib/sysimage/rpm/"].iter().any(|directory| {
        path.strip_prefix(directory)
            .is_some_and(|name| matches!(name, "Packages" | "Packages.db" | "rpmdb.sqlite"))
    })
}

#[cfg(test)]
mod tests {
    use super::{ReadAs, read_as};

    #[test]
    fn a_list_of_packages_is_recognized_by_its_path() {
        for (path, expected) in [
            ("var/lib/dpkg/status", Some(ReadAs::Debian)),
            ("var/lib/dpkg/status.d/libc6", Some(ReadAs::Debian)),
            ("usr/lib/apk/db/installed", Some(ReadAs::Alpine)),
            ("var/lib/rpm/rpmdb.sqlite", Some(ReadAs::Unread)),
            ("var/lib/rpmmanifest/container-manifest-2", Some(ReadAs::Unread)),
            ("var/lib/rpmmanifest/container-manifest-1", None),
            ("srv/var/lib/rpm/rpmdb.sqlite", None),
        ] {
            assert_eq!(read_as(path), expected, "{path}");
        }
    }
}

//! What is kept of a layer: the facts that a release is judged by, and the names that hide or replace what is below.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::elf::Elf;
use super::npm::Manifest;
use super::system::{OsPackage, OsRelease};
use crate::oci::reference::Digest;

/// One layer, read to its end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LayerFacts {
    /// The digest of the uncompressed bytes, as an image's config names the layer.
    pub diff_id: Digest,
    /// How many uncompressed bytes there are.
    pub size: u64,
    /// What is known of a path.
    pub facts: BTreeMap<String, Fact>,
    /// Hard links, and the paths that they are the same file as.
    pub hard_links: BTreeMap<String, String>,
    /// Every other path that is no directory: it takes the place of what is below.
    pub others: Vec<String>,
    /// Paths that are hidden, with all below them.
    pub whiteouts: Vec<String>,
    /// Directories in which nothing of the layers below is seen.
    pub opaque: Vec<String>,
}

/// What is known of a path.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fact {
    /// An ELF file.
    Elf(Elf),
    /// A `package.json`.
    Manifest(Manifest),
    /// A symbolic link in a `node_modules` directory, and its target as it is written.
    Link(String),
    /// A list of installed Debian packages, or one such package.
    Debian(Vec<OsPackage>),
    /// Alpine's list of installed packages.
    Alpine(Vec<OsPackage>),
    /// `os-release`.
    OsRelease(OsRelease),
    /// The loader of a C library, whatever kind of file it is.
    Loader(super::elf::Libc),
    /// A list of installed packages that is not read: of RPM.
    Unread,
}

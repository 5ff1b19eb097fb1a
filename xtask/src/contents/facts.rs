//! What is kept of a layer: the facts on which the checks of a release are based, and the names that hide or replace
//! files of lower layers.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::budget::OF_ENTRY;
use super::elf::Elf;
use super::npm::PackageJson;
use super::system::{OsPackage, OsRelease};
use crate::inputs::lockfile::Libc;
use crate::oci::reference::Digest;

/// One layer, read to its end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LayerFacts {
    /// The digest of the uncompressed bytes, which names the layer in an image's config.
    pub diff_id: Digest,
    /// The number of uncompressed bytes.
    pub size: u64,
    /// The facts by path.
    pub facts: BTreeMap<String, Fact>,
    /// Hard links, each with the path of the same file.
    pub hard_links: BTreeMap<String, String>,
    /// All other paths that are not directories: they replace what is at the path in lower layers.
    pub others: Vec<String>,
    /// Directories that have an entry, sorted.
    pub directories: Vec<String>,
    /// Directories that have no entry before the first one that is directly in them, sorted. Where a lower layer has a
    /// symbolic link at such a path, engines differ.
    pub undeclared: Vec<String>,
    /// Paths that are hidden, together with everything below them.
    pub whiteouts: Vec<String>,
    /// Directories that hide everything in them from lower layers.
    pub opaque: Vec<String>,
    /// Why engines may unpack the layer in different ways: the first such entry and the reason. `None` if they do
    /// not.
    pub odd: Option<String>,
}

/// A fact about a path.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fact {
    /// An ELF file.
    Elf(Elf),
    /// A native module of Node.js in the format of another system.
    Module(System),
    /// A `package.json`.
    Manifest(PackageJson),
    /// A symbolic link in a `node_modules` directory, with its target as written.
    Link(String),
    /// Any other symbolic link.
    Symlink,
    /// A list of installed Debian packages, or a single such package.
    Debian(Vec<OsPackage>),
    /// Alpine's list of installed packages.
    Alpine(Vec<OsPackage>),
    /// `os-release`.
    OsRelease(OsRelease),
    /// The loader of a C library, whatever kind of file it is.
    Loader(Libc),
    /// A list of installed packages that this program cannot read: RPM's.
    Unread,
}

/// A system whose programs are no ELF files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum System {
    /// macOS: Mach-O.
    MacOs,
    /// Windows: PE.
    Windows,
}

impl System {
    /// The system by the first four bytes of a file (Apple's `mach-o/loader.h` and `mach-o/fat.h`; Microsoft's "PE
    /// Format", "MS-DOS Stub").
    #[must_use]
    pub fn of(begin: &[u8]) -> Option<Self> {
        match begin {
            [0xfe, 0xed, 0xfa, 0xce | 0xcf] | [0xce | 0xcf, 0xfa, 0xed, 0xfe] | [0xca, 0xfe, 0xba, 0xbe] => {
                Some(Self::MacOs)
            }
            [b'M', b'Z', ..] => Some(Self::Windows),
            _ => None,
        }
    }
}

impl LayerFacts {
    /// About how many bytes of memory the facts take.
    pub(super) fn size(&self) -> usize {
        let facts = self.facts.iter().map(|(path, fact)| path.len() + fact.size());
        let links = self
            .hard_links
            .iter()
            .map(|(path, target)| path.len() + target.len() + self.facts.get(target).map_or(0, Fact::size));
        let lists = [&self.others, &self.directories, &self.whiteouts, &self.opaque];
        let names = lists.into_iter().flatten().map(String::len);
        let entries = facts.chain(links).chain(names).map(|bytes| bytes + OF_ENTRY);
        entries.chain(self.undeclared.iter().map(String::len)).sum()
    }
}

impl Fact {
    /// About how many bytes of memory the fact takes, besides its path.
    pub(super) fn size(&self) -> usize {
        let length = |text: &Option<String>| text.as_ref().map_or(0, String::len);
        match self {
            Self::Manifest(PackageJson { name, version, license }) => {
                length(name) + length(version) + length(license)
            }
            Self::Debian(packages) | Self::Alpine(packages) => packages.iter().map(OsPackage::size).sum(),
            Self::Link(target) => target.len(),
            Self::Elf(_)
            | Self::Module(_)
            | Self::Symlink
            | Self::OsRelease(_)
            | Self::Loader(_)
            | Self::Unread => 0,
        }
    }
}

//! Stacks layers as an engine unpacks them: the contents of the image, and the layer of each file.

mod stack;
#[cfg(test)]
pub(crate) mod tests;

use std::borrow::Borrow;
use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;

use super::elf::Elf;
use super::facts::{Fact, LayerFacts, System};
use super::npm::{self, PackageJson, Place};
use super::system::{OsPackage, OsRelease};
use crate::inputs::lockfile::Libc;
use stack::{Observed, stack};

pub use stack::UnknownOrigin;

/// The contents of one platform's image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contents {
    /// The platform, such as `linux/arm64`.
    pub platform: String,
    /// How many of its layers come from the base image; `None` if that is unknown.
    pub base_layers: Option<usize>,
    /// The npm packages, by path.
    pub packages: Vec<NpmPackage>,
    /// The operating system's packages, sorted.
    pub system: Vec<OsPackage>,
    /// Whether these are Alpine's packages instead of Debian's.
    pub is_alpine: bool,
    /// The operating system.
    pub release: Option<OsRelease>,
    /// Lists of packages that exist but cannot be read.
    pub unread: Vec<String>,
    /// The programs called `node`.
    pub node: Vec<String>,
    /// The version of node, if node comes from the base image, which names the version in `NODE_VERSION`.
    pub node_version: Option<String>,
    /// All ELF files except the loaders, sorted by path.
    pub elf: Vec<ElfFile>,
    /// Native modules in the format of another system, sorted by path, each with its layer.
    pub modules: Vec<(String, System, usize)>,
    /// The C libraries for which there is a loader.
    pub libcs: BTreeSet<Libc>,
}

/// An npm package in the image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NpmPackage {
    /// Its directory.
    pub path: String,
    /// The contents of its `package.json`.
    pub manifest: PackageJson,
    /// How it got to its place.
    pub kind: Kind,
    /// The links in `node_modules` directories that point to it.
    pub links: Vec<String>,
    /// The layer with its `package.json`, from 0.
    pub layer: usize,
}

/// How a package got to its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// npm put it there, or it is anywhere in the base image.
    Installed,
    /// It is part of another package's files.
    Inside,
    /// It is a folder of the repository to which a link points: a workspace or a `file:` dependency.
    Local,
}

/// One ELF file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ElfFile {
    /// The path.
    pub path: String,
    /// What the file says.
    pub elf: Elf,
    /// The layer with the file, from 0.
    pub layer: usize,
}

impl Contents {
    /// Stacks `layers`, the lowest first. `base_layers` is the number of layers from the base image, if known.
    /// `node_version` is the base image's `NODE_VERSION`.
    ///
    /// # Errors
    /// When a package's `package.json` is a hard link to a file that was not read, or engines unpack a layer above the
    /// base image in different ways. [`UnknownOrigin`] when that layer may be the base image's.
    pub fn of<L: Borrow<LayerFacts>>(
        platform: &str,
        layers: &[L],
        base_layers: Option<usize>,
        node_version: Option<String>,
    ) -> Result<Self> {
        let seen = stack(layers, base_layers)?;
        let mut contents = Self {
            platform: platform.to_owned(),
            base_layers,
            packages: packages(&seen, base_layers),
            system: Vec::new(),
            is_alpine: false,
            release: None,
            unread: Vec::new(),
            node: Vec::new(),
            node_version,
            elf: Vec::new(),
            modules: Vec::new(),
            libcs: BTreeSet::new(),
        };
        for (path, (layer, fact)) in seen {
            match fact {
                Fact::Elf(elf) => {
                    if path.rsplit('/').next() == Some("node") {
                        contents.node.push(path.clone());
                        if contents.is_above(layer) {
                            contents.node_version = None;
                        }
                    }
                    contents.elf.push(ElfFile { path, elf: elf.clone(), layer });
                }
                Fact::Module(system) => contents.modules.push((path, *system, layer)),
                Fact::Debian(packages) | Fact::Alpine(packages) => {
                    contents.system.extend(packages.iter().cloned());
                    contents.is_alpine |= matches!(fact, Fact::Alpine(_));
                }
                // `etc/os-release` comes first in the order of names, and it is also the file that the system reads
                // first.
                Fact::OsRelease(release) => drop(contents.release.get_or_insert_with(|| release.clone())),
                Fact::Loader(libc) => drop(contents.libcs.insert(*libc)),
                Fact::Unread => contents.unread.push(path),
                Fact::Manifest(_) | Fact::Link(_) | Fact::Symlink => {}
            }
        }
        contents.system.sort();
        contents.system.dedup();
        Ok(contents)
    }

    /// Whether node is one of the system's packages, whose list has its version.
    #[must_use]
    pub fn has_packaged_node(&self) -> bool {
        self.system.iter().any(OsPackage::is_node)
    }

    /// Whether `layer` is above the base image's layers. True if that is unknown.
    #[must_use]
    pub fn is_above(&self, layer: usize) -> bool {
        self.base_layers.is_none_or(|base| layer >= base)
    }
}

fn packages(seen: &Observed<'_>, base_layers: Option<usize>) -> Vec<NpmPackage> {
    let mut links: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (path, (_, fact)) in seen {
        if let Fact::Link(target) = fact {
            links.entry(resolve(path, target)).or_default().push(path.clone());
        }
    }
    let mut packages = Vec::new();
    for (file, (layer, fact)) in seen {
        let (Fact::Manifest(manifest), Some((path, _))) = (fact, file.rsplit_once('/')) else { continue };
        let links = links.remove(path).unwrap_or_default();
        let is_named = manifest.name.is_some() && manifest.version.is_some();
        let is_of_base = base_layers.is_some_and(|base| *layer < base);
        let kind = match npm::place(path) {
            Place::Installed => Kind::Installed,
            Place::Hidden if !links.is_empty() => Kind::Installed,
            Place::Inside if is_named => Kind::Inside,
            // In the base image, this is not code of the service: the official images have yarn in `/opt`.
            Place::Outside if is_of_base && is_named && links.is_empty() => Kind::Installed,
            Place::Outside if !links.is_empty() => Kind::Local,
            Place::Inside | Place::Hidden | Place::Part | Place::Outside => continue,
        };
        packages.push(NpmPackage {
            path: path.to_owned(),
            manifest: manifest.clone(),
            kind,
            links,
            layer: *layer,
        });
    }
    packages.sort_by(|a, b| a.path.cmp(&b.path));
    packages
}

/// The target of the link `path`, computed only from the text.
fn resolve(path: &str, target: &str) -> String {
    let mut words: Vec<_> = if target.starts_with('/') { Vec::new() } else { path.split('/').collect() };
    words.pop();
    for word in target.split('/') {
        match word {
            "" | "." => {}
            ".." => drop(words.pop()),
            word => words.push(word),
        }
    }
    words.join("/")
}

//! Reads one layer as a stream: its facts about ELF files and packages, and the digest of its uncompressed bytes.

#[cfg(test)]
pub(crate) mod tests;

use std::io::{self, BufReader, Read};

use anyhow::{Context as _, Result, bail, ensure};
use flate2::bufread::MultiGzDecoder;
use sha2::{Digest as _, Sha256};

use super::archive::{Archive, Entry, Kind};
use super::elf::{self, Elf};
use super::facts::{Fact, LayerFacts};
use super::npm::{self, Manifest, Place};
use super::system;
use crate::oci::reference::Digest;

/// No image of a service has more in one layer. A small archive can unpack to any size.
pub(super) const MOST_BYTES: u64 = 8 << 30;

/// The number of files for which a usual file system has inodes.
const MOST_ENTRIES: usize = 2_000_000;

/// Enough for the names of that many files.
const MOST_NAME_BYTES: usize = 256 << 20;

/// A longer ELF file is read up to this size. Then its machine and interpreter are known, but not its libraries.
const LARGEST_ELF: u64 = 64 << 20;

/// Enough for the list of a system with every package of its distribution.
const LARGEST_LIST: u64 = 256 << 20;

const WHITEOUT: &str = ".wh.";
const OPAQUE: &str = ".wh..wh..opq";

/// The compression of a layer, by the media type in the manifest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    /// Not compressed.
    None,
    /// gzip, which is the usual one.
    Gzip,
}

impl Compression {
    /// The compression for a media type (image specification v1.1, "Image Layer Filesystem Changeset"; Docker's image
    /// manifest V 2).
    ///
    /// # Errors
    /// When the media type is another one.
    pub fn of(media_type: &str) -> Result<Self> {
        Ok(match media_type {
            "application/vnd.oci.image.layer.v1.tar" => Self::None,
            "application/vnd.oci.image.layer.v1.tar+gzip"
            | "application/vnd.docker.image.rootfs.diff.tar.gzip" => Self::Gzip,
            other => bail!(
                "a layer has the media type `{}`, and only tar files, plain or with gzip, are read here: use a base image and \
                 a builder that compress layers with gzip (`compression=gzip` of buildx, which is the default)",
                other.escape_debug()
            ),
        })
    }
}

/// Reads a layer to its end.
///
/// # Errors
/// When it cannot be read, is not a tar file, or has an entry that is refused as ambiguous.
pub fn read(layer: impl Read, compression: Compression) -> Result<LayerFacts> {
    match compression {
        Compression::None => read_tar(layer),
        Compression::Gzip => read_tar(MultiGzDecoder::new(BufReader::with_capacity(1 << 17, layer))),
    }
}

fn read_tar(tar: impl Read) -> Result<LayerFacts> {
    let mut counted = Counted { inner: tar, hash: Sha256::new(), size: 0 };
    let mut collector = Collector::default();
    let mut archive = Archive::new(&mut counted);
    while let Some(entry) = archive.next()? {
        collector.entry(entry, &mut archive)?;
    }
    let Collector { facts, hard_links, others, whiteouts, opaque, .. } = collector;
    let (size, diff_id) = (counted.size, Digest::of_hash(&counted.hash.finalize()));
    Ok(LayerFacts { diff_id, size, facts, hard_links, others, whiteouts, opaque })
}

/// Hashes and counts the bytes that pass through.
struct Counted<R> {
    inner: R,
    hash: Sha256,
    size: u64,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let size = self.inner.read(buffer)?;
        self.hash.update(&buffer[..size]);
        self.size += size as u64;
        if self.size > MOST_BYTES {
            return Err(io::Error::other(format!("it unpacks to more than {} GiB", MOST_BYTES >> 30)));
        }
        Ok(size)
    }
}

#[derive(Default)]
struct Collector {
    facts: std::collections::BTreeMap<String, Fact>,
    hard_links: std::collections::BTreeMap<String, String>,
    others: Vec<String>,
    whiteouts: Vec<String>,
    opaque: Vec<String>,
    entries: usize,
    name_bytes: usize,
    buffer: Vec<u8>,
}

impl Collector {
    fn entry<R: Read>(&mut self, entry: Entry, archive: &mut Archive<R>) -> Result<()> {
        self.entries += 1;
        self.name_bytes += entry.path.len();
        ensure!(
            self.entries <= MOST_ENTRIES && self.name_bytes <= MOST_NAME_BYTES,
            "it has more than {MOST_ENTRIES} entries, or more than {} MiB of names",
            MOST_NAME_BYTES >> 20
        );
        let Entry { path, kind, size, .. } = entry;
        let (directory, name) = path.rsplit_once('/').unwrap_or(("", &path));
        if name == OPAQUE {
            self.opaque.push(directory.to_owned());
            return Ok(());
        }
        if let Some(hidden) = name.strip_prefix(WHITEOUT) {
            self.whiteouts.push(if directory.is_empty() {
                hidden.to_owned()
            } else {
                format!("{directory}/{hidden}")
            });
            return Ok(());
        }
        let fact = match kind {
            Kind::Directory => return Ok(()),
            Kind::HardLink(target) => {
                self.forget(&path);
                self.hard_links.insert(path, target);
                return Ok(());
            }
            Kind::Symlink(target) if npm::is_link_place(&path) => Some(Fact::Link(target)),
            Kind::Symlink(_) => elf::libc_of(name).filter(|_| is_loader(&path)).map(Fact::Loader),
            Kind::Special => None,
            Kind::File => {
                let doing = || format!("reading `{}`", path.escape_debug());
                self.file(&path, size, archive).with_context(doing)?
            }
        };
        // An archive may have a path twice: the last entry counts.
        self.forget(&path);
        match fact {
            Some(fact) => drop(self.facts.insert(path, fact)),
            None => self.others.push(path),
        }
        Ok(())
    }

    fn forget(&mut self, path: &str) {
        self.facts.remove(path);
        self.hard_links.remove(path);
    }

    fn file<R: Read>(&mut self, path: &str, size: u64, archive: &mut Archive<R>) -> Result<Option<Fact>> {
        let (directory, name) = path.rsplit_once('/').unwrap_or(("", path));
        if name == npm::MANIFEST && npm::place(directory) != Place::Part {
            return self.manifest(directory, size, archive);
        }
        if path == "var/lib/dpkg/status" || is_one_of_debian(path) {
            let packages = system::debian(self.whole(size, LARGEST_LIST, archive)?)?;
            return Ok(Some(Fact::Debian(packages)));
        }
        if matches!(path, "lib/apk/db/installed" | "usr/lib/apk/db/installed") {
            let packages = system::alpine(self.whole(size, LARGEST_LIST, archive)?)?;
            return Ok(Some(Fact::Alpine(packages)));
        }
        if matches!(path, "etc/os-release" | "usr/lib/os-release") {
            return Ok(system::os_release(self.whole(size, 1 << 20, archive)?).map(Fact::OsRelease));
        }
        if is_rpm(path) {
            return Ok(Some(Fact::Unread));
        }
        self.elf(path, size, archive)
    }

    /// A file that merely has this name is no reason to refuse an image: packages contain broken ones for their tests.
    fn manifest<R: Read>(
        &mut self,
        directory: &str,
        size: u64,
        archive: &mut Archive<R>,
    ) -> Result<Option<Fact>> {
        let is_installed = npm::place(directory) == Place::Installed;
        if size > npm::LARGEST_MANIFEST && !is_installed {
            return Ok(None);
        }
        match Manifest::parse(self.whole(size, npm::LARGEST_MANIFEST, archive)?) {
            Ok(manifest) => Ok(Some(Fact::Manifest(manifest))),
            Err(_) if is_installed => Ok(Some(Fact::Manifest(Manifest::default()))),
            Err(_) => Ok(None),
        }
    }

    fn elf<R: Read>(&mut self, path: &str, size: u64, archive: &mut Archive<R>) -> Result<Option<Fact>> {
        if size < 52 {
            return Ok(None);
        }
        self.part(elf::MAGIC.len() as u64, archive)?;
        if self.buffer != elf::MAGIC {
            return Ok(None);
        }
        self.part(size.min(LARGEST_ELF), archive)?;
        let name = path.rsplit('/').next().unwrap_or(path);
        let loader = elf::libc_of(name).filter(|_| is_loader(path)).map(Fact::Loader);
        Ok(loader.or_else(|| Elf::parse(&self.buffer).map(Fact::Elf)))
    }

    /// The contents of the whole file.
    fn whole<R: Read>(&mut self, size: u64, most: u64, archive: &mut Archive<R>) -> Result<&[u8]> {
        ensure!(size <= most, "it has {size} bytes");
        self.buffer.clear();
        self.part(size, archive)?;
        Ok(&self.buffer)
    }

    /// Reads on until the buffer has `size` bytes.
    fn part<R: Read>(&mut self, size: u64, archive: &mut Archive<R>) -> Result<()> {
        let size = usize::try_from(size)?;
        if size <= elf::MAGIC.len() {
            self.buffer.clear();
        }
        let had = self.buffer.len().min(size);
        self.buffer.resize(size, 0);
        let got = archive.read(&mut self.buffer[had..])?;
        ensure!(had + got == size, "it is shorter than it says");
        Ok(())
    }
}

/// Whether it is a loader of the system, not a file of that name somewhere else.
fn is_loader(path: &str) -> bool {
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

fn is_rpm(path: &str) -> bool {
    ["var/lib/rpm/", "usr/lib/sysimage/rpm/"].iter().any(|directory| {
        path.strip_prefix(directory)
            .is_some_and(|name| matches!(name, "Packages" | "Packages.db" | "rpmdb.sqlite"))
    })
}

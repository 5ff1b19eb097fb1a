//! Reads one layer as a stream: its facts about ELF files and packages, and the digest of its uncompressed bytes.

mod collector;
mod names;
mod places;
#[cfg(test)]
pub(crate) mod tests;

use std::io::{self, BufReader, Read};

use anyhow::{Result, bail};
use flate2::bufread::MultiGzDecoder;
use sha2::{Digest as _, Sha256};

use super::archive::Archive;
use super::budget::Budget;
use super::facts::LayerFacts;
use collector::Collector;
use places::Ended;

use crate::oci::reference::Digest;

/// No image of a service has more in one layer. A small archive can unpack to any size.
pub(super) const MAX_BYTES: u64 = 8 << 30;

/// The compression of a layer, by the media type in the manifest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    /// Not compressed.
    None,
    /// gzip, the usual compression.
    Gzip,
}

impl Compression {
    /// The compression for a media type (image specification v1.1, "Image Layer Filesystem Changeset"; Docker's image
    /// manifest V 2).
    ///
    /// # Errors
    /// When it is another media type.
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
/// When it cannot be read, is not a tar file, has an entry that is refused as ambiguous, or needs more than is left of
/// `budget`.
pub fn read(layer: impl Read, compression: Compression, budget: &Budget) -> Result<LayerFacts> {
    match compression {
        Compression::None => read_tar(layer, budget),
        Compression::Gzip => read_tar(MultiGzDecoder::new(BufReader::with_capacity(1 << 17, layer)), budget),
    }
}

fn read_tar(tar: impl Read, budget: &Budget) -> Result<LayerFacts> {
    let mut counted = Counted { inner: tar, hash: Sha256::new(), size: 0 };
    let mut collector = Collector::new(budget);
    let mut archive = Archive::new(&mut counted);
    while let Some(entry) = archive.next()? {
        collector.entry(entry, &mut archive)?;
    }
    let Collector { facts, hard_links, places, whiteouts, opaque, .. } = collector;
    let Ended { directories, mut others, undeclared, odd } = places.end(&whiteouts);
    others.retain(|path| !facts.contains_key(path) && !hard_links.contains_key(path));
    let (size, diff_id) = (counted.size, Digest::of_hash(&counted.hash.finalize()));
    Ok(LayerFacts {
        diff_id,
        size,
        facts,
        hard_links,
        others,
        directories,
        undeclared,
        whiteouts,
        opaque,
        odd,
    })
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
        if self.size > MAX_BYTES {
            return Err(io::Error::other(format!("it unpacks to more than {} GiB", MAX_BYTES >> 30)));
        }
        Ok(size)
    }
}

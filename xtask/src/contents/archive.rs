//! Reads a tar stream entry by entry (POSIX.1-2017 pax, "ustar Interchange Format", and GNU tar's long names), as far
//! as layers use the format. Engines read ambiguous archives in different ways. An archive for which no common
//! reading exists is refused. Other ambiguities are read as most engines read them, and reported in [`Entry::odd`].

mod header;
#[cfg(test)]
pub(super) mod tests;

use std::io::Read;

use anyhow::{Context as _, Result, bail, ensure};

use header::{Extended, Header, Odd};

const BLOCK: usize = 512;

/// The bytes after the last entry. Comparing slices with it is fast even without optimization.
static ZEROS: [u8; 1 << 16] = [0; 1 << 16];

/// A longer path cannot be opened (`PATH_MAX`).
const MAX_PATH_LEN: usize = 4096;

/// The largest extended header, in bytes: extended attributes and a long path fit into it many times over.
const MAX_HEADER_SIZE: u64 = 1 << 20;

/// The kind of an entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    File,
    Directory,
    /// A symbolic link, with its target as written.
    Symlink(String),
    /// A hard link, with the path of the entry that is the same file.
    HardLink(String),
    /// A device or a pipe.
    Special,
}

/// One entry. Its contents follow in the stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    /// The path without a leading or trailing slash; empty for the root directory.
    pub(super) path: String,
    pub(super) kind: Kind,
    pub(super) size: u64,
    pub(super) rights: Rights,
    /// Why other readers may read this entry as a different one.
    pub(super) odd: Odd,
}

/// The other fields of a header: mode, owner, group, and time in seconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Rights {
    pub(super) mode: u64,
    pub(super) owner: u64,
    pub(super) group: u64,
    pub(super) time: u64,
}

/// The entries of a stream.
pub(super) struct Archive<R> {
    stream: R,
    /// How many bytes of the current entry are unread.
    left: u64,
    padding: u64,
    /// A buffer for the bytes that are passed over.
    skipped: Vec<u8>,
}

impl<R: Read> Archive<R> {
    pub(super) fn new(stream: R) -> Self {
        Self { stream, left: 0, padding: 0, skipped: vec![0; ZEROS.len()] }
    }

    /// The next entry; `None` at the end. Only zeros may follow the end.
    pub(super) fn next(&mut self) -> Result<Option<Entry>> {
        let mut extended = Extended::default();
        loop {
            self.skip()?;
            let Some(block) = self.block()? else {
                self.check_end()?;
                return Ok(None);
            };
            if block[..] == ZEROS[..BLOCK] {
                self.check_end()?;
                return Ok(None);
            }
            let header = Header::parse(&block)?;
            (self.left, self.padding) = (header.size, padding(header.size));
            match header.kind {
                b'x' => extended.pax(&self.header_bytes()?)?,
                b'L' => extended.long_path(&self.header_bytes()?),
                b'K' => extended.long_link(&self.header_bytes()?),
                // Some readers remove what is at the path of a global header, and forget the extended headers before
                // it.
                b'g' => {
                    Extended::default().pax(&self.header_bytes()?)?;
                    let (path, kind, size, odd) =
                        (String::new(), Kind::Special, 0, Some("it is a global header"));
                    return Ok(Some(Entry { path, kind, size, rights: header.rights, odd }));
                }
                _ => return self.entry(header, extended).map(Some),
            }
        }
    }

    fn entry(&mut self, header: Header, mut extended: Extended) -> Result<Entry> {
        let (path, is_path_text) = text(extended.path().unwrap_or(header.path));
        let doing = || format!("reading the entry `{}`", path.escape_debug());
        let size = extended.size().unwrap_or(header.size);
        ensure!(size == header.size || header.size == 0, "{}: it has two sizes", doing());
        let (link, is_link_text) = text(extended.link().unwrap_or(header.link));
        let kind = match header.kind {
            0 if path.ends_with('/') => Kind::Directory,
            b'0' | 0 => Kind::File,
            b'1' => Kind::HardLink(normal(&link).with_context(doing)?),
            b'2' => {
                ensure!(link.len() <= MAX_PATH_LEN, "{}: its target has {} bytes", doing(), link.len());
                Kind::Symlink(link)
            }
            b'3' | b'4' | b'6' => Kind::Special,
            b'5' => Kind::Directory,
            other => bail!(
                "{}: its type is `{}`, which builders do not write (a sparse file?)",
                doing(),
                char::from(other).escape_debug()
            ),
        };
        let is_named_directory = path.ends_with('/') && kind != Kind::Directory;
        // An engine without the rights to create a device leaves it out, so what a lower layer has there remains.
        let is_device =
            matches!(header.kind, b'3' | b'4') && !normal(&path).is_ok_and(|path| path.starts_with("dev/"));
        let reasons = [
            (!is_path_text || !is_link_text, "its name is not UTF-8"),
            (is_named_directory, "it is named like a directory"),
            (is_device, "it is a device outside of `dev`"),
        ];
        let reason = reasons.into_iter().find(|(is_so, _)| *is_so).map(|(_, why)| why);
        let odd: Odd = extended.odd().or(header.odd).or(reason);
        let path = normal(&path).with_context(doing)?;
        // Nothing may follow the header of a link or a directory, whatever its size field says: readers differ there.
        ensure!(kind == Kind::File || size == 0, "{}: it is not a file but has {size} bytes", doing());
        (self.left, self.padding) = (size, padding(size));
        Ok(Entry { path, kind, size, rights: header.rights, odd })
    }

    /// Reads contents of the current entry, up to the size of `buffer`.
    pub(super) fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        read(&mut self.stream, &mut self.left, buffer)
    }

    /// Passes over `pass` bytes of the current entry, and appends the next `take` bytes to `buffer`.
    pub(super) fn read_after(&mut self, pass: u64, take: u64, buffer: &mut Vec<u8>) -> Result<()> {
        ensure!(pass.checked_add(take).is_some_and(|both| both <= self.left), "it is shorter than it says");
        self.pass(pass)?;
        let mut more = take;
        self.left -= take;
        while more > 0 {
            // Without optimization, `Vec::resize` writes its zeros one by one.
            let size = read(&mut self.stream, &mut more, &mut self.skipped)?;
            buffer.extend_from_slice(&self.skipped[..size]);
        }
        Ok(())
    }

    /// Passes over `count` bytes of the current entry, which must have that many left.
    fn pass(&mut self, count: u64) -> Result<()> {
        let mut more = count;
        self.left -= count;
        while more > 0 {
            read(&mut self.stream, &mut more, &mut self.skipped)?;
        }
        Ok(())
    }

    fn skip(&mut self) -> Result<()> {
        self.pass(self.left)?;
        read(&mut self.stream, &mut std::mem::take(&mut self.padding), &mut self.skipped).map(|_| ())
    }

    fn block(&mut self) -> Result<Option<[u8; BLOCK]>> {
        let (mut block, mut done) = ([0; BLOCK], 0);
        while done < BLOCK {
            match self.stream.read(&mut block[done..]).context("unpacking")? {
                0 if done == 0 => return Ok(None),
                0 => bail!("it ends within a header"),
                size => done += size,
            }
        }
        Ok(Some(block))
    }

    fn check_end(&mut self) -> Result<()> {
        loop {
            match self.stream.read(&mut self.skipped).context("unpacking")? {
                0 => return Ok(()),
                size => ensure!(self.skipped[..size] == ZEROS[..size], "there is more after its end"),
            }
        }
    }

    fn header_bytes(&mut self) -> Result<Vec<u8>> {
        ensure!(self.left <= MAX_HEADER_SIZE, "it has a header of {} bytes", self.left);
        let mut bytes = vec![0; usize::try_from(self.left)?];
        self.read(&mut bytes)?;
        Ok(bytes)
    }
}

/// Fills `buffer` from the `left` bytes, as far as they go.
fn read(stream: &mut impl Read, left: &mut u64, buffer: &mut [u8]) -> Result<usize> {
    let most = usize::try_from(*left).unwrap_or(usize::MAX).min(buffer.len());
    let mut done = 0;
    while done < most {
        match stream.read(&mut buffer[done..most]).context("unpacking")? {
            0 => bail!("it ends within a file"),
            size => done += size,
        }
    }
    *left -= done as u64;
    Ok(done)
}

/// The number of zero bytes after contents of `size` bytes, which may be any number.
fn padding(size: u64) -> u64 {
    (BLOCK as u64 - size % BLOCK as u64) % BLOCK as u64
}

/// The name, and whether it is UTF-8. If not, it is converted with replacement characters, so different names may
/// become the same.
fn text(bytes: Vec<u8>) -> (String, bool) {
    let text =
        String::from_utf8(bytes).map_err(|error| String::from_utf8_lossy(error.as_bytes()).into_owned());
    let is_text = text.is_ok();
    (text.unwrap_or_else(|lossy| lossy), is_text)
}

/// The path from the root of the image, without `.` and without a slash at either end.
fn normal(path: &str) -> Result<String> {
    ensure!(path.len() <= MAX_PATH_LEN, "its path has {} bytes", path.len());
    ensure!(!path.contains('\0'), "its path has a zero byte");
    let words = path.split('/').filter(|word| !word.is_empty() && *word != ".");
    let words: Vec<_> = words.collect();
    ensure!(!words.contains(&".."), "its path leads upwards");
    Ok(words.join("/"))
}

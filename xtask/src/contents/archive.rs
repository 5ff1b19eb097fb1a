//! Reads a tar stream entry by entry (POSIX.1-2017 pax, "ustar Interchange Format", and GNU tar's long names), as far
//! as layers use the format. Engines read ambiguous archives in different ways, so these are refused: what is read here
//! is what engines unpack.

#[cfg(test)]
pub(super) mod tests;

use std::io::Read;

use anyhow::{Context as _, Result, bail, ensure};

const BLOCK: usize = 512;

/// A longer path cannot be opened (`PATH_MAX`).
const LONGEST_PATH: usize = 4096;

/// Extended attributes and a long path fit into this many times over.
const LARGEST_HEADER: u64 = 1 << 20;

/// The kind of an entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    File,
    Directory,
    /// With its target, as written.
    Symlink(String),
    /// With the path of the entry that is the same file.
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
}

/// The fields that an extended header sets for the next entry.
#[derive(Default)]
struct Extended {
    path: Option<Vec<u8>>,
    link: Option<Vec<u8>>,
    size: Option<u64>,
}

impl<R: Read> Archive<R> {
    pub(super) fn new(stream: R) -> Self {
        Self { stream, left: 0, padding: 0 }
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
            if block.iter().all(|byte| *byte == 0) {
                self.check_end()?;
                return Ok(None);
            }
            let header = Header::parse(&block)?;
            (self.left, self.padding) = (header.size, padding(header.size));
            match header.kind {
                b'x' => self.pax(&mut extended)?,
                b'g' => self.pax(&mut Extended::default())?,
                b'L' => extended.path = Some(self.long_name()?),
                b'K' => extended.link = Some(self.long_name()?),
                _ => return self.entry(header, extended).map(Some),
            }
        }
    }

    fn entry(&mut self, header: Header, extended: Extended) -> Result<Entry> {
        let path = text(extended.path.unwrap_or(header.path));
        let doing = || format!("reading the entry `{}`", path.escape_debug());
        ensure!(extended.size.is_none_or(|size| size == header.size || header.size == 0), "it has two sizes");
        let size = extended.size.unwrap_or(header.size);
        let link = text(extended.link.unwrap_or(header.link));
        let kind = match header.kind {
            b'0' | 0 | b'7' if path.ends_with('/') => Kind::Directory,
            b'0' | 0 | b'7' => Kind::File,
            b'1' => Kind::HardLink(normal(&link).with_context(doing)?),
            b'2' => Kind::Symlink(link),
            b'3' | b'4' | b'6' => Kind::Special,
            b'5' => Kind::Directory,
            other => bail!(
                "{}: its type is `{}`, which builders do not write (a sparse file?)",
                doing(),
                char::from(other).escape_debug()
            ),
        };
        let path = normal(&path).with_context(doing)?;
        // Nothing may follow the header of a link or a directory, whatever its size field says: readers differ there.
        ensure!(kind == Kind::File || size == 0, "{}: it is not a file but has {size} bytes", doing());
        (self.left, self.padding) = (size, padding(size));
        Ok(Entry { path, kind, size, rights: header.rights })
    }

    /// Reads contents of the current entry, up to the size of `buffer`.
    pub(super) fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        let most = usize::try_from(self.left).unwrap_or(usize::MAX).min(buffer.len());
        let mut done = 0;
        while done < most {
            match self.stream.read(&mut buffer[done..most]).context("unpacking")? {
                0 => bail!("it ends within a file"),
                size => done += size,
            }
        }
        self.left -= done as u64;
        Ok(done)
    }

    fn skip(&mut self) -> Result<()> {
        let mut chunk = [0; 1 << 16];
        while self.left > 0 {
            self.read(&mut chunk)?;
        }
        self.left = std::mem::take(&mut self.padding);
        self.read(&mut chunk).map(|_| ())
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
        let mut chunk = vec![0; 1 << 16];
        loop {
            match self.stream.read(&mut chunk).context("unpacking")? {
                0 => return Ok(()),
                size => ensure!(chunk[..size].iter().all(|byte| *byte == 0), "there is more after its end"),
            }
        }
    }

    fn header_bytes(&mut self) -> Result<Vec<u8>> {
        ensure!(self.left <= LARGEST_HEADER, "it has a header of {} bytes", self.left);
        let mut bytes = vec![0; usize::try_from(self.left)?];
        self.read(&mut bytes)?;
        Ok(bytes)
    }

    fn long_name(&mut self) -> Result<Vec<u8>> {
        let mut name = self.header_bytes()?;
        name.truncate(name.iter().position(|byte| *byte == 0).unwrap_or(name.len()));
        Ok(name)
    }

    fn pax(&mut self, extended: &mut Extended) -> Result<()> {
        let bytes = self.header_bytes()?;
        for record in records(&bytes) {
            let (key, value) = record.context("reading an extended header")?;
            match key {
                b"path" => extended.path = Some(value.to_owned()),
                b"linkpath" => extended.link = Some(value.to_owned()),
                b"size" => extended.size = Some(std::str::from_utf8(value)?.parse()?),
                _ if key.starts_with(b"GNU.sparse.") => {
                    bail!("it has a sparse file, which builders do not write")
                }
                _ => {}
            }
        }
        Ok(())
    }
}

/// The records of a pax header: length, space, key, `=`, value, line break. The value may be any bytes.
fn records(mut rest: &[u8]) -> impl Iterator<Item = Result<(&[u8], &[u8])>> {
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let record = (|| {
            let blank = rest.iter().take(20).position(|byte| *byte == b' ')?;
            let length: usize = std::str::from_utf8(&rest[..blank]).ok()?.parse().ok()?;
            let record = rest.get(blank + 1..length)?.strip_suffix(b"\n")?;
            let equals = record.iter().position(|byte| *byte == b'=')?;
            rest = &rest[length..];
            Some((&record[..equals], &record[equals + 1..]))
        })();
        if record.is_none() {
            rest = &[];
        }
        Some(record.context("a record is not of the form `length key=value`"))
    })
}

struct Header {
    path: Vec<u8>,
    link: Vec<u8>,
    size: u64,
    kind: u8,
    rights: Rights,
}

impl Header {
    fn parse(block: &[u8; BLOCK]) -> Result<Self> {
        let sum: u64 = block.iter().map(|byte| u64::from(*byte)).sum();
        let own: u64 = block[148..156].iter().map(|byte| u64::from(*byte)).sum();
        let said = number(&block[148..156])?;
        ensure!(
            said == sum - own + 8 * u64::from(b' '),
            "a header's checksum is wrong: it is not a tar file"
        );
        let mut path = string(&block[..100]).to_owned();
        // GNU's own format has other fields there.
        let prefix = if &block[257..263] == b"ustar\0" { string(&block[345..500]) } else { &[] };
        if !prefix.is_empty() {
            path = [prefix, b"/", &path].concat();
        }
        let link = string(&block[157..257]).to_owned();
        // Other readers take an invalid number here for zero.
        let other = |field: &[u8]| number(field).unwrap_or(0);
        let rights = Rights {
            mode: other(&block[100..108]),
            owner: other(&block[108..116]),
            group: other(&block[116..124]),
            time: other(&block[136..148]),
        };
        Ok(Self { path, link, size: number(&block[124..136])?, kind: block[156], rights })
    }
}

fn string(field: &[u8]) -> &[u8] {
    &field[..field.iter().position(|byte| *byte == 0).unwrap_or(field.len())]
}

/// Octal digits or, with the first bit set, a binary number.
fn number(field: &[u8]) -> Result<u64> {
    if field[0] & 0x80 != 0 {
        let fits = field[0] == 0x80 && field[1..field.len() - 8].iter().all(|byte| *byte == 0);
        ensure!(fits, "a number in a header is too large");
        return Ok(field[field.len() - 8..].iter().fold(0, |number, byte| (number << 8) | u64::from(*byte)));
    }
    let digits = std::str::from_utf8(string(field)).context("a number in a header is invalid")?.trim();
    if digits.is_empty() {
        return Ok(0);
    }
    u64::from_str_radix(digits, 8)
        .with_context(|| format!("`{}` in a header is not a number", digits.escape_debug()))
}

fn padding(size: u64) -> u64 {
    size.next_multiple_of(BLOCK as u64) - size
}

/// A name that is not UTF-8 is converted with replacement characters. No rule looks for such a name.
fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}

/// The path from the root of the image, without `.` and without a slash at either end.
fn normal(path: &str) -> Result<String> {
    ensure!(path.len() <= LONGEST_PATH, "its path has {} bytes", path.len());
    ensure!(!path.contains('\0'), "its path has a zero byte");
    let words = path.split('/').filter(|word| !word.is_empty() && *word != ".");
    let words: Vec<_> = words.collect();
    ensure!(!words.contains(&".."), "its path leads upwards");
    Ok(words.join("/"))
}

//! The parts of a tar file that say something about an entry: its header, and the extended headers before it. They
//! are read as Go's `archive/tar` reads them, because engines use it. Whatever other readers interpret differently is
//! reported.

use std::collections::BTreeSet;

use anyhow::{Context as _, Result, ensure};

use super::{BLOCK, Rights, ZEROS};

/// Why readers differ about an entry.
pub(super) type Odd = Option<&'static str>;

/// What the extended headers before an entry say about it.
#[derive(Default)]
pub(super) struct Extended {
    /// The fields of the last pax header, which replaces all earlier ones.
    pax: Option<Named>,
    /// The fields of GNU's long names, which take precedence.
    gnu: Named,
    odd: Odd,
}

/// The fields of an entry that an extended header replaces.
#[derive(Default)]
struct Named {
    path: Option<Vec<u8>>,
    link: Option<Vec<u8>>,
    size: Option<u64>,
}

/// The keys of pax headers that are read here, or that say nothing about where an entry is or how large it is.
const KEYS: [&[u8]; 11] = [
    b"path",
    b"linkpath",
    b"size",
    b"mtime",
    b"atime",
    b"ctime",
    b"uid",
    b"gid",
    b"uname",
    b"gname",
    b"comment",
];

impl Extended {
    pub(super) fn path(&mut self) -> Option<Vec<u8>> {
        self.gnu.path.take().or_else(|| self.pax.as_mut()?.path.take())
    }

    pub(super) fn link(&mut self) -> Option<Vec<u8>> {
        self.gnu.link.take().or_else(|| self.pax.as_mut()?.link.take())
    }

    pub(super) fn size(&self) -> Option<u64> {
        self.pax.as_ref()?.size
    }

    pub(super) fn odd(&self) -> Odd {
        self.odd
    }

    /// Adds a long path.
    pub(super) fn long_path(&mut self, name: &[u8]) {
        self.odd_if(self.gnu.path.is_some() || self.pax.is_some(), SEVERAL);
        self.gnu.path = self.long(name);
    }

    /// Adds a long target of a link.
    pub(super) fn long_link(&mut self, name: &[u8]) {
        self.odd_if(self.gnu.link.is_some() || self.pax.is_some(), SEVERAL);
        self.gnu.link = self.long(name);
    }

    fn long(&mut self, name: &[u8]) -> Option<Vec<u8>> {
        let name = string(name).to_owned();
        self.odd_if(name.is_empty(), EMPTY);
        Some(name).filter(|name| !name.is_empty())
    }

    /// Adds a pax header.
    pub(super) fn pax(&mut self, bytes: &[u8]) -> Result<()> {
        self.odd_if(self.pax.is_some() || self.gnu.path.is_some() || self.gnu.link.is_some(), SEVERAL);
        let (mut named, mut keys) = (Named::default(), BTreeSet::new());
        for record in records(bytes) {
            let (key, value) = record.context("reading an extended header")?;
            ensure!(!key.starts_with(b"GNU.sparse."), "it has a sparse file, which builders do not write");
            self.odd_if(!keys.insert(key), "an extended header has a key twice");
            let attribute = key.strip_prefix(b"SCHILY.xattr.");
            // An overlay file system would show another directory at this place, or hide what is below it.
            let is_overlay = |name: &[u8]| name.windows(8).any(|word| word == b"overlay.");
            let is_known = attribute.map_or_else(|| KEYS.contains(&key), |name| !is_overlay(name));
            self.odd_if(!is_known, "an extended header has a key that builders do not write");
            if !matches!(key, b"path" | b"linkpath" | b"size") {
                continue;
            }
            self.odd_if(value.is_empty(), EMPTY);
            match key {
                _ if value.is_empty() => {}
                b"path" => named.path = Some(value.to_owned()),
                b"linkpath" => named.link = Some(value.to_owned()),
                _ => named.size = Some(std::str::from_utf8(value)?.parse().context("reading a size")?),
            }
        }
        self.pax = Some(named);
        Ok(())
    }

    fn odd_if(&mut self, is_odd: bool, why: &'static str) {
        if is_odd {
            self.odd.get_or_insert(why);
        }
    }
}

const SEVERAL: &str = "several extended headers name it";
const EMPTY: &str = "an extended header gives it an empty name or size";

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

/// A block of 512 bytes before each entry and each extended header.
pub(super) struct Header {
    pub(super) path: Vec<u8>,
    pub(super) link: Vec<u8>,
    pub(super) size: u64,
    pub(super) kind: u8,
    pub(super) rights: Rights,
    pub(super) odd: Odd,
}

impl Header {
    pub(super) fn parse(block: &[u8; BLOCK]) -> Result<Self> {
        let said = number(&block[148..156])?;
        ensure!(said == checksum(block), "a header's checksum is wrong: it is not a tar file");
        let mut path = string(&block[..100]).to_owned();
        let is_star = &block[508..] == b"tar\0";
        let (prefix, odd) = match &block[257..263] {
            b"ustar\0" if is_star => (string(&block[345..476]), Some("it is of the format of star")),
            b"ustar\0" => (string(&block[345..500]), None),
            // GNU's own format has other fields there, which some readers read as the start of the path.
            b"ustar " if block[345..] != ZEROS[345..BLOCK] => {
                (&[][..], Some("it has fields of GNU's format that few readers know"))
            }
            _ => (&[][..], None),
        };
        if !prefix.is_empty() {
            path = [prefix, b"/", &path].concat();
        }
        let link = string(&block[157..257]).to_owned();
        // Other readers read an invalid number here as zero.
        let other = |field: &[u8]| number(field).unwrap_or(0);
        let rights = Rights {
            mode: other(&block[100..108]),
            owner: other(&block[108..116]),
            group: other(&block[116..124]),
            time: other(&block[136..148]),
        };
        Ok(Self { path, link, size: number(&block[124..136])?, kind: block[156], rights, odd })
    }
}

/// The sum of the bytes, with blanks in place of the checksum. Without optimization, an iterator adapter takes twice
/// as long as this loop.
fn checksum(block: &[u8; BLOCK]) -> u64 {
    let mut sum = 8 * u64::from(b' ');
    for field in [&block[..148], &block[156..]] {
        for byte in field {
            sum += u64::from(*byte);
        }
    }
    sum
}

fn string(field: &[u8]) -> &[u8] {
    &field[..field.iter().position(|byte| *byte == 0).unwrap_or(field.len())]
}

/// Octal digits between blanks and zero bytes or, with the first bit set, a binary number.
fn number(field: &[u8]) -> Result<u64> {
    if field[0] & 0x80 != 0 {
        ensure!(field[0] == 0x80, "a number in a header is negative or too large");
        let next = |number: u64, byte: &u8| number.checked_mul(256)?.checked_add(u64::from(*byte));
        return field[1..].iter().try_fold(0, next).context("a number in a header is too large");
    }
    let is_filler = |byte: &u8| matches!(byte, b' ' | 0);
    let first = field.iter().position(|byte| !is_filler(byte)).unwrap_or(field.len());
    let digits =
        &field[first..field.iter().rposition(|byte| !is_filler(byte)).map_or(first, |last| last + 1)];
    let not_a_number = || format!("`{}` in a header is not a number", digits.escape_ascii());
    ensure!(digits.iter().all(|digit| (b'0'..=b'7').contains(digit)), not_a_number());
    if digits.is_empty() {
        return Ok(0);
    }
    u64::from_str_radix(std::str::from_utf8(digits)?, 8).with_context(not_a_number)
}

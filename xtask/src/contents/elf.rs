//! What an ELF file says about the machine for which it is made: its header, its interpreter and the libraries that it
//! needs (System V ABI, "Object Files" and "Program Loading and Dynamic Linking"). It accepts any bytes: a part that
//! cannot be read counts as missing.

#[cfg(test)]
pub(crate) mod tests;

use serde::{Deserialize, Serialize};

use crate::inputs::lockfile::Libc;

/// The first bytes of every ELF file.
pub const MAGIC: &[u8] = b"\x7fELF";

/// An interpreter's name is a path.
const LONGEST_PATH: usize = 4096;

/// A library's name is that of a file. Thousands of entries may have the same one, so it must be short.
const LONGEST_NAME: usize = 255;

/// A file has about a dozen segments, and with some linkers a few dozen.
const MOST_SEGMENTS: usize = 256;

/// No library needs more others.
const MOST_DYNAMIC: usize = 4096;

const PT_DYNAMIC: u32 = 2;
const PT_INTERP: u32 = 3;
const PT_LOAD: u32 = 1;
const DT_NEEDED: u64 = 1;
const DT_STRTAB: u64 = 5;

/// What one ELF file says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Elf {
    /// `e_machine`, with the ABI's numbers.
    pub machine: u16,
    /// Whether it has 64 bits instead of 32.
    pub is_64: bool,
    /// Whether the most significant byte comes first.
    pub is_big_endian: bool,
    /// The C library with which it is linked, if its interpreter or the libraries that it needs show that.
    pub libc: Option<Libc>,
}

impl Elf {
    /// Parses `bytes`: a whole file, or its beginning, which yields less. `None` if it is not an ELF file.
    #[must_use]
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        if !bytes.starts_with(MAGIC) {
            return None;
        }
        let is_64 = match bytes.get(4)? {
            1 => false,
            2 => true,
            _ => return None,
        };
        let is_big_endian = match bytes.get(5)? {
            1 => false,
            2 => true,
            _ => return None,
        };
        let file = File { bytes, is_64, is_big_endian };
        let machine = u16::try_from(file.number(18, 2)?).ok()?;
        Some(Self { machine, is_64, is_big_endian, libc: file.libc() })
    }
}

/// The C library to which a loader or library of that file name belongs.
#[must_use]
pub fn libc_of(name: &str) -> Option<Libc> {
    let is_musl = name.starts_with("ld-musl-") || name.starts_with("libc.musl-") || name == "libc.so";
    let is_glibc = name == "libc.so.6"
        || name == "libc.so.6.1"
        || name.starts_with("ld-linux")
        || name == "ld64.so.1"
        || name == "ld64.so.2"
        || name == "ld.so.1";
    if is_musl {
        Some(Libc::Musl)
    } else if is_glibc {
        Some(Libc::Glibc)
    } else {
        None
    }
}

/// A segment of the file, from the program header.
struct Segment {
    kind: u32,
    offset: u64,
    address: u64,
    size: u64,
}

struct File<'a> {
    bytes: &'a [u8],
    is_64: bool,
    is_big_endian: bool,
}

impl<'a> File<'a> {
    fn slice(&self, offset: u64, size: u64) -> Option<&'a [u8]> {
        let start = usize::try_from(offset).ok()?;
        let end = start.checked_add(usize::try_from(size).ok()?)?;
        self.bytes.get(start..end)
    }

    fn number(&self, offset: u64, size: u64) -> Option<u64> {
        let bytes = self.slice(offset, size)?;
        let fold = |number: u64, byte: &u8| (number << 8) | u64::from(*byte);
        Some(if self.is_big_endian { bytes.iter().fold(0, fold) } else { bytes.iter().rev().fold(0, fold) })
    }

    /// A number with the width of an address.
    fn word(&self, offset: u64) -> Option<u64> {
        self.number(offset, if self.is_64 { 8 } else { 4 })
    }

    fn text(&self, offset: u64, longest: usize) -> Option<&'a str> {
        let rest = self.bytes.get(usize::try_from(offset).ok()?..)?;
        let length = rest.iter().take(longest + 1).position(|byte| *byte == 0)?;
        std::str::from_utf8(&rest[..length]).ok()
    }

    fn segments(&self) -> Option<Vec<Segment>> {
        let (table, entry_size, count) = if self.is_64 {
            (self.word(32)?, self.number(54, 2)?, self.number(56, 2)?)
        } else {
            (self.word(28)?, self.number(42, 2)?, self.number(44, 2)?)
        };
        let count = usize::try_from(count).ok()?.min(MOST_SEGMENTS);
        let mut segments = Vec::new();
        for index in 0..count as u64 {
            let at = table.checked_add(index.checked_mul(entry_size)?)?;
            let (offset, address, size) = if self.is_64 { (8, 16, 32) } else { (4, 8, 16) };
            let field = |field: u64| self.word(at.checked_add(field)?);
            segments.push(Segment {
                kind: u32::try_from(self.number(at, 4)?).ok()?,
                offset: field(offset)?,
                address: field(address)?,
                size: field(size)?,
            });
        }
        Some(segments)
    }

    /// The C library by the interpreter, else by the needed libraries.
    fn libc(&self) -> Option<Libc> {
        let segments = self.segments()?;
        let of_kind = |kind: u32| segments.iter().find(move |segment| segment.kind == kind);
        let interpreter = of_kind(PT_INTERP).and_then(|segment| self.text(segment.offset, LONGEST_PATH));
        let of_interpreter = interpreter.and_then(|path| libc_of(path.rsplit('/').next().unwrap_or(path)));
        of_interpreter.or_else(|| self.libc_of_libraries(of_kind(PT_DYNAMIC)?, &segments))
    }

    fn libc_of_libraries(&self, dynamic: &Segment, segments: &[Segment]) -> Option<Libc> {
        let width: u64 = if self.is_64 { 8 } else { 4 };
        let (mut names, mut table) = (Vec::new(), None);
        let count = usize::try_from(dynamic.size / (2 * width)).ok()?.min(MOST_DYNAMIC);
        for index in 0..count as u64 {
            let at = dynamic.offset.checked_add(index * 2 * width)?;
            match (self.word(at)?, self.word(at.checked_add(width)?)?) {
                (0, _) => break,
                (DT_NEEDED, name) => names.push(name),
                (DT_STRTAB, address) => table = Some(address),
                _ => {}
            }
        }
        let address = table?;
        let is_in = |segment: &&Segment| {
            segment.kind == PT_LOAD
                && address.checked_sub(segment.address).is_some_and(|distance| distance < segment.size)
        };
        let loaded = segments.iter().find(is_in)?;
        let offset = loaded.offset.checked_add(address - loaded.address)?;
        names.iter().find_map(|name| libc_of(self.text(offset.checked_add(*name)?, LONGEST_NAME)?))
    }
}

//! What an ELF file says of the machine that it runs on: its header, its interpreter and the libraries that it needs
//! (System V ABI, "Object Files" and "Program Loading and Dynamic Linking"). Any bytes may be given: what cannot be read is
//! not there.

use serde::{Deserialize, Serialize};

/// The first bytes of every ELF file.
pub const MAGIC: &[u8] = b"\x7fELF";

/// An interpreter's name is a path.
const LONGEST_NAME: usize = 4096;

/// A file has a dozen segments; some linkers make a few dozen.
const MOST_SEGMENTS: usize = 256;

/// A library that needs more others than this does not exist.
const MOST_DYNAMIC: usize = 4096;

const PT_DYNAMIC: u32 = 2;
const PT_INTERP: u32 = 3;
const PT_LOAD: u32 = 1;
const DT_NEEDED: u64 = 1;
const DT_STRTAB: u64 = 5;

/// A C library.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Libc {
    /// GNU's, as in Debian.
    Glibc,
    /// As in Alpine.
    Musl,
}

/// What one ELF file says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Elf {
    /// `e_machine`, as the ABI numbers it.
    pub machine: u16,
    /// 64 bits, and not 32.
    pub is_64: bool,
    /// The most significant byte comes first.
    pub is_big_endian: bool,
    /// The C library that it is linked with, where its interpreter or the libraries that it needs tell.
    pub libc: Option<Libc>,
}

impl Elf {
    /// Reads `bytes`: a whole file, or its beginning, which tells less. `None` where it is no ELF file.
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

impl std::fmt::Display for Libc {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Glibc => "glibc",
            Self::Musl => "musl",
        })
    }
}

/// The C library that a loader or library of that file name belongs to.
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

/// A segment of the file, as the program header has it.
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

    /// A number that is as wide as an address.
    fn word(&self, offset: u64) -> Option<u64> {
        self.number(offset, if self.is_64 { 8 } else { 4 })
    }

    fn text(&self, offset: u64) -> Option<&'a str> {
        let rest = self.bytes.get(usize::try_from(offset).ok()?..)?;
        let length = rest.iter().take(LONGEST_NAME).position(|byte| *byte == 0)?;
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

    /// By the interpreter where there is one, else by the libraries.
    fn libc(&self) -> Option<Libc> {
        let segments = self.segments()?;
        let of_kind = |kind: u32| segments.iter().find(move |segment| segment.kind == kind);
        let interpreter = of_kind(PT_INTERP).and_then(|segment| self.text(segment.offset));
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
        names.iter().find_map(|name| libc_of(self.text(offset.checked_add(*name)?)?))
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::{Elf, Libc};

    /// A small ELF file with an interpreter and the library that it needs, where there are such.
    pub(crate) fn file(machine: u16, is_64: bool, big: bool, interpreter: &str, needed: &str) -> Vec<u8> {
        let mut bytes = vec![0u8; 1024];
        let mut put = |at: usize, size: usize, value: u64| {
            for index in 0..size {
                let shift = 8 * if big { size - 1 - index } else { index };
                bytes[at + index] = u8::try_from((value >> shift) & 0xff).unwrap();
            }
        };
        let width = if is_64 { 8 } else { 4 };
        put(0, 1, 0x7f);
        for (at, byte) in [(1, b'E'), (2, b'L'), (3, b'F')] {
            put(at, 1, u64::from(byte));
        }
        put(4, 1, if is_64 { 2 } else { 1 });
        put(5, 1, if big { 2 } else { 1 });
        put(18, 2, u64::from(machine));
        let (table, sizes, entry) = if is_64 { (32, 54, 56) } else { (28, 42, 32) };
        put(table, width, 64);
        put(sizes, 2, entry as u64);
        put(sizes + 2, 2, 3);
        let (offset, address, size) = if is_64 { (8, 16, 32) } else { (4, 8, 16) };
        // The dynamic section at 512, its strings at 640, loaded at 0x10000.
        let dynamic = if needed.is_empty() { 0 } else { 2 };
        let kind = if interpreter.is_empty() { 0 } else { 3 };
        for (index, (kind, from, at, length)) in
            [(1, 0, 0x10000, 1024), (kind, 768, 0, 64), (dynamic, 512, 0x10200, 6 * width as u64)]
                .into_iter()
                .enumerate()
        {
            let header = 64 + index * entry;
            put(header, 4, kind);
            put(header + offset, width, from);
            put(header + address, width, at);
            put(header + size, width, length);
        }
        for (index, value) in [1, 4, 5, 0x10000 + 640, 0, 0].into_iter().enumerate() {
            put(512 + index * width, width, value);
        }
        bytes[644..644 + needed.len()].copy_from_slice(needed.as_bytes());
        bytes[768..768 + interpreter.len()].copy_from_slice(interpreter.as_bytes());
        bytes
    }

    #[test]
    fn machine_width_byte_order_and_c_library_are_read() {
        let cases = [
            (62, true, false, "/lib64/ld-linux-x86-64.so.2", "", Some(Libc::Glibc)),
            (62, true, false, "/lib/ld-musl-x86_64.so.1", "libc.musl-x86_64.so.1", Some(Libc::Musl)),
            (183, true, false, "", "libc.so.6", Some(Libc::Glibc)),
            (183, true, false, "", "libc.musl-aarch64.so.1", Some(Libc::Musl)),
            (183, true, false, "", "libc.so", Some(Libc::Musl)),
            (40, false, false, "/lib/ld-linux-armhf.so.3", "", Some(Libc::Glibc)),
            (22, true, true, "/lib/ld64.so.1", "", Some(Libc::Glibc)),
            (8, false, true, "", "libc.so.6", Some(Libc::Glibc)),
            (62, true, false, "", "", None),
            (62, true, false, "", "libm.so.6", None),
        ];
        for (machine, is_64, is_big_endian, interpreter, needed, libc) in cases {
            let found = Elf::parse(&file(machine, is_64, is_big_endian, interpreter, needed));
            assert_eq!(found, Some(Elf { machine, is_64, is_big_endian, libc }), "{interpreter} {needed}");
        }
    }

    #[test]
    fn what_is_no_elf_file_is_none() {
        let mut wrong_class = file(62, true, false, "", "");
        wrong_class[4] = 3;
        for bytes in [b"".as_slice(), b"\x7fELF", b"#!/bin/sh\n", &wrong_class] {
            assert_eq!(Elf::parse(bytes), None);
        }
    }

    #[test]
    fn this_test_runs_on_what_it_reads() {
        let own = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        let elf = Elf::parse(&own).unwrap();
        let machine = if cfg!(target_arch = "x86_64") { 62 } else { 183 };
        assert_eq!((elf.machine, elf.is_64, elf.libc), (machine, true, Some(Libc::Glibc)));
    }

    #[test]
    fn damaged_bytes_are_read_without_end_or_panic() {
        for (is_64, big) in [(true, false), (false, false), (true, true), (false, true)] {
            let whole = file(62, is_64, big, "/lib64/ld-linux-x86-64.so.2", "libc.so.6");
            for length in 0..whole.len() {
                let _found = Elf::parse(&whole[..length]);
            }
            // Every byte of headers and tables, with the values that break arithmetic.
            for at in (0..256).chain(512..660) {
                for value in [0, 1, 0x7f, 0x80, 0xff] {
                    for run in [1, 2, 4, 8] {
                        let mut bytes = whole.clone();
                        bytes[at..at + run].fill(value);
                        let _found = Elf::parse(&bytes);
                    }
                }
            }
        }
    }
}

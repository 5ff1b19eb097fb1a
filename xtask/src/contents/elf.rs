//! What an ELF file says about the machine for which it is made: its header, its interpreter and the libraries that
//! it needs (System V ABI, "Object Files" and "Program Loading and Dynamic Linking"). Any bytes are accepted: a part
//! that cannot be read counts as missing.

mod parts;
#[cfg(test)]
pub(crate) mod tests;

use std::ops::Range;

use anyhow::Result;
use serde::{Deserialize, Serialize};

use crate::inputs::lockfile::Libc;
use parts::Parts;

/// The first bytes of every ELF file.
pub const MAGIC: &[u8] = b"\x7fELF";

/// An interpreter's name is a path.
const MAX_PATH_LEN: usize = 4096;

/// A library's name is that of a file. Thousands of entries may refer to the same name, so it must be short.
const MAX_NAME_LEN: usize = 255;

/// A file has about a dozen segments, and with some linkers a few dozen.
const MAX_SEGMENTS: u64 = 256;

/// More entries than the dynamic section of any library has.
const MAX_DYNAMIC: usize = 4096;

/// The header, the segments and, in a program, the name of the interpreter are within this many bytes.
const FIRST: u64 = 64 << 10;

const PT_DYNAMIC: u32 = 2;
const PT_INTERP: u32 = 3;
const PT_LOAD: u32 = 1;
const DT_NEEDED: u64 = 1;
const DT_STRTAB: u64 = 5;

/// The values of `EI_OSABI` for Linux: System V's, which most compilers write, and GNU's. Older compilers for ARM write
/// that of the processor.
const LINUX: [u8; 2] = [0, 3];
const ARM: u16 = 40;
const OF_ARM: u8 = 97;

/// The interpreters of FreeBSD and NetBSD, of OpenBSD, and of Android.
const FOREIGN_INTERPRETERS: [&str; 3] = ["/libexec/", "/usr/libexec/", "/system/bin/linker"];

/// What one ELF file says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Elf {
    /// `e_machine`, with the ABI's numbers.
    pub machine: u16,
    /// Whether it is a 64-bit file, not a 32-bit one.
    pub is_64: bool,
    /// Whether the most significant byte comes first.
    pub is_big_endian: bool,
    /// The C library with which it is linked, if its interpreter or the libraries that it needs show that.
    pub libc: Option<Libc>,
    /// Whether it is for another system than Linux, such as FreeBSD or Android, as far as it shows that.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_foreign: bool,
}

impl Elf {
    /// Parses `bytes`: a whole file, or its beginning, which yields less. `None` if it is not an ELF file.
    #[must_use]
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        Self::of(&Parts::of(bytes.to_vec()))
    }

    /// Reads a file of `size` bytes, of which the first bytes, `begin`, were read. `ahead` passes over a number of
    /// bytes, and appends a second number of bytes to the buffer. Only the parts that are needed are kept, so a large
    /// file takes no more memory than the limit for them. `None` if it is not an ELF file.
    ///
    /// # Errors
    /// The errors of `ahead`.
    pub fn read(
        begin: &[u8],
        size: u64,
        mut ahead: impl FnMut(u64, u64, &mut Vec<u8>) -> Result<()>,
    ) -> Result<Option<Self>> {
        let mut parts = Parts::of(begin.to_vec());
        // Each range ends after the previous one, and only a handful of ranges is needed.
        while let Some(wanted) = parts.next(&needed(&parts), size) {
            parts.add(&wanted, &mut ahead)?;
        }
        Ok(Self::of(&parts))
    }

    fn of(parts: &Parts) -> Option<Self> {
        let file = File::of(parts)?;
        let machine = u16::try_from(file.number(18, 2)?).ok()?;
        let segments = file.segments().unwrap_or_default();
        let (interpreter, names) = (file.interpreter(&segments), file.library_names(&segments));
        let is_foreign = !file.has_linux_abi(machine)
            || interpreter
                .is_some_and(|path| FOREIGN_INTERPRETERS.iter().any(|known| path.starts_with(known)))
            || shows_other_system(&names);
        let libc = interpreter.and_then(libc_of_path).or_else(|| names.iter().find_map(|name| libc_of(name)));
        let libc = libc.filter(|_| !is_foreign);
        Some(Self { machine, is_64: file.is_64, is_big_endian: file.is_big_endian, libc, is_foreign })
    }
}

/// The ranges of a file that are needed, as far as the parts that were read say where they are.
fn needed(parts: &Parts) -> Vec<Range<u64>> {
    let range = |offset: u64, size: u64| offset..offset.saturating_add(size);
    let mut needed = vec![range(0, FIRST)];
    let Some(file) = File::of(parts) else { return needed };
    let Some((table, entry_size, count)) = file.table() else { return needed };
    let Some(segments) = file.segments() else {
        needed.push(range(table, entry_size * count));
        return needed;
    };
    if file.interpreter(&segments).and_then(libc_of_path).is_some() {
        return needed;
    }
    let longest_dynamic = 2 * file.width() * MAX_DYNAMIC as u64;
    for (kind, longest) in [(PT_INTERP, MAX_PATH_LEN as u64), (PT_DYNAMIC, longest_dynamic)] {
        let found = segments.iter().find(|segment| segment.kind == kind);
        needed.extend(found.map(|segment| range(segment.offset, segment.size.min(longest))));
    }
    let names = file.needed_libraries(&segments).unwrap_or_default();
    if let (Some(first), Some(last)) = (names.iter().min(), names.iter().max()) {
        needed.push(*first..last.saturating_add(MAX_NAME_LEN as u64 + 1));
    }
    needed
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

fn libc_of_path(path: &str) -> Option<Libc> {
    libc_of(path.rsplit('/').next().unwrap_or(path))
}

/// Whether a library that a file needs shows that the file is for another system: the BSDs count the versions of their
/// C library in its name, and Android's has the name of musl's.
fn shows_other_system(names: &[&str]) -> bool {
    const OF_ANDROID: [&str; 3] = ["libdl.so", "libm.so", "liblog.so"];
    let is_bsd = |name: &&str| name.starts_with("libc.so.") && libc_of(name).is_none();
    names.iter().any(is_bsd)
        || (names.contains(&"libc.so") && names.iter().any(|name| OF_ANDROID.contains(name)))
}

/// A segment of the file, from the program header.
struct Segment {
    kind: u32,
    offset: u64,
    address: u64,
    size: u64,
}

struct File<'a> {
    parts: &'a Parts,
    is_64: bool,
    is_big_endian: bool,
}

impl<'a> File<'a> {
    /// `None` if it is not an ELF file.
    fn of(parts: &'a Parts) -> Option<Self> {
        let is = |at: u64| match parts.slice(at, 1)? {
            [1] => Some(false),
            [2] => Some(true),
            _ => None,
        };
        let is_elf = parts.slice(0, MAGIC.len() as u64)? == MAGIC;
        let (is_64, is_big_endian) = (is(4)?, is(5)?);
        is_elf.then_some(Self { parts, is_64, is_big_endian })
    }

    fn number(&self, offset: u64, size: u64) -> Option<u64> {
        let bytes = self.parts.slice(offset, size)?;
        let fold = |number: u64, byte: &u8| (number << 8) | u64::from(*byte);
        Some(if self.is_big_endian { bytes.iter().fold(0, fold) } else { bytes.iter().rev().fold(0, fold) })
    }

    /// The number of bytes of an address.
    fn width(&self) -> u64 {
        if self.is_64 { 8 } else { 4 }
    }

    /// A number with the width of an address.
    fn word(&self, offset: u64) -> Option<u64> {
        self.number(offset, self.width())
    }

    fn text(&self, offset: u64, longest: usize) -> Option<&'a str> {
        let rest = self.parts.rest(offset)?;
        let length = rest.iter().take(longest + 1).position(|byte| *byte == 0)?;
        std::str::from_utf8(&rest[..length]).ok()
    }

    /// The offset of the list of segments, the size of an entry, and how many entries are read.
    fn table(&self) -> Option<(u64, u64, u64)> {
        let (table, entry_size, count) = if self.is_64 {
            (self.word(32)?, self.number(54, 2)?, self.number(56, 2)?)
        } else {
            (self.word(28)?, self.number(42, 2)?, self.number(44, 2)?)
        };
        Some((table, entry_size, count.min(MAX_SEGMENTS)))
    }

    fn segments(&self) -> Option<Vec<Segment>> {
        let (table, entry_size, count) = self.table()?;
        let mut segments = Vec::new();
        for index in 0..count {
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

    fn interpreter(&self, segments: &[Segment]) -> Option<&'a str> {
        let segment = segments.iter().find(|segment| segment.kind == PT_INTERP)?;
        self.text(segment.offset, MAX_PATH_LEN)
    }

    fn has_linux_abi(&self, machine: u16) -> bool {
        let abi = self.parts.slice(7, 1).map_or(0, |abi| abi[0]);
        LINUX.contains(&abi) || (machine == ARM && abi == OF_ARM)
    }

    /// The names of the needed libraries.
    fn library_names(&self, segments: &[Segment]) -> Vec<&'a str> {
        let names = self.needed_libraries(segments).unwrap_or_default();
        names.into_iter().filter_map(|name| self.text(name, MAX_NAME_LEN)).collect()
    }

    /// The offsets of the names of the needed libraries in the file.
    fn needed_libraries(&self, segments: &[Segment]) -> Option<Vec<u64>> {
        let dynamic = segments.iter().find(|segment| segment.kind == PT_DYNAMIC)?;
        let width = self.width();
        let (mut names, mut table) = (Vec::new(), None);
        let count = usize::try_from(dynamic.size / (2 * width)).ok()?.min(MAX_DYNAMIC);
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
        Some(names.into_iter().filter_map(|name| offset.checked_add(name)).collect())
    }
}

//! Small ELF files, whole and damaged.

use std::cell::Cell;

use super::{Elf, Libc, MAGIC};

/// A small ELF file, with an interpreter and a needed library if these are given.
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
fn a_library_name_that_is_too_long_for_a_file_is_ignored() {
    for (length, libc) in [(255, Some(Libc::Musl)), (256, None)] {
        let mut bytes = file(62, true, false, "", "x");
        bytes.resize(2048, 0);
        let name = format!("ld-musl-{}", "x".repeat(length - 8));
        bytes[644..644 + length].copy_from_slice(name.as_bytes());
        assert_eq!(Elf::parse(&bytes).unwrap().libc, libc, "{length}");
    }
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
        let expected = Elf { machine, is_64, is_big_endian, libc, is_foreign: false };
        assert_eq!(found, Some(expected), "{interpreter} {needed}");
    }
}

#[test]
fn a_file_for_another_system_is_recognized() {
    for (abi, interpreter, needed, is_foreign) in [
        (0, "", "libc.so.6", false),
        (3, "/lib64/ld-linux-x86-64.so.2", "", false),
        (9, "", "libc.so.7", true),
        (0, "", "libc.so.7", true),
        (0, "", "libc.so.97.0", true),
        (0, "/libexec/ld-elf.so.1", "", true),
        (0, "/usr/libexec/ld.so", "", true),
        (0, "/system/bin/linker64", "libc.so", true),
        (0, "", "libc.so", false),
        (6, "", "", true),
        (97, "", "", true),
    ] {
        let mut bytes = file(62, true, false, interpreter, needed);
        bytes[7] = abi;
        let found = Elf::parse(&bytes).unwrap();
        assert_eq!(found.is_foreign, is_foreign, "{abi} {interpreter} {needed}");
        assert!(found.libc.is_none() || !is_foreign);
    }
    let mut arm = file(40, false, false, "", "");
    arm[7] = 97;
    assert!(!Elf::parse(&arm).unwrap().is_foreign);
    let names = |names: &[&str]| super::shows_other_system(names);
    assert!(names(&["libc.so", "libdl.so"]) && !names(&["libc.so"]) && !names(&["libdl.so.2", "libc.so.6"]));
}

/// Reads a file of `size` bytes in one pass and not beyond its end: the parts `bytes`, each at its offset, and zeros
/// elsewhere. Also returns how many bytes were kept.
fn read_once(bytes: &[(u64, Vec<u8>)], size: u64) -> (Option<Elf>, u64) {
    let (at, kept) = (Cell::new(MAGIC.len() as u64), Cell::new(MAGIC.len() as u64));
    let read = Elf::read(MAGIC, size, |pass, take, buffer| {
        let (from, had) = (at.get() + pass, buffer.len());
        assert!(from + take <= size, "{from} and {take} of {size}");
        buffer.resize(had + usize::try_from(take).unwrap(), 0);
        for (place, part) in bytes {
            let (begin, end) = ((*place).max(from), (place + part.len() as u64).min(from + take));
            if begin < end {
                let inner = |at: u64, of: u64| usize::try_from(at - of).unwrap();
                buffer[had + inner(begin, from)..had + inner(end, from)]
                    .copy_from_slice(&part[inner(begin, *place)..inner(end, *place)]);
            }
        }
        at.set(from + take);
        kept.set(kept.get() + take);
        Ok(())
    });
    (read.unwrap(), kept.get())
}

/// The parts of a library of `size` bytes whose segments are where a linker or `patchelf` writes them; the rest is zeros.
pub(crate) fn large(size: u64, dynamic: u64, names: u64, needed: &str) -> [(u64, Vec<u8>); 3] {
    let small = file(62, true, false, "", needed);
    let (mut head, mut section) = (small[..512].to_vec(), small[512..608].to_vec());
    let put = |bytes: &mut Vec<u8>, at: usize, value: u64| {
        bytes[at..at + 8].copy_from_slice(&value.to_le_bytes());
    };
    // The first segment is loaded as a whole. The dynamic section is the third segment.
    put(&mut head, 64 + 32, size);
    put(&mut head, 64 + 2 * 56 + 8, dynamic);
    put(&mut section, 24, 0x10000 + names);
    [(0, head), (dynamic, section), (names, small[640..768].to_vec())]
}

#[test]
fn the_c_library_of_a_large_file_is_read_wherever_its_parts_are() {
    for (dynamic, names) in [
        (99 << 20, 4096),
        (99 << 20, 60 << 20),
        ((64 << 20) - 8, 4096),
        (99 << 20, 150 << 20),
        (4096, 150 << 20),
        (150 << 20, (150 << 20) + 96),
    ] {
        let (read, kept) = read_once(&large(200 << 20, dynamic, names, "libc.so"), 200 << 20);
        assert_eq!(read.unwrap().libc, Some(Libc::Musl), "{dynamic} {names}");
        assert!(kept <= 66 << 20, "{kept} bytes are kept");
    }
    let (passed, _) = read_once(&large(200 << 20, 150 << 20, 99 << 20, "libc.so"), 200 << 20);
    assert_eq!(
        passed.unwrap().libc,
        None,
        "the names are after the limit and before the section that says where they are"
    );
}

#[test]
fn little_is_kept_of_a_program_or_of_a_library_without_dependencies() {
    for (interpreter, libc) in [("/lib64/ld-linux-x86-64.so.2", Some(Libc::Glibc)), ("", None)] {
        let head = file(62, true, false, interpreter, "");
        let (read, kept) = read_once(&[(0, head)], 120 << 20);
        assert_eq!(read.unwrap().libc, libc);
        assert!(kept <= 64 << 10, "{kept} bytes are kept");
    }
}

#[test]
fn bytes_that_are_not_an_elf_file_yield_none() {
    let mut wrong_class = file(62, true, false, "", "");
    wrong_class[4] = 3;
    for bytes in [b"".as_slice(), b"\x7fELF", b"#!/bin/sh\n", &wrong_class] {
        assert_eq!(Elf::parse(bytes), None);
    }
}

#[test]
fn the_binary_of_this_test_is_read_as_one_for_this_machine() {
    let own = std::fs::read(std::env::current_exe().unwrap()).unwrap();
    let elf = Elf::parse(&own).unwrap();
    let machine = if cfg!(target_arch = "x86_64") { 62 } else { 183 };
    assert_eq!((elf.machine, elf.is_64, elf.libc), (machine, true, Some(Libc::Glibc)));
}

#[test]
fn damaged_bytes_cause_neither_a_panic_nor_an_endless_loop() {
    for (is_64, big) in [(true, false), (false, false), (true, true), (false, true)] {
        let whole = file(62, is_64, big, "/lib64/ld-linux-x86-64.so.2", "libc.so.6");
        for length in 0..whole.len() {
            let _found = Elf::parse(&whole[..length]);
        }
        // Every byte of the headers and tables, with values that break arithmetic.
        for at in (0..256).chain(512..660) {
            for value in [0, 1, 0x7f, 0x80, 0xff] {
                for run in [1, 2, 4, 8] {
                    let mut bytes = whole.clone();
                    bytes[at..at + run].fill(value);
                    let found = Elf::parse(&bytes);
                    if at >= MAGIC.len() {
                        assert_eq!(read_once(&[(0, bytes)], whole.len() as u64).0, found, "{value} at {at}");
                    }
                }
            }
        }
    }
}

//! Small ELF files, whole and damaged.

use super::{Elf, Libc};

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
fn a_library_has_a_name_that_a_file_can_have() {
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
        // Every byte of the headers and tables, with values that break arithmetic.
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

//! Binaries in their places.

use super::super::archive::tests::file;
use super::super::elf::{Elf, tests as elf};
use super::super::facts::LayerFacts;
use super::super::image::{Contents, ElfFile};
use super::super::layer::tests::facts;
use super::{Wrong, check};

fn parsed(machine: u16) -> Elf {
    Elf::parse(&elf::file(machine, true, false, "", "")).unwrap()
}

pub(super) fn binary(path: &str, machine: u16, needed: &str) -> Vec<u8> {
    file(path, &elf::file(machine, !matches!(machine, 3 | 40), machine == 22, "", needed))
}

/// The result for an image with glibc whose base image has a binary for another platform.
fn judge(platform: &str, files: &[Vec<u8>]) -> Result<String, Wrong> {
    let base = facts(&[binary("lib64/ld-linux-x86-64.so.2", 62, ""), binary("usr/lib/strange", 8, "")]);
    check(&Contents::of(platform, &[base, facts(files)], Some(1), None).unwrap())
}

#[test]
fn each_platform_accepts_only_its_own_machine() {
    for (platform, machine) in [
        ("linux/amd64", 62),
        ("linux/arm64", 183),
        ("linux/arm64/v8", 183),
        ("linux/arm/v7", 40),
        ("linux/386", 3),
        ("linux/ppc64le", 21),
        ("linux/s390x", 22),
        ("linux/riscv64", 243),
    ] {
        for (other, _) in super::WORDS {
            let found = judge(platform, &[binary("app/x.node", other, "")]);
            assert_eq!(found.is_ok(), other == machine, "{platform}: {other}");
        }
    }
    assert!(judge("linux/unheard", &[binary("app/x.node", 62, "")]).is_err());
    assert!(judge("linux/unheard", &[]).is_ok());
}

#[test]
fn the_message_names_file_package_and_remedy() {
    let path = "app/node_modules/@img/sharp-linux-x64/lib/sharp-linux-x64.node";
    let text = judge("linux/arm64", &[binary(path, 62, "libc.so.6")]).unwrap_err().to_string();
    for expected in [
        "`linux/arm64` with glibc",
        &format!("`{path}` of the npm package `@img/sharp-linux-x64` is for x64 with glibc"),
        "`npm ci --os=linux --cpu=arm64 --libc=glibc`",
        "docs/services.md#native-modules",
    ] {
        assert!(text.contains(expected), "expected `{expected}` in: {text}");
    }
}

#[test]
fn another_c_library_width_or_byte_order_is_refused() {
    assert!(judge("linux/amd64", &[binary("app/x", 62, "libc.so.6")]).is_ok());
    assert!(judge("linux/amd64", &[binary("app/x", 62, "libc.musl-x86_64.so.1")]).is_err());
    assert!(judge("linux/amd64", &[binary("app/x", 62, "")]).is_ok(), "static");
    let x32 = file("app/x", &elf::file(62, false, false, "", ""));
    assert!(judge("linux/amd64", &[x32]).is_err());
    let big = file("app/x", &elf::file(183, true, true, "", ""));
    assert!(judge("linux/arm64", &[big]).is_err());
    assert!(judge("linux/amd64", &[binary("app/filter.o", 247, "")]).is_ok(), "run by the kernel");
}

#[test]
fn a_package_may_have_prebuilt_files_for_every_platform() {
    let all = |package: &str, files: &[(&str, u16, &str)]| {
        files
            .iter()
            .map(|(path, machine, needed)| {
                binary(&format!("app/node_modules/{package}/{path}"), *machine, needed)
            })
            .collect::<Vec<_>>()
    };
    let sodium = all(
        "sodium-native",
        &[
            ("prebuilds/linux-x64/sodium-native.node", 62, "libc.so.6"),
            ("prebuilds/linux-arm64/sodium-native.node", 183, "libc.so.6"),
            ("prebuilds/android-arm64/sodium-native.node", 183, "libc.so"),
            ("prebuilds/linux-arm/armv7.node", 40, "libc.so.6"),
        ],
    );
    assert!(judge("linux/amd64", &sodium).is_ok());
    assert!(judge("linux/arm64", &sodium).is_ok());
    assert!(judge("linux/s390x", &sodium).is_err(), "there is no file for this platform");
    let bcrypt = all(
        "bcrypt",
        &[
            ("prebuilds/linux-x64/bcrypt.glibc.node", 62, "libc.so.6"),
            ("prebuilds/linux-x64/bcrypt.musl.node", 62, "libc.musl-x86_64.so.1"),
            ("prebuilds/linux-arm64/bcrypt.musl.node", 183, "libc.musl-aarch64.so.1"),
        ],
    );
    assert!(judge("linux/amd64", &bcrypt).is_ok());
    assert!(judge("linux/amd64", &bcrypt[1..]).is_err(), "only those of the other C library");
    let utf8 = all(
        "utf-8-validate",
        &[
            ("prebuilds/linux-x64/a.node", 62, "libc.musl-x86_64.so.1"),
            ("prebuilds/linux-x64/a.glibc.node", 62, "libc.so.6"),
        ],
    );
    assert!(judge("linux/amd64", &utf8).is_ok(), "the file without a word is for the other C library");
    assert!(judge("linux/amd64", &utf8[..1]).is_err());
    let koffi = all(
        "koffi",
        &[
            ("build/koffi/freebsd_x64/koffi.node", 62, "libc.so.7"),
            ("build/koffi/openbsd_x64/koffi.node", 62, ""),
            ("build/koffi/linux_x64/koffi.node", 62, "libc.so.6"),
        ],
    );
    assert!(judge("linux/amd64", &koffi).is_ok());
    for others in [&koffi[..1], &koffi[1..2], &koffi[..2]] {
        assert!(judge("linux/amd64", others).is_err(), "only those of other systems");
    }
    let unnamed = all("x", &[("build/a/x.node", 183, ""), ("build/b/x.node", 62, "")]);
    assert!(judge("linux/amd64", &unnamed).is_err(), "nothing says that it is for another platform");
    let others = [
        all("@img/sharp-linux-x64", &[("lib/sharp.node", 62, "")]),
        all("@img/sharp-linux-arm64", &[("lib/sharp.node", 183, "")]),
    ];
    assert!(judge("linux/amd64", &others.concat()).is_err(), "these are packages of their own");
}

#[test]
fn entries_beside_a_path_are_compared_by_their_whole_names() {
    let paths = ["p/a", "p/a-b/x", "p/c/x"].into();
    for (directory, entry, expected) in [
        ("p/", "p/a", true),
        ("p/a-b/", "p/a-b/x", false),
        ("p/a-b/", "p/a-b/y", true),
        ("p/c/", "p/c/x", false),
        ("p/c/", "p/c/w", true),
        ("q/", "q/a", false),
        ("/", "/a", false),
    ] {
        assert_eq!(super::has_beside(&paths, directory, entry), expected, "{directory} {entry}");
    }
    for (path, expected) in [("p/a-b/x", true), ("p/a/x", false), ("p/a.x", true)] {
        assert_eq!(super::has_beside(&[path].into(), "p/", "p/a"), expected, "{path}");
    }
}

#[test]
fn tens_of_thousands_of_files_are_checked_quickly() {
    let of = |name: &'static str, machine| {
        let path = move |number| format!("app/node_modules/a/{name}/x{number}.node");
        (0..20_000).map(move |number| ElfFile { path: path(number), elf: parsed(machine), layer: 0 })
    };
    let mut contents = Contents::of::<LayerFacts>("linux/amd64", &[], None, None).unwrap();
    contents.elf = of("linux-arm64", 183).chain(of("linux-x64", 62)).collect();
    assert_eq!(check(&contents).unwrap(), "20000 for linux/amd64, and 20000 beside them for other platforms");
    contents.elf = of("a", 183).chain(of("b", 62)).collect();
    let error = check(&contents).unwrap_err().to_string();
    assert!(
        error.contains(
            "x4.node` of the npm package `a`, beside files for the right platform, is for arm64; and 19995 more;"
        ),
        "{error}"
    );
}

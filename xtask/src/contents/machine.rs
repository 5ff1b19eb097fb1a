//! Prevents the release of a wrong binary: every ELF file above the base image must be for the image's platform and its
//! C library.

mod modules;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::ops::Bound::{Excluded, Included};

use super::elf::Elf;
use super::image::{Contents, ElfFile};
use super::npm;
use crate::inputs::lockfile::Libc;
use crate::inputs::pin::document;

/// ELF files that no processor of the machine runs, such as programs for the kernel's virtual machine or for a graphics
/// card, by `e_machine`: CUDA, AMD GPU, BPF.
const NO_PROCESSOR: [u16; 3] = [190, 224, 247];

/// More files in one message help nobody.
const SHOWN: usize = 5;

/// How many directories deep files for other platforms are looked for in a package.
const DEEPEST: usize = 32;

/// The properties of an ELF file for a platform.
struct Expected {
    machine: u16,
    is_64: bool,
    is_big_endian: bool,
    /// Words for this platform in the names of prebuilt files. The first one is npm's own.
    words: &'static [&'static str],
}

/// Words for a processor in the names of prebuilt files, by `e_machine`.
const WORDS: [(u16, &[&str]); 10] = [
    (62, &["x64", "amd64", "x86_64"]),
    (183, &["arm64", "aarch64", "armv8"]),
    (40, &["arm", "armv7", "armv7l", "armv6", "armhf", "armv7hf"]),
    (3, &["ia32", "x86", "i386", "i686", "386"]),
    (21, &["ppc64", "ppc64le", "powerpc64le"]),
    (22, &["s390x"]),
    (243, &["riscv64", "riscv64gc"]),
    (258, &["loong64", "loongarch64"]),
    (8, &["mips", "mipsel", "mips64el", "mips64"]),
    (20, &["ppc"]),
];

/// Other systems whose programs are ELF files too.
const OTHER_SYSTEMS: [&str; 8] =
    ["android", "freebsd", "openbsd", "netbsd", "sunos", "illumos", "dragonfly", "openharmony"];

impl Expected {
    fn of(platform: &str) -> Option<Self> {
        let architecture = platform.strip_prefix("linux/")?;
        let (machine, is_64, is_big_endian) = match architecture {
            "amd64" | "amd64/v1" | "amd64/v2" | "amd64/v3" | "amd64/v4" => (62, true, false),
            "arm64" | "arm64/v8" => (183, true, false),
            "arm" | "arm/v5" | "arm/v6" | "arm/v7" => (40, false, false),
            "386" => (3, false, false),
            "ppc64le" => (21, true, false),
            "s390x" => (22, true, true),
            "riscv64" => (243, true, false),
            "loong64" => (258, true, false),
            "mips64le" => (8, true, false),
            _ => return None,
        };
        let words = WORDS.iter().find(|(known, _)| *known == machine).map_or(&[][..], |(_, words)| words);
        Some(Self { machine, is_64, is_big_endian, words })
    }

    fn fits(&self, file: &ElfFile, libcs: &BTreeSet<Libc>) -> bool {
        let elf = &file.elf;
        let is_foreign = elf.is_foreign || names_system(&file.path, &OTHER_SYSTEMS);
        let libc = elf.libc.is_none_or(|libc| libcs.is_empty() || libcs.contains(&libc));
        let same =
            (elf.machine, elf.is_64, elf.is_big_endian) == (self.machine, self.is_64, self.is_big_endian);
        (same && libc && !is_foreign) || NO_PROCESSOR.contains(&elf.machine)
    }
}

/// Summarizes the ELF files in words.
///
/// # Errors
/// When a file is for another platform. The error names the file, its package, and the remedy.
pub fn check(contents: &Contents) -> Result<String, Wrong> {
    let above = || contents.elf.iter().filter(|file| contents.is_above(file.layer));
    let platform = contents.platform.clone();
    let Some(expected) = Expected::of(&platform) else {
        return if above().next().is_none() {
            Ok(format!("no binary for {platform}"))
        } else {
            Err(Wrong::Unknown(platform))
        };
    };
    let (right, others): (Vec<_>, Vec<_>) = above().partition(|file| expected.fits(file, &contents.libcs));
    let right: BTreeSet<_> = right.iter().map(|file| file.path.as_str()).collect();
    let (spare, wrong): (Vec<_>, Vec<_>) =
        others.into_iter().partition(|file| is_spare(&file.path, &right, &expected, contents));
    let modules = modules::wrong(contents, &right);
    if !wrong.is_empty() || !modules.is_empty() {
        let more = (wrong.len() + modules.len()).saturating_sub(SHOWN);
        let files = wrong.into_iter().map(|file| describe(file, &right)).chain(modules).take(SHOWN).collect();
        let libcs: Vec<_> = contents.libcs.iter().map(|libc| libc.as_str()).collect();
        let cpu = expected.words.first().copied().unwrap_or("…");
        let libc = if let [libc] = libcs[..] { libc } else { "…" };
        let install = format!("npm ci --os=linux --cpu={cpu} --libc={libc}");
        return Err(Wrong::Files { platform, libcs: libcs.join(" and "), files, more, install });
    }
    Ok(match spare.len() {
        0 => format!("{} for {platform}", right.len()),
        others => format!("{} for {platform}, and {others} beside them for other platforms", right.len()),
    })
}

/// Why a platform's image must not be released.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wrong {
    /// It is not known what binaries for this platform must look like.
    Unknown(String),
    /// There are binaries for another platform.
    Files {
        /// The image's platform.
        platform: String,
        /// The C libraries that the image has.
        libcs: String,
        /// The first files, each with the platform that it is for.
        files: Vec<String>,
        /// How many more there are.
        more: usize,
        /// The npm command that installs packages for this platform.
        install: String,
    },
}

impl std::error::Error for Wrong {}

impl std::fmt::Display for Wrong {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Unknown(platform) => write!(
                f,
                "the image for `{platform}` has ELF files, and this xtask does not know what they must look like for \
                 that platform"
            ),
            Self::Files { platform, libcs, files, more, install } => {
                let shown = files.join("; ");
                let more = if *more > 0 { format!("; and {more} more") } else { String::new() };
                let with = if libcs.is_empty() { String::new() } else { format!(" with {libcs}") };
                write!(
                    f,
                    "the image for `{platform}`{with} has binaries that cannot run there: {shown}{more}; install \
                     dependencies for the platform that the image is for, with `{install}` in the \
                     Dockerfile ({}), or remove the file there",
                    document!("services.md#native-modules")
                )
            }
        }
    }
}

fn describe(file: &ElfFile, right: &BTreeSet<&str>) -> String {
    let (path, name) = (&file.path, name(&file.elf));
    let Some(package) = npm::package_of(path) else {
        return format!("`{path}`, which is in no npm package, is for {name}");
    };
    let is_beside = right.iter().any(|other| npm::package_of(other) == Some(package));
    let beside = if is_beside { ", beside files for the right platform," } else { "" };
    let package = package.rsplit("node_modules/").next().unwrap_or(package);
    format!("`{path}` of the npm package `{package}`{beside} is for {name}")
}

/// The platform of an ELF file, in words.
fn name(elf: &Elf) -> String {
    let machine = WORDS.iter().find(|(machine, _)| *machine == elf.machine);
    let mut name =
        machine.map_or_else(|| format!("machine {}", elf.machine), |(_, words)| words[0].to_owned());
    let is_usual =
        matches!((elf.machine, elf.is_64), (62 | 183 | 21 | 22 | 243 | 258, true) | (40 | 3 | 20, false));
    if !is_usual {
        name += if elf.is_64 { " with 64 bits" } else { " with 32 bits" };
    }
    match elf.libc {
        Some(libc) => format!("{name} with {}", libc.as_str()),
        None if elf.is_foreign => format!("{name} of another system than Linux"),
        None => name,
    }
}

/// Whether the file is one of several in its package, one per platform, and is for another platform: a part of its
/// path names another platform, and there is a right file beside that part.
fn is_spare(path: &str, right: &BTreeSet<&str>, expected: &Expected, contents: &Contents) -> bool {
    let Some(package) = npm::package_of(path) else { return false };
    let mut begin = package.len() + 1;
    for part in path[begin..].split('/').take(DEEPEST) {
        let end = begin + part.len();
        if names_another(part, expected, contents) && has_beside(right, &path[..begin], &path[..end]) {
            return true;
        }
        begin = end + 1;
    }
    is_default_beside_named(path, right)
}

/// Words for a C library in the names of prebuilt files.
const LIBC_WORDS: [&str; 3] = ["musl", "glibc", "gnu"];

/// Whether a right file beside it has the same name and a word for its C library, such as `a.musl.node` beside
/// `a.node`. node-gyp-build loads the one with the word.
fn is_default_beside_named(path: &str, right: &BTreeSet<&str>) -> bool {
    let Some((directory, name)) = path.rsplit_once('/') else { return false };
    let Some((stem, extension)) = name.rsplit_once('.') else { return false };
    LIBC_WORDS.iter().any(|word| {
        [".", "-"].iter().any(|mark| right.contains(&*format!("{directory}/{stem}{mark}{word}.{extension}")))
    })
}

/// Whether one of `paths` is in `directory`, whose path ends with a slash, but neither at nor below the path `entry`
/// in it. The paths of an entry are not one range: `a-b` is between `a` and `a/b`.
fn has_beside(paths: &BTreeSet<&str>, directory: &str, entry: &str) -> bool {
    // `0` is the character after `/`.
    let end = |path: &str| format!("{}0", path.trim_end_matches('/'));
    let ranges = [
        (Included(directory), Excluded(entry)),
        (Excluded(entry), Excluded(&*format!("{entry}/"))),
        (Included(&*end(entry)), Excluded(&*end(directory))),
    ];
    ranges.into_iter().any(|range| paths.range::<str, _>(range).next().is_some())
}

/// Whether the path of a file in its package has one of `known`, which are words for systems. The file itself may not
/// show its system: modules for OpenBSD name no library.
fn names_system(path: &str, known: &[&str]) -> bool {
    let within = npm::package_of(path).map_or("", |package| &path[package.len()..]).to_ascii_lowercase();
    words(&within).any(|word| known.contains(&word))
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_ascii_alphanumeric())
}

fn names_another(part: &str, expected: &Expected, contents: &Contents) -> bool {
    let part = part.to_ascii_lowercase().replace("x86_64", "x64");
    words(&part).any(|word| {
        let is_processor =
            WORDS.iter().any(|(_, words)| words.contains(&word)) && !expected.words.contains(&word);
        let libc = match word {
            "musl" | "musleabihf" | "alpine" | "linuxmusl" => Some(Libc::Musl),
            "glibc" | "gnu" | "gnueabihf" => Some(Libc::Glibc),
            _ => None,
        };
        is_processor
            || libc.is_some_and(|libc| !contents.libcs.contains(&libc))
            || OTHER_SYSTEMS.contains(&word)
    })
}

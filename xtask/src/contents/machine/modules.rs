//! Native modules that are for macOS or Windows: made on a developer's machine, or fetched for the wrong system.

use std::collections::BTreeSet;

use super::super::facts::System;
use super::super::image::Contents;
use super::super::npm;
use super::names_system;

/// Words for a system in the names of prebuilt files.
const fn words(system: System) -> &'static [&'static str] {
    match system {
        System::MacOs => &["darwin", "macos", "osx", "mac", "apple"],
        System::Windows => &["win32", "windows", "win"],
    }
}

/// The modules above the base image in whose place one for Linux is missing, in words. `right` are the files for the
/// image's platform.
pub(super) fn wrong(contents: &Contents, right: &BTreeSet<&str>) -> Vec<String> {
    let above = contents.modules.iter().filter(|(_, _, layer)| contents.is_above(*layer));
    let packages: BTreeSet<_> = right.iter().filter_map(|path| npm::package_of(path)).collect();
    let wrong = above.filter(|(path, system, _)| !is_spare(path, *system, &packages));
    wrong.map(|(path, system, _)| describe(path, *system)).collect()
}

/// Whether a package has the module on purpose: its path says which system it is for, or the package is one of
/// `packages`, which have a file for the image's platform too.
fn is_spare(path: &str, system: System, packages: &BTreeSet<&str>) -> bool {
    names_system(path, words(system))
        || npm::package_of(path).is_some_and(|package| packages.contains(package))
}

fn describe(path: &str, system: System) -> String {
    let system = match system {
        System::MacOs => "macOS",
        System::Windows => "Windows",
    };
    format!("`{path}` is for {system}")
}

#[cfg(test)]
mod tests {
    use super::super::super::archive::tests::file;
    use super::super::super::layer::tests::facts;
    use super::super::tests::binary;
    use super::super::{Contents, check};

    const MACH_O: &[u8] = &[0xcf, 0xfa, 0xed, 0xfe];

    fn judge(files: &[Vec<u8>]) -> Result<String, String> {
        let contents = Contents::of("linux/amd64", &[facts(files)], Some(0), None).unwrap();
        check(&contents).map_err(|wrong| wrong.to_string())
    }

    fn module(path: &str, begin: &[u8]) -> Vec<u8> {
        file(path, &[begin, &[0; 100]].concat())
    }

    #[test]
    fn a_module_for_another_system_in_the_place_of_ours_is_refused() {
        for (path, begin, system) in [
            ("app/node_modules/a/build/Release/a.node", MACH_O, "macOS"),
            ("app/node_modules/a/build/Release/a.node", b"MZ\0\0", "Windows"),
            ("app/native/a.node", MACH_O, "macOS"),
            ("app/node_modules/a/prebuilds/darwin-x64/a.node", b"MZ\0\0", "Windows"),
        ] {
            let error = judge(&[module(path, begin)]).unwrap_err();
            assert!(error.contains(&format!("`{path}` is for {system}")), "{error}");
        }
        let beside = [
            module("app/node_modules/a/build/a.node", MACH_O),
            binary("app/node_modules/b/build/b.node", 62, ""),
        ];
        assert!(judge(&beside).is_err(), "the file for Linux is another package's");
    }

    #[test]
    fn a_module_that_a_package_has_for_others_is_no_problem() {
        for path in [
            "app/node_modules/a/prebuilds/darwin-arm64/a.node",
            "app/node_modules/a/lib/binding/a.macos.node",
        ] {
            judge(&[module(path, MACH_O)]).unwrap();
        }
        let beside = [
            module("app/node_modules/a/x64/a.node", MACH_O),
            binary("app/node_modules/a/linux/a.node", 62, ""),
        ];
        judge(&beside).unwrap();
        judge(&[module("app/node_modules/a/a.exe", b"MZ\0\0")]).unwrap();
    }
}

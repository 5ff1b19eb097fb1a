//! Where a program is. It is looked up here, not by the child: to search, a child must first be a copy of this
//! process (fork), but a program with a known path can be started directly (posix_spawn).

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use nix::unistd::{AccessFlags, eaccess};

/// Whether `program` is already a path, which is not searched for.
pub(super) fn is_path(program: &OsStr) -> bool {
    program.as_bytes().contains(&b'/')
}

/// The file that `name` means with `path` as the value of `PATH`: the first one that this user may execute. `None` if
/// there is none. Directories that are not absolute are skipped, because a checkout could be one of them.
pub(super) fn program(name: &OsStr, path: &OsStr) -> Option<PathBuf> {
    let directories = std::env::split_paths(path).filter(|directory| directory.is_absolute());
    directories.map(|directory| directory.join(name)).find(|file| may_be_executed(file))
}

fn may_be_executed(file: &Path) -> bool {
    file.is_file() && eaccess(file, AccessFlags::X_OK).is_ok()
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    use super::program;
    use crate::process::temp_dir::TempDir;

    #[test]
    fn the_first_executable_file_in_an_absolute_directory_is_found() {
        let scratch = TempDir::new().unwrap();
        let [plain, one, two] = ["plain", "one", "two"].map(|name| scratch.path().join(name));
        for (dir, mode) in [(&plain, 0o644), (&one, 0o755), (&two, 0o755)] {
            fs::create_dir(dir).unwrap();
            fs::write(dir.join("tool"), "").unwrap();
            fs::set_permissions(dir.join("tool"), fs::Permissions::from_mode(mode)).unwrap();
        }
        fs::create_dir(one.join("folder")).unwrap();
        let path = format!("::.:{}:/nowhere:{}:{}", plain.display(), one.display(), two.display());
        let found = |name: &str| program(OsStr::new(name), OsStr::new(&path));
        assert_eq!(found("tool"), Some(one.join("tool")));
        for none in ["folder", "missing", ""] {
            assert_eq!(found(none), None, "{none}");
        }
    }
}

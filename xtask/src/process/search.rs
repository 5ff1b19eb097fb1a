//! Where a program is. Looked up here, and not by the child: a child that searches has to be a copy of this process
//! first (fork), and one that is told the path is not (posix_spawn). That is two milliseconds less for each child.

use std::ffi::OsStr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

/// The file that `name` stands for on `path`, a value of the variable `PATH`: the first one that may be executed.
/// `None` if there is none, or `name` has a slash and is a path itself. Directories that are not absolute are skipped,
/// because they would depend on the child's working directory.
pub(super) fn program(name: &OsStr, path: &OsStr) -> Option<PathBuf> {
    if Path::new(name).components().count() != 1 {
        return None;
    }
    let directories = std::env::split_paths(path).filter(|directory| directory.is_absolute());
    directories.map(|directory| directory.join(name)).find(|file| may_be_executed(file))
}

fn may_be_executed(file: &Path) -> bool {
    file.metadata().is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    use super::program;
    use crate::process::scratch::Scratch;

    #[test]
    fn the_first_file_that_may_be_executed_is_found() {
        let scratch = Scratch::new().unwrap();
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
        for none in ["folder", "missing", "", "./tool", "/bin/sh"] {
            assert_eq!(found(none), None, "{none}");
        }
    }
}

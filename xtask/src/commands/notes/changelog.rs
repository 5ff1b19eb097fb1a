//! `CHANGELOG.md` of the work tree, which people edit as well.

use std::path::Path;

use anyhow::{Context as _, Result};
use semver::Version;

use crate::evidence::notes;
use crate::process::file::{self, replace};

/// The path from the top of the work tree.
pub(super) const FILE: &str = "CHANGELOG.md";

/// The largest file that is read, in bytes. The longest changelogs kept by hand have a few MiB.
const MAX_SIZE: u64 = 16 << 20;

/// Adds the section of a version to the file below `root`, if it has none. Returns whether it added one.
///
/// # Errors
/// When the file is not a text file, the section's place in it is unclear, or it cannot be written. It is unchanged then.
pub(super) fn keep(root: &Path, version: &Version, section: &str) -> Result<bool> {
    let path = root.join(FILE);
    let document = read(&path).with_context(|| format!("reading `{FILE}`, which has to be a text file"))?;
    let Some(text) = notes::with_section(document.as_deref(), version, section)? else { return Ok(false) };
    replace(&path, text.as_bytes()).map(|()| true)
}

/// The text of the file. A symbolic link is refused, because writing would replace it by a file.
fn read(path: &Path) -> Result<Option<String>> {
    let Some(bytes) = file::read(path, MAX_SIZE)? else { return Ok(None) };
    String::from_utf8(bytes).map(Some).context("it is not UTF-8; save it as such")
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::{FILE, keep};
    use crate::process::temp_dir::TempDir;

    #[test]
    fn a_section_is_added_once_and_a_file_that_is_not_text_stays_unchanged() {
        let scratch = TempDir::new().unwrap();
        let (root, path) = (scratch.path(), scratch.path().join(FILE));
        let keep = || keep(root, &"1.2.0".parse().unwrap(), "## [1.2.0] - 2026-11-29\n");
        assert!(keep().unwrap());
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.ends_with("\n\n## [1.2.0] - 2026-11-29\n") && !keep().unwrap());
        assert_eq!(fs::read_to_string(&path).unwrap(), text);

        fs::write(&path, "# Ours\n").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        assert!(keep().unwrap());
        assert_eq!(fs::read_to_string(&path).unwrap(), "# Ours\n\n## [1.2.0] - 2026-11-29\n");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o640);
        assert_eq!(fs::read_dir(root).unwrap().count(), 1, "no temporary file is left beside it");

        fs::write(&path, b"caf\xe9").unwrap();
        assert!(format!("{:#}", keep().unwrap_err()).contains("it is not UTF-8"));
        assert_eq!(fs::read(&path).unwrap(), b"caf\xe9");
        fs::rename(&path, root.join("elsewhere")).unwrap();
        symlink("elsewhere", &path).unwrap();
        assert!(format!("{:#}", keep().unwrap_err()).contains("it is a symbolic link"));
    }
}

//! Makes parts. Each is made in a directory that gets its final name only when it is complete, so that a killed run
//! leaves nothing that looks finished.

pub(crate) mod debian;
pub(crate) mod golang;
pub(crate) mod npm;
pub(crate) mod sources;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use sha2::{Digest as _, Sha256};
use xshell::cmd;

use crate::context::Context;
use crate::files::private_dir;
use crate::files::remove_dir;

/// Goes between the name of a part and the id of the process that makes it.
const PARTIAL: &str = ".partial-";

/// The directory of a part: its name and a short hash of everything that decides its content.
pub(crate) fn prefix(cx: &Context, name: &str, recipe: &[&str]) -> PathBuf {
    cx.layout.prefix(&format!("{name}-{}", key(recipe)))
}

/// Twelve hexadecimal digits over the strings and their boundaries.
fn key(recipe: &[&str]) -> String {
    let mut hash = Sha256::new();
    for item in recipe {
        hash.update((item.len() as u64).to_le_bytes());
        hash.update(item.as_bytes());
    }
    hash.finalize().iter().take(6).map(|byte| format!("{byte:02x}")).collect()
}

/// Runs `make` on an empty directory next to `dir`, and renames it to `dir` on success. The caller holds the lock.
pub(crate) fn complete(cx: &Context, dir: &Path, make: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
    let partial = partial(dir);
    private_dir(&partial)?;
    make(&partial)?;
    // The content must reach the disk before the rename. Otherwise a power cut could leave empty files under the final
    // name.
    let shell = cx.runner.shell()?;
    cx.runner.call(cmd!(shell, "sync --file-system {partial}")).run()?;
    fs::rename(&partial, dir).with_context(|| format!("completing `{}`", dir.display()))
}

/// The name of `path` until it is complete. A child that outlives a killed run writes to that run's name, not to
/// ours.
pub(crate) fn partial(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!("{PARTIAL}{}", std::process::id()));
    PathBuf::from(name)
}

/// Removes what killed runs left in `dir`. The caller holds the lock, so nothing there is still being made.
pub(crate) fn sweep(dir: &Path) -> Result<()> {
    for entry in fs::read_dir(dir).with_context(|| format!("listing `{}`", dir.display()))? {
        let entry = entry.with_context(|| format!("listing `{}`", dir.display()))?;
        if entry.file_name().to_string_lossy().contains(PARTIAL) {
            remove_dir(&entry.path())?;
        }
    }
    Ok(())
}

/// Writes `text` as an executable script. Programs from a prefix need one, because they do not find their libraries
/// there on their own.
pub(crate) fn wrapper(file: &Path, text: &str) -> Result<()> {
    fs::write(file, text)
        .and_then(|()| fs::set_permissions(file, fs::Permissions::from_mode(0o755)))
        .with_context(|| format!("writing `{}`", file.display()))
}

/// The directories of the libraries in `partial` once it is renamed to `prefix`. Empty if the machine had them all.
pub(crate) fn libraries(partial: &Path, prefix: &Path) -> Result<Vec<String>> {
    let mut dirs = Vec::new();
    for parent in ["usr/lib", "lib"].iter().filter(|parent| partial.join(parent).is_dir()) {
        let root = partial.join(parent);
        for entry in fs::read_dir(&root).with_context(|| format!("listing `{}`", root.display()))? {
            let name = entry.with_context(|| format!("listing `{}`", root.display()))?.file_name();
            if name.to_string_lossy().ends_with("-linux-gnu") {
                dirs.push(text(&prefix.join(parent).join(name))?.to_owned());
            }
        }
    }
    Ok(dirs)
}

/// The path of the dynamic loader once `partial`, which has a C library, is renamed to `prefix`.
pub(crate) fn loader(partial: &Path, prefix: &Path) -> Result<PathBuf> {
    for dir in libraries(partial, partial)? {
        for entry in fs::read_dir(&dir).with_context(|| format!("listing `{dir}`"))? {
            let file = entry.with_context(|| format!("listing `{dir}`"))?.path();
            if file.file_name().is_some_and(|name| name.to_string_lossy().starts_with("ld-linux")) {
                let inside = file.strip_prefix(partial).context("finding the loader's place")?;
                return Ok(prefix.join(inside));
            }
        }
    }
    bail!("`{}` holds no `ld-linux…`: is the C library among the packages?", partial.display())
}

/// `path` as text for a generated script or configuration.
pub(crate) fn text(path: &Path) -> Result<&str> {
    path.to_str()
        .with_context(|| format!("`{}` is not UTF-8; set `TESTBED_DIR` to a path that is", path.display()))
}

#[cfg(test)]
mod tests {
    use super::{key, partial, sweep};
    use std::path::Path;
    use xtask::process::temp_dir::TempDir;

    #[test]
    fn leftovers_of_killed_runs_are_swept_and_finished_parts_stay() {
        let scratch = TempDir::new().unwrap();
        for name in ["docker-1", "docker-1.partial-42"] {
            std::fs::create_dir(scratch.path().join(name)).unwrap();
        }
        sweep(scratch.path()).unwrap();
        assert!(scratch.path().join("docker-1").exists());
        assert!(!scratch.path().join("docker-1.partial-42").exists());
        assert!(partial(Path::new("/p/docker-1")).to_str().unwrap().starts_with("/p/docker-1.partial-"));
    }

    #[test]
    fn the_key_depends_on_every_item_and_its_boundary() {
        assert_eq!(key(&["a", "b"]), key(&["a", "b"]));
        assert_ne!(key(&["a", "b"]), key(&["ab"]));
        assert_ne!(key(&["a", "b"]), key(&["b", "a"]));
        assert_eq!(key(&[]).len(), 12);
    }
}

//! The files of a commit, written from git's own objects: exactly the bytes that the commit id stands for.
//! `git archive` would apply attributes and filters of the commit, the user and the machine.

mod place;

use std::collections::BTreeSet;
use std::fs::{self, File, Permissions};
use std::io::{BufRead as _, BufReader, Read as _};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Component, Path};
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use nix::fcntl::AT_FDCWD;
use nix::sys::stat::{UtimensatFlags, utimensat};
use nix::sys::time::TimeSpec;

use crate::refuse;

/// The beginning of a Git LFS pointer (<https://github.com/git-lfs/git-lfs/blob/main/docs/spec.md>).
const LFS_POINTER: &[u8] = b"version https://git-lfs.github.com/spec/";

/// No service's repository has more files.
const MAX_ENTRIES: usize = 200_000;

/// The kind of a tree entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    File,
    Program,
    Link,
}

/// One entry of `git ls-tree`, at a path that is safe to write to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    kind: Kind,
    object: String,
    path: String,
}

/// Parses `git ls-tree -r -z --full-tree` (git-ls-tree(1), "OUTPUT FORMAT").
///
/// # Errors
/// A [`crate::process::failure::Refusal`] that names an entry that has no content of its own or would be written
/// elsewhere.
pub(super) fn entries(output: &[u8]) -> Result<Vec<Entry>> {
    let records: Vec<_> = output.split(|byte| *byte == 0).filter(|record| !record.is_empty()).collect();
    ensure!(records.len() <= MAX_ENTRIES, "the commit has more than {MAX_ENTRIES} files");
    let entries = records.into_iter().map(entry).collect::<Result<Vec<_>>>()?;
    place::check_apart(entries.iter().map(|entry| entry.path.as_str()))?;
    Ok(entries)
}

fn entry(record: &[u8]) -> Result<Entry> {
    let shown = || String::from_utf8_lossy(record).into_owned();
    let text = std::str::from_utf8(record)
        .with_context(|| format!("the commit has a file whose name is not UTF-8: `{}`", shown()))?;
    let (head, path) = text.split_once('\t').with_context(|| format!("`git ls-tree` printed `{text}`"))?;
    let [mode, _, object] = head.split(' ').collect::<Vec<_>>()[..] else {
        bail!("`git ls-tree` printed `{text}`");
    };
    let kind = match mode {
        "100644" | "100664" => Kind::File,
        "100755" => Kind::Program,
        "120000" => Kind::Link,
        "160000" => refuse!(
            "`{path}` is a submodule: its files are in another repository, and a build of this commit would not have \
             them; add the files themselves, or install them as a package"
        ),
        _ => bail!(
            "`{path}` has the mode {mode}: expected a file, a program or a link; remove it and add it again with `git add`"
        ),
    };
    let is_plain = |part: Component<'_>| matches!(part, Component::Normal(_));
    let is_safe = Path::new(path).components().all(is_plain)
        && !path.split('/').any(|part| part.is_empty() || part == "." || part.eq_ignore_ascii_case(".git"));
    ensure!(
        is_safe,
        "exporting the commit: `{}` is not a safe path; rename the file and tag the next version",
        path.escape_debug()
    );
    Ok(Entry { kind, object: object.to_owned(), path: path.to_owned() })
}

/// The input for `git cat-file --batch`.
pub(super) fn asked(entries: &[Entry]) -> String {
    entries.iter().map(|entry| format!("{}\n", entry.object)).collect()
}

/// Writes `entries` below the empty directory `dir`. `objects` is the output of `git cat-file --batch` for [`asked`].
/// Modes do not depend on the umask, and everything gets the time `time`, in seconds since 1970.
///
/// # Errors
/// A [`crate::process::failure::Refusal`] for an entry without content of its own. Other errors when the disk is full
/// or the answer is cut off.
pub(super) fn write(entries: &[Entry], objects: File, dir: &Path, time: u64) -> Result<()> {
    let mut objects = BufReader::new(objects);
    let mut directories = BTreeSet::new();
    for entry in entries {
        let path = dir.join(&entry.path);
        let parents = Path::new(&entry.path).ancestors().skip(1);
        directories.extend(parents.map(|parent| dir.join(parent)));
        let parent = path.parent().unwrap_or(dir);
        fs::create_dir_all(parent).with_context(|| format!("making `{}`", parent.display()))?;
        write_one(entry, &mut objects, &path, time).with_context(|| format!("writing `{}`", entry.path))?;
    }
    // Directories come last, because their times change with each file that is written into them.
    for directory in directories {
        let doing = || format!("setting mode and time of `{}`", directory.display());
        fs::set_permissions(&directory, Permissions::from_mode(0o755)).with_context(doing)?;
        set_time(&directory, time).with_context(doing)?;
    }
    Ok(())
}

fn write_one(entry: &Entry, objects: &mut BufReader<File>, path: &Path, time: u64) -> Result<()> {
    let mut head = String::new();
    objects.by_ref().take(256).read_line(&mut head)?;
    let size = head.strip_prefix(&format!("{} blob ", entry.object)).map(|size| size.trim_end().parse());
    let Some(Ok(size)) = size else { bail!("`git cat-file` printed `{}`", head.trim_end()) };
    let size: u64 = size;
    if entry.kind == Kind::Link {
        ensure!(size <= 4096, "the link's target has {size} bytes");
        let mut target = String::new();
        objects.by_ref().take(size).read_to_string(&mut target)?;
        if let Some(why) = place::leads_astray(&entry.path, &target) {
            refuse!("`{}` is a link to `{}`, {why}", entry.path.escape_debug(), target.escape_debug());
        }
        symlink(&target, path)?;
    } else {
        let mut file = File::options().write(true).create_new(true).open(path)?;
        let mut begin = Vec::new();
        objects.by_ref().take(size.min(LFS_POINTER.len() as u64)).read_to_end(&mut begin)?;
        if begin == LFS_POINTER {
            refuse!(
                "`{}` is kept in Git LFS: the commit has a pointer to it, and the image would have that pointer; \
                 commit the file itself (`git lfs migrate export`)",
                entry.path
            );
        }
        let rest = size - begin.len() as u64;
        let copied = std::io::copy(&mut begin.as_slice().chain(objects.by_ref().take(rest)), &mut file)?;
        ensure!(copied == size, "`git cat-file` ended after {copied} of {size} bytes");
        let mode = if entry.kind == Kind::Program { 0o755 } else { 0o644 };
        file.set_permissions(Permissions::from_mode(mode))?;
    }
    let mut end = [0];
    objects.read_exact(&mut end)?;
    ensure!(end == *b"\n", "`git cat-file` printed more than {size} bytes");
    set_time(path, time)
}

/// Sets both times. For a link, those of the link and not of its target.
fn set_time(path: &Path, time: u64) -> Result<()> {
    let spec = TimeSpec::from_duration(Duration::from_secs(time));
    Ok(utimensat(AT_FDCWD, path, &spec, &spec, UtimensatFlags::NoFollowSymlink)?)
}

#[cfg(test)]
mod tests {
    use super::{Entry, Kind, asked, entries, write};
    use crate::process::temp_dir::TempDir;
    use std::fs::{self, File};
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

    const OBJECT: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

    fn listed(lines: &[(&str, &str)]) -> anyhow::Result<Vec<Entry>> {
        let record = |(mode, path): &(&str, &str)| format!("{mode} blob {OBJECT}\t{path}\0");
        entries(lines.iter().map(record).collect::<String>().as_bytes())
    }

    #[test]
    fn entries_keep_their_kind_and_their_odd_but_harmless_names() {
        let found = listed(&[("100644", "a b\n.js"), ("100755", "bin/run"), ("120000", "é")]).unwrap();
        let kinds: Vec<_> = found.iter().map(|entry| (entry.kind, entry.path.as_str())).collect();
        assert_eq!(kinds, [(Kind::File, "a b\n.js"), (Kind::Program, "bin/run"), (Kind::Link, "é")]);
        assert_eq!(asked(&found), format!("{OBJECT}\n").repeat(3));
        assert_eq!(entries(b"").unwrap(), []);
    }

    #[test]
    fn submodules_colliding_names_unsafe_paths_and_odd_modes_are_refused_by_name() {
        for (lines, refused) in [
            (&[("160000", "lib/shared")][..], "`lib/shared` is a submodule"),
            (&[("100644", "README"), ("100644", "readme")], "`README` and `readme`"),
        ] {
            let error = listed(lines).unwrap_err();
            assert_eq!(crate::process::failure::exit_code(&error), 3, "{error:#}");
            assert!(error.to_string().contains(refused), "{error:#}");
        }
        for path in ["../x", "/etc/passwd", "a/../../x", ".git/config", "a/.GIT/hooks", "./x", "a//b"] {
            let error = listed(&[("100644", path)]).unwrap_err().to_string();
            assert!(error.ends_with("rename the file and tag the next version"), "{path}: {error}");
        }
        let error = listed(&[("100000", "x")]).unwrap_err().to_string();
        assert!(error.ends_with("add it again with `git add`"), "{error}");
        for garbage in [&b"100644 blob\0"[..], b"100644 blob x", b"100644 blob x\t\xff\0"] {
            assert!(entries(garbage).is_err());
        }
    }

    fn written(lines: &[(&str, &str)], answer: &[u8]) -> anyhow::Result<TempDir> {
        let scratch = TempDir::new()?;
        let (tree, objects) = (scratch.path().join("tree"), scratch.path().join("objects"));
        fs::create_dir(&tree)?;
        fs::write(&objects, answer)?;
        write(&listed(lines)?, File::open(&objects)?, &tree, 86_400)?;
        Ok(scratch)
    }

    #[test]
    fn files_are_written_with_fixed_modes_and_the_given_time() {
        let answer = format!("{OBJECT} blob 3\na\nb\n{OBJECT} blob 0\n\n{OBJECT} blob 6\n../a b\n");
        let files = [("100644", "a b"), ("100755", "d/run"), ("120000", "d/link")];
        let scratch = written(&files, answer.as_bytes()).unwrap();
        let tree = scratch.path().join("tree");
        assert_eq!(fs::read(tree.join("a b")).unwrap(), b"a\nb");
        assert_eq!(fs::read_link(tree.join("d/link")).unwrap().to_str(), Some("../a b"));
        for (path, mode) in [("a b", 0o644), ("d/run", 0o755), ("d", 0o755), ("d/link", 0o777), ("", 0o755)] {
            let found = fs::symlink_metadata(tree.join(path)).unwrap();
            assert_eq!((found.mtime(), found.permissions().mode() & 0o777), (86_400, mode), "{path}");
        }
    }

    #[test]
    fn lfs_pointers_links_out_of_the_tree_and_malformed_answers_are_refused() {
        let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:x\n";
        let lfs = format!("{OBJECT} blob {}\n{pointer}\n", pointer.len());
        for (kind, answer) in [
            ("100644", lfs),
            ("120000", format!("{OBJECT} blob 7\n../../x\n")),
            ("100644", format!("{OBJECT} blob 5\nab\n")),
            ("100644", format!("{OBJECT} blob 1\nabc\n")),
            ("100644", format!("{OBJECT} tree 1\na\n")),
            ("100644", format!("{OBJECT} missing\n")),
            ("100644", String::new()),
        ] {
            let error = format!("{:#}", written(&[(kind, "a/b")], answer.as_bytes()).err().unwrap());
            let is_link = kind == "120000";
            assert_eq!(error.ends_with("replace the link by the file, or remove it"), is_link, "{error}");
        }
    }
}

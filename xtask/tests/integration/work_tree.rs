//! The work tree as a commit, with the git of this machine: what is in it, and that nothing of it stays in the
//! repository.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use anyhow::{Result, ensure};
use xtask::process::Runner;
use xtask::process::environment::Environment;
use xtask::process::temp_dir::TempDir;
use xtask::tool::git::Git;

use crate::plain_git;

fn git(dir: &Path, arguments: &[&str]) -> Result<String> {
    plain_git::call(dir, arguments)?.read()
}

/// Every file below `.git`, with its bytes.
fn everything(dir: &Path) -> Result<Vec<(String, Vec<u8>)>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        if path.is_dir() {
            found.extend(everything(&path)?);
        } else {
            found.push((path.display().to_string(), fs::read(&path)?));
        }
    }
    found.sort();
    Ok(found)
}

#[test]
fn the_work_tree_is_a_commit_that_leaves_nothing_behind() -> Result<()> {
    let scratch = TempDir::new()?;
    // The colon would split the name in a list of directories in the environment.
    let top = scratch.path().join("a:b");
    fs::create_dir(&top)?;
    git(&top, &["init", "--quiet"])?;
    for (name, text) in
        [("kept", "kept"), ("changed", "old"), ("gone", "x"), ("kept.log", "x"), (".gitignore", "*.log\n")]
    {
        fs::write(top.join(name), text)?;
    }
    git(&top, &["add", "--all"])?;
    git(&top, &["add", "--force", "kept.log"])?;
    git(&top, &["commit", "--quiet", "--message", "first"])?;
    let hook = top.join(".git/hooks/post-index-change");
    fs::create_dir_all(top.join(".git/hooks"))?;
    fs::write(&hook, "#!/bin/sh\ntouch hook-ran\n")?;
    fs::set_permissions(&hook, fs::Permissions::from_mode(0o755))?;
    fs::write(top.join("changed"), "new")?;
    fs::write(top.join("added"), "added")?;
    fs::write(top.join("other.log"), "ignored")?;
    fs::remove_file(top.join("gone"))?;

    let repository = Git::discover(&Runner::new(&Environment::from_process()), &top)?;
    let head = repository.peel("HEAD")?;
    let before = everything(&top.join(".git"))?;
    let (first, second) = (repository.work_tree()?, repository.work_tree()?);
    assert_eq!(first.commit, second.commit, "the same files are the same commit");
    let names = ["kept", "changed", "gone", "kept.log", "added", "other.log"];
    let files = first.git.files(&first.commit, names)?;
    let found: Vec<_> =
        names.iter().zip(&files).filter_map(|(name, file)| Some((*name, file.as_deref()?))).collect();
    let expected = [("kept", &b"kept"[..]), ("changed", b"new"), ("kept.log", b"x"), ("added", b"added")];
    assert_eq!(found, expected);
    let exported = TempDir::new()?;
    let tree = exported.path().join("tree");
    first.git.export(&first.commit, &tree)?;
    assert_eq!(fs::read_to_string(tree.join("added"))?, "added");
    assert_eq!(exported.path().read_dir()?.count(), 1, "something is left beside it");
    assert_eq!(first.git.log(None, &first.commit)?.entries.len(), 2);

    assert_eq!(everything(&top.join(".git"))?, before, "the repository was changed");
    assert_eq!(repository.peel("HEAD")?, head);
    assert_eq!(repository.peel(first.commit.as_str())?, None, "the commit is in the repository");
    ensure!(!top.join("hook-ran").exists(), "a hook of the user's was run");
    Ok(())
}

#[test]
fn files_that_the_users_git_ignores_everywhere_are_left_out() -> Result<()> {
    let scratch = TempDir::new()?;
    let (home, top) = (scratch.path().join("home"), scratch.path().join("top"));
    fs::create_dir_all(home.join(".config/git"))?;
    fs::create_dir(&top)?;
    git(&top, &["init", "--quiet"])?;
    git(&top, &["commit", "--quiet", "--allow-empty", "--message", "first"])?;
    for name in ["kept", "x.named", "x.default"] {
        fs::write(top.join(name), name)?;
    }
    fs::write(home.join("mine"), "*.named\n")?;
    fs::write(home.join(".config/git/ignore"), "*.default\n")?;
    let path = Environment::from_process().get("PATH")?.unwrap_or_default().to_owned();
    let environment = Environment::from_pairs([("PATH", path), ("HOME", home.display().to_string())]);
    for (settings, expected) in
        [("", "kept\nx.named"), ("[core]\n\texcludesFile = ~/mine\n", "kept\nx.default")]
    {
        fs::write(home.join(".gitconfig"), settings)?;
        let made = Git::discover(&Runner::new(&environment), &top)?.work_tree()?;
        let exported = TempDir::new()?;
        let tree = exported.path().join("tree");
        made.git.export(&made.commit, &tree)?;
        let mut names: Vec<_> =
            tree.read_dir()?.map(|entry| entry.map(|one| one.file_name())).collect::<Result<_, _>>()?;
        names.sort();
        let names: Vec<_> = names.iter().map(|name| name.to_string_lossy()).collect();
        assert_eq!(names.join("\n"), expected, "{settings}");
    }
    Ok(())
}

#[test]
fn tracked_files_that_differ_are_counted() -> Result<()> {
    let scratch = TempDir::new()?;
    git(scratch.path(), &["init", "--quiet"])?;
    for name in ["a", "b", "c"] {
        fs::write(scratch.path().join(name), name)?;
    }
    git(scratch.path(), &["add", "--all"])?;
    git(scratch.path(), &["commit", "--quiet", "--message", "first"])?;
    let repository = Git::discover(&Runner::new(&Environment::from_process()), scratch.path())?;
    let head = repository.peel("HEAD")?.expect("there is a commit");
    assert_eq!(repository.changed_files(&head)?, 0);
    fs::write(scratch.path().join("a"), "changed")?;
    fs::remove_file(scratch.path().join("b"))?;
    fs::write(scratch.path().join("new"), "new")?;
    assert_eq!(repository.changed_files(&head)?, 2);
    fs::write(scratch.path().join(OsStr::from_bytes(b"\xff")), "a name that is not UTF-8")?;
    git(scratch.path(), &["add", "--all"])?;
    assert_eq!(repository.changed_files(&head)?, 4);
    Ok(())
}

#[test]
fn settings_of_the_repository_change_neither_the_commit_nor_what_differs() -> Result<()> {
    let scratch = TempDir::new()?;
    let top = scratch.path().join("top");
    fs::create_dir(&top)?;
    git(&top, &["init", "--quiet"])?;
    for name in ["same", "changed", "moved"] {
        fs::write(top.join(name), format!("{name}\n").repeat(20))?;
    }
    fs::write(top.join(".gitattributes"), "* diff=driver\n")?;
    git(&top, &["add", "--all"])?;
    git(&top, &["commit", "--quiet", "--message", "first"])?;
    fs::write(top.join("changed"), "caf\u{e9}")?;
    git(&top, &["mv", "moved", "elsewhere"])?;
    let configuration = top.join(".git/config");
    let plain = fs::read_to_string(&configuration)?;
    let mut time = std::time::SystemTime::UNIX_EPOCH;
    let mut looked = || -> Result<_> {
        // The file's time differs from the one in the index, where git writes the time that it has seen.
        time += std::time::Duration::from_secs(1);
        fs::File::options().write(true).open(top.join("same"))?.set_modified(time)?;
        let git = Git::discover(&Runner::new(&Environment::from_process()), &top)?;
        let head = git.peel("HEAD")?.expect("there is a commit");
        let made = git.work_tree()?;
        let differs = [git.differs(&head, &["same"])?, git.differs(&head, &["changed"])?];
        Ok((made.commit.to_string(), git.changed_files(&head)?, differs, git.tracked()?))
    };
    let expected = looked()?;
    assert_eq!((expected.1, expected.2), (3, [false, true]));
    let mut wrong = Vec::new();
    for settings in [
        "[i18n]\ncommitEncoding = UTF-16\n",
        "[diff]\norderFile = /nowhere\n",
        "[diff]\nautoRefreshIndex = false\n",
        "[diff]\nexternal = false\ntrustExitCode = true\n",
        "[diff \"driver\"]\ncommand = false\ntrustExitCode = true\ntextconv = false\n",
        "[diff]\nrenames = false\n",
        "[diff]\nrelative = true\nnoPrefix = true\nalgorithm = histogram\n",
        "[commit]\ngpgSign = true\n[gpg]\nprogram = false\n",
        "[core]\nquotePath = true\nabbrev = 4\npager = false\n",
        "[status]\nshowUntrackedFiles = no\n",
        "[add]\nignoreErrors = true\n",
    ] {
        fs::write(&configuration, format!("{plain}{settings}"))?;
        match looked() {
            Ok(found) if found == expected => {}
            found => wrong.push(format!("{settings}{found:?}")),
        }
    }
    assert_eq!(wrong, [""; 0], "{expected:?}");
    Ok(())
}

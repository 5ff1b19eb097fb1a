//! The tags that git reports while it finds the repository, with real git.

use std::ffi::OsStr;
use std::fs::{self, Permissions};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use xtask::process::Runner;
use xtask::process::environment::Environment;
use xtask::tool::git::Git;

use super::Repository;

#[test]
fn all_tags_are_reported_from_any_directory_of_the_repository() {
    let repository = Repository::new(&[("a.js", b"one\n"), ("service/a.js", b"two\n")]);
    let (top, below) = (repository.top(), repository.top().join("service"));
    let tags_are = |expected: &[&str]| {
        for dir in [&top, &below] {
            let (git, tags) = Git::with_tags(&repository.runner, dir).unwrap();
            assert_eq!((&tags, git.root()), (&git.tags().unwrap(), &*top), "{}", dir.display());
            assert_eq!(tags, expected, "{}", dir.display());
            let head = git.peel("HEAD").unwrap().unwrap();
            assert_eq!(git.files(&head, ["./a.js"]).unwrap(), [Some(b"one\n".to_vec())], "{}", dir.display());
        }
    };
    tags_are(&[]);
    for tag in ["v0.1.0", "a/b", "true", "--annotate --message words v0.2.0"] {
        repository.git(&format!("tag {tag}"));
    }
    repository.set();
    tags_are(&["a/b", "true", "v0.1.0", "v0.2.0"]);
    let file = |name: &[u8]| top.join(".git/refs/tags").join(OsStr::from_bytes(name));
    fs::copy(file(b"v0.1.0"), file(b"caf\xe9")).unwrap();
    fs::write(file(b"v0.3.0"), format!("{}\n", "1".repeat(40))).unwrap();
    tags_are(&["a/b", "true", "v0.1.0", "v0.2.0", "v0.3.0"]);
    fs::write(file(b"v0.4.0"), "no id\n").unwrap();
    tags_are(&["a/b", "true", "v0.1.0", "v0.2.0", "v0.3.0"]);
}

#[test]
fn tags_are_queried_separately_if_git_complains() {
    let repository = Repository::new(&[("a.js", b"one\n")]);
    repository.git("tag v0.1.0");
    let environment = Environment::from_process();
    let git = environment.find_program(Path::new("git")).unwrap().unwrap();
    let bin = repository.home().join("bin");
    fs::create_dir(&bin).unwrap();
    let script = format!(
        "#!/bin/sh\ncase \"$*\" in *--tags*) echo 'a tag is odd' >&2; shift 3; exec {git} rev-parse \"$@\";; esac\n\
         exec {git} \"$@\"\n",
        git = git.display()
    );
    fs::write(bin.join("git"), script).unwrap();
    fs::set_permissions(bin.join("git"), Permissions::from_mode(0o755)).unwrap();
    let path = format!("{}:{}", bin.display(), environment.get("PATH").unwrap().unwrap());
    let runner = Runner::new(&Environment::from_pairs([("PATH", path)]));
    let (_, tags) = Git::with_tags(&runner, &repository.top()).unwrap();
    assert_eq!(tags, ["v0.1.0"]);
}

#[test]
fn a_repository_path_with_a_line_break_is_refused() {
    let repository = Repository::new(&[("a.js", b"one\n")]);
    repository.git("tag v0.1.0");
    let home = repository.top().join("home\nrefs/tags");
    fs::create_dir_all(&home).unwrap();
    fs::rename(repository.top().join(".git"), home.join(".git")).unwrap();
    let error = Git::with_tags(&repository.runner, &home).map(drop).unwrap_err();
    assert!(format!("{error:#}").contains("a path without a line break"), "{error:#}");
}

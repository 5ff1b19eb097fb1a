//! What `tool/git` promises, tested with real git: settings of a user, a machine or a repository change nothing.

#![expect(clippy::unwrap_used, reason = "what a test sets up must work")]

mod clones;
mod notes;
mod objects;
mod tags;
mod trees;

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use xshell::cmd;
use xtask::inputs::source::Source;
use xtask::process::Runner;
use xtask::process::environment::Environment;
use xtask::process::temp_dir::TempDir;
use xtask::tool::git::Git;

/// A repository whose user has every setting that has ever changed what git prints or writes.
struct Repository {
    scratch: TempDir,
    runner: Runner,
}

const USER: &str = "[user]\nname = a\nemail = a@example.org\n[safe]\ndirectory = *\n";
const SETTINGS: &str = "[core]\nautocrlf = true\nattributesFile = HOME/attributes\nquotePath = true\n\
    [column]\nui = always\n[color]\nui = always\n[log]\nshowSignature = true\n[i18n]\nlogOutputEncoding = ISO-8859-1\n\
    [filter \"upper\"]\nsmudge = tr a-z A-Z\n";
const ATTRIBUTES: &str =
    "hidden.js export-ignore\nstamp.txt export-subst\nloud.txt filter=upper\n*.js text eol=crlf\n";

impl Repository {
    /// One commit with `files`, by a user without settings.
    fn new(files: &[(&str, &[u8])]) -> Self {
        let scratch = TempDir::new().unwrap();
        let (home, top) = (scratch.path().join("home"), scratch.path().join("top"));
        fs::create_dir(&home).unwrap();
        fs::create_dir(&top).unwrap();
        let path = Environment::from_process().get("PATH").unwrap().unwrap_or_default().to_owned();
        let home_name = home.display().to_string();
        let runner = Runner::new(&Environment::from_pairs([("PATH", path), ("HOME", home_name)]));
        fs::write(home.join(".gitconfig"), USER).unwrap();
        let repository = Self { scratch, runner };
        repository.git("init --quiet");
        for (name, bytes) in files {
            let path = top.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, bytes).unwrap();
        }
        repository.git("add --all");
        repository.git("commit --quiet --message first");
        repository
    }

    fn home(&self) -> PathBuf {
        self.scratch.path().join("home")
    }

    fn top(&self) -> PathBuf {
        self.scratch.path().join("top")
    }

    /// From now on, the user has settings.
    fn set(&self) {
        let home = self.home();
        let settings = SETTINGS.replace("HOME", home.to_str().unwrap());
        fs::write(home.join(".gitconfig"), format!("{USER}{settings}")).unwrap();
        fs::write(home.join("attributes"), ATTRIBUTES).unwrap();
        self.git("config core.autocrlf true");
        self.git("config column.ui always");
    }

    fn git(&self, arguments: &str) -> String {
        let sh = self.runner.shell().unwrap();
        let words = arguments.split(' ');
        self.runner.call(cmd!(sh, "git {words...}")).dir(&self.top()).read().unwrap()
    }

    fn asked(&self) -> Git {
        Git::discover(&self.runner, &self.top()).unwrap()
    }

    fn exported(&self, to: &str) -> PathBuf {
        let git = self.asked();
        let head = git.peel("HEAD").unwrap().unwrap();
        let dir = self.scratch.path().join(to);
        git.export(&head, &dir).unwrap();
        dir
    }
}

fn read(dir: &Path, name: &str) -> Vec<u8> {
    fs::read(dir.join(name)).unwrap()
}

#[test]
fn an_export_has_the_bytes_of_the_commit_despite_attributes_and_filters() {
    let files: [(&str, &[u8]); 5] = [
        ("a.js", b"one\ntwo\n"),
        ("hidden.js", b"still here\n"),
        ("stamp.txt", b"$Format:%H$ $Id$\n"),
        ("loud.txt", b"quiet\n"),
        (".gitattributes", ATTRIBUTES.as_bytes()),
    ];
    let repository = Repository::new(&files);
    repository.set();
    let tree = repository.exported("export");
    for (name, bytes) in files {
        assert_eq!(read(&tree, name), bytes, "{name}");
    }
    assert_eq!(fs::read_dir(&tree).unwrap().count(), files.len());
}

#[test]
fn replaced_objects_are_ignored_when_a_commit_is_exported_or_read() {
    let repository = Repository::new(&[("a.js", b"right\n"), ("b.js", b"wrong\n")]);
    let (right, wrong) = (repository.git("rev-parse HEAD:a.js"), repository.git("rev-parse HEAD:b.js"));
    repository.git(&format!("replace {right} {wrong}"));
    assert_eq!(repository.git("show HEAD:a.js"), "wrong", "git itself shows the replacement");
    assert_eq!(read(&repository.exported("export"), "a.js"), b"right\n");
    let git = repository.asked();
    let head = git.peel("HEAD").unwrap().unwrap();
    assert_eq!(git.files(&head, ["a.js"]).unwrap(), [Some(b"right\n".to_vec())]);
}

#[test]
fn the_users_settings_do_not_affect_tags_times_and_differences() {
    let repository = Repository::new(&[("a.js", b"one\n")]);
    for tag in ["v0.1.0", "v0.1.1", "v0.1.2"] {
        repository.git(&format!("tag {tag}"));
    }
    repository.set();
    let git = repository.asked();
    let head = git.peel("HEAD").unwrap().unwrap();
    for tags in [git.tags(), git.tags_at(&head), git.tags_within(&head)] {
        assert_eq!(tags.unwrap(), ["v0.1.0", "v0.1.1", "v0.1.2"]);
    }
    assert!(git.commit_time(&head).unwrap() > 1_700_000_000);
    assert!(!git.differs(&head, &["a.js"]).unwrap());
}

#[test]
fn a_tag_name_that_is_not_utf_8_does_not_hide_other_tags() {
    let repository = Repository::new(&[("a.js", b"one\n")]);
    repository.git("tag v0.1.0");
    let sh = repository.runner.shell().unwrap();
    let name = OsStr::from_bytes(b"refs/tags/caf\xe9");
    repository.runner.call(cmd!(sh, "git update-ref {name} HEAD")).dir(&repository.top()).run().unwrap();
    let git = repository.asked();
    let head = git.peel("HEAD").unwrap().unwrap();
    for tags in [git.tags(), git.tags_at(&head), git.tags_within(&head)] {
        assert_eq!(tags.unwrap(), ["v0.1.0"]);
    }
}

#[test]
fn a_release_has_the_time_of_its_annotated_tag_else_of_its_commit() {
    let repository = Repository::new(&[("a.js", b"one\n")]);
    let sh = repository.runner.shell().unwrap();
    let tag = repository.runner.call(cmd!(sh, "git -c user.name=a -c user.email=a@b tag -a -m words v0.1.0"));
    tag.dir(&repository.top()).env("GIT_COMMITTER_DATE", "1600000000 +0200").run().unwrap();
    repository.git("tag v0.2.0");
    let git = repository.asked();
    let time = |tag: &str| Source::of_tag(&git, tag.parse().unwrap()).unwrap().released(&git).unwrap();
    let commit = git.commit_time(&git.peel("HEAD").unwrap().unwrap()).unwrap();
    assert_eq!((time("v0.1.0"), time("v0.2.0")), (1_600_000_000, commit));
    assert!(git.tag_time("v0.3.0").is_err());
}

#[test]
fn a_new_file_that_cargo_reads_is_seen_whether_or_not_git_ignores_it() {
    let repository = Repository::new(&[("a.js", b"one\n"), (".gitignore", b".cargo\n/build.rs\n")]);
    let (git, decides) =
        (repository.asked(), ["xtask", "Cargo.toml", ".cargo", "rust-toolchain.toml", "build.rs"]);
    assert!(!git.adds_to(&decides).unwrap());
    fs::write(repository.top().join("other.rs"), "").unwrap();
    assert!(!git.adds_to(&decides).unwrap(), "it is not in these paths");
    for file in ["xtask/build.rs", ".cargo/config.toml", "rust-toolchain.toml", "build.rs"] {
        let path = repository.top().join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, "").unwrap();
        assert!(git.adds_to(&decides).unwrap(), "{file}");
        fs::remove_file(path).unwrap();
    }
}

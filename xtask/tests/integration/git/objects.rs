//! What one long-lived `git cat-file` answers while the repository changes, and for names that no object can have.

use xtask::tool::git::{Commit, Git};

use super::Repository;

fn id(git: &Git, revision: &str) -> Option<String> {
    git.peel(revision).unwrap().map(|commit| commit.to_string())
}

#[test]
fn a_change_in_the_repository_is_seen_by_the_next_request() {
    let repository = Repository::new(&[("a", b"1")]);
    let git = repository.asked();
    let first = id(&git, "HEAD").unwrap();
    assert_eq!(id(&git, "refs/tags/v1"), None);
    repository.git("tag v1");
    assert_eq!(id(&git, "refs/tags/v1"), Some(first.clone()));
    repository.git("commit --quiet --allow-empty --message second");
    let second = repository.git("rev-parse HEAD");
    assert_eq!(id(&git, "HEAD"), Some(second.clone()));
    repository.git("tag --force --annotate --message words v1");
    repository.git("pack-refs --all");
    repository.git("gc --quiet --prune=now");
    assert_eq!(id(&git, "refs/tags/v1"), Some(second));
    repository.git("tag --delete v1");
    assert_eq!(id(&git, "refs/tags/v1"), None);
    assert_eq!(git.files(&Commit::parse(&first).unwrap(), ["a"]).unwrap(), [Some(b"1".to_vec())]);
}

#[test]
fn a_revision_without_a_commit_is_none_and_does_not_disturb_later_requests() {
    let repository = Repository::new(&[("a", b"1"), ("folder/b", b"2")]);
    let git = repository.asked();
    let head = id(&git, "HEAD");
    let long = "x".repeat(5000);
    for none in [
        "",
        "-x",
        "--help",
        "nowhere",
        "HEAD:a",
        "HEAD:folder",
        "HEAD\nHEAD",
        "HEAD\0",
        "HEAD\0junk",
        "two words",
        "HEAD missing",
        &long,
    ] {
        assert_eq!(id(&git, none), None, "{none:?}");
        assert_eq!(id(&git, "HEAD"), head, "{none:?}");
    }
    let error = format!("{:#}", git.peel("@{999}").unwrap_err());
    assert!(error.contains("exited with 128: fatal: log for"), "{error}");
    let commit = git.peel("HEAD").unwrap().unwrap();
    assert!(git.files(&commit, ["folder"]).is_err(), "a folder is not a file");
    assert_eq!(git.files(&commit, ["folder/b", "missing"]).unwrap(), [Some(b"2".to_vec()), None]);
    for odd in ["a\nb", "a\0b", &*"x/".repeat(4000)] {
        assert!(git.files(&commit, [odd]).is_err(), "{odd:?}");
        assert_eq!(git.files(&commit, ["a"]).unwrap(), [Some(b"1".to_vec())], "{odd:?}");
    }
}

//! The inputs of release notes, read with real git.

use std::fs;

use xshell::cmd;
use xtask::evidence::notes;
use xtask::inputs::config::Groups;
use xtask::inputs::history::History;
use xtask::inputs::source::{Purpose, Source};
use xtask::process::failure::exit_code;
use xtask::tool::git::Git;

use super::Repository;

/// The notes of `source`, by the default groups.
fn section(git: &Git, source: &Source) -> String {
    notes::section(None, &Groups::default(), &source.tag, &History::of(git, source, None).unwrap(), None)
}

#[test]
fn a_subject_that_is_not_utf_8_is_shown_with_replacements() {
    let repository = Repository::new(&[("a.js", b"one\n")]);
    let tree = repository.git("rev-parse HEAD^{tree}");
    let commit = |headers: &str, subject: &[u8]| {
        let parent = repository.git("rev-parse HEAD");
        let people = "author a <a@b> 1700000000 +0000\ncommitter a <a@b> 1700000000 +0000";
        let head = format!("tree {tree}\nparent {parent}\n{people}\n{headers}\n");
        let sh = repository.runner.shell().unwrap();
        let call = repository.runner.call(cmd!(sh, "git hash-object -t commit -w --stdin"));
        let id = call.dir(&repository.top()).stdin([head.as_bytes(), subject].concat()).read().unwrap();
        repository.git(&format!("reset --quiet --hard {id}"));
    };
    let subject = || {
        let git = repository.asked();
        let log = git.log(None, &git.peel("HEAD").unwrap().unwrap()).unwrap();
        log.entries[0].message.subject.clone()
    };
    repository.git("tag v0.1.0");
    commit("", b"caf\xe9 is open\n");
    assert_eq!(subject(), "caf\u{fffd} is open");
    repository.git("tag v0.2.0");
    let source = Source::of_tag(&repository.asked(), "v0.2.0".parse().unwrap()).unwrap();
    let notes = notes::section(
        None,
        &Groups::default(),
        &source.tag,
        &History::of(&repository.asked(), &source, None).unwrap(),
        None,
    );
    assert!(notes.contains("- `caf\u{fffd} is open` ("), "what the page says about it: {notes}");
    commit("encoding ISO-8859-1\n", b"caf\xe9 is open\n");
    assert_eq!(subject(), "café is open");
    repository.set();
    assert_eq!(subject(), "café is open");
}

#[test]
fn a_maintainers_text_is_put_before_the_changes_or_refused_with_its_line() {
    let section = |words: &[u8]| {
        let repository = Repository::new(&[("a.js", b"one\n"), ("release-notes/v0.1.0.md", words)]);
        repository.git("tag v0.1.0");
        let git = repository.asked();
        let source = Source::of_tag(&git, "v0.1.0".parse().unwrap()).unwrap();
        History::of(&git, &source, None)
            .map(|history| notes::section(None, &Groups::default(), &source.tag, &history, None))
    };
    assert_eq!(section(b"Hello.\n").unwrap(), "Hello.\n\n## Changes\n\nThe first release.\n");
    let error = section(b"Hello.\n\n## Image\n").unwrap_err();
    assert_eq!(exit_code(&error), 3);
    assert!(error.to_string().starts_with("`release-notes/v0.1.0.md` of commit "), "{error}");
    assert!(error.to_string().contains(": line 3: "), "{error}");
}

#[test]
fn the_message_of_an_annotated_tag_is_put_before_the_changes_if_there_is_no_file() {
    let repository = Repository::new(&[("a.js", b"one\n"), ("release-notes/v0.2.0.md", b"From the file.\n")]);
    for (tag, message) in
        [("v0.1.0", "Hello."), ("v0.2.0", "From-the-tag."), ("v0.3.0", "v0.3.0"), ("v0.4.0", "<b>")]
    {
        repository.git(&format!("tag --annotate --message={message} {tag}"));
    }
    repository.git("tag v0.5.0");
    let git = repository.asked();
    let words = |tag: &str| {
        let source = Source::of_tag(&git, tag.parse().unwrap()).unwrap();
        History::of(&git, &source, None).unwrap().words
    };
    assert_eq!(words("v0.1.0").as_deref(), Some("Hello."));
    assert_eq!(words("v0.2.0").as_deref(), Some("From the file."));
    assert_eq!((words("v0.3.0"), words("v0.5.0")), (None, None), "a lightweight tag has no words of its own");
    assert!(
        words("v0.4.0").unwrap().starts_with("The message of the git tag is not shown here: line 1: HTML")
    );
}

#[test]
fn notes_compare_the_images_of_both_commits_and_say_what_they_cannot_read() {
    let lock = |version: &str| {
        format!(
            r#"{{"lockfileVersion": 3, "packages": {{"": {{"dependencies": {{"a": "*"}}}}, "node_modules/a": {{"version": "{version}"}}}}}}"#
        )
    };
    // A folder in place of the configuration, which must not prevent the notes.
    let repository = Repository::new(&[
        ("package-lock.json", lock("1.0.0").as_bytes()),
        ("Dockerfile", b"FROM node:20\n"),
        ("Cargo.toml/x", b""),
    ]);
    repository.git("tag v0.1.0");
    repository.git("rm --quiet -r Cargo.toml");
    fs::write(repository.top().join("package-lock.json"), lock("2.0.0")).unwrap();
    fs::write(repository.top().join("Dockerfile"), "FROM node:22\nUSER 1000\n").unwrap();
    repository.git("add --all");
    repository.git("-c user.name=a -c user.email=a@b commit --quiet --message more");
    repository.git("tag v0.2.0");
    let git = repository.asked();
    let source = Source::of_tag(&git, "v0.2.0".parse().unwrap()).unwrap();
    let notes = || section(&git, &source);
    let text = notes();
    for part in [
        "### Upgrade notes\n\n- Node.js `20` → `22`.\n- The user that it runs as: ",
        "<details><summary>Dependencies (2)</summary>\n\n- Base image `node:20` → `node:22`\n- `a` `1.0.0` → `2.0.0`\n\n</details>\n",
        "\nThe configuration of v0.1.0 could not be read, so what it says is not compared.\n",
    ] {
        assert!(text.contains(part), "{part}\n---\n{text}");
    }
    assert_eq!(notes(), text);
}

#[test]
fn a_co_author_of_only_bare_merges_does_not_count() {
    let repository = Repository::new(&[("a", b"")]);
    repository.git("tag v0.1.0");
    for (branch, subject) in [("x", "Merge"), ("y", "Words")] {
        repository.git(&format!("checkout --quiet -b {branch} v0.1.0"));
        repository.git(&format!("commit --quiet --allow-empty --message {branch}"));
        repository.git("checkout --quiet -");
        let sh = repository.runner.shell().unwrap();
        let message = format!("{subject} branch\n\nCo-authored-by: Person {branch} <{branch}@example.org>\n");
        let merge = cmd!(sh, "git merge --quiet --no-ff --message {message} {branch}");
        repository.runner.call(merge).dir(&repository.top()).run().unwrap();
    }
    let git = repository.asked();
    let log = git.log(Some("v0.1.0"), &git.peel("HEAD").unwrap().unwrap()).unwrap();
    assert_eq!(log.names.all.iter().map(|name| &**name).collect::<Vec<_>>(), ["Person y", "a"]);
}

#[test]
fn notes_ignore_replaced_commits_and_grafts_and_refuse_a_shallow_history() {
    let repository = Repository::new(&[("a", b"")]);
    repository.git("tag v0.1.0");
    let commit = |message: &str| {
        repository.git(&format!(
            "-c user.name=a -c user.email=a@b commit --quiet --allow-empty --message {message}"
        ));
        repository.git("rev-parse HEAD")
    };
    let first = commit("first");
    let last = commit("last");
    repository.git("tag v0.2.0");
    let notes = || {
        let git = repository.asked();
        let source = Source::of_tag(&git, "v0.2.0".parse().unwrap()).unwrap();
        section(&git, &source)
    };
    let log = || repository.git("log --format=%s v0.1.0..v0.2.0");
    let text = notes();
    assert!(log() == "last\nfirst" && text.contains("`first`") && text.contains("`last`"), "{text}");

    let other = commit("another");
    repository.git(&format!("replace {first} {other}"));
    assert!(log().contains("another"));
    assert_eq!(notes(), text);
    repository.git(&format!("replace --delete {first}"));
    fs::write(repository.top().join(".git/info/grafts"), format!("{last}\n")).unwrap();
    assert_eq!(log(), "last");
    assert_eq!(notes(), text);

    let (top, cut) = (repository.top().display().to_string(), repository.scratch.path().join("cut"));
    repository.git(&format!("clone --quiet --depth 1 --branch v0.2.0 file://{top} {}", cut.display()));
    let git = Git::discover(&repository.runner, &cut).unwrap();
    let error = Source::for_rehearsal(&git, Some("v0.2.0"), Purpose::Read).unwrap_err();
    assert!(
        exit_code(&error) == 3 && error.to_string().contains("`git fetch --unshallow --tags`"),
        "{error:#}"
    );
    // An image in this machine's registry may come from a rehearsal, which has no tag.
    let of_image = |git: &Git, commit: &str| {
        Source::of_rehearsal(git, "v0.9.9".parse().unwrap(), commit)
            .map(drop)
            .map_err(|error| error.to_string())
    };
    assert!(of_image(&git, &first).unwrap_err().contains("`git fetch --unshallow --tags`"));
    assert_eq!(of_image(&repository.asked(), &first), Ok(()));
    let unknown = of_image(&repository.asked(), &"a".repeat(40)).unwrap_err();
    assert!(unknown.contains("run `git fetch --tags`") && unknown.contains("rehearsal"), "{unknown}");
}

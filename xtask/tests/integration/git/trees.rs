//! Trees that no `git add` makes, but that a push and a clone accept: an export of them stays in its directory.

use xshell::cmd;

use crate::git::Repository;

impl Repository {
    /// What `git ARGUMENTS` prints when it reads `input`.
    fn given(&self, arguments: &str, input: &str) -> String {
        let sh = self.runner.shell().unwrap();
        let words = arguments.split(' ');
        self.runner.call(cmd!(sh, "git {words...}")).dir(&self.top()).stdin(input).read().unwrap()
    }

    fn blob(&self, content: &str) -> String {
        self.given("hash-object -w --stdin", content)
    }

    /// A tree of lines such as `100644 blob ID\tNAME`.
    fn tree(&self, lines: &[String]) -> String {
        self.given("mktree", &lines.concat())
    }

    fn refusal_of(&self, tree: &str, to: &str) -> String {
        let git = self.asked();
        let commit = self.git(&format!("commit-tree -m crafted {tree}"));
        let commit = git.peel(&commit).unwrap().unwrap();
        let error = git.export(&commit, &self.scratch.path().join(to)).unwrap_err();
        assert_eq!(xtask::process::failure::exit_code(&error), 3, "{error:#}");
        format!("{error:#}")
    }
}

#[test]
fn a_crafted_tree_is_refused_and_writes_nothing_outside_of_the_export() {
    let repository = Repository::new(&[("a.js", b"x\n")]);
    let home = repository.home();
    let evil = repository.blob("evil\n");
    let here = repository.blob(".");
    let below = repository.tree(&[format!("100644 blob {evil}\tevil.desktop\n")]);
    let directory = repository.tree(&[format!("040000 tree {below}\tautostart\n")]);
    let up = format!("l/l/l/l/l/l/l/l/l/l/l/l{}{}", "/..".repeat(12), home.display());
    let out = repository.blob(&up);
    let link = |name: &str, object: &str| format!("120000 blob {object}\t{name}\n");
    let crafted =
        repository.tree(&[link("l", &here), link("x", &out), format!("040000 tree {directory}\tx\n")]);
    let error = repository.refusal_of(&crafted, "through");
    assert!(error.contains("`x` as a file or a link, and `x/autostart/evil.desktop` below it"), "{error}");
    // Without the directory, the link itself would still be a way out for whatever reads the export.
    let error = repository.refusal_of(&repository.tree(&[link("l", &here), link("x", &out)]), "out");
    assert!(error.contains("goes up again after a name"), "{error}");
    assert!(!home.join("autostart").exists());
}

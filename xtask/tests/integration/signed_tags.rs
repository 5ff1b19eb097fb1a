//! Who signed a tag, checked with real git and ssh-keygen. Only a listed key counts, whatever the repository's
//! settings and the user's key rings say.

#![expect(clippy::unwrap_used, reason = "what a test sets up must work")]

use std::fs;
use std::path::PathBuf;

use xshell::cmd;
use xtask::process::Runner;
use xtask::process::environment::Environment;
use xtask::process::temp_dir::TempDir;
use xtask::tool::git::{Commit, Git, Signer};

/// A repository with one commit, and keys by their names.
pub(crate) struct Repository {
    scratch: TempDir,
    path: String,
}

impl Repository {
    pub(crate) fn new() -> Self {
        let path = Environment::from_process().get("PATH").unwrap().unwrap_or_default().to_owned();
        let repository = Self { scratch: TempDir::new().unwrap(), path };
        fs::create_dir(repository.top()).unwrap();
        fs::write(repository.beside(".gitconfig"), "[user]\nname = a\nemail = a@example.org\n").unwrap();
        repository.git(&["init", "--quiet"]);
        repository.git(&["commit", "--quiet", "--allow-empty", "--message", "first"]);
        for name in ["alice", "mallory"] {
            repository.new_key(name);
        }
        repository
    }

    pub(crate) fn new_key(&self, name: &str) {
        let (sh, file) = (self.runner().shell().unwrap(), self.beside(name));
        self.runner().call(cmd!(sh, "ssh-keygen -q -t ed25519 -N '' -f {file}")).run().unwrap();
    }

    fn beside(&self, name: &str) -> PathBuf {
        self.scratch.path().join(name)
    }

    fn top(&self) -> PathBuf {
        self.beside("top")
    }

    fn runner(&self) -> Runner {
        let home = self.scratch.path().display().to_string();
        Runner::new(&Environment::from_pairs([("PATH", self.path.clone()), ("HOME", home)]))
    }

    pub(crate) fn git(&self, arguments: &[&str]) -> String {
        let sh = self.runner().shell().unwrap();
        self.runner().call(cmd!(sh, "git {arguments...}")).dir(&self.top()).read().unwrap()
    }

    /// Makes the tag `name` at HEAD, signed with the key of `who`.
    pub(crate) fn sign(&self, name: &str, who: &str) {
        let key = format!("user.signingKey={}", self.beside(who).display());
        self.git(&["-c", "gpg.format=ssh", "-c", &key, "tag", "--sign", "--message", name, name]);
    }

    /// A list with the key of `who`, for signatures made with git.
    pub(crate) fn allows(&self, who: &str) -> String {
        let key = fs::read_to_string(self.beside(&format!("{who}.pub"))).unwrap();
        format!("{who}@example.org namespaces=\"git\" {key}")
    }

    pub(crate) fn asked(&self) -> Git {
        Git::discover(&self.runner(), &self.top()).unwrap()
    }

    pub(crate) fn head(&self) -> Commit {
        self.asked().peel("HEAD").unwrap().unwrap()
    }

    fn signer(&self, tag: &str, allowed: &str) -> Result<Signer, String> {
        self.asked().signer(tag, &self.head(), allowed.as_bytes()).unwrap()
    }

    /// Checks why the tag counts as unsigned.
    fn refused(&self, tag: &str, allowed: &str, words: &str) {
        let found = self.signer(tag, allowed).unwrap_err();
        assert!(found.contains(words), "{tag}: {found}");
    }
}

#[test]
fn a_tag_is_signed_by_the_principal_whose_key_is_listed() {
    let repository = Repository::new();
    repository.sign("v0.1.0", "alice");
    let allowed = format!("{}{}", repository.allows("mallory"), repository.allows("alice"));
    let signer = repository.signer("v0.1.0", &allowed).unwrap();
    assert_eq!(signer.principal, "alice@example.org");
    let (sh, key) = (repository.runner().shell().unwrap(), repository.beside("alice.pub"));
    let printed = repository.runner().call(cmd!(sh, "ssh-keygen -l -f {key}")).read().unwrap();
    assert!(printed.contains(&signer.fingerprint), "{printed}");
}

#[test]
fn a_tag_without_a_signature_by_a_listed_key_counts_as_unsigned() {
    let repository = Repository::new();
    repository.git(&["tag", "v0.1.0"]);
    repository.git(&["tag", "--annotate", "--message", "m", "v0.1.1"]);
    repository.sign("v0.1.2", "mallory");
    repository.sign("v0.1.3", "alice");
    let allowed = repository.allows("alice");
    repository.refused("v0.1.0", &allowed, "lightweight");
    repository.refused("v0.1.1", &allowed, "no signature found");
    repository.refused("v0.1.2", &allowed, "No principal matched");
    repository.refused("v0.1.3", "", "No principal matched");
    repository.refused(
        "v0.1.3",
        &allowed.replace("namespaces=\"git\"", "namespaces=\"file\""),
        "git does not accept",
    );
    repository.refused("v0.1.9", &allowed, "no such tag");
}

#[test]
fn a_signature_of_another_tag_or_commit_does_not_count() {
    let repository = Repository::new();
    let allowed = repository.allows("alice");
    repository.sign("v0.1.0", "alice");
    repository.git(&["update-ref", "refs/tags/v0.2.0", "refs/tags/v0.1.0"]);
    repository.refused("v0.2.0", &allowed, "another tag, `v0.1.0`");
    repository.git(&["commit", "--quiet", "--allow-empty", "--message", "second"]);
    repository.refused("v0.1.0", &allowed, "points to commit");

    // The same signature under a different message.
    repository.sign("v0.3.0", "alice");
    let object = repository.git(&["cat-file", "tag", "v0.3.0"]) + "\n";
    let forged = object.replacen("\n\nv0.3.0\n", "\n\nother words\n", 1);
    assert_ne!(forged, object);
    let sh = repository.runner().shell().unwrap();
    let write = repository.runner().call(cmd!(sh, "git hash-object -t tag -w --stdin"));
    let id = write.dir(&repository.top()).stdin(forged).read().unwrap();
    repository.git(&["update-ref", "refs/tags/v0.3.0", &id]);
    repository.refused("v0.3.0", &allowed, "git does not accept");
}

#[test]
fn neither_settings_of_the_repository_nor_key_rings_make_a_signature_good() {
    let repository = Repository::new();
    let sh = repository.runner().shell().unwrap();
    let program = |name: &str, words: &str| {
        let file = repository.beside(name);
        fs::write(&file, format!("#!/bin/sh\ncat <<'END'\n{words}\nEND\n")).unwrap();
        repository.runner().call(cmd!(sh, "chmod 755 {file}")).run().unwrap();
        file.display().to_string()
    };
    let key = "0123456789ABCDEF0123456789ABCDEF01234567";
    let gpg = program(
        "gpg",
        &format!(
            "[GNUPG:] NEWSIG\n[GNUPG:] GOODSIG {key} mallory\n[GNUPG:] VALIDSIG {key} 2020-01-01 0 0 0 0 0 0 0 {key}\n\
         [GNUPG:] TRUST_ULTIMATE"
        ),
    );
    let fingerprint = "a".repeat(43);
    let ssh =
        program("ssh", &format!("Good \"git\" signature for alice with ED25519 key SHA256:{fingerprint}"));
    let listed = repository.beside("listed");
    fs::write(&listed, repository.allows("mallory")).unwrap();
    let listed = listed.display().to_string();
    for (key, value) in [
        ("gpg.program", &gpg),
        ("gpg.openpgp.program", &gpg),
        ("gpg.x509.program", &gpg),
        ("gpg.ssh.program", &ssh),
        ("gpg.ssh.allowedSignersFile", &listed),
    ] {
        repository.git(&["config", key, value]);
    }
    let head = repository.head();
    for format in ["PGP SIGNATURE", "PGP MESSAGE", "SIGNED MESSAGE", "SSH SIGNATURE"] {
        let object = format!(
            "object {head}\ntype commit\ntag v0.1.0\ntagger a <a@example.org> 1700000000 +0000\n\nm\n\
             -----BEGIN {format}-----\n\nAAAA\n-----END {format}-----\n"
        );
        let write = repository.runner().call(cmd!(sh, "git hash-object -t tag -w --stdin"));
        let id = write.dir(&repository.top()).stdin(object).read().unwrap();
        repository.git(&["update-ref", "refs/tags/v0.1.0", &id]);
        repository.refused("v0.1.0", &repository.allows("alice"), "git does not accept");
    }
    repository.git(&["config", "--unset", "gpg.ssh.program"]);
    repository.sign("v0.2.0", "mallory");
    repository.refused("v0.2.0", &repository.allows("alice"), "No principal matched");
}

#[test]
fn without_ssh_keygen_a_signature_is_neither_accepted_nor_rejected() {
    let mut repository = Repository::new();
    repository.sign("v0.1.0", "alice");
    let (head, allowed) = (repository.head(), repository.allows("alice"));
    let (sh, bin) = (repository.runner().shell().unwrap(), repository.beside("bin"));
    let git = repository.runner().call(cmd!(sh, "sh -c 'command -v git'")).read().unwrap();
    fs::create_dir(&bin).unwrap();
    std::os::unix::fs::symlink(git, bin.join("git")).unwrap();
    repository.path = bin.display().to_string();
    let error = repository.asked().signer("v0.1.0", &head, allowed.as_bytes()).unwrap_err();
    assert!(format!("{error:#}").contains("apt-get install openssh-client"), "{error:#}");
}

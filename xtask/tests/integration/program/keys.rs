//! `check` compares the list of keys with the release tags of the clone.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use xtask::inputs::keys::PublicKey;
use xtask::process::temp_dir::TempDir;

use super::server::{git, repository, said, xtask};

/// Public keys from cosign. Nobody has their private halves.
const KEYS: [&str; 2] = [
    "-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEvzaAR3BBtb2F2M9TEuWlkkM9CkuC\n\
     4EuYg9URXT//JTM3dLpHBWpG9/p4Tmk5aNinZyp0uBVsZDD2o+MYRhypOA==\n-----END PUBLIC KEY-----\n",
    "-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEgrUl8u6BHGyfLL0/xmBlWabvPBsZ\n\
     NqHS2QlDEvr59a6JO44kvpsR6Lqc4B0kKdyfyYGrwddn6fo8rSLBe3vpHg==\n-----END PUBLIC KEY-----\n",
];

fn commit(dir: &Path, message: &str) -> Result<()> {
    git(dir, &["add", "."])?;
    git(dir, &["commit", "--quiet", "--allow-empty", "--message", message])
}

/// Writes the files that `rotate` writes for the versions above 1.2.3.
fn rotate(dir: &Path) -> Result<()> {
    let write =
        |path: &str, text: &str| fs::write(dir.join(path), text).with_context(|| format!("writing `{path}`"));
    fs::create_dir(dir.join("keys"))?;
    let mut list = String::new();
    for ((pem, from), number) in KEYS.iter().zip(["1.2.3", "1.2.4-0"]).zip(1..) {
        let fingerprint = PublicKey::parse(pem.as_bytes())?.fingerprint();
        list += &format!("[[key]]\nfingerprint = \"{fingerprint}\"\nfrom = \"{from}\"\n");
        write(&format!("keys/{number:04}.pub"), pem)?;
    }
    write("keys/history.toml", &list)?;
    write("keys/0002.endorsement", "b3du\n")?;
    write("cosign.pub", KEYS[1])
}

#[test]
fn check_finds_a_release_with_the_old_key_that_the_list_assigns_to_the_new_one() -> Result<()> {
    let scratch = TempDir::new()?;
    let dir = repository(&scratch, "rotated", "forge.example.org", "forge.example.org/acme/carol")?;
    fs::write(dir.join("cosign.pub"), KEYS[0])?;
    commit(&dir, "a key")?;
    git(&dir, &["tag", "v1.2.3"])?;
    commit(&dir, "feat: a")?;
    git(&dir, &["tag", "--annotate", "--message=words", "v1.2.4"])?;
    rotate(&dir)?;
    commit(&dir, "keys: key 2")?;
    let found = |words: &str| Ok::<_, anyhow::Error>(said(&xtask(&dir, &["check"], &[])?).contains(words));
    ensure!(found("`keys/history.toml` names key 2 for v1.2.4, whose commit has key 1")?);
    git(&dir, &["tag", "--delete", "v1.2.4"])?;
    ensure!(!found("keys/history.toml")?, "no tag contradicts the list");
    Ok(())
}

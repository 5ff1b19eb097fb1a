//! The exit codes (docs/releasing.md, "Exit codes") if the fault is not in the release itself.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use xshell::cmd;
use xtask::process::Runner;
use xtask::process::environment::Environment;
use xtask::process::parallel::both;
use xtask::process::temp_dir::TempDir;

use super::server::{SECRETS, busy, denying, git, repository, said, verify, xtask};
use crate::servers::server::Server;

const REFUSED: i32 = 3;
const TRANSIENT: i32 = 75;
const MISUSE: i32 = 2;
const UNCHECKED: i32 = 4;

#[test]
fn a_busy_registry_is_transient_and_no_secret_is_blamed() -> Result<()> {
    let (server, scratch) = (busy()?, TempDir::new()?);
    let host = server.address.to_string();
    let dir = repository(&scratch, "own", &host, &format!("{host}/acme/carol"))?;
    let output = xtask(&dir, &["release", "v0.1.0"], &[("COSIGN_PASSWORD", "x")])?;
    let said = said(&output);
    assert_eq!(output.status.code(), Some(TRANSIENT), "{said}");
    assert!(said.contains("answered 503") && !said.contains("REGISTRY_TOKEN"), "{said}");
    assert!(said.contains("this run pushed no version tag"), "{said}");
    assert!(said.ends_with("; this may pass by itself: run the same command again\n"), "{said}");
    Ok(())
}

#[test]
fn a_signal_ends_the_wait_for_a_busy_server() -> Result<()> {
    let server = Server::start(|_, _| (503, vec![("Retry-After", "18".to_owned())], Vec::new()))?;
    let scratch = TempDir::new()?;
    let host = server.address.to_string();
    let dir = repository(&scratch, "own", &host, &format!("{host}/acme/carol"))?;
    let may_signal = scratch.path().join("asked");
    let runner = Runner::new(&Environment::from_process());
    let (sh, program) = (runner.shell()?, env!("CARGO_BIN_EXE_xtask"));
    let script = "\"$0\" release v0.1.0 & until test -e \"$1\"; do sleep 0.05; done; kill -TERM $!; wait $!";
    let call =
        runner.call(cmd!(sh, "sh -c {script} {program} {may_signal}")).dir(&dir).env("COSIGN_PASSWORD", "x");
    let call = SECRETS.iter().fold(call, |call, (name, value)| call.env(name, value));
    let latest = Instant::now() + Duration::from_secs(30);
    let (output, signalled) = both(
        || call.output(),
        || {
            while server.asked()?.is_empty() && Instant::now() < latest {
                thread::sleep(Duration::from_millis(20));
            }
            fs::write(&may_signal, "")?;
            Ok(Instant::now())
        },
    )?;
    let said = said(&output);
    assert_eq!(output.status.code(), Some(143), "{said}");
    assert!(signalled.elapsed() < Duration::from_secs(10), "it took {:?}: {said}", signalled.elapsed());
    Ok(())
}

#[test]
fn what_verify_could_not_query_is_unchecked_and_never_false() -> Result<()> {
    let (server, scratch) = (busy()?, TempDir::new()?);
    let host = server.address.to_string();
    let dir = repository(&scratch, "own", &host, &format!("{host}/acme/carol"))?;
    git(&dir, &["tag", "v0.2.0"])?;
    fs::remove_file(dir.join("Cargo.toml"))?;
    git(&dir, &["commit", "--quiet", "--all", "--message=no configuration"])?;
    git(&dir, &["tag", "v0.3.0"])?;
    // Nothing listens there, and a process that requests a free port never gets this one.
    let away = "http://127.0.0.1:1/acme/carol";
    let pinned = format!("{host}/acme/carol@sha256:{}", "a".repeat(64));
    let cases: [(&[&str], &str); 5] = [
        (&["v0.1.0"], "claims could not be checked"),
        (&["v0.9.9"], "there is no tag `v0.9.9` in this clone; run `git fetch --tags`, then"),
        (&["v0.3.0"], "has no `Cargo.toml`"),
        (&[&pinned], "answered 503"),
        (&["v0.1.0", "--source", away], "`--source http://127.0.0.1:1/acme/carol` cannot be cloned; name"),
    ];
    for (arguments, words) in cases {
        let output = verify(&dir, arguments, &[])?;
        let said = said(&output);
        ensure!(output.status.code() == Some(UNCHECKED) && said.contains(words), "{arguments:?}: {said}");
    }
    let output = verify(scratch.path(), &["v0.1.0"], &[])?;
    assert_eq!(output.status.code(), Some(UNCHECKED), "{}", said(&output));
    Ok(())
}

#[test]
fn invalid_arguments_of_verify_are_reported_before_any_request() -> Result<()> {
    let (server, scratch) = (denying()?, TempDir::new()?);
    let host = server.address.to_string();
    let dir = repository(&scratch, "own", &host, &format!("{host}/acme/carol"))?;
    let there = scratch.path().display().to_string();
    let tagged = format!("forge.example.org/acme/carol:v0.1.0@sha256:{}", "0".repeat(64));
    let cases: [(&[&str], &str); 9] = [
        (&["v0.1.0", "--save", &there], "is there already: name a new directory"),
        (&["v0.1.0", "--offline", "nowhere"], "`nowhere` is no directory"),
        (&["v0.1.0", "--key", "nowhere.pub"], "reading the public key `nowhere.pub`"),
        (&["v0.1.0", "--key", "Cargo.toml"], "it is not one public key in PEM"),
        (&["0.1.0"], "`0.1.0` is not a release tag"),
        (&["Acme@sha256:1"], "`Acme`"),
        (&["forge.example.org/acme/carol:latest"], "names an image without its digest"),
        (&[&tagged], "leave `:v0.1.0` out"),
        (&["forge.example.org/acme/carol@sha256:1"], "`sha256:1`"),
    ];
    for (arguments, words) in cases {
        let output = verify(&dir, arguments, &[])?;
        let said = said(&output);
        ensure!(output.status.code() == Some(MISUSE) && said.contains(words), "{arguments:?}: {said}");
    }
    assert_eq!(server.log()?, []);
    Ok(())
}

#[test]
fn every_command_refuses_what_it_cannot_begin() -> Result<()> {
    let scratch = TempDir::new()?;
    let (bare, own) = (scratch.path().join("bare"), "127.0.0.1:1/acme/carol");
    fs::create_dir(&bare)?;
    git(&bare, &["init", "--quiet"])?;
    let dir = repository(&scratch, "own", "127.0.0.1:1", own)?;
    let code = |dir: &Path, arguments: &[&str], expected: i32| {
        let output = xtask(dir, arguments, &[])?;
        ensure!(output.status.code() == Some(expected), "{arguments:?}: {}", said(&output));
        anyhow::Ok(said(&output))
    };
    for arguments in [&["release"][..], &["release", "--plan"]] {
        assert!(code(&bare, arguments, REFUSED)?.contains("HEAD has no commit yet"));
    }
    git(&bare, &["commit", "--quiet", "--allow-empty", "--message=one"])?;
    let commands: [&[&str]; 8] = [
        &["doctor"],
        &["policies"],
        &["keygen", "../k"],
        &["rotate", "../k"],
        &["rehearse"],
        &["check"],
        &["release", "v0.1.0"],
        &["release", "--plan"],
    ];
    for arguments in commands {
        code(&bare, arguments, REFUSED)?;
    }
    git(&bare, &["tag", "v1.0.0"])?;
    git(&bare, &["tag", "v9.0.0", "HEAD^{tree}"])?;
    for arguments in [&["notes", "v9.0.0"][..], &["notes", "v1.0.0", "--from", "v9.0.0"]] {
        let text = code(&bare, arguments, REFUSED)?;
        ensure!(text.contains("the tag `v9.0.0` names no commit") && !text.contains("fetch"), "{text}");
    }
    fs::copy(dir.join("Cargo.toml"), bare.join("Cargo.toml"))?;
    let uncommitted = code(&bare, &["rehearse"], REFUSED)?;
    ensure!(uncommitted.contains("`cargo xtask rehearse --work-tree`"), "{uncommitted}");
    // Somebody who makes a tag that is only missing in this clone would tag the wrong commit.
    let missing = code(&dir, &["release", "v1.2.2"], REFUSED)?;
    ensure!(missing.contains("get it with `git fetch --tags`, or, if it is new,"), "{missing}");
    git(&dir, &["tag", "v1.2.2"])?;
    git(&dir, &["commit", "--quiet", "--allow-empty", "--message=untagged"])?;
    let untagged = code(&dir, &["release"], REFUSED)?;
    let both = ["`git tag v1.2.3`", "`target/debug/xtask release v1.2.2`"];
    ensure!(both.iter().all(|words| untagged.contains(words)), "{untagged}");
    for directory in [".", "../nowhere/k"] {
        code(&dir, &["keygen", directory], MISUSE)?;
    }
    git(&dir, &["rm", "--quiet", "Dockerfile"])?;
    fs::create_dir(dir.join("Dockerfile"))?;
    fs::write(dir.join("Dockerfile/x"), "")?;
    git(&dir, &["add", "."])?;
    git(&dir, &["commit", "--quiet", "--message=a folder"])?;
    git(&dir, &["tag", "v0.2.0"])?;
    code(&dir, &["release", "--plan"], REFUSED)?;
    Ok(())
}

#[test]
fn without_cosign_keygen_is_refused_and_makes_nothing() -> Result<()> {
    let scratch = TempDir::new()?;
    let dir = repository(&scratch, "own", "127.0.0.1:1", "127.0.0.1:1/acme/carol")?;
    let programs = scratch.path().join("programs");
    fs::create_dir(&programs)?;
    let git = Environment::from_process().find_program(Path::new("git"))?.context("there is no git")?;
    symlink(git, programs.join("git"))?;
    let path = programs.to_str().context("the path is text")?;
    let output = xtask(&dir, &["keygen", "../k"], &[("PATH", path)])?;
    ensure!(output.status.code() == Some(REFUSED), "{}", said(&output));
    ensure!(said(&output).contains("`cosign` is not installed"), "{}", said(&output));
    ensure!(!scratch.path().join("k").exists() && !dir.join("cosign.pub").exists(), "something was made");
    Ok(())
}

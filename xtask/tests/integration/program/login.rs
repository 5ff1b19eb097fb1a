//! Which secret `verify` and `release` send to whom. The server requires a login for everything.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use anyhow::Result;
use xtask::process::environment::Environment;
use xtask::process::temp_dir::TempDir;

use super::server::{configure, denying, repository, said, verify, xtask};
use crate::servers::server::Asked;

#[test]
fn without_login_verify_sends_no_secret_and_suggests_the_option() -> Result<()> {
    let (server, scratch) = (denying()?, TempDir::new()?);
    let host = server.address.to_string();
    let dir = repository(&scratch, "own", &host, &format!("{host}/acme/carol"))?;
    let digest = format!("{host}/acme/carol@sha256:{}", "a".repeat(64));
    for arguments in [&["v0.1.0"][..], &["--all"], &[&digest]] {
        let output = verify(&dir, arguments, &[])?;
        let (asked, said) = (server.log()?, said(&output));
        assert_eq!(output.status.code(), Some(4), "{arguments:?}: {said}");
        assert!(!asked.is_empty(), "{arguments:?}: nothing was requested: {said}");
        for Asked { what, authorization } in &asked {
            assert_eq!(authorization, &None, "{arguments:?}: {what}");
        }
        assert!(said.contains("cannot be read anonymously") && said.contains("add `--login`"), "{said}");
    }
    Ok(())
}

#[test]
fn variables_of_another_forges_run_decide_neither_where_nor_what_verify_checks() -> Result<()> {
    let (server, other, scratch) = (denying()?, denying()?, TempDir::new()?);
    let host = server.address.to_string();
    let dir = repository(&scratch, "own", &host, &format!("{host}/acme/carol"))?;
    let api = format!("http://{}/api/v1", other.address);
    let run = [("GITHUB_API_URL", api.as_str()), ("GITHUB_REF_TYPE", "tag"), ("GITHUB_REF_NAME", "v9.9.9")];
    let output = verify(&dir, &[], &run)?;
    let said = said(&output);
    assert!(!said.contains("v9.9.9") && said.contains("v0.1.0"), "{said}");
    assert_eq!(other.log()?, []);
    assert!(server.asked()?.iter().any(|what| what.contains("/api/v1/repos/acme/carol/")));
    Ok(())
}

#[test]
fn with_login_each_token_goes_to_the_host_of_the_checkout() -> Result<()> {
    let (server, scratch) = (denying()?, TempDir::new()?);
    let host = server.address.to_string();
    let dir = repository(&scratch, "own", &host, &format!("{host}/acme/carol"))?;
    let output = verify(&dir, &["v0.1.0", "--login"], &[])?;
    let asked = server.log()?;
    // `acme:canary-registry` in the form of the Basic scheme.
    let basic = "Basic YWNtZTpjYW5hcnktcmVnaXN0cnk=";
    let sent = |path: &str, what: &str| {
        let mut of_path = asked.iter().filter(|asked| asked.what.contains(path));
        of_path.any(|asked| asked.authorization.as_deref() == Some(what))
    };
    assert!(sent("/v2/", basic), "{asked:?} {}", said(&output));
    assert!(sent("/api/v1/", "token canary-forgejo"), "{asked:?}");
    for Asked { what, authorization } in &asked {
        let wrong = if what.contains("/v2/") { "token " } else { "Basic " };
        let sent = authorization.as_deref().unwrap_or_default();
        assert!(!sent.contains(wrong) && !sent.contains("canary-github"), "{what}: {sent}");
    }
    Ok(())
}

#[test]
fn with_login_neither_an_argument_nor_a_commit_chooses_who_gets_a_token() -> Result<()> {
    let (server, mirror, scratch) = (denying()?, denying()?, TempDir::new()?);
    let (host, elsewhere) = (server.address.to_string(), mirror.address.to_string());
    let dir = repository(&scratch, "own", &host, &format!("{host}/acme/carol"))?;
    let digest = format!("{elsewhere}/acme/carol@sha256:{}", "a".repeat(64));
    let output = verify(&dir, &[&digest, "--login"], &[])?;
    assert_eq!(output.status.code(), Some(2), "{}", said(&output));
    assert!(said(&output).contains(&format!("`REGISTRY={elsewhere}`")), "{}", said(&output));
    assert_eq!(mirror.log()?, []);
    assert_eq!(server.log()?, []);

    // The commit that `--source` leads to names the other server as forge and registry. The work tree belongs to
    // another project.
    let theirs = repository(&scratch, "theirs", &elsewhere, &format!("{elsewhere}/acme/carol"))?;
    let source = theirs.to_string_lossy().into_owned();
    let output = verify(&dir, &["v0.1.0", "--login", "--source", &source], &[("REGISTRY", &host)])?;
    let asked = mirror.log()?;
    assert!(!asked.is_empty(), "{}", said(&output));
    for Asked { what, authorization } in &asked {
        assert_eq!(authorization, &None, "{what}");
    }
    Ok(())
}

#[test]
fn a_tagged_commit_does_not_choose_who_gets_the_tokens_of_its_release() -> Result<()> {
    let (server, evil, scratch) = (denying()?, denying()?, TempDir::new()?);
    let (host, elsewhere) = (server.address.to_string(), evil.address.to_string());
    let dir = repository(&scratch, "own", &elsewhere, &format!("{elsewhere}/acme/carol"))?;
    configure(&dir, &host, &format!("{host}/acme/carol"))?;
    let output = xtask(&dir, &["release", "v0.1.0"], &[])?;
    assert_eq!(output.status.code(), Some(3), "{}", said(&output));
    for words in [format!("set `REGISTRY={elsewhere}`"), format!("`FORGEJO_TOKEN` is for `http://{host}`")] {
        assert!(said(&output).contains(&words), "{}", said(&output));
    }
    assert_eq!((evil.log()?, server.log()?), (Vec::new(), Vec::new()));

    // A command that only reads makes anonymous requests there.
    let output = xtask(&dir, &["release", "v0.1.0", "--plan"], &[])?;
    let asked = evil.log()?;
    assert!(!asked.is_empty(), "{}", said(&output));
    for Asked { what, authorization } in &asked {
        assert_eq!(authorization, &None, "{what}");
    }
    Ok(())
}

#[test]
fn a_rebuilders_key_is_given_only_to_a_pinned_cosign() -> Result<()> {
    let (server, scratch) = (denying()?, TempDir::new()?);
    let host = server.address.to_string();
    let dir = repository(&scratch, "own", &host, &format!("{host}/acme/carol"))?;
    let (bin, started) = (scratch.path().join("bin"), scratch.path().join("started"));
    fs::create_dir(&bin)?;
    fs::write(bin.join("cosign"), format!("#!/bin/sh\ntouch {}\n", started.display()))?;
    fs::set_permissions(bin.join("cosign"), fs::Permissions::from_mode(0o755))?;
    fs::write(scratch.path().join("alice.key"), "a key")?;
    // The commit pins nothing. What counts is the configuration in the work tree.
    let manifest = fs::read_to_string(dir.join("Cargo.toml"))?;
    let pinned = format!("cosign-digests = [\"sha256:{}\"]\ntitle =", "0".repeat(64));
    fs::write(dir.join("Cargo.toml"), manifest.replacen("title =", &pinned, 1))?;
    let path = format!("{}:{}", bin.display(), Environment::from_process().get("PATH")?.unwrap_or_default());
    let key = scratch.path().join("alice.key").to_string_lossy().into_owned();
    let attest = ["v0.1.0", "--rebuild", "--login", "--attest", "--attest-key", &key];
    let output = verify(&dir, &attest, &[("PATH", &path)])?;
    assert!(said(&output).contains("not among `cosign-digests`"), "{}", said(&output));
    assert_eq!(output.status.code(), Some(4), "{}", said(&output));
    assert!(!started.exists(), "it was started");
    Ok(())
}

//! Output that nobody can read changes no verdict, and never ends the program in a panic (exit code 101).

use std::net::SocketAddr;
use std::path::Path;

use anyhow::{Result, ensure};
use xshell::cmd;
use xtask::process::environment::Environment;
use xtask::process::temp_dir::TempDir;
use xtask::process::{Output, Runner};

use super::server::{repository, said};
use crate::servers::server::{Answer, Asked, Server, empty};

/// Runs `xtask` in `dir`, with `stream` (`1` or `2`) going to a full disk.
fn unread(dir: &Path, stream: &str, arguments: &[&str]) -> Result<Output> {
    let runner = Runner::new(&Environment::from_process());
    let (sh, program) = (runner.shell()?, env!("CARGO_BIN_EXE_xtask"));
    let script = format!("exec \"$0\" \"$@\" {stream}>/dev/full");
    runner.call(cmd!(sh, "sh -c {script} {program} {arguments...}")).dir(dir).output()
}

#[test]
fn a_full_standard_error_causes_no_panic_and_keeps_the_exit_code() -> Result<()> {
    let scratch = TempDir::new()?;
    let dir = repository(&scratch, "own", "127.0.0.1:1", "127.0.0.1:1/acme/carol")?;
    let code = |arguments: &[&str]| anyhow::Ok(unread(&dir, "2", arguments)?.status.code());
    assert_eq!(code(&["check"])?, Some(3));
    assert_eq!(code(&["init", ".", "--update"])?, Some(0));
    assert_eq!(code(&["release", "v9.9.9"])?, Some(3));
    Ok(())
}

#[test]
fn a_full_standard_output_is_reported_as_an_error() -> Result<()> {
    let scratch = TempDir::new()?;
    let dir = repository(&scratch, "own", "127.0.0.1:1", "127.0.0.1:1/acme/carol")?;
    for arguments in [&["notes", "--offline"][..], &["doctor"]] {
        let output = unread(&dir, "1", arguments)?;
        ensure!(output.status.code() == Some(1), "{arguments:?}: {}", said(&output));
        ensure!(output.stderr.contains("writing to standard output"), "{}", output.stderr);
    }
    Ok(())
}

/// A registry without the image, and a forge without the page: claims are false.
fn nothing(asked: &Asked, _address: SocketAddr) -> Answer {
    if asked.what.contains("/tags/list") {
        (200, Vec::new(), br#"{"tags": []}"#.to_vec())
    } else {
        empty(404)
    }
}

#[test]
fn a_false_claim_keeps_its_exit_code_if_the_report_cannot_be_written() -> Result<()> {
    let (server, scratch) = (Server::start(nothing)?, TempDir::new()?);
    let host = server.address.to_string();
    let dir = repository(&scratch, "own", &host, &format!("{host}/acme/carol"))?;
    let output = unread(&dir, "1", &["verify", "v0.1.0"])?;
    ensure!(output.status.code() == Some(1), "{}", said(&output));
    ensure!(output.stderr.contains("writing to standard output"), "{}", output.stderr);
    ensure!(output.stderr.contains(" claims are false"), "{}", output.stderr);
    Ok(())
}

//! Whether child processes can find a secret. A program in place of git looks wherever any process of the same user
//! can look.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use anyhow::Result;
use xshell::cmd;
use xtask::commands::handover::SECRETS;
use xtask::process::environment::Environment;
use xtask::process::temp_dir::TempDir;
use xtask::process::{Call, Runner};

const PROGRAM: &str = env!("CARGO_BIN_EXE_xtask");

fn call(arguments: &[&str]) -> Result<Call> {
    let runner = Runner::new(&Environment::from_process());
    let sh = runner.shell()?;
    Ok(runner.call(cmd!(sh, "{PROGRAM} {arguments...}")))
}

#[test]
fn no_child_finds_a_secret_in_the_environment_of_xtask() -> Result<()> {
    let scratch = TempDir::new()?;
    let (git, found) = (scratch.path().join("git"), scratch.path().join("found"));
    // It looks at its ancestors, up to `xtask`.
    let look = format!(
        "#!/bin/sh\nprocess=$$\nwhile [ \"$process\" -gt 1 ]; do\n  tr '\\0\\n' '\\n ' < /proc/$process/environ\n  \
         cat /proc/$process/cmdline\n  set -- $(cut -d ')' -f 2- /proc/$process/stat)\n  \
         [ \"$process\" = $$ ] || echo \"looked at $(cat /proc/$process/comm)\"\n  \
         [ \"$(cat /proc/$process/comm)\" = xtask ] && break\n  process=$2\ndone >> '{}' 2>&1\nexit 1\n",
        found.display()
    );
    fs::write(&git, look)?;
    fs::set_permissions(&git, fs::Permissions::from_mode(0o755))?;
    let path = format!("{}:/usr/bin:/bin", scratch.path().display());
    for arguments in
        [&["release", "v0.1.0"][..], &["doctor"], &["verify", "v0.1.0", "--login"], &["rehearse"]]
    {
        let mut call =
            call(arguments)?.env("PATH", &path).dir(scratch.path()).env("HOME", "/marker-of-the-parent");
        // A plain `verify` reads no secret that a configuration names.
        let named = (arguments[0] != "verify").then_some("NPM_TOKEN");
        for name in SECRETS.into_iter().chain(named) {
            call = call.env(name, format!("canary of {name}\nsecond canary"));
        }
        let output = call.output()?;
        assert!(!output.status.success(), "git is not git");
        let seen = String::from_utf8_lossy(&fs::read(&found)?).into_owned();
        assert!(seen.contains("looked at xtask"), "{arguments:?}: {seen}");
        assert!(seen.matches("HOME=/marker-of-the-parent").count() >= 2, "{arguments:?}: {seen}");
        assert!(!seen.contains("canary"), "{arguments:?}: {seen}");
        fs::remove_file(&found)?;
    }
    Ok(())
}

#[test]
fn malformed_secrets_on_standard_input_are_refused() -> Result<()> {
    for bytes in ["", "GITHUB_TOKEN=t", "PATH=/evil\0", "GITHUB_TOKEN=t\0GITHUB_TOKEN=u\0"] {
        let output = call(&["check"])?.env("XTASK_SECRETS_ON_STDIN", "1").stdin(bytes).output()?;
        assert_eq!(output.status.code(), Some(2), "{bytes:?}: {}", output.stderr);
        assert!(output.stderr.contains("unset it"), "{}", output.stderr);
    }
    Ok(())
}

/// Runs `release` where there is nothing to release, with this number of environment variables of 100 kB each.
fn release_with(variables: usize) -> Result<xtask::process::Output> {
    let (scratch, large) = (TempDir::new()?, "x".repeat(100_000));
    let call = call(&["release"])?.dir(scratch.path());
    let output =
        (0..variables).fold(call, |call, number| call.env(&format!("FOO_{number}"), &large)).output()?;
    assert!(!output.stderr.contains(&large), "{}", output.stderr);
    Ok(output)
}

#[test]
fn large_variables_that_are_not_secrets_do_not_stop_a_release() -> Result<()> {
    let output = release_with(3)?;
    assert!(output.stderr.contains("not a git repository"), "{}", output.stderr);
    Ok(())
}

#[test]
fn an_environment_larger_than_a_pipe_is_an_error_and_does_not_hang() -> Result<()> {
    let output = release_with(11)?;
    assert_eq!(output.status.code(), Some(1));
    assert!(output.stderr.contains("1048576 at most; unset"), "{}", output.stderr);
    Ok(())
}

//! `ci` installs private packages. A script in place of npm records its arguments, and whether it sees the token.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use anyhow::{Result, ensure};
use xtask::process::environment::Environment;
use xtask::process::temp_dir::TempDir;

use super::server::{repository, said, xtask};

const NPM: &str = "#!/bin/sh\necho \"$* token=$NPM_TOKEN\" >> calls\n\
    [ \"$1\" != config ] || cat ignores\n! tr '\\0' '\\n' < /proc/$PPID/environ | grep canary >> calls\n";

#[test]
fn only_the_install_of_private_packages_sees_their_token() -> Result<()> {
    let scratch = TempDir::new()?;
    let dir = repository(&scratch, "own", "127.0.0.1:1", "127.0.0.1:1/acme/carol")?;
    let manifest = dir.join("Cargo.toml");
    let text = fs::read_to_string(&manifest)?;
    fs::write(&manifest, text.replace("title =", "build-secrets = [\"NPM_TOKEN\"]\ntitle ="))?;
    let (npm, service) = (scratch.path().join("npm"), dir.join("service"));
    fs::write(&npm, NPM)?;
    fs::set_permissions(&npm, fs::Permissions::from_mode(0o755))?;
    let path = Environment::from_process().get("PATH")?.unwrap_or_default().to_owned();
    let path = format!("{}:{path}", scratch.path().display());
    let install = "ci --no-audit --no-fund --logs-max=0";
    let with = format!("{install} --ignore-scripts token=canary-npm\nconfig get ignore-scripts token=\n");
    let scripts = "rebuild --logs-max=0 token=\nrun prepare --if-present --logs-max=0 token=\n";
    for (token, ignores, expected) in [
        ("canary-npm", "false", format!("{with}{scripts}test token=\n")),
        ("canary-npm", "true", format!("{with}test token=\n")),
        ("", "false", format!("{install} token=\ntest token=\n")),
    ] {
        fs::write(service.join("ignores"), ignores)?;
        let more = [("NPM_TOKEN", token), ("PATH", &path), ("TESTBED_NODE_BIN", "")];
        let output = xtask(&dir, &["ci", "service"], &more)?;
        ensure!(output.status.success(), "{}", said(&output));
        assert_eq!(fs::read_to_string(service.join("calls"))?, expected, "{ignores}");
        fs::remove_file(service.join("calls"))?;
    }
    Ok(())
}

//! An independent repository, around a service that knows nothing of its release. `init` writes what it needs, its
//! own workflows test and release it, and its one dependency is updated.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use testbed::forge_client::{Client, State};
use xtask::process::secret::Secret;

use super::project::{Project, Secrets};
use crate::harness::checkout::{Checkout, text};
use crate::harness::run::Xtask;
use crate::harness::{call, environment, read, test};

/// The service before its adoption.
const SERVICE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/services/clock");

/// The time for a runner that has to compile the tool.
const CI: Duration = Duration::from_secs(15 * 60);

/// The time for cargo to fetch the tool.
const FETCH: Duration = Duration::from_secs(600);

#[test]
#[ignore = "long: `cargo xtask ci --all`"]
fn a_repository_made_by_init_is_released_by_its_own_workflow_and_moves_on() -> Result<()> {
    test(|| {
        let tool = Project::ready()?;
        let adopter = adopt(&tool)?;
        release(&adopter, "v0.1.0")?;

        // The new tool is one commit ahead. The adopter changes one line, and cargo changes the lockfile.
        let (old, new) = (tool.head()?, tool.commit("a newer tool")?);
        tool.push_main()?;
        adopter.checkout.replace("xtask/Cargo.toml", &old, &new)?;
        lock(adopter.checkout.top())?;
        adopter.checkout.commit("the newest release tool")?;
        release(&adopter, "v0.2.0")?;

        let verified = Xtask::new(&adopter.checkout, &["verify", "--all"]).run()?.success()?.stdout;
        for tag in ["v0.1.0", "v0.2.0"] {
            ensure!(verified.contains(&format!("{tag} at ")), "{verified}");
        }
        for commit in [&old, &new] {
            ensure!(
                verified.contains(&format!("`xtask` of {commit}")),
                "no release is by {commit}:\n{verified}"
            );
        }
        let check = Xtask::new(&adopter.checkout, &["init", ".", "--check"]).run()?.success()?;
        ensure!(check.stderr.contains("everything is as this version writes it"), "{}", check.stderr);
        Ok(())
    })
}

/// Does with `testbed/services/clock` what docs/adopting.md describes: five commands, and two files to review.
fn adopt(tool: &Project) -> Result<Project> {
    let client = Client::from_environment(&environment())?;
    let user = client.new_user("adopter")?;
    let repository = user.new_repository_named(user.name(), "clock", false)?;
    repository.switch_actions(false)?;
    let checkout = Checkout::started(&repository.full_name())?;
    for file in files_below(Path::new(SERVICE))? {
        let path = text(file.strip_prefix(SERVICE)?)?.to_owned();
        checkout.write(&path, &fs::read_to_string(&file)?)?;
    }
    checkout.commit("a service")?;
    checkout.git(&["remote", "add", "origin", &format!("{}.git", repository.url())])?;

    let (url, head) = (tool.repository.url(), tool.head()?);
    let init =
        Xtask::new(&checkout, &["init", ".", "--tool-url", &url, "--tool-rev", &head]).run()?.success()?;
    for words in ["`EXPOSE 8080`, is `smoke.port`", "`node index.js`, is `ENTRYPOINT`", "keygen"] {
        ensure!(init.stderr.contains(words), "`init` does not say `{words}`:\n{}", init.stderr);
    }
    let main = checkout.top().join("xtask/src/main.rs");
    ensure!(fs::read_to_string(main)?.lines().count() <= 10, "the adopter's `main.rs` is long");
    fs::rename(checkout.top().join("Dockerfile.new"), checkout.top().join("Dockerfile"))?;

    let keys = checkout.beside("keys");
    Xtask::new(&checkout, &["keygen", text(&keys)?]).run()?.success()?;
    let key = |name: &str| fs::read_to_string(keys.join(name)).map(Secret::new);
    checkout.commit("releases by cargo xtask")?;
    Xtask::new(&checkout, &["check"]).run()?.success()?;
    let secrets = Secrets {
        private_key: key("cosign.key")?,
        password: key("cosign.password")?,
        registry_token: user.new_token(&["write:package"])?,
        forge_token: user.new_token(&["write:repository"])?,
    };
    let adopter = Project { user, repository, checkout, secrets, forge: client.url().to_owned() };
    adopter.switch_workflows_on()?;
    Ok(adopter)
}

/// Pushes main and then a tag. CI turns green, and the workflow releases.
fn release(adopter: &Project, tag: &str) -> Result<()> {
    adopter.repository.push(adopter.checkout.top(), &["HEAD:refs/heads/main"])?;
    let commit = adopter.head()?;
    let deadline = Instant::now() + CI;
    while !adopter.repository.statuses(&commit)?.iter().any(|status| status.state != "pending") {
        ensure!(Instant::now() < deadline, "CI says nothing of {commit} in `{}`", adopter.repository.url());
        thread::sleep(Duration::from_secs(1));
    }
    let ci = adopter.repository.wait_for_run("main", "ci.yml", CI)?;
    let log = adopter.repository.log(&ci)?;
    ensure!(ci.state == State::Success, "the adopter's CI is {:?}:\n{log}", ci.state);
    ensure!(log.contains("the time is one that a program reads"), "`npm test` did not run:\n{log}");
    adopter.push_tag(tag)?;
    adopter.wait_for_green_run(tag)?;
    Xtask::new(&adopter.checkout, &["verify", tag]).run()?.success().map(|_| ())
}

/// Updates `Cargo.lock` for the dependency that has moved, and for no other.
fn lock(top: &Path) -> Result<()> {
    call("cargo", &["update", "--quiet", "--package", "xtask"])?.dir(top).timeout(FETCH).run()
}

fn files_below(directory: &Path) -> Result<Vec<PathBuf>> {
    let found = read("git", &["-C", text(directory)?, "ls-files", "-z", "."])?;
    let files: Vec<_> =
        found.split('\0').filter(|name| !name.is_empty()).map(|name| directory.join(name)).collect();
    ensure!(!files.is_empty(), "there is nothing below `{}`", directory.display());
    Ok(files)
}

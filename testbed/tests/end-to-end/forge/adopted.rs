//! An independent repository with a service that knows nothing of releases. `init` writes what it needs, its own
//! workflows test and release it, and its one dependency, the release tool, is updated.

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
use crate::harness::{call, environment, export, read, test};

/// The services before their adoption.
const SERVICES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/services");

/// The time for a runner that has to compile the tool.
const CI: Duration = Duration::from_secs(15 * 60);

/// The time for cargo to fetch the tool.
const FETCH: Duration = Duration::from_secs(600);

#[test]
#[ignore = "long: `cargo xtask ci --all`"]
fn a_repository_made_by_init_is_released_by_its_workflow_and_updates_the_tool() -> Result<()> {
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

/// The service has a build step, reads files in its working directory, and has a Dockerfile that was written for docker
/// without this tool.
#[test]
fn a_service_with_a_foreign_dockerfile_is_rehearsed_with_the_one_that_init_wrote() -> Result<()> {
    test(|| {
        let tool = Project::ready()?;
        let (checkout, url, head) = (service("acme/board", "board")?, tool.repository.url(), tool.head()?);
        checkout.git(&["remote", "add", "origin", "https://forge.example.org/acme/board.git"])?;
        let init = Xtask::new(&checkout, &["init", ".", "--tool-url", &url, "--tool-rev", &head]);
        let said = init.run()?.success()?.stderr;
        for words in [
            "line 3, `FROM node:22-slim`, became `node:22-slim@sha256:",
            "line 4, `WORKDIR /usr/src/app`, became `/app`",
            "line 10, `RUN npm run build && npm prune --omit=dev`, is not carried over",
            "line 14, `ENV REVISION=$REVISION`, is not carried over",
            "line 16, `LABEL org.example.team=\"notices\"`, is not carried over",
            "line 19, `USER node`, is not carried over",
            "line 20, `EXPOSE 9229`, is not carried over",
            "and its path is `smoke.health`",
            "line 22, `CMD [\"node\", \"/usr/src/app/dist/server.js\"]`, is `ENTRYPOINT [\"node\", \"/app/dist/server.js\"]`",
            "the image has `dist`, `config`, `migrations`, `public`",
            "added    `/target/` to .gitignore",
        ] {
            ensure!(said.contains(words), "`init` does not say `{words}`:\n{said}");
        }
        fs::rename(checkout.top().join("Dockerfile.new"), checkout.top().join("Dockerfile"))?;
        let keys = checkout.beside("keys");
        Xtask::new(&checkout, &["keygen", text(&keys)?]).run()?.success()?;
        checkout.commit("releases by cargo xtask")?;
        let checked = Xtask::new(&checkout, &["check"]).run()?.success()?;
        ensure!(!checked.stderr.contains("Dockerfile:"), "{}", checked.stderr);

        // The emulated platform would only repeat everything.
        checkout.keep_one_platform()?;
        Xtask::new(&checkout, &["policies"]).run()?.success()?;
        checkout.commit("one platform")?;
        let registry = export("TESTBED_REGISTRY")?;
        Xtask::new(&checkout, &["rehearse", "--registry", &registry]).run()?.success()?;

        let late = Xtask::new(&checkout, &["init", ".", "--health", "/other"]).run()?;
        ensure!(late.code == 2 && late.stderr.contains("change it there"), "{}", late.stderr);
        Ok(())
    })
}

/// A new repository with one of the services.
fn service(repository: &str, name: &str) -> Result<Checkout> {
    let checkout = Checkout::started(repository)?;
    let directory = Path::new(SERVICES).join(name);
    for file in files_below(&directory)? {
        let path = text(file.strip_prefix(&directory)?)?.to_owned();
        checkout.write(&path, &fs::read_to_string(&file)?)?;
    }
    checkout.commit("a service")?;
    Ok(checkout)
}

/// Does with `testbed/services/clock` what docs/adopting.md describes, as far as files and commands go.
fn adopt(tool: &Project) -> Result<Project> {
    let client = Client::from_environment(&environment())?;
    let user = client.new_user("adopter")?;
    let repository = user.new_repository_named(user.name(), "clock", false)?;
    repository.switch_actions(false)?;
    let checkout = service(&repository.full_name(), "clock")?;
    checkout.git(&["remote", "add", "origin", &format!("{}.git", repository.url())])?;

    let (url, head) = (tool.repository.url(), tool.head()?);
    let init =
        Xtask::new(&checkout, &["init", ".", "--tool-url", &url, "--tool-rev", &head]).run()?.success()?;
    for words in ["`EXPOSE 8080`, is `smoke.port`", "is `ENTRYPOINT [\"node\", \"/app/index.js\"]`", "keygen"]
    {
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
        ensure!(
            Instant::now() < deadline,
            "CI has reported nothing on {commit} in `{}`",
            adopter.repository.url()
        );
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

//! What somebody can do who may write to the repository, but may push neither a released branch nor a release tag.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use testbed::forge_client::{Client, Repository, State, User};
use xtask::process::secret::Secret;
use xtask::process::temp_dir::TempDir;

use crate::harness::checkout::text;
use crate::harness::{environment, read, test, wait_for};

const TIMEOUT: Duration = Duration::from_secs(120);

/// A secret, and how the workflow prints it: the forge would mask it in a log.
const SECRET: &str = "yek-gningis-eht";
const REVERSED: &str = "the-signing-key";

/// Prints the secret of the repository.
const READS: &str = "name: reads
on: { push: { branches: ['**'], tags: ['**'] } }
jobs:
  reads:
    runs-on: docker
    steps:
      - run: echo \"$KEY\" | rev
        env: { KEY: '${{ secrets.COSIGN_PRIVATE_KEY }}' }
";

/// Has the concurrency group of this repository's `release.yml`, and runs long enough to be cancelled.
const RELEASES: &str = "name: releases
on: { push: { tags: ['v*'] } }
concurrency: { group: 'release-${{ github.ref }}', cancel-in-progress: false }
jobs:
  releases:
    runs-on: docker
    timeout-minutes: 2
    steps: [{ run: sleep 100 }]
";

const CANCELS: &str = "name: cancels
on: { push: { branches: ['**'] } }
concurrency: { group: 'release-refs/tags/v1.0.0', cancel-in-progress: true }
jobs:
  cancels:
    runs-on: docker
    steps: [{ run: 'true' }]
";

/// A repository whose `main` and release tags only the owner may push, and somebody else who may write to it.
struct Shared {
    owner: User,
    owned: Repository,
    written: Repository,
    clone: TempDir,
}

impl Shared {
    fn new() -> Result<Self> {
        let client = Client::from_environment(&environment())?;
        let (owner, other) = (client.new_user("e2e")?, client.new_user("e2e")?);
        let owned = owner.new_repository(owner.name(), false)?;
        let clone = TempDir::new()?;
        git(clone.path(), &["init", "--quiet"])?;
        commit(clone.path(), "README", "a repository")?;
        owned.push(clone.path(), &["HEAD:refs/heads/main"])?;
        owned.set_secret("COSIGN_PRIVATE_KEY", &Secret::new(SECRET.to_owned()))?;
        owned.protect("branch", "main", &[&owner])?;
        owned.protect("tag", "v*", &[&owner])?;
        owned.let_write(&other)?;
        let written = owned.with_rights_of(&other);
        Ok(Self { owner, owned, written, clone })
    }

    /// Commits a workflow of that name.
    fn workflow(&self, name: &str, content: &str) -> Result<()> {
        let directory = self.clone.path().join(".forgejo/workflows");
        std::fs::create_dir_all(&directory).context("making the directory of workflows")?;
        commit(self.clone.path(), &format!(".forgejo/workflows/{name}"), content)
    }

    /// Whether the user who may only write can push HEAD as `reference`.
    fn can_push(&self, reference: &str) -> bool {
        self.written.push(self.clone.path(), &[&format!("HEAD:{reference}")]).is_ok()
    }
}

fn git(clone: &Path, arguments: &[&str]) -> Result<String> {
    let settings = ["-c", "user.name=e2e", "-c", "user.email=e2e@example.org"];
    read("git", &[&["-C", text(clone)?], &settings[..], arguments].concat())
}

fn commit(clone: &Path, path: &str, content: &str) -> Result<()> {
    std::fs::write(clone.join(path), content).with_context(|| format!("writing `{path}`"))?;
    git(clone, &["add", "."])?;
    git(clone, &["commit", "--quiet", "--message", path]).map(|_| ())
}

#[test]
fn anyone_who_may_push_a_ref_can_read_the_secrets_until_all_refs_are_protected() -> Result<()> {
    test(|| {
        let shared = Shared::new()?;
        shared.workflow("reads.yml", READS)?;
        ensure!(
            !shared.can_push("refs/heads/main") && !shared.can_push("refs/tags/v1.0.0"),
            "a protected ref was pushed"
        );
        for (reference, short) in [("refs/heads/feature", "feature"), ("refs/tags/other", "other")] {
            ensure!(shared.can_push(reference), "`{reference}` was not pushed");
            let run = shared.owned.wait_for_run(short, "reads.yml", TIMEOUT)?;
            ensure!(
                shared.owned.log(&run)?.contains(REVERSED),
                "the workflow of `{short}` did not read the secret"
            );
        }
        shared.owned.protect("branch", "**", &[&shared.owner])?;
        shared.owned.protect("tag", "*", &[&shared.owner])?;
        commit(shared.clone.path(), "README", "changed")?;
        for reference in ["refs/heads/feature", "refs/heads/new", "refs/heads/a/b", "refs/tags/new"] {
            ensure!(!shared.can_push(reference), "`{reference}` was pushed");
        }
        Ok(())
    })
}

#[test]
fn a_workflow_on_another_branch_can_cancel_a_release_by_its_concurrency_group() -> Result<()> {
    test(|| {
        let shared = Shared::new()?;
        shared.workflow("releases.yml", RELEASES)?;
        shared.owned.push(shared.clone.path(), &["HEAD:refs/tags/v1.0.0"])?;
        wait_for("the release's run to begin", || {
            let runs = shared.owned.runs()?;
            Ok(runs.into_iter().find(|run| run.reference == "v1.0.0" && run.state == State::Running))
        })?;
        shared.workflow("cancels.yml", CANCELS)?;
        ensure!(shared.can_push("refs/heads/feature"), "the branch was not pushed");
        let run = shared.owned.wait_for_run("v1.0.0", "releases.yml", TIMEOUT)?;
        ensure!(run.state == State::Cancelled, "{:?}", run.state);
        Ok(())
    })
}

//! Both formats beside an image: what both major versions of cosign say about them, a stranger's bundle, a release
//! that is killed between the two writes, and a release without bundles to which they are added.

use std::os::unix::fs::symlink;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context as _, Result, ensure};
use nix::sys::signal::Signal;
use serde_json::Value;
use testbed::proxy::{Fault, ObservedRequest};
use xtask::oci::reference::Digest;
use xtask::process::secret::Secret;
use xtask::process::temp_dir::{TempDir, random_hex};

use super::project::{Project, new_key};
use super::snapshot::Snapshot;
use crate::harness::checkout::text;
use crate::harness::run::{Finished, Xtask};
use crate::harness::{call, environment, export, test};

const TAG: &str = "v0.1.0";

/// A `PATH` on which `cosign` is the program that the variable names.
struct Cosign {
    bin: TempDir,
}

impl Cosign {
    fn of(variable: &str) -> Result<Self> {
        let bin = TempDir::new()?;
        symlink(export(variable)?, bin.path().join("cosign"))?;
        Ok(Self { bin })
    }

    fn path(&self) -> Result<String> {
        Ok(format!("{}:{}", text(self.bin.path())?, environment().get("PATH")?.unwrap_or_default()))
    }

    /// Runs what the page tells people to paste.
    fn paste(&self, project: &Project, commands: &[String]) -> Result<()> {
        for command in commands {
            let run = call("sh", &["-c", command])?.dir(project.checkout.top()).env("PATH", self.path()?);
            run.output()?.success().with_context(|| format!("`{command}`"))?;
        }
        Ok(())
    }

    fn verify(&self, project: &Project) -> Result<Finished> {
        let words = ["verify", TAG, "--json"];
        Xtask::new(&project.checkout, &words).env("PATH", &self.path()?).run()
    }
}

/// The cosign commands on the release's page that check the image.
fn commands(project: &Project) -> Result<Vec<String>> {
    let page = project.repository.release(TAG)?.context("there is no page")?;
    let image = project.repository.image().to_string();
    let lines = page.body.lines().filter(|line| line.starts_with("cosign ") && line.contains(&image));
    Ok(lines.map(str::to_owned).collect())
}

/// The false claims. All others have to hold.
fn wrong(run: &Finished) -> Result<Vec<String>> {
    let report: Value = serde_json::from_str(&run.stdout).context("standard output is no JSON")?;
    let claims = report["releases"][0]["claims"].as_array().context("no claims")?;
    let wrong: Vec<_> = claims.iter().filter(|claim| claim["verdict"] != "holds").collect();
    ensure!(wrong.iter().all(|claim| claim["verdict"] == "false"), "not only false claims: {wrong:#?}");
    Ok(wrong.iter().map(|claim| claim["id"].as_str().unwrap_or_default().to_owned()).collect())
}

#[test]
#[ignore = "long: `cargo xtask ci --all`"]
fn both_cosign_majors_make_and_accept_both_formats_and_detect_a_foreign_bundle() -> Result<()> {
    test(|| {
        let cosigns = [Cosign::of("TESTBED_COSIGN_2")?, Cosign::of("TESTBED_COSIGN_3")?];
        for maker in &cosigns {
            let project = Project::ready()?;
            project.push_tag(TAG)?;
            let watcher = project.watch()?;
            project.laptop(&["release", TAG]).env("PATH", &maker.path()?).run()?.success()?;
            watcher.finish(&[TAG])?;
            let digest: Digest = project.digest(TAG)?.parse()?;
            project.ensure_signed_once(&digest)?;
            let commands = commands(&project)?;
            ensure!(commands.len() == 3, "{commands:?}");
            for cosign in &cosigns {
                cosign.paste(&project, &commands)?;
                let other = commands[0].replace("version=0.1.0", "version=0.1.1");
                ensure!(
                    other != commands[0] && cosign.paste(&project, &[other]).is_err(),
                    "another version passes"
                );
                cosign.verify(&project)?.success()?;
            }

            let password = Secret::new(random_hex()?);
            let key = new_key(&project.checkout, "stranger", &password)?;
            project.sign_in_a_bundle(&digest, &key, &password)?;
            for cosign in &cosigns {
                assert_eq!(wrong(&cosign.verify(&project)?)?, ["attachments"]);
            }
            project.clean_up()?;
        }
        Ok(())
    })
}

#[test]
#[ignore = "long: `cargo xtask ci --all`"]
fn a_release_killed_between_the_two_formats_is_not_public_and_can_be_resumed() -> Result<()> {
    test(|| {
        let project = Project::new()?;
        let proxy = project.go_by_proxy()?;
        let project = project.committed("chore: by way of a proxy")?.pushed()?;
        project.push_tag(TAG)?;
        let arrived = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&arrived);
        proxy.set_rule(move |request| {
            let is_it = writes(request, false);
            seen.fetch_or(is_it, Ordering::SeqCst);
            if is_it { Fault::Hang } else { Fault::Pass }
        });
        let mut running = project.laptop(&["release", TAG]).start()?;
        running.until("the index of the bundles", |_| Ok(arrived.load(Ordering::SeqCst).then_some(())))?;
        running.signal(Signal::SIGKILL)?;
        running.wait()?;
        proxy.pass();
        let tags = Snapshot::of(&project)?.tags;
        let has = |end: &str| tags.keys().any(|tag| tag.starts_with("sha256-") && tag.ends_with(end));
        ensure!(has(".sig") && has(".att"), "the legacy format is first: {tags:?}");
        let is_bundle = |tag: &&String| tag.starts_with("sha256-") && !tag.contains('.');
        ensure!(!tags.contains_key(TAG) && !tags.keys().any(|tag| is_bundle(&tag)), "{tags:?}");
        project.clean_up()?;

        let resumed = project.laptop(&["release", TAG]).run()?.success()?;
        project.ensure_signed_once(&resumed.digest()?)?;
        Xtask::new(&project.checkout, &["verify", TAG]).run()?.success()?;
        project.clean_up()
    })
}

/// Whether the request writes the tag of one of the formats: the `.att` tag if `attestations`, else the tag of the
/// bundles.
fn writes(request: &ObservedRequest, attestations: bool) -> bool {
    let tag = request.path.rsplit('/').next().unwrap_or_default();
    let is_it = if attestations { tag.ends_with(".att") } else { !tag.contains('.') };
    request.method == "PUT" && tag.starts_with("sha256-") && is_it
}

#[test]
#[ignore = "long: `cargo xtask ci --all`"]
fn the_same_command_repairs_what_a_killed_concurrent_run_has_overwritten() -> Result<()> {
    test(|| {
        let (project, proxy) = Project::by_proxy()?;
        project.push_tag(TAG)?;
        // The first run's attestations arrive after the second run has published, and its bundles never arrive.
        let [arrived, published, dies] = [(); 3].map(|()| Arc::new(AtomicBool::new(false)));
        let (seen, is_late, last) = (Arc::clone(&arrived), Arc::clone(&published), Arc::clone(&dies));
        proxy.set_rule(move |request| {
            let is_first = writes(request, true) && !seen.swap(true, Ordering::SeqCst);
            let is_last = writes(request, false) && is_late.load(Ordering::SeqCst);
            last.fetch_or(is_last, Ordering::SeqCst);
            if is_first || is_last { Fault::Hang } else { Fault::Pass }
        });
        let mut first = project.laptop(&["release", TAG]).start()?;
        first.until("its attestations", |_| Ok(arrived.load(Ordering::SeqCst).then_some(())))?;
        first.signal(Signal::SIGSTOP)?;
        project.laptop(&["release", TAG]).run()?.success()?;
        published.store(true, Ordering::SeqCst);
        first.signal(Signal::SIGCONT)?;
        first.until("its bundles", |_| Ok(dies.load(Ordering::SeqCst).then_some(())))?;
        first.signal(Signal::SIGKILL)?;
        first.wait()?;
        proxy.pass();
        let verified = Xtask::new(&project.checkout, &["verify", TAG, "--json"]).run()?;
        assert_eq!(wrong(&verified)?, ["attachments", "page.assets"], "the page has the second run's files");
        project.clean_up()?;

        let again = project.laptop(&["release", TAG]).run()?.success()?;
        project.ensure_signed_once(&again.digest()?)?;
        Xtask::new(&project.checkout, &["verify", TAG]).run()?.success()?;
        project.clean_up()
    })
}

#[test]
fn resign_adds_bundles_to_a_legacy_release_and_changes_nothing_else() -> Result<()> {
    test(|| {
        let project = Project::new()?;
        project.checkout.replace("Cargo.toml", "\nforge = ", "\nsignatures = [\"legacy\"]\nforge = ")?;
        let project = project.committed("chore: only the legacy format")?.pushed()?;
        project.push_tag(TAG)?;
        project.laptop(&["release", TAG]).run()?.success()?;
        let digest: Digest = project.digest(TAG)?.parse()?;
        ensure!(project.bundles(&digest)?.is_none(), "there are bundles");
        Xtask::new(&project.checkout, &["verify", TAG]).run()?.success()?;
        let (tags, pages) = (Snapshot::of(&project)?.tags, project.repository.releases()?.len());

        let resign = || project.laptop(&["resign", TAG]).run()?.success();
        let first = resign()?;
        ensure!(first.stdout.starts_with("bundles added"), "{}", first.stdout);
        project.ensure_signed_once(&digest)?;
        let mut after = Snapshot::of(&project)?.tags;
        let index = after.remove(&format!("sha256-{}", digest.hex())).context("no index")?;
        assert_eq!((after, project.repository.releases()?.len()), (tags, pages));
        let commands = commands(&project)?;
        for cosign in [Cosign::of("TESTBED_COSIGN_2")?, Cosign::of("TESTBED_COSIGN_3")?] {
            cosign.paste(&project, &commands)?;
            cosign.verify(&project)?.success()?;
        }
        let again = resign()?;
        ensure!(again.stdout.starts_with("bundles were there"), "{}", again.stdout);
        let now = Snapshot::of(&project)?.tags;
        assert_eq!(
            now.get(&format!("sha256-{}", digest.hex())),
            Some(&index),
            "the second run wrote something"
        );
        project.clean_up()
    })
}

impl Project {
    /// Commits the changes.
    fn committed(self, subject: &str) -> Result<Self> {
        self.checkout.commit(subject)?;
        Ok(self)
    }

    /// Signs a digest with a key as cosign 3 does by default, in a bundle.
    fn sign_in_a_bundle(&self, digest: &Digest, key: &Secret, password: &Secret) -> Result<()> {
        let image = self.repository.image();
        let credentials = xtask::oci::registry::Credentials::new(self.user.name(), self.user.token().clone());
        let login =
            xtask::tool::docker::DockerConfig::new(&environment(), Some((&image.registry, &credentials)))?;
        let pinned = image.pinned(digest);
        let words = ["sign", "--yes", "--key", "env://COSIGN_PRIVATE_KEY", "--tlog-upload=false"];
        let words = [&words[..], &["--use-signing-config=false", &pinned]].concat();
        let call = call(export("TESTBED_COSIGN_3")?, &words)?.env("DOCKER_CONFIG", login.path());
        call.secret_env("COSIGN_PRIVATE_KEY", key).secret_env("COSIGN_PASSWORD", password).run()
    }
}

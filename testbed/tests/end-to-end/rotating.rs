//! `rotate`, with the real cosign: every way in which it can be stopped, and what it refuses. `forge::rotated`
//! tests how releases and podman treat a rotation.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use xtask::commands::rotate::{Options, STEPS, run_steps};
use xtask::inputs::keys::Keys;
use xtask::process::Runner;
use xtask::process::environment::Environment;
use xtask::process::secret::Secret;
use xtask::process::temp_dir::random_hex;
use xtask::tool::git::Git;

use crate::bad_input::{REFUSED, ensure_refused};
use crate::forge::project::new_key;
use crate::harness::checkout::{Checkout, text};
use crate::harness::run::Xtask;
use crate::harness::{environment, export, test};

/// A clone with its own key, and the tag of a version with that key.
struct Repository {
    checkout: Checkout,
    key: Secret,
    password: Secret,
}

impl Repository {
    fn new() -> Result<Self> {
        let checkout = Checkout::for_both_platforms()?;
        let password = Secret::new(random_hex()?);
        let key = new_key(&checkout, "own", &password)?;
        fs::copy(checkout.beside("own.pub"), checkout.top().join("cosign.pub"))?;
        checkout.commit("a key of its own")?;
        checkout.git(&["tag", "v1.2.3"])?;
        Ok(Self { checkout, key, password })
    }

    fn directory(&self) -> PathBuf {
        self.checkout.beside("new-key")
    }

    /// The command as the holder of the current key runs it.
    fn rotate(&self) -> Result<Xtask<'_>> {
        let run = Xtask::new(&self.checkout, &["rotate", text(&self.directory())?]);
        Ok(run.env("COSIGN_PRIVATE_KEY", self.key.expose()).env("COSIGN_PASSWORD", self.password.expose()))
    }

    /// The same in this process, stopping after `most` steps.
    fn stopped_after(&self, most: usize) -> Result<()> {
        let secrets =
            [("COSIGN_PRIVATE_KEY", self.key.expose()), ("COSIGN_PASSWORD", self.password.expose())];
        let environment = environment().with(secrets);
        let git = Git::discover(&Runner::new(&Environment::from_process()), self.checkout.top())?;
        let options = Options { directory: self.directory(), lost: None };
        run_steps(&environment, &git, &options, most)
    }

    fn read(&self, path: &str) -> Result<Vec<u8>> {
        fs::read(self.checkout.top().join(path)).with_context(|| format!("reading `{path}`"))
    }

    /// Completes the rotation, and checks everything that it leaves.
    fn ensure_completed(&self) -> Result<()> {
        let run = self.rotate()?.run()?.success()?;
        ensure!(run.stdout.contains("key 2 of keys/history.toml, endorsed by key 1"), "{}", run.stdout);
        for said in [&run.stdout, &run.stderr] {
            ensure!(!said.contains(self.password.expose()) && !said.contains("PRIVATE KEY-----"), "{said}");
        }
        let keys = Keys::of_work_tree(self.checkout.top())?.context("there is no history")?;
        let [old, new] = keys.keys.as_slice() else { anyhow::bail!("{} keys", keys.keys.len()) };
        ensure!(
            old.public.pem().as_bytes() == fs::read(self.checkout.beside("own.pub"))?,
            "the first key is not the old one"
        );
        ensure!(
            (old.entry.from.to_string(), new.entry.from.to_string()) == ("1.2.3".into(), "1.2.4-0".into())
        );
        let directory = self.directory();
        ensure!(
            new.public.pem().as_bytes() == fs::read(directory.join("cosign.pub"))?,
            "the second key is not the new one"
        );
        self.ensure_endorsed(&keys)?;
        for (path, mode) in [("", 0o700), ("cosign.key", 0o600), ("cosign.password", 0o600)] {
            let found = fs::metadata(directory.join(path))?.permissions().mode() & 0o777;
            ensure!(found == mode, "`{path}` has mode {found:o}");
        }
        let policy = String::from_utf8(self.read("policies/policy.json")?)?;
        ensure!(policy.contains("-0001.pub\"") && policy.contains("-0002.pub\""), "{policy}");
        ensure!(!directory.with_extension("unfinished").exists(), "an unfinished pair is left");
        self.ensure_nothing_half_written(&self.checkout.top().join("keys"))?;
        let check = Xtask::new(&self.checkout, &["check"]).run()?;
        for rule in ["key-history", "policy-stale", "public-key"] {
            ensure!(!check.stderr.contains(rule), "{}", check.stderr);
        }
        self.checkout.ensure_nothing_is_left()
    }

    fn ensure_endorsed(&self, keys: &Keys) -> Result<()> {
        let endorsements = keys.endorsements();
        let [endorsement] = endorsements.as_slice() else {
            anyhow::bail!("{} endorsements", endorsements.len())
        };
        let beside = |name: &str, bytes: &str| {
            let path = self.checkout.beside(name);
            fs::write(&path, bytes)?;
            Ok::<_, anyhow::Error>(text(&path)?.to_owned())
        };
        let statement = beside("statement", &endorsement.statement)?;
        let signature = beside("signature", endorsement.signature)?;
        let key = beside("old.pub", &endorsement.by.pem())?;
        for cosign in ["TESTBED_COSIGN_2", "TESTBED_COSIGN_3"] {
            let words = [
                "verify-blob",
                "--key",
                &key,
                "--insecure-ignore-tlog",
                "--signature",
                &signature,
                &statement,
            ];
            crate::harness::read(export(cosign)?, &words)
                .with_context(|| format!("verifying with {cosign}"))?;
        }
        Ok(())
    }

    fn ensure_nothing_half_written(&self, directory: &Path) -> Result<()> {
        for entry in fs::read_dir(directory)? {
            let name = entry?.file_name().to_string_lossy().into_owned();
            ensure!(!name.ends_with(".part"), "`{name}` is left");
        }
        Ok(())
    }
}

#[test]
#[ignore = "long: `cargo xtask ci --all`"]
fn the_same_command_completes_a_rotation_stopped_after_any_step() -> Result<()> {
    test(|| {
        for most in 0..=STEPS {
            let repository = Repository::new()?;
            repository.stopped_after(most)?;
            let doing = || format!("after {most} steps");
            let made = fs::read(repository.directory().join("cosign.pub")).ok();
            repository.ensure_completed().with_context(doing)?;
            let now = repository.read("cosign.pub")?;
            ensure!(made.is_none_or(|made| made == now), "{}: a second key was made", doing());
            // Running it once more changes nothing.
            let before = (repository.read("keys/history.toml")?, repository.read("keys/0002.endorsement")?);
            repository.ensure_completed().with_context(doing)?;
            let after = (repository.read("keys/history.toml")?, repository.read("keys/0002.endorsement")?);
            ensure!(before == after, "{}: it was rotated once more", doing());
        }
        Ok(())
    })
}

/// A `PATH` with a cosign that kills the process that started it with SIGKILL, before or after `command`.
fn deadly(checkout: &Checkout, cosign: &str, command: &str, before: bool) -> Result<String> {
    let bin = checkout.beside("bin");
    fs::create_dir_all(&bin)?;
    let (real, kill) = (export(cosign)?, "kill -KILL $PPID; sleep 5; exit 1");
    let body = if before { kill.to_owned() } else { format!("'{real}' \"$@\"; {kill}") };
    let script = format!(
        "#!/bin/sh\ncase \"$*\" in *--help*) exec '{real}' \"$@\" ;; esac\nif [ \"$1\" = {command} ]; then {body}; fi\nexec '{real}' \"$@\"\n"
    );
    fs::write(bin.join("cosign"), script)?;
    fs::set_permissions(bin.join("cosign"), fs::Permissions::from_mode(0o755))?;
    let path = environment().get("PATH")?.unwrap_or_default().to_owned();
    Ok(format!("{}:{path}", text(&bin)?))
}

#[test]
#[ignore = "long: `cargo xtask ci --all`"]
fn the_same_command_completes_a_rotation_killed_while_cosign_ran() -> Result<()> {
    test(|| {
        for cosign in ["TESTBED_COSIGN_2", "TESTBED_COSIGN_3"] {
            for (command, before) in [
                ("generate-key-pair", true),
                ("generate-key-pair", false),
                ("sign-blob", true),
                ("sign-blob", false),
            ] {
                let repository = Repository::new()?;
                let path = deadly(&repository.checkout, cosign, command, before)?;
                let run = repository.rotate()?.env("PATH", path).run()?;
                ensure!(run.code != 0 && !run.stdout.contains("key 2"), "it was not killed: {}", run.stdout);
                fs::remove_dir_all(repository.checkout.tmp())?;
                fs::create_dir(repository.checkout.tmp())?;
                let doing = || format!("{cosign} {command}, before: {before}");
                ensure!(repository.read("keys/history.toml").is_err(), "{}: it went on", doing());
                repository.ensure_completed().with_context(doing)?;
            }
        }
        Ok(())
    })
}

#[test]
fn a_lost_key_is_replaced_without_an_endorsement_and_the_history_says_so() -> Result<()> {
    test(|| {
        let repository = Repository::new()?;
        // The endorsement was made before the old key was found to be stolen.
        repository.stopped_after(3)?;
        let directory = repository.directory();
        let arguments = ["rotate", text(&directory)?, "--lost", "stolen \"by night\""];
        let run = Xtask::new(&repository.checkout, &arguments).run()?.success()?;
        ensure!(run.stdout.contains("not endorsed: stolen"), "{}", run.stdout);
        let keys = Keys::of_work_tree(repository.checkout.top())?.context("there is no history")?;
        ensure!(
            keys.keys[1].entry.unendorsed.as_deref() == Some("stolen \"by night\"")
                && keys.endorsements().is_empty()
        );
        let policy = String::from_utf8(repository.read("policies/policy.json")?)?;
        ensure!(!policy.contains("-0001.pub\"") && policy.contains("-0002.pub\""), "{policy}");
        Ok(())
    })
}

#[test]
fn a_rotation_that_cannot_be_completed_does_not_begin() -> Result<()> {
    test(|| {
        let repository = Repository::new()?;
        let (checkout, directory) = (&repository.checkout, repository.directory());
        let directory = text(&directory)?;
        let refused = |run: Xtask<'_>, words: &[&str]| {
            ensure_refused(checkout, run, REFUSED, words)?;
            ensure!(
                !checkout.top().join("keys").exists() && !repository.directory().exists(),
                "something was written"
            );
            Ok::<_, anyhow::Error>(())
        };
        refused(Xtask::new(checkout, &["rotate", directory]), &["`COSIGN_PRIVATE_KEY`", "`--lost \"WHY\"`"])?;
        let another = new_key(checkout, "another", &repository.password)?;
        let run = repository.rotate()?.env("COSIGN_PRIVATE_KEY", another.expose());
        refused(run, &["has the public half `sha256:", "the present key is `sha256:"])?;
        let inside = Xtask::new(checkout, &["rotate", "new-key", "--lost", "x"]);
        refused(inside, &["would be in the repository"])?;
        ensure_refused(
            checkout,
            Xtask::new(checkout, &["rotate", directory, "--lost", ""]),
            2,
            &["`--lost`"],
        )?;

        checkout.git(&["tag", "--delete", "v1.2.3"])?;
        refused(repository.rotate()?, &["there is no release tag here", "`git fetch --tags`"])?;
        checkout.git(&["tag", "v0.9.0", "HEAD~1"])?;
        checkout.git(&["tag", "v1.2.3"])?;
        refused(repository.rotate()?, &["of v0.9.0 is another key", "docs/keys.md"])?;
        checkout.git(&["tag", "--delete", "v0.9.0"])?;

        repository.ensure_completed()?;
        let again = checkout.beside("third");
        let new = fs::read_to_string(repository.directory().join("cosign.key"))?;
        let password = fs::read_to_string(repository.directory().join("cosign.password"))?;
        let run = Xtask::new(checkout, &["rotate", text(&again)?]).env("COSIGN_PRIVATE_KEY", new);
        let words = ["nothing was released since the last rotation", "1.2.4-0", "`git revert`"];
        ensure_refused(checkout, run.env("COSIGN_PASSWORD", password), REFUSED, &words)
    })
}

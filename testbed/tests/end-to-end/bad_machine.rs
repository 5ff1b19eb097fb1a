//! What a machine can lack. Each time `xtask` refuses, says what is missing and what to do, and changes nothing.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use anyhow::{Context as _, Result};
use xtask::process::environment::Environment;

use crate::bad_input::{REFUSED, ensure_refused};
use crate::harness::checkout::{Checkout, text};
use crate::harness::path::without_cosign;
use crate::harness::run::Xtask;
use crate::harness::small_tmp::small_tmp;
use crate::harness::{export, test};

#[test]
fn docker_is_not_running() -> Result<()> {
    test(|| {
        let checkout = Checkout::new()?;
        let run = Xtask::new(&checkout, &["rehearse"]).env("DOCKER_HOST", "unix:///nonexistent/docker.sock");
        let words = [
            "engine does not answer",
            "/nonexistent/docker.sock",
            "`systemctl start docker`",
            "`DOCKER_HOST`",
        ];
        ensure_refused(&checkout, run, REFUSED, &words)
    })
}

#[test]
fn cosign_is_not_installed() -> Result<()> {
    test(|| {
        let checkout = Checkout::new()?;
        let path = without_cosign(&checkout.beside("bin"))?;
        let run = Xtask::new(&checkout, &["rehearse"]).env("PATH", path);
        ensure_refused(
            &checkout,
            run,
            REFUSED,
            &["`cosign` is not installed", "install cosign 2.5 or 3.1", "https://"],
        )
    })
}

#[test]
fn cosign_is_an_untested_major_version() -> Result<()> {
    test(|| {
        let checkout = Checkout::new()?;
        // A stand-in for a cosign that has neither flag; it wraps the real one.
        let bin = checkout.beside("cosign-without-flags");
        fs::create_dir(&bin)?;
        let script = format!(
            "#!/bin/sh\ncase \"$1 $*\" in sign*--help) echo 'Error: unknown flag' >&2; exit 1 ;; esac\nexec {} \"$@\"\n",
            export("TESTBED_COSIGN_2")?
        );
        fs::write(bin.join("cosign"), script)?;
        fs::set_permissions(bin.join("cosign"), fs::Permissions::from_mode(0o755))?;
        let environment = Environment::from_process();
        let path = format!("{}:{}", text(&bin)?, environment.get("PATH")?.unwrap_or_default());
        let run = Xtask::new(&checkout, &["rehearse"]).env("PATH", path);
        let words = [
            "cosign",
            "knows neither `--tlog-upload` nor `--use-signing-config`",
            "install cosign 2.5 or 3.1",
        ];
        ensure_refused(&checkout, run, REFUSED, &words)
    })
}

#[test]
fn the_registry_is_down() -> Result<()> {
    test(|| {
        let checkout = Checkout::new()?;
        // Nothing listens there, and a process that asks for a free port never gets this one.
        let closed = "127.0.0.1:1";
        let run = Xtask::new(&checkout, &["rehearse"]).env("TESTBED_REGISTRY", closed);
        ensure_refused(&checkout, run, REFUSED, &[closed, "`cargo testbed up`"])
    })
}

#[test]
fn the_disk_is_nearly_full() -> Result<()> {
    test(|| ensure_refused_on_a_small_disk(":"))
}

#[test]
fn the_disk_is_full_to_the_last_byte() -> Result<()> {
    test(|| ensure_refused_on_a_small_disk("! cat /dev/zero >\"$TMPDIR/filler\" 2>/dev/null"))
}

/// Runs `fill` before `xtask` in a `TMPDIR` of one MiB.
fn ensure_refused_on_a_small_disk(fill: &str) -> Result<()> {
    let checkout = Checkout::new()?;
    let small = small_tmp("1m", &format!("{fill} && exec \"$@\""));
    let run = Xtask::new(&checkout, &["rehearse"]).within(&small);
    ensure_refused(&checkout, run, REFUSED, &["MiB free", "needs 256", "`TMPDIR`"])
}

#[test]
fn a_refusal_leaves_the_last_rehearsal_as_it_was() -> Result<()> {
    test(|| {
        let checkout = Checkout::new()?;
        let kept = ["cosign.pub", "v0.1.0.json", "v0.1.0.md"];
        for name in kept {
            checkout.write(&format!("target/rehearsal/{name}"), name)?;
        }
        let run = Xtask::new(&checkout, &["rehearse"]).env("DOCKER_HOST", "unix:///nonexistent/docker.sock");
        let finished = run.run()?;
        assert_eq!(finished.code, REFUSED, "{}", finished.stderr);
        for name in kept {
            let path = checkout.top().join("target/rehearsal").join(name);
            let found = fs::read_to_string(&path).with_context(|| format!("`{name}` is gone"))?;
            assert_eq!(
                found, name,
                "it was overwritten, so the commands that were printed with it no longer work"
            );
        }
        Ok(())
    })
}

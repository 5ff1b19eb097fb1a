//! A disk that fills up during the export, the build or the push. Each test gives that step a small file system.

use std::fs::{self, File};

use anyhow::{Context as _, Result, ensure};
use testbed::spare::Spare;

use super::scene::Scene;
use crate::harness::builder::Builder;
use crate::harness::small_tmp::small_tmp;
use crate::harness::{environment, test};

/// The size of a file that git stores in a few hundred KiB, and that fits into [`SMALL`] only once.
const LARGE: u64 = 200 << 20;

/// More than preflight requires.
const SMALL: &str = "300m";

/// Room for a whole release.
const ENOUGH: &str = "2g";

#[test]
#[ignore = "long: `cargo xtask ci --all`"]
fn the_disk_fills_up_during_the_export() -> Result<()> {
    test(|| {
        let scene = Scene::new()?;
        let checkout = &scene.project.checkout;
        let file = File::create(checkout.top().join("zeros")).context("making a large file")?;
        file.set_len(LARGE).context("making a large file")?;
        checkout.git(&["add", "zeros"])?;
        scene.push()?;
        // The names left in the small `TMPDIR`, which is not visible from outside.
        let left = checkout.beside("left");
        let look = "\"$@\"; code=$?; ls -A \"$TMPDIR\" >\"$TMPDIR/../left\"; exit $code";
        let run = scene.release().within(&small_tmp(SMALL, look)).run()?;
        let left = fs::read_to_string(&left).context("the list of what is left was not made")?;
        ensure!(left.is_empty(), "left in TMPDIR: {left}");
        // 3 if preflight, which runs in parallel, found no space either.
        ensure!(matches!(run.code, 1 | 3), "exit code {}:\n{}", run.code, run.stderr);
        scene.ensure_nothing_public(&run, &["step `export`", "if that disk is full", "`TMPDIR`"])?;
        scene.ensure_finishes()
    })
}

#[test]
#[ignore = "long: `cargo xtask ci --all`"]
fn the_disk_fills_up_during_the_build() -> Result<()> {
    test(|| {
        let spare = Spare::builder(&environment(), "16m")?;
        let builder = Builder::new(spare.address())?;
        let mut scene = Scene::new()?;
        scene.configure(&format!("builder = \"{}\"", builder.name()))?;
        scene.set("DOCKER_CONFIG", builder.configuration()?);
        scene.push()?;
        let run = scene.release().run()?;
        scene.ensure_failed(&run, &["step `build`", "no space left on device"])?;
        spare.grow(ENOUGH)?;
        scene.ensure_finishes()
    })
}

#[test]
#[ignore = "long: `cargo xtask ci --all`"]
fn the_disk_fills_up_during_the_push() -> Result<()> {
    test(|| {
        let registry = Spare::registry(&environment(), Some("16m"))?;
        let mut scene = Scene::new()?;
        scene.push_to(registry.address(), registry.address())?;
        scene.push()?;
        let run = scene.release().run()?;
        scene.ensure_failed(
            &run,
            &["step `build`", "failed to push", registry.address(), "500 Internal Server Error"],
        )?;
        registry.grow(ENOUGH)?;
        scene.ensure_finishes()
    })
}

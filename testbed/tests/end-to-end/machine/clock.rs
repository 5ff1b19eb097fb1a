//! A clock that is wrong. The test does not change this machine's clock, but the `Date` of the forge's answers.

use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use testbed::proxy::Fault;

use super::scene::Scene;
use crate::harness::{read, test};

/// The difference between the clocks, in seconds.
const SKEW: u64 = 600;

#[test]
#[ignore = "long: `cargo xtask ci --all`"]
fn a_clock_that_is_ten_minutes_off_is_refused() -> Result<()> {
    test(|| {
        let (scene, proxy) = Scene::by_proxy()?;
        scene.push()?;
        for (name, there) in [("behind", "now + 600 seconds"), ("ahead", "now - 600 seconds")] {
            let asked = Instant::now();
            let date = read("date", &["--utc", "--date", there, "+%a, %d %b %Y %H:%M:%S GMT"])?;
            proxy.set_rule(move |_| {
                let date = date.clone();
                Fault::rewrite(move |answer| answer.set_header("Date", &date))
            });
            let words =
                ["the release cannot begin, and nothing was changed", "clock", "`timedatectl set-ntp true`"];
            let said = scene.project.ensure_refused(scene.release(), &words)?;
            let seconds =
                said.split_once("this machine's clock is ").and_then(|(_, rest)| rest.split_once(" s off"));
            let seconds: u64 = seconds.with_context(|| format!("no number of seconds: {said}"))?.0.parse()?;
            // The date stood still while the machine's clock went on, and both are truncated to seconds.
            let most = asked.elapsed().as_secs() + 1;
            ensure!(
                seconds.abs_diff(SKEW) <= most,
                "{name}: {seconds} s off: expected {SKEW}, within {most}"
            );
        }
        proxy.pass();
        scene.ensure_finishes()
    })
}

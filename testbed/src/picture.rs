//! `cargo testbed picture`: a release page as people see it. It makes a release on the testbed's forge, and a
//! browser takes a picture of the forge's own page.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use xshell::cmd;
use xtask::process::Runner;
use xtask::process::environment::Environment;
use xtask::process::temp_dir::TempDir;

use crate::context::Context;
use crate::parts::pages;
use crate::project::{Commit, Project};
use crate::provision::text;
use crate::{bench, commands, lock};

/// The file that documents show.
const PICTURE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/images/release-page.png");

/// In pixels: as wide as the forge's page gets, and long enough for its first screens.
const SIZE: &str = "--window-size=1280,2140";

/// Enough for a release of two platforms, or a browser's start, on a slow machine.
const TIMEOUT: Duration = Duration::from_secs(600);

/// The previous release, where the notes begin.
const BEFORE: &str = "v1.3.0";

/// The release whose page is shown.
const TAG: &str = "v2.0.0";

/// The changes since then: some of each kind that notes distinguish.
const COMMITS: [Commit<'_>; 7] = [
    Commit {
        author: "Ada Example <ada@example.org>",
        message: "feat!: the data directory is /data (#41)\n\nBREAKING CHANGE: mount your volume at `/data`; `/var/lib/carol` is no longer read.",
    },
    Commit {
        author: "Grace Example <grace@example.org>",
        message: "feat(api): visits can be counted by day (#38)",
    },
    Commit {
        author: "Ada Example <ada@example.org>",
        message: "fix: a request without a host name is answered with 400",
    },
    Commit {
        author: "Linus Example <linus@example.org>",
        message: "fix(health): the check no longer waits for the database (#44)",
    },
    Commit { author: "Ada Example <ada@example.org>", message: "perf: answers are compressed" },
    Commit { author: "Ada Example <ada@example.org>", message: "docs: how to move the data" },
    Commit { author: "Ada Example <ada@example.org>", message: "ci: run the tests on two versions of node" },
];

/// Releases, and writes the picture into `docs/images/`.
pub(crate) fn run(environment: &Environment) -> Result<()> {
    let cx = Context::new(environment)?;
    let Some(browser) = cx.host.which("chromium") else {
        bail!("`chromium` is not on the PATH; install it: `{}`", cx.host.install_command("chromium"));
    };
    {
        let _lock = lock::acquire(&cx.layout, &cx.progress)?;
        pages::ensure(&cx)?;
    }
    // Restarts the forge if it runs without its scripts and styles.
    commands::up(environment, true, false)?;
    let environment = &bench::of_testbed(environment)?;
    let (xtask, _target) = bench::build_xtask(&Runner::new(environment))?;
    let scratch = TempDir::new()?;
    let project = Project::new(environment, scratch.path(), &[BEFORE], |manifest| Ok(manifest.to_owned()))?;
    project.add(&COMMITS, TAG)?;
    let shell = project.runner.shell()?;
    let release = project.runner.call(cmd!(shell, "{xtask} release {TAG}")).dir(&project.checkout);
    project.trusted(release)?.timeout(TIMEOUT).run().context("making the release that is shown")?;
    let page = format!("{}/releases/tag/{TAG}", project.repository.url());
    take(&project, &browser, &page)?;
    project.remove_containers()?;
    project.remove_images()
}

/// Makes `browser` show `page` and write a picture of it.
fn take(project: &Project, browser: &Path, page: &str) -> Result<()> {
    let shell = project.runner.shell()?;
    let profile = TempDir::new()?;
    let (data, picture) =
        (format!("--user-data-dir={}", text(profile.path())?), format!("--screenshot={PICTURE}"));
    // The browser's sandbox does not start in a container or as root. The browser only shows a page of this machine's
    // own forge.
    let fixed = ["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", SIZE];
    let call = project.runner.call(cmd!(shell, "{browser} {fixed...} {data} {picture} {page}"));
    call.timeout(TIMEOUT).run().context("taking the picture")
}

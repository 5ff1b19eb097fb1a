//! Programs that act on one release at the same time and meet at a chosen moment: one is held at a request while
//! another continues. If both just ran, they would hardly ever meet at some of these moments (docs/reliability.md).

use anyhow::{Context as _, Result, ensure};
use nix::sys::signal::Signal;
use testbed::proxy::{Hold, Proxy};

use super::project::Project;
use super::snapshot::Snapshot;
use crate::harness::run::{Finished, Running, Xtask};
use crate::harness::test;

const TAG: &str = "v0.1.0";

/// A moment of a program: it has made these requests, and the forge has not seen the last one.
type Moment = &'static [&'static str];

/// The run has looked for the version tag for the last time, and is about to store its attestations.
const STORES_ATTESTATIONS: Moment = &["PUT manifests/sha256-*.att"];

/// The run's attestations are stored, and its bundles are not.
const IS_BETWEEN_FORMATS: Moment = &["PUT manifests/sha256-*"];

/// The run has stored both formats and seen that they match, and is about to verify the image.
const VERIFIES: Moment =
    &["PUT manifests/sha256-*", "HEAD manifests/sha256-*.att", "HEAD manifests/sha256:*"];

/// The run has put the version tag, knows which attestations there are, and is about to read them.
const READS_ATTESTATIONS: Moment =
    &["PUT manifests/v0.1.0", "GET manifests/sha256-*.att", "GET blobs/sha256:*"];

/// The run has put the version tag, and is about to make the page.
const MAKES_PAGE: Moment = &["PUT manifests/v0.1.0", "POST carol/releases"];

/// The run's page is a draft with some of its files.
const UPLOADS_FILES: Moment = &["POST assets?name=SHA256SUMS"];

/// A stranger's `verify` is about to read the page, and goes on to check the image while that request is held.
const READS_PAGE: Moment = &["GET releases/tags/v0.1.0"];

/// A stranger's `verify` is about to list the tags, and goes on to look up `latest` while that request is held.
const LISTS_TAGS: Moment = &["GET tags/list?n=100"];

/// How often `verify` requests the manifest of the attestations: cosign once for each of the three, and `xtask` once.
const LOOKS_AT_ATTESTATIONS: usize = 4;

/// A project whose requests can be held.
struct Meeting {
    project: Project,
    proxy: Proxy,
}

/// A program that is held. Only one program at a time is not, so every other request is from that one.
struct Held<'a> {
    run: Running,
    proxy: &'a Proxy,
    hold: Hold,
}

impl Meeting {
    fn new() -> Result<Self> {
        let (project, proxy) = Project::by_proxy()?;
        project.push_tag(TAG)?;
        Ok(Self { project, proxy })
    }

    /// A run of the release, up to `moment`.
    fn release(&self, moment: Moment) -> Result<Held<'_>> {
        self.start(self.project.laptop(&["release", TAG]), moment)?.stopped()
    }

    /// `verify`, without any secret, up to `moment` and until `count` of its requests `line` were answered.
    fn stranger(&self, moment: Moment, (count, line): (usize, &str)) -> Result<Held<'_>> {
        drop(self.proxy.take());
        let mut held = self.start(Xtask::new(&self.project.checkout, &["verify", TAG]), moment)?;
        let is_answered = |_: &Running| Ok((self.proxy.answered(line) >= count).then_some(()));
        held.run.until(&format!("{count} `{line}`"), is_answered)?;
        held.stopped()
    }

    fn start(&self, program: Xtask<'_>, moment: Moment) -> Result<Held<'_>> {
        let hold = self.proxy.hold(moment);
        Held { run: program.start()?, proxy: &self.proxy, hold }.reached(moment)
    }

    /// Checks that `runs` have made one release, which verifies.
    fn ensure_one_release(&self, runs: &[Finished]) -> Result<()> {
        let digest = runs[0].digest()?;
        for run in runs {
            ensure!(run.digest()? == digest, "another digest than {digest}:\n{}", run.stdout);
        }
        let after = Snapshot::of(&self.project)?;
        ensure!(after.image_tags() == ["latest", TAG], "{:?}", after.image_tags());
        ensure!(after.pages.len() == 1 && !after.page(TAG)?.draft, "{:#?}", after.pages);
        self.project.ensure_signed_once(&digest)?;
        self.project.laptop(&["verify", TAG]).run()?.success()?;
        self.project.checkout.ensure_nothing_is_left()
    }
}

impl Held<'_> {
    /// Lets the program continue up to a later moment.
    fn until(self, moment: Moment) -> Result<Self> {
        let hold = self.proxy.hold(moment);
        let Self { run, proxy, hold: earlier } = self;
        drop(earlier);
        run.signal(Signal::SIGCONT)?;
        Self { run, proxy, hold }.reached(moment)?.stopped()
    }

    fn reached(mut self, moment: Moment) -> Result<Self> {
        self.run.until(&format!("{moment:?}"), |_| Ok(self.hold.is_reached().then_some(())))?;
        Ok(self)
    }

    /// Stops the process as well: curl gives up on a silent server after ten seconds, and a process that is stopped
    /// cannot send the request again before the test lets it continue.
    fn stopped(self) -> Result<Self> {
        self.run.signal(Signal::SIGSTOP)?;
        Ok(self)
    }

    /// Lets the program continue to its end. It must succeed.
    fn end(self) -> Result<Finished> {
        self.proxy.pass();
        drop(self.hold);
        self.run.signal(Signal::SIGCONT)?;
        self.run.wait()?.success()
    }
}

#[test]
fn attestations_that_another_run_overwrites_during_the_read_are_read_again() -> Result<()> {
    test(|| {
        let meeting = Meeting::new()?;
        let late = meeting.release(STORES_ATTESTATIONS)?;
        let first = meeting.release(READS_ATTESTATIONS)?;
        let late = late.end()?;
        meeting.ensure_one_release(&[first.end()?, late])
    })
}

/// A run is held at `moment` while another one replaces its attestations. The first run then continues to its end
/// before the other one stores the bundles.
fn between_formats(moment: Moment) -> Result<()> {
    let meeting = Meeting::new()?;
    let late = meeting.release(STORES_ATTESTATIONS)?;
    let first = meeting.release(moment)?;
    let late = late.until(IS_BETWEEN_FORMATS)?;
    let first = first.end()?;
    meeting.ensure_one_release(&[first, late.end()?])
}

#[test]
#[ignore = "long: `cargo xtask ci --all`"]
fn a_run_that_verifies_while_another_one_is_between_its_formats_adds_the_bundles() -> Result<()> {
    test(|| between_formats(VERIFIES))
}

#[test]
#[ignore = "long: `cargo xtask ci --all`"]
fn a_run_that_makes_the_page_while_another_one_is_between_its_formats_adds_the_bundles() -> Result<()> {
    test(|| between_formats(MAKES_PAGE))
}

#[test]
#[ignore = "long: `cargo xtask ci --all`"]
fn verify_succeeds_while_a_run_overwrites_the_attestations() -> Result<()> {
    test(|| {
        let meeting = Meeting::new()?;
        let late = meeting.release(STORES_ATTESTATIONS)?;
        let first = meeting.release(MAKES_PAGE)?.end()?;
        let of_image = (LOOKS_AT_ATTESTATIONS, "GET manifests/sha256-*.att");
        let stranger = meeting.stranger(READS_PAGE, of_image)?;
        let late = late.end()?;
        stranger.end()?;
        meeting.ensure_one_release(&[first, late])
    })
}

#[test]
#[ignore = "long: `cargo xtask ci --all`"]
fn verify_succeeds_while_the_next_release_moves_latest() -> Result<()> {
    test(|| {
        let meeting = Meeting::new()?;
        let release = |tag: &str| meeting.project.laptop(&["release", tag]).run()?.success();
        release(TAG)?;
        let stranger = meeting.stranger(LISTS_TAGS, (1, "GET manifests/latest"))?;
        meeting.project.push_tagged("v0.2.0")?;
        release("v0.2.0")?;
        stranger.end().map(drop)
    })
}

#[test]
fn text_that_is_added_to_the_page_during_the_upload_of_its_files_is_kept() -> Result<()> {
    test(|| {
        let meeting = Meeting::new()?;
        let release = meeting.release(UPLOADS_FILES)?;
        let repository = &meeting.project.repository;
        let page = || repository.release(TAG)?.context("there is no page");
        let draft = page()?;
        repository.rewrite(&draft, &format!("Thanks to all testers.\n\n{}", draft.body))?;
        let released = release.end()?;
        let body = page()?.body;
        ensure!(body.starts_with("Thanks to all testers.\n\n## Changes"), "the page says:\n{body}");
        meeting.ensure_one_release(&[released])
    })
}

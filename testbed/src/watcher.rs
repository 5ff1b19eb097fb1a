//! Looks at what anyone can see of a project, every 20 ms while it may change. There must be no version tag, no
//! `latest` and no page before its signature and attestations are there in both formats, and none of these may
//! disappear afterwards.

mod anonymous;
pub mod http;
mod proof;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow, ensure};

use anonymous::Anonymous;
use proof::missing_types;
pub use proof::{BUNDLE_TYPES, PREDICATE_TYPES, bundled, predicate_types, stored};

/// The time between two looks.
const PERIOD: Duration = Duration::from_millis(20);

/// The time between two looks while nothing should change. There are still some, because somebody may bypass the proxy.
const IDLE_PERIOD: Duration = Duration::from_millis(200);

/// How soon the watcher notices that something can change again.
const WAKING: Duration = Duration::from_millis(5);

/// A registry may answer 404 for 10-21 ms while a tag is overwritten (docs/facts.md#overwrite-gap). After this
/// time, the watcher once more queries a tag that was there before.
const OVERWRITE_GAP: Duration = Duration::from_millis(60);

/// The watch. It ends when the value is dropped.
pub struct Watcher {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<Result<Report>>>,
}

/// What was seen.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// How many looks there were while something could change.
    pub looks: usize,
    /// How long something could change.
    pub watched: Duration,
    /// The longest time between two of these looks.
    pub longest_gap: Duration,
    /// When each tag, and each page as `page v1.2.3`, was first seen.
    pub first: BTreeMap<String, Instant>,
    /// The violations in words, each once.
    pub violations: BTreeSet<String>,
    /// The digest of each version tag, which must never change.
    digests: BTreeMap<String, String>,
}

/// Looks and judges.
struct Observer {
    anonymous: Anonymous,
    report: Report,
    /// Digests of attestation manifests and bundle indexes that have all types.
    complete: BTreeSet<String>,
}

impl Watcher {
    /// Watches the repository `name` (`owner/name`) and the image of the same name on the forge at `url`.
    ///
    /// # Errors
    /// When the forge does not answer anonymously.
    pub fn start(url: &str, name: &str) -> Result<Self> {
        Self::start_beside(url, name, || true)
    }

    /// Like [`Watcher::start`], for a project that changes only while `may_change` returns `true`. At other times there
    /// are only a tenth of the looks, which leaves the machine to the watched releases.
    ///
    /// # Errors
    /// As [`Watcher::start`].
    pub fn start_beside(
        url: &str,
        name: &str,
        may_change: impl Fn() -> bool + Send + 'static,
    ) -> Result<Self> {
        let anonymous = Anonymous::new(url, name)?;
        let observer = Observer { anonymous, report: Report::default(), complete: BTreeSet::new() };
        let stop = Arc::new(AtomicBool::new(false));
        let until = Arc::clone(&stop);
        let thread = thread::spawn(move || observer.watch(&until, may_change));
        Ok(Self { stop, thread: Some(thread) })
    }

    /// Ends the watch and returns what was seen.
    ///
    /// # Errors
    /// When the forge failed to answer at any time.
    pub fn stop(mut self) -> Result<Report> {
        self.stop.store(true, Ordering::Relaxed);
        let thread = self.thread.take().context("the watch was already ended")?;
        thread.join().map_err(|_panic| anyhow!("the watcher panicked"))?
    }

    /// Like [`Watcher::stop`], and checks the report.
    ///
    /// # Errors
    /// Like [`Watcher::stop`]; on a violation; and when one of `tags` was not seen, or not later than its attestations.
    /// In that case, the looks were too far apart to say anything.
    pub fn finish(self, tags: &[&str]) -> Result<Report> {
        let report = self.stop()?;
        ensure!(report.violations.is_empty(), "{:#?}", report.violations);
        for tag in tags {
            let seen = |name: &str| report.first.get(name).with_context(|| format!("`{name}` was not seen"));
            seen(&format!("page {tag}"))?;
            let digest = report.digests.get(*tag).with_context(|| format!("`{tag}` had no digest"))?;
            for proof in [stored(digest, "att"), bundled(digest)] {
                let attested = seen(&proof)?;
                ensure!(attested < seen(tag)?, "`{tag}` was not seen later than `{proof}`: {report:?}");
            }
        }
        Ok(report)
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

impl Observer {
    fn watch(mut self, stop: &AtomicBool, may_change: impl Fn() -> bool) -> Result<Report> {
        let mut last = Instant::now();
        // Nothing can have changed since the last look.
        let mut is_idle = false;
        while !stop.load(Ordering::Relaxed) {
            if !may_change() && last.elapsed() < IDLE_PERIOD {
                is_idle = true;
                thread::sleep(WAKING);
                continue;
            }
            let began = Instant::now();
            if !is_idle {
                self.report.looks += 1;
                self.report.watched += began - last;
                self.report.longest_gap = self.report.longest_gap.max(began - last);
            }
            (last, is_idle) = (began, false);
            self.look()?;
            thread::sleep(PERIOD.saturating_sub(began.elapsed()));
        }
        // A last look checks what happened just before the end.
        self.look()?;
        Ok(self.report)
    }

    /// Looks once. The order of the requests matters: what is checked is queried before what it is checked against, so
    /// nothing is checked against a list from before it became public.
    fn look(&mut self) -> Result<()> {
        let pages = self.anonymous.pages()?;
        let latest_before = self.latest()?;
        let tags = self.anonymous.tags()?;
        let now = Instant::now();
        for page in pages {
            if !tags.contains(&page.tag_name) {
                self.violation(format!("the page of `{}` is there before its image", page.tag_name));
            }
            for missing in page.missing_files()? {
                self.violation(format!(
                    "the page of `{}` names `{missing}`, which it does not have",
                    page.tag_name
                ));
            }
            self.report.first.entry(format!("page {}", page.tag_name)).or_insert(now);
        }
        let mut judged = BTreeSet::new();
        for tag in tags.iter().filter(|tag| tag.starts_with('v')) {
            let Some(digest) = self.anonymous.digest(tag)? else { continue };
            let known = self.report.digests.entry(tag.clone()).or_insert_with(|| digest.clone());
            if *known != digest {
                let text = format!("`{tag}` named `{known}` and names `{digest}`");
                self.violation(text);
            }
            self.judge(tag, &digest, &tags)?;
            judged.insert(digest);
        }
        // `latest` moves. A digest only counts if `latest` had it both before and after the list.
        if let Some(digest) = latest_before
            && !judged.contains(&digest)
            && self.latest()?.as_ref() == Some(&digest)
        {
            self.judge("latest", &digest, &tags)?;
        }
        for tag in tags {
            self.report.first.entry(tag).or_insert(now);
        }
        Ok(())
    }

    /// The image that `tag` names must be signed and attested in both formats, according to the list `tags`, which
    /// is older than the tag's digest.
    fn judge(&mut self, tag: &str, digest: &str, tags: &BTreeSet<String>) -> Result<()> {
        for wanted in [stored(digest, "sig"), stored(digest, "att"), bundled(digest)] {
            if !tags.contains(&wanted) && !self.is_being_overwritten(&wanted)? {
                self.violation(format!("`{tag}` names `{digest}`, and there is no `{wanted}`"));
            }
        }
        self.judge_types(tag, digest, &stored(digest, "att"), &PREDICATE_TYPES)?;
        self.judge_types(tag, digest, &bundled(digest), &BUNDLE_TYPES)
    }

    /// The manifest stored as `proof` of the image must have all these types.
    fn judge_types(&mut self, tag: &str, digest: &str, proof: &str, types: &[&'static str]) -> Result<()> {
        let Some(manifest) = self.digest_over_gap(proof)? else { return Ok(()) };
        if self.complete.contains(&manifest) {
            return Ok(());
        }
        let answer = self.anonymous.manifest(&manifest)?;
        let missing = missing_types(&answer, types)?;
        if missing.is_empty() {
            self.complete.insert(manifest);
        } else {
            self.violation(format!("`{tag}` names `{digest}`, and `{proof}` has no {missing:?}"));
        }
        Ok(())
    }

    /// Whether a tag that is not in a list was there before and is there again.
    fn is_being_overwritten(&mut self, tag: &str) -> Result<bool> {
        Ok(self.report.first.contains_key(tag) && self.digest_over_gap(tag)?.is_some())
    }

    fn digest_over_gap(&mut self, tag: &str) -> Result<Option<String>> {
        if let Some(digest) = self.anonymous.digest(tag)? {
            return Ok(Some(digest));
        }
        thread::sleep(OVERWRITE_GAP);
        self.anonymous.digest(tag)
    }

    fn violation(&mut self, text: String) {
        self.report.violations.insert(text);
    }

    fn latest(&mut self) -> Result<Option<String>> {
        if self.report.first.contains_key("latest") { self.anonymous.digest("latest") } else { Ok(None) }
    }
}

//! Looks at what strangers see of a project, every 20 ms while releases are under way: no version tag, no `latest` and no
//! page before the signature and the attestations that belong to it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow, ensure};
use serde::Deserialize;

use super::http::Server;
use super::project::Project;

/// From one look to the next.
const PERIOD: Duration = Duration::from_millis(20);

/// A manifest is only shown to who says which kinds it takes.
const ACCEPT: &str = "Accept: application/vnd.oci.image.index.v1+json, application/vnd.docker.distribution.manifest.list.v2+json";

/// The watch; it ends with the value.
pub(super) struct Watcher {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<Result<Report>>>,
}

/// What was seen.
#[derive(Clone, Debug, Default)]
pub(super) struct Report {
    pub(super) looks: usize,
    pub(super) longest_gap: Duration,
    /// When each tag, and each page as `page v1.2.3`, was seen for the first time.
    pub(super) first: BTreeMap<String, Instant>,
    /// What each version tag names: it never moves.
    digests: BTreeMap<String, String>,
    violations: BTreeSet<String>,
}

/// A stranger.
struct Eyes {
    server: Server,
    /// `owner/name`, of the repository and of its image alike.
    name: String,
    token: String,
    report: Report,
}

impl Watcher {
    pub(super) fn start(project: &Project) -> Result<Self> {
        let name = project.repository.full_name();
        let server = Server::of(&project.forge)?;
        let mut eyes = Eyes { server, name, token: String::new(), report: Report::default() };
        eyes.token = eyes.new_token()?;
        let stop = Arc::new(AtomicBool::new(false));
        let until = Arc::clone(&stop);
        let thread = thread::spawn(move || eyes.watch(&until));
        Ok(Self { stop, thread: Some(thread) })
    }

    /// Ends the watch. A violation is an error, and so is that one of `tags` was not seen, or not seen coming: then the
    /// looks were too far apart to say anything.
    pub(super) fn finish(mut self, tags: &[&str]) -> Result<Report> {
        self.stop.store(true, Ordering::Relaxed);
        let thread = self.thread.take().context("the watch was ended before")?;
        let report = thread.join().map_err(|_panic| anyhow!("the watcher panicked"))??;
        ensure!(report.violations.is_empty(), "{:#?}", report.violations);
        for tag in tags {
            let seen = |name: &str| report.first.get(name).with_context(|| format!("`{name}` was not seen"));
            seen(&format!("page {tag}"))?;
            let digest = report.digests.get(*tag).with_context(|| format!("`{tag}` had no digest"))?;
            let attested = seen(&stored(digest, "att"))?;
            ensure!(attested < seen(tag)?, "`{tag}` was seen attested and public in one look: {report:?}");
        }
        Ok(report)
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

impl Eyes {
    fn watch(mut self, stop: &AtomicBool) -> Result<Report> {
        let mut last = Instant::now();
        while !stop.load(Ordering::Relaxed) {
            let began = Instant::now();
            self.report.longest_gap = self.report.longest_gap.max(began - last);
            last = began;
            self.look()?;
            self.report.looks += 1;
            thread::sleep(PERIOD.saturating_sub(began.elapsed()));
        }
        // Once more, so that what came just before the end is judged.
        self.look()?;
        Ok(self.report)
    }

    /// The order of the questions matters: what is asked first is older, so that nothing which became public in between is
    /// held against a list from before.
    fn look(&mut self) -> Result<()> {
        let pages = self.pages()?;
        let latest_before = self.latest()?;
        let tags = self.tags()?;
        let now = Instant::now();
        for page in pages {
            if !tags.contains(&page) {
                self.violation(format!("the page of `{page}` is there before its image"));
            }
            self.report.first.entry(format!("page {page}")).or_insert(now);
        }
        for tag in &tags {
            self.report.first.entry(tag.clone()).or_insert(now);
        }
        for tag in tags.iter().filter(|tag| tag.starts_with('v')) {
            if self.report.digests.contains_key(tag) {
                continue;
            }
            if let Some(digest) = self.digest(tag)? {
                self.judge(tag, &digest, &tags);
                self.report.digests.insert(tag.clone(), digest);
            }
        }
        // It moves: only a digest that it had before and after the list is one that it had then.
        if let Some(digest) = latest_before
            && self.latest()?.as_ref() == Some(&digest)
        {
            self.judge("latest", &digest, &tags);
        }
        Ok(())
    }

    fn judge(&mut self, tag: &str, digest: &str, tags: &BTreeSet<String>) {
        for kind in ["sig", "att"] {
            let wanted = stored(digest, kind);
            if !tags.contains(&wanted) {
                self.violation(format!("`{tag}` names `{digest}`, and there is no `{wanted}`"));
            }
        }
    }

    fn violation(&mut self, text: String) {
        self.report.violations.insert(text);
    }

    fn latest(&mut self) -> Result<Option<String>> {
        if self.report.first.contains_key("latest") { self.digest("latest") } else { Ok(None) }
    }

    fn pages(&self) -> Result<Vec<String>> {
        #[derive(Deserialize)]
        struct Page {
            tag_name: String,
        }
        let path = format!("/api/v1/repos/{}/releases?limit=50", self.name);
        let pages: Vec<Page> = self.server.ask("GET", &path, &[])?.json()?;
        Ok(pages.into_iter().map(|page| page.tag_name).collect())
    }

    fn tags(&mut self) -> Result<BTreeSet<String>> {
        #[derive(Deserialize)]
        struct Tags {
            tags: Option<BTreeSet<String>>,
        }
        let answer = self.registry("GET", "tags/list?n=100", &[])?;
        if answer.status == 404 {
            return Ok(BTreeSet::new());
        }
        Ok(answer.json::<Tags>()?.tags.unwrap_or_default())
    }

    fn digest(&mut self, tag: &str) -> Result<Option<String>> {
        let answer = self.registry("HEAD", &format!("manifests/{tag}"), &[ACCEPT])?;
        Ok(answer.header("Docker-Content-Digest").filter(|_| answer.status == 200).map(str::to_owned))
    }

    fn registry(&mut self, method: &str, rest: &str, headers: &[&str]) -> Result<super::http::Answer> {
        let path = format!("/v2/{}/{rest}", self.name);
        let ask = |token: &str| {
            let authorization = format!("Authorization: Bearer {token}");
            self.server.ask(method, &path, &[headers, &[&authorization]].concat())
        };
        let answer = ask(&self.token)?;
        if answer.status != 401 {
            return Ok(answer);
        }
        let token = self.new_token()?;
        let answer = ask(&token)?;
        self.token = token;
        Ok(answer)
    }

    /// What anyone gets who asks.
    fn new_token(&self) -> Result<String> {
        #[derive(Deserialize)]
        struct Token {
            token: String,
        }
        let path = format!("/v2/token?service=container_registry&scope=repository:{}:pull", self.name);
        Ok(self.server.ask("GET", &path, &[])?.json::<Token>()?.token)
    }
}

/// The tag that cosign keeps what it signs under.
fn stored(digest: &str, kind: &str) -> String {
    format!("{}.{kind}", digest.replace(':', "-"))
}

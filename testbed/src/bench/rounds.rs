//! The rounds: which contestant releases which tag, and when.

use std::net::ToSocketAddrs as _;
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use xtask::process::Runner;
use xtask::process::environment::Environment;
use xtask::process::temp_dir::TempDir;

use super::contestant::{Arena, Contestant};
use super::figures::Random;
use super::key::Key;
use super::report::{Run, Runs};
use super::steps;
use crate::forge_client::Client;
use crate::progress::Progress;
use crate::proxy::Proxy;

/// The contestants, ready to release.
pub(super) struct Bench {
    pub(super) runner: Runner,
    pub(super) progress: Progress,
    proxy: Proxy,
    pub(super) ours: Contestant,
    script: Contestant,
    /// The script with a build that does not use the cache, like the build of a release.
    uncached: Contestant,
    /// `xtask` with a repository of its own, for many releases.
    pub(super) many: Contestant,
    pub(super) scratch: TempDir,
    pub(super) random: Random,
    tags: u16,
}

impl Bench {
    /// Makes the contestants' repositories, and starts the proxy in front of the forge.
    pub(super) fn set_up(
        environment: &Environment,
        client: &Client,
        xtask: &Path,
        seed: u64,
    ) -> Result<Self> {
        let progress = Progress::start();
        let scratch = TempDir::new()?;
        let (url, host) = (client.url(), client.registry());
        if !url.starts_with("http://") {
            bail!("`{url}` is not `http://host:port`: requests can only be counted without TLS");
        }
        let mut found =
            host.to_socket_addrs().with_context(|| format!("looking for the forge at `{host}`"))?;
        let upstream = found.next().with_context(|| format!("`{host}` has no address"))?;
        let proxy = Proxy::start(upstream)?;
        let key = Key::make(environment, scratch.path())?;
        let user = client.new_user("bench")?;
        let address = proxy.address().to_string();
        let (user, key, proxy_address, scratch_path) = (&user, &key, &*address, scratch.path());
        let arena = Arena { environment, client, user, proxy: proxy_address, key, scratch: scratch_path };
        let (ours, script) = (arena.ours("ours", xtask)?, arena.script("script", "")?);
        let uncached = arena.script("uncached", "--no-cache")?;
        let many = arena.ours("many", xtask)?;
        progress.line("bench", &format!("order by seed {seed}"));
        let (runner, random) = (Runner::new(environment), Random::new(seed));
        Ok(Self { runner, progress, proxy, ours, script, uncached, many, scratch, random, tags: 0 })
    }

    /// One release by each contestant, which is not counted. Afterwards the registry has the base image, and the
    /// builder has its layers.
    pub(super) fn warm_up(&mut self) -> Result<()> {
        let tag = self.next_tag()?;
        self.measure("ours", &tag, false)?;
        self.measure("script", &tag, false)?;
        self.measure("uncached", &tag, false).map(|_| ())
    }

    /// Each round has one tag, which all contestants release. `again` is `xtask` on the tag that it has already
    /// released, and `uncached` is the script without the cache; a cold round has neither.
    pub(super) fn rounds(&mut self, rounds: u16, cold: bool) -> Result<Runs> {
        let mut runs = Runs::default();
        let orders = self.random.halves(rounds.into());
        let at_once = self.random.halves(rounds.into());
        for (ours_first, at_once) in orders.into_iter().zip(at_once) {
            let tag = self.next_tag()?;
            let mut order = if ours_first { vec!["ours", "script"] } else { vec!["script", "ours"] };
            if !cold {
                order.insert(if ours_first && at_once { 1 } else { 2 }, "again");
                order.push("uncached");
            }
            for who in order {
                let run = self.measure(who, &tag, cold)?;
                match who {
                    "ours" => runs.ours.push(run),
                    "script" => runs.script.push(run),
                    "uncached" => runs.uncached.push(run),
                    _ => runs.again.push(run),
                }
            }
        }
        Ok(runs)
    }

    /// Removes the contestants' images from the engine.
    pub(super) fn clean_up(&self) -> Result<()> {
        self.ours.remove_images(&self.runner)?;
        self.script.remove_images(&self.runner)?;
        self.uncached.remove_images(&self.runner)
    }

    /// The tag that was released last.
    pub(super) fn last_tag(&self) -> String {
        format!("v0.{}.0", self.tags)
    }

    fn next_tag(&mut self) -> Result<String> {
        self.tags += 1;
        let tag = self.last_tag();
        self.ours.tag(&self.runner, &tag)?;
        self.script.tag(&self.runner, &tag)?;
        self.uncached.tag(&self.runner, &tag)?;
        Ok(tag)
    }

    fn measure(&self, who: &str, tag: &str, cold: bool) -> Result<Run> {
        let contestant = match who {
            "script" => &self.script,
            "uncached" => &self.uncached,
            _ => &self.ours,
        };
        if cold {
            // The other contestants' images too: all share the base image's layers.
            self.clean_up()?;
            contestant.empty_cache(&self.runner)?;
        }
        drop(self.proxy.take());
        let released = contestant.release(&self.runner, tag, self.scratch.path());
        let (usage, said) = released.with_context(|| format!("releasing {tag} with {who}"))?;
        let traffic = self.proxy.take();
        let kind = if cold { "cold" } else { "warm" };
        self.progress.line("bench", &format!("{tag} {kind} {who}: {:.2} s", usage.wall));
        let steps = match who {
            "script" | "uncached" => steps::of_script(&said),
            _ => steps::of_xtask(&said),
        };
        Ok(Run { usage, traffic, steps })
    }
}

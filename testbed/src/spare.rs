//! A registry and a builder for a single test, besides those that all tests share: the same programs with the same
//! settings. Each may be killed and restarted. It may have a small file system that belongs to its process and is
//! gone with it.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;
use xshell::cmd;
use xtask::process::environment::Environment;
use xtask::process::temp_dir::TempDir;

use crate::context::Context;
use crate::files::private_dir;
use crate::parts::buildkit::Buildkit;
use crate::parts::docker::Docker;
use crate::parts::registry::Registry;
use crate::parts::{Found, Part};
use crate::process::{Service, poll};
use crate::provision::text;
use crate::services::registry::Deletes;
use crate::services::{buildkit, registry};

/// Each starts in less than a second on an idle machine.
const TIMEOUT: Duration = Duration::from_secs(60);

/// How long one takes to end after SIGTERM, with room to spare.
const ENDING: Duration = Duration::from_secs(5);

/// Mounts a file system of size `$1` on `$2`, then becomes the program that follows.
const MOUNT: &str = "mount -t tmpfs -o size=\"$1\" tmpfs \"$2\" && shift 2 && exec \"$@\"";

/// A running program with its own directory. It ends when the value is dropped.
pub struct Spare {
    cx: Context,
    service: Service,
    /// Its address: `127.0.0.1:port`, or `unix://…`.
    address: String,
    is_ready: Box<dyn Fn() -> Result<bool> + Send + Sync>,
    pid: Pid,
    /// Whether it has its own file system.
    is_small: bool,
    scratch: TempDir,
}

impl Spare {
    /// A registry. `size` (`16m`) limits its storage; without it, this machine's disk does.
    ///
    /// # Errors
    /// When it does not start.
    pub fn registry(environment: &Environment, size: Option<&str>) -> Result<Self> {
        Self::registry_with(environment, size, Deletes::Allowed)
    }

    /// A registry that refuses to delete anything, as distribution does by default.
    ///
    /// # Errors
    /// When it does not start.
    pub fn registry_that_keeps_all(environment: &Environment) -> Result<Self> {
        Self::registry_with(environment, None, Deletes::Refused)
    }

    fn registry_with(environment: &Environment, size: Option<&str>, deletes: Deletes) -> Result<Self> {
        let (cx, scratch) = (Context::new(environment)?, TempDir::new()?);
        let found = found(&cx, &Registry)?;
        // Bound and released. If the port is taken meanwhile, the start fails.
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|listener| listener.local_addr());
        let address = free.context("looking for a free loopback port")?;
        let (disk, own) = (scratch.path().join("disk"), text(scratch.path())?.to_owned());
        let configuration = registry::configuration(text(&disk)?, address, &own, deletes);
        let is_ready = move || registry::is_ready_at(address, &own);
        let service = service(registry::NAME, found.program, &["serve"], &scratch, cx.host.path());
        Self::start(cx, service, address.to_string(), &configuration, size, Box::new(is_ready), scratch)
    }

    /// A builder whose files must all fit into `size`.
    ///
    /// # Errors
    /// When it does not start, or the testbed only has one that runs elsewhere.
    pub fn builder(environment: &Environment, size: &str) -> Result<Self> {
        let (cx, scratch) = (Context::new(environment)?, TempDir::new()?);
        let found = found(&cx, &Buildkit)?;
        let shared = environment.get("TESTBED_REGISTRY")?.context("`TESTBED_REGISTRY` is not set")?;
        let shared = shared.parse().with_context(|| format!("`{shared}` is no address"))?;
        let path = buildkit::path(&cx, &self::found(&cx, &Docker)?)?;
        let (disk, socket) = (scratch.path().join("disk"), scratch.path().join("buildkit.sock"));
        let address = format!("unix://{}", text(&socket)?);
        let traces = scratch.path().join("traces.sock");
        let configuration = buildkit::configuration(text(&disk)?, &address, text(&traces)?, shared);
        let is_ready = move || Ok(UnixStream::connect(&socket).is_ok());
        let service = service(buildkit::NAME, found.program, &["--config"], &scratch, path);
        Self::start(cx, service, address, &configuration, Some(size), Box::new(is_ready), scratch)
    }

    fn start(
        cx: Context,
        mut service: Service,
        address: String,
        configuration: &str,
        size: Option<&str>,
        is_ready: Box<dyn Fn() -> Result<bool> + Send + Sync>,
        scratch: TempDir,
    ) -> Result<Self> {
        private_dir(&scratch.path().join("disk"))?;
        fs::write(&service.marker, configuration)
            .with_context(|| format!("writing `{}`", service.marker.display()))?;
        if let Some(size) = size {
            let disk = scratch.path().join("disk");
            let user = if cx.host.is_root { &[][..] } else { &["--user", "--map-root-user"] };
            let mount = ["--mount", "sh", "-c", MOUNT, "sh", size, text(&disk)?, text(&service.program)?];
            let words = user.iter().copied().chain(mount).map(OsString::from);
            service.arguments = words.chain(service.arguments).collect();
            service.program = cx.required("unshare")?;
        }
        let pid = id(service.start(&cx.runner)?)?;
        let spare = Self { cx, service, address, is_ready, pid, is_small: size.is_some(), scratch };
        spare.wait()?;
        Ok(spare)
    }

    /// Its address: `127.0.0.1:port`, or `unix://…`.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Its process, which may be killed.
    #[must_use]
    pub fn pid(&self) -> Pid {
        self.pid
    }

    /// Restarts it on its old files after it was killed.
    ///
    /// # Errors
    /// When it has its own file system, which is gone with its process, or when it does not start.
    pub fn start_again(&mut self) -> Result<()> {
        ensure!(!self.is_small, "the file system of {} is gone with its process", self.service.name);
        ensure!(poll(ENDING, || is_over(self.pid))?, "{} still runs", self.service.name);
        self.pid = id(self.service.start(&self.cx.runner)?)?;
        self.wait()
    }

    /// Restarts a [`Spare::registry_that_keeps_all`] as one that accepts delete requests.
    ///
    /// # Errors
    /// When it does not start.
    pub fn allow_deletes(&mut self) -> Result<()> {
        let address = self.address.parse().with_context(|| format!("`{}` is no address", self.address))?;
        let (disk, own) = (self.scratch.path().join("disk"), text(self.scratch.path())?);
        let configuration = registry::configuration(text(&disk)?, address, own, Deletes::Allowed);
        fs::write(&self.service.marker, configuration)
            .with_context(|| format!("writing `{}`", self.service.marker.display()))?;
        kill(self.pid, Signal::SIGTERM).context("sending SIGTERM")?;
        self.start_again()
    }

    /// Resizes its file system to `size`, as when somebody has made room.
    ///
    /// # Errors
    /// When it does not have its own file system.
    pub fn grow(&self, size: &str) -> Result<()> {
        ensure!(self.is_small, "{} has no file system of its own", self.service.name);
        let shell = self.cx.runner.shell()?;
        let user = if self.cx.host.is_root { &[][..] } else { &["--user", "--preserve-credentials"] };
        let (pid, disk) = (self.pid.to_string(), self.scratch.path().join("disk"));
        let remount = ["mount", "-o", &format!("remount,size={size}"), text(&disk)?];
        self.cx.runner.call(cmd!(shell, "nsenter --target {pid} {user...} --mount {remount...}")).run()
    }

    fn wait(&self) -> Result<()> {
        let pid = u32::try_from(self.pid.as_raw()).context("a process id below 0")?;
        self.service.wait(pid, TIMEOUT, || (self.is_ready)())
    }

    fn end(&self) -> Result<()> {
        // It first gets time to end its own processes, and is killed after that.
        kill(self.pid, Signal::SIGTERM).context("sending SIGTERM")?;
        if !poll(ENDING, || is_over(self.pid))? {
            kill(self.pid, Signal::SIGKILL).context("sending SIGKILL")?;
            waitpid(self.pid, None).context("waiting for its end")?;
        }
        Ok(())
    }
}

impl Drop for Spare {
    fn drop(&mut self) {
        if let Err(error) = self.end() {
            eprintln!("testbed: ending {} (process {}): {error:#}", self.service.name, self.pid);
        }
    }
}

/// Whether a child has ended. If it has, this call also removes it from the process table.
fn is_over(pid: Pid) -> Result<bool> {
    let status = waitpid(pid, Some(WaitPidFlag::WNOHANG)).context("checking whether it has ended")?;
    Ok(status != WaitStatus::StillAlive)
}

fn id(pid: u32) -> Result<Pid> {
    Ok(Pid::from_raw(i32::try_from(pid).context("a process id beyond 2^31")?))
}

fn found(cx: &Context, part: &dyn Part) -> Result<Found> {
    let name = part.name();
    part.find(cx)?
        .with_context(|| format!("the testbed has no {name} of its own, so it cannot start a second one"))
}

/// The service that runs `program` with `words` and its configuration.
fn service(name: &'static str, program: PathBuf, words: &[&str], scratch: &TempDir, path: String) -> Service {
    let marker = scratch.path().join("configuration");
    let words = words.iter().map(OsString::from);
    Service {
        name,
        program,
        arguments: words.chain([marker.clone().into()]).collect(),
        marker,
        environment: BTreeMap::from([("PATH", OsString::from(path))]),
        log: scratch.path().join("log"),
    }
}

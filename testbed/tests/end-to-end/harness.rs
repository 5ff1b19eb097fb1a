//! What every test needs: the lock that decides which tests run side by side, the marker that a test ran, the
//! testbed's exports, and the programs of this machine.

pub(crate) mod builder;
pub(crate) mod checkout;
pub(crate) mod engine;
pub(crate) mod image;
pub(crate) mod path;
pub(crate) mod processes;
pub(crate) mod run;
pub(crate) mod shared;
pub(crate) mod small_tmp;
pub(crate) mod uncached;

use std::any::type_name;
use std::fs;
use std::io::{self, Write as _};
use std::path::Path;
use std::sync::{PoisonError, RwLock};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use xshell::cmd;
use xtask::process::environment::Environment;
use xtask::process::{Call, Runner};

/// The polling interval for something that another process is about to do.
const INTERVAL: Duration = Duration::from_millis(2);

/// Longer than anything that a test waits for on a loaded machine.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(120);

/// Tests that may run side by side hold this lock shared; the others hold it exclusively. A test that waits for the
/// exclusive lock keeps later tests from starting, so both kinds get their turn. No test takes the lock twice.
static MACHINE: RwLock<()> = RwLock::new(());

/// Runs the body of a test, in this process. Other tests may run beside it.
pub(crate) fn test<T: FnOnce() -> Result<()>>(body: T) -> Result<()> {
    let _shared = MACHINE.read().unwrap_or_else(PoisonError::into_inner);
    marked(body)
}

/// Like [`test`], but no other test runs meanwhile. It is for tests that kill a program that all tests use, remove
/// something that other tests rely on, or would mistake what other tests make for their own.
pub(crate) fn alone<T: FnOnce() -> Result<()>>(body: T) -> Result<()> {
    let _alone = MACHINE.write().unwrap_or_else(PoisonError::into_inner);
    marked(body)
}

/// Runs `body`. If it passes, writes a marker file for `cargo xtask ci` with the number of seconds that it took. The
/// file is named after the test function that contains `body`. A test that does not call this leaves no file, so `ci`
/// fails. A failure is printed at once: libtest prints it only at the end, which an interrupted run does not reach.
fn marked<T: FnOnce() -> Result<()>>(body: T) -> Result<()> {
    export("TESTBED_REGISTRY")?;
    // `end_to_end::rehearsal::name::{{closure}}`; libtest leaves the crate out.
    let name = type_name::<T>().trim_end_matches("::{{closure}}");
    let name = name.split_once("::").map_or(name, |(_crate, name)| name);
    let started = Instant::now();
    if let Err(error) = body() {
        // Bypasses libtest, which captures the output.
        writeln!(io::stderr(), "\n{name} failed: {error:#}")?;
        return Err(error);
    }
    if let Some(dir) = environment().get("E2E_RAN")? {
        let marker = Path::new(dir).join(name);
        fs::write(&marker, format!("{:.1}\n", started.elapsed().as_secs_f64()))
            .with_context(|| format!("writing `{}`", marker.display()))?;
    }
    Ok(())
}

/// The environment of the tests.
pub(crate) fn environment() -> Environment {
    Environment::from_process()
}

/// One of the testbed's exports. Without them a test fails, so that it never passes because there was nothing to test
/// with.
pub(crate) fn export(name: &str) -> Result<String> {
    let value = environment().get(name)?.map(str::to_owned);
    value.with_context(|| {
        format!("`{name}` is not set; run `cargo xtask ci`, or `cargo testbed up` and `eval \"$(cargo testbed env)\"`")
    })
}

/// A call of `program` with the environment of the tools.
pub(crate) fn call(program: impl AsRef<Path>, arguments: &[&str]) -> Result<Call> {
    let runner = Runner::new(&environment());
    let sh = runner.shell()?;
    let program = program.as_ref();
    let call = runner.call(cmd!(sh, "{program} {arguments...}")).timeout(TIMEOUT);
    match environment().get("DOCKER_CONFIG")? {
        Some(config) => Ok(call.env("DOCKER_CONFIG", config)),
        None => Ok(call),
    }
}

/// The output of `program`.
pub(crate) fn read(program: impl AsRef<Path>, arguments: &[&str]) -> Result<String> {
    call(program, arguments)?.read()
}

/// Calls `ask` until it returns an answer. `what` says in the error what was waited for.
pub(crate) fn wait_for<T>(what: &str, mut ask: impl FnMut() -> Result<Option<T>>) -> Result<T> {
    let deadline = Instant::now() + TIMEOUT;
    loop {
        if let Some(answer) = ask()? {
            return Ok(answer);
        }
        if Instant::now() > deadline {
            bail!("waited {} s for {what}", TIMEOUT.as_secs());
        }
        thread::sleep(INTERVAL);
    }
}

//! One rehearsal of the commit under test that several tests look at. libtest has no teardown, so its clone stays
//! below the target directory, and the next run replaces it.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use anyhow::{Context as _, Result, anyhow};
use nix::fcntl::{Flock, FlockArg};

use super::checkout::Checkout;
use super::run::{Finished, Xtask};

/// What remains of the rehearsal.
pub(crate) struct Shared {
    pub(crate) checkout: Checkout,
    pub(crate) run: Finished,
    /// Held until the process ends, so that a second run of the tests waits for the clone.
    _lock: Flock<File>,
}

/// The rehearsal. The first test that needs it makes it.
pub(crate) fn rehearsal() -> Result<&'static Shared> {
    static SHARED: OnceLock<Result<Shared, String>> = OnceLock::new();
    let made = SHARED.get_or_init(|| make().map_err(|error| format!("{error:#}")));
    made.as_ref().map_err(|error| anyhow!("the rehearsal that this test looks at: {error}"))
}

/// The empty directory `name` below the target directory, and the lock that reserves it for this process.
pub(crate) fn lasting_directory(name: &str) -> Result<(PathBuf, Flock<File>)> {
    let parent = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let lock = File::create(parent.with_extension("lock")).context("making the lock of the shared clone")?;
    let lock = Flock::lock(lock, FlockArg::LockExclusive).map_err(|(_file, error)| error);
    let lock = lock.context("locking the shared clone")?;
    if parent.exists() {
        fs::remove_dir_all(&parent).with_context(|| format!("removing `{}`", parent.display()))?;
    }
    fs::create_dir(&parent).with_context(|| format!("making `{}`", parent.display()))?;
    Ok((parent, lock))
}

fn make() -> Result<Shared> {
    let (parent, lock) = lasting_directory("end-to-end")?;
    let checkout = Checkout::within(&parent)?;
    let run = Xtask::new(&checkout, &["rehearse"]).run()?.success()?;
    Ok(Shared { checkout, run, _lock: lock })
}

//! Only one process at a time changes the state directory. The kernel drops the file lock when its holder ends.

use std::fs::File;
use std::io::{Read as _, Seek as _, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result};
use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};
use xtask::process::interrupt;

use crate::files::private_dir;
use crate::layout::Layout;
use crate::progress::Progress;

/// How often a waiting process tries again. A wait in the kernel would not react to Ctrl-C.
const INTERVAL: Duration = Duration::from_millis(100);

/// The right to change the state directory, until it is dropped.
#[must_use = "the lock is held for as long as this value lives"]
pub(crate) struct Lock {
    _file: Flock<File>,
}

/// Waits for the lock, and says which process holds it.
pub(crate) fn acquire(layout: &Layout, progress: &Progress) -> Result<Lock> {
    let mut reported = false;
    loop {
        private_dir(layout.root())?;
        let path = layout.lock();
        let file = File::options().create(true).truncate(false).read(true).write(true).open(&path);
        let file = file.with_context(|| format!("opening the lock `{}`", path.display()))?;
        match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            // `down --purge` removes the file while it holds the lock. A lock on a removed file excludes nobody.
            Ok(held) if is_at(&held, &path)? => {
                sign(&held).with_context(|| format!("writing the lock `{}`", path.display()))?;
                return Ok(Lock { _file: held });
            }
            Ok(_) => {}
            Err((mut file, Errno::EWOULDBLOCK)) => {
                if !reported {
                    let mut holder = String::new();
                    file.read_to_string(&mut holder).context("reading who holds the lock")?;
                    progress.line("testbed", &format!("waiting for process {} to finish", holder.trim()));
                    reported = true;
                }
                interrupt::check()?;
                thread::sleep(INTERVAL);
            }
            Err((_, error)) => {
                return Err(error).with_context(|| format!("locking `{}`", path.display()));
            }
        }
    }
}

fn is_at(file: &File, path: &Path) -> Result<bool> {
    let held = file.metadata().context("reading the lock's metadata")?;
    match std::fs::metadata(path) {
        Ok(found) => Ok(found.ino() == held.ino() && found.dev() == held.dev()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error).with_context(|| format!("reading `{}`", path.display())),
    }
}

fn sign(mut file: &File) -> std::io::Result<()> {
    file.set_len(0)?;
    file.rewind()?;
    writeln!(file, "{}", std::process::id())
}

#[cfg(test)]
mod tests {
    use super::acquire;
    use crate::layout::Layout;
    use crate::progress::Progress;
    use std::sync::mpsc;
    use std::thread;
    use std::time::Duration;
    use xtask::process::environment::Environment;
    use xtask::process::temp_dir::TempDir;

    #[test]
    fn the_second_holder_waits_until_the_first_drops_the_lock() {
        let scratch = TempDir::new().unwrap();
        let dir = scratch.path().join("t");
        let environment = Environment::from_pairs([("TESTBED_DIR", dir.as_os_str())]);
        let layout = Layout::from_environment(&environment).unwrap();
        let first = acquire(&layout, &Progress::start()).unwrap();
        let (sender, got) = mpsc::channel();
        let other = layout.clone();
        let second = thread::spawn(move || {
            let held = acquire(&other, &Progress::start()).unwrap();
            sender.send(()).unwrap();
            drop(held);
        });
        assert!(got.recv_timeout(Duration::from_millis(300)).is_err(), "two processes hold the lock");
        drop(first);
        got.recv_timeout(Duration::from_secs(5)).unwrap();
        second.join().unwrap();
    }
}

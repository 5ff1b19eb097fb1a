//! Unmounts what a killed docker engine left mounted below the state directory.

use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::OsStringExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use xshell::cmd;
use xtask::process::Runner;

/// Unmounts everything below `dir`, the latest mount first.
pub(crate) fn unmount_below(dir: &Path, runner: &Runner) -> Result<()> {
    let table = fs::read_to_string("/proc/self/mountinfo").context("reading `/proc/self/mountinfo`")?;
    let shell = runner.shell()?;
    for point in points_below(&table, dir).into_iter().rev() {
        runner.call(cmd!(shell, "umount --lazy {point}")).run()?;
    }
    Ok(())
}

/// The mount points below `dir`, in the order in which they were mounted.
fn points_below(table: &str, dir: &Path) -> Vec<PathBuf> {
    let points = table.lines().filter_map(|line| line.split(' ').nth(4)).map(unescape);
    points.filter(|point| point.starts_with(dir)).collect()
}

/// The kernel writes space, tab, newline and backslash as three octal digits.
fn unescape(field: &str) -> PathBuf {
    let mut bytes = Vec::new();
    let mut rest = field.as_bytes();
    while let [first, tail @ ..] = rest {
        let digits = tail.get(..3).filter(|_| *first == b'\\');
        let code = digits.and_then(octal);
        bytes.push(code.unwrap_or(*first));
        rest = if code.is_some() { &tail[3..] } else { tail };
    }
    PathBuf::from(OsString::from_vec(bytes))
}

fn octal(digits: &[u8]) -> Option<u8> {
    digits.iter().try_fold(0_u8, |value, digit| {
        let digit = matches!(digit, b'0'..=b'7').then(|| digit - b'0')?;
        value.checked_mul(8)?.checked_add(digit)
    })
}

#[cfg(test)]
mod tests {
    use super::points_below;
    use std::path::Path;

    #[test]
    fn only_mounts_below_the_directory_are_found() {
        let table = "22 1 0:21 / /t rw - ext4 /dev/a rw\n\
                     23 22 0:22 / /t/run/a\\040b rw shared:1 - overlay overlay rw\n\
                     24 22 0:23 / /tt/run rw - proc proc rw\n";
        assert_eq!(points_below(table, Path::new("/t/run")), [Path::new("/t/run/a b")]);
    }
}

//! The id of a commit, and its time.

use anyhow::{Context as _, Result, bail, ensure};

use crate::process::time::LATEST;

/// A full commit id: 40 hexadecimal digits, or 64 in a SHA-256 repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Commit(String);

impl Commit {
    /// Parses a full commit id.
    ///
    /// # Errors
    /// When it is not one.
    pub fn parse(text: &str) -> Result<Self> {
        ensure!(matches!(text.len(), 40 | 64) && is_hex(text), "`{text}` is not a full commit name");
        Ok(Self(text.to_owned()))
    }

    /// All digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The first twelve digits, as in candidate tags.
    #[must_use]
    pub fn short(&self) -> &str {
        &self.0[..12]
    }
}

/// A loop over a table, because a history has many commits: in unoptimized code it takes a tenth of the time of an iterator.
fn is_hex(text: &str) -> bool {
    static IS_DIGIT: [bool; 256] = {
        let mut table = [false; 256];
        let digits = *b"0123456789abcdef";
        let mut at = 0;
        while at < digits.len() {
            table[digits[at] as usize] = true;
            at += 1;
        }
        table
    };
    let (bytes, mut at) = (text.as_bytes(), 0);
    while at < bytes.len() && IS_DIGIT[bytes[at] as usize] {
        at += 1;
    }
    at == bytes.len()
}

impl std::fmt::Display for Commit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// The committer's time in the bytes of a commit, in seconds since 1970: in the header `committer NAME <ADDRESS> TIME
/// ZONE` (git-fast-import(1), "Date Formats": `raw`).
///
/// # Errors
/// When it has no such time, or one before 1970 or in a year with five digits.
pub(super) fn time(commit: &[u8]) -> Result<u64> {
    let headers = commit.split(|byte| *byte == b'\n').take_while(|line| !line.is_empty());
    let committers: Vec<_> = headers.filter_map(|line| line.strip_prefix(b"committer ")).collect();
    let [committer] = committers[..] else { bail!("it has {} committers: expected one", committers.len()) };
    let committer = String::from_utf8_lossy(committer);
    let time =
        committer.rsplit_once("> ").filter(|(person, _)| person.contains('<')).and_then(|(_, time)| {
            let (seconds, zone) = time.split_once(' ')?;
            let is_plain = is_number(seconds) && zone.strip_prefix(['+', '-']).is_some_and(is_number);
            seconds.parse().ok().filter(|seconds| is_plain && *seconds <= LATEST)
        });
    time.with_context(|| {
        let shown: String = committer.chars().rev().take(40).collect::<Vec<_>>().into_iter().rev().collect();
        format!("its committer ends with `{}`: expected a date from 1970 to 9999", shown.escape_debug())
    })
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::{Commit, time};

    #[test]
    fn the_time_is_that_of_the_committer_and_nothing_in_the_message_counts() {
        let of = |committer: &str| {
            time(format!("tree t\nauthor A <a> 5 +0000\n{committer}\n\ncommitter X <x> 7 +0000\n").as_bytes())
        };
        assert_eq!(of("committer B <b@c> 1700000000 +0200").unwrap(), 1_700_000_000);
        assert_eq!(of("committer B <b> <c> 0 -0100\nencoding latin1").unwrap(), 0);
        assert_eq!(of("committer 7 <b> 253402300799 +0000").unwrap(), 253_402_300_799);
        assert_eq!(of("committer B <b> 5 +051800").unwrap(), 5, "such zones are in old histories");
        for wrong in [
            "",
            "x",
            "committer B <b>",
            "committer B <b> -1 +0000",
            "committer B <b> +1 +0000",
            "committer B <b> 1",
            "committer B <b> 1 0000",
            "committer 1 +0000",
            "committer B b> 1 +0000",
            "committer B <b> 253402300800 +0000",
            "committer B <b> 1 +0000\ncommitter B <b> 2 +0000",
        ] {
            assert!(of(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn commits_are_full_lower_case_names() {
        assert!(Commit::parse(&"a".repeat(40)).is_ok() && Commit::parse(&"0".repeat(64)).is_ok());
        for bad in ["", "HEAD", &"a".repeat(39), &"A".repeat(40), &"g".repeat(40)] {
            assert!(Commit::parse(bad).is_err(), "{bad}");
        }
    }
}

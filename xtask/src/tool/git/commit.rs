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

/// Checks eight bytes at a time, because a history has many commits: in unoptimized code, checking each byte by
/// itself takes twice as long, and an iterator twenty times as long.
fn is_hex(text: &str) -> bool {
    let (mut words, rest) = text.as_bytes().as_chunks();
    while let [word, after @ ..] = words {
        if !are_hex(u64::from_le_bytes(*word)) {
            return false;
        }
        words = after;
    }
    rest.is_empty()
}

/// Whether each byte of `word` is one of `0` to `9` and `a` to `f`.
fn are_hex(word: u64) -> bool {
    const EACH: u64 = u64::from_ne_bytes([1; 8]);
    const HIGH: u64 = 0x80 * EACH;
    /// Added to bytes below 128, it sets the high bit of those that are at least `byte`, and none overflows.
    const fn at_least(byte: u8) -> u64 {
        (0x80 - byte as u64) * EACH
    }
    const FROM_0: u64 = at_least(b'0');
    const ABOVE_9: u64 = at_least(b'9' + 1);
    const FROM_A: u64 = at_least(b'a');
    const ABOVE_F: u64 = at_least(b'f' + 1);
    word & HIGH == 0
        && ((word + FROM_0) & !(word + ABOVE_9) | (word + FROM_A) & !(word + ABOVE_F)) & HIGH == HIGH
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
    fn the_time_comes_from_the_committer_header_and_never_from_the_message() {
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
    fn only_a_full_commit_id_in_lower_case_is_accepted() {
        assert!(Commit::parse(&"a".repeat(40)).is_ok() && Commit::parse(&"0".repeat(64)).is_ok());
        for bad in ["", "HEAD", &"a".repeat(39), &"A".repeat(40), &"g".repeat(40)] {
            assert!(Commit::parse(bad).is_err(), "{bad}");
        }
        for length in [40, 64] {
            for (at, c) in (0..length - 1).flat_map(|at| ('\0'..='\u{ff}').map(move |c| (at, c))) {
                let text = format!("{}{c}{}", "a".repeat(at), "f".repeat(length - at - c.len_utf8()));
                let is_commit = "0123456789abcdef".contains(c);
                assert_eq!(Commit::parse(&text).is_ok(), is_commit, "{text:?}");
            }
        }
    }
}

//! The claim about the key that `--key` names.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};

use crate::commands::rehearse;
use crate::evidence::claims;
use crate::inputs::PUBLIC_KEY;
use crate::inputs::keys::PublicKey;

use crate::verify::claim::Claim;

/// The key of the last rehearsal in the checkout at `root`, if there is one.
pub(super) fn rehearsed(root: &Path) -> Result<Option<Vec<u8>>> {
    let file = root.join(rehearse::DIRECTORY).join(PUBLIC_KEY);
    if !file.is_file() {
        return Ok(None);
    }
    fs::read(&file).map(Some).with_context(|| format!("reading `{}`", file.display()))
}

/// Whether the signatures are checked with the throwaway key of a rehearsal, about which the clone knows nothing.
/// Anybody can write into a provenance that it is of a rehearsal, and can commit a key of their own, even at the path
/// of the `rehearsed` one. So the `given` key has to be the rehearsal's, and must not be the commit's.
pub(super) fn is_of_rehearsal(
    given: Option<&[u8]>,
    committed: Option<&[u8]>,
    rehearsed: Option<&[u8]>,
) -> bool {
    let parse = |pem: Option<&[u8]>| pem.and_then(|pem| PublicKey::parse(pem).ok());
    let given = parse(given);
    given.is_some() && given == parse(rehearsed) && given != parse(committed)
}

/// Judges the key. `rehearsed` is the key of the last rehearsal, if the image says that it is of one.
pub(super) fn key_claim(key: &[u8], committed: Option<&[u8]>, rehearsed: Option<&[u8]>) -> Claim {
    Claim::judge(claims::KEY, &Ok(()), |()| judge_key(key, committed, rehearsed))
}

/// Checks that the key is the one that the commit has, or for a rehearsal on this machine, the rehearsal's own.
fn judge_key(key: &[u8], committed: Option<&[u8]>, rehearsed: Option<&[u8]>) -> Result<String> {
    let key = PublicKey::parse(key).context("reading the key")?;
    let used = key.fingerprint();
    let same = |other: &[u8], file: &str| -> Result<bool> {
        Ok(key == PublicKey::parse(other).with_context(|| format!("reading `{file}`"))?)
    };
    if let Some(rehearsed) = rehearsed {
        let file = format!("{}/{PUBLIC_KEY}", rehearse::DIRECTORY);
        ensure!(same(rehearsed, &file)?, "this is a rehearsal, and `{file}` is another key than {used}");
        return Ok(format!("{used}, the same as `{file}`: a rehearsal, and no release"));
    }
    let committed = committed.with_context(|| format!("the commit has no `{PUBLIC_KEY}`"))?;
    ensure!(same(committed, PUBLIC_KEY)?, "`{PUBLIC_KEY}` of the commit is another key than {used}");
    Ok(format!("{used}, the same as `{PUBLIC_KEY}` of the commit"))
}

#[cfg(test)]
mod tests {
    use super::{is_of_rehearsal, judge_key};

    #[test]
    fn the_key_must_be_the_commits_or_for_a_rehearsal_the_rehearsals() {
        let pem = |key: &str| format!("-----BEGIN PUBLIC KEY-----\n{key}\n-----END PUBLIC KEY-----\n");
        let (a, b) = (pem("AAAABBBB"), pem("CCCCDDDD"));
        let judge = |key: &str, committed: Option<&str>, rehearsed: Option<&str>| {
            judge_key(key.as_bytes(), committed.map(str::as_bytes), rehearsed.map(str::as_bytes))
        };
        for same in [a.trim_end().to_owned(), a.replace('\n', "\r\n"), pem("AAAA\nBBBB")] {
            assert!(judge(&a, Some(&same), None).is_ok() && judge(&same, Some(&a), None).is_ok(), "{same:?}");
        }
        assert!(judge(&b, Some(&a), None).is_err() && judge(&b, None, None).is_err());
        assert!(judge("no key", Some("no key"), None).is_err());
        let rehearsed = judge(&b, Some(&a), Some(b.trim_end())).unwrap();
        assert!(rehearsed.contains("a rehearsal"), "{rehearsed}");
        assert!(judge(&a, Some(&a), Some(&b)).is_err(), "the commit's key does not sign rehearsals");
    }

    #[test]
    fn an_image_is_a_rehearsal_only_if_the_given_key_is_the_rehearsals() {
        let pem = |key: &str| format!("-----BEGIN PUBLIC KEY-----\n{key}\n-----END PUBLIC KEY-----\n");
        let (a, b, c) = (pem("AAAABBBB"), pem("CCCCDDDD"), pem("EEEEFFFF"));
        let key = |key: Option<&'static str>| match key {
            Some("a") => Some(a.as_bytes()),
            Some("b") => Some(b.as_bytes()),
            Some("c") => Some(c.as_bytes()),
            odd => odd.map(str::as_bytes),
        };
        for (given, committed, rehearsed, expected) in [
            (Some("b"), Some("a"), Some("b"), true),
            (Some("b"), None, Some("b"), true),
            // The commit's own key is used.
            (None, Some("a"), None, false),
            (None, Some("a"), Some("a"), false),
            (None, Some("a"), Some("b"), false),
            // The commit has a file at the path of the rehearsal's key.
            (Some("a"), Some("a"), Some("a"), false),
            // The given key is not that of the last rehearsal.
            (Some("a"), Some("a"), Some("b"), false),
            (Some("c"), Some("a"), Some("b"), false),
            (Some("c"), Some("a"), None, false),
            (Some("no key"), Some("a"), Some("no key"), false),
        ] {
            let found = is_of_rehearsal(key(given), key(committed), key(rehearsed));
            assert_eq!(found, expected, "{given:?} {committed:?} {rehearsed:?}");
        }
    }
}

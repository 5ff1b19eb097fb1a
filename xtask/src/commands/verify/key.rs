//! The claim about the key that `--key` names.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};

use crate::commands::rehearse;
use crate::evidence::claims;
use crate::inputs::PUBLIC_KEY;
use crate::inputs::keys::PublicKey;

use super::subject::Subject;
use crate::verify::claim::Claim;

/// Judges the key against the checkout at `root`.
pub(super) fn key_claim(root: &Path, key: &[u8], subject: &Subject, is_rehearsal: bool) -> Result<Claim> {
    let file = root.join(rehearse::DIRECTORY).join(PUBLIC_KEY);
    let rehearsed = if is_rehearsal && file.is_file() {
        Some(fs::read(&file).with_context(|| format!("reading `{}`", file.display()))?)
    } else {
        None
    };
    let committed = subject.inputs.public_key.as_deref();
    Ok(Claim::judge(claims::KEY, &Ok(()), |()| judge_key(key, committed, rehearsed.as_deref())))
}

/// Whether the key is the one that is vouched for: by the commit, or, for a rehearsal on this machine, by the rehearsal
/// itself.
fn judge_key(key: &[u8], committed: Option<&[u8]>, rehearsed: Option<&[u8]>) -> Result<String> {
    let key = PublicKey::parse(key).context("reading the key")?;
    let same = |other: &[u8], file: &str| -> Result<bool> {
        Ok(key == PublicKey::parse(other).with_context(|| format!("reading `{file}`"))?)
    };
    if let Some(rehearsed) = rehearsed {
        let file = format!("{}/{PUBLIC_KEY}", rehearse::DIRECTORY);
        ensure!(same(rehearsed, &file)?, "this is a rehearsal, and `{file}` is another key");
        return Ok(format!("the same as `{file}`: a rehearsal, and no release"));
    }
    let committed = committed.with_context(|| format!("the commit has no `{PUBLIC_KEY}`"))?;
    ensure!(same(committed, PUBLIC_KEY)?, "`{PUBLIC_KEY}` of the commit is another key");
    Ok(format!("the same as `{PUBLIC_KEY}` of the commit"))
}

#[cfg(test)]
mod tests {
    use super::judge_key;

    #[test]
    fn a_key_is_the_commits_or_of_a_rehearsal_the_rehearsals() {
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
        assert!(judge(&a, Some(&a), Some(&b)).is_err(), "the commit's key signs no rehearsal");
    }
}

//! The claim about the key that `--key` names.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};

use crate::commands::rehearse;
use crate::evidence::claims;
use crate::inputs::PUBLIC_KEY;

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
    let same = |other: &[u8]| key.trim_ascii_end() == other.trim_ascii_end();
    if let Some(rehearsed) = rehearsed {
        let file = format!("{}/{PUBLIC_KEY}", rehearse::DIRECTORY);
        ensure!(same(rehearsed), "this is a rehearsal, and `{file}` is another key");
        return Ok(format!("the same as `{file}`: a rehearsal, and no release"));
    }
    let committed = committed.with_context(|| format!("the commit has no `{PUBLIC_KEY}`"))?;
    ensure!(same(committed), "`{PUBLIC_KEY}` of the commit is another key");
    Ok(format!("the same as `{PUBLIC_KEY}` of the commit"))
}

#[cfg(test)]
mod tests {
    use super::judge_key;

    #[test]
    fn a_key_is_the_commits_or_of_a_rehearsal_the_rehearsals() {
        assert!(judge_key(b"a\n", Some(b"a"), None).is_ok());
        assert!(judge_key(b"b", Some(b"a"), None).is_err() && judge_key(b"b", None, None).is_err());
        let rehearsed = judge_key(b"b", Some(b"a"), Some(b"b\n")).unwrap();
        assert!(rehearsed.contains("a rehearsal"), "{rehearsed}");
        assert!(judge_key(b"a", Some(b"a"), Some(b"b")).is_err(), "the commit's key signs no rehearsal");
    }
}

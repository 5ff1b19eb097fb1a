//! Checks that the list agrees with the release tags. The old key can still sign a release after `rotate` has chosen
//! the first version of the new key and before the rotation is merged. By the list, the signature of such a release
//! would be wrong for ever. A tag that is set later, at a commit with the old key, looks the same, but `release`
//! refuses it, so it can be removed.

use anyhow::Result;

use super::{Entry, HISTORY, PublicKey, next_version, number_for};
use crate::inputs::PUBLIC_KEY;
use crate::inputs::version::ReleaseTag;
use crate::oci::reference::Digest;
use crate::refuse;
use crate::tool::git::{Commit, Git};

/// How to undo a rotation that is in the work tree or merged.
pub const TAKE_BACK: &str = "take the rotation back (`git revert`, or before it is committed \
    `git stash push --include-untracked -- keys cosign.pub policies`)";

/// A release tag whose commit has a key.
pub struct Released {
    /// The tag.
    pub tag: ReleaseTag,
    /// Its commit.
    pub commit: Commit,
    /// The fingerprint of the key there.
    pub key: Digest,
}

/// Those of `tags` whose commits have a key. In a commit older than the use of this tool, the file is missing or is
/// no key.
///
/// # Errors
/// When git fails.
pub fn released(git: &Git, tags: Vec<ReleaseTag>) -> Result<Vec<Released>> {
    let mut found = Vec::new();
    for tag in tags {
        // A tag of an object other than a commit is no release.
        let Some(commit) = git.peel(&tag.git_ref())? else { continue };
        let files = git.files_of(&[(&commit, PUBLIC_KEY)])?;
        let pem = files.into_iter().find_map(|file| file.ok().flatten());
        if let Some(Ok(key)) = pem.map(|pem| PublicKey::parse(&pem)) {
            found.push(Released { tag, commit, key: key.fingerprint() });
        }
    }
    Ok(found)
}

/// Checks that the last of `entries` begins above every release by an earlier key. The reverse, a release by a later
/// key for which the list names an earlier one, is no error: an older branch has neither the later `from` nor the
/// later `also`. Rotations before the last one are not checked, because they can no longer be corrected.
///
/// # Errors
/// A [`crate::process::failure::Refusal`] that names the first such release.
pub fn check_released(entries: &[&Entry], released: &[Released]) -> Result<()> {
    let number = entries.len();
    let signer =
        |key: &Digest| entries.iter().position(|entry| entry.fingerprint == *key).map(|index| index + 1);
    let mut wrong: Vec<_> = released
        .iter()
        .filter(|Released { tag, .. }| number_for(entries, tag.version()) == Some(number))
        .filter_map(|Released { tag, key, .. }| Some((tag, signer(key).filter(|signer| *signer < number)?)))
        .collect();
    wrong.sort();
    let (Some((first, signer)), Some((last, _)), Some(entry)) = (wrong.first(), wrong.last(), entries.last())
    else {
        return Ok(());
    };
    let remedy = match entry.unendorsed {
        Some(_) => format!("let `from` of key {number} be \"{}\"", next_version(last)?),
        None => format!(
            "the endorsement of key {number} is valid only for this `from`, so {TAKE_BACK}, get all tags with `git fetch --tags`, and \
             run `cargo xtask rotate DIR` again with the same directory"
        ),
    };
    refuse!(
        "`{HISTORY}` names key {number} for {first}, whose commit has key {signer}. If {first} has no page and no image, it was \
         never released: remove the tag with `git tag --delete {first}` and `git push --delete origin {first}`, and tag a commit \
         that has key {number}. If it has, it was released between `rotate` and its merge, and by this list it is false for \
         ever: {remedy}. Add to `also` of key {number} what that key has signed below its new `from`"
    )
}

#[cfg(test)]
mod tests {
    use super::{Commit, Released, check_released};
    use crate::inputs::keys::tests::{PEM, repository};
    use crate::inputs::keys::{Entry, HISTORY, PublicKey, read};

    fn check(entries: &[Entry], tags: &[(&str, usize)]) -> String {
        let fingerprint = |index: usize| match PEM.get(index) {
            Some(pem) => PublicKey::parse(pem.as_bytes()).unwrap().fingerprint(),
            None => format!("sha256:{}", "0".repeat(64)).parse().unwrap(),
        };
        let commit = Commit::parse(&"a".repeat(40)).unwrap();
        let release = |(tag, index): &(&str, usize)| Released {
            tag: tag.parse().unwrap(),
            commit: commit.clone(),
            key: fingerprint(*index),
        };
        let released: Vec<_> = tags.iter().map(release).collect();
        let checked = check_released(&entries.iter().collect::<Vec<_>>(), &released);
        checked.map_or_else(|error| error.to_string(), |()| "ok".to_owned())
    }

    #[test]
    fn the_last_key_begins_above_every_release_by_a_key_before_it() {
        // Key 1 from 0.1.0, key 2 from 1.0.1-0 and 0.9.5, key 3 from 2.0.0, unendorsed.
        let three = read(&repository()[HISTORY]).unwrap();
        let two = &three[..2];
        for (entries, tags, words) in [
            (two, &[][..], "ok"),
            (two, &[("v1.0.0", 0), ("v1.0.1", 1), ("v0.9.5", 1)], "ok"),
            (two, &[("v1.0.1", 0)], "names key 2 for v1.0.1, whose commit has key 1"),
            (two, &[("v1.0.3", 0), ("v1.0.1-rc.1", 0), ("v1.0.4", 1)], "names key 2 for v1.0.1-rc.1,"),
            (two, &[("v1.0.1", 0)], "`cargo xtask rotate DIR` again"),
            (two, &[("v1.0.1", 0)], "`git push --delete origin v1.0.1`"),
            (two, &[("v0.9.5", 0)], "names key 2 for v0.9.5, whose commit has key 1"),
            // From before the history, by a key that nobody listed, or in a branch that does not have the list yet.
            (two, &[("v0.0.9", 0), ("v1.0.1", 3), ("v0.9.6", 1), ("v2.0.0", 2)], "ok"),
            (&three, &[("v2.0.0", 1), ("v2.0.1", 0)], "names key 3 for v2.0.0, whose commit has key 2"),
            (&three, &[("v2.0.0", 1), ("v2.0.1", 0)], "let `from` of key 3 be \"2.0.2-0\""),
            // Key 3 has signed releases since.
            (&three, &[("v1.0.1", 0)], "ok"),
            (&two[..1], &[("v1.0.1", 0), ("v2.0.0", 2)], "ok"),
        ] {
            let found = check(entries, tags);
            assert!(found.contains(words), "{tags:?}: {found}");
        }
    }
}

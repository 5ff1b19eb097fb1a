//! What to do: begin a rotation, or complete one whose list of keys is already written.

use anyhow::{Context as _, Result, ensure};
use semver::Version;

use crate::inputs::keys::{
    Entry, HISTORY, Keys, PublicKey, TAKE_BACK, check_released, next_version, public_file, read, released,
};
use crate::inputs::pin::document;
use crate::inputs::source::release_tags;
use crate::inputs::version::ReleaseTag;
use crate::inputs::{PUBLIC_KEY, in_work_tree, is_placeholder};
use crate::refuse;
use crate::tool::git::Git;

/// What to do in the work tree.
pub(super) enum Plan {
    /// A new rotation: every step.
    Begin {
        /// The number of the new key, 2 or higher.
        number: usize,
        /// The key that signs now.
        present: PublicKey,
        /// The present key's first version, if there is no list yet.
        first: Option<Version>,
        /// The first version of the new key.
        from: Version,
        /// Why the new key is not endorsed, if it is not.
        lost: Option<String>,
    },
    /// The list is written and its last key is the new one; the remaining steps follow from it.
    Complete,
}

impl Plan {
    /// The plan for the work tree and the tags of `git`. `pair` is the key that an earlier run made.
    ///
    /// # Errors
    /// A [`crate::process::failure::Refusal`] when there is nothing to rotate.
    pub(super) fn of(git: &Git, pair: Option<&PublicKey>, lost: Option<&str>) -> Result<Self> {
        let root = git.root();
        let present = in_work_tree(root, PUBLIC_KEY)?;
        let present = present.filter(|pem| !is_placeholder(pem));
        let Some(present) = present else {
            refuse!("there is no key to rotate; make the first one with `cargo xtask keygen DIR`");
        };
        let present = PublicKey::parse(&present).with_context(|| format!("reading `{PUBLIC_KEY}`"))?;
        let listed = in_work_tree(root, HISTORY)?.map(|bytes| read(&bytes)).transpose();
        let listed = listed.with_context(|| format!("reading `{HISTORY}`"))?;
        let last = listed.as_ref().and_then(|entries| entries.last());
        if let (Some(pair), Some(last), Some(entries)) = (pair, last, &listed)
            && last.fingerprint == pair.fingerprint()
            && entries.len() > 1
        {
            check_before(git, entries.len(), &present, pair)?;
            check_lost(last, lost)?;
            check_released(&entries.iter().collect::<Vec<_>>(), &released(git, release_tags(&git.tags()?))?)?;
            return Ok(Self::Complete);
        }
        // A wrong list has to be corrected first: a new key would not repair it.
        let keys = Keys::of_work_tree(root)?;
        if pair.is_some_and(|pair| *pair == present) {
            refuse!("the directory holds the present key; name a new directory for the new key");
        }
        let tags = release_tags(&git.tags()?);
        let Some(highest) = tags.iter().max() else {
            refuse!(
                "there is no release tag here; get them with `git fetch --tags`. If nothing was released with this key, \
                 `git rm {PUBLIC_KEY}` and make another with `cargo xtask keygen DIR`"
            );
        };
        let first = if keys.is_some() { None } else { Some(first_version(git, &tags, &present, pair)?) };
        let from = next_from(highest, last)?;
        let number = keys.map_or(1, |keys| keys.keys.len()) + 1;
        Ok(Self::Begin { number, present, first, from, lost: lost.map(str::to_owned) })
    }
}

/// The first version of the next key: above the `highest` tag and above the first version of the `last` key.
fn next_from(highest: &ReleaseTag, last: Option<&Entry>) -> Result<Version> {
    let from = next_version(highest)?;
    let Some(last) = last.filter(|last| last.from >= from) else { return Ok(from) };
    if last.also.is_empty() {
        refuse!(
            "nothing was released since the last rotation, whose key begins at {}; undo it with `git revert`, and rotate from \
             the key before it, or release first",
            last.from
        );
    }
    // The last key has signed releases only of an older line, and may have to be replaced all the same.
    next_version(&format!("v{}", last.from).parse()?)
}

/// The list already says whether its last key is endorsed. A `--lost` that says something else is refused, not
/// silently ignored.
fn check_lost(last: &Entry, lost: Option<&str>) -> Result<()> {
    let Some(lost) = lost.filter(|lost| last.unendorsed.as_deref() != Some(lost)) else { return Ok(()) };
    let said =
        last.unendorsed.as_ref().map_or("as endorsed".to_owned(), |words| format!("because `{words}`"));
    refuse!(
        "`{HISTORY}` has the new key already, {said}, and `--lost` says `{lost}`; run the same command without `--lost` to keep \
         what is written, or {TAKE_BACK} and run it again as it is"
    )
}

/// `cosign.pub` must already be the new key, or still be the previous one.
fn check_before(git: &Git, number: usize, present: &PublicKey, pair: &PublicKey) -> Result<()> {
    if present == pair {
        return Ok(());
    }
    let file = public_file(number - 1);
    let before = in_work_tree(git.root(), &file)?.with_context(|| format!("there is no `{file}`"))?;
    let before = PublicKey::parse(&before).with_context(|| format!("reading `{file}`"))?;
    ensure!(
        before == *present,
        "`{PUBLIC_KEY}` is neither key {number} of `{HISTORY}` nor the one before it; find out who changed it"
    );
    Ok(())
}

/// The first version that `present` signed, according to the commits of `tags`.
fn first_version(
    git: &Git,
    tags: &[ReleaseTag],
    present: &PublicKey,
    pair: Option<&PublicKey>,
) -> Result<Version> {
    let mut signed = Vec::new();
    for tag in tags {
        let commit = git.peel(&tag.git_ref())?.with_context(|| format!("`{tag}` was there just now"))?;
        let [pem] = git.files(&commit, [PUBLIC_KEY])?;
        // The tag is from before this tool.
        let Some(pem) = pem else { continue };
        let key = PublicKey::parse(&pem).with_context(|| format!("reading `{PUBLIC_KEY}` of {tag}"))?;
        signed.push((tag, key));
    }
    first_signed(&signed, present, pair)
}

/// The first version that `present` signed. Every release here must be signed by it: without a list, nothing says
/// which other keys were valid. Releases signed by the `pair` do not count: its rotation was taken back, and is now
/// repeated.
fn first_signed(
    signed: &[(&ReleaseTag, PublicKey)],
    present: &PublicKey,
    pair: Option<&PublicKey>,
) -> Result<Version> {
    let mut first: Option<&ReleaseTag> = None;
    for (tag, key) in signed.iter().filter(|(_, key)| pair != Some(key)) {
        if key != present {
            refuse!(
                "`{PUBLIC_KEY}` of {tag} is another key, {}, and there is no `{HISTORY}`; write down the keys before the \
                 present one first, as {} says (\"The history\")",
                key.fingerprint(),
                document!("keys.md")
            );
        }
        first = Some(first.map_or(tag, |first| first.min(tag)));
    }
    let Some(first) = first else {
        refuse!(
            "no release tag here has a `{PUBLIC_KEY}`: nothing was released with this key; `git rm {PUBLIC_KEY}` and make another \
             with `cargo xtask keygen DIR`"
        );
    };
    Ok(first.version().clone())
}

#[cfg(test)]
mod tests {
    use super::{Entry, PublicKey, ReleaseTag, check_lost, first_signed, next_from};
    use crate::inputs::keys::tests::PEM;

    fn entry(from: &str, also: &[&str], unendorsed: Option<&str>) -> Entry {
        Entry {
            fingerprint: format!("sha256:{}", "0".repeat(64)).parse().unwrap(),
            from: from.parse().unwrap(),
            also: also.iter().map(|version| version.parse().unwrap()).collect(),
            unendorsed: unendorsed.map(str::to_owned),
            retired: false,
        }
    }

    #[test]
    fn the_next_key_begins_above_every_tag_and_above_the_key_before_it() {
        for (highest, last, expected) in [
            ("v1.2.3", None, Ok("1.2.4-0")),
            ("v1.2.4", Some(entry("1.2.4-0", &[], None)), Ok("1.2.5-0")),
            ("v1.2.3", Some(entry("1.2.4-0", &[], None)), Err("nothing was released since")),
            // The last key has signed a release of an older line, so it is in use, and its rotation stays.
            ("v1.2.3", Some(entry("1.2.4-0", &["1.1.9"], None)), Ok("1.2.4-0.0")),
            ("v1.2.3", Some(entry("1.2.4-0.0", &["1.1.9"], Some("lost"))), Ok("1.2.4-0.0.0")),
            ("v1.2.4", Some(entry("1.2.4-0", &["1.1.9"], None)), Ok("1.2.5-0")),
            ("v1.2.3", Some(entry("2.0.0", &["1.1.9"], None)), Ok("2.0.1-0")),
        ] {
            let found = next_from(&highest.parse().unwrap(), last.as_ref()).map(|from| from.to_string());
            match (found, expected) {
                (Ok(found), Ok(expected)) => assert_eq!(found, expected, "{highest} {last:?}"),
                (Err(found), Err(expected)) => assert!(found.to_string().contains(expected), "{found}"),
                (found, _) => panic!("{highest} {last:?}: {found:?}, expected {expected:?}"),
            }
        }
    }

    #[test]
    fn without_a_list_only_the_present_key_or_an_undone_rotations_pair_may_have_signed() {
        let key = |index: usize| PublicKey::parse(PEM[index].as_bytes()).unwrap();
        for (signed, pair, expected) in [
            (&[("v1.2.4", 0), ("v1.2.3", 0)][..], None, Ok("1.2.3")),
            (&[("v1.2.4", 0), ("v1.2.5", 1)], Some(1), Ok("1.2.4")),
            (&[("v1.2.4", 0), ("v1.2.5", 1)], None, Err("`cosign.pub` of v1.2.5 is another key")),
            (&[("v1.2.4", 0), ("v1.2.5", 1)], Some(2), Err("`cosign.pub` of v1.2.5 is another key")),
            (&[("v1.2.5", 1)], Some(1), Err("nothing was released with this key")),
            (&[], None, Err("nothing was released with this key")),
        ] {
            let tags: Vec<ReleaseTag> = signed.iter().map(|(tag, _)| tag.parse().unwrap()).collect();
            let keys: Vec<_> = tags.iter().zip(signed.iter().map(|(_, index)| key(*index))).collect();
            let found = first_signed(&keys, &key(0), pair.map(key).as_ref());
            let found = found.map(|version| version.to_string()).map_err(|error| error.to_string());
            match expected {
                Ok(expected) => assert_eq!(found.as_deref(), Ok(expected)),
                Err(words) => assert!(found.unwrap_err().contains(words), "{signed:?} {pair:?}"),
            }
        }
    }

    #[test]
    fn a_written_rotation_is_completed_only_without_lost_or_with_the_same_reason() {
        for (written, lost, words) in [
            (None, None, ""),
            (Some("stolen"), None, ""),
            (Some("stolen"), Some("stolen"), ""),
            (None, Some("stolen"), "as endorsed, and `--lost` says `stolen`"),
            (Some("lost"), Some("stolen"), "because `lost`, and `--lost` says `stolen`"),
        ] {
            let found = check_lost(&entry("1.0.0", &[], written), lost);
            let found = found.err().map(|error| error.to_string()).unwrap_or_default();
            assert!(
                found.contains(words) && found.is_empty() == words.is_empty(),
                "{written:?} {lost:?}: {found}"
            );
        }
    }
}

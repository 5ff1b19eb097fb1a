//! What the clone and cosign say about the project's keys: the key that the release's signatures are checked with,
//! the history of keys, and the keys of earlier releases. The history is read at the forge's default branch, not at
//! the released commit, because the person who tags a commit also supplies its `cosign.pub`.

use std::collections::BTreeSet;

use anyhow::{Context as _, Result, ensure};

use crate::evidence::attached::Kind;
use crate::forge::Read;
use crate::inputs::keys::{Endorsement, Keys, PublicKey, Released, released};
use crate::inputs::source::{Source, release_tags};
use crate::inputs::version::ReleaseTag;
use crate::inputs::{PUBLIC_KEY, Reader};
use crate::oci::reference::Digest;
use crate::oci::registry::Client;
use crate::tool::cosign::Cosign;
use crate::tool::git::{Commit, Git};
use crate::verify::Verifier;
use crate::verify::claim::{Observed, Unavailable};

use super::clone::{SharedClone, deciding};
use super::seen;
use super::source::check_current;

/// More version tags than any project has. Every release is compared with all that come before it.
const MAX_TAGS: usize = 5_000;

/// The maximum number of versions that only the registry has: each is one query, and anyone who may push can add one.
const MAX_UNKNOWN: usize = 100;

/// What was found.
#[derive(Clone)]
pub struct ObservedKeys {
    /// The fingerprint of the key that the signatures are checked with.
    pub(in crate::verify) used: Observed<Digest>,
    /// The history.
    pub(in crate::verify) history: Observed<ObservedHistory>,
    /// Whether the history is the forge's current one: a key that was lost may have been replaced since. If the forge
    /// cannot be queried and the history does not name the key: whether it is at least as new as the release.
    pub(in crate::verify) is_new_enough: Observed<()>,
    /// All version tags of the clone.
    pub(in crate::verify) versions: Observed<BTreeSet<ReleaseTag>>,
    /// The tags of lower versions whose commit has a key, except those at the released commit.
    pub(in crate::verify) before: Observed<Vec<Before>>,
}

/// The tag of a lower version. It may never have been released.
#[derive(Clone)]
pub(in crate::verify) struct Before {
    pub(in crate::verify) tag: ReleaseTag,
    /// The fingerprint of the key at its commit.
    pub(in crate::verify) key: Digest,
    /// Whether the released commit descends from it.
    pub(in crate::verify) is_within: bool,
}

/// The history, and what cosign says about it.
#[derive(Clone)]
pub(in crate::verify) struct ObservedHistory {
    /// The commit at which it was read.
    pub(in crate::verify) at: Commit,
    /// The default branch whose head this is, if the clone knows it.
    pub(in crate::verify) branch: Option<String>,
    /// The keys, or why they cannot be read.
    pub(in crate::verify) keys: Result<Keys, String>,
    /// For each endorsement: the number of the endorsed key, and whether cosign accepts it.
    pub(in crate::verify) endorsed: Vec<(usize, Observed<Result<(), String>>)>,
}

/// The sources of the answers about keys.
#[derive(Clone, Copy)]
pub(in crate::verify) struct Sources<'a> {
    /// Reads files of the deciding commit.
    pub(in crate::verify) files: Reader<'a>,
    /// Whether cosign accepts an endorsement.
    pub(in crate::verify) ask: &'a (dyn Fn(&Endorsement<'_>) -> Observed<Result<(), String>> + Sync),
}

/// Looks at the keys of `verifier`'s release in its clone. `forge` is queried only to find out whether the clone is
/// behind; `None` if it must not be queried.
pub fn keys(
    verifier: &Verifier<'_>,
    git: &Git,
    forge: Option<&dyn Read>,
    shared: &SharedClone,
) -> ObservedKeys {
    let source = verifier.release.source;
    let used = used(verifier);
    let history =
        shared.history.get_or_init(|| history_at_head(git, shared, &verifier.anonymous.cosign)).clone();
    let is_named = match (&used, &history) {
        (Ok(used), Ok(ObservedHistory { keys: Ok(keys), .. })) => names(keys, &source.tag, used),
        _ => true,
    };
    let is_new_enough = match &history {
        Ok(history) if !is_named => seen(check_new_enough(git, forge, history, source)),
        Ok(ObservedHistory { at, branch: Some(name), .. }) => {
            let check = || seen(check_current(forge, name, at, "the history of keys"));
            shared.is_current.get_or_init(check).clone()
        }
        _ => Ok(()),
    };
    let versions = shared.versions.get_or_init(|| seen(versions(git))).clone();
    let before = before(git, source, shared, &versions);
    ObservedKeys { used, history, is_new_enough, versions, before }
}

/// The versions below `tag` that the registry has with a signature, and the clone without a git tag: they may be
/// releases whose tags somebody removed. `listed` are the registry's tags. An image without a signature is no release,
/// and anyone who may push can give it such a name.
pub(in crate::verify) fn signed_without_tag(
    registry: &Client,
    tag: &ReleaseTag,
    seen: &ObservedKeys,
    listed: &[String],
) -> Observed<Vec<ReleaseTag>> {
    let versions = seen.versions.as_ref().map_err(Clone::clone)?;
    let is_unknown = |listed: &ReleaseTag| listed < tag && !versions.contains(listed);
    let unknown: Vec<_> = release_tags(listed).into_iter().filter(is_unknown).collect();
    super::seen(check_unknown(unknown.len()))?;
    let mut found = Vec::new();
    for unknown in unknown {
        let Some(digest) = super::seen(registry.digest_of(&unknown.registry_tag()))? else { continue };
        let signatures = Kind::Signatures.tag(&digest);
        if listed.iter().any(|name| name == signatures.as_str()) {
            found.push(unknown);
        }
    }
    Ok(found)
}

/// Whether `keys` name the key with the fingerprint `used` for `tag`.
pub(in crate::verify) fn names(keys: &Keys, tag: &ReleaseTag, used: &Digest) -> bool {
    keys.of_version(tag).is_some_and(|(_, key)| key.entry.fingerprint == *used)
}

/// The key that was given on the command line, else the released commit's.
fn used(verifier: &Verifier<'_>) -> Observed<Digest> {
    let (release, given) = (verifier.release, verifier.key);
    let committed = release.inputs.public_key.as_deref();
    let Some(pem) = given.or(committed) else {
        return Err(Unavailable::Failed(format!("commit {} has no `{PUBLIC_KEY}`", release.source.commit)));
    };
    fingerprint(pem).map_err(|error| Unavailable::Invalid(format!("reading the public key: {error:#}")))
}

/// The fingerprint of a key in PEM.
pub(in crate::verify) fn fingerprint(pem: &[u8]) -> Result<Digest> {
    Ok(PublicKey::parse(pem)?.fingerprint())
}

fn history_at_head(git: &Git, shared: &SharedClone, cosign: &Cosign<'_>) -> Observed<ObservedHistory> {
    let (at, branch) = seen(deciding(git, shared).and_then(|found| found.context("HEAD has no commit yet")))?;
    let files = |paths: &[String]| git.files_at(&at, paths);
    let ask = |asked: &Endorsement<'_>| {
        let said = cosign.verify_blob(asked.by.pem().as_bytes(), asked.signature, asked.statement.as_bytes());
        seen(said.context("checking an endorsement with cosign"))
    };
    history(at.clone(), branch, Sources { files: &files, ask: &ask })
}

/// Reads the history at the commit `at`, and has cosign check its endorsements.
pub(in crate::verify) fn history(
    at: Commit,
    branch: Option<String>,
    Sources { files, ask }: Sources<'_>,
) -> Observed<ObservedHistory> {
    let keys = seen(Keys::read(files))?.map_err(|error| format!("{error:#}"));
    let endorsements = keys.as_ref().map(Keys::endorsements).unwrap_or_default();
    let endorsed = endorsements.iter().map(|asked| (asked.number, ask(asked))).collect();
    Ok(ObservedHistory { at, branch, keys, endorsed })
}

/// A history that is older than the release says nothing about the release's key.
fn check_new_enough(
    git: &Git,
    forge: Option<&dyn Read>,
    ObservedHistory { at, branch, .. }: &ObservedHistory,
    source: &Source,
) -> Result<()> {
    match (branch, forge) {
        (Some(name), Some(_)) => check_current(forge, name, at, "the history of keys")?,
        _ => ensure!(
            git.is_ancestor(&source.commit, at)?,
            "the history of keys was read at {at}, which does not have {} in its history and may be older; check out the \
             default branch, then verify again",
            source.commit
        ),
    }
    Ok(())
}

/// The tags of lower versions than that of `source`. All of the clone's tags count, not only those in the commit's
/// history, because the person who tags a commit also decides what it descends from. A tag at the same commit says
/// nothing about an earlier holder of the key.
fn before(
    git: &Git,
    source: &Source,
    shared: &SharedClone,
    versions: &Observed<BTreeSet<ReleaseTag>>,
) -> Observed<Vec<Before>> {
    let versions = versions.as_ref().map_err(Clone::clone)?;
    let tagged = || seen(released(git, versions.iter().cloned().collect()));
    let known = shared.tagged.get_or_init(tagged).as_ref().map_err(Clone::clone)?;
    let within: BTreeSet<_> = release_tags(&seen(git.tags_within(&source.commit))?).into_iter().collect();
    let is_before = |known: &&Released| known.tag < source.tag && known.commit != source.commit;
    let before = |known: &Released| Before {
        tag: known.tag.clone(),
        key: known.key.clone(),
        is_within: within.contains(&known.tag),
    };
    let found: Vec<_> = known.iter().filter(is_before).map(before).collect();
    if git.is_shallow() && !found.iter().any(|found| found.is_within) {
        let text = "this clone is shallow and lacks the previous release; run `git fetch --unshallow --tags`";
        return Err(Unavailable::Failed(text.to_owned()));
    }
    Ok(found)
}

fn versions(git: &Git) -> Result<BTreeSet<ReleaseTag>> {
    let tags = release_tags(&git.tags()?);
    check_count(tags.len())?;
    Ok(tags.into_iter().collect())
}

fn check_unknown(versions: usize) -> Result<()> {
    ensure!(
        versions <= MAX_UNKNOWN,
        "the registry lists {versions} earlier versions without a git tag in this clone, and at most {MAX_UNKNOWN} are \
         looked at; run `git fetch --tags`, and if the forge has no such tags either, find out who made the versions"
    );
    Ok(())
}

fn check_count(tags: usize) -> Result<()> {
    ensure!(
        tags <= MAX_TAGS,
        "this clone has {tags} version tags, and the keys of at most {MAX_TAGS} are compared; find out who made them, \
         delete those that are no releases in a copy of this clone (`git tag --delete TAG…`), then verify there"
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{MAX_TAGS, MAX_UNKNOWN, check_count, check_unknown};

    #[test]
    fn more_versions_that_only_the_registry_has_are_not_looked_at() {
        assert!(check_unknown(MAX_UNKNOWN).is_ok());
        let words = check_unknown(MAX_UNKNOWN + 1).unwrap_err().to_string();
        assert!(
            words.contains("lists 101 earlier versions") && words.contains("`git fetch --tags`"),
            "{words}"
        );
    }

    #[test]
    fn a_clone_with_too_many_version_tags_is_refused_with_a_remedy() {
        assert!(check_count(MAX_TAGS).is_ok());
        let words = check_count(MAX_TAGS + 1).unwrap_err().to_string();
        assert!(
            words.contains("has 5001 version tags") && words.contains("`git tag --delete TAG…`"),
            "{words}"
        );
    }
}

//! The claims about the key that the release's signatures are checked with: that the history of the project's keys
//! names it for this version, and that its holder is the same as that of the earlier releases.

use std::collections::BTreeSet;

use anyhow::{Context as _, Result, anyhow, bail, ensure};

use crate::evidence::claims;
use crate::inputs::PUBLIC_KEY;
use crate::inputs::history::previous;
use crate::inputs::keys::{HISTORY, Key, Keys};
use crate::inputs::pin::document;
use crate::inputs::source::release_tags;
use crate::inputs::version::ReleaseTag;
use crate::oci::reference::Digest;
use crate::process::shown::few;
use crate::verify::claim::{Claim, Observed, Unavailable};
use crate::verify::observe::keys::{Before, ObservedHistory, ObservedKeys, names};

/// How many releases are named in one message.
const MAX_SHOWN: usize = 5;

/// Judges what was seen. `listed` are the registry's tags; `None` if it is not the registry of the releases. `untagged`
/// are earlier versions that it has with a signature, and the clone without a git tag.
pub(in crate::verify) fn judge(
    tag: &ReleaseTag,
    seen: &ObservedKeys,
    listed: Option<&Observed<Vec<String>>>,
    untagged: &Observed<Vec<ReleaseTag>>,
) -> Vec<Claim> {
    let claim = |id, said: Observed<Result<String, String>>| {
        Claim::judge(id, &said, |said| said.clone().map_err(|wrong| anyhow!(wrong)))
    };
    let history = claim(claims::KEY_HISTORY, of_history(tag, seen));
    let continuity = claim(claims::KEY_CONTINUITY, of_continuity(tag, seen, listed, untagged, &history));
    vec![history, continuity]
}

/// The fingerprint is reported in every case, so that a person can compare it.
fn of_history(tag: &ReleaseTag, seen: &ObservedKeys) -> Observed<Result<String, String>> {
    let used = seen.used.as_ref().map_err(Clone::clone)?;
    let of_key = |why: String| format!("the key is {used}; {why}");
    named_by_history(tag, used, seen).map_err(|unseen| match unseen {
        Unavailable::Failed(why) => Unavailable::Failed(of_key(why)),
        Unavailable::Transient(why) => Unavailable::Transient(of_key(why)),
        Unavailable::Invalid(why) => Unavailable::Invalid(of_key(why)),
        follows @ Unavailable::DependsOn(_) => follows,
    })
}

/// A false answer outweighs an unknown one.
fn named_by_history(
    tag: &ReleaseTag,
    used: &Digest,
    seen: &ObservedKeys,
) -> Observed<Result<String, String>> {
    let ObservedHistory { at, branch, keys, endorsed } = seen.history.as_ref().map_err(Clone::clone)?;
    let branch = branch.as_ref().map_or(String::new(), |name| format!(", the head of `{name}`"));
    let wrong = |why: &str| Ok(Err(format!("the key is {used}, and at {at}{branch}, {why}")));
    let keys = match keys {
        Ok(keys) => keys,
        Err(why) => return wrong(why),
    };
    let rejected = endorsed.iter().find_map(|(number, said)| {
        let words = said.as_ref().ok()?.as_ref().err()?;
        Some(format!("cosign rejects the endorsement of key {number} by the one before it: {words}"))
    });
    if let Some(why) = rejected {
        return wrong(&why);
    }
    seen.is_new_enough.as_ref().map_err(Clone::clone)?;
    if !names(keys, tag, used) {
        return wrong(&not_named(keys, tag));
    }
    if let Some(unseen) = endorsed.iter().find_map(|(_, said)| said.as_ref().err()) {
        return Err(unseen.clone());
    }
    let place = if keys.is_written {
        let number = keys.number_of(used).unwrap_or_default();
        format!("key {number} of {} in `{HISTORY}`", keys.keys.len())
    } else {
        format!("the only one: there is no `{HISTORY}`, and `{PUBLIC_KEY}` is the same")
    };
    let breaks: String = (1..)
        .zip(&keys.keys)
        .filter_map(|(number, key)| Some(format!("; {}", not_endorsed(number, key)?)))
        .collect();
    Ok(Ok(format!("{used}, {place} at {at}{branch}{breaks}")))
}

fn not_named(keys: &Keys, tag: &ReleaseTag) -> String {
    match keys.of_version(tag) {
        Some((_, key)) if !keys.is_written => format!(
            "`{PUBLIC_KEY}` is {} and there is no `{HISTORY}`: find out who changed the key; {} says how to write down a \
             rotation",
            key.entry.fingerprint,
            document!("keys.md")
        ),
        Some((number, key)) => {
            format!("`{HISTORY}` names key {number} for {tag}, which is {}", key.entry.fingerprint)
        }
        None => format!("`{HISTORY}` names no key for {tag}"),
    }
}

fn not_endorsed(number: usize, key: &Key) -> Option<String> {
    let words = key.entry.unendorsed.as_ref()?;
    Some(format!("no key endorses key {number}, which signs from {} on: \"{words}\"", key.entry.from))
}

/// The holder of the present key is the holder of the previous release's key if the key is the same, or if each key
/// in between endorsed the next. Otherwise nothing shows it, and no later release can repair that for this one.
/// Anyone with push access can make a git tag, so a tag that was never released does not count. No earlier release
/// may have a key that is not in the history; if it is unknown what was released, such a key leaves the claim
/// unchecked.
fn of_continuity(
    tag: &ReleaseTag,
    seen: &ObservedKeys,
    listed: Option<&Observed<Vec<String>>>,
    untagged: &Observed<Vec<ReleaseTag>>,
    history: &Claim,
) -> Observed<Result<String, String>> {
    let used = seen.used.as_ref().map_err(|_unseen| Unavailable::DependsOn(claims::KEY_HISTORY))?;
    let before = seen.before.as_ref().map_err(Clone::clone)?;
    let listed = listed.map(|listed| listed.as_ref().map_err(Clone::clone)).transpose()?;
    let listed = listed.map(|tags| release_tags(tags).into_iter().collect::<BTreeSet<_>>());
    let judged = compared(tag, seen, used, before, listed.as_ref(), history);
    // A false answer outweighs an unknown one.
    match judged {
        Ok(Ok(_)) => unknown(untagged).and(judged),
        _ => judged,
    }
}

/// Fails if the registry has releases whose keys the clone does not show, because it has no git tag for them.
fn unknown(untagged: &Observed<Vec<ReleaseTag>>) -> Observed<()> {
    let untagged = untagged.as_ref().map_err(Clone::clone)?;
    let unknown: Vec<_> = untagged.iter().map(ToString::to_string).collect();
    match few(unknown, MAX_SHOWN) {
        None => Ok(()),
        Some(names) => Err(Unavailable::Failed(format!(
            "the registry has {names} with a signature, and this clone no git tag of that name, so the key of that release is \
             not known; run `git fetch --tags`, and if the forge has no such tag either, find out who removed it"
        ))),
    }
}

fn compared(
    tag: &ReleaseTag,
    seen: &ObservedKeys,
    used: &Digest,
    before: &[Before],
    listed: Option<&BTreeSet<ReleaseTag>>,
    history: &Claim,
) -> Observed<Result<String, String>> {
    let first = || Ok(Ok("no release before has a key".to_owned()));
    let Some(any) = nearest(tag, before.iter().collect()) else { return first() };
    if before.iter().all(|before| before.key == *used) {
        return Ok(Ok(format!("the same key as {}", any.tag)));
    }
    let is_released = |before: &&Before| listed.is_none_or(|tags| tags.contains(&before.tag));
    let released: Vec<_> = before.iter().filter(is_released).collect();
    let Some(previous) = nearest(tag, released.clone()) else { return first() };
    if released.iter().all(|before| before.key == *used) {
        return Ok(Ok(format!("the same key as {}", previous.tag)));
    }
    history.holds()?;
    let keys = match &seen.history {
        Ok(ObservedHistory { keys: Ok(keys), .. }) => keys,
        _ => return Err(Unavailable::DependsOn(claims::KEY_HISTORY)),
    };
    let is_earlier =
        |before: &&Before| keys.number_of(&before.key).is_some() && !is_backport(keys, before, used);
    let judged = match nearest(tag, released.iter().copied().filter(is_earlier).collect()) {
        Some(previous) => rotated(keys, previous, used),
        None => Ok(format!("every lower version was released later, by a later key of `{HISTORY}`")),
    };
    match (foreign(keys, &released), listed) {
        (Some(foreign), Some(_)) => Ok(Err(format!("the key is {used}, and {foreign}"))),
        (Some(foreign), None) if judged.is_ok() => Err(Unavailable::Failed(format!(
            "{foreign}; only the registry of the releases tells whether that was released, so ask it: `cargo xtask verify \
             {tag}`"
        ))),
        _ => Ok(judged.map_err(|error| format!("{error:#}"))),
    }
}

/// The nearest of `before`: one in the history of the release's commit if there is any, else one on another line.
fn nearest<'a>(tag: &ReleaseTag, before: Vec<&'a Before>) -> Option<&'a Before> {
    let (within, elsewhere): (Vec<_>, Vec<_>) = before.into_iter().partition(|before| before.is_within);
    [within, elsewhere].into_iter().find_map(|line| {
        let tags: Vec<_> = line.iter().map(|before| before.tag.clone()).collect();
        let nearest = previous(tag, &tags).or_else(|| tags.iter().max())?;
        line.into_iter().find(|before| before.tag == *nearest)
    })
}

/// The highest of `released` whose key the history does not have, in words.
fn foreign(keys: &Keys, released: &[&Before]) -> Option<String> {
    let foreign = released.iter().filter(|before| keys.number_of(&before.key).is_none());
    let Before { tag, key, .. } = foreign.max_by_key(|before| &before.tag)?;
    Some(format!("{key}, the key of {tag}, is not in `{HISTORY}`"))
}

/// Whether `before` is a backport on an older line that was released after the rotation away from the key `used`: the
/// history of keys gives its version to a later key. Then it is not an earlier release, although its version is
/// lower.
fn is_backport(keys: &Keys, before: &Before, used: &Digest) -> bool {
    let later = keys.keys.iter().skip(keys.number_of(used).unwrap_or(keys.keys.len()));
    !before.is_within && later.into_iter().any(|key| key.entry.also.contains(before.tag.version()))
}

fn rotated(keys: &Keys, Before { tag, key: before, .. }: &Before, used: &Digest) -> Result<String> {
    if before == used {
        return Ok(format!("the same key as {tag}"));
    }
    let number = |key| keys.number_of(key).with_context(|| format!("{key} is not in `{HISTORY}`"));
    let (from, to) = (number(before)?, number(used)?);
    ensure!(from < to, "the key is {used}, which is older than {before}, the key of {tag}");
    let between = (1..).zip(&keys.keys).filter(|(number, _)| (from + 1..=to).contains(number));
    for (number, key) in between {
        if let Some(words) = not_endorsed(number, key) {
            bail!(
                "the key of {tag} is {before}, and {words}. Nothing but a fingerprint from a second place shows that its \
                 holder is the same"
            );
        }
    }
    Ok(format!("the key of {tag} is {before}, and each key since then is endorsed by the one before it"))
}

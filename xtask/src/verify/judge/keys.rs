//! The claims about the key that the release's signatures are checked with: that the history of the project's keys
//! names it for this version, and that its holder is the same as that of the previous release.

use anyhow::{Context as _, Result, anyhow, bail, ensure};

use crate::evidence::claims;
use crate::inputs::PUBLIC_KEY;
use crate::inputs::keys::{HISTORY, Key, Keys};
use crate::inputs::pin::document;
use crate::inputs::version::ReleaseTag;
use crate::oci::reference::Digest;

use crate::verify::claim::{Claim, Seen, Unseen};
use crate::verify::observe::keys::{HistorySeen, KeysSeen, names};

/// Judges what was seen.
pub(in crate::verify) fn judge(tag: &ReleaseTag, seen: &KeysSeen) -> Vec<Claim> {
    let claim = |id, said: Seen<Result<String, String>>| {
        Claim::judge(id, &said, |said| said.clone().map_err(|wrong| anyhow!(wrong)))
    };
    let history = claim(claims::KEY_HISTORY, of_history(tag, seen));
    let continuity = claim(claims::KEY_CONTINUITY, of_continuity(seen, &history));
    vec![history, continuity]
}

/// A false answer outweighs an unknown one. The fingerprint is reported in every case.
fn of_history(tag: &ReleaseTag, seen: &KeysSeen) -> Seen<Result<String, String>> {
    let used = seen.used.as_ref().map_err(Clone::clone)?;
    let HistorySeen { at, branch, keys, endorsed } = seen.history.as_ref().map_err(Clone::clone)?;
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

/// The holder of the present key is the holder of the previous release's key if the key is the same, or if each key in
/// between endorsed the next. Otherwise nothing shows it, and no later release can repair that for this one.
fn of_continuity(seen: &KeysSeen, history: &Claim) -> Seen<Result<String, String>> {
    let used = seen.used.as_ref().map_err(|_unseen| Unseen::Follows(claims::KEY_HISTORY))?;
    let Some((previous, before)) = seen.previous.as_ref().map_err(Clone::clone)? else {
        return Ok(Ok("no release before has a key".to_owned()));
    };
    if before == used {
        return Ok(Ok(format!("the same key as {previous}")));
    }
    history.holds()?;
    let keys = match &seen.history {
        Ok(HistorySeen { keys: Ok(keys), .. }) => keys,
        _ => return Err(Unseen::Follows(claims::KEY_HISTORY)),
    };
    let rotated = rotated(keys, (previous, before), used);
    Ok(rotated.map_err(|error| format!("{error:#}")))
}

fn rotated(keys: &Keys, (previous, before): (&ReleaseTag, &Digest), used: &Digest) -> Result<String> {
    let number = |fingerprint| {
        keys.number_of(fingerprint).with_context(|| {
            format!("the key is {used}, and {before}, which signed {previous}, is not in `{HISTORY}`")
        })
    };
    let (from, to) = (number(before)?, number(used)?);
    ensure!(from < to, "the key is {used}, which is older than {before}, which signed {previous}");
    let between = (1..).zip(&keys.keys).filter(|(number, _)| (from + 1..=to).contains(number));
    for (number, key) in between {
        if let Some(words) = not_endorsed(number, key) {
            bail!(
                "{previous} was signed by {before}, and {words}. Nothing but a fingerprint from a second place shows that its \
                 holder is the same"
            );
        }
    }
    Ok(format!("{previous} was signed by {before}, and each key since then is endorsed by the one before it"))
}

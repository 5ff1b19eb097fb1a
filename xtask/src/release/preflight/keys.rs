//! Whether the history of keys on the forge's default branch names the commit's key for the released version. `verify`
//! will always check the release against that history.

use anyhow::{Context as _, Result};

use crate::forge::BranchHead;
use crate::forge::default_branch::DefaultBranch;
use crate::inputs::PUBLIC_KEY;
use crate::inputs::keys::{HISTORY, Keys, PublicKey};
use crate::inputs::pin::document;
use crate::inputs::version::ReleaseTag;
use crate::release::Context;
use crate::release::preflight::{Found, observed};

/// Whether the commit has a key that [`wrong`] can compare with the history. In a release, the check that reports the
/// opposite needs the secret key, and a plan runs without it.
pub(super) fn look(context: &Context<'_>) -> Result<Found> {
    committed(context.release.inputs.public_key.as_deref())
        .map(|_| observed("the commit has a public key", []))
}

/// The public key in `pem`, which is that of the commit.
pub(super) fn committed(pem: Option<&[u8]>) -> Result<PublicKey> {
    let pem = pem.with_context(|| {
        format!(
            "the commit has no `{PUBLIC_KEY}`; make a key pair with `cargo xtask keygen DIR` and commit the public half"
        )
    })?;
    PublicKey::parse(pem).with_context(|| format!("reading `{PUBLIC_KEY}` of the commit"))
}

/// What is wrong, if anything. Problems with the commit's key itself are reported by its own check.
pub(super) fn wrong(context: &Context<'_>, default: &DefaultBranch) -> Result<Option<String>> {
    let Context { session, tools, target, release, .. } = context;
    let key = release.inputs.public_key.as_deref().and_then(|pem| PublicKey::parse(pem).ok());
    let Some(key) = key else { return Ok(None) };
    let BranchHead { name, head } = &default.branch;
    let place = format!("at {head}, the head of the forge's default branch `{name}`");
    let keys = match default.keys(&*target.forge, session.git).context("reading the history of keys")? {
        Ok(keys) => keys,
        Err(error) => {
            let text = format!(
                "the history of keys {place} is wrong: {error:#}; correct it on `{name}` ({})",
                document!("keys.md")
            );
            return Ok(Some(text));
        }
    };
    if let Some(why) = not_named(&keys, release.tag(), &key) {
        return Ok(Some(format!("{place}, {why}")));
    }
    // A cosign that is not listed is reported by its own check, and is not started.
    if tools.cosign.program().digest().is_err() {
        return Ok(None);
    }
    for endorsement in keys.endorsements() {
        let doing = || format!("asking cosign about the endorsement of key {}", endorsement.number);
        let (pem, statement) = (endorsement.by.pem(), endorsement.statement.as_bytes());
        let verified = tools.cosign.verify_blob(pem.as_bytes(), endorsement.signature, statement);
        if let Err(words) = verified.with_context(doing)? {
            return Ok(Some(format!(
                "{place}, cosign rejects the endorsement of key {}: {words}; make it again from the key before it \
                 ({})",
                endorsement.number,
                document!("keys.md")
            )));
        }
    }
    Ok(None)
}

/// Why `key` may not sign `tag`, if it may not.
fn not_named(keys: &Keys, tag: &ReleaseTag, key: &PublicKey) -> Option<String> {
    let fingerprint = key.fingerprint();
    let named = keys.of_version(tag);
    if named.is_some_and(|(_, named)| named.public == *key) {
        return None;
    }
    if !keys.is_written {
        return Some(format!(
            "`{PUBLIC_KEY}` is another key than the commit's, {fingerprint}; rotate with `cargo xtask rotate DIR` and merge \
             that first, so that the history of keys has both"
        ));
    }
    let named = named
        .map_or("no key".to_owned(), |(number, named)| format!("key {number}, {}", named.entry.fingerprint));
    let version = tag.version();
    let remedy = match keys.number_of(&fingerprint) {
        Some(number) if keys.keys.get(number - 1).is_some_and(|key| *version < key.entry.from) => format!(
            "if this is a release of an older line, add \"{version}\" to `also` of key {number} there"
        ),
        _ => "sign with the key that is named there".to_owned(),
    };
    Some(format!(
        "`{HISTORY}` names {named}, for {tag}, and `{PUBLIC_KEY}` of the commit is {fingerprint}; {remedy}"
    ))
}

#[cfg(test)]
mod tests {
    use super::not_named;
    use crate::inputs::PUBLIC_KEY;
    use crate::inputs::keys::tests::{PEM, repository};
    use crate::inputs::keys::{HISTORY, Keys, PublicKey};

    #[test]
    fn a_version_may_be_signed_only_by_the_key_that_the_history_names() {
        let mut files = repository();
        let read = |files: &std::collections::BTreeMap<String, Vec<u8>>| {
            let found = |paths: &[String]| Ok(paths.iter().map(|path| files.get(path).cloned()).collect());
            Keys::read(&found).unwrap().unwrap()
        };
        let key = |index: usize| PublicKey::parse(PEM[index].as_bytes()).unwrap();
        let keys = read(&files);
        for (tag, index, words) in [
            ("v1.0.0", 0, None),
            ("v0.9.5", 1, None),
            ("v2.0.0", 2, None),
            ("v2.0.0", 1, Some("sign with the key that is named there")),
            ("v1.0.5", 2, Some("add \"1.0.5\" to `also` of key 3")),
            ("v0.0.1", 2, Some("names no key, for v0.0.1")),
        ] {
            let why = not_named(&keys, &tag.parse().unwrap(), &key(index));
            assert_eq!(why.is_some(), words.is_some(), "{tag} {why:?}");
            assert!(why.unwrap_or_default().contains(words.unwrap_or_default()), "{tag}");
        }
        files.retain(|path, _| path == PUBLIC_KEY);
        let keys = read(&files);
        assert_eq!(not_named(&keys, &"v1.0.0".parse().unwrap(), &key(2)), None);
        let why = not_named(&keys, &"v1.0.0".parse().unwrap(), &key(0)).unwrap();
        assert!(why.contains("`cargo xtask rotate DIR`") && !why.contains(HISTORY), "{why}");
    }
}

//! The claims of one release, and what `verify` leaves behind if all of them hold.

use std::path::Path;

use anyhow::{Context as _, Result};

use super::key::{is_of_rehearsal, key_claim, rehearsed};
use super::reading::Reading;
use super::report::{self, Entry};
use super::subject::Subject;
use super::{Verify, attest};
use crate::build::ImageBuild;
use crate::commands::rehearse;
use crate::evidence::claims;
use crate::forge::Read;
use crate::forge::forgejo::Forgejo;
use crate::http::Curl;
use crate::inputs::PUBLIC_KEY;
use crate::inputs::config::Config;
use crate::inputs::source::Source;
use crate::oci::reference::Digest;
use crate::process::parallel::both;
use crate::process::stderr;
use crate::verify::by_hand::{self, Given};
use crate::verify::claim::{Claim, Unavailable};
use crate::verify::survey::{self, Asked, Shared};
use crate::verify::{self, ObservedKeys, Verifier, base_manifests, difference, rebuilds};

impl Verify<'_> {
    pub(super) fn survey(
        &self,
        reading: &Reading<'_>,
        subject: &Subject,
        asked: &Asked<'_>,
        shared: &Shared<'_>,
    ) -> Result<Entry> {
        let mut config = subject.config.clone();
        config.builder = self.options.builder.clone().unwrap_or(config.builder);
        let verifier = &reading.verifier(subject.release(&config, reading), self.key.as_deref());
        if self.options.attest {
            attest::check_login(verifier.registry)?;
        }
        let git = &self.repository.git;
        // The clone is read at the same time, although for a rehearsal the result is not used.
        let has_names = asked.has_names(&verifier.release)?;
        let forge = has_names.then_some(&reading.forge as &dyn Read);
        let of_clone = || Ok(self.of_clone(verifier, forge));
        let (found, (of_clone, unasked, keys)) = both(|| survey::run(verifier, asked, shared), of_clone)?;
        let (mut claims, mut not_asked) = (found.claims, found.not_asked);
        let rehearsed = if found.says_rehearsal { rehearsed(git.root())? } else { None };
        let committed = subject.inputs.public_key.as_deref();
        if is_of_rehearsal(self.key.as_deref(), committed, rehearsed.as_deref()) {
            not_asked.push(claims::SOURCE_BRANCH);
            not_asked.extend(claims::OF_KEYS);
        } else {
            claims.extend(of_clone);
            add_untagged(&subject.source, &mut claims, &mut not_asked);
            let listed = found.tags.as_ref().filter(|_| has_names);
            claims.extend(verify::keys(verifier, &keys, listed));
            not_asked.extend(unasked);
        }
        if let Some(key) = &self.key {
            claims.insert(0, key_claim(key, committed, rehearsed.as_deref()));
        }
        let mut is_same_digest = None;
        if let Some(digest) = found.digest.as_ref().filter(|_| self.options.rebuild) {
            let (claim, is_same) = match self.allowed.why_not_built(&config, &claims) {
                Some(why) => (Claim::unavailable(claims::REBUILD, &Unavailable::Failed(why)), None),
                None => {
                    let build = ImageBuild::new(verifier.release, &reading.docker, git, self.environment);
                    difference::rebuilt(verifier, &build, digest)
                }
            };
            claims.push(claim);
            is_same_digest = is_same;
            crate::process::interrupt::check()?;
        }
        let given = Given { key: self.options.key.as_deref(), layout: self.options.offline.as_deref() };
        by_hand::add(&verifier.release, found.digest.as_ref(), given, &mut claims);
        let mut entry = Entry {
            tag: subject.source.tag.to_string(),
            commit: Some(subject.source.commit.to_string()),
            image: found.digest.as_ref().map(|digest| reading.image.pinned(digest)),
            claims,
            not_asked,
            not_released_by_this_tool: None,
            rebuilds: Vec::new(),
            unattested: None,
            unsaved: None,
        };
        if let Some(digest) = &found.digest {
            let tags = found.tags.and_then(Result::ok).unwrap_or_default();
            self.leave(verifier, digest, is_same_digest, &mut entry, tags);
        }
        Ok(entry)
    }

    /// What the clone says: the claims about the tagged commit, the ids of those that were not checked, and the keys.
    /// `forge` is the one that the tagged commit names, if it may be queried. If the project has moved to another
    /// forge since, that one is queried instead, because only it can tell whether the clone is behind.
    fn of_clone(
        &self,
        verifier: &Verifier<'_>,
        forge: Option<&dyn Read>,
    ) -> (Vec<Claim>, Vec<&'static str>, ObservedKeys) {
        let git = &self.repository.git;
        let present = self.shared.default_config(git).map(|config| self.forge(config));
        let forge = forge.map(|own| present.as_ref().map_or(own, |present| present as &dyn Read));
        let (claims, not_asked) = verify::source(git, forge, verifier.release.source, &self.shared);
        (claims, not_asked, verify::observe_keys(verifier, git, forge, &self.shared))
    }

    /// The forge of `config`, with the token for it if there is one.
    fn forge(&self, config: &Config) -> Forgejo {
        let token = self.keychain.token(&config.forge).cloned();
        let curl = Curl::new(self.runner, config.timeouts.http());
        Forgejo::new(curl, &self.repository.git, config, token, None)
    }

    /// What a run leaves behind when every claim holds: a statement about the rebuild, and a copy. Also lists the
    /// statements of other rebuilders.
    fn leave(
        &self,
        verifier: &Verifier<'_>,
        digest: &Digest,
        is_same_digest: Option<bool>,
        entry: &mut Entry,
        mut tags: Vec<String>,
    ) {
        let holds = report::conclude(std::slice::from_ref(entry)).is_ok();
        if let (Some(key), Some(is_same), true) = (&self.attest_key, is_same_digest, holds) {
            let attest = || attest::store(verifier, key, digest, is_same);
            match verifier.steps.run("attest", digest.as_str(), attest) {
                Ok((tag, said)) => {
                    verifier.steps.line("attest", &said);
                    let tag = tag.to_string();
                    if !tags.contains(&tag) {
                        tags.push(tag);
                    }
                }
                Err(error) => entry.unattested = Some(error),
            }
        }
        entry.rebuilds = rebuilds::list(verifier, &self.repository.git, &self.shared, &tags, digest);
        if let Some(dir) = self.options.save.as_ref().filter(|_| holds) {
            entry.unsaved = save(verifier, digest, dir).err();
        }
    }
}

/// Adds the claim that there is a git tag, as unchecked, if this clone lacks the tag and the forge was not queried
/// for it. The commit is then known only from a label of the image, which may name any commit. Only a rehearsal is of
/// a commit that was never tagged.
fn add_untagged(source: &Source, claims: &mut Vec<Claim>, not_asked: &mut Vec<&'static str>) {
    if source.is_tagged || claims.iter().any(|claim| claim.id == claims::TAG_GIT) {
        return;
    }
    let Source { tag, commit, .. } = source;
    let why = format!(
        "there is no tag `{tag}` in this clone, and only the image itself names {commit}; run `git fetch --tags`, then verify \
         again, or verify a rehearsal with its own key, `--key {REHEARSED}/{PUBLIC_KEY}`",
        REHEARSED = rehearse::DIRECTORY
    );
    not_asked.retain(|id| *id != claims::TAG_GIT);
    claims.push(Claim::unavailable(claims::TAG_GIT, &Unavailable::Failed(why)));
}

/// Saves what cosign saves, and beside it the manifests of the base image, which show which layers are the base's.
fn save(verifier: &Verifier<'_>, digest: &Digest, dir: &Path) -> Result<()> {
    verifier.cosign.save(verifier.release.image, digest, dir)?;
    for (digest, bytes) in base_manifests(verifier)? {
        let file = dir.join("blobs").join("sha256").join(digest.hex());
        std::fs::write(&file, bytes).with_context(|| format!("writing `{}`", file.display()))?;
    }
    stderr::line(format_args!("saved to `{}`; verify it with `--offline {}`", dir.display(), dir.display()));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::add_untagged;
    use crate::evidence::claims;
    use crate::inputs::source::Source;
    use crate::tool::git::Commit;
    use crate::verify::claim::{Claim, Verdict};

    #[test]
    fn the_git_tag_is_unchecked_if_only_the_image_names_the_commit() {
        let source = |is_tagged| Source {
            tag: "v0.1.0".parse().unwrap(),
            commit: Commit::parse(&"a".repeat(40)).unwrap(),
            time: 0,
            is_tagged,
        };
        let of_forge = || Claim::judge(claims::TAG_GIT, &Ok(()), |()| Ok("on the forge".to_owned()));
        for (is_tagged, before, verdict, not_asked_after) in [
            (false, None, Some(Verdict::Unchecked), &[claims::LATEST][..]),
            (true, None, None, &[claims::TAG_GIT, claims::LATEST]),
            (false, Some(of_forge()), Some(Verdict::Holds), &[claims::TAG_GIT, claims::LATEST]),
        ] {
            let mut claims: Vec<_> = before.into_iter().collect();
            let mut not_asked = vec![claims::TAG_GIT, claims::LATEST];
            add_untagged(&source(is_tagged), &mut claims, &mut not_asked);
            assert_eq!(claims.first().map(|claim| claim.verdict), verdict, "{claims:?}");
            assert_eq!(
                (claims.len(), not_asked.as_slice()),
                (usize::from(verdict.is_some()), not_asked_after)
            );
        }
    }
}

//! The files of the page: what is attested, and a list of their digests that the key signs. A correct file stays,
//! no matter who uploaded it; concurrent runs leave one of each (docs/decisions/0030-files-on-the-page.md).

use std::collections::BTreeMap;

use anyhow::{Context as _, Error, Result, anyhow, ensure};

use crate::evidence::assets::{self, Asset, Change, Listed, MAX_SIZE, SIGNATURE};
use crate::evidence::bundle::Hint;
use crate::evidence::page::PublishedPage;
use crate::forge::Write;
use crate::inputs::version::ReleaseTag;
use crate::oci::reference::Digest;
use crate::process::failure::is_transient;
use crate::process::parallel::both;
use crate::release::legacy::Legacy;
use crate::release::tags::Published;
use crate::release::{Context, gate, resign};
use crate::verify::claim::{Claim, Verdict};
use crate::verify::proven::Proven;
use crate::verify::{self, Required};

/// The maximum number of reads of the existing files: one if there is nothing to do, one more after each change, and
/// some more for the changes of another run.
const MAX_LOOKS: usize = 6;

/// The files that the page of an image must have, except those that depend on a signature.
struct Wanted {
    documents: Vec<Asset>,
    hint: Hint,
}

impl Wanted {
    /// The files for what is attached to the image now.
    fn of(context: &Context<'_>, published: &Published) -> Result<Self> {
        let digest = published.digest();
        let attached = judged(context, published)?;
        let documents = assets::documents(context.release.tag(), digest, attached.envelopes())?;
        Ok(Self { documents, hint: context.verifier().hint()? })
    }

    /// The file with the digests of the others, which the key signs.
    fn sums(&self) -> Result<&[u8]> {
        let sums = self.documents.last().filter(|last| last.name == assets::SUMS);
        Ok(&sums.context("the files of the page end without their digests")?.bytes)
    }

    /// The signature among the files in `bytes`, if it is the key's signature of these digests.
    fn signature(&self, context: &Context<'_>, bytes: &BTreeMap<String, Vec<u8>>) -> Result<Option<String>> {
        let Some(found) = bytes.get(SIGNATURE) else { return Ok(None) };
        let Ok(signature) = assets::read_signature(found) else { return Ok(None) };
        let is_right = verify::sums(&context.verifier(), found, self.sums()?)?.is_ok();
        Ok(is_right.then(|| signature.to_owned()))
    }

    fn with(&self, signature: &str) -> Result<Vec<Asset>> {
        let signed = assets::signed(self.sums()?, signature, &self.hint);
        Ok(self.documents.iter().cloned().chain(signed).collect())
    }
}

/// Reads the attestations of a public image again, because the key is about to sign their digests: another run of the
/// same release may have stored its own since, and anyone who may push can replace them. If they are not the ones
/// that were judged before, they are judged now.
///
/// # Errors
/// When they cannot be read, or do not verify.
fn judged(context: &Context<'_>, published: &Published) -> Result<Legacy> {
    let (registry, digest) = (&context.tools.registry, published.digest());
    let are_judged = |proven: &Proven, found: &Legacy| {
        proven.is_judged(found.envelopes().iter().map(|(_, bytes)| bytes.as_slice()))
    };
    let found = Legacy::read(registry, digest)?;
    if are_judged(published.proven(), &found) {
        return Ok(found);
    }
    let (claims, proven) = gate::of_public(context, digest)?;
    let proven = proven.map_err(|broken| replaced(&context.release.tagged(), &claims, broken))?;
    let found = Legacy::read(registry, digest)?;
    ensure!(
        are_judged(&proven, &found),
        "the attestations of `{}` changed again while they were read: find out who writes them, then run the same command again",
        context.release.tagged()
    );
    Ok(found)
}

/// The version tag `name` is public by now, so this is not a refusal.
fn replaced(name: &str, claims: &[Claim], broken: (Verdict, String)) -> Error {
    if verify::is_between_formats(claims) {
        return anyhow!(
            "the attestations of `{name}` are in one format and not yet in the other: another run of this release is \
             storing them, or died there; run the same command again"
        );
    }
    match broken {
        (Verdict::False, text) => anyhow!(
            "the attestations of `{name}` were replaced after they were proven: {text}; its page was not finished: find out who \
             may push there, and release the next version unless the proven ones can be put back"
        ),
        (_, text) => verify::unchecked(claims, format!("the attestations of `{name}` were replaced: {text}")),
    }
}

/// What is attached to a public image now and therefore belongs on its page.
///
/// # Errors
/// When the registry does not answer, lacks what a release attaches, or has other attestations that do not verify.
pub(super) fn attested(context: &Context<'_>, published: &Published) -> Result<Required> {
    let attached = judged(context, published)?;
    let digests = attached.envelopes().iter().map(|(of, bytes)| (Some(*of), Digest::of(bytes)));
    Ok(Required {
        build_type: published.proven().build_type(),
        envelopes: digests.collect(),
        hint: context.verifier().hint()?,
    })
}

/// Whether the page `found` has every required file, each once.
///
/// # Errors
/// When the registry or the forge does not answer.
pub(super) fn are_complete(
    context: &Context<'_>,
    found: &PublishedPage,
    published: &Published,
) -> Result<bool> {
    if !published.proven().build_type().has_assets() {
        return Ok(true);
    }
    let forge = &*context.target.forge;
    let (wanted, bytes) = both(|| Wanted::of(context, published), || verify::assets(forge, found))?;
    let Some(signature) = wanted.signature(context, &bytes)? else { return Ok(false) };
    Ok(assets::changes(&wanted.with(&signature)?, &found.assets, &bytes).is_empty())
}

/// Adds the missing files to the page of `published`, whether a draft or not.
///
/// # Errors
/// A [`crate::process::failure::Refusal`] when a signature is needed and the private key is not the release's; other
/// errors when the forge rejects a file.
pub(super) fn complete(context: &Context<'_>, published: &Published) -> Result<()> {
    if !published.proven().build_type().has_assets() {
        return Ok(());
    }
    let wanted = Wanted::of(context, published)?;
    let mut made: Option<String> = None;
    settle(&*context.target.forge, context.release.tag(), |bytes| {
        let signature = match (wanted.signature(context, bytes)?, &made) {
            (Some(there), _) => there,
            (None, Some(made)) => made.clone(),
            (None, None) => made.insert(sign(context, wanted.sums()?)?).clone(),
        };
        wanted.with(&signature)
    })
}

/// Uploads files to the page of `tag`, and removes files from it, until the page has each wanted file once. `wanted`
/// gets the bytes of the files that the page has, and returns the files that it should have.
///
/// # Errors
/// Those of `wanted`; others when the forge rejects a file, or the files are still wrong after all attempts.
pub fn settle(
    forge: &dyn Write,
    tag: &ReleaseTag,
    mut wanted: impl FnMut(&BTreeMap<String, Vec<u8>>) -> Result<Vec<Asset>>,
) -> Result<()> {
    let (mut uploaded, mut unread) = (BTreeMap::new(), Vec::new());
    let mut lost: Option<Error> = None;
    for _ in 0..MAX_LOOKS {
        crate::process::interrupt::check()?;
        let page = forge.page(tag)?.with_context(|| format!("the page of {tag} is gone"))?;
        let mut bytes = verify::assets(forge, &page)?;
        unread = listed_only(&page, &bytes);
        if page.draft {
            // A forge may refuse the files of a draft to the automatic token of a run
            // (docs/facts.md#files-of-a-page). What this run uploaded counts as read; once the page is public, every
            // file is compared again.
            for name in &unread {
                bytes.extend(uploaded.get(name).map(|own: &Vec<u8>| (name.clone(), own.clone())));
            }
        }
        let all = wanted(&bytes)?;
        let changes = assets::changes(&all, &page.assets, &bytes);
        if changes.is_empty() {
            return Ok(());
        }
        for change in changes {
            match change {
                Change::Remove(listed) => forge.remove(&page, listed)?,
                Change::Upload(asset) => match forge.upload(&page, asset) {
                    Ok(()) => {
                        uploaded.insert(asset.name.clone(), asset.bytes.clone());
                    }
                    // The upload may have succeeded although its answer was lost; the next round shows whether it
                    // did. This is tolerated only once, because each request may take its full timeout.
                    Err(error) if is_transient(&error) && lost.is_none() => lost = Some(error),
                    Err(error) => return Err(error),
                },
            }
        }
    }
    let why = lost.map_or_else(String::new, |error| format!(" ({error:#})"));
    Err(unsettled(tag, &unread).context(format!("completing the page of {tag}{why}")))
}

/// The names of our files that the page lists and that could not be downloaded; `bytes` are those of the others.
fn listed_only(page: &PublishedPage, bytes: &BTreeMap<String, Vec<u8>>) -> Vec<String> {
    let is_small = |listed: &&Listed| listed.size <= MAX_SIZE;
    let is_listed = |name: &String| page.assets.iter().filter(is_small).any(|listed| &listed.name == name);
    let ours = assets::names(&page.page.tag).into_iter();
    ours.filter(|name| is_listed(name) && !bytes.contains_key(name)).collect()
}

/// Why the files of the page are still wrong. Those in `unread` are listed, and could not be downloaded.
fn unsettled(tag: &ReleaseTag, unread: &[String]) -> Error {
    if unread.is_empty() {
        return anyhow!(
            "its files were still wrong after {MAX_LOOKS} attempts, so something else is changing them; stop other runs of \
             this release, then run the same command again"
        );
    }
    anyhow!(
        "the forge lists `{}` and answers 404 to the download; if the repository is private, set `FORGEJO_TOKEN` to a \
         person's token with `write:repository` in place of the automatic one, then run `target/debug/xtask release {tag}` \
         again",
        unread.join("`, `")
    )
}

/// Has cosign sign the digests.
fn sign(context: &Context<'_>, sums: &[u8]) -> Result<String> {
    resign::check_key(context)?;
    context.tools.cosign.sign_blob(context.target.key()?, sums)
}

#[cfg(test)]
mod tests {
    use super::replaced;
    use crate::evidence::claims;
    use crate::process::failure::exit_code;
    use crate::verify::broken;
    use crate::verify::claim::Claim;

    #[test]
    fn replaced_attestations_of_a_public_image_are_a_failure_and_not_a_refusal() {
        let claim = Claim::judge(claims::SBOM, &Ok(()), |()| anyhow::bail!("it is another one"));
        let broken = broken(std::slice::from_ref(&claim)).unwrap();
        let error = replaced("forge.example.org/acme/carol:v1.2.3", &[claim], broken);
        assert_eq!(exit_code(&error), 1, "{error:#}");
        assert!(error.to_string().contains("were replaced after they were proven"), "{error:#}");
    }
}

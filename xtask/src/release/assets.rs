//! The files of the page: what is attested, and digests of it that the key signs. What is there already stays, whoever uploaded
//! it; runs side by side end with one of each (docs/decisions/0030-files-on-the-page.md).

use std::collections::BTreeMap;

use anyhow::{Context as _, Error, Result, bail};

use crate::evidence::assets::{self, Asset, Change, SIGNATURE};
use crate::evidence::bundle::Hint;
use crate::evidence::page::PublishedPage;
use crate::oci::reference::Digest;
use crate::process::failure::is_transient;
use crate::release::bundles::Legacy;
use crate::release::tags::Published;
use crate::release::{Context, resign};
use crate::verify::{self, Due};

/// How often it is looked at what there is: once when nothing is to do, once more after each change, and some for the changes of
/// another run.
const MOST_LOOKS: usize = 6;

/// What the page of an image has to have, but for what follows from a signature.
struct Wanted {
    documents: Vec<Asset>,
    hint: Hint,
}

impl Wanted {
    /// Of what is attached to the image by now.
    fn of(context: &Context<'_>, published: &Published) -> Result<Self> {
        let digest = published.digest();
        let attached = Legacy::read(&context.tools.registry, digest)?;
        let documents = assets::documents(context.release.tag(), digest, attached.envelopes())?;
        Ok(Self { documents, hint: Hint::of(context.verifier().public_key()?)? })
    }

    fn sums(&self) -> &[u8] {
        self.documents.last().map_or(&[], |sums| &sums.bytes)
    }

    /// The signature among the files in `bytes`, where it is one of the digests by the key.
    fn signature(&self, context: &Context<'_>, bytes: &BTreeMap<String, Vec<u8>>) -> Result<Option<String>> {
        let Some(found) = bytes.get(SIGNATURE) else { return Ok(None) };
        let Ok(signature) = assets::read_signature(found) else { return Ok(None) };
        let is_right = verify::sums(&context.verifier(), found, self.sums())?.is_ok();
        Ok(is_right.then(|| signature.to_owned()))
    }

    fn with(&self, signature: &str) -> Vec<Asset> {
        let signed = assets::signed(self.sums(), signature, &self.hint);
        self.documents.iter().cloned().chain(signed).collect()
    }
}

/// What is attached to a public image by now, and so belongs on its page.
///
/// # Errors
/// When the registry does not answer, or does not have what a release attaches.
pub(super) fn attested(context: &Context<'_>, published: &Published) -> Result<Due> {
    let attached = Legacy::read(&context.tools.registry, published.digest())?;
    let digests = attached.envelopes().iter().map(|(of, bytes)| (Some(*of), Digest::of(bytes)));
    Ok(Due {
        build_type: published.proven().build_type(),
        envelopes: digests.collect(),
        hint: Hint::of(context.verifier().public_key()?)?,
    })
}

/// Whether the page `found` has all files that it has to have, each once.
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
    let wanted = Wanted::of(context, published)?;
    let bytes = verify::assets(&*context.target.forge, found)?;
    let Some(signature) = wanted.signature(context, &bytes)? else { return Ok(false) };
    Ok(assets::changes(&wanted.with(&signature), &found.assets, &bytes).is_empty())
}

/// Gives the page of `published`, a draft or not, the files that it lacks.
///
/// # Errors
/// A [`crate::process::failure::Refusal`] when a signature is needed and the key is another one; other errors when the forge does
/// not take a file.
pub(super) fn complete(context: &Context<'_>, published: &Published) -> Result<()> {
    if !published.proven().build_type().has_assets() {
        return Ok(());
    }
    let (tag, forge) = (context.release.tag(), &context.target.forge);
    let wanted = Wanted::of(context, published)?;
    let (mut made, mut lost): (Option<String>, Option<Error>) = (None, None);
    for _ in 0..MOST_LOOKS {
        crate::process::interrupt::check()?;
        let page = forge.page(tag)?.with_context(|| format!("the page of {tag} is gone"))?;
        let bytes = verify::assets(&**forge, &page)?;
        let signature = match (wanted.signature(context, &bytes)?, &made) {
            (Some(there), _) => there,
            (None, Some(made)) => made.clone(),
            (None, None) => made.insert(sign(context, wanted.sums())?).clone(),
        };
        let all = wanted.with(&signature);
        let changes = assets::changes(&all, &page.assets, &bytes);
        if changes.is_empty() {
            return Ok(());
        }
        for change in changes {
            match change {
                Change::Remove(listed) => forge.remove(&page, listed)?,
                Change::Upload(asset) => match forge.upload(&page, asset) {
                    Ok(()) => {}
                    // It may be there although its answer is not: the next look tells. Once: each may take as long as a request may.
                    Err(error) if is_transient(&error) && lost.is_none() => lost = Some(error),
                    Err(error) => return Err(error),
                },
            }
        }
    }
    let why = lost.map_or_else(String::new, |error| format!(" ({error:#})"));
    bail!(
        "the files of {tag} are not what they have to be after {MOST_LOOKS} looks: who else changes them?{why}"
    )
}

/// Has cosign sign the digests.
fn sign(context: &Context<'_>, sums: &[u8]) -> Result<String> {
    resign::check_key(context)?;
    context.tools.cosign.sign_blob(&context.target.key, sums)
}

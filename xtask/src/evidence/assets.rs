//! The files of a release page, from which a release is verified without its registry: each attestation as it is attached, the
//! SBOM that one of them holds, their digests, and a signature of these by the key (docs/decisions/0030-files-on-the-page.md).

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, bail, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::evidence::attached::Attested;
use crate::evidence::attestation::predicate;
use crate::evidence::bundle::{Hint, of_blob};
use crate::evidence::sbom;
use crate::inputs::version::ReleaseTag;
use crate::oci::reference::Digest;

/// The digests of the others, as `sha256sum` writes them.
pub const SUMS: &str = "SHA256SUMS";

/// The signature of [`SUMS`], in base64, as cosign 2 and 3 read it.
pub const SIGNATURE: &str = "SHA256SUMS.sig";

/// The same signature in a Sigstore bundle, which cosign 3 prefers.
pub const BUNDLE: &str = "SHA256SUMS.sigstore.json";

/// More than any of them has, in bytes: an SBOM of 10,000 packages has a tenth.
pub const LARGEST: u64 = 64 << 20;

/// A file for a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asset {
    /// Its name. That of a document has the tag in it, and so the digests that are signed are those of this release.
    pub name: String,
    /// All of it.
    pub bytes: Vec<u8>,
}

/// A file that a page has, by what the forge says of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// The forge's own number for it.
    pub id: u64,
    /// Its name; a page may have two of one name.
    pub name: String,
    /// In bytes.
    pub size: u64,
}

impl Asset {
    fn new(name: impl Into<String>, bytes: impl Into<Vec<u8>>) -> Self {
        Self { name: name.into(), bytes: bytes.into() }
    }
}

/// The name of the file with the envelope of an attestation
/// (<https://github.com/in-toto/attestation/blob/main/spec/v1/bundle.md>).
#[must_use]
pub fn envelope_name(of: Attested, tag: &ReleaseTag) -> String {
    format!("{}-{tag}.intoto.jsonl", of.to_string().to_lowercase().replace(' ', "-"))
}

/// The name of the file with the SBOM itself (<https://cyclonedx.org/specification/overview/>, "Recognized file patterns").
#[must_use]
pub fn sbom_name(tag: &ReleaseTag) -> String {
    format!("sbom-{tag}.cdx.json")
}

/// The name of each file of the release `tag`, in the order in which a page names them.
#[must_use]
pub fn names(tag: &ReleaseTag) -> Vec<String> {
    let signed = [SUMS, SIGNATURE, BUNDLE].map(str::to_owned);
    signed
        .into_iter()
        .chain(Attested::ALL.into_iter().map(|of| envelope_name(of, tag)))
        .chain([sbom_name(tag)])
        .collect()
}

/// The files of the release `tag` that follow from its attestations, which are about `image`: the envelopes as they are attached,
/// the SBOM in the bytes whose digest the provenance has, and the digests of all of these.
///
/// # Errors
/// When there is no attestation of an SBOM, or one that is none.
pub fn documents(tag: &ReleaseTag, image: &Digest, envelopes: &[(Attested, Vec<u8>)]) -> Result<Vec<Asset>> {
    let mut assets: Vec<_> =
        envelopes.iter().map(|(of, bytes)| Asset::new(envelope_name(*of, tag), bytes.clone())).collect();
    let sbom = envelopes
        .iter()
        .find(|(of, _)| *of == Attested::Sbom)
        .context("there is no attestation of an SBOM")?;
    let sbom =
        predicate(&sbom.1, Attested::Sbom.predicate_type(), image).context("reading the attested SBOM")?;
    assets.push(Asset::new(sbom_name(tag), sbom::render(&sbom)?));
    let line = |asset: &Asset| format!("{}  {}\n", Digest::of(&asset.bytes).hex(), asset.name);
    let sums: String = assets.iter().map(line).collect();
    assets.push(Asset::new(SUMS, sums));
    Ok(assets)
}

/// The files that follow from a signature of the digests `sums`, in base64.
#[must_use]
pub fn signed(sums: &[u8], signature: &str, hint: &Hint) -> [Asset; 2] {
    [Asset::new(SIGNATURE, signature), Asset::new(BUNDLE, of_blob(sums, signature, hint))]
}

/// The signature in the file [`SIGNATURE`]. Whether it is right is for cosign to say.
///
/// # Errors
/// When it is not canonical base64, and nothing else.
pub fn read_signature(bytes: &[u8]) -> Result<&str> {
    let text = std::str::from_utf8(bytes).context("it is not UTF-8")?;
    let decoded = STANDARD.decode(text).context("it is not base64")?;
    ensure!(!decoded.is_empty(), "it is empty");
    ensure!(STANDARD.encode(decoded) == text, "it is not in the canonical form of base64");
    Ok(text)
}

/// What has to be done to a page's files.
#[derive(Debug, PartialEq, Eq)]
pub enum Change<'a> {
    /// There is a newer one of its name.
    Remove(&'a Listed),
    /// There is none, or one that says something else: that stays until this one is there.
    Upload(&'a Asset),
}

/// What makes the page have each of `wanted` once, where it has the files `listed` and, of those that have a name of ours, these
/// bytes. Other files are left alone. Of two with one name the forge's higher number stays, whoever decides, and is compared once it
/// is the only one: runs side by side end with one, and a file that is replaced is never missing.
#[must_use]
pub fn changes<'a>(
    wanted: &'a [Asset],
    listed: &'a [Listed],
    bytes: &BTreeMap<String, Vec<u8>>,
) -> Vec<Change<'a>> {
    let mut changes = Vec::new();
    for asset in wanted {
        let mut found: Vec<_> = listed.iter().filter(|listed| listed.name == asset.name).collect();
        found.sort_by_key(|listed| listed.id);
        match &found[..] {
            [] => changes.push(Change::Upload(asset)),
            [only] if bytes.get(&only.name) == Some(&asset.bytes) => {}
            [_other] => changes.push(Change::Upload(asset)),
            [older @ .., _newest] => changes.extend(older.iter().copied().map(Change::Remove)),
        }
    }
    changes
}

/// Whether the files in `bytes`, and no others of our names, are those that follow from the attestations among them; gives the
/// digests that are signed. That each attestation is one of the image's is for the caller to see.
///
/// # Errors
/// When one is missing, or has other bytes.
pub fn check(
    tag: &ReleaseTag,
    image: &Digest,
    due: &[Attested],
    bytes: &BTreeMap<String, Vec<u8>>,
    hint: &Hint,
) -> Result<usize> {
    let of = |name: &str| bytes.get(name).with_context(|| format!("the page has no file `{name}`"));
    let envelope = |due: &Attested| Ok((*due, of(&envelope_name(*due, tag))?.clone()));
    let envelopes = due.iter().map(envelope).collect::<Result<Vec<_>>>()?;
    let documents = documents(tag, image, &envelopes)?;
    let sums = documents.last().map_or(&[][..], |sums| &sums.bytes);
    let signature = read_signature(of(SIGNATURE)?).with_context(|| format!("reading `{SIGNATURE}`"))?;
    let wanted: Vec<_> = documents.iter().cloned().chain(signed(sums, signature, hint)).collect();
    for Asset { name, bytes } in &wanted {
        ensure!(of(name)? == bytes, "the file `{name}` is not what follows from the attestations");
    }
    match bytes.keys().find(|name| !wanted.iter().any(|asset| &asset.name == *name)) {
        Some(other) => bail!("the page has a file `{other}`, and nothing of the kind is attested"),
        None => Ok(wanted.len()),
    }
}

#[cfg(test)]
mod tests;

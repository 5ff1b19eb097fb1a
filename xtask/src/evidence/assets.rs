//! The files of a release page, from which a release can be verified without its registry: each attestation as it is
//! attached to the image, the SBOM that one of them holds, the digests of these files, and a signature of the digests
//! by the key (docs/decisions/0030-files-on-the-page.md).

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

/// The digests of the other files, in the form of `sha256sum`.
pub const SUMS: &str = "SHA256SUMS";

/// The signature of [`SUMS`], in base64, as cosign 2 and 3 read it.
pub const SIGNATURE: &str = "SHA256SUMS.sig";

/// The same signature in a Sigstore bundle, which cosign 3 prefers.
pub const BUNDLE: &str = "SHA256SUMS.sigstore.json";

/// The largest file, in bytes. An SBOM of 10,000 packages is a tenth of that.
pub const MAX_SIZE: u64 = 64 << 20;

/// A file for a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asset {
    /// Its name. The name of a document contains the tag, so the signed digests are those of this release.
    pub name: String,
    /// Its contents.
    pub bytes: Vec<u8>,
}

/// A file of a page, as the forge lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// The forge's own id for it.
    pub id: u64,
    /// Its name. A page may have two files with the same name.
    pub name: String,
    /// Its size in bytes.
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

/// The names of all files of the release `tag`, in the order in which a page names them.
#[must_use]
pub fn names(tag: &ReleaseTag) -> Vec<String> {
    let signed = [SUMS, SIGNATURE, BUNDLE].map(str::to_owned);
    signed
        .into_iter()
        .chain(Attested::ALL.into_iter().map(|of| envelope_name(of, tag)))
        .chain([sbom_name(tag)])
        .collect()
}

/// The files of the release `tag` that follow from its attestations, which are about `image`: the envelopes as they are
/// attached, the SBOM in the bytes whose digest the provenance has, and the digests of all of these.
///
/// # Errors
/// When there is no attestation of an SBOM, or it is invalid.
pub fn documents(tag: &ReleaseTag, image: &Digest, envelopes: &[(Attested, Vec<u8>)]) -> Result<Vec<Asset>> {
    let mut assets: Vec<_> =
        envelopes.iter().map(|(of, bytes)| Asset::new(envelope_name(*of, tag), bytes.clone())).collect();
    let sbom = envelopes
        .iter()
        .find(|(of, _)| *of == Attested::Sbom)
        .context("there is no attestation of an SBOM")?;
    let sbom =
        predicate(&sbom.1, Attested::Sbom.predicate_type(), image).context("reading the attested SBOM")?;
    assets.push(Asset::new(sbom_name(tag), sbom::render(&sbom)));
    let line = |asset: &Asset| format!("{}  {}\n", Digest::of(&asset.bytes).hex(), asset.name);
    let sums: String = assets.iter().map(line).collect();
    assets.push(Asset::new(SUMS, sums));
    Ok(assets)
}

/// The files that follow from `signature`, which signs the digests `sums` and is in base64.
#[must_use]
pub fn signed(sums: &[u8], signature: &str, hint: &Hint) -> [Asset; 2] {
    [Asset::new(SIGNATURE, signature), Asset::new(BUNDLE, of_blob(sums, signature, hint))]
}

/// The signature in the file [`SIGNATURE`]. Only cosign can tell whether it is valid.
///
/// # Errors
/// When it is anything other than canonical base64.
pub fn read_signature(bytes: &[u8]) -> Result<&str> {
    let text = std::str::from_utf8(bytes).context("it is not UTF-8")?;
    let decoded = STANDARD.decode(text).context("it is not canonical base64")?;
    ensure!(!decoded.is_empty(), "it is empty");
    Ok(text)
}

/// A change to a page's files.
#[derive(Debug, PartialEq, Eq)]
pub enum Change<'a> {
    /// There is a newer file with the same name.
    Remove(&'a Listed),
    /// There is no such file, or one with other contents. The old file stays until this one is there.
    Upload(&'a Asset),
}

/// The changes after which the page has each of `wanted` once. `listed` are the page's files, and `bytes` the contents
/// of those with a name of ours. Other files are left alone.
///
/// Of several files with the same name, every run keeps the one with the highest id on the forge. Its contents are
/// compared once it is the only one. So parallel runs end with one file, and a file that is being replaced is never
/// missing.
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

/// Checks that the files in `bytes` are exactly those that follow from the attestations among them, and returns how
/// many there are. The caller must check that each attestation is attached to the image.
///
/// # Errors
/// When a file is missing, has other bytes, or does not belong to an attestation.
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
        ensure!(of(name)? == bytes, "the file `{name}` does not follow from the attestations");
    }
    match bytes.keys().find(|name| !wanted.iter().any(|asset| &asset.name == *name)) {
        Some(other) => bail!("the page has a file `{other}`, but nothing like it is attested"),
        None => Ok(wanted.len()),
    }
}

#[cfg(test)]
mod tests;

//! `verify --rebuild --attest`: a statement, signed with the rebuilder's own key, that the commit gives the released
//! image. It is stored beside the image.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use anyhow::{Context as _, Result};

use crate::evidence::attached::{self, Signed, TEST_RESULT_PREDICATE};
use crate::evidence::attestation::statement;
use crate::evidence::bundle::layer_of;
use crate::evidence::envelope::{open, pae, seal};
use crate::evidence::rebuild;
use crate::oci::index;
use crate::oci::media_type;
use crate::oci::reference::{Digest, Tag};
use crate::oci::registry::{Client, Manifest};
use crate::process::environment::Environment;
use crate::process::failure::Misuse;
use crate::process::secret::Secret;
use crate::tool::cosign::{Program, SigningKey};
use crate::verify::Verifier;

use super::subject::Repository;

/// Generous: cosign's encrypted keys have less than 1 KiB.
const MAX_BYTES: u64 = 16 << 10;

/// The key in `file`, with the password from the environment.
///
/// # Errors
/// [`Misuse`] when there is no password, or the file cannot be read.
pub(super) fn key(environment: &Environment, file: &Path) -> Result<SigningKey> {
    let Some(password) = environment.secret("COSIGN_PASSWORD")? else {
        return Err(Misuse::new("`--attest-key`: set `COSIGN_PASSWORD` to the password of that key").into());
    };
    let read = || {
        let mut text = String::new();
        File::open(file)?.take(MAX_BYTES).read_to_string(&mut text)?;
        Ok::<_, std::io::Error>(text)
    };
    let misuse = |error| Misuse::new(format!("`--attest-key`: reading `{}`: {error}", file.display()));
    Ok(SigningKey::new(Secret::new(read().map_err(misuse)?), password))
}

/// The cosign that gets the key: one that the caller's own configuration allows. It is checked before it is started.
///
/// # Errors
/// When the configuration cannot be read; a [`crate::process::failure::Refusal`] when it allows only other files.
pub(super) fn cosign(environment: &Environment, repository: &Repository) -> Result<Program> {
    let program = Program::new(Path::new("cosign"), &repository.own_config()?.cosign_digests, environment);
    program.digest().context("`--attest-key` gives the key to cosign")?;
    Ok(program)
}

/// Signs and stores the statement that the rebuild gave `digest`, or the same content. If the same statement by the
/// same key is stored already, it does nothing. Returns the statement's tag, and a description of what was done.
///
/// # Errors
/// When cosign does not accept the key, or the registry does not accept the statement; [`Misuse`] for the key of the
/// release itself.
pub(super) fn store(
    verifier: &Verifier<'_>,
    key: &SigningKey,
    digest: &Digest,
    is_same_digest: bool,
) -> Result<(Tag, String)> {
    let (registry, release, cosign) = (verifier.registry, &verifier.release, &verifier.anonymous.cosign);
    let public = cosign.public_half(key).context("reading the key of `--attest-key`")?;
    let fingerprint = public.fingerprint();
    if verifier.public_key()? == public {
        return Err(Misuse::new(
            "`--attest-key` is the release's own key: a rebuilder signs with another one",
        )
        .into());
    }
    let built_with = verifier.docker.builder(&release.config.builder)?;
    let builder = BTreeMap::from([
        ("buildkit".to_owned(), format!("{} ({} driver)", built_with.buildkit, built_with.driver)),
        ("xtask".to_owned(), env!("CARGO_PKG_VERSION").to_owned()),
    ]);
    let predicate = serde_json::to_vec(&rebuild::predicate(release, is_same_digest, &builder))?;
    let platforms = index::platforms(&registry.known_manifest(digest)?.bytes)?;
    let statement = statement(TEST_RESULT_PREDICATE, &predicate, release.image, digest, &platforms)?;
    let tag = rebuild::tag(digest, &fingerprint);
    if let Some(signature) = stored(registry, &tag, &statement)?
        && cosign.verify_blob(public.pem().as_bytes(), &signature, &pae(&statement))?.is_ok()
    {
        return Ok((tag, format!("the same statement by {fingerprint} was there already")));
    }
    let envelope = seal(&statement, &cosign.sign_blob(key, &pae(&statement))?);
    let signed = [Signed::parse(envelope, TEST_RESULT_PREDICATE, &predicate, digest)?];
    let config = attached::config(&signed)?;
    for blob in [&signed[0].bytes, &config] {
        registry.put_blob(blob)?;
    }
    let manifest = Manifest::new(media_type::MANIFEST, attached::manifest(&signed, &config)?);
    registry.put(&tag, &manifest)?;
    let done = format!("signed by {fingerprint}, and stored as `{tag}`");
    Ok((tag, done))
}

/// The stored signature of exactly this statement, if any.
fn stored(registry: &Client, tag: &Tag, statement: &[u8]) -> Result<Option<String>> {
    let Some(manifest) = registry.manifest(tag)? else { return Ok(None) };
    let Ok(layer) = layer_of(&manifest.bytes) else { return Ok(None) };
    let Some(envelope) = registry.blob(&layer)? else { return Ok(None) };
    Ok(open(&envelope).ok().filter(|opened| opened.payload == statement).map(|opened| opened.signature))
}

/// `--attest` writes to the registry, so it needs a login.
///
/// # Errors
/// When there is no login for the registry.
pub(super) fn check_login(registry: &Client) -> Result<()> {
    if registry.is_anonymous() {
        return Err(Misuse::new(format!(
            "`--attest` writes beside `{}`: set `REGISTRY_TOKEN` to one that may, and `REGISTRY` to the host that it is for",
            registry.image()
        ))
        .into());
    }
    Ok(())
}

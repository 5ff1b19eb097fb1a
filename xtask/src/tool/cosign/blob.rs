//! Signatures over bytes that are not an image: the statement in a bundle, which cosign 2 cannot sign as such, and
//! the endorsement of a key by the key before it. cosign 2 and 3 make and accept the same signatures
//! (docs/facts.md#signed-bytes).

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::generation::TLOG;
use super::{Cosign, KEY, SigningKey, judged};
use crate::process::temp_dir::TempDir;

impl Cosign<'_> {
    /// Signs `bytes`. Returns an ECDSA signature over their SHA-256, as DER in canonical base64. Stores nothing.
    ///
    /// # Errors
    /// When cosign fails, or prints anything but a signature.
    pub fn sign_blob(&self, key: &SigningKey, bytes: &[u8]) -> Result<String> {
        let scratch = TempDir::new()?;
        let blob = written(scratch.path(), "blob", bytes)?;
        let mut arguments = vec!["sign-blob", "--yes", "--key", KEY, TLOG];
        arguments.extend(self.legacy_format()?);
        arguments.push(&blob);
        let output = self.with_key(&arguments, key)?.repeatable().read()?;
        let signature = output.trim();
        let decoded = STANDARD
            .decode(signature)
            .context("`cosign sign-blob` did not print a signature in canonical base64")?;
        ensure!(!decoded.is_empty(), "`cosign sign-blob` printed no signature");
        Ok(signature.to_owned())
    }

    /// Whether `signature` (base64) over `bytes` is valid for the public key `public` (PEM). `Err` of the inner result
    /// is cosign's rejection. It makes no network request.
    ///
    /// # Errors
    /// When cosign cannot be run, does not know the flags, or does not end in time.
    pub fn verify_blob(&self, public: &[u8], signature: &str, bytes: &[u8]) -> Result<Result<(), String>> {
        let scratch = TempDir::new()?;
        let place = scratch.path();
        let key = written(place, "cosign.pub", public)?;
        let signature = written(place, "signature", signature.as_bytes())?;
        let blob = written(place, "blob", bytes)?;
        let arguments =
            ["verify-blob", "--key", &key, "--insecure-ignore-tlog", "--signature", &signature, &blob];
        judged(&self.call(&arguments)?.output()?)
    }
}

/// The path of a new file that holds `bytes`.
fn written(directory: &Path, name: &str, bytes: &[u8]) -> Result<String> {
    let path = directory.join(name);
    fs::write(&path, bytes).with_context(|| format!("writing `{}`", path.display()))?;
    Ok(path.display().to_string())
}

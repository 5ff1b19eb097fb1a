//! Signatures of bytes that cosign does not look into: the statement in a bundle is ours, and cosign 2 signs none of its
//! kind. Both majors sign and verify bytes alike (docs/facts.md#signed-bytes).

use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::generation::TLOG;
use super::{Cosign, KEY, SigningKey, verdict};
use crate::process::scratch::Scratch;

impl Cosign<'_> {
    /// Signs `bytes`, and returns the signature in base64. Stores nothing.
    ///
    /// # Errors
    /// When cosign fails, or prints something else.
    pub fn sign_bytes(&self, key: &SigningKey, bytes: &[u8]) -> Result<String> {
        let scratch = Scratch::new()?;
        let file = scratch.path().join("bytes");
        std::fs::write(&file, bytes).with_context(|| format!("writing `{}`", file.display()))?;
        let file = file.display().to_string();
        let mut arguments = vec!["sign-blob", "--yes", "--key", KEY, TLOG];
        arguments.extend(self.legacy_format()?);
        arguments.push(&file);
        let output = self.with_key(&arguments, key)?.repeatable().read()?;
        let signature = output.trim();
        let decoded =
            STANDARD.decode(signature).context("what `cosign sign-blob` printed is no signature")?;
        ensure!(
            !decoded.is_empty() && STANDARD.encode(&decoded) == signature,
            "what `cosign sign-blob` printed is no signature in canonical base64"
        );
        Ok(signature.to_owned())
    }

    /// Whether `signature`, in base64, is one of `bytes` by the public key in the file `key`. `Err` of the inner result is
    /// cosign's no.
    ///
    /// # Errors
    /// When cosign cannot be run or does not end in time.
    pub fn try_verify_bytes(&self, key: &Path, signature: &str, bytes: &[u8]) -> Result<Result<(), String>> {
        let scratch = Scratch::new()?;
        let [file, signature_file] = ["bytes", "signature"].map(|name| scratch.path().join(name));
        std::fs::write(&file, bytes)
            .and_then(|()| std::fs::write(&signature_file, signature))
            .context("writing a signature for cosign")?;
        let [key, file, signature] = [key, &file, &signature_file].map(|path| path.display().to_string());
        let known =
            ["verify-blob", "--key", &key, "--insecure-ignore-tlog", "--signature", &signature, &file];
        let output = self.call(&known)?.output()?;
        match output.status.code() {
            Some(0) => Ok(Ok(())),
            Some(_) => Ok(Err(verdict(&output.stderr).to_owned())),
            None => Err(output.failure()),
        }
    }
}

//! A public key in PEM, and its fingerprint.

use anyhow::{Context as _, Result, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::oci::reference::Digest;

/// An RSA 8192 key is shorter.
const MAX_LEN: usize = 2048;
const BEGIN: &str = "-----BEGIN PUBLIC KEY-----";
const END: &str = "-----END PUBLIC KEY-----";

/// A public key (`SubjectPublicKeyInfo`, RFC 5280 §4.1). Only cosign decides whether it can verify anything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicKey {
    der: Vec<u8>,
}

impl PublicKey {
    /// Reads a PEM file with exactly one block (RFC 7468).
    ///
    /// # Errors
    /// When it is anything else, or has other text besides the block.
    pub fn parse(pem: &[u8]) -> Result<Self> {
        ensure!(pem.len() <= MAX_LEN, "it has {} bytes: expected one public key in PEM", pem.len());
        let text = std::str::from_utf8(pem).context("it is not text: expected one public key in PEM")?;
        let lines: Vec<_> = text.trim_ascii().lines().collect();
        let inner = match lines.as_slice() {
            [BEGIN, inner @ .., END] => inner,
            _ => anyhow::bail!(
                "it is not one public key in PEM: expected a line `{BEGIN}` and a line `{END}` around it"
            ),
        };
        let der = STANDARD.decode(inner.concat()).context("the text between its two lines is not base64")?;
        ensure!(!der.is_empty(), "there is no key between its two lines");
        Ok(Self { der })
    }

    /// The key in DER.
    #[must_use]
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// The SHA-256 of the key in DER, which is the same for every spelling of the file.
    #[must_use]
    pub fn fingerprint(&self) -> Digest {
        Digest::of(&self.der)
    }

    /// The key as PEM, in the form that cosign writes.
    #[must_use]
    pub fn pem(&self) -> String {
        let text = STANDARD.encode(&self.der);
        let lines = text.as_bytes().chunks(64).map(|line| String::from_utf8_lossy(line) + "\n");
        format!("{BEGIN}\n{}{END}\n", lines.collect::<String>())
    }
}

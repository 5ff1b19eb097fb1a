//! The digest of a blob or a manifest.

use std::fmt;
use std::io::{self, Read};
use std::str::FromStr;

use anyhow::{Result, ensure};
use serde::{Deserialize, Serialize};

/// `sha256:` and 64 lower-case hexadecimal digits. SHA-256 is the only algorithm that all tools here support.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Digest(String);

impl Digest {
    /// The digest of `bytes`.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        use sha2::Digest as _;
        Self::of_hash(&sha2::Sha256::digest(bytes))
    }

    /// The digest of everything that `reader` yields, which need not fit into memory.
    ///
    /// # Errors
    /// When `reader` fails.
    pub fn of_reader(mut reader: impl Read) -> io::Result<Self> {
        use sha2::Digest as _;
        let (mut hasher, mut chunk) = (sha2::Sha256::new(), vec![0; 1 << 16]);
        loop {
            match reader.read(&mut chunk)? {
                0 => return Ok(Self::of_hash(&hasher.finalize())),
                size => hasher.update(&chunk[..size]),
            }
        }
    }

    /// The digest with the 32 bytes `hash`.
    pub(crate) fn of_hash(hash: &[u8]) -> Self {
        Self(format!("sha256:{}", hash.iter().map(|byte| format!("{byte:02x}")).collect::<String>()))
    }

    /// Only the 64 digits, as in-toto writes them.
    #[must_use]
    pub fn hex(&self) -> &str {
        &self.0["sha256:".len()..]
    }

    /// The text form.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Whether `byte` is a hexadecimal digit as digests and our tags have it, in lower case.
#[must_use]
pub const fn is_hex_digit(byte: u8) -> bool {
    matches!(byte, b'0'..=b'9' | b'a'..=b'f')
}

impl FromStr for Digest {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self> {
        let hex = text.strip_prefix("sha256:").unwrap_or_default();
        let is_hex = hex.len() == 64 && hex.bytes().all(is_hex_digit);
        ensure!(is_hex, "`{text}` is not a digest: expected `sha256:` and 64 lower-case hexadecimal digits");
        Ok(Self(text.to_owned()))
    }
}

impl TryFrom<String> for Digest {
    type Error = anyhow::Error;

    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

impl From<Digest> for String {
    fn from(digest: Digest) -> Self {
        digest.0
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::Digest;

    #[test]
    fn digests_parse_or_refuse() {
        let digest = Digest::of(b"");
        assert_eq!(digest.hex(), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
        assert_eq!(digest.as_str().parse::<Digest>().unwrap(), digest);
        let upper = digest.as_str().replace("sha256:e", "sha256:E");
        let cases = ["", "sha256:", &digest.as_str()[..70], &upper, "sha512:00", &format!("{digest}0")];
        for bad in cases {
            assert!(bad.parse::<Digest>().is_err(), "{bad}");
        }
    }
}

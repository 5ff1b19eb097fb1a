//! The id of a commit.

use anyhow::{Result, ensure};

/// A full commit id: 40 hexadecimal digits, or 64 in a SHA-256 repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Commit(String);

impl Commit {
    /// Parses a full commit id.
    ///
    /// # Errors
    /// When it is not one.
    pub fn parse(text: &str) -> Result<Self> {
        let is_hex = text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        ensure!(matches!(text.len(), 40 | 64) && is_hex, "`{text}` is not a full commit name");
        Ok(Self(text.to_owned()))
    }

    /// All digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The first twelve digits, as in candidate tags.
    #[must_use]
    pub fn short(&self) -> &str {
        &self.0[..12]
    }
}

impl std::fmt::Display for Commit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::Commit;

    #[test]
    fn commits_are_full_lower_case_names() {
        assert!(Commit::parse(&"a".repeat(40)).is_ok() && Commit::parse(&"0".repeat(64)).is_ok());
        for bad in ["", "HEAD", &"a".repeat(39), &"A".repeat(40), &"g".repeat(40)] {
            assert!(Commit::parse(bad).is_err(), "{bad}");
        }
    }
}

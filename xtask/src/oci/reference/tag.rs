//! The tag of an image, and what names a manifest: a tag or a digest.

use std::fmt;
use std::str::FromStr;

use anyhow::{Result, ensure};

use super::Digest;

/// A tag of a registry: `[a-z0-9_][a-z0-9._-]{0,127}`. Only lower case, because Forgejo stores tags in lower case
/// (docs/facts.md#lower-cased-tags): an upper-case tag would come back under another name.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Tag(String);

impl Tag {
    /// The tag that moves to each new highest stable version.
    #[must_use]
    pub fn latest() -> Self {
        Self("latest".to_owned())
    }

    /// The tag of somebody else's image, which may have upper case: `[\w][\w.-]{0,127}` of the specification.
    ///
    /// # Errors
    /// When it is not a tag.
    pub fn foreign(text: &str) -> Result<Self> {
        let plain = |c: char| c.is_ascii_alphanumeric() || "_.-".contains(c);
        let is_tag =
            (1..=128).contains(&text.len()) && text.chars().all(plain) && !text.starts_with(['.', '-']);
        ensure!(is_tag, "`{text}` is not a registry tag");
        Ok(Self(text.to_owned()))
    }

    /// The tag of something that belongs to `digest`. `kind` may only have characters that are allowed in a tag.
    pub(crate) fn of(digest: &Digest, kind: &str) -> Self {
        Self(format!("sha256-{}{kind}", digest.hex()))
    }

    /// The text form.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What names a manifest in its repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reference<'a> {
    /// A tag.
    Tag(&'a Tag),
    /// Its digest.
    Digest(&'a Digest),
}

impl<'a> From<&'a Tag> for Reference<'a> {
    fn from(tag: &'a Tag) -> Self {
        Self::Tag(tag)
    }
}

impl<'a> From<&'a Digest> for Reference<'a> {
    fn from(digest: &'a Digest) -> Self {
        Self::Digest(digest)
    }
}

impl fmt::Display for Reference<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tag(tag) => tag.fmt(f),
            Self::Digest(digest) => digest.fmt(f),
        }
    }
}

impl FromStr for Tag {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self> {
        let word = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        ensure!(
            text.len() <= 128 && text.starts_with(word) && text.chars().all(|c| word(c) || ".-".contains(c)),
            "`{text}` is not a registry tag: expected at most 128 of `a-z`, `0-9`, `_`, `.`, `-`, not starting with `.` or `-`"
        );
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::Tag;

    #[test]
    fn tags_parse_or_refuse() {
        for good in ["v0.1.0", "latest", "v1.0.0-rc.1", "_x", &"a".repeat(128)] {
            assert!(good.parse::<Tag>().is_ok(), "{good}");
        }
        for bad in ["", ".x", "-x", "v1.0.0+build", "V1", "a b", "a/b", &"a".repeat(129)] {
            assert!(bad.parse::<Tag>().is_err(), "{bad}");
            assert_eq!(Tag::foreign(bad).is_ok(), bad == "V1", "{bad}");
        }
    }
}

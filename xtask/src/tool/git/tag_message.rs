//! The contents of an annotated tag: its message without the signature, and its time.

use anyhow::{Context as _, Result};

use super::Git;
use crate::process::time::LATEST;

/// How a signature begins (`gpg-interface.c` of git): the text from there on is for programs.
const SIGNATURES: [&str; 4] = [
    "-----BEGIN PGP SIGNATURE-----",
    "-----BEGIN PGP MESSAGE-----",
    "-----BEGIN SIGNED MESSAGE-----",
    "-----BEGIN SSH SIGNATURE-----",
];

impl Git {
    /// The message of `tag`, unchanged: hostile input. `None` when there is no such tag or it is a lightweight one.
    ///
    /// # Errors
    /// When git fails, or its answer does not follow the documentation of `git cat-file --batch`.
    pub fn tag_message(&self, tag: &str) -> Result<Option<Vec<u8>>> {
        let name = format!("refs/tags/{tag}");
        let found = self.object(&name).with_context(|| format!("reading `{name}`"))?;
        let annotated = found.filter(|found| found.kind == "tag");
        Ok(annotated.map(|tag| without_signature(message(&tag.bytes)).to_owned()))
    }

    /// The time of `tag`, in seconds since 1970. For a lightweight tag, the time of its commit.
    ///
    /// # Errors
    /// When git fails, there is no such tag, or it claims a time before 1970 or in a year with five digits.
    pub fn tag_time(&self, tag: &str) -> Result<u64> {
        let name = format!("refs/tags/{tag}");
        let text = self.call(&["for-each-ref", "--format=%(creatordate:unix)", &name])?.read()?;
        let time: Option<u64> = text.parse().ok().filter(|time| *time <= LATEST);
        time.with_context(|| {
            format!("`{tag}` was made at `{text}` seconds since 1970: expected a date from 1970 to 9999")
        })
    }
}

/// The same text as `%(contents)` of `git for-each-ref`: all that follows the headers and the empty lines after them,
/// up to a NUL.
pub(super) fn message(tag: &[u8]) -> &[u8] {
    let Some(end) = tag.windows(2).position(|bytes| bytes == b"\n\n") else { return &[] };
    let mut message = &tag[end..];
    while let Some(rest) = message.strip_prefix(b"\n") {
        message = rest;
    }
    message.split(|byte| *byte == 0).next().unwrap_or_default()
}

pub(super) fn without_signature(message: &[u8]) -> &[u8] {
    let mut rest = 0;
    for line in message.split_inclusive(|byte| *byte == b'\n') {
        if SIGNATURES.iter().any(|begin| line.starts_with(begin.as_bytes())) {
            return &message[..rest];
        }
        rest += line.len();
    }
    message
}

#[cfg(test)]
mod tests {
    use super::{message, without_signature};

    #[test]
    fn the_message_of_a_tag_follows_its_headers() {
        for (tag, expected) in [
            ("object a\ntagger A <a> 5 +0000\n\nwords\n\nmore\n", "words\n\nmore\n"),
            ("object a\n\n\n\n words\n", " words\n"),
            ("object a\n\nwords\0more\n", "words"),
            ("object a\n\n", ""),
            ("object a\n", ""),
            ("", ""),
        ] {
            assert_eq!(message(tag.as_bytes()), expected.as_bytes(), "{tag:?}");
        }
    }

    #[test]
    fn a_signature_and_all_that_follows_are_not_part_of_the_message() {
        for (message, expected) in [
            ("words\n", "words\n"),
            ("words\n-----BEGIN SSH SIGNATURE-----\nU1NI\n-----END SSH SIGNATURE-----\n", "words\n"),
            ("-----BEGIN PGP SIGNATURE-----\n", ""),
            ("see -----BEGIN PGP SIGNATURE-----\n", "see -----BEGIN PGP SIGNATURE-----\n"),
            ("", ""),
        ] {
            assert_eq!(without_signature(message.as_bytes()), expected.as_bytes());
        }
    }
}

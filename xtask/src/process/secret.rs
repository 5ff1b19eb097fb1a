//! Secrets as a type that cannot be printed, and the redaction of all text that may echo one.

use std::sync::{Mutex, PoisonError};

use anyhow::{Result, bail};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Replaces a secret in a message.
const MASK: &str = "***";

/// Fragments shorter than this are not masked: masking `a` would make every message unreadable.
const SHORTEST_MASKED: usize = 6;

/// Every fragment of every secret of this process. There is one list, so that no message can bypass it.
static FRAGMENTS: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// A password, token or private key. It has neither `Debug` nor `Display`. [`Secret::expose`] is the only way out, and
/// its callers hand the secret to a child: by environment or by standard input.
#[derive(Clone)]
pub struct Secret(String);

impl Secret {
    /// Wraps `value` and registers it for [`redact`].
    pub fn new(value: impl Into<String>) -> Self {
        let value = value.into();
        register(&value);
        Self(value)
    }

    /// A secret that goes into a header or a line-based config. It must not hold control characters.
    ///
    /// # Errors
    /// When the value is empty or holds a control character (usually a pasted newline).
    pub fn single_line(name: &str, value: impl Into<String>) -> Result<Self> {
        let secret = Self::new(value);
        if secret.0.is_empty() || secret.0.chars().any(char::is_control) {
            bail!(
                "reading `{name}`: it is empty or holds a line break or another control character; \
                 set it again without the trailing newline, for example with `printf %s`"
            );
        }
        Ok(secret)
    }

    /// `user:secret` in base64, as in HTTP's Basic scheme and docker's configuration. It is a secret of its own,
    /// because a server may send back what it received.
    #[must_use]
    pub fn with_user(&self, user: &str) -> Self {
        Self::new(STANDARD.encode(format!("{user}:{}", self.0)))
    }

    /// The value itself, for the environment or the standard input of one child.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

/// Masks every known secret in `text`: as a whole, line by line, and in base64. (Forges echo bad tokens in their 401
/// message.)
#[must_use]
pub fn redact(text: &str) -> String {
    let fragments = FRAGMENTS.lock().unwrap_or_else(PoisonError::into_inner);
    fragments.iter().fold(text.to_owned(), |text, fragment| text.replace(fragment.as_str(), MASK))
}

/// The size of the longest text that [`redact`] masks, in bytes.
pub(super) fn longest() -> usize {
    let fragments = FRAGMENTS.lock().unwrap_or_else(PoisonError::into_inner);
    fragments.iter().map(String::len).max().unwrap_or_default()
}

/// The last `most` of `bytes`, or fewer if they would begin within a secret: [`redact`] does not recognize a part of
/// one.
pub(super) fn tail(bytes: &[u8], most: usize) -> &[u8] {
    let fragments = FRAGMENTS.lock().unwrap_or_else(PoisonError::into_inner);
    let mut start = bytes.len().saturating_sub(most);
    let end_around = |fragment: &String, at: usize| {
        let (fragment, size) = (fragment.as_bytes(), fragment.len());
        (at.saturating_sub(size - 1)..at)
            .find(|from| bytes[*from..].starts_with(fragment))
            .map(|from| from + size)
    };
    while let Some(end) = fragments.iter().filter_map(|fragment| end_around(fragment, start)).max() {
        start = end;
    }
    &bytes[start..]
}

/// Makes [`redact`] mask `value` from now on. For the secret part of a longer text, such as the password in an address.
pub(crate) fn register(value: &str) {
    let mut fragments = FRAGMENTS.lock().unwrap_or_else(PoisonError::into_inner);
    let whole = [value.to_owned(), STANDARD.encode(value)];
    for fragment in whole.into_iter().chain(value.lines().map(|line| line.trim().to_owned())) {
        let is_pem_frame = fragment.starts_with("-----");
        if fragment.len() >= SHORTEST_MASKED && !is_pem_frame && !fragments.contains(&fragment) {
            fragments.push(fragment);
        }
    }
    // Longest first, so that a secret which contains another one is masked as a whole.
    fragments.sort_by_key(|fragment| std::cmp::Reverse(fragment.len()));
}

#[cfg(test)]
mod tests {
    use super::{Secret, redact, tail};

    #[test]
    fn a_secret_is_masked_whole_by_line_and_in_base64() {
        let secret = Secret::new("first-line-of-key\nsecond-line-of-key");
        assert_eq!(redact("got second-line-of-key back"), "got *** back");
        assert_eq!(redact(secret.expose()), "***");
        assert_eq!(redact("Zmlyc3QtbGluZS1vZi1rZXkKc2Vjb25kLWxpbmUtb2Yta2V5"), "***");
    }

    #[test]
    fn the_lines_of_a_key_are_masked_but_not_its_frame() {
        let _key = Secret::new("-----BEGIN TEST KEY-----\nsecret-line-of-a-key\n-----END TEST KEY-----\n");
        let said = "-----BEGIN TEST KEY-----, then secret-line-of-a-key";
        assert_eq!(redact(said), "-----BEGIN TEST KEY-----, then ***");
    }

    #[test]
    fn a_user_and_a_secret_in_base64_are_masked() {
        let pair = Secret::new("token-of-alice").with_user("alice");
        assert_eq!(pair.expose(), "YWxpY2U6dG9rZW4tb2YtYWxpY2U=");
        assert_eq!(redact("sent: Basic YWxpY2U6dG9rZW4tb2YtYWxpY2U="), "sent: Basic ***");
    }

    #[test]
    fn a_longer_secret_is_masked_before_the_shorter_one_inside_it() {
        let _inner = Secret::new("inner-value");
        let _outer = Secret::new("outer-inner-value-outer");
        assert_eq!(redact("x outer-inner-value-outer x"), "x *** x");
    }

    #[test]
    fn a_tail_begins_neither_within_a_secret_nor_within_an_overlapping_one() {
        let _secrets = ["tail-secret-one", "one-and-two", "two-more"].map(Secret::new);
        for (text, most, expected) in [
            ("x tail-secret-one y", 2, " y"),
            ("x tail-secret-one y", 3, " y"),
            ("x tail-secret-one y", 16, " y"),
            ("x tail-secret-one y", 17, "tail-secret-one y"),
            ("x tail-secret-one y", 100, "x tail-secret-one y"),
            ("tail-secret-one-and-two-more end", 28, " end"),
            ("tail-secret-on", 3, "-on"),
            ("", 3, ""),
        ] {
            assert_eq!(tail(text.as_bytes(), most), expected.as_bytes(), "{text}, {most}");
        }
    }

    #[test]
    fn a_secret_with_a_newline_is_refused_and_the_error_names_only_its_variable() {
        let Err(error) = Secret::single_line("REGISTRY_TOKEN", "abcdefgh\n") else {
            panic!("a newline must be refused");
        };
        assert!(error.to_string().contains("`REGISTRY_TOKEN`"), "{error}");
        assert!(!error.to_string().contains("abcdefgh"), "{error}");
        assert!(Secret::single_line("REGISTRY_TOKEN", "").is_err());
    }
}

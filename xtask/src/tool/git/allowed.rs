//! The names of a key in a list of allowed signers (ssh-keygen(1), "ALLOWED SIGNERS"). git reports only one of them
//! when it accepts a signature. Only git and ssh-keygen decide whether a signature is accepted.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};

use super::Signer;
use crate::oci::reference::Digest;

impl Signer {
    /// Every name of the signer's key in the list `allowed`, and the one that git reported, in lower case. A key may
    /// have several names on one line, and several lines.
    #[must_use]
    pub fn names(&self, allowed: &[u8]) -> BTreeSet<String> {
        let list = String::from_utf8_lossy(allowed);
        let lines = list.lines().filter_map(names_and_rest);
        let of_key = lines.filter(|(_, rest)| rest.split_whitespace().any(|word| self.has_key(word)));
        let names = of_key.flat_map(|(names, _)| names.split(','));
        let all = names.map(|name| name.escape_debug().to_string()).chain([self.principal.clone()]);
        all.map(|name| name.to_lowercase()).collect()
    }

    /// Whether `word` is this signer's public key, in base64.
    fn has_key(&self, word: &str) -> bool {
        let digits = self.fingerprint.trim_start_matches("SHA256:");
        let (key, hash) = (STANDARD.decode(word), STANDARD_NO_PAD.decode(digits));
        key.is_ok_and(|key| hash.is_ok_and(|hash| Digest::of(&key) == Digest::of_hash(&hash)))
    }
}

/// The first field of a line, which may be in quotes, and the rest: options, the key's type, the key, a comment.
fn names_and_rest(line: &str) -> Option<(&str, &str)> {
    match line.trim_start() {
        comment if comment.starts_with('#') => None,
        line => match line.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"'),
            None => line.split_once([' ', '\t']),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::Signer;

    // Two keys, and the fingerprint that `ssh-keygen -l` prints for the first.
    const KEY: &str = "AAAAC3NzaC1lZDI1NTE5AAAAIHhwmUVbgPbj4TLUvEwjDBKQI3AsDWNvRqM4Nhv2Yv40";
    const OTHER: &str = "AAAAC3NzaC1lZDI1NTE5AAAAIIQnphZ7oKACjzceSW3J5PO/OOnmS5mZY53eeck1v0Hd";
    const FINGERPRINT: &str = "SHA256:9a/8nLFxxa95P1aGRc3esAQyjuQvK9o+9DBwlKV79hQ";

    #[test]
    fn a_key_has_the_names_of_all_of_its_lines() {
        let signer = Signer { principal: "alice".to_owned(), fingerprint: FINGERPRINT.to_owned() };
        for (list, expected) in [
            (format!("alice ssh-ed25519 {KEY}"), &["alice"][..]),
            (format!("alice ssh-ed25519 {OTHER}"), &["alice"]),
            (
                format!("Alice,a@example.org namespaces=\"git\" ssh-ed25519 {KEY} carol"),
                &["a@example.org", "alice"],
            ),
            (format!("alice ssh-ed25519 {KEY}\nbob ssh-ed25519 {KEY}"), &["alice", "bob"]),
            (format!("alice ssh-ed25519 {KEY}\nbob ssh-ed25519 {OTHER}"), &["alice"]),
            (
                format!("\t\"b c,bob\" valid-before=\"20270131\" ssh-ed25519\t{KEY}\r\n"),
                &["alice", "b c", "bob"],
            ),
            (format!("#bob ssh-ed25519 {KEY}\n\n  # eve ssh-ed25519 {KEY}\n\"eve {KEY}"), &["alice"]),
            // The key is on no line: git took this name from a certificate.
            (String::new(), &["alice"]),
        ] {
            let found: Vec<_> = signer.names(list.as_bytes()).into_iter().collect();
            assert_eq!(found, expected, "{list}");
        }
    }
}

#[cfg(test)]
mod hostile {
    use super::Signer;
    use crate::process::hostile::readers;

    readers! {
        allowed_signers: {
            seeds: vec![
                b"alice@example.org,bob namespaces=\"git\" ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAA\n# x\n\"a b\" ssh-rsa AAAA\n".to_vec(),
            ],
            words: &["\"", ",", "#", "\n", "\r", "\0", " ", "\t", "AAAA", "=", "cert-authority", "\u{1b}[2J", "\u{202e}"],
            read: |bytes| {
                let signer = Signer { principal: "a".to_owned(), fingerprint: format!("SHA256:{}", "A".repeat(43)) };
                let names = signer.names(bytes);
                assert!(names.contains("a") && !names.iter().any(|name| name.chars().any(char::is_control)));
            },
        }
    }
}

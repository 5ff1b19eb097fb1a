//! Finds strings that look like secrets, by the shapes that their issuers give them. The purpose is to catch what
//! somebody pasted into a commit by accident. A secret without a distinctive shape goes unnoticed, such as a Forgejo
//! token, which looks like a commit id.

use std::borrow::Cow;

/// Replaces the hidden part of a secret.
const MASK: char = '…';

/// How a token begins, which characters follow, and the least number of them.
struct Shape {
    prefix: &'static str,
    is_part: fn(u8) -> bool,
    least: usize,
}

/// From the documentation of GitHub, GitLab, Slack, AWS, npm, Google, Stripe, Docker, `PyPI`, Hugging Face, Vault and
/// age, and from RFC 7515 for `eyJ`, the beginning of a JSON object in base64.
const SHAPES: [Shape; 33] = [
    shape("ghp_", alphanumeric, 20),
    shape("gho_", alphanumeric, 20),
    shape("ghu_", alphanumeric, 20),
    shape("ghs_", alphanumeric, 20),
    shape("ghr_", alphanumeric, 20),
    shape("github_pat_", word, 20),
    shape("glpat-", dotted, 20),
    shape("gldt-", dotted, 20),
    shape("glrt-", dotted, 20),
    shape("glptt-", dotted, 20),
    shape("glcbt-", dotted, 20),
    shape("glsoat-", dotted, 20),
    shape("xoxa-", dashed, 10),
    shape("xoxb-", dashed, 10),
    shape("xoxe-", dashed, 10),
    shape("xoxp-", dashed, 10),
    shape("xoxr-", dashed, 10),
    shape("xoxs-", dashed, 10),
    shape("xapp-", dashed, 10),
    shape("AKIA", upper, 16),
    shape("ASIA", upper, 16),
    shape("npm_", alphanumeric, 30),
    shape("AIza", dashed, 30),
    shape("sk_live_", alphanumeric, 16),
    shape("sk_test_", alphanumeric, 16),
    shape("rk_live_", alphanumeric, 16),
    shape("rk_test_", alphanumeric, 16),
    shape("dckr_pat_", dashed, 20),
    shape("pypi-AgE", dashed, 20),
    shape("hf_", alphanumeric, 30),
    shape("hvs.", dashed, 20),
    shape("AGE-SECRET-KEY-1", upper, 30),
    shape("eyJ", base64, 20),
];

const fn shape(prefix: &'static str, is_part: fn(u8) -> bool, least: usize) -> Shape {
    Shape { prefix, is_part, least }
}

fn alphanumeric(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
}

fn upper(byte: u8) -> bool {
    byte.is_ascii_uppercase() || byte.is_ascii_digit()
}

fn word(byte: u8) -> bool {
    alphanumeric(byte) || byte == b'_'
}

fn dashed(byte: u8) -> bool {
    word(byte) || byte == b'-'
}

fn dotted(byte: u8) -> bool {
    dashed(byte) || byte == b'.'
}

fn base64(byte: u8) -> bool {
    dotted(byte) || matches!(byte, b'+' | b'/' | b'=')
}

/// The prefix of keys of `OpenAI` and others. Words such as `sk-learn` have it too, so a key must also have, within its
/// first [`SK_NEAR`] characters, a run of at least [`SK_RUN`] letters and digits that holds both.
const SK: &str = "sk-";
const SK_RUN: usize = 16;
const SK_NEAR: usize = 64;

/// The frame of a private key (RFC 7468). Its label is at most [`MAX_LABEL_LEN`] bytes long.
const BEGIN: &str = "-----BEGIN ";
const END: &str = "-----END ";
const FRAME: &str = "-----";
const MAX_LABEL_LEN: usize = 64;

/// What follows the scheme of an address (RFC 3986).
const SCHEME_END: &str = "://";

/// What people write in place of a password.
const PLACEHOLDERS: [&str; 6] = ["password", "pass", "passwd", "secret", "token", "user"];

/// A secret in a text. The text before `hidden` shows its kind and stays; the text from `hidden` to `end` is masked.
struct Found {
    hidden: usize,
    end: usize,
}

/// `text` with the secret part of each secret replaced by `…`, as in `ghp_…`. The time is linear in the length of the
/// text.
#[must_use]
pub fn masked(text: &str) -> Cow<'_, str> {
    let (mut shown, mut kept, mut at) = (String::new(), 0, 0);
    while let Some(begin) = next_beginning(text, at) {
        let Some(found) = found_at(text, begin) else {
            at = begin + 1;
            continue;
        };
        shown += &text[kept..found.hidden];
        shown.push(MASK);
        (kept, at) = (found.end, found.end);
    }
    if kept == 0 {
        return Cow::Borrowed(text);
    }
    shown += &text[kept..];
    Cow::Owned(shown)
}

/// Whether something in `text` looks like a secret.
#[must_use]
pub fn is_in(text: &str) -> bool {
    let mut at = 0;
    while let Some(begin) = next_beginning(text, at) {
        if found_at(text, begin).is_some() {
            return true;
        }
        at = begin + 1;
    }
    false
}

/// By the first byte of a secret, the possible second bytes, as a set of bits. Every prefix has both bytes, and all
/// are ASCII.
static BEGINNINGS: [u128; 128] = {
    let mut table = [0; 128];
    let mut at = 0;
    while at < SHAPES.len() {
        add(&mut table, SHAPES[at].prefix.as_bytes());
        at += 1;
    }
    add(&mut table, SK.as_bytes());
    add(&mut table, BEGIN.as_bytes());
    add(&mut table, SCHEME_END.as_bytes());
    table
};

const fn add(table: &mut [u128; 128], prefix: &[u8]) {
    table[prefix[0] as usize] |= 1 << prefix[1];
}

/// The next position from `at` on at which a secret may begin. Pages are long, secrets are rare, and this code runs
/// unoptimized, so the loop does no more than one table lookup for each byte.
fn next_beginning(text: &str, mut at: usize) -> Option<usize> {
    let bytes = text.as_bytes();
    while at + 1 < bytes.len() {
        let (first, second) = (bytes[at], bytes[at + 1]);
        if first < 128 && second < 128 && BEGINNINGS[usize::from(first)] & (1 << second) != 0 {
            return Some(at);
        }
        at += 1;
    }
    None
}

/// The secret that begins at `at`, a result of [`next_beginning`], if there is one. The time stays linear because
/// each shape reads a bounded number of bytes before it decides, or only as far as the next position at which the
/// same shape can begin.
fn found_at(text: &str, at: usize) -> Option<Found> {
    let bytes = text.as_bytes();
    match bytes[at] {
        b':' => user_of_address(text, at),
        b'-' => private_key(text, at),
        _ => token(bytes, at),
    }
}

fn token(bytes: &[u8], at: usize) -> Option<Found> {
    if at > 0 && bytes[at - 1].is_ascii_alphanumeric() {
        return None;
    }
    let rest = &bytes[at..];
    let length =
        |tail: &[u8], is_part: fn(u8) -> bool| tail.iter().take_while(|byte| is_part(**byte)).count();
    for Shape { prefix, is_part, least } in &SHAPES {
        let Some(tail) = rest.strip_prefix(prefix.as_bytes()) else { continue };
        if length(&tail[..tail.len().min(*least)], *is_part) == *least {
            let hidden = at + prefix.len();
            return Some(Found { hidden, end: hidden + length(tail, *is_part) });
        }
    }
    let tail = rest.strip_prefix(SK.as_bytes())?;
    let near = &tail[..length(&tail[..tail.len().min(SK_NEAR)], dashed)];
    let is_random = |run: &[u8]| {
        run.len() >= SK_RUN && run.iter().any(u8::is_ascii_digit) && run.iter().any(u8::is_ascii_alphabetic)
    };
    let hidden = at + SK.len();
    near.split(|byte| !alphanumeric(*byte))
        .any(is_random)
        .then(|| Found { hidden, end: hidden + length(tail, dashed) })
}

/// A private key, hidden from the end of the frame's first line to the end of its last line, or to the end of the
/// text. In a commit's subject the lines of a key are joined into one.
fn private_key(text: &str, at: usize) -> Option<Found> {
    let rest = text.as_bytes()[at..].strip_prefix(BEGIN.as_bytes())?;
    let near = &rest[..rest.len().min(MAX_LABEL_LEN)];
    let label = near.windows(FRAME.len()).position(|bytes| bytes == FRAME.as_bytes())?;
    let is_private = near[..label].windows(11).any(|bytes| bytes == b"PRIVATE KEY");
    let hidden = at + BEGIN.len() + label + FRAME.len();
    if !is_private {
        return None;
    }
    let end = match text[hidden..].starts_with(MASK) {
        true => hidden + MASK.len_utf8(),
        false => end_of_key(text, hidden).unwrap_or(text.len()),
    };
    Some(Found { hidden, end })
}

fn end_of_key(text: &str, from: usize) -> Option<usize> {
    let last = from + text[from..].find(END)? + END.len();
    Some(last + text[last..].find(FRAME)? + FRAME.len())
}

/// `user:password` in `scheme://user:password@host`. With http also a user without a password, because tokens are
/// given there too.
fn user_of_address(text: &str, at: usize) -> Option<Found> {
    let rest = text[at..].strip_prefix(SCHEME_END)?;
    let is_end = |c: char| c.is_whitespace() || c.is_control() || "/?#\"<>`".contains(c);
    let (user, _) = rest[..rest.find(is_end).unwrap_or(rest.len())].rsplit_once('@')?;
    let scheme =
        text.as_bytes()[..at].rsplit(|byte| !byte.is_ascii_alphanumeric()).next().unwrap_or_default();
    let is_http = [&b"http"[..], b"https"].iter().any(|name| scheme.eq_ignore_ascii_case(name));
    let secret = match user.split_once(':') {
        Some((_, password)) => password,
        None if is_http && user.bytes().all(dotted) => user,
        None => return None,
    };
    let hidden = at + SCHEME_END.len();
    (!is_placeholder(secret)).then(|| Found { hidden, end: hidden + user.len() })
}

/// `PASSWORD`, `$PASSWORD`, `***`.
fn is_placeholder(secret: &str) -> bool {
    secret.starts_with('$')
        || secret.chars().all(|c| "*xX.…".contains(c))
        || PLACEHOLDERS.iter().any(|word| secret.eq_ignore_ascii_case(word))
}

#[cfg(test)]
mod tests;

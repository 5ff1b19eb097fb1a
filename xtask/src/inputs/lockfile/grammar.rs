//! The forms of names, versions, paths and hashes in a lockfile that npm reads as they are meant.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Whether it is an archive in the service's folder or below it. Its integrity is checked like any other's.
pub(super) fn is_archive_of_ours(resolved: &str) -> bool {
    let Some(path) = resolved.strip_prefix("file:") else { return false };
    let is_archive = [".tgz", ".tar.gz", ".tar"].iter().any(|end| path.ends_with(end));
    let is_word = |word: &str| {
        !matches!(word, "" | "." | "..") && !word.contains(|c: char| c.is_control() || c == '\\')
    };
    is_archive && path.split('/').all(is_word)
}

/// Exactly one hash, in canonical base64.
pub(super) fn is_integrity(text: &str) -> bool {
    let hash = text.strip_prefix("sha512-").and_then(|hash| STANDARD.decode(hash).ok());
    hash.is_some_and(|hash| hash.len() == 64)
}

/// Whether the path is one of nested package folders. The first one is in the service's folder or in a local folder.
pub(super) fn is_place(path: &str) -> bool {
    let words: Vec<_> = path.split('/').collect();
    let Some(first) = words.iter().position(|word| *word == "node_modules") else { return false };
    let mut rest = &words[first..];
    while let ["node_modules", name, more @ ..] = rest {
        rest = match more {
            [second, more @ ..] if name.starts_with('@') && *second != "node_modules" => more,
            more if !name.starts_with('@') => more,
            _ => return false,
        };
    }
    rest.is_empty()
}

/// A name by the rules of npm's registry. Capitals are allowed, because old names have them.
pub(super) fn is_name(name: &str) -> bool {
    let is_word = |word: &str| {
        !word.is_empty()
            && !word.starts_with(['.', '_'])
            && word.chars().all(|c| c.is_ascii_alphanumeric() || "-._~".contains(c))
    };
    name.len() <= 214
        && match name.strip_prefix('@') {
            Some(scoped) => {
                scoped.split_once('/').is_some_and(|(scope, name)| is_word(scope) && is_word(name))
            }
            None => is_word(name) && name != "node_modules",
        }
}

/// An exact version with three numbers. npm reads everything else as a range, a tag or an address.
pub(super) fn is_version(version: &str) -> bool {
    let end = version.find(['-', '+']).unwrap_or(version.len());
    let (core, rest) = version.split_at(end);
    let is_number =
        |word: &str| !word.is_empty() && word.len() <= 16 && word.bytes().all(|c| c.is_ascii_digit());
    version.len() <= 256
        && core.split('.').count() == 3
        && core.split('.').all(is_number)
        && rest.chars().all(|c| c.is_ascii_alphanumeric() || "-.+".contains(c))
        && rest.len() != 1
}

/// Whether the entry at `path` is an installed package, and not a folder of the repository.
pub(super) fn is_in_node_modules(path: &str) -> bool {
    path.starts_with("node_modules/") || path.contains("/node_modules/")
}

//! Which of the lockfile's links are workspaces, by the patterns of the root's package.json.

use anyhow::{Result, ensure};

use super::entry::Lock;

/// More alternatives in the patterns of one package are a mistake.
const MOST_PATTERNS: usize = 1000;
/// So is a longer pattern.
const LONGEST_PATTERN: usize = 4096;

/// The folder of each workspace.
pub(super) fn of<'a>(lock: &'a Lock, patterns: &[String]) -> Result<Vec<&'a str>> {
    let longest = patterns.iter().map(String::len).max().unwrap_or_default();
    ensure!(longest <= LONGEST_PATTERN, "a pattern of `workspaces` is longer than {LONGEST_PATTERN} bytes");
    let patterns: Vec<_> =
        patterns.iter().flat_map(|pattern| alternatives(pattern)).take(MOST_PATTERNS).collect();
    let mut found = Vec::new();
    for (path, entry) in lock.packages.iter().filter(|(path, entry)| entry.link && is_top(path)) {
        let target = lock.target(path, entry)?;
        if is_meant(&patterns, target) {
            found.push(target);
        }
    }
    Ok(found)
}

fn is_top(path: &str) -> bool {
    path.strip_prefix("node_modules/").is_some_and(|name| !name.contains("/node_modules/"))
}

/// The last matching pattern decides. One that begins with `!` excludes.
fn is_meant(patterns: &[String], folder: &str) -> bool {
    let last = patterns.iter().rev().find(|pattern| fits(pattern.trim_start_matches('!'), folder));
    last.is_some_and(|pattern| !pattern.starts_with('!'))
}

fn fits(pattern: &str, folder: &str) -> bool {
    let pattern: Vec<_> = pattern.split('/').filter(|word| !matches!(*word, "" | ".")).collect();
    let folder: Vec<_> = folder.split('/').collect();
    path_fits(&pattern, &folder)
}

fn path_fits(pattern: &[&str], path: &[&str]) -> bool {
    matches(pattern, path, |word| *word == "**", |word, name| word_fits(word.as_bytes(), name.as_bytes()))
}

fn word_fits(pattern: &[u8], word: &[u8]) -> bool {
    matches(pattern, word, |letter| *letter == b'*', |wanted, letter| *wanted == b'?' || wanted == letter)
}

/// Whether a pattern with stars matches. Going back only to the last star is enough and keeps the time quadratic.
fn matches<T>(
    pattern: &[T],
    text: &[T],
    is_star: impl Fn(&T) -> bool,
    fits: impl Fn(&T, &T) -> bool,
) -> bool {
    let (mut at, mut position, mut star) = (0, 0, None);
    while position < text.len() {
        if pattern.get(at).is_some_and(&is_star) {
            star = Some((at, position));
            at += 1;
        } else if pattern.get(at).is_some_and(|wanted| fits(wanted, &text[position])) {
            (at, position) = (at + 1, position + 1);
        } else if let Some((last, skipped)) = star {
            star = Some((last, skipped + 1));
            (at, position) = (last + 1, skipped + 1);
        } else {
            return false;
        }
    }
    pattern[at..].iter().all(is_star)
}

/// Expands `packages/{a,b}` to `packages/a` and `packages/b`.
fn alternatives(pattern: &str) -> Vec<String> {
    let braces = pattern.split_once('{').and_then(|(before, rest)| {
        let (inside, after) = rest.split_once('}')?;
        Some((before, inside, after))
    });
    let Some((before, inside, after)) = braces else { return vec![pattern.to_owned()] };
    let choices = inside.split(',').take(MOST_PATTERNS);
    choices.flat_map(|choice| alternatives(&format!("{before}{choice}{after}"))).take(MOST_PATTERNS).collect()
}

#[cfg(test)]
mod tests {
    use super::{alternatives, is_meant};

    #[test]
    fn workspaces_are_told_by_patterns() {
        for (patterns, folder, expected) in [
            (&["packages/*"][..], "packages/core", true),
            (&["packages/*"], "packages/core/sub", false),
            (&["./packages/*/"], "packages/core", true),
            (&["packages/**"], "packages/core/sub", true),
            (&["packages/{core,web}"], "packages/web", true),
            (&["packages/{core,web}"], "packages/cli", false),
            (&["packages/*", "!packages/old"], "packages/old", false),
            (&["packages/*-node"], "packages/a-node", true),
            (&["core"], "core", true),
            (&["core"], "tools/core", false),
        ] {
            let patterns: Vec<_> = patterns.iter().flat_map(|pattern| alternatives(pattern)).collect();
            assert_eq!(is_meant(&patterns, folder), expected, "{patterns:?} {folder}");
        }
    }

    #[test]
    fn many_stars_do_not_take_for_ever_and_many_braces_are_cut_off() {
        assert!(alternatives(&"{a,b}".repeat(40)).len() <= super::MOST_PATTERNS);
        assert!(!is_meant(&["*a".repeat(1000)], &"a".repeat(500)));
        assert!(!is_meant(&["**/a/".repeat(800)], &"a/".repeat(700)));
    }
}

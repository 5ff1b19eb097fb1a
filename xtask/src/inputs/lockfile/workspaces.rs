//! Which of the lockfile's links are workspaces, by the patterns of the root's package.json.

use std::cell::Cell;
use std::collections::BTreeSet;

use anyhow::{Result, ensure};

use super::entry::{Lock, Ranges};

/// More alternatives in the patterns of one package are a mistake.
const MAX_PATTERNS: usize = 1000;
/// A longer pattern, in bytes, is a mistake too.
const MAX_PATTERN_LEN: usize = 256;
/// The maximum number of comparisons of words and letters, for all patterns and folders together. A thousand folders,
/// each named by a pattern of its own, take half of it.
const MAX_STEPS: usize = 20_000_000;

/// The folder of each workspace. If a pattern uses a part of npm's grammar that is not read here, such as
/// `packages/!(old)` or `packages/{1..3}`, these are all linked folders on which no package depends by `file:`, because
/// npm links to no others.
pub(super) fn of<'a>(lock: &'a Lock, patterns: &[String]) -> Result<BTreeSet<&'a str>> {
    let longest = patterns.iter().map(String::len).max().unwrap_or_default();
    ensure!(
        longest <= MAX_PATTERN_LEN,
        "a pattern of `workspaces` has {longest} bytes: expected {MAX_PATTERN_LEN} at most; shorten it in `package.json`, and \
         run `npm install --package-lock-only`"
    );
    let is_whole = patterns.iter().all(|pattern| is_read(pattern));
    let by_file = if is_whole { BTreeSet::new() } else { depended_on_by_file(lock) };
    let patterns: Vec<_> =
        patterns.iter().flat_map(|pattern| alternatives(pattern)).take(MAX_PATTERNS).collect();
    let patterns = Patterns::of(&patterns);
    let mut found = BTreeSet::new();
    for (path, entry) in lock.packages.iter().filter(|(path, entry)| entry.link && is_top(path)) {
        let target = lock.target(path, entry)?;
        let name = path.trim_start_matches("node_modules/");
        if if is_whole { patterns.mean(target) } else { !by_file.contains(name) } {
            found.insert(target);
        }
        ensure!(
            patterns.steps.get() <= MAX_STEPS,
            "the patterns of `workspaces` cannot be compared with all linked folders in {MAX_STEPS} steps; write fewer or \
             simpler ones into `package.json`, and run `npm install --package-lock-only`"
        );
    }
    Ok(found)
}

/// The names of the packages on which another one depends by `file:`.
fn depended_on_by_file(lock: &Lock) -> BTreeSet<&str> {
    let all = lock.packages.values().flat_map(|entry| {
        let Ranges { dependencies, dev_dependencies, optional_dependencies, .. } = &entry.ranges;
        dependencies.iter().chain(dev_dependencies).chain(optional_dependencies)
    });
    all.filter(|(_, range)| range.starts_with("file:")).map(|(name, _)| name.as_str()).collect()
}

fn is_top(path: &str) -> bool {
    path.strip_prefix("node_modules/").is_some_and(|name| !name.contains("/node_modules/"))
}

struct Patterns<'a> {
    /// The words of each pattern, and whether it excludes folders, by a `!` at its beginning.
    all: Vec<(Vec<&'a str>, bool)>,
    /// The number of comparisons so far. After [`MAX_STEPS`], nothing fits.
    steps: Cell<usize>,
}

impl<'a> Patterns<'a> {
    fn of(patterns: &'a [String]) -> Self {
        let words = |pattern: &'a str| pattern.split('/').filter(|word| !matches!(*word, "" | ".")).collect();
        // Two `!` cancel each other out.
        let of = |pattern: &'a String| {
            let rest = pattern.trim_start_matches('!');
            (words(rest), (pattern.len() - rest.len()) % 2 == 1)
        };
        Self { all: patterns.iter().map(of).collect(), steps: Cell::new(0) }
    }

    /// Whether `folder` is a workspace: the last pattern that fits decides.
    fn mean(&self, folder: &str) -> bool {
        let folder: Vec<_> = folder.split('/').collect();
        let last = self.all.iter().rev().find(|(pattern, _)| self.path_fits(pattern, &folder));
        last.is_some_and(|(_, excludes)| !excludes)
    }

    fn path_fits(&self, pattern: &[&str], path: &[&str]) -> bool {
        let fits = |word: &&str, name: &&str| self.word_fits(word.as_bytes(), name.as_bytes());
        self.fit(pattern, path, |word| *word == "**", fits)
    }

    fn word_fits(&self, pattern: &[u8], word: &[u8]) -> bool {
        self.fit(
            pattern,
            word,
            |letter| *letter == b'*',
            |wanted, letter| *wanted == b'?' || wanted == letter,
        )
    }

    /// Whether a pattern with stars fits. Going back only to the last star is enough and keeps the time quadratic.
    fn fit<T>(
        &self,
        pattern: &[T],
        text: &[T],
        is_star: impl Fn(&T) -> bool,
        fits: impl Fn(&T, &T) -> bool,
    ) -> bool {
        let (mut at, mut position, mut star) = (0, 0, None);
        while position < text.len() {
            self.steps.set(self.steps.get() + 1);
            if self.steps.get() > MAX_STEPS {
                return false;
            }
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
}

/// Whether every part of `pattern` is of the grammar that is read here. Of braces, that is a list such as `{a,b}`.
fn is_read(pattern: &str) -> bool {
    let mut parts = pattern.split('{');
    let before_braces = parts.next().unwrap_or_default();
    let is_list = |part: &str| {
        let braces = part.split_once('}');
        braces.is_some_and(|(inside, after)| {
            inside.contains(',') && !inside.contains("..") && !after.contains('}')
        })
    };
    !pattern.contains(['(', '[', '\\']) && !before_braces.contains('}') && parts.all(is_list)
}

/// Expands `packages/{a,b}` to `packages/a` and `packages/b`.
fn alternatives(pattern: &str) -> Vec<String> {
    let braces = pattern.split_once('{').and_then(|(before, rest)| {
        let (inside, after) = rest.split_once('}')?;
        Some((before, inside, after))
    });
    let Some((before, inside, after)) = braces else { return vec![pattern.to_owned()] };
    let choices = inside.split(',').take(MAX_PATTERNS);
    choices.flat_map(|choice| alternatives(&format!("{before}{choice}{after}"))).take(MAX_PATTERNS).collect()
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::{Patterns, alternatives, of};
    use crate::inputs::lockfile::entry::Lock;

    fn is_meant(patterns: &[String], folder: &str) -> bool {
        Patterns::of(patterns).mean(folder)
    }

    /// The refusal of a lockfile with links to `folders`.
    fn refusal(patterns: &[String], folders: &[String]) -> Option<String> {
        let mut packages = String::from("\"\": {}");
        for (number, folder) in folders.iter().enumerate() {
            let link = format!("\"node_modules/x{number}\": {{\"link\": true, \"resolved\": \"{folder}\"}}");
            write!(packages, ", \"{folder}\": {{}}, {link}").unwrap();
        }
        let lock = format!("{{\"lockfileVersion\": 3, \"packages\": {{{packages}}}}}");
        let lock = Lock::parse(lock.as_bytes()).unwrap();
        of(&lock, patterns).err().map(|error| error.to_string())
    }

    #[test]
    fn long_patterns_and_too_many_comparisons_are_refused() {
        let deep = |number: usize| format!("{}{number}", "a".repeat(4000));
        let refused = refusal(&[format!("*{}b", "a".repeat(1998))], &[deep(0)]).unwrap();
        assert!(
            refused.contains("a pattern of `workspaces` has 2000 bytes: expected 256 at most"),
            "{refused}"
        );
        let costly = vec![format!("*{}b", "a".repeat(254)); 1000];
        let refused = refusal(&costly, &(0..20).map(deep).collect::<Vec<_>>()).unwrap();
        assert!(refused.contains("cannot be compared with all linked folders"), "{refused}");
        let each: Vec<_> = (0..1000).map(|number| format!("packages/{number}-service")).collect();
        assert_eq!(refusal(&each, &each), None);
        assert_eq!(refusal(&["packages/*-service".to_owned()], &each), None);
    }

    #[test]
    fn workspaces_are_recognized_by_patterns() {
        for (patterns, folder, expected) in [
            (&["packages/*"][..], "packages/core", true),
            (&["packages/*"], "packages/core/sub", false),
            (&["./packages/*/"], "packages/core", true),
            (&["packages/**"], "packages/core/sub", true),
            (&["packages/{core,web}"], "packages/web", true),
            (&["packages/{core,web}"], "packages/cli", false),
            (&["packages/*", "!packages/old"], "packages/old", false),
            (&["!!packages/old"], "packages/old", true),
            (&["packages/*-node"], "packages/a-node", true),
            (&["core"], "core", true),
            (&["core"], "tools/core", false),
        ] {
            let patterns: Vec<_> = patterns.iter().flat_map(|pattern| alternatives(pattern)).collect();
            assert_eq!(is_meant(&patterns, folder), expected, "{patterns:?} {folder}");
        }
    }

    #[test]
    fn with_an_unsupported_pattern_every_link_is_a_workspace_unless_needed_by_file() {
        let lock = serde_json::json!({"lockfileVersion": 3, "packages": {
            "": {"devDependencies": {"tool": "file:tool"}},
            "packages/core": {"devDependencies": {"lint": "*"}},
            "packages/lint": {},
            "tool": {},
            "node_modules/core": {"resolved": "packages/core", "link": true},
            "node_modules/lint": {"resolved": "packages/lint", "link": true},
            "node_modules/tool": {"resolved": "tool", "link": true},
        }});
        let lock = Lock::parse(lock.to_string().as_bytes()).unwrap();
        for (pattern, expected) in [
            ("packages/!(legacy)", &["packages/core", "packages/lint"][..]),
            ("packages/[cl]*", &["packages/core", "packages/lint"]),
            ("packages/{a..l}ore", &["packages/core", "packages/lint"]),
            ("packages/{core,{x,y}}", &["packages/core", "packages/lint"]),
            ("packages/{core", &["packages/core", "packages/lint"]),
            ("packages/c\\ore", &["packages/core", "packages/lint"]),
            ("{packages,x}/{core,y}", &["packages/core"]),
            ("packages/core", &["packages/core"]),
        ] {
            assert!(of(&lock, &[pattern.to_owned()]).unwrap().iter().eq(expected), "{pattern}");
        }
    }

    #[test]
    fn many_stars_are_matched_quickly_and_many_braces_are_cut_off() {
        assert!(alternatives(&"{a,b}".repeat(40)).len() <= super::MAX_PATTERNS);
        assert!(!is_meant(&["*a".repeat(1000)], &"a".repeat(500)));
        assert!(!is_meant(&["**/a/".repeat(800)], &"a/".repeat(700)));
    }
}

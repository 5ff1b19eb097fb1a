//! `.dockerignore`: the paths of which the builder gets nothing (docs/facts.md, "What is left out of a context").

use std::collections::BTreeSet;

/// The largest file that is read here, in bytes, and the deepest path: every pattern is compared with every folder of
/// it.
const MAX_SIZE: usize = 16 << 10;
const DEEPEST: usize = 32;

/// The patterns, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ignored(Vec<Pattern>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Pattern {
    /// Whether it brings back what earlier patterns leave out.
    is_exception: bool,
    /// Each matches one part of a path; `**` matches any number.
    parts: Vec<String>,
}

impl Ignored {
    /// Reads the file. `None` if it is too large, or if a pattern has syntax that is not supported here: then nothing
    /// is certain.
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        if text.len() > MAX_SIZE {
            return None;
        }
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let lines = text.lines().filter(|line| !line.starts_with('#')).map(str::trim);
        lines.filter(|line| !line.is_empty()).map(Pattern::read).collect::<Option<_>>().map(Self)
    }

    /// Whether the builder gets nothing of `path`, a file or a folder.
    #[must_use]
    pub fn leaves_out(&self, path: &str, is_folder: bool) -> bool {
        let path: Vec<_> = path.split('/').collect();
        if path.len() > DEEPEST {
            return false;
        }
        let (mut covering, mut is_out) = (vec![false; self.0.len()], false);
        // The builder walks down. What matches a folder covers all that is in it.
        for depth in 1..=path.len() {
            is_out = false;
            for (pattern, covers) in self.0.iter().zip(&mut covering) {
                // It tries a pattern only where that would change the result.
                if !*covers && pattern.is_exception == is_out {
                    *covers = pattern.matches(&path[..depth]);
                }
                if *covers {
                    is_out = !pattern.is_exception;
                }
            }
        }
        let may_be_below = |pattern: &Pattern| pattern.is_exception && pattern.may_be_below(&path);
        is_out && !(is_folder && self.0.iter().any(may_be_below))
    }
}

impl Pattern {
    fn read(line: &str) -> Option<Self> {
        let (is_exception, pattern) =
            line.strip_prefix('!').map_or((false, line), |pattern| (true, pattern.trim()));
        let parts: Vec<_> = pattern.split('/').filter(|part| !matches!(*part, "" | ".")).collect();
        let is_read = |part: &&str| !part.contains(['[', ']', '\\']) && *part != ".." && is_star_alone(part);
        let all_read = !parts.is_empty() && parts.iter().all(is_read);
        all_read.then(|| Self { is_exception, parts: parts.into_iter().map(str::to_owned).collect() })
    }

    fn matches(&self, path: &[&str]) -> bool {
        let mut reached = BTreeSet::from([0]);
        for (number, part) in self.parts.iter().enumerate() {
            reached = if part == "**" {
                // At the end, `**` matches at least one part; elsewhere it may match none.
                let least = usize::from(number + 1 == self.parts.len());
                let first = reached.first().map_or(usize::MAX, |first: &usize| first.saturating_add(least));
                (0..=path.len()).filter(|place| first <= *place).collect()
            } else {
                let next = |place: usize| path.get(place).is_some_and(|name| matches(part, name));
                reached.into_iter().filter(|place| next(*place)).map(|place| place + 1).collect()
            };
        }
        reached.contains(&path.len())
    }

    /// Whether it may match something in the folder `path`. A pattern with a wildcard may.
    fn may_be_below(&self, path: &[&str]) -> bool {
        self.parts.iter().any(|part| part.contains(['*', '?']))
            || (self.parts.len() > path.len() && self.parts.iter().zip(path).all(|(part, name)| part == name))
    }
}

/// Whether `**` is a part by itself. Beside other characters, it matches more than one part.
fn is_star_alone(part: &str) -> bool {
    part == "**" || !part.contains("**")
}

/// Whether a part of a pattern matches a name: `*` is any text, `?` one character. Every place in the name that can be
/// reached is kept, so the time is bounded by the lengths.
fn matches(pattern: &str, name: &str) -> bool {
    let name: Vec<_> = name.chars().collect();
    let mut reached = BTreeSet::from([0]);
    for wanted in pattern.chars() {
        reached = if wanted == '*' {
            let first = reached.first().copied().unwrap_or(usize::MAX);
            (0..=name.len()).filter(|place| first <= *place).collect()
        } else {
            let is_match = |place: &usize| name.get(*place).is_some_and(|c| wanted == '?' || *c == wanted);
            reached.into_iter().filter(is_match).map(|place| place + 1).collect()
        };
    }
    reached.contains(&name.len())
}

#[cfg(test)]
mod tests {
    use super::{Ignored, MAX_SIZE};

    /// Each row was built with `BuildKit`.
    #[test]
    fn a_path_is_left_out_if_the_builder_does_not_get_it() {
        for (text, path, is_folder, expected) in [
            ("*\n!api/src\n", "service/src", true, true),
            ("*\n!api/src\n", "api/package.json", false, true),
            ("*\n!api/src\n", "api/src", true, false),
            ("*\n!api/src\n", "api/src/server.js", false, false),
            ("*\n!api/src\n", "api", true, false),
            // `*` has already matched `api`, so the last line is not tried.
            ("*\n!api/src\napi\n", "api/src/server.js", false, false),
            ("!api/src\napi\n", "api/src/server.js", false, true),
            ("a/**\n", "a", true, false),
            ("**/b/**\n", "a/b/c", false, true),
            ("*\n", "Dockerfile", false, true),
            ("\u{feff}*\r\nb\r\n", "a", false, true),
            ("*/\n", "a/b", false, true),
            ("# *\n *\n", "a", false, true),
            ("#*\n", "a", false, false),
            ("", "a", false, false),
            ("/a/\n", "a/b/c", false, true),
            ("a\n", "b/a", false, false),
            ("**/a\n", "b/a", false, true),
            ("**/a\n", "a", false, true),
            ("a/**\n", "a/b", false, true),
            ("a/**/b\n", "a/b", false, true),
            ("a/**/b\n", "a/x/y/b/z", false, true),
            ("a/**/b\n", "a/x/y/c", false, false),
            ("*.md\n!README.md\n", "README.md", false, false),
            ("*.md\n!README.md\n", "LICENSE.md", false, true),
            ("*.md\n", "notes/a.md", false, false),
            ("a?c\n", "abc", false, true),
            ("! a\n*\n", "a", false, true),
            ("*\n! a\n", "a", false, false),
            ("./a/./b\n", "a/b", false, true),
            ("**\n!a\n", "b", false, true),
            // A wildcard may match something below.
            ("*\n!*/src\n", "service", true, false),
        ] {
            let found = Ignored::read(text).unwrap().leaves_out(path, is_folder);
            assert_eq!(found, expected, "{text:?} {path}");
        }
    }

    #[test]
    fn a_large_file_or_an_unsupported_pattern_gives_no_result() {
        let long = "a\n".repeat(MAX_SIZE);
        for text in [&*long, "[a-c]\n", "a\\ b\n", "../a\n", "a**\n", "!\n", "/\n", ".\n"] {
            assert_eq!(Ignored::read(text), None, "{text:?}");
        }
    }
}

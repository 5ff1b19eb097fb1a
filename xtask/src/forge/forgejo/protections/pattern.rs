//! The patterns of the forge's rules, interpreted as Forgejo and Gitea do. Only what people use is supported: a name,
//! or a pattern with `*`.

use std::collections::BTreeSet;

/// Whether the pattern covers `name`. `*` is any text without `/`, `**` is any text. Reads the pattern from the left
/// and keeps every position in `name` that can be reached, so the time is bounded by the pattern's length.
pub(super) fn matches(pattern: &str, name: &str) -> bool {
    let places = || name.char_indices().map(|(at, _)| at).chain([name.len()]);
    let (mut rest, mut reached) = (pattern, BTreeSet::from([0]));
    while let Some(first) = rest.chars().next() {
        let is_any = rest.starts_with("**");
        rest = &rest[if is_any { 2 } else { first.len_utf8() }..];
        reached = match (is_any, first) {
            (true, _) => places().filter(|at| reached.first().is_some_and(|first| first <= at)).collect(),
            (false, '*') => {
                let goes_on = |from: &usize, at: usize| *from <= at && !name[*from..at].contains('/');
                places().filter(|at| reached.iter().any(|from| goes_on(from, *at))).collect()
            }
            (false, wanted) => {
                let here = reached.into_iter().filter(|at| name[*at..].starts_with(wanted));
                here.map(|at| at + wanted.len_utf8()).collect()
            }
        };
    }
    reached.contains(&name.len())
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn a_pattern_matches_the_same_names_as_on_the_forge() {
        for (pattern, name, expected) in [
            ("v*", "v1.2.3", true),
            ("*", "main", true),
            ("v*.*.*", "v1.2.3", true),
            ("main", "main", true),
            ("main", "main2", false),
            ("release/*", "release/1.x", true),
            ("release/*", "release/1/x", false),
            ("**", "release/1/x", true),
            ("v1.*", "v10.20.30", false),
            ("", "v1", false),
            ("**/x", "a/b/x", true),
            ("*ä*", "xäy", true),
            (&*format!("{}b", "*a".repeat(40)), &*"a".repeat(80), false),
        ] {
            assert_eq!(matches(pattern, name), expected, "{pattern} {name}");
        }
    }
}

//! How the subject of a commit announces a breaking change. The forms are those of Conventional Commits 1.0.0, and others
//! that people write in their place: a reader who is not told about a breaking change is worse off than one who is told
//! about something harmless.
//! <https://www.conventionalcommits.org/en/v1.0.0/>

use crate::tool::git::pull_request::unnumbered;

/// The words that announce a breaking change, in lower case and the longest first.
const SPELLINGS: [&str; 5] =
    ["breaking changes", "breaking-changes", "breaking change", "breaking-change", "breaking"];

/// Whether `head`, the text before the colon of a subject, announces a breaking change: any type with `!`, with or
/// without a scope, or the words of a footer in any spelling. A tag in brackets may be before it.
#[must_use]
pub fn announces_break(head: &str) -> bool {
    if let Some((tag, head)) = tagged(head) {
        return is_spelling(tag) || announces_break(head);
    }
    if is_spelling(head) {
        return true;
    }
    let name = match head.strip_suffix('!') {
        Some(marked) => Some(without_scope(marked).unwrap_or(marked)),
        // `feat!(api)`.
        None => without_scope(head).and_then(|name| name.strip_suffix('!')),
    };
    let is_type = |c: char| !c.is_whitespace() && !":()![]".contains(c);
    name.is_some_and(|name| !name.is_empty() && name.chars().all(is_type))
}

fn without_scope(head: &str) -> Option<&str> {
    Some(head.strip_suffix(')')?.split_once('(')?.0)
}

/// Whether a subject announces a breaking change without a head: it begins with `BREAKING`, or begins or ends with the
/// words of a footer in brackets.
#[must_use]
pub fn marks_break(subject: &str) -> bool {
    if let [b'B', ..] = subject.as_bytes() {
        let rest = subject.strip_prefix("BREAKING");
        return rest.is_some_and(|rest| !rest.starts_with(|c: char| c.is_alphanumeric() || c == '_'));
    }
    has_tag(subject, &[['[', ']'], ['(', ')']], is_spelling)
}

/// Whether a subject has a tag for which `is` holds: in `[…]` at its beginning, or between one of the pairs of `ends` at
/// its end, before the number of a pull request.
pub fn has_tag(subject: &str, ends: &[[char; 2]], is: impl Fn(&str) -> bool) -> bool {
    // Most subjects of a long history are ruled out by their first and last bytes.
    match subject.as_bytes() {
        [b'[', ..] if tagged(subject).is_some_and(|(tag, _)| is(tag)) => return true,
        [.., b')' | b']'] => {}
        _ => return false,
    }
    let subject = unnumbered(subject);
    let inner = |ends: &[char; 2]| Some(subject.strip_suffix(ends[1])?.rsplit_once(ends[0])?.1);
    ends.iter().find_map(inner).is_some_and(is)
}

/// The tag in brackets at the beginning of a subject, such as the branch of a backport, and what follows it.
#[must_use]
pub fn tagged(subject: &str) -> Option<(&str, &str)> {
    let (tag, rest) = subject.strip_prefix('[')?.split_once(']')?;
    let rest = rest.strip_prefix(':').unwrap_or(rest).trim_start();
    (!tag.is_empty() && !rest.is_empty()).then_some((tag, rest))
}

fn is_spelling(words: &str) -> bool {
    spelling(words).is_some_and(str::is_empty)
}

/// What follows the words of a footer in any spelling.
pub(super) fn spelling(text: &str) -> Option<&str> {
    SPELLINGS.iter().find_map(|words| {
        let (start, rest) = text.split_at_checked(words.len())?;
        start.eq_ignore_ascii_case(words).then_some(rest)
    })
}

#[cfg(test)]
mod tests {
    use super::{announces_break, marks_break};

    #[test]
    fn a_breaking_change_is_announced_by_a_mark_on_any_type_or_by_a_footers_words() {
        for head in [
            "feat!",
            "api!",
            "c++!",
            "fix(a b)!",
            "x()!",
            "feat!(api)",
            "[v1.2] feat!",
            "[BREAKING] feat",
            "BREAKING CHANGE",
            "BREAKING-CHANGE",
            "BREAKING",
            "Breaking changes",
        ] {
            assert!(announces_break(head), "{head}");
        }
        for head in [
            "feat",
            "",
            "!",
            "(x)!",
            "Hello there!",
            "a!!",
            "a(b!",
            "a)!",
            "[x] feat",
            "[]!",
            "Breaking news",
        ] {
            assert!(!announces_break(head), "{head}");
        }
    }

    #[test]
    fn a_subject_without_a_head_announces_a_breaking_change_at_one_of_its_ends() {
        for subject in [
            "BREAKING - drop Node 18",
            "BREAKING",
            "[BREAKING] Drop MySQL",
            "[Breaking change]: drop MySQL",
            "Drop MySQL (BREAKING)",
            "Drop MySQL [breaking] (#12)",
        ] {
            assert!(marks_break(subject), "{subject}");
        }
        for subject in
            ["", "BREAKINGS", "Breaking the store apart", "A (not breaking) change", "[x] a", "a (b)"]
        {
            assert!(!marks_break(subject), "{subject}");
        }
    }
}

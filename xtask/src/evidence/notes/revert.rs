//! What a revert took back, according to its subject. The commit that it names may be much older than the range, and
//! is not read.

use crate::tool::git::{QUOTING, REVERT, announces_break, quoted, squashed};

/// A commit that reverts something, or restores what was reverted before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Revert<'a> {
    /// What is gone; `None` if the subject does not name exactly that, or if the commit restores something.
    pub(super) gone: Option<&'a str>,
    /// The subject, without the number of its own pull request.
    pub(super) whole: &'a str,
    /// That number.
    pub(super) pull: Option<u32>,
    /// Whether it reverts or restores something that announced a breaking change: users who adapted to that have to
    /// adapt again.
    pub(super) breaks: bool,
}

impl<'a> Revert<'a> {
    /// Reads `Revert "…"` and `Reapply "…"`, as git and forges write them. A subject of another form counts only with
    /// `names_commit`: the message then names the reverted commit and says nothing else. Subjects with the type
    /// `revert` are read by [`Revert::of_type`].
    pub(super) fn of(subject: &'a str, names_commit: bool) -> Option<Self> {
        let (whole, pull) = numbered(subject);
        if let Some((word, old)) = quoted(whole) {
            return Some(Self::new((word == REVERT).then_some(old), old, whole, pull));
        }
        if !names_commit {
            return None;
        }
        // The revert button of Forgejo and Gitea copies the whole old subject: a number in it is not that of the
        // revert.
        if let Some(old) = subject.strip_prefix("revert ") {
            return Some(Self::new(Some(old).filter(|old| !is_id(old)), old, subject, None));
        }
        let old = whole.strip_prefix("Revert ").filter(|old| !old.starts_with('"'));
        Some(Self::new(old, old.unwrap_or(whole), whole, pull))
    }

    /// Reads a `subject` of the type `revert`; `old` is what follows the type.
    pub(super) fn of_type(subject: &'a str, old: &'a str) -> Self {
        let ((old, _), (whole, pull)) = (numbered(old), numbered(subject));
        Self::new(Some(old), old, whole, pull)
    }

    fn new(gone: Option<&'a str>, old: &'a str, whole: &'a str, pull: Option<u32>) -> Self {
        let gone = gone.filter(|gone| !is_revert(gone));
        let innermost = std::iter::successors(Some(old), |old| quoted(old).map(|(_, old)| old)).last();
        let head = innermost.and_then(|old| old.split_once(": ")).map(|(head, _)| head);
        Self { gone, whole, pull, breaks: head.is_some_and(announces_break) }
    }
}

fn numbered(text: &str) -> (&str, Option<u32>) {
    squashed(text).map_or((text, None), |(text, number)| (text, Some(number)))
}

/// Whether what was reverted is itself a revert, so that something is restored.
fn is_revert(text: &str) -> bool {
    let word = text.split([' ', ':', '(', '!']).next().unwrap_or_default();
    QUOTING.iter().any(|quoting| quoting.eq_ignore_ascii_case(word))
}

fn is_id(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::Revert;
    use crate::tool::git::Message;

    #[test]
    fn a_revert_names_what_is_gone_unless_it_restores_something() {
        let names = "\n\nThis reverts commit 0a1b2c3.\n";
        let id = "0a1b".repeat(10);
        for (message, expected) in [
            ("Revert \"feat: a\"".to_owned(), Some((Some("feat: a"), None))),
            (format!("Revert \"feat: a\"{names}"), Some((Some("feat: a"), None))),
            ("Revert \"feat: a (#15)\" (#16)".to_owned(), Some((Some("feat: a (#15)"), Some(16)))),
            ("Revert \"feat: a (#15)\"".to_owned(), Some((Some("feat: a (#15)"), None))),
            ("Revert \"say \"a\"\"".to_owned(), Some((Some("say \"a\""), None))),
            ("Reapply \"feat: a\"".to_owned(), Some((None, None))),
            ("Revert \"Revert \"feat: a\"\"".to_owned(), Some((None, None))),
            ("Revert \"Reapply \"feat: a\"\" (#3)".to_owned(), Some((None, Some(3)))),
            ("Revert \"revert: a\"".to_owned(), Some((None, None))),
            ("Revert \"Revertible\"".to_owned(), Some((Some("Revertible"), None))),
            (format!("Revert the cache (#9){names}"), Some((Some("the cache"), Some(9)))),
            (format!("Reverting the cache{names}"), Some((None, None))),
            (format!("revert {id}\n\nrevert feat: a (#15)\n"), Some((Some("feat: a (#15)"), None))),
            (format!("revert {id}"), Some((None, None))),
            (format!("revert {id}\n\nrevert revert feat: a\n"), Some((None, None))),
            ("Revert the cache".to_owned(), None),
            ("revert the cache".to_owned(), None),
            ("Revert \"\"".to_owned(), None),
            ("Revert \"a\" and b".to_owned(), None),
            ("Remove a".to_owned(), None),
        ] {
            let message = Message::of(&message);
            let found = Revert::of(&message.subject, message.reverts.is_some())
                .map(|revert| (revert.gone, revert.pull));
            assert_eq!(found, expected, "{message:?}");
        }
        let typed = Revert::of_type("revert(api): feat: a (#7)", "feat: a (#7)");
        assert_eq!((typed.gone, typed.whole, typed.pull), (Some("feat: a"), "revert(api): feat: a", Some(7)));
        assert_eq!(Revert::of_type("revert: revert: a", "revert: a").gone, None);
    }

    #[test]
    fn reverting_or_restoring_a_breaking_change_is_breaking() {
        for (subject, expected) in [
            ("Revert \"feat!: a\"", true),
            ("Revert \"feat(api)!: a (#1)\" (#2)", true),
            ("Reapply \"feat!: a\"", true),
            ("Revert \"Reapply \"feat!: a\"\"", true),
            ("Revert \"feat: a!: b\"", false),
            ("Revert \"Hello there!: a\"", false),
        ] {
            assert_eq!(Revert::of(subject, false).unwrap().breaks, expected, "{subject}");
        }
        assert!(Revert::of_type("revert: feat!: a", "feat!: a").breaks);
    }
}

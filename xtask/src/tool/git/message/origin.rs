//! The change that a message says it undoes or repeats, in the wording of git and of forges. The words are hostile
//! input: a commit that only mentions another one is a change of its own.

use super::footers::is_trailer;
use crate::oci::reference::is_hex_digit;
use crate::tool::git::pull_request::{squashed, unnumbered};

/// What a commit undoes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reverted {
    /// The commit with this id, or the only one whose id begins with it.
    Commit(String),
    /// The only commit with this subject.
    Subject(String),
}

/// How git and forges begin the subject of a revert.
const SUBJECTS: [&str; 3] = [REVERT, REAPPLY, TYPE];

/// The words before a quoted subject: git writes the second one when a revert is itself reverted.
pub const QUOTING: [&str; 2] = [REVERT, REAPPLY];
/// The first of them.
pub const REVERT: &str = "Revert";
const REAPPLY: &str = "Reapply";

/// The type of a revert by Conventional Commits.
const TYPE: &str = "revert";

/// How `git revert` begins the line that names a commit, and how GitHub begins the one that names a pull request.
const COMMIT: &str = "This reverts commit ";
const PULL_REQUEST: &str = "Reverts ";

/// What may follow the id: the end of the sentence, what `git revert --reference` adds about the commit, or the words
/// for a merge.
const AFTER: [&str; 3] = [".", " (", ", reversing"];

/// git abbreviates an id to at least this many digits by default, and no id is longer than `MAX_LEN`.
const SHORTEST: usize = 7;
const MAX_LEN: usize = 64;

/// Whether a subject begins like that of a revert.
pub(super) fn is_revert(subject: &str) -> bool {
    SUBJECTS.iter().any(|word| subject.starts_with(word))
}

/// What a message undoes if [`is_revert`] holds for its subject. One line of the body must name the commit, and no
/// other may. It is the first one, because a message of another form may mention a commit. Below git's own subject, the
/// reason may come before it.
pub(super) fn reverted(subject: &str, body: &str) -> Option<Reverted> {
    let old = undone(subject);
    let mut words = body.lines().map(str::trim).filter(|line| !line.is_empty());
    let mut naming = words.clone().filter_map(|line| line.strip_prefix(COMMIT));
    match (words.next(), naming.next(), naming.next()) {
        (_, Some(_), Some(_)) => None,
        (Some(first), Some(named), None) => {
            if old.is_some() || first.starts_with(COMMIT) {
                commit(named)
            } else {
                None
            }
        }
        (Some(first), None, _) if first.starts_with(PULL_REQUEST) => reverted_pull_request(&old?, first),
        (Some(_), None, _) if subject.starts_with(TYPE) => referenced(body),
        // Nothing else is said, or only who says it.
        _ if body.lines().all(|line| line.trim().is_empty() || is_trailer(line)) => {
            old.map(Reverted::Subject)
        }
        _ => None,
    }
}

/// The commit that the line after `This reverts commit ` names.
fn commit(named: &str) -> Option<Reverted> {
    let (id, after) = named.split_at(named.bytes().take_while(|byte| is_hex_digit(*byte)).count());
    let is_end = after.is_empty() || AFTER.iter().any(|words| after.starts_with(words));
    (is_id(id) && is_end).then(|| Reverted::Commit(id.to_owned()))
}

/// The only commit in the footer `Refs: …`, with which Conventional Commits 1.0.0 names what a commit of the type
/// `revert` undoes.
fn referenced(body: &str) -> Option<Reverted> {
    let mut named = body.lines().filter_map(|line| line.strip_prefix("Refs: ").map(str::trim));
    let only = named.next().filter(|id| is_id(id) && id.bytes().all(is_hex_digit))?;
    named.next().is_none().then(|| Reverted::Commit(only.to_owned()))
}

/// GitHub's squashed `Revert "feat: z (#15)" (#16)`, whose body is `Reverts acme/carol#15`.
fn reverted_pull_request(old: &str, first: &str) -> Option<Reverted> {
    let (_, named) = first.strip_prefix(PULL_REQUEST)?.rsplit_once('#')?;
    let (_, number) = squashed(old)?;
    (number.to_string() == named).then(|| Reverted::Subject(old.to_owned()))
}

/// The subject of what git's own subject of a revert undoes: what it quotes, and for `Reapply "…"` the revert of that.
fn undone(subject: &str) -> Option<String> {
    let (word, old) = quoted(unnumbered(subject))?;
    Some(if word == REVERT { old.to_owned() } else { format!("{REVERT} \"{old}\"") })
}

/// The word and the quoted subject of `Revert "…"` and `Reapply "…"`, as git and forges write them.
#[must_use]
pub fn quoted(subject: &str) -> Option<(&'static str, &str)> {
    let quoted = |word: &'static str| {
        let old = subject.strip_prefix(word)?.strip_prefix(" \"")?.strip_suffix('"')?;
        (!old.trim().is_empty()).then_some((word, old))
    };
    QUOTING.into_iter().find_map(quoted)
}

/// The commit that was reverted with the button of Forgejo and Gitea, and a subject for readers. The button writes
/// the subject `revert <id>`, and as the body `revert ` with the whole message of the reverted commit, whose footers
/// are not those of the revert.
pub(super) fn by_revert_button(subject: &str, body: &str) -> Option<(Reverted, String)> {
    let id = subject.strip_prefix("revert ").filter(|id| is_whole_id(id))?;
    let shown = match first_line(body) {
        None => subject.to_owned(),
        Some(first) if first.starts_with("revert ") => first.to_owned(),
        Some(first) => format!("revert {first}"),
    };
    Some((Reverted::Commit(id.to_owned()), shown))
}

/// The commit that the line of `git cherry-pick -x` names.
pub(super) fn picked(line: &str) -> Option<&str> {
    line.strip_prefix("(cherry picked from commit ")?.strip_suffix(')').filter(|id| is_whole_id(id))
}

fn first_line(body: &str) -> Option<&str> {
    body.lines().map(str::trim).find(|line| !line.is_empty())
}

/// Whether the length is that of an id, abbreviated or not.
fn is_id(id: &str) -> bool {
    (SHORTEST..=MAX_LEN).contains(&id.len())
}

fn is_whole_id(id: &str) -> bool {
    matches!(id.len(), 40 | 64) && id.bytes().all(is_hex_digit)
}

#[cfg(test)]
mod tests {
    use super::super::Message;
    use super::Reverted;

    #[test]
    fn a_revert_names_its_commit_in_the_wording_of_git_or_of_the_convention() {
        for (text, commit) in [
            ("Revert \"x\"\n\nThis reverts commit 0a1b2c3.", Some("0a1b2c3")),
            ("Reapply \"x\"\n\n\nThis reverts commit 0a1b2c3\r\nWhy.\n", Some("0a1b2c3")),
            ("revert: x\n\nThis reverts commit 0a1b2c3. It was slow.", Some("0a1b2c3")),
            ("Revert x\n\nThis reverts commit 0a1b2c3 (feat: a, 2026-01-01).", Some("0a1b2c3")),
            ("Revert \"x\"\n\nThis reverts commit 0a1b2c3, reversing\nchanges made to 1.", Some("0a1b2c3")),
            ("feat: y\n\nThis reverts commit 0a1b2c3.", None),
            ("Revert \"x\"\n\nThis reverts commit 0a1b2c3, whose words are old.", None),
            ("Revert \"x\"\n\nWhy.\n\nThis reverts commit 0a1b2c3.", Some("0a1b2c3")),
            ("Revert \"x\" (#7)\n\nWhy.\n\nThis reverts commit 0a1b2c3.", Some("0a1b2c3")),
            ("Revert x\n\nWhy.\n\nThis reverts commit 0a1b2c3.", None),
            ("revert: x\n\nRefs: 0a1b2c3\n", Some("0a1b2c3")),
            ("revert(api): x\n\nWhy.\n\nRefs: 0a1b2c3\nSigned-off-by: a", Some("0a1b2c3")),
            ("revert: x\n\nRefs: 0a1b2c3, 1a1b2c3", None),
            ("revert: x\n\nRefs: 0a1b2c3\nRefs: 1a1b2c3", None),
            ("revert: x\n\nRefs: #12", None),
            ("fix: x\n\nRefs: 0a1b2c3", None),
            ("Revert a and b\n\nThis reverts commit 0a1b2c3.\nThis reverts commit 1a1b2c3.", None),
            ("Revert \"x\"\n\nThis reverts commit 0a1b2c3.\n\nBREAKING CHANGE: y", None),
            ("revert!: x\n\nThis reverts commit 0a1b2c3.", None),
            ("Revert \"x\"\n\nThis reverts commit 0a1b.", None),
            ("Revert \"x\"\n\nThis reverts commit .", None),
            ("This reverts commit 0a1b2c3.", None),
        ] {
            let expected = commit.map(|commit| Reverted::Commit(commit.to_owned()));
            assert_eq!(Message::of(text).reverts.map(|found| *found), expected, "{text:?}");
        }
    }

    #[test]
    fn a_revert_that_says_nothing_else_names_the_subject() {
        for (text, subject) in [
            ("Revert \"feat: x\"", Some("feat: x")),
            ("Revert \"feat: x\" (#7)\n\nSigned-off-by: Ann\n", Some("feat: x")),
            ("Reapply \"feat: x\"", Some("Revert \"feat: x\"")),
            ("Revert \"Revert \"feat: x\"\"", Some("Revert \"feat: x\"")),
            ("Revert \"feat: x\"\n\nOnly its half.", None),
            ("Revert feat: x", None),
            ("Revert", None),
        ] {
            let expected = subject.map(|subject| Reverted::Subject(subject.to_owned()));
            assert_eq!(Message::of(text).reverts.map(|found| *found), expected, "{text:?}");
        }
    }

    #[test]
    fn a_squashed_revert_of_a_pull_request_names_the_subject() {
        for (text, subject) in [
            ("Revert \"feat: z (#15)\" (#16)\n\nReverts acme/carol#15", Some("feat: z (#15)")),
            ("Revert \"feat: z (#15)\"\n\nReverts acme/carol#15\n", Some("feat: z (#15)")),
            ("Revert \"feat: z (#15)\" (#16)\n\nReverts acme/carol#14", None),
            ("Revert \"feat: z\" (#16)\n\nReverts acme/carol#15", None),
            ("Undo \"feat: z (#15)\" (#16)\n\nReverts acme/carol#15", None),
        ] {
            let expected = subject.map(|subject| Reverted::Subject(subject.to_owned()));
            assert_eq!(Message::of(text).reverts.map(|found| *found), expected, "{text:?}");
        }
    }

    #[test]
    fn the_footers_that_a_forges_revert_button_copies_are_not_the_reverts_own() {
        let id = "0a1b".repeat(10);
        let read = |body: &str| Message::of(&format!("revert {id}\n\n{body}"));
        let found = read("revert feat!: a\n\nBREAKING CHANGE: b\n");
        assert_eq!((&*found.subject, found.breaking.len()), ("revert feat!: a", 0));
        assert_eq!(found.reverts.as_deref(), Some(&Reverted::Commit(id.clone())));
        assert_eq!(read("feat: edited").subject, "revert feat: edited");
        assert_eq!(read("").subject, format!("revert {id}"));
        assert_eq!(Message::of("revert 0a1b2c3\n\nBREAKING CHANGE: b").breaking, ["b"]);
    }

    #[test]
    fn a_copy_names_the_last_commit_that_it_was_picked_from() {
        let [first, last] =
            ["a", "b"].map(|digit| format!("(cherry picked from commit {})", digit.repeat(40)));
        let read = |text: &str| Message::of(text).picked;
        assert_eq!(read(&format!("x\n\nBREAKING CHANGE: y\n{first}\r\n{last}")), Some("b".repeat(40).into()));
        assert_eq!(read(&format!("x\n\n {first}\n(cherry picked from commit abcdef0)")), None);
    }
}

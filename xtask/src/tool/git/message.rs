//! The parts of a commit message that release notes need, however long the message is.

mod breaking;
mod footers;
mod origin;

pub use breaking::{announces_break, has_tag, marks_break, tagged};
pub use origin::{QUOTING, REVERT, Reverted, quoted};

use footers::Footers;

use super::pull_request::squashed;

/// Parts of a message, which is hostile input.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Message {
    /// The first paragraph on one line, like git's own `%s`.
    pub subject: String,
    /// The position of the first colon in the subject that is followed by a space. It is searched for while git is
    /// still printing the log, not later, when somebody waits for the notes.
    colon: Option<usize>,
    /// The breaking changes in its footers, by Conventional Commits 1.0.0, each on one line.
    pub breaking: Vec<String>,
    /// What it undoes, if it announces no breaking change: a revert that breaks something is a change of its own.
    /// Boxed, because few commits have it.
    pub reverts: Option<Box<Reverted>>,
    /// The commit of which it is a copy, as `git cherry-pick -x` names it.
    pub picked: Option<Box<str>>,
    /// The title of the pull request that it merged, if the message has the wording of a forge.
    pub title: Option<Box<str>>,
}

impl Message {
    /// Never fails: each part may be empty.
    #[must_use]
    pub fn of(text: &str) -> Self {
        let (first, body) = text.split_once('\n').unwrap_or((text, ""));
        // Most first paragraphs of a long history are one line.
        let first = if begins_and_ends_visibly(first) { first } else { first.trim() };
        let is_line = body.is_empty() || (body.starts_with('\n') && !first.is_empty());
        let subject = if is_line { first.to_owned() } else { subject(text) };
        // For most commits of a long history, the first byte rules out a revert.
        let may_revert =
            matches!(subject.as_bytes().first(), Some(b'R' | b'r')) && origin::is_revert(&subject);
        if may_revert && let Some((reverted, subject)) = origin::by_revert_button(&subject, body) {
            let reverts = Some(Box::new(reverted));
            return Self { colon: colon(&subject), subject, reverts, ..Self::default() };
        }
        let colon = colon(&subject);
        let mut message = Self { subject, colon, ..Self::default() };
        if !body.is_empty() {
            message.read(body);
        }
        if may_revert && !message.breaks() {
            message.reverts = origin::reverted(&message.subject, body).map(Box::new);
        }
        message
    }

    /// The subject before and after its first colon with a space; `None` where there is none.
    #[must_use]
    pub fn parts(&self) -> Option<(&str, &str)> {
        let colon = self.colon?;
        Some((&self.subject[..colon], &self.subject[colon + 2..]))
    }

    /// Takes the title of a merged pull request, if the subject is git's default. The title becomes the subject if it
    /// announces a breaking change, because no other commit may announce it.
    pub(super) fn take_title(&mut self, title: &str) {
        if !self.subject.starts_with("Merge ") || is_trailer(title) {
            return;
        }
        let head = title.split_once(": ").map_or("", |(head, _)| head);
        // The first line of the body may be one of the footers.
        if announces_break(head) && !head.contains('!') && !self.breaking.is_empty() {
            return;
        }
        if announces_break(head) || marks_break(title) {
            (self.colon, self.subject) = (colon(title), title.to_owned());
        }
        self.title = Some(title.into());
    }

    fn breaks(&self) -> bool {
        !self.breaking.is_empty()
            || marks_break(&self.subject)
            || self.parts().is_some_and(|(head, _)| announces_break(head))
    }

    /// The footers, which may span several paragraphs, and the copied commit.
    fn read(&mut self, body: &str) {
        let (mut footers, is_squashed) = (Footers::default(), squashed(&self.subject).is_some());
        // Faster than `lines` in unoptimized code. The carriage returns that `lines` would strip are trimmed below.
        for line in body.split('\n') {
            let line = line.trim_end();
            footers.read(line, is_squashed);
            if line.starts_with('(') {
                self.picked = origin::picked(line).map(Box::from).or(self.picked.take());
            }
        }
        footers.end();
        self.breaking = footers.found;
    }

    /// The size of the kept parts, in bytes.
    pub(super) fn size(&self) -> usize {
        let footers: usize = self.breaking.iter().map(String::len).sum();
        let reverts = self
            .reverts
            .as_deref()
            .map_or(0, |(Reverted::Commit(text) | Reverted::Subject(text))| text.len());
        let rare = [&self.picked, &self.title].into_iter().flatten().map(|text| text.len());
        self.subject.len() + footers + reverts + rare.sum::<usize>()
    }
}

/// Whether there is nothing to trim. Looks only at the first and the last byte.
fn begins_and_ends_visibly(text: &str) -> bool {
    match text.as_bytes() {
        [first, .., last] => first.is_ascii_graphic() && last.is_ascii_graphic(),
        _ => false,
    }
}

/// Searches for one byte, because that is much faster than for two.
fn colon(subject: &str) -> Option<usize> {
    let mut colon = subject.find(':')?;
    while subject.as_bytes().get(colon + 1) != Some(&b' ') {
        colon += 1 + subject[colon + 1..].find(':')?;
    }
    Some(colon)
}

fn subject(text: &str) -> String {
    let mut lines = text.lines().map(str::trim).skip_while(|line| line.is_empty());
    let mut subject = lines.next().unwrap_or_default().to_owned();
    for line in lines.take_while(|line| !line.is_empty()) {
        subject.push(' ');
        subject += line;
    }
    subject
}

/// Whether a line in the place of a title is not a title: a merge without one may have such lines below its subject.
fn is_trailer(line: &str) -> bool {
    let token = line.split_once(": ").map_or("", |(token, _)| token);
    token.ends_with("-by")
        || token == "Reviewed-on"
        || line.starts_with("See merge request ")
        || line.trim().is_empty()
}

#[cfg(test)]
mod tests {
    use super::Message;

    #[test]
    fn a_subject_is_the_first_paragraph_on_one_line() {
        for (text, subject) in [
            ("fix: a \x1f and `tick`\n\nmore\n", "fix: a \x1f and `tick`"),
            ("\r\nfix: a\r\n b\r\n\r\nc", "fix: a b"),
            (" fix: a \n\nb", "fix: a"),
            (" \n\nfix: a\n", "fix: a"),
            ("fix: a\nb", "fix: a b"),
            ("", ""),
            ("\n \n", ""),
        ] {
            assert_eq!(Message::of(text).subject, subject, "{text:?}");
        }
    }

    #[test]
    fn a_subject_has_two_parts_around_the_first_colon_with_a_space() {
        for subject in ["fix: a", "a:b: c: d", ": x", ":", "a:", "a :b", "é: ü", "", "::: x", "fix:  a"] {
            assert_eq!(Message::of(subject).parts(), subject.split_once(": "), "{subject}");
        }
    }

    #[test]
    fn a_merge_takes_its_pull_requests_title_which_becomes_the_subject_if_breaking() {
        let merge = "Merge pull request #7 from ann/x";
        for (text, title, expected) in [
            (merge, "Add b", (merge, Some("Add b"))),
            (merge, "feat!: b", ("feat!: b", Some("feat!: b"))),
            (merge, "[BREAKING] b", ("[BREAKING] b", Some("[BREAKING] b"))),
            (merge, "Drop b (breaking)", ("Drop b (breaking)", Some("Drop b (breaking)"))),
            (merge, "Signed-off-by: Ann <a@b>", (merge, None)),
            (merge, "Reviewed-on: https://x", (merge, None)),
            (merge, "See merge request a/b!7", (merge, None)),
            (merge, " ", (merge, None)),
            (&format!("{merge}\n\nBREAKING CHANGE: b"), "BREAKING CHANGE: b", (merge, None)),
            ("A subject of its own", "Add b", ("A subject of its own", None)),
        ] {
            let mut message = Message::of(text);
            message.take_title(title);
            assert_eq!((&*message.subject, message.title.as_deref()), expected, "{title}");
        }
    }
}

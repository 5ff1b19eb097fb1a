//! The parts of a commit message that release notes need, however long the message is.

/// Parts of a message, which is hostile input.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Message {
    /// The first paragraph on one line, like git's own `%s`.
    pub subject: String,
    /// Where the first colon with a space after it is in the subject. It is looked for while git still prints the log,
    /// and not when somebody waits for the notes.
    colon: Option<usize>,
    /// The breaking changes in its footers, by Conventional Commits 1.0.0, each on one line.
    pub breaking: Vec<String>,
    /// The commit that it claims to revert, in the words of `git revert`: any run of hexadecimal digits.
    pub reverts: Option<String>,
}

/// The footers that announce a breaking change.
const BREAKING: [&str; 2] = ["BREAKING CHANGE: ", "BREAKING-CHANGE: "];

/// How `git revert` begins the line that names a commit.
const REVERTS: &str = "This reverts commit ";

impl Message {
    /// Never fails: each part may be empty.
    #[must_use]
    pub fn of(text: &str) -> Self {
        let (first, body) = text.split_once('\n').unwrap_or((text, ""));
        // Most first paragraphs of a long history are one line.
        let first = if begins_and_ends_visibly(first) { first } else { first.trim() };
        let is_line = body.is_empty() || (body.starts_with('\n') && !first.is_empty());
        let subject = if is_line { first.to_owned() } else { subject(text) };
        let colon = colon(&subject);
        let mut message = Self { subject, colon, ..Self::default() };
        if !body.is_empty() {
            message.read(body);
        }
        message
    }

    /// The subject before and after its first colon with a space; `None` where there is none.
    #[must_use]
    pub fn parts(&self) -> Option<(&str, &str)> {
        let colon = self.colon?;
        Some((&self.subject[..colon], &self.subject[colon + 2..]))
    }

    /// The footers, which may span several lines, and the first revert.
    fn read(&mut self, body: &str) {
        let mut is_inside = false;
        for line in body.lines() {
            if self.reverts.is_none() {
                self.reverts = line.strip_prefix(REVERTS).map(hexadecimal);
            }
            let line = line.trim_end();
            let begins = match line.starts_with('B') {
                true => BREAKING.iter().find_map(|footer| line.strip_prefix(footer)),
                false => None,
            };
            match (begins, self.breaking.last_mut()) {
                (Some(text), _) => {
                    self.breaking.push(text.trim().to_owned());
                    is_inside = true;
                }
                (None, Some(last)) if is_inside && !line.is_empty() && !is_footer(line) => {
                    last.push(' ');
                    *last += line.trim();
                }
                _ => is_inside = false,
            }
        }
    }

    /// The size of the kept parts, in bytes.
    pub(super) fn size(&self) -> usize {
        let footers: usize = self.breaking.iter().map(String::len).sum();
        self.subject.len() + footers + self.reverts.as_ref().map_or(0, String::len)
    }
}

/// Whether there is nothing to trim, without reading all of it.
fn begins_and_ends_visibly(text: &str) -> bool {
    let bytes = text.as_bytes();
    [bytes.first(), bytes.last()].iter().all(|end| end.is_some_and(u8::is_ascii_graphic))
}

/// One byte is found much faster than two.
fn colon(subject: &str) -> Option<usize> {
    let mut from = 0;
    loop {
        let colon = from + subject[from..].find(':')?;
        if subject.as_bytes().get(colon + 1) == Some(&b' ') {
            return Some(colon);
        }
        from = colon + 1;
    }
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

/// `Signed-off-by: …` or `Fixes #…`.
fn is_footer(line: &str) -> bool {
    let is_token =
        |token: &str| !token.is_empty() && token.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
    [": ", " #"].iter().any(|mark| line.split_once(mark).is_some_and(|(token, _)| is_token(token)))
}

fn hexadecimal(rest: &str) -> String {
    rest.split(|c: char| !c.is_ascii_hexdigit()).next().unwrap_or_default().to_owned()
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
    fn a_footer_says_what_breaks_over_several_lines() {
        let message = "fix: x\n\nWords.\n\nBREAKING CHANGE: the port is\n  another one\nSigned-off-by: a\n\
            BREAKING-CHANGE: and the path\n\nBREAKING CHANGES: no footer\n";
        let breaking = Message::of(&message.replace('\n', "\r\n")).breaking;
        assert_eq!(breaking, ["the port is another one", "and the path"]);
        assert_eq!(Message::of("BREAKING CHANGE: a subject").breaking, [""; 0]);
    }

    #[test]
    fn a_revert_names_its_commit() {
        for (text, commit) in [
            ("Revert \"x\"\n\nThis reverts commit 0a1b.", Some("0a1b")),
            ("x\n\nThis reverts commit  ", Some("")),
            ("This reverts commit 0a1b.", None),
            ("x\n\nThis reverts commit 1.\r\nThis reverts commit 2.", Some("1")),
        ] {
            assert_eq!(Message::of(text).reverts.as_deref(), commit, "{text:?}");
        }
    }
}

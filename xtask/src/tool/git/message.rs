//! The parts of a commit message that release notes need, however long the message is.

/// Parts of a message, which is hostile input.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Message {
    /// The first paragraph on one line, like git's own `%s`.
    pub subject: String,
    /// The breaking changes in its footers, by Conventional Commits 1.0.0, each on one line.
    pub breaking: Vec<String>,
    /// The commit that it claims to revert, in the words of `git revert`: any run of hexadecimal digits.
    pub reverts: Option<String>,
}

/// The footers that announce a breaking change.
const BREAKING: [&str; 2] = ["BREAKING CHANGE: ", "BREAKING-CHANGE: "];

impl Message {
    /// Never fails: each part may be empty.
    #[must_use]
    pub fn of(text: &str) -> Self {
        Self { subject: subject(text), breaking: footers(text), reverts: reverted(text).map(str::to_owned) }
    }

    /// The size of the kept parts, in bytes.
    pub(super) fn size(&self) -> usize {
        let footers: usize = self.breaking.iter().map(String::len).sum();
        self.subject.len() + footers + self.reverts.as_ref().map_or(0, String::len)
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

/// The breaking changes in the footers of a message. A footer may span several lines.
fn footers(text: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    let mut is_inside = false;
    for line in text.lines().skip(1).map(str::trim_end) {
        let begins = BREAKING.iter().find_map(|footer| line.strip_prefix(footer));
        match (begins, found.last_mut()) {
            (Some(text), _) => {
                found.push(text.trim().to_owned());
                is_inside = true;
            }
            (None, Some(last)) if is_inside && !line.is_empty() && !is_footer(line) => {
                last.push(' ');
                *last += line.trim();
            }
            _ => is_inside = false,
        }
    }
    found
}

/// `Signed-off-by: …` or `Fixes #…`.
fn is_footer(line: &str) -> bool {
    let is_token =
        |token: &str| !token.is_empty() && token.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
    [": ", " #"].iter().any(|mark| line.split_once(mark).is_some_and(|(token, _)| is_token(token)))
}

fn reverted(text: &str) -> Option<&str> {
    let (_, rest) = text.split_once("\nThis reverts commit ")?;
    rest.split(|c: char| !c.is_ascii_hexdigit()).next()
}

#[cfg(test)]
mod tests {
    use super::Message;

    #[test]
    fn a_subject_is_the_first_paragraph_on_one_line() {
        for (text, subject) in [
            ("fix: a \x1f and `tick`\n\nmore\n", "fix: a \x1f and `tick`"),
            ("\r\nfix: a\r\n b\r\n\r\nc", "fix: a b"),
            ("", ""),
            ("\n \n", ""),
        ] {
            assert_eq!(Message::of(text).subject, subject, "{text:?}");
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
        ] {
            assert_eq!(Message::of(text).reverts.as_deref(), commit, "{text:?}");
        }
    }
}

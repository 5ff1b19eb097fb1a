//! The number of a pull request, in the wording that a forge writes into a commit. Messages are hostile input: a
//! number counts only in exactly these forms.

/// The maximum number of digits: no forge has a billion pull requests.
const MAX_LEN: usize = 9;

/// What stands before a number. Forgejo and Gitea write `!` in a repository whose issues are tracked elsewhere.
const MARKS: [char; 2] = ['#', '!'];

/// The number in `digits`, without a sign or leading zeros.
#[must_use]
fn number(digits: &str) -> Option<u32> {
    let is_number = (1..=MAX_LEN).contains(&digits.len())
        && digits.bytes().all(|byte| byte.is_ascii_digit())
        && !digits.starts_with('0');
    digits.parse().ok().filter(|_| is_number)
}

/// The number of the pull request whose merge has the message `text`. Forgejo and Gitea write
/// `Merge pull request 'title' (#12) from head into main`, GitHub writes `Merge pull request #12 from owner/head`, and
/// GitLab ends the message with a line `See merge request group/project!12`.
pub(super) fn merged(text: &str) -> Option<u32> {
    let (subject, body) = text.split_once('\n').unwrap_or((text, ""));
    subject.trim_end().strip_prefix("Merge pull request ").and_then(named).or_else(|| referenced(body))
}

/// The title of the pull request whose merge has the message `text`: quoted in the subject, as Forgejo and Gitea write
/// it, else the first line of the body.
pub(super) fn title(text: &str) -> Option<&str> {
    let (subject, body) = text.split_once('\n').unwrap_or((text, ""));
    let quoted = subject.strip_prefix("Merge pull request '").and_then(|rest| rest.rsplit_once("' ("));
    let first = || body.lines().map(str::trim).find(|line| !line.is_empty());
    quoted.map(|(title, _)| title).or_else(first)
}

/// The number at the end of `text` in the form ` (#7)`, which forges add to the subject of a squashed commit, and the
/// text without it.
#[must_use]
pub fn squashed(text: &str) -> Option<(&str, u32)> {
    let (text, digits) = text.strip_suffix(')')?.rsplit_once(" (")?;
    let number = number(digits.strip_prefix(MARKS)?)?;
    (!text.trim().is_empty()).then_some((text, number))
}

/// `text` without the number that [`squashed`] finds at its end.
#[must_use]
pub fn unnumbered(text: &str) -> &str {
    squashed(text).map_or(text, |(text, _number)| text)
}

/// The number in what follows `Merge pull request `.
fn named(rest: &str) -> Option<u32> {
    let words: Vec<_> = rest.split(' ').collect();
    match &words[..] {
        [digits, "from", head] => {
            let (owner, branch) = head.split_once('/')?;
            (!owner.is_empty() && !branch.is_empty()).then(|| number(digits.strip_prefix('#')?))?
        }
        // The title may have any words, but a branch has no space in its name.
        [title @ .., digits, "from", head, "into", base] if !head.is_empty() && !base.is_empty() => {
            let is_quoted = title.first()?.starts_with('\'') && title.last()?.ends_with('\'');
            // A quotation mark alone does not both begin and end a title.
            let is_title = is_quoted && *title != ["'"];
            let digits = MARKS.iter().find_map(|mark| digits.strip_prefix('(')?.strip_prefix(*mark))?;
            number(digits.strip_suffix(')')?).filter(|_| is_title)
        }
        _ => None,
    }
}

/// The number in the last line that refers to a merge request. A line above it may be part of a description.
fn referenced(body: &str) -> Option<u32> {
    let (project, digits) = body
        .lines()
        .filter_map(|line| line.trim_end().strip_prefix("See merge request ")?.rsplit_once('!'))
        .next_back()?;
    let is_project = project.contains('/')
        && project.split('/').all(|part| !part.is_empty() && !part.contains([' ', '!', '\t']));
    number(digits).filter(|_| is_project)
}

#[cfg(test)]
mod tests {
    use super::{merged, number, squashed, title};

    #[test]
    fn a_number_has_at_most_nine_digits_and_nothing_else() {
        assert_eq!((number("1"), number("999999999")), (Some(1), Some(999_999_999)));
        for other in ["", "0", "01", "+1", "-1", "1234567890", "1 ", "１", "1a", "#1"] {
            assert_eq!(number(other), None, "{other}");
        }
    }

    #[test]
    fn the_number_of_a_merge_is_read_in_the_wording_of_each_forge() {
        for (text, expected) in [
            ("Merge pull request 'a' (#12) from b into main", 12),
            (
                "Merge pull request 'it''s (#3) from x into y' (#12) from a/b:c into main\n\nReviewed-on: x\n",
                12,
            ),
            ("Merge pull request '' (#12) from b into main\r\n", 12),
            ("Merge pull request 'a' (!12) from b into main", 12),
            ("Merge pull request #12 from a/b\n\nMerge pull request #13 from c/d\n", 12),
            ("Merge pull request #12 from a/b/c\r\n\r\nTitle", 12),
            ("Merge branch 'b' into 'main'\n\nTitle\n\nSee merge request group/project!12\n", 12),
            ("Title\r\n\r\nSee merge request a/b!3\r\nSee merge request group/sub/project!12\r\n", 12),
        ] {
            assert_eq!(merged(text), Some(expected), "{text:?}");
        }
    }

    #[test]
    fn a_merge_has_the_title_in_its_subject_or_in_its_body() {
        for (text, expected) in [
            ("Merge pull request 'feat!: a' (#12) from b into main\n\nWords", Some("feat!: a")),
            ("Merge pull request 'it''s (#3)' (!12) from b into main", Some("it''s (#3)")),
            ("Merge pull request #12 from a/b\r\n\r\nfeat!: a\r\n", Some("feat!: a")),
            ("Merge branch 'b' into 'main'\n\nTitle\n\nSee merge request a/b!12", Some("Title")),
            ("Merge pull request #12 from a/b", None),
        ] {
            assert_eq!(title(text), expected, "{text:?}");
        }
    }

    #[test]
    fn a_squashed_commit_ends_with_its_number() {
        for (text, expected) in [
            ("a (#12)", Some(("a", 12))),
            ("a (!12)", Some(("a", 12))),
            ("a (#1) (#999999999)", Some(("a (#1)", 999_999_999))),
            ("a (#1234567890)", None),
            ("a (#0)", None),
            ("a (#01)", None),
            ("a (#-1)", None),
            ("a (##1)", None),
            ("a (#１)", None),
            ("a (#1) b", None),
            ("a(#1)", None),
            (" (#1)", None),
            ("a (1)", None),
            ("a (#)", None),
        ] {
            assert_eq!(squashed(text), expected, "{text}");
        }
    }

    #[test]
    fn any_other_wording_names_no_pull_request() {
        for text in [
            "",
            "Merge branch 'b' (#12)",
            "Merge pull request 'a' (#12)",
            "Merge pull request 'a' (#12) from b",
            "Merge pull request 'a' (#12) from b into main now",
            "Merge pull request 'a' (#12) from  into main",
            "Merge pull request 'a' (#12) from b into ",
            "Merge pull request a (#12) from b into main",
            "Merge pull request ' (#12) from b into main",
            "Merge pull request (#12) from b into main",
            "Merge pull request 'a' (#012) from b into main",
            "Merge pull request 'a' (#1234567890) from b into main",
            "Merge pull request 'a' (?12) from b into main",
            "Merge pull request 'a' #12 from b into main",
            "merge pull request 'a' (#12) from b into main",
            " Merge pull request 'a' (#12) from b into main",
            "x\nMerge pull request 'a' (#12) from b into main",
            "Merge pull request #12 from b",
            "Merge pull request #12 from /b",
            "Merge pull request #12 from a/",
            "Merge pull request #12 from a/b c",
            "Merge pull request 12 from a/b",
            "Merge pull request #-12 from a/b",
            "See merge request group/project!12",
            "x\n\nSee merge request project!12",
            "x\n\nSee merge request a//b!12",
            "x\n\nSee merge request a/b c!12",
            "x\n\nSee merge request a/b!3!12",
            "x\n\nSee merge request a/b!12.",
            "x\n\n See merge request a/b!12",
            "x\n\nSee merge request a/b#12",
            "x\n\nSee merge request a/b!12\nSee merge request a/b!x",
        ] {
            assert_eq!(merged(text), None, "{text:?}");
        }
    }
}

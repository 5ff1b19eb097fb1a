//! The people in a history, by name. The mailmap is the file in the given commit. The mailmaps of the work tree and of
//! the user do not count, so the same commit always gives the same names.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, Result, ensure};

use super::{Commit, Git};
use crate::process::Call;
use crate::process::leaks::masked;
use crate::process::shown::is_hidden;

/// The longest history, in commits, that is searched for known authors. Reading that many takes a second.
pub const MAX_COMMITS: usize = 200_000;

/// How many commits are searched first.
const NEAR: usize = 1_000;

/// The authors of the newest commits of a history.
#[derive(Debug, Default)]
pub struct Authors {
    names: BTreeSet<String>,
    /// Whether these commits are the whole history.
    are_all: bool,
}

/// Longer names are cut to this many characters.
const MAX_NAME_LEN: usize = 60;

impl Git {
    /// A call that sees only the mailmap of `commit`. git also reads the one in the work tree if there is a work
    /// tree, so it is started without one, in the repository's own directory.
    pub(super) fn call_with_mailmap(&self, commit: &Commit, arguments: &[&str]) -> Result<Call> {
        let directory = &*self.directory;
        let mailmap = format!("mailmap.blob={commit}:.mailmap");
        let own = ["-C", directory, "-c", "mailmap.file=/dev/null", "-c", &mailmap];
        Ok(self.call(&[&own[..], arguments].concat())?.env("GIT_DIR", directory))
    }

    /// Whether `commit` has a mailmap, in whatever form.
    pub(super) fn has_mailmap(&self, commit: &Commit) -> Result<bool> {
        let found = self.files_of(&[(commit, ".mailmap")])?;
        Ok(!matches!(found[..], [Ok(None)]))
    }

    /// Applies the mailmap of `commit` to each of `contacts`. They must come from [`contact`]. Those in a form that the
    /// mailmap cannot map are missing from the result.
    pub(super) fn mapped<'a>(
        &self,
        commit: &Commit,
        contacts: &BTreeSet<&'a str>,
    ) -> Result<BTreeMap<&'a str, String>> {
        let contacts: Vec<_> = contacts.iter().copied().filter(|contact| is_contact(contact)).collect();
        if contacts.is_empty() {
            return Ok(BTreeMap::new());
        }
        let lines: String = contacts.iter().map(|contact| format!("{contact}\n")).collect();
        let ask = self.call_with_mailmap(commit, &["check-mailmap", "--stdin"])?.stdin(lines);
        let output = ask.output()?.success()?.stdout;
        let text = String::from_utf8_lossy(&output);
        let answers: Vec<_> = text.lines().map(str::to_owned).collect();
        ensure!(
            answers.len() == contacts.len(),
            "`git check-mailmap` printed {} lines for {} people",
            answers.len(),
            contacts.len()
        );
        Ok(contacts.into_iter().zip(answers).collect())
    }

    /// The authors of the newest commits in the history of `tag`, by the mailmap of `commit`: most authors of the next
    /// release are among them.
    ///
    /// # Errors
    /// When git fails or its output does not have the requested form.
    pub fn near_authors(&self, tag: &str, commit: &Commit) -> Result<Authors> {
        if self.is_shallow { Ok(Authors::default()) } else { self.authors(tag, commit, NEAR) }
    }

    /// Those of `names` who wrote a commit in the history of `tag`, by the mailmap of `commit`. `near` is the result
    /// of [`Git::near_authors`], which often suffices. `None` when that is unknown, because the history is cut off or
    /// longer than [`MAX_COMMITS`].
    ///
    /// # Errors
    /// When git fails or its output does not have the requested form.
    pub fn known_authors(
        &self,
        tag: &str,
        commit: &Commit,
        names: &BTreeSet<String>,
        near: &Authors,
    ) -> Result<Option<BTreeSet<String>>> {
        if let Some(known) = near.among(names) {
            return Ok(Some(known));
        }
        if self.is_shallow { Ok(None) } else { Ok(self.authors(tag, commit, MAX_COMMITS)?.among(names)) }
    }

    fn authors(&self, tag: &str, commit: &Commit, most: usize) -> Result<Authors> {
        let (count, range) = (format!("--max-count={}", most + 1), format!("refs/tags/{tag}"));
        let shortlog = ["shortlog", "--summary", "--encoding=UTF-8", &count, "--end-of-options", &range];
        let output = self.call_with_mailmap(commit, &shortlog)?.output()?.success()?.stdout;
        let (commits, names) = parse_shortlog(&String::from_utf8_lossy(&output))?;
        Ok(Authors { names, are_all: commits <= most })
    }
}

impl Authors {
    /// Those of `names` who are among the authors. `None` if more of `names` may be among the authors that were not
    /// read.
    fn among(&self, names: &BTreeSet<String>) -> Option<BTreeSet<String>> {
        let known: BTreeSet<_> = self.names.intersection(names).cloned().collect();
        (self.are_all || known.len() == names.len()).then_some(known)
    }
}

/// The number of commits, and their authors.
pub(super) fn parse_shortlog(text: &str) -> Result<(usize, BTreeSet<String>)> {
    let (mut commits, mut names) = (0, BTreeSet::new());
    for line in text.lines() {
        let doing = || format!("`git shortlog` printed `{}`", line.escape_debug());
        let (count, author) = line.split_once('\t').with_context(doing)?;
        let more = count.trim().parse().with_context(doing)?;
        commits = usize::checked_add(commits, more).with_context(doing)?;
        names.extend(name(author));
    }
    Ok((commits, names))
}

/// A person's name as it may be shown: on one line, without invisible characters and without an address. If the name is
/// itself an address, only the part before `@` is kept. `None` when nothing is left.
pub(super) fn name(author: &str) -> Option<String> {
    let end = author.find('<').filter(|end| author[..*end].ends_with(' '));
    let before = end.map_or(author, |end| &author[..end - 1]);
    if is_plain(before) { Some(masked(before).into_owned()) } else { shown(author) }
}

/// Whether [`shown`] would change nothing except to mask what looks like a secret. Most names are like that, and a
/// history has many.
fn is_plain(name: &str) -> bool {
    let mut is_between = true;
    for byte in name.as_bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' => is_between = false,
            b' ' if !is_between => is_between = true,
            _ => return false,
        }
    }
    !is_between && name.len() <= MAX_NAME_LEN
}

/// As [`name`], without the shortcut for plain names.
pub(super) fn shown(author: &str) -> Option<String> {
    let author = author.split(" <").next().unwrap_or_default();
    let author = if author.starts_with('<') { "" } else { author };
    let visible: String = author.chars().filter(|c| c.is_whitespace() || !is_hidden(*c)).collect();
    let masked = masked(&visible);
    let words = masked.split_whitespace().map(|word| match word.split_once('@') {
        Some((local, _)) if !local.is_empty() => local,
        _ => word,
    });
    let name: String = words.collect::<Vec<_>>().join(" ").chars().take(MAX_NAME_LEN).collect();
    let name = name.trim_end();
    (!name.is_empty()).then(|| name.to_owned())
}

/// The value of a trailer, in the form for [`Git::mapped`].
pub(super) fn contact(value: &str) -> String {
    value.trim().to_owned()
}

/// Whether it has the form `Name <address>`: a single value in another form makes git reject all of them.
fn is_contact(value: &str) -> bool {
    let parts = value.strip_suffix('>').and_then(|value| value.split_once(" <"));
    parts.is_some_and(|(name, address)| {
        let is_plain =
            |text: &str| !text.is_empty() && !text.chars().any(|c| c.is_control() || "<>".contains(c));
        is_plain(name) && is_plain(address)
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{Authors, is_contact, is_plain, name, parse_shortlog, shown};

    #[test]
    fn authors_are_known_if_all_were_found_or_all_commits_were_read() {
        let set = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>();
        for (are_all, names, expected) in [
            (false, &["Ann"][..], Some(&["Ann"][..])),
            (false, &["Ann", "Bob"], None),
            (true, &["Ann", "Bob"], Some(&["Ann"])),
            (false, &[], Some(&[])),
        ] {
            let authors = Authors { names: set(&["Ann", "Cid"]), are_all };
            assert_eq!(authors.among(&set(names)), expected.map(set), "{are_all} {names:?}");
        }
    }

    #[test]
    fn a_name_is_shown_without_an_address_and_without_invisible_characters() {
        for (author, shown) in [
            ("Ann", Some("Ann")),
            (" Ann  B. <ann@example.org> ", Some("Ann B.")),
            ("Zo\u{eb} \u{202e}\u{200b}O'Neil", Some("Zo\u{eb} O'Neil")),
            ("ann@example.org", Some("ann")),
            ("@ann", Some("@ann")),
            ("Ann (ann@example.org)", Some("Ann (ann")),
            ("<ann@example.org>", None),
            ("dependabot[bot] <x@y>", Some("dependabot[bot]")),
            ("ghp_a1B2c3D4e5F6g7H8a1B2", Some("ghp_…")),
            (" \u{200b}", None),
            ("", None),
        ] {
            assert_eq!(name(author).as_deref(), shown, "{author}");
        }
        assert_eq!(name(&"x".repeat(1000)).unwrap().len(), 60);
    }

    #[test]
    fn the_shortcut_for_plain_names_gives_the_same_result() {
        for author in [
            "Ann",
            "Ann B. O-7 <a@b>",
            "Ann <",
            "Ann  <a@b>",
            "Ann B",
            " Ann",
            "Ann  B",
            "A<b> <c>",
            "A <b <c>",
            "<a@b>",
            " <a@b>",
            "AKIA0123456789ABCDEF B",
            "-----BEGIN A PRIVATE KEY----- b -----END A PRIVATE KEY----- c",
            &"x".repeat(60),
            &"x".repeat(61),
            &format!("{} y", "x".repeat(59)),
        ] {
            assert_eq!(name(author), shown(author), "{author}");
        }
        assert!(is_plain("Ann B. O-7") && !is_plain("Ann "));
    }

    #[test]
    fn only_a_name_with_an_address_is_looked_up_in_the_mailmap() {
        assert!(is_contact("Ann B. <a@b>") && is_contact("a <b>"));
        for other in
            ["", "Ann", "<a@b>", "Ann <>", "Ann <a@b> x", "Ann <a@b", "A <b> <c>", "A\u{7} <b>", "A<b>"]
        {
            assert!(!is_contact(other), "{other}");
        }
    }

    #[test]
    fn a_shortlog_gives_the_number_of_commits_and_the_names_of_authors() {
        let (commits, names) = parse_shortlog("     3\tAnn\n    12\tBob\tC.\n     1\t\n").unwrap();
        assert_eq!(
            (commits, names.into_iter().collect::<Vec<_>>()),
            (16, vec!["Ann".to_owned(), "Bob C.".to_owned()])
        );
        assert_eq!(parse_shortlog("").unwrap().0, 0);
        assert!(parse_shortlog("Ann").is_err() && parse_shortlog("x\tAnn").is_err());
    }
}

//! How commits are sorted under the headings of the release notes.

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use anyhow::{Context as _, Result, anyhow, bail, ensure};
use serde::Deserialize;

use crate::process::shown::is_hidden;

/// The type that stands for every commit that no group names.
const OTHERS: &str = "*";

/// The maximum number of groups, and of types in one group.
const MAX: usize = 32;

/// The longest title or type, in characters.
const MAX_LEN: usize = 50;

/// The ASCII characters that a title may have besides letters, digits and spaces. Markdown, HTML and forges give none
/// of them a special meaning, except `&`, which is written as an entity.
const PUNCTUATION: &str = "-,&/'()+";

/// How release notes are grouped.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Notes {
    /// The groups, in the order of the page.
    #[serde(default)]
    pub groups: Groups,
}

/// Groups of commits. One of them holds all commits that no group names.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Vec<Written>")]
pub struct Groups {
    groups: Vec<Group>,
    /// The position of the group for all other commits.
    others: usize,
}

/// Commits under one heading.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// The commit types in lower case: the words before the colon of a subject.
    types: BTreeSet<String>,
    /// The heading, as plain text.
    pub title: String,
    /// How the group is shown.
    pub show: Show,
}

/// How a group is shown on a page.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Show {
    /// Among the most important changes, as far as there is room.
    #[default]
    Listed,
    /// Collapsed, behind a line that a reader opens.
    Folded,
    /// Only as a number.
    Hidden,
}

/// A group as written in the configuration.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Written {
    types: Vec<String>,
    title: Option<String>,
    #[serde(default)]
    show: Show,
}

impl Group {
    fn new(types: &[&str], title: &str, show: Show) -> Self {
        Self { types: types.iter().map(|name| (*name).to_owned()).collect(), title: title.to_owned(), show }
    }

    /// The heading in Markdown or HTML.
    #[must_use]
    pub fn heading(&self) -> String {
        self.title.replace('&', "&amp;")
    }

    /// Whether the text of a commit keeps its type: in a collapsed group of several types, where the type distinguishes
    /// them, and in a group that also holds the commits that no group names.
    #[must_use]
    pub fn keeps_types(&self) -> bool {
        (self.show == Show::Folded && self.types.len() > 1) || self.types.contains(OTHERS)
    }

    /// Whether the group has only one type, so that its heading can stand for the type.
    #[must_use]
    pub fn is_of_one_type(&self) -> bool {
        self.types.len() == 1
    }
}

impl Groups {
    /// The groups, in the order of the page.
    pub fn iter(&self) -> impl Iterator<Item = &Group> {
        self.groups.iter()
    }

    /// The position of the group that names the type; case does not matter.
    #[must_use]
    pub fn named(&self, name: &str) -> Option<usize> {
        let name = name.to_lowercase();
        let is_in = |group: &Group| name != OTHERS && group.types.contains(&name);
        self.groups.iter().position(is_in)
    }

    /// The position of the group for commits that no group names.
    #[must_use]
    pub fn others(&self) -> usize {
        self.others
    }

    /// The group at a position from [`Groups::named`] or [`Groups::others`].
    #[must_use]
    pub fn at(&self, place: usize) -> &Group {
        &self.groups[place]
    }

    /// Adds a group for all other commits at the end, unless there is one.
    fn of(mut groups: Vec<Group>) -> Self {
        let others = groups.iter().position(|group| group.types.contains(OTHERS)).unwrap_or_else(|| {
            groups.push(Group::new(&[OTHERS], "Other changes", Show::Listed));
            groups.len() - 1
        });
        Self { groups, others }
    }
}

impl Default for Groups {
    fn default() -> Self {
        let maintenance = ["build", "chore", "ci", "docs", "refactor", "style", "test", "tests"];
        Self::of(vec![
            Group::new(&["security"], "Security", Show::Listed),
            Group::new(&["feat", "feature"], "New", Show::Listed),
            Group::new(&["fix", "bugfix", "hotfix"], "Fixed", Show::Listed),
            Group::new(&["perf"], "Faster", Show::Listed),
            Group::new(&["revert"], "Reverted", Show::Listed),
            Group::new(&[OTHERS], "Other changes", Show::Listed),
            Group::new(&maintenance, "Maintenance", Show::Folded),
        ])
    }
}

impl TryFrom<Vec<Written>> for Groups {
    type Error = anyhow::Error;

    fn try_from(written: Vec<Written>) -> Result<Self> {
        if written.is_empty() {
            return Ok(Self::default());
        }
        ensure!(written.len() <= MAX, "`notes.groups` has more than {MAX} groups");
        let (mut groups, mut types, mut titles) = (Vec::new(), BTreeSet::new(), BTreeSet::new());
        for written in written {
            // serde shows only the outermost context of an error.
            let group = group(written).map_err(|error| anyhow!("{error:#}"))?;
            for name in &group.types {
                ensure!(types.insert(name.clone()), "`notes.groups` has the type `{name}` in two groups");
            }
            let is_new = group.show == Show::Hidden || titles.insert(group.title.to_lowercase());
            ensure!(is_new, "`notes.groups` has the title `{}` twice", group.title);
            groups.push(group);
        }
        Ok(Self::of(groups))
    }
}

fn group(written: Written) -> Result<Group> {
    let title = match (written.title, written.show) {
        (Some(title), _) => title,
        (None, Show::Hidden) => String::new(),
        (None, _) => bail!("a group of `notes.groups` has no `title`, and is not hidden"),
    };
    if written.show != Show::Hidden {
        check_title(&title).with_context(|| shown("the title", &title))?;
    }
    let mut types = BTreeSet::new();
    for name in written.types {
        check_type(&name).with_context(|| shown("the type", &name))?;
        types.insert(name.to_lowercase());
    }
    ensure!((1..=MAX).contains(&types.len()), "a group of `notes.groups` has no `types`, or more than {MAX}");
    Ok(Group { types, title, show: written.show })
}

fn shown(what: &str, text: &str) -> String {
    let text: String = text.chars().take(MAX_LEN).collect();
    format!("reading {what} `{}` of `notes.groups`", text.escape_debug())
}

fn check_title(title: &str) -> Result<()> {
    ensure!(!title.trim().is_empty(), "it is empty");
    ensure!(title.trim() == title, "it begins or ends with a blank");
    ensure!(title.chars().count() <= MAX_LEN, "it is longer than {MAX_LEN} characters");
    let is_plain = |c: char| match c {
        _ if c.is_ascii() => c.is_ascii_alphanumeric() || c == ' ' || PUNCTUATION.contains(c),
        _ => !is_hidden(c) && !c.is_whitespace(),
    };
    match title.chars().find(|c| !is_plain(*c)) {
        Some(c) => bail!(
            "it has `{}`: a title is letters, digits, blanks, emoji and `{PUNCTUATION}`",
            c.escape_debug()
        ),
        None => Ok(()),
    }
}

fn check_type(name: &str) -> Result<()> {
    ensure!(!name.is_empty(), "it is empty");
    ensure!(name.chars().count() <= MAX_LEN, "it is longer than {MAX_LEN} characters");
    let is_plain = |c: char| !c.is_whitespace() && !is_hidden(c) && !":()!".contains(c);
    ensure!(
        name.chars().all(is_plain),
        "a type is the word before the colon of a subject, such as `feat`, without a scope"
    );
    Ok(())
}

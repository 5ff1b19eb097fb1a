//! The commits of a release: those since the right previous tag, as its notes list them.

use anyhow::Result;

use crate::inputs::people::{People, authors};
use crate::inputs::shape::Shapes;
use crate::inputs::source::{Source, release_tags};
use crate::inputs::version::ReleaseTag;
use crate::inputs::words;
use crate::process::failure::Refusal;
use crate::tool::git::{Git, LogEntry};

/// What came with a release.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct History {
    /// The release that it is compared with; none for the first.
    pub previous: Option<ReleaseTag>,
    /// The commits since then, newest first.
    pub commits: Vec<LogEntry>,
    /// Who made them; nobody for the first release.
    pub people: People,
    /// What a maintainer wrote about it, in `release-notes/<tag>.md` of the commit, else in the message of the tag.
    pub words: Option<String>,
    /// What the two commits say of their images; none for the first release.
    pub shapes: Option<Shapes>,
}

impl History {
    /// Asks git: the same commit and tag give the same answer. `from` is the release to compare with, where it is not the
    /// previous one.
    ///
    /// # Errors
    /// A [`Refusal`] for words in a file that cannot stand on a page; any other error when git does not answer.
    pub fn of(git: &Git, source: &Source, from: Option<&ReleaseTag>) -> Result<Self> {
        let Source { tag, commit, .. } = source;
        let previous = match from {
            Some(from) => Some(from.clone()),
            None => previous(tag, &release_tags(&git.tags_within(commit)?)).cloned(),
        };
        let commits = git.log(previous.as_ref().map(ToString::to_string).as_deref(), commit)?;
        let people = match &previous {
            Some(previous) => {
                let known = git.known_authors(&previous.to_string(), commit, &authors(&commits))?;
                People::of(&commits, known.as_ref())
            }
            None => People::default(),
        };
        let path = format!("release-notes/{tag}.md");
        let [words] = git.files(commit, [&path])?;
        let words = words.map(|bytes| words::read(&bytes)).transpose();
        let words = words.map_err(|error| Refusal::new(format!("`{path}` of commit {commit}: {error:#}")))?;
        let words = match words {
            None if source.is_tagged => {
                let message = git.tag_message(&tag.to_string())?;
                message.and_then(|message| words::of_tag(tag, &message))
            }
            words => words,
        };
        let before = match &previous {
            Some(previous) => git.peel(&previous.git_ref())?,
            None => None,
        };
        let shapes = before.map(|before| Shapes::of(git, &before, commit)).transpose()?;
        Ok(Self { previous, commits, people, words, shapes })
    }
}

/// The tag whose commits are not news: for a stable release the previous stable one; for a pre-release the one before it of the
/// same version, else the previous stable one, else any. "Previous" is the highest below it among the tags in its own
/// history, so a backport is compared with its own line. `None` for the first release.
pub(crate) fn previous<'a>(tag: &ReleaseTag, in_history: &'a [ReleaseTag]) -> Option<&'a ReleaseTag> {
    let below = || in_history.iter().filter(|other| *other < tag);
    let stable = || below().filter(|other| other.is_stable()).max();
    if tag.is_stable() {
        return stable();
    }
    let core = |tag: &ReleaseTag| (tag.version().major, tag.version().minor, tag.version().patch);
    below().filter(|other| core(other) == core(tag)).max().or_else(stable).or_else(|| below().max())
}

#[cfg(test)]
mod tests {
    use super::previous;
    use crate::inputs::version::ReleaseTag;

    #[test]
    fn a_release_is_compared_with_the_right_previous_one() {
        for (tag, history, expected) in [
            ("v0.1.0", &[][..], None),
            ("v0.3.0", &["v0.2.0", "v0.3.0-rc.1"], Some("v0.2.0")),
            ("v0.3.0-rc.2", &["v0.2.0", "v0.3.0-rc.1"], Some("v0.3.0-rc.1")),
            ("v0.3.0-rc.1", &["v0.2.0"], Some("v0.2.0")),
            ("v0.3.0-rc.1", &["v0.1.0", "v0.2.0-rc.5"], Some("v0.1.0")),
            ("v0.2.0-rc.1", &["v0.1.0-rc.1", "v0.1.0-rc.2"], Some("v0.1.0-rc.2")),
            ("v1.2.9", &["v1.2.8", "v1.1.0"], Some("v1.2.8")),
            ("v0.1.1", &["v0.1.0"], Some("v0.1.0")),
            ("v0.10.0", &["v0.9.0", "v0.2.0"], Some("v0.9.0")),
            ("v0.1.0", &["v0.1.0", "v0.2.0"], None),
            ("v0.1.0", &["v0.1.0-rc.1"], None),
        ] {
            let history: Vec<ReleaseTag> = history.iter().map(|name| name.parse().unwrap()).collect();
            let found = previous(&tag.parse().unwrap(), &history).map(ToString::to_string);
            assert_eq!(found.as_deref(), expected, "{tag}");
        }
    }
}

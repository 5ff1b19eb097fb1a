//! The commits of a release for its notes: those since the appropriate previous tag.

use anyhow::{Context as _, Result};

use crate::inputs::people::{People, authors};
use crate::inputs::pulls::Pulls;
use crate::inputs::shape::Shapes;
use crate::inputs::source::{Source, release_tags};
use crate::inputs::version::ReleaseTag;
use crate::inputs::words;
use crate::process::failure::Refusal;
use crate::process::parallel::both;
use crate::tool::git::{Authors, Commit, Git, Log, LogEntry, Names};

/// The history of a release since the previous one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct History {
    /// The release with which it is compared; `None` for the first release.
    pub previous: Option<ReleaseTag>,
    /// The commits since then, newest first. Empty for the first release, which is compared with nothing.
    pub commits: Vec<LogEntry>,
    /// The authors and co-authors of these commits; empty for the first release.
    pub people: People,
    /// What a maintainer wrote about the release: in `release-notes/<tag>.md` of the commit, else in the message of the
    /// tag.
    pub words: Option<String>,
    /// What the two commits say about their images; `None` for the first release.
    pub shapes: Option<Shapes>,
    /// The pull requests that the forge reported, if it was queried, in addition to those that git knows.
    pub pulls: Pulls,
}

impl History {
    /// Queries git: the same commit and tag give the same result. `from` is the release to compare with, if it is not
    /// the previous one.
    ///
    /// # Errors
    /// A [`Refusal`] when the maintainer's file has text that is not allowed on a page. Any other error when git does
    /// not answer.
    pub fn of(git: &Git, source: &Source, from: Option<&ReleaseTag>) -> Result<Self> {
        Self::among(git, source, from, &release_tags(&git.tags()?))
    }

    /// As [`History::of`], with all release `tags` of the repository.
    ///
    /// # Errors
    /// As [`History::of`].
    pub fn among(git: &Git, source: &Source, from: Option<&ReleaseTag>, tags: &[ReleaseTag]) -> Result<Self> {
        let commit = &source.commit;
        let (range, words) = both(|| Range::of(git, source, from, tags), || words(git, source))?;
        let Some(Range { previous, commits, names, shapes, near }) = range else {
            return Ok(Self {
                previous: None,
                commits: Vec::new(),
                people: People::default(),
                words,
                shapes: None,
                pulls: Pulls::default(),
            });
        };
        let known = git.known_authors(&previous.to_string(), commit, &authors(&names), &near)?;
        let people = People::of(&names, known.as_ref());
        let (previous, shapes, pulls) = (Some(previous), Some(shapes), Pulls::default());
        Ok(Self { previous, commits, people, words, shapes, pulls })
    }
}

/// The release for comparison, and the changes since.
struct Range {
    previous: ReleaseTag,
    commits: Vec<LogEntry>,
    names: Names,
    shapes: Shapes,
    /// The authors of the newest commits before these.
    near: Authors,
}

impl Range {
    /// `None` for a first release.
    fn of(
        git: &Git,
        source: &Source,
        from: Option<&ReleaseTag>,
        tags: &[ReleaseTag],
    ) -> Result<Option<Self>> {
        let Source { tag, commit, .. } = source;
        if let Some(from) = from {
            let range = Self::since(git, commit, from)?;
            return range
                .map(|(range, _)| Some(range))
                .with_context(|| format!("there is no tag `{from}` here"));
        }
        // Finding the tags within the history takes as long as reading the history. So the log since the tag that is
        // preferred among all tags is read first, and the log shows whether that tag is in the history. If it is, it is
        // also the preferred one among the tags in the history.
        let Some(likely) = previous(tag, tags) else { return Ok(None) };
        if let Some((range, true)) = Self::since(git, commit, likely)? {
            return Ok(Some(range));
        }
        let within = release_tags(&git.tags_within(commit)?);
        let Some(previous) = previous(tag, &within) else { return Ok(None) };
        let range = Self::since(git, commit, previous)?;
        range.map(|(range, _)| Some(range)).with_context(|| format!("`{previous}` was there just now"))
    }

    /// Also returns whether `previous` is in the history of `commit`. `None` if no tag of this name points to a commit.
    fn since(git: &Git, commit: &Commit, previous: &ReleaseTag) -> Result<Option<(Self, bool)>> {
        let name = previous.git_ref();
        let beside = || {
            let Some(before) = git.peel(&name)? else { return Ok(None) };
            let near = || git.near_authors(&previous.to_string(), commit);
            let (near, shapes) = both(near, || Shapes::of(git, &before, commit))?;
            Ok(Some((before, near, shapes)))
        };
        // The log takes longest. It begins at the tag's name, so that it need not wait for the tag's commit.
        let (log, beside) = both(|| Ok(git.log(Some(&name), commit)), beside)?;
        let Some((before, near, shapes)) = beside else { return Ok(None) };
        let mut log = log?;
        // Somebody moved the tag between the two queries.
        if log.entries.iter().any(|entry| entry.commit == before) {
            log = git.log(Some(before.as_str()), commit)?;
        }
        let is_in_history = log.touches(&before) || before == *commit;
        let Log { entries: commits, names, .. } = log;
        Ok(Some((Self { previous: previous.clone(), commits, names, shapes, near }, is_in_history)))
    }
}

/// What a maintainer wrote about the release.
fn words(git: &Git, source: &Source) -> Result<Option<String>> {
    let Source { tag, commit, is_tagged, .. } = source;
    let path = format!("release-notes/{tag}.md");
    let [words] = git.files(commit, [&path])?;
    let words = words.map(|bytes| words::read(&bytes)).transpose();
    let words = words.map_err(|error| Refusal::new(format!("`{path}` of commit {commit}: {error:#}")))?;
    if words.is_some() || !is_tagged {
        return Ok(words);
    }
    let message = git.tag_message(&tag.to_string())?;
    Ok(message.and_then(|message| words::of_tag(tag, &message)))
}

/// The tag with which a release is compared. For a stable release it is the previous stable one. For a pre-release it
/// is the previous pre-release of the same version, else the previous stable one, else any previous one. "Previous"
/// means the highest lower version among the tags in its own history, so a backport is compared with its own line.
/// `None` for the first release.
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

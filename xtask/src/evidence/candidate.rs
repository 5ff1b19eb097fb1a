//! The tag of an image that is not yet verified: `candidate-<tag>-<12 digits of the commit>-<4 random digits>`. Two
//! tags on one commit are two images, because each contains its version. Each run has a tag of its own: if two builds
//! name the same image at the same time, an engine fails the second one (docs/facts.md#one-name-two-builds).

use anyhow::Result;

use crate::inputs::source::Source;
use crate::inputs::version::ReleaseTag;
use crate::oci::reference::{Tag, is_hex_digit};
use crate::process::temp_dir::random_hex;

/// The number of random digits. With them the longest release tag gives a tag of 128 characters, which is the maximum.
const RANDOM: usize = 4;

/// The number of digits of the commit.
const COMMIT: usize = 12;

/// The candidate tag for one run.
///
/// # Errors
/// When the machine has no source of randomness.
pub fn new_tag(source: &Source) -> Result<Tag> {
    let random = random_hex()?;
    format!("{}{}-{}", prefix(&source.tag), source.commit.short(), &random[..RANDOM]).parse()
}

/// Whether `name` is a candidate tag for `tag`, of any run and any commit. Once the version tag exists, no candidate
/// can get it.
#[must_use]
pub fn is_of(tag: &ReleaseTag, name: &str) -> bool {
    commit_of(tag, name).is_some()
}

/// Whether `name` is a candidate tag for the tag and the commit of `source`, of any run.
#[must_use]
pub fn is_of_commit(source: &Source, name: &str) -> bool {
    commit_of(&source.tag, name) == Some(source.commit.short())
}

/// The digits of the commit in `name`, if it is a candidate tag for `tag`.
fn commit_of<'n>(tag: &ReleaseTag, name: &'n str) -> Option<&'n str> {
    // A registry may keep upper case, which none of our tags has.
    let is_hex = |text: &str, length| text.len() == length && text.bytes().all(is_hex_digit);
    let (commit, random) = name.strip_prefix(&prefix(tag))?.split_once('-')?;
    (is_hex(commit, COMMIT) && is_hex(random, RANDOM)).then_some(commit)
}

fn prefix(tag: &ReleaseTag) -> String {
    format!("candidate-{tag}-")
}

#[cfg(test)]
mod tests {
    use super::{is_of, is_of_commit, new_tag};
    use crate::inputs::source::Source;
    use crate::tool::git::Commit;

    fn source(tag: &str) -> Source {
        let commit = Commit::parse(&"a".repeat(40)).unwrap();
        Source { tag: tag.parse().unwrap(), commit, time: 0, is_tagged: true }
    }

    #[test]
    fn a_candidate_tag_of_the_longest_release_tag_is_valid_and_recognized() {
        for tag in ["v0.1.0", &format!("v0.1.0-{}", "x".repeat(93))] {
            let source = source(tag);
            let candidate = new_tag(&source).unwrap();
            assert!(is_of(&source.tag, candidate.as_str()), "{candidate}");
            assert!(is_of_commit(&source, candidate.as_str()), "{candidate}");
        }
        assert!(format!("v0.1.0-{}", "x".repeat(94)).parse::<crate::inputs::version::ReleaseTag>().is_err());
    }

    #[test]
    fn other_tags_are_not_candidates_of_this_release() {
        let ours = source("v0.1.0");
        assert!(
            is_of(&ours.tag, "candidate-v0.1.0-bbbbbbbbbbbb-0123"),
            "of a commit that the tag named before"
        );
        assert!(!is_of_commit(&ours, "candidate-v0.1.0-bbbbbbbbbbbb-0123"));
        let within = source("v0.1.0-aaaaaaaaaaaa");
        assert!(!is_of_commit(&within, "candidate-v0.1.0-aaaaaaaaaaaa-bbbbbbbbbbbb-0123"));
        for name in [
            "v0.1.0",
            "latest",
            "candidate-v0.1.1-aaaaaaaaaaaa-0123",
            "candidate-v0.1.0-aaaaaaaaaaaa-0123-aaaaaaaaaaaa-0123",
            "candidate-v0.1.0-aaaaaaaaaaaa-",
            "candidate-v0.1.0-aaaaaaaaaaaa-012x",
            "candidate-v0.1.0-reproduction-0123",
            "candidate-v0.1.0-AAAAAAAAAAAA-0123",
            "candidate-v0.1.0-aaaaaaaaaaaa-ABCD",
            "candidate-v0.1.0-rc.1-aaaaaaaaaaaa-0123",
        ] {
            assert!(!is_of(&ours.tag, name), "{name}");
        }
    }
}

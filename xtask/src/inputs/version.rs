//! Release tags: `v` and a strict `SemVer` 2.0 version without build metadata.

mod alone;

use std::fmt;
use std::str::FromStr;

use anyhow::{Context as _, Result};
use semver::Version;

use crate::oci::reference::Tag;
use crate::process::failure::Misuse;
use crate::process::shown::one_line;

pub use alone::{is_date, names_only, sets_version};

/// The longest tag, in characters. A registry tag can have 128, and a candidate's tag also has a commit and a random
/// word.
const MAX_LEN: usize = 100;

/// A git tag that names a release, such as `v1.2.3` or `v2.0.0-rc.1`. Ordered by `SemVer` precedence.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ReleaseTag {
    version: Version,
}

impl ReleaseTag {
    /// The version without the `v`.
    #[must_use]
    pub fn version(&self) -> &Version {
        &self.version
    }

    /// Whether it is not a pre-release. Only stable versions may become `latest`.
    #[must_use]
    pub fn is_stable(&self) -> bool {
        self.version.pre.is_empty()
    }

    /// The stable version with the next higher patch number: 1.2.4 after `v1.2.3`.
    ///
    /// # Errors
    /// When the patch number is the highest possible one.
    pub fn next_patch(&self) -> Result<Version> {
        let Version { major, minor, patch, .. } = self.version;
        let patch = patch.checked_add(1).with_context(|| {
            format!(
                "no version follows the tag `{self}`, whose last number is the highest possible one; if it is a mistake, run \
                 `git tag --delete {self}`"
            )
        })?;
        Ok(Version::new(major, minor, patch))
    }

    /// The same name as a registry tag.
    #[must_use]
    pub fn registry_tag(&self) -> Tag {
        self.to_string()
            .parse()
            .expect("every release tag was checked to be a registry tag when it was parsed")
    }

    /// `refs/tags/v1.2.3`.
    #[must_use]
    pub fn git_ref(&self) -> String {
        format!("refs/tags/{self}")
    }
}

/// Why a text is not a release tag, in one line. It has no exit code of its own: it is a misuse only on a command line,
/// and the text may also come from a label that somebody else wrote.
#[derive(Debug)]
pub struct NoReleaseTag(String);

impl fmt::Display for NoReleaseTag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for NoReleaseTag {}

impl From<NoReleaseTag> for Misuse {
    fn from(NoReleaseTag(message): NoReleaseTag) -> Self {
        Self::new(message)
    }
}

impl FromStr for ReleaseTag {
    type Err = NoReleaseTag;

    fn from_str(text: &str) -> Result<Self, NoReleaseTag> {
        let wrong = |why: String| {
            NoReleaseTag(one_line(&format!(
                "`{text}` is not a release tag: {why}; a valid one is `v1.2.3` or `v2.0.0-rc.1`"
            )))
        };
        let Some(rest) = text.strip_prefix('v') else {
            return Err(wrong("it does not start with `v`".to_owned()));
        };
        let version =
            Version::parse(rest).map_err(|error| wrong(format!("`{rest}` is not SemVer ({error})")))?;
        if !version.build.is_empty() {
            return Err(wrong(format!("a registry tag cannot hold the build metadata `+{}`", version.build)));
        }
        if text.len() > MAX_LEN || text.parse::<Tag>().is_err() {
            return Err(wrong(format!(
                "registries keep tags in lower case, and a release tag has at most {MAX_LEN} characters"
            )));
        }
        Ok(Self { version })
    }
}

impl fmt::Display for ReleaseTag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "v{}", self.version)
    }
}

/// The highest stable version in `tags`, to which `latest` should point.
pub fn highest_stable<'a>(tags: impl IntoIterator<Item = &'a ReleaseTag>) -> Option<&'a ReleaseTag> {
    tags.into_iter().filter(|tag| tag.is_stable()).max()
}

#[cfg(test)]
mod tests {
    use super::{ReleaseTag, highest_stable};

    fn tag(text: &str) -> ReleaseTag {
        text.parse().unwrap()
    }

    #[test]
    fn a_valid_release_tag_is_parsed_and_any_other_text_is_refused() {
        for good in ["v0.1.0", "v1.2.3", "v10.20.30", "v1.0.0-rc.1", "v1.0.0-alpha-2.x"] {
            assert_eq!(tag(good).to_string(), good);
        }
        let bad = [
            "0.1.0",
            "v1",
            "v1.2",
            "v1.2.3.4",
            "v01.2.3",
            "v1.2.3-01",
            "v1.2.3+build",
            "vfoo",
            "v1.2.3-RC1",
            "V1.2.3",
            "",
        ];
        for bad in bad {
            assert!(bad.parse::<ReleaseTag>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_refusal_names_the_tag_the_reason_and_a_valid_tag() {
        let message = "v1.2.3+build".parse::<ReleaseTag>().unwrap_err().to_string();
        assert!(
            message.contains("`v1.2.3+build`") && message.contains("+build") && message.contains("`v1.2.3`"),
            "{message}"
        );
    }

    #[test]
    fn a_refusal_has_one_line_whatever_the_text_is() {
        for text in ["v0.1.0\n\nok     signature   1 by the key", "0.1.0\r\u{1b}[2Kok", "v1.2.3+a\nb"] {
            let message = text.parse::<ReleaseTag>().unwrap_err().to_string();
            assert!(!message.contains(char::is_control), "{message:?}");
        }
    }

    #[test]
    fn no_patch_follows_the_highest_possible_number() {
        for (of, next) in
            [("v1.2.3", Some("1.2.4")), ("v1.2.3-rc.1", Some("1.2.4")), ("v0.1.18446744073709551615", None)]
        {
            let found = tag(of).next_patch();
            assert_eq!(found.as_ref().ok().map(ToString::to_string).as_deref(), next, "{of}: {found:?}");
        }
        let message = tag("v0.1.18446744073709551615").next_patch().unwrap_err().to_string();
        assert!(message.starts_with("no version follows the tag `v0.1.18446744073709551615`"), "{message}");
    }

    #[test]
    fn latest_belongs_to_the_highest_stable_version() {
        for (tags, expected) in [
            (vec![], None),
            (vec!["v0.1.0-rc.1"], None),
            (vec!["v0.9.0", "v0.10.0"], Some("v0.10.0")),
            (vec!["v1.0.0", "v2.0.0-rc.1"], Some("v1.0.0")),
            (vec!["v2.0.0", "v1.9.9"], Some("v2.0.0")),
        ] {
            let tags: Vec<_> = tags.into_iter().map(tag).collect();
            assert_eq!(highest_stable(&tags), expected.map(tag).as_ref());
        }
    }
}

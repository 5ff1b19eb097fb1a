//! Who signed a release: the signer of the git tag `v1.2.3`, and where two people must sign, that of `approved/v1.2.3`
//! at the same commit. Both tags are verified in the same way, by git, and each object names its own tag.

use std::fmt;

use anyhow::Result;

use crate::inputs::config::TagSigners;
use crate::inputs::source::Source;
use crate::inputs::version::ReleaseTag;
use crate::tool::git::{Git, Signer};

/// A git tag whose signature a release may need.
#[derive(Clone, Copy, Debug)]
pub enum SignedTag<'a> {
    /// The release's own tag, `v1.2.3`.
    Release(&'a ReleaseTag),
    /// The second person's tag, `approved/v1.2.3`. It does not parse as a release tag.
    Approval(&'a ReleaseTag),
}

impl fmt::Display for SignedTag<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Release(tag) => write!(f, "{tag}"),
            Self::Approval(tag) => write!(f, "approved/{tag}"),
        }
    }
}

/// The signers of a release. `Err` says why a tag does not count as signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signers {
    /// Who signed the release's own tag.
    pub release: Result<Signer, String>,
    /// The second person; `None` if one signature is enough.
    pub approval: Option<Result<Signer, String>>,
}

impl Signers {
    /// The signers of a release that needs `wanted` signatures by people in the list `allowed`.
    ///
    /// # Errors
    /// As [`Git::signer`].
    pub fn of(git: &Git, source: &Source, allowed: &[u8], wanted: TagSigners) -> Result<Self> {
        let of_tag = |tag: SignedTag<'_>| git.signer(&tag.to_string(), &source.commit, allowed);
        let release = of_tag(SignedTag::Release(&source.tag))?;
        let approval = match wanted {
            TagSigners::One => None,
            TagSigners::Two => Some(of_tag(SignedTag::Approval(&source.tag))?),
        };
        Ok(Self { release, approval }.without_self_approval(&source.tag, allowed))
    }

    /// The same signers, without an approval that may be by the person who signed the release's own tag.
    #[must_use]
    pub fn without_self_approval(mut self, tag: &ReleaseTag, allowed: &[u8]) -> Self {
        if let (Ok(first), Some(Ok(second))) = (&self.release, &self.approval)
            && let Some(why) = not_two_people(first, second, tag, allowed)
        {
            self.approval = Some(Err(why));
        }
        self
    }
}

/// Why the two signatures may be by the same person, if they may. The same key means the same person, whatever its
/// names are, and the same name means the same person, whatever their keys are.
fn not_two_people(first: &Signer, second: &Signer, tag: &ReleaseTag, allowed: &[u8]) -> Option<String> {
    if first.fingerprint == second.fingerprint {
        return Some(format!("its key {} signed `{tag}` as well", second.fingerprint));
    }
    let (first, second) = (first.names(allowed), second.names(allowed));
    if let Some(name) = first.intersection(&second).next() {
        return Some(format!("`{name}` signed `{tag}` as well, with another key"));
    }
    let pattern = first.union(&second).find(|name| name.contains(['*', '?', '!']))?;
    Some(format!(
        "`{pattern}` in the list is a pattern and may be anyone; list each key under a person's name"
    ))
}

#[cfg(test)]
mod tests {
    use super::{SignedTag, Signers};
    use crate::inputs::source::release_tags;
    use crate::inputs::version::ReleaseTag;
    use crate::tool::git::Signer;

    fn tag() -> ReleaseTag {
        "v1.2.3".parse().unwrap()
    }

    fn signer(name: &str, key: &str) -> Signer {
        Signer { principal: name.to_owned(), fingerprint: format!("SHA256:{}", key.repeat(43)) }
    }

    #[test]
    fn two_people_need_two_names_and_two_keys() {
        for (first, second, words) in [
            (("alice", "a"), ("bob", "b"), None),
            (("alice", "a"), ("alice", "a"), Some("its key SHA256:aaa")),
            (("alice", "a"), ("bob", "a"), Some("its key SHA256:aaa")),
            (("alice", "a"), ("alice", "b"), Some("`alice` signed `v1.2.3` as well, with another key")),
            (("alice", "a"), ("Alice", "b"), Some("`alice` signed `v1.2.3` as well, with another key")),
            (("*@example.org", "a"), ("bob", "b"), Some("`*@example.org` in the list is a pattern")),
            (("alice", "a"), ("bo?", "b"), Some("`bo?` in the list is a pattern")),
        ] {
            let (first, second) = (signer(first.0, first.1), signer(second.0, second.1));
            let signers = Signers { release: Ok(first.clone()), approval: Some(Ok(second.clone())) };
            let found = signers.without_self_approval(&tag(), b"");
            assert_eq!(found.release, Ok(first));
            match (found.approval.unwrap(), words) {
                (Ok(approved), None) => assert_eq!(approved, second),
                (Err(why), Some(words)) => assert!(why.contains(words), "{why}"),
                (found, words) => panic!("{found:?}, not {words:?}"),
            }
        }
    }

    #[test]
    fn an_approval_is_unchanged_if_the_release_tag_is_not_signed() {
        let why = || Err("no signature found".to_owned());
        for approval in [None, Some(Ok(signer("alice", "a"))), Some(why())] {
            let signers = Signers { release: why(), approval };
            assert_eq!(signers.clone().without_self_approval(&tag(), b""), signers);
        }
    }

    #[test]
    fn an_approval_is_no_release_tag() {
        let tag = tag();
        let names = [SignedTag::Approval(&tag).to_string(), SignedTag::Release(&tag).to_string()];
        assert_eq!(names, ["approved/v1.2.3", "v1.2.3"]);
        assert_eq!(release_tags(&names), [tag]);
    }
}

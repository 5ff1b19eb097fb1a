//! Which release a person asks for: by its git tag, or by the digest of its image.

use crate::oci::reference::{Digest, Image, undigested, untagged};
use crate::process::failure::Misuse;

/// What to verify.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    /// The image of a release, by its git tag.
    VersionTag,
    /// This image.
    Digest(Image, Digest),
}

impl Wanted {
    /// Parses the argument. Whether a word without a digest is a release tag is checked later, in the repository.
    ///
    /// # Errors
    /// [`Misuse`] when an image is named without a digest, or with a tag as well. Engines accept `name:tag@sha256:…`
    /// and ignore the tag, so a report on it would seem to be about the tag too.
    pub(super) fn of(what: Option<&str>) -> Result<Self, Misuse> {
        let misuse = |error: anyhow::Error| Misuse::new(format!("{error:#}"));
        let Some(what) = what else { return Ok(Self::VersionTag) };
        let (name, Some(digest)) = undigested(what) else {
            // No release tag has a slash.
            return if what.contains('/') { Err(without_digest(what)) } else { Ok(Self::VersionTag) };
        };
        if let (untagged, Some(tag)) = untagged(name) {
            return Err(Misuse::new(format!(
                "`{what}` has a tag and a digest, and only the digest says which image it is: leave `:{tag}` out, as in \
                 `cargo xtask verify {untagged}@{digest}`"
            )));
        }
        Ok(Self::Digest(name.parse().map_err(misuse)?, digest.parse().map_err(misuse)?))
    }
}

fn without_digest(what: &str) -> Misuse {
    Misuse::new(format!(
        "`{what}` names an image without its digest: name a release by its git tag, as in `cargo xtask verify v1.2.3`, or \
         an image by its digest, `{}@sha256:…`; `docker buildx imagetools inspect {what}` prints it",
        untagged(what).0
    ))
}

#[cfg(test)]
mod tests {
    use super::Wanted;
    use crate::oci::reference::Digest;

    #[test]
    fn an_image_must_be_named_by_digest_and_without_a_tag() {
        let digest = Digest::of(b"x");
        let of = |what: &str| Wanted::of(Some(what)).map_err(|misuse| misuse.to_string());
        assert_eq!(Wanted::of(None).unwrap(), Wanted::VersionTag);
        // Whether a word is a release tag is checked later, in the repository.
        for word in ["v1.2.3", "latest"] {
            assert_eq!(of(word).unwrap(), Wanted::VersionTag, "{word}");
        }
        for name in ["forge.example.org/acme/carol", "127.0.0.1:5000/acme/carol"] {
            let Wanted::Digest(image, found) = of(&format!("{name}@{digest}")).unwrap() else {
                panic!("{name}")
            };
            assert_eq!((image.to_string(), &found), (name.to_owned(), &digest));
            let words = of(&format!("{name}:v1.2.3@{digest}")).unwrap_err();
            assert!(words.contains(&format!("`cargo xtask verify {name}@{digest}`")), "{words}");
            for (what, inspected) in [(name.to_owned(), name), (format!("{name}:latest"), name)] {
                let words = of(&what).unwrap_err();
                assert!(words.contains(&format!("`{inspected}@sha256:…`; `docker")), "{words}");
                assert!(words.contains(&format!("inspect {what}`")), "{words}");
            }
        }
        for bad in ["Acme@sha256:1", "carol@sha256:1", "@", "forge.example.org/acme/carol@sha256:1"] {
            assert!(of(bad).is_err(), "{bad}");
        }
    }
}

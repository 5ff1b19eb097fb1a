//! What all releases of an image have in common: the registry's tags, and where `latest` is.

use std::thread;

use anyhow::Result;

use crate::inputs::version::ReleaseTag;
use crate::oci::reference::{Digest, Tag};
use crate::oci::registry::Client;
use crate::verify::claim::{Observed, Unavailable};
use crate::verify::known::Known;

use super::{join, seen};

/// What is the same for all releases of an image, and is fetched once.
pub(in crate::verify) struct Common {
    /// All tags of the registry.
    pub(in crate::verify) tags: Observed<Vec<String>>,
    pub(in crate::verify) latest: Observed<ObservedLatest>,
}

/// Where `latest` is, and where it belongs.
#[derive(Clone)]
pub(in crate::verify) struct ObservedLatest {
    pub(in crate::verify) latest: Option<Digest>,
    /// The highest stable version that has a tag in the registry, and its digest.
    pub(in crate::verify) highest: Option<(ReleaseTag, Option<Digest>)>,
    /// Whether there is a git tag of that version. A version that only the registry has is not a release.
    pub(in crate::verify) is_tagged: Observed<bool>,
}

impl ObservedLatest {
    /// Whether `tag` is the highest stable version that is released.
    pub(in crate::verify) fn belongs_to(&self, tag: &ReleaseTag) -> bool {
        self.highest.as_ref().is_some_and(|(highest, _)| highest == tag)
    }
}

/// Lists the registry's tags, and looks where `latest` is. A version tag that is already known is not requested
/// again. `is_tagged` says whether there is a git tag of a version. The digests are computed from the manifests,
/// because a registry can write anything into the header that names one.
pub(in crate::verify) fn common(
    registry: &Client,
    known_tag: Option<(&ReleaseTag, Digest)>,
    is_tagged: impl FnOnce(&ReleaseTag) -> Result<bool>,
) -> Common {
    let digest = |tag: &Tag| seen(registry.manifest(tag)).map(|found| found.map(|found| found.digest));
    let (tags, latest) = thread::scope(|scope| {
        let latest = scope.spawn(|| digest(&Tag::latest()));
        let tags = seen(registry.tags());
        (tags, join(latest))
    });
    let known = listed(tags, known_tag.as_ref().map(|(tag, _)| *tag)).map(Known::of);
    let latest = known.as_ref().map_err(Clone::clone).and_then(|known| {
        let latest = latest?;
        let highest = match known.highest() {
            Some(tag) => {
                let known = known_tag.filter(|(known, _)| known == &tag).map(|(_, digest)| digest);
                let asked = || digest(&tag.registry_tag());
                Some((tag.clone(), known.map_or_else(asked, |digest| Ok(Some(digest)))?))
            }
            None => None,
        };
        let is_tagged = highest.as_ref().map_or(Ok(true), |(tag, _)| seen(is_tagged(tag)));
        Ok(ObservedLatest { latest, highest, is_tagged })
    });
    Common { tags: known.map(|known| known.tags().to_vec()), latest }
}

/// The tags listed by a registry that was just found to have the tag `known`. A list without that tag may lack others
/// too, and nothing can be concluded from what is missing in it.
pub(in crate::verify) fn listed(
    tags: Observed<Vec<String>>,
    known: Option<&ReleaseTag>,
) -> Observed<Vec<String>> {
    let tags = tags?;
    let has = |known: &ReleaseTag| tags.iter().any(|tag| tag == known.registry_tag().as_str());
    match known.filter(|known| !has(known)) {
        Some(known) => Err(unlisted(&format!("`{known}`"))),
        None => Ok(tags),
    }
}

/// The tags listed by a mirror, which need not have a version tag for the image. If the signatures were just found
/// under a tag (`has_tag`) and nothing is listed, the mirror cannot list tags.
pub(in crate::verify) fn listed_beside(tags: Observed<Vec<String>>, has_tag: bool) -> Observed<Vec<String>> {
    match tags?.as_slice() {
        [] if has_tag => Err(unlisted("the signatures of this image under a tag")),
        tags => Ok(tags.to_vec()),
    }
}

/// Why the tags of a registry are unknown: it was just found to have `what`, and does not list it.
fn unlisted(what: &str) -> Unavailable {
    Unavailable::Failed(format!(
        "the registry has {what}, and its list of tags does not show it; ask its operator whether it can list tags, then \
         verify again"
    ))
}

#[cfg(test)]
mod tests {
    use super::{common, listed, listed_beside};
    use crate::http::Curl;
    use crate::inputs::config::Timeouts;
    use crate::oci::registry::Client;
    use crate::process::Runner;
    use crate::process::environment::Environment;
    use crate::verify::claim::Unavailable;

    #[test]
    fn a_tag_list_that_lacks_a_tag_known_to_exist_is_not_trusted() {
        let tag = "v1.0.0".parse().unwrap();
        let tags = |names: &[&str]| Ok(names.iter().map(ToString::to_string).collect::<Vec<_>>());
        for (names, known, is_trusted) in [
            (&["v0.9.0", "v1.0.0"][..], Some(&tag), true),
            (&["v0.9.0"], Some(&tag), false),
            (&[], Some(&tag), false),
            (&["v0.9.0"], None, true),
            (&[], None, true),
        ] {
            let found = listed(tags(names), known);
            assert_eq!(found == tags(names), is_trusted, "{names:?} {known:?}");
            assert!(is_trusted || matches!(&found, Err(Unavailable::Failed(_))), "{found:?}");
        }
        for (names, has_tag, is_trusted) in
            [(&["latest"][..], true, true), (&[], false, true), (&[], true, false)]
        {
            assert_eq!(listed_beside(tags(names), has_tag).is_ok(), is_trusted, "{names:?} {has_tag}");
        }
        let away = || Err(Unavailable::Transient("answered 503".to_owned()));
        assert_eq!(listed(away(), Some(&tag)), away());
    }

    #[test]
    fn an_unreachable_registry_is_away_and_may_answer_later() {
        let curl = Curl::new(&Runner::new(&Environment::from_process()), Timeouts::default().http());
        let registry = Client::new(curl.without_retries(), "127.0.0.1:1/acme/carol".parse().unwrap(), None);
        let found = common(&registry, None, |_tag| Ok(true));
        assert!(matches!(found.tags, Err(Unavailable::Transient(_))));
        assert!(matches!(found.latest, Err(Unavailable::Transient(_))));
    }
}

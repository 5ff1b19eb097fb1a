//! Whether the version was signed before, for another commit. A version is never published twice. While it exists,
//! the page of the earlier release shows that; what is attached to an image stays in the registry even if page,
//! version tag and git tag were deleted.

use std::collections::HashSet;

use anyhow::Result;

use crate::evidence::attached::{self, Kind};
use crate::evidence::statement;
use crate::evidence::{bundle, candidate};
use crate::inputs::source::Source;
use crate::inputs::version::ReleaseTag;
use crate::oci::reference::{Digest, Tag};
use crate::oci::registry::{Client, Got, Wanted};
use crate::process::problem::Problem;
use crate::release::Context;
use crate::release::preflight::{Found, observed};

/// How many requests are sent in one batch.
const MAX_BATCH: usize = 100;

/// Looks at the signatures of the images that no version tag names any more.
///
/// # Errors
/// When the registry does not answer.
pub(super) fn look(context: &Context<'_>) -> Result<Found> {
    let (registry, source) = (&context.tools.registry, context.release.source);
    let tags = registry.tags()?;
    let names = tags.iter().filter(|name| may_name(source, name));
    let names = names.map(|name| Ok(Wanted::Tagged(name.parse()?))).collect::<Result<Vec<_>>>()?;
    let named: HashSet<_> = read(registry, &names)?.iter().flatten().map(|bytes| Digest::of(bytes)).collect();
    // A release has stored attestations before its version tag is set.
    let attested = tags.iter().filter_map(|name| Kind::Attestations.digest_of(name));
    let left: Vec<_> = attested.filter(|digest| !named.contains(digest)).collect();
    let payloads = payloads(registry, &left)?;
    let problem = payloads.iter().find_map(|(digest, payload)| problem(source, digest, payload));
    Ok(observed("not signed before for another commit", problem))
}

/// Whether `name` is a tag of an image that was released or may still be: any version tag, or a candidate tag of this
/// version. A git tag may be moved while its image is only a candidate.
fn may_name(source: &Source, name: &str) -> bool {
    name.parse::<ReleaseTag>().is_ok() || candidate::is_of(&source.tag, name)
}

/// The payloads of the signatures of `images`, each with its image. What does not have the form of a signature was
/// not written by a release, and is ignored.
fn payloads(registry: &Client, images: &[Digest]) -> Result<Vec<(Digest, Vec<u8>)>> {
    let wanted: Vec<_> = images.iter().map(|digest| Wanted::Tagged(Kind::Signatures.tag(digest))).collect();
    let manifests = read(registry, &wanted)?;
    let mut of = Vec::new();
    for (digest, manifest) in images.iter().zip(manifests) {
        let layers = manifest.map(|bytes| attached::layers(Kind::Signatures, &bytes));
        if let Some(Ok(layers)) = layers {
            of.extend(layers.into_iter().map(|layer| (digest.clone(), Wanted::Blob(layer.digest))));
        }
    }
    let (of, wanted): (Vec<_>, Vec<_>) = of.into_iter().unzip();
    let bytes = read(registry, &wanted)?;
    Ok(of.into_iter().zip(bytes).filter_map(|(digest, bytes)| bytes.map(|bytes| (digest, bytes))).collect())
}

/// The bytes of each of `wanted`; `None` for what does not exist.
fn read(registry: &Client, wanted: &[Wanted]) -> Result<Vec<Option<Vec<u8>>>> {
    let answers = wanted.chunks(MAX_BATCH).flat_map(|some| registry.batch(some));
    answers.map(|answer| Ok(answer?.map(Got::into_bytes))).collect()
}

/// The problem if `payload`, of a signature of `digest`, is about this version and another commit.
fn problem(source: &Source, digest: &Digest, payload: &[u8]) -> Option<Problem> {
    let commit = statement::other_commit(payload, source)?;
    let attached = [Kind::Signatures.tag(digest), Kind::Attestations.tag(digest), bundle::tag(digest)];
    let attached = attached.map(|tag: Tag| format!("`{tag}`")).join(", ");
    let tag = &source.tag;
    let text = format!(
        "{tag} was signed before, for commit {commit}, as `{digest}`, which no version tag names any more; people may have \
         pulled it. A version is never published twice: release the next one, or, if nobody can have pulled it, delete \
         {attached} in the registry, then run the same command again"
    );
    Some(Problem::new("version", text))
}

#[cfg(test)]
mod tests {
    use super::{may_name, problem};
    use crate::inputs::source::Source;
    use crate::oci::reference::{Digest, Tag};
    use crate::tool::git::Commit;

    fn source() -> Source {
        let commit = Commit::parse(&"a".repeat(40)).unwrap();
        Source { tag: "v1.2.3".parse().unwrap(), commit, time: 0, is_tagged: true }
    }

    #[test]
    fn a_version_that_was_signed_for_another_commit_is_refused() {
        let (digest, other) = (Digest::of(b"x"), "b".repeat(40));
        let payload = |version: &str, commit: Option<&str>| {
            let commit = commit.map(|commit| format!("\"commit\":\"{commit}\",")).unwrap_or_default();
            format!(
                "{{\"critical\":{{\"identity\":{{\"docker-reference\":\"f/a/b\"}},\"image\":{{\"docker-manifest-digest\":\
                 \"{digest}\"}},\"type\":\"cosign container image signature\"}},\"optional\":{{{commit}\"version\":\
                 \"{version}\"}}}}"
            )
        };
        let ours = "a".repeat(40);
        for (payload, is_refused) in [
            (payload("1.2.3", Some(&other)), true),
            (payload("1.2.3", Some(&ours)), false),
            (payload("1.2.4", Some(&other)), false),
            // From a release before signatures named the commit: which commit it was is unknown.
            (payload("1.2.3", None), false),
            ("{}".to_owned(), false),
            ("\u{0}".to_owned(), false),
        ] {
            let found = problem(&source(), &digest, payload.as_bytes());
            assert_eq!(found.is_some(), is_refused, "{payload}");
            let text = found.map(|problem| problem.text).unwrap_or_default();
            assert!(!is_refused || (text.contains(&other) && text.contains(".att`")), "{text}");
        }
    }

    #[test]
    fn images_with_a_version_or_candidate_tag_are_not_treated_as_removed_releases() {
        for (name, expected) in [
            ("v1.2.4", true),
            ("v1.2.3", true),
            ("candidate-v1.2.3-bbbbbbbbbbbb-0123", true),
            ("candidate-v1.2.4-bbbbbbbbbbbb-0123", false),
            ("candidate-v1.2.3-BBBBBBBBBBBB-0123", false),
            ("latest", false),
            ("sha256-aa.att", false),
        ] {
            assert_eq!(may_name(&source(), name), expected, "{name}");
            assert!(!expected || name.parse::<Tag>().is_ok(), "{name}");
        }
    }
}

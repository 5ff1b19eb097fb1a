//! All claims of one release: asked side by side, then judged.

use std::sync::OnceLock;
use std::thread;

use anyhow::{Result, anyhow};

use crate::forge::PublishedPage;
use crate::progress::both;
use crate::reference::Digest;
use crate::registry::Client;
use crate::release::Release;
use crate::version::ReleaseTag;

use super::claim::{Claim, Seen, Unseen};
use super::look::{self, Common, Place};
use super::store::Layout;
use super::{image, layers, public};

/// The claims about an image, for where there is none to look at. A test holds them against what is judged.
const IMAGE: [&str; 17] = [
    image::PRESENT,
    "image.platforms",
    "image.labels",
    layers::CONTENT,
    layers::MACHINE,
    "signature",
    image::PLATFORM_SIGNATURES,
    "attachments",
    "provenance",
    "provenance.form",
    "provenance.source",
    "provenance.inputs",
    "provenance.builder",
    "provenance.time",
    "provenance.products",
    "sbom",
    "sbom.components",
];

/// The claims about what is public under the release's name, and not about an image.
const PUBLIC: [&str; 6] =
    [public::TAG_IMAGE, "tag.git", "page.state", "page.image", "page.commands", public::LATEST];

/// What is known of a release before it is looked at.
pub(super) enum Asked<'a> {
    /// Whatever its version tag names.
    VersionTag,
    /// That image, which may be kept under another name than the configured one: then nothing public is asked for.
    Digest(&'a Digest),
    /// The image in a directory.
    Layout(&'a Layout),
}

/// What came of it.
pub(super) struct Survey {
    /// The image that was looked at, if there was one.
    pub(super) digest: Option<Digest>,
    pub(super) claims: Vec<Claim>,
    /// Claims that this way of asking leaves out.
    pub(super) not_asked: Vec<&'static str>,
    /// It says that it is a rehearsal.
    pub(super) is_rehearsal: bool,
}

/// What several releases of one image share: it is asked once, by the first that needs it.
pub(super) struct Shared<'a> {
    pub(super) registry: &'a Client,
    pub(super) common: OnceLock<Common>,
    /// All pages, where they were listed.
    pub(super) pages: Option<Vec<PublishedPage>>,
}

impl<'a> Shared<'a> {
    pub(super) fn new(registry: &'a Client, pages: Option<Vec<PublishedPage>>) -> Self {
        Self { registry, common: OnceLock::new(), pages }
    }

    /// `known` is a version tag and its digest, just looked at.
    fn common(&self, known: Option<(&ReleaseTag, Digest)>) -> &Common {
        self.common.get_or_init(|| look::common(self.registry, known))
    }
}

/// Asks and judges.
///
/// # Errors
/// When a signal stopped it.
pub(super) fn run(release: &Release<'_>, asked: &Asked<'_>, shared: &Shared<'_>) -> Result<Survey> {
    match asked {
        Asked::Layout(layout) => offline(release, layout),
        Asked::Digest(digest) if release.target.image != release.session.config.image()? => {
            let (seen, common) =
                both(|| look::image(release, digest, Place::Registry, None), || Ok(shared.common(None)))?;
            let claims = image::judge(release, digest, &seen, &bundles(&common.tags, digest));
            let is_rehearsal =
                release.target.image.registry.is_loopback() && image::is_rehearsal(&seen, digest);
            Ok(Survey { digest: Some((*digest).clone()), claims, not_asked: PUBLIC.to_vec(), is_rehearsal })
        }
        Asked::Digest(digest) => online(release, Some(digest), shared),
        Asked::VersionTag => online(release, None, shared),
    }
}

fn offline(release: &Release<'_>, layout: &Layout) -> Result<Survey> {
    let digest = layout.image();
    let seen = look::image(release, digest, Place::Layout(layout), None)?;
    let others = layout.others().into_iter().map(ToString::to_string).collect();
    let mut claims = image::judge(release, digest, &seen, &Ok(others));
    // A blob that nothing above looks into is part of what was saved as well.
    if let Err(unseen) = look::seen(layout.check()) {
        let present = claims.iter_mut().filter(|claim| claim.id == image::PRESENT);
        present.for_each(|claim| *claim = Claim::unseen(image::PRESENT, &unseen));
    }
    // `cosign save` leaves the platforms' signatures out.
    let not_asked = [&[image::PLATFORM_SIGNATURES], &PUBLIC[..]].concat();
    Ok(Survey { digest: Some(digest.clone()), claims, not_asked, is_rehearsal: false })
}

fn online(release: &Release<'_>, asked: Option<&Digest>, shared: &Shared<'_>) -> Result<Survey> {
    let tag = release.source.tag.registry_tag();
    let page = shared
        .pages
        .as_ref()
        .map(|pages| Ok(pages.iter().find(|found| found.page.tag == release.source.tag).cloned()));
    thread::scope(|scope| {
        // The forge is asked while the registry still wants a token.
        let names = scope.spawn(|| look::names(release, page.as_ref()));
        // The manifest and not just its digest: what is known of the index spares a question.
        let tagged = look::seen(release.tools.registry.manifest(tag.as_str()));
        let version_tag = tagged.clone().map(|found| found.map(|manifest| manifest.digest));
        let known = version_tag.clone().ok().flatten().map(|digest| (&release.source.tag, digest));
        let common = scope.spawn(|| shared.common(known));
        let tagged = tagged.map_err(after_tag);
        let found = match (asked, &tagged) {
            (Some(digest), _) => Ok((digest.clone(), tagged.as_ref().ok().and_then(Option::as_ref))),
            (None, Ok(Some(manifest))) => Ok((manifest.digest.clone(), Some(manifest))),
            (None, Ok(None)) => Err(Unseen::Follows(public::TAG_IMAGE)),
            (None, Err(unseen)) => Err(unseen.clone()),
        };
        let seen = found.map(|(digest, known)| {
            let known = known.filter(|manifest| manifest.digest == digest);
            (look::image(release, &digest, Place::Registry, known), digest)
        });
        let names = names.join().map_err(|_panic| anyhow!("a thread panicked"))?;
        let public = look::PublicSeen { version_tag, names };
        let common = common.join().map_err(|_panic| anyhow!("a thread panicked"))?;
        crate::interrupt::check()?;
        let (digest, mut claims) = match seen {
            Ok((seen, digest)) => {
                let seen = seen?;
                let mut claims = image::judge(release, &digest, &seen, &bundles(&common.tags, &digest));
                claims.extend(public::judge(release, &digest, &public, Some(&seen)));
                (Some(digest), claims)
            }
            Err(unseen) => (None, without_image(release, &public, &unseen)),
        };
        claims.push(public::latest(&common.latest));
        Ok(Survey { digest, claims, not_asked: Vec::new(), is_rehearsal: false })
    })
}

/// A version tag that answers with wrong bytes is false once, and not in every claim that begins with it.
fn after_tag(unseen: Unseen) -> Unseen {
    match unseen {
        Unseen::Unknown(words) => Unseen::Unknown(words),
        Unseen::Wrong(_) | Unseen::Follows(_) => Unseen::Follows(public::TAG_IMAGE),
    }
}

/// What can be told where the version tag leads nowhere.
fn without_image(release: &Release<'_>, seen: &look::PublicSeen, unseen: &Unseen) -> Vec<Claim> {
    let unjudged = |id| Claim::unseen(id, unseen);
    let mut claims: Vec<_> = IMAGE.into_iter().map(unjudged).collect();
    claims.push(public::tag_image(release, None, &seen.version_tag));
    claims.extend(public::names(release, &seen.names));
    claims.extend(["page.image", "page.commands"].map(unjudged));
    claims
}

/// The tags of what is attached to `digest` beside its signatures and attestations: a newer cosign's bundles, or an SBOM
/// that nobody signed.
pub(super) fn bundles(tags: &Seen<Vec<String>>, digest: &Digest) -> Seen<Vec<String>> {
    let name = format!("sha256-{}", digest.hex());
    let ours = [format!("{name}.sig"), format!("{name}.att")];
    let tags = tags.as_ref().map_err(Clone::clone)?;
    Ok(tags.iter().filter(|tag| tag.starts_with(&name) && !ours.contains(tag)).cloned().collect())
}

#[cfg(test)]
mod tests {
    use super::bundles;
    use crate::reference::Digest;

    #[test]
    fn what_else_is_attached_to_a_digest_is_told_by_its_tag() {
        let digest = Digest::of(b"image");
        let name = format!("sha256-{}", digest.hex());
        let tags = [
            "v1.0.0".to_owned(),
            format!("{name}.sig"),
            format!("{name}.att"),
            name.clone(),
            format!("{name}.sbom"),
            format!("sha256-{}", Digest::of(b"other").hex()),
        ];
        assert_eq!(bundles(&Ok(tags.to_vec()), &digest).unwrap(), [name.clone(), format!("{name}.sbom")]);
        assert_eq!(bundles(&Ok(tags[..3].to_vec()), &digest).unwrap(), [""; 0]);
    }
}

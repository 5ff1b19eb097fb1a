//! What the registry and the forge show of a release: the facts that decide its plan, and what else was found with
//! them.

use anyhow::Result;

use crate::evidence::attached::Kind;
use crate::evidence::candidate;
use crate::evidence::claims::{About, about};
use crate::evidence::page::{self, Format, Page, PublishedPage};
use crate::inputs::source::Source;
use crate::inputs::version::ReleaseTag;
use crate::oci::reference::{Digest, Tag};
use crate::process::parallel::both;
use crate::release::plan::{Facts, Found};
use crate::release::tags::Published;
use crate::release::{Context, assets};
use crate::verify;
use crate::verify::claim::{Claim, Verdict};
use crate::verify::known::Known;

/// What was found of a release that has a version tag.
pub struct State {
    /// The facts that the plan depends on.
    pub facts: Facts,
    /// The image that the version tag names.
    pub public: Public,
    /// The page as it is now.
    pub page: Option<PublishedPage>,
    /// The registry's tags.
    pub known: Known,
    /// Whether only the attachments are wrong, as after a run that died when it had stored only one of the two
    /// formats.
    pub is_between_formats: bool,
    /// Whether this run has added missing bundles.
    pub is_repaired: bool,
}

/// The image that a version tag names.
pub enum Public {
    /// It does not verify as the release.
    Conflict {
        /// Its digest.
        digest: Digest,
        /// The false claims, in words.
        text: String,
    },
    /// It is proven; with the page as it has to be.
    Proven(Published, Page),
}

/// The facts about the image that the version tag names.
struct Image {
    version_tag: Found,
    signature: Found,
    provenance: Found,
    sbom: Found,
}

impl State {
    /// The state of a release whose version tag names `digest`; the image has to be proven.
    ///
    /// # Errors
    /// When a server does not answer, or when a claim could not be checked and none is false.
    pub fn of_public(context: &Context<'_>, digest: &Digest) -> Result<Self> {
        let verifier = context.verifier();
        let (known, (claims, proven)) =
            both(|| Known::ask(&context.tools.registry), || verify::of_public(&verifier, digest))?;
        let (image, public) = match proven {
            Ok(proven) => (Image::of_proven(), Public::proven(context, Published::found(proven))?),
            Err((Verdict::Unchecked, text)) => {
                let text =
                    format!("`{}` is public, and it could not be checked: {text}", context.release.tagged());
                return Err(verify::unchecked(&claims, text));
            }
            Err((_, text)) => {
                (Image::of_claims(&claims, &known, digest), Public::Conflict { digest: digest.clone(), text })
            }
        };
        let is_between_formats = verify::is_between_formats(&claims);
        Ok(Self { is_between_formats, ..Self::new(context, &image, public, || Ok(known))? })
    }

    /// The state of a release whose image this run has just proven and given the version tag.
    ///
    /// # Errors
    /// When a server does not answer.
    pub fn of_published(context: &Context<'_>, published: Published) -> Result<Self> {
        let public = Public::proven(context, published)?;
        Self::new(context, &Image::of_proven(), public, || Known::ask(&context.tools.registry))
    }

    /// The state of a release whose page this run has just written: where `latest` and the mark belong now. The page
    /// is not read, because the last check of everything public reads it.
    ///
    /// # Errors
    /// When a server does not answer.
    pub fn of_written(context: &Context<'_>, published: Published) -> Result<Self> {
        let public = Public::proven(context, published)?;
        let known = Known::ask(&context.tools.registry)?;
        let facts = facts(context, &Image::of_proven(), Some(public.digest()), &known)?;
        Ok(Self::of_facts(Facts { page: Found::Matches, ..facts }, public, None, known))
    }

    fn new(
        context: &Context<'_>,
        image: &Image,
        public: Public,
        known: impl FnOnce() -> Result<Known> + Send,
    ) -> Result<Self> {
        let (facts, page, known) = look(context, image, Some(&public), known)?;
        Ok(Self::of_facts(facts, public, page, known))
    }

    fn of_facts(facts: Facts, public: Public, page: Option<PublishedPage>, known: Known) -> Self {
        Self { facts, public, page, known, is_between_formats: false, is_repaired: false }
    }
}

impl Public {
    fn proven(context: &Context<'_>, published: Published) -> Result<Self> {
        let page = context.page(published.proven())?;
        Ok(Self::Proven(published, page))
    }

    /// The digest that the version tag names.
    #[must_use]
    pub fn digest(&self) -> &Digest {
        match self {
            Self::Conflict { digest, .. } => digest,
            Self::Proven(published, _) => published.digest(),
        }
    }
}

/// The facts about a release without a version tag, including everything that can be looked up nevertheless.
///
/// # Errors
/// When a server does not answer.
pub fn of_unreleased(context: &Context<'_>) -> Result<Facts> {
    let none = Found::NotApplicable;
    let image = Image { version_tag: Found::Missing, signature: none, provenance: none, sbom: none };
    Ok(look(context, &image, None, || Known::ask(&context.tools.registry))?.0)
}

/// The facts about a release with this image, its page as it is now, and the registry's tags.
fn look(
    context: &Context<'_>,
    image: &Image,
    public: Option<&Public>,
    known: impl FnOnce() -> Result<Known> + Send,
) -> Result<(Facts, Option<PublishedPage>, Known)> {
    let others = || {
        let known = known()?;
        Ok((facts(context, image, public.map(Public::digest), &known)?, known))
    };
    let ((page, found), (facts, known)) = both(|| look_at_page(context, public), others)?;
    Ok((Facts { page: found, ..facts }, page, known))
}

/// The page as it is now, and whether it is right.
fn look_at_page(context: &Context<'_>, public: Option<&Public>) -> Result<(Option<PublishedPage>, Found)> {
    let page = context.target.forge.page(context.release.tag())?;
    let found = match &page {
        None => Found::Missing,
        Some(found) if is_page_right(context, found, public)? => Found::Matches,
        Some(_) => Found::Differs,
    };
    Ok((page, found))
}

/// The facts about a release with this image, without its page.
fn facts(context: &Context<'_>, image: &Image, digest: Option<&Digest>, known: &Known) -> Result<Facts> {
    let Context { tools, target, release, .. } = context;
    let tag = release.tag();
    let highest = known.highest_with(tag);
    let (latest, mark) = both(
        || latest(tag, digest, highest, || tools.registry.digest_of(&Tag::latest())),
        || {
            let shows = |tag| target.forge.shows_as_latest(&tag);
            Ok(match context.marked(highest)?.map(shows).transpose()? {
                None => Found::NotApplicable,
                Some(true) => Found::Matches,
                Some(false) => Found::Differs,
            })
        },
    )?;
    Ok(Facts {
        stable: tag.is_stable(),
        candidate: candidate(release.source, known.tags()),
        version_tag: image.version_tag,
        signature: image.signature,
        provenance: image.provenance,
        sbom: image.sbom,
        page: Found::NotApplicable,
        latest,
        mark,
    })
}

/// Whether a candidate tag among `tags` is of the commit of `source`; wrong if all of them are of other commits.
fn candidate(source: &Source, tags: &[String]) -> Found {
    let candidates = tags.iter().filter(|name| candidate::is_of(&source.tag, name));
    compare(candidates.map(|name| candidate::is_of_commit(source, name)).max(), |is_ours| is_ours)
}

/// Whether `latest` is where this release has to leave it, if `highest` is the highest stable version. `found` looks
/// up what `latest` names.
fn latest(
    tag: &ReleaseTag,
    digest: Option<&Digest>,
    highest: Option<&ReleaseTag>,
    found: impl FnOnce() -> Result<Option<Digest>>,
) -> Result<Found> {
    match (highest, digest) {
        (Some(highest), _) if highest == tag => Ok(compare(found()?.as_ref(), |found| Some(found) == digest)),
        // A run of this release put it there, and stopped before it saw the higher version.
        (Some(_), Some(digest)) if found()?.as_ref() == Some(digest) => Ok(Found::Differs),
        _ => Ok(Found::NotApplicable),
    }
}

/// Whether the page has the right text and every required file. A page written by a newer xtask counts as right: this
/// version does not change it.
fn is_page_right(context: &Context<'_>, found: &PublishedPage, public: Option<&Public>) -> Result<bool> {
    if Format::of(&found.page.body).is_err() {
        return Ok(true);
    }
    match public {
        Some(Public::Proven(published, expected)) if page::has_same_content(found, expected) => {
            assets::are_complete(context, found, published)
        }
        _ => Ok(false),
    }
}

/// Absent, right or wrong.
fn compare<T>(found: Option<T>, is_right: impl FnOnce(T) -> bool) -> Found {
    match found.map(is_right) {
        None => Found::Missing,
        Some(true) => Found::Matches,
        Some(false) => Found::Differs,
    }
}

impl Image {
    /// Every claim about it holds.
    fn of_proven() -> Self {
        let right = Found::Matches;
        Self { version_tag: right, signature: right, provenance: right, sbom: right }
    }

    /// One of the claims is false.
    fn of_claims(claims: &[Claim], known: &Known, digest: &Digest) -> Self {
        let has = |kind: Kind| known.tags().iter().any(|tag| tag == kind.tag(digest).as_str());
        let found = |what: About, is_there: bool| {
            let worst =
                claims.iter().filter(|claim| about(claim.id) == what).map(|claim| claim.verdict).max();
            match worst {
                Some(Verdict::Holds) => Found::Matches,
                Some(Verdict::False) if is_there => Found::Differs,
                Some(Verdict::False) => Found::Missing,
                Some(Verdict::Unchecked) | None => Found::NotApplicable,
            }
        };
        Self {
            version_tag: match found(About::Image, true) {
                Found::NotApplicable => Found::Differs,
                found => found,
            },
            signature: found(About::Signature, has(Kind::Signatures)),
            provenance: found(About::Provenance, has(Kind::Attestations)),
            sbom: found(About::Sbom, has(Kind::Attestations)),
        }
    }
}

#[cfg(test)]
mod tests;

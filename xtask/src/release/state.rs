//! What the registry and the forge show of a release: the facts that decide its plan, and what was seen on the way.

use anyhow::Result;

use crate::evidence::attached::Kind;
use crate::evidence::candidate;
use crate::evidence::claims::{About, about};
use crate::evidence::page::{self, Format, Page, PublishedPage};
use crate::oci::reference::{Digest, Tag};
use crate::process::parallel::both;
use crate::release::plan::{Facts, Found};
use crate::release::tags::Published;
use crate::release::{Context, assets};
use crate::verify;
use crate::verify::claim::{Claim, Verdict};
use crate::verify::known::Known;

/// What was found.
pub struct State {
    /// The facts that the plan depends on.
    pub facts: Facts,
    /// The false claims, in words; empty if there are none.
    pub conflict: String,
    /// The proven public image, and the page as it has to be; `None` if there is a conflict, or no image.
    pub image: Option<(Published, Page)>,
    /// The digest that the version tag names.
    pub digest: Option<Digest>,
    /// The page as it is now.
    pub page: Option<PublishedPage>,
    /// The registry's tags.
    pub known: Known,
    /// Whether only the attachments are wrong, in the way a run leaves them that dies between its two formats.
    pub is_between_formats: bool,
    /// Whether this run has added missing bundles.
    pub is_repaired: bool,
}

/// The facts about the image that the version tag names.
struct Image {
    version_tag: Found,
    signature: Found,
    provenance: Found,
    sbom: Found,
    conflict: String,
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
        let image = Image::of_claims(&claims, &known, digest).map_err(|text| {
            let text =
                format!("`{}` is public, and it could not be checked: {text}", context.release.tagged());
            verify::unchecked(&claims, text)
        })?;
        let is_between_formats = verify::is_between_formats(&claims);
        let state = Self::look(context, Some(digest), proven.map(Published::found), image, known)?;
        Ok(Self { is_between_formats, ..state })
    }

    /// The state of a release whose image this run has just proven and given the version tag.
    ///
    /// # Errors
    /// When a server does not answer.
    pub fn of_published(context: &Context<'_>, published: Published) -> Result<Self> {
        let digest = published.digest().clone();
        let image = Image::of_nothing_false(Found::Right, Found::Right);
        let known = Known::ask(&context.tools.registry)?;
        Self::look(context, Some(&digest), Some(published), image, known)
    }

    /// The state of a release without a version tag, with everything that can be asked anyway.
    ///
    /// # Errors
    /// When a server does not answer.
    pub fn of_unreleased(context: &Context<'_>) -> Result<Self> {
        let image = Image::of_nothing_false(Found::Absent, Found::NotAsked);
        Self::look(context, None, None, image, Known::ask(&context.tools.registry)?)
    }

    fn look(
        context: &Context<'_>,
        digest: Option<&Digest>,
        public: Option<Published>,
        image: Image,
        known: Known,
    ) -> Result<Self> {
        let Context { tools, target, release, .. } = context;
        let tag = release.tag();
        let highest = known.highest_with(tag);
        let (latest, (page, mark)) = both(
            || {
                let found = || tools.registry.digest_of(&Tag::latest());
                match (highest, digest) {
                    (Some(highest), _) if highest == tag => {
                        Ok(compare(found()?.as_ref(), |found| Some(found) == digest))
                    }
                    // A run of this release put it there, and stopped before it saw the higher version.
                    (Some(_), Some(digest)) if found()?.as_ref() == Some(digest) => Ok(Found::Wrong),
                    _ => Ok(Found::NotAsked),
                }
            },
            || {
                let shows = |tag| target.forge.shows_as_latest(&tag);
                let mark = match context.marked(highest)?.map(shows).transpose()? {
                    None => Found::NotAsked,
                    Some(true) => Found::Right,
                    Some(false) => Found::Wrong,
                };
                Ok((target.forge.page(tag)?, mark))
            },
        )?;
        let write = |published: Published| {
            let page = context.page(published.proven())?;
            anyhow::Ok((published, page))
        };
        let public = public.map(write).transpose()?;
        let page_fact = match &page {
            None => Found::Absent,
            Some(found) if is_page_right(context, found, public.as_ref())? => Found::Right,
            Some(_) => Found::Wrong,
        };
        let mut candidates = known.tags().iter().filter(|name| candidate::is_of(tag, name)).peekable();
        let candidate = compare(candidates.peek(), |name| name.contains(release.source.commit.short()));
        let facts = Facts {
            stable: tag.is_stable(),
            candidate,
            version_tag: image.version_tag,
            signature: image.signature,
            provenance: image.provenance,
            sbom: image.sbom,
            page: page_fact,
            latest,
            mark,
        };
        let (conflict, digest) = (image.conflict, digest.cloned());
        let (is_between_formats, is_repaired) = (false, false);
        Ok(Self { facts, conflict, image: public, digest, page, known, is_between_formats, is_repaired })
    }
}

/// Whether the page has the right text and every required file. A page written by a newer xtask counts as right: this
/// version does not change it.
fn is_page_right(
    context: &Context<'_>,
    found: &PublishedPage,
    public: Option<&(Published, Page)>,
) -> Result<bool> {
    if Format::of(&found.page.body).is_err() {
        return Ok(true);
    }
    match public {
        Some((published, expected)) if page::says_the_same(found, expected) => {
            assets::are_complete(context, found, published)
        }
        _ => Ok(false),
    }
}

/// Absent, right or wrong.
fn compare<T>(found: Option<T>, is_right: impl FnOnce(T) -> bool) -> Found {
    match found.map(is_right) {
        None => Found::Absent,
        Some(true) => Found::Right,
        Some(false) => Found::Wrong,
    }
}

impl Image {
    fn of_nothing_false(version_tag: Found, attached: Found) -> Self {
        let conflict = String::new();
        Self { version_tag, signature: attached, provenance: attached, sbom: attached, conflict }
    }

    /// `Err` says what could not be checked, if nothing is known to be false.
    fn of_claims(claims: &[Claim], known: &Known, digest: &Digest) -> Result<Self, String> {
        let conflict = verify::broken(claims);
        if let Some((Verdict::Unchecked, text)) = conflict {
            return Err(text);
        }
        let has = |kind: Kind| known.tags().iter().any(|tag| tag == kind.tag(digest).as_str());
        let found = |what: About, is_there: bool| {
            let worst =
                claims.iter().filter(|claim| about(claim.id) == what).map(|claim| claim.verdict).max();
            match worst {
                Some(Verdict::Holds) => Found::Right,
                Some(Verdict::False) if is_there => Found::Wrong,
                Some(Verdict::False) => Found::Absent,
                Some(Verdict::Unchecked) | None => Found::NotAsked,
            }
        };
        Ok(Self {
            version_tag: match found(About::Image, true) {
                Found::NotAsked => Found::Wrong,
                found => found,
            },
            signature: found(About::Signature, has(Kind::Signatures)),
            provenance: found(About::Provenance, has(Kind::Attestations)),
            sbom: found(About::Sbom, has(Kind::Attestations)),
            conflict: conflict.map(|(_, text)| text).unwrap_or_default(),
        })
    }
}

//! What registry and forge show of a release: the facts that its plan follows from, and what was seen on the way.

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
    /// What the plan depends on.
    pub facts: Facts,
    /// The claims that are false, in words; empty when none is.
    pub conflict: String,
    /// What is public and proven, and the page as it has to be; none where there is a conflict, or no image.
    pub image: Option<(Published, Page)>,
    /// What the version tag names.
    pub digest: Option<Digest>,
    /// The page as it is.
    pub page: Option<PublishedPage>,
    /// The registry's tags.
    pub known: Known,
    /// Nothing is false but what is attached, as a run leaves it that dies between its two formats.
    pub is_between_formats: bool,
    /// This run has given it the bundles that it lacked.
    pub is_repaired: bool,
}

/// What stands behind a version tag.
struct Image {
    version_tag: Found,
    signature: Found,
    provenance: Found,
    sbom: Found,
    conflict: String,
}

impl State {
    /// Of a release whose version tag is on `digest`, which has to be proven.
    ///
    /// # Errors
    /// When something cannot be asked, or a claim could not be checked and none is false.
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

    /// Of a release that this run has just proven and put the version tag on.
    ///
    /// # Errors
    /// When something cannot be asked.
    pub fn of_published(context: &Context<'_>, published: Published) -> Result<Self> {
        let digest = published.digest().clone();
        let image = Image::of_nothing_false(Found::Right, Found::Right);
        let known = Known::ask(&context.tools.registry)?;
        Self::look(context, Some(&digest), Some(published), image, known)
    }

    /// Of a release that has no version tag, with everything that can be asked nevertheless.
    ///
    /// # Errors
    /// When something cannot be asked.
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
                if highest != Some(tag) {
                    return Ok(Found::NotAsked);
                }
                let found = tools.registry.digest_of(Tag::latest().as_str())?;
                Ok(compare(found.as_ref(), |found| Some(found) == digest))
            },
            || {
                let shows = |tag| target.forge.shows_as_latest(tag);
                let mark = match highest.map(shows).transpose()? {
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

/// Whether the page says what it has to, and has the files that it has to. What a newer xtask wrote is not for this one to
/// change.
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

    /// `Err` says what could not be checked, when nothing is known to be false.
    fn of_claims(claims: &[Claim], known: &Known, digest: &Digest) -> Result<Self, String> {
        let conflict = verify::broken(claims);
        if let Some((Verdict::Unchecked, text)) = conflict {
            return Err(text);
        }
        let has = |kind: Kind| known.tags().contains(&kind.tag(digest));
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

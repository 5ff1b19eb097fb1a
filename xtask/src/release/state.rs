//! What registry and forge show of a release: the facts that its plan follows from, and what was seen on the way.

use anyhow::{Result, anyhow};

use crate::forge::{Page, PublishedPage};
use crate::progress::both;
use crate::provenance::Smoked;
use crate::reference::{Digest, Tag};
use crate::release::plan::{Facts, Found};
use crate::release::tags::Known;
use crate::release::{Release, candidate, page};
use crate::verify;
use crate::verify::claim::{Claim, Verdict};

/// What was found.
pub struct State {
    /// What the plan depends on.
    pub facts: Facts,
    /// The claims that are false, in words; empty when none is.
    pub conflict: String,
    /// The page as it has to be; none while there is no image to write about.
    pub page: Option<Page>,
    /// The page as it is.
    pub published: Option<PublishedPage>,
    /// The registry's tags.
    pub known: Known,
    /// How the image was tried, as its provenance says.
    pub smoked: Smoked,
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
    pub fn of_public(release: &Release<'_>, digest: &Digest) -> Result<Self> {
        let (known, (claims, smoked)) =
            both(|| Known::ask(&release.tools.registry), || verify::of_public(release, digest))?;
        let image = Image::of_claims(&claims, &known, digest).map_err(|text| {
            let name = release.target.image.tagged(&release.source.tag.registry_tag());
            anyhow!("`{name}` is public, and it could not be checked: {text}")
        })?;
        Self::look(release, Some((digest, smoked)), image, known)
    }

    /// Of a release that this run has just proven and put the version tag on; `smoked` is what its provenance says.
    ///
    /// # Errors
    /// When something cannot be asked.
    pub fn of_proven(release: &Release<'_>, digest: &Digest, smoked: Smoked) -> Result<Self> {
        let right = Found::Right;
        let image = Image {
            version_tag: right,
            signature: right,
            provenance: right,
            sbom: right,
            conflict: String::new(),
        };
        Self::look(release, Some((digest, smoked)), image, Known::ask(&release.tools.registry)?)
    }

    /// Of a release that has no version tag, with everything that can be asked nevertheless.
    ///
    /// # Errors
    /// When something cannot be asked.
    pub fn of_unreleased(release: &Release<'_>) -> Result<Self> {
        let none = Found::NotAsked;
        let image = Image {
            version_tag: Found::Absent,
            signature: none,
            provenance: none,
            sbom: none,
            conflict: String::new(),
        };
        Self::look(release, None, image, Known::ask(&release.tools.registry)?)
    }

    fn look(
        release: &Release<'_>,
        public: Option<(&Digest, Smoked)>,
        image: Image,
        known: Known,
    ) -> Result<Self> {
        let Release { tools, target, source, .. } = release;
        let highest = known.highest_with(&source.tag);
        let (digest, smoked) = public.unzip();
        let smoked = smoked.unwrap_or_default();
        let expected = digest.map(|digest| page::write(release, digest, &smoked)).transpose()?;
        let (latest, (published, mark)) = both(
            || {
                if highest != Some(&source.tag) {
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
                Ok((target.forge.page(&source.tag)?, mark))
            },
        )?;
        let is_right = |found: &PublishedPage| {
            expected.as_ref().is_some_and(|expected| page::says_the_same(found, expected))
        };
        let mut candidates =
            known.tags().iter().filter(|name| candidate::is_of(&source.tag, name)).peekable();
        let candidate = compare(candidates.peek(), |name| name.contains(source.commit.short()));
        let facts = Facts {
            stable: source.tag.is_stable(),
            candidate,
            version_tag: image.version_tag,
            signature: image.signature,
            provenance: image.provenance,
            sbom: image.sbom,
            page: compare(published.as_ref(), is_right),
            latest,
            mark,
        };
        Ok(Self { facts, conflict: image.conflict, page: expected, published, known, smoked })
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
    /// `Err` says what could not be checked, when nothing is known to be false.
    fn of_claims(claims: &[Claim], known: &Known, digest: &Digest) -> Result<Self, String> {
        let conflict = verify::broken(claims);
        if let Some((Verdict::Unchecked, text)) = conflict {
            return Err(text);
        }
        let has = |kind: &str| known.tags().contains(&format!("sha256-{}.{kind}", digest.hex()));
        let subject = |claim: &Claim| match claim.id.split('.').next() {
            Some(id @ ("signature" | "provenance" | "sbom")) => id.to_owned(),
            _ => "image".to_owned(),
        };
        let found = |id: &str, is_there: bool| {
            let worst = claims.iter().filter(|claim| subject(claim) == id).map(|claim| claim.verdict).max();
            match worst {
                Some(Verdict::Holds) => Found::Right,
                Some(Verdict::False) if is_there => Found::Wrong,
                Some(Verdict::False) => Found::Absent,
                Some(Verdict::Unchecked) | None => Found::NotAsked,
            }
        };
        Ok(Self {
            version_tag: match found("image", true) {
                Found::NotAsked => Found::Wrong,
                found => found,
            },
            signature: found("signature", has("sig")),
            provenance: found("provenance", has("att")),
            sbom: found("sbom", has("att")),
            conflict: conflict.map(|(_, text)| text).unwrap_or_default(),
        })
    }
}

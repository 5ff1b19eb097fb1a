//! All claims of one release: everything is fetched in parallel, then judged.

use std::sync::OnceLock;
use std::thread;

use anyhow::{Context as _, Result};

use crate::evidence::bundle::Hint;
use crate::evidence::claims;
use crate::evidence::page::PublishedPage;
use crate::forge::{Read, RunLookup};
use crate::inputs::release::Release;
use crate::inputs::version::ReleaseTag;
use crate::oci::reference::Digest;
use crate::oci::registry::{Client, Manifest};
use crate::process::parallel::{both, joined};
use crate::tool::git::Git;

use super::claim::{Claim, Observed, Outlook, Unavailable, twice};
use super::judge::run::{self, Named};
use super::judge::{assets, image, public};
use super::observe::store::Layout;
use super::observe::{self, Common, ObservedImage, ObservedPublic, Place};
use super::{Verifier, others};

/// Which image to verify.
pub enum Asked<'a> {
    /// The one that the release's version tag names.
    VersionTag,
    /// This one. If it is stored under a name other than the configured one, the release's tags and page are not
    /// looked at.
    Digest(&'a Digest),
    /// The one in a directory.
    Layout(&'a Layout),
}

impl Asked<'_> {
    /// Whether what is public under the names of `release` is looked at too.
    ///
    /// # Errors
    /// When the configured name is not the name of an image.
    pub fn has_names(&self, release: &Release<'_>) -> Result<bool> {
        Ok(match self {
            Self::VersionTag => true,
            Self::Digest(_) => *release.image == release.config.image()?,
            Self::Layout(_) => false,
        })
    }
}

/// The result.
pub struct Survey {
    /// The image that was looked at, if there was one.
    pub digest: Option<Digest>,
    /// All claims, in the order of their ids in the documentation.
    pub claims: Vec<Claim>,
    /// The claims that were left out.
    pub not_asked: Vec<&'static str>,
    /// Whether its provenance says that it is of a rehearsal, and its registry is one that can hold rehearsals. Only
    /// the signer vouches for that.
    pub says_rehearsal: bool,
    /// The tags of the registry; `None` if they were not requested.
    pub tags: Option<Observed<Vec<String>>>,
}

/// What several releases of one image share. It is fetched once, for the first release that needs it.
pub struct Shared<'a> {
    registry: &'a Client,
    git: &'a Git,
    common: OnceLock<Common>,
    /// All pages, if they were listed.
    pub pages: Option<Vec<PublishedPage>>,
    /// The same for checking again.
    again: OnceLock<Box<Self>>,
}

impl<'a> Shared<'a> {
    /// For the image in `registry` and the clone in `git`; `pages` are all of the forge's, if they were listed.
    #[must_use]
    pub fn new(registry: &'a Client, git: &'a Git, pages: Option<Vec<PublishedPage>>) -> Self {
        Self { registry, git, common: OnceLock::new(), pages, again: OnceLock::new() }
    }

    /// For checking again: nothing is known yet.
    fn again(&self) -> &Self {
        self.again.get_or_init(|| Box::new(Self::new(self.registry, self.git, None)))
    }

    /// `known` is a version tag and its digest, just fetched. The `forge` is queried for a git tag only if the clone
    /// does not have it; `None` if it must not be queried.
    fn common(&self, known: Option<(&ReleaseTag, Digest)>, forge: Option<&dyn Read>) -> &Common {
        let is_tagged = |tag: &ReleaseTag| {
            if self.git.peel(&tag.git_ref())?.is_some() {
                return Ok(true);
            }
            let forge = forge.with_context(|| format!("this clone has no tag `{tag}`"))?;
            Ok(forge.tag(tag)?.is_some())
        };
        self.common.get_or_init(|| observe::common(self.registry, known, is_tagged))
    }
}

/// Fetches and judges, [`twice`] if a claim is false. Nobody writes into a directory, so that is looked at once.
///
/// # Errors
/// When a signal interrupted it.
pub fn run(verifier: &Verifier<'_>, asked: &Asked<'_>, shared: &Shared<'_>) -> Result<Survey> {
    let once = || look(verifier, asked, shared);
    match asked {
        Asked::Layout(_) => once(),
        _ => twice(once, || look(verifier, asked, shared.again()), |survey| Outlook::of(&survey.claims)),
    }
}

fn look(verifier: &Verifier<'_>, asked: &Asked<'_>, shared: &Shared<'_>) -> Result<Survey> {
    let release = &verifier.release;
    match asked {
        Asked::Layout(layout) => offline(verifier, layout),
        Asked::Digest(digest) if !asked.has_names(release)? => {
            let (seen, common) = both(
                || observe::image(verifier, digest, Place::Registry, None),
                || Ok(shared.common(None, None)),
            )?;
            let has_tag = seen.attached.as_ref().is_ok_and(|attached| attached.signatures.is_some());
            let tags = observe::listed_beside(common.tags.clone(), has_tag);
            let claims = image::judge(release, digest, &seen, &others(&tags, digest));
            let says_rehearsal = release.is_trial() && image::is_rehearsal(&seen, digest);
            Ok(Survey {
                digest: Some((*digest).clone()),
                claims,
                not_asked: [&[claims::PROVENANCE_RUN], &claims::OF_NAMES[..]].concat(),
                says_rehearsal,
                tags: Some(tags),
            })
        }
        Asked::Digest(digest) => online(verifier, Some(digest), shared),
        Asked::VersionTag => online(verifier, None, shared),
    }
}

fn offline(verifier: &Verifier<'_>, layout: &Layout) -> Result<Survey> {
    let digest = layout.image();
    let seen = observe::image(verifier, digest, Place::Layout(layout), None)?;
    let claims = image::judge(&verifier.release, digest, &seen, &Ok(Vec::new()));
    let claims = with_blobs(claims, &observe::seen(layout.check()));
    // `cosign save` leaves the platforms' signatures out.
    let not_asked = [&[claims::SIGNATURE_PLATFORMS, claims::PROVENANCE_RUN], &claims::OF_NAMES[..]].concat();
    let says_rehearsal = verifier.release.is_trial() && image::is_rehearsal(&seen, digest);
    Ok(Survey { digest: Some(digest.clone()), claims, not_asked, says_rehearsal, tags: None })
}

/// Adds the check of all `blobs` in a directory. Those that no other check reads were saved too, and must be intact. A
/// worse verdict stays.
pub(super) fn with_blobs(mut claims: Vec<Claim>, blobs: &Observed<()>) -> Vec<Claim> {
    if let Err(unseen) = blobs {
        let found = Claim::unavailable(claims::IMAGE_PRESENT, unseen);
        let better = claims.iter_mut().filter(|claim| claim.id == found.id && claim.verdict < found.verdict);
        better.for_each(|claim| *claim = found.clone());
    }
    claims
}

fn online(verifier: &Verifier<'_>, asked: Option<&Digest>, shared: &Shared<'_>) -> Result<Survey> {
    let (release, registry) = (&verifier.release, verifier.registry);
    let tag = release.tag().registry_tag();
    let page = shared
        .pages
        .as_ref()
        .map(|pages| Ok(pages.iter().find(|found| found.page.tag == release.source.tag).cloned()));
    thread::scope(|scope| {
        // The forge is queried while the registry still negotiates a token.
        let names = scope.spawn(|| observe::names(verifier, page.as_ref()));
        // Requests the manifest, not just its digest, so that nothing has to wait for the index later.
        let tagged = observe::seen(registry.manifest(&tag));
        let version_tag = tagged.clone().map(|found| found.map(|manifest| manifest.digest));
        let known = version_tag.clone().ok().flatten().map(|digest| (&release.source.tag, digest));
        let common = scope.spawn(|| shared.common(known, Some(verifier.forge)));
        let tagged = tagged_image(&tagged);
        let found = match asked {
            Some(digest) => Ok((digest.clone(), tagged.ok())),
            None => tagged.map(|manifest| (manifest.digest.clone(), Some(manifest))),
        };
        let seen = found.map(|(digest, known)| {
            let known = known.filter(|manifest| manifest.digest == digest);
            (observe::image(verifier, &digest, Place::Registry, known), digest)
        });
        let names = joined(names.join())?;
        let public = ObservedPublic { version_tag, names };
        let common = joined(common.join())?;
        crate::process::interrupt::check()?;
        let seen = match seen {
            Ok((seen, digest)) => Ok((digest, seen?)),
            Err(unseen) => Err(unseen),
        };
        let key = verifier.key_address();
        let run = asked_run(&seen, |id| verifier.forge.run(id));
        crate::process::interrupt::check()?;
        let hint = observe::seen(verifier.hint());
        let claims = judge(release, (key.as_deref(), &hint), &seen, &public, common, &run);
        let digest = seen.ok().map(|(digest, _)| digest);
        let not_asked = match &run {
            Ok(Some((_, Ok(RunLookup::Refused(why))))) => {
                verifier.steps.line("not asked", &format!("`{}`: {why}", claims::PROVENANCE_RUN));
                vec![claims::PROVENANCE_RUN]
            }
            _ => Vec::new(),
        };
        let tags = Some(common.tags.clone());
        Ok(Survey { digest, claims, not_asked, says_rehearsal: false, tags })
    })
}

/// The run that the provenance names, and what the forge says about it; `None` if it names none.
pub(super) type ObservedRun = Observed<Option<(Named, Observed<RunLookup>)>>;

/// Queries the forge for the run that the provenance names, so the provenance must have been read before.
pub(super) fn asked_run(
    image: &Observed<(Digest, ObservedImage)>,
    ask: impl FnOnce(u64) -> Result<RunLookup>,
) -> ObservedRun {
    let (digest, seen) = image.as_ref().map_err(Clone::clone)?;
    let (_, predicate) = image::provenance(seen, digest);
    Ok(run::named(&predicate)?.map(|named| {
        let said = observe::seen(ask(named.id));
        (named, said)
    }))
}

/// Every claim, from what was seen of a release: the image that was looked at, if there was one, and what is public.
pub(super) fn judge(
    release: &Release<'_>,
    (key_address, hint): (Option<&str>, &Observed<Hint>),
    image: &Observed<(Digest, ObservedImage)>,
    public: &ObservedPublic,
    common: &Common,
    run: &ObservedRun,
) -> Vec<Claim> {
    let mut claims = match image {
        Ok((digest, seen)) => {
            let of_image = image::judge(release, digest, seen, &others(&common.tags, digest));
            let attested = assets::attested(digest, seen, &of_image, hint);
            let of_names = public::judge(release, digest, key_address, public, Some(seen), &attested);
            [of_image, of_names].concat()
        }
        Err(unseen) => without_image(release, public, unseen),
    };
    claims.push(public::latest(&common.latest));
    let of_run = match run {
        Ok(Some((named, said))) => run::judge(release, named, said),
        Ok(None) => None,
        Err(unseen) => Some(Claim::unavailable(claims::PROVENANCE_RUN, unseen)),
    };
    let place = claims.iter().position(|claim| claim.id == claims::PROVENANCE_PRODUCTS);
    let place = place.map_or(claims.len(), |place| place + 1);
    claims.splice(place..place, of_run);
    claims
}

/// The index that the version tag names.
pub(super) fn tagged_image(tagged: &Observed<Option<Manifest>>) -> Observed<&Manifest> {
    match tagged {
        Ok(Some(manifest)) => Ok(manifest),
        Ok(None) => Err(Unavailable::DependsOn(claims::TAG_IMAGE)),
        Err(unseen) => Err(after_tag(unseen.clone())),
    }
}

/// If the registry answers for the version tag with wrong bytes, one claim is false, and not every claim that starts
/// from the tag.
fn after_tag(unseen: Unavailable) -> Unavailable {
    match unseen {
        unknown @ (Unavailable::Failed(_) | Unavailable::Transient(_)) => unknown,
        Unavailable::Invalid(_) | Unavailable::DependsOn(_) => Unavailable::DependsOn(claims::TAG_IMAGE),
    }
}

/// The claims that can be judged when the version tag leads nowhere.
fn without_image(release: &Release<'_>, seen: &ObservedPublic, unseen: &Unavailable) -> Vec<Claim> {
    let unjudged = |id| Claim::unavailable(id, unseen);
    let mut claims: Vec<_> = claims::OF_IMAGE.into_iter().map(unjudged).collect();
    claims.push(public::tag_image(release, None, &seen.version_tag));
    claims.extend(public::names(release, &seen.names));
    claims.extend([claims::PAGE_IMAGE, claims::PAGE_COMMANDS, claims::PAGE_ASSETS].map(unjudged));
    claims
}

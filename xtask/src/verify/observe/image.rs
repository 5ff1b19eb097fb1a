//! What the registry and cosign say about an image, queried in parallel.

use anyhow::Result;

use crate::evidence::bundle::Hint;
use crate::evidence::claims;
use crate::evidence::commands::{test_result_command, verify_commands};
use crate::evidence::statement::is_of_bundles;
use crate::inputs::release::Release;
use crate::oci::index;
use crate::oci::reference::Digest;
use crate::oci::registry::{Manifest, Wanted};
use crate::process::parallel::both;
use crate::tool::cosign::{Cosign, VerifyCommand};
use crate::verify::Verifier;
use crate::verify::claim::{Observed, Unavailable};
use crate::verify::observe::store::{Layout, Store};

use super::beside;
use super::bundles::{self, Check, ObservedBundles};
use super::contents::{self, ObservedContents};
use super::cosign::{Answer, Questions};
use super::parts::{self, Attached, Contents, Part};
use super::seen;

/// Where the image is read from.
#[derive(Clone, Copy)]
pub(in crate::verify) enum Place<'a> {
    /// The registry, anonymously if that is allowed.
    Registry,
    /// A directory that `verify --save` made.
    Layout(&'a Layout),
}

/// What the registry and cosign say about an image.
pub(in crate::verify) struct ObservedImage {
    /// The index's bytes.
    pub(in crate::verify) index: Observed<Option<Vec<u8>>>,
    pub(in crate::verify) parts: Observed<Vec<Part>>,
    /// In the legacy format, whichever format the printed command reads.
    pub(in crate::verify) signature: Observed<Answer>,
    /// `None` for a layout, which has no such signatures.
    pub(in crate::verify) part_signatures: Option<Observed<Answer>>,
    pub(in crate::verify) provenance: Observed<Answer>,
    pub(in crate::verify) sbom: Observed<Answer>,
    /// Releases of the first build type have none.
    pub(in crate::verify) test_result: Observed<Answer>,
    pub(in crate::verify) attached: Observed<Attached>,
    /// Everything else that refers to the image; `None` for a layout, which leaves that out.
    pub(in crate::verify) bundles: Observed<Option<ObservedBundles>>,
    /// What refers to the platforms' images besides their signatures; `None` for a layout, which leaves that out.
    pub(in crate::verify) beside: Observed<Option<Vec<String>>>,
    /// The content of the layers.
    pub(in crate::verify) contents: Observed<ObservedContents>,
}

impl ObservedImage {
    /// The platforms of the index and the digest of each one's manifest.
    pub(in crate::verify) fn platforms(&self) -> Observed<Vec<(String, Digest)>> {
        platforms(&self.index)
    }
}

/// Makes one request.
fn one(store: &dyn Store, wanted: Wanted) -> Observed<Option<Vec<u8>>> {
    store.fetch(&[wanted]).into_iter().next().map_or(Ok(None), seen)
}

/// Looks at the image. If its index is `known`, from a tag, nothing has to wait for it, because the same digest means
/// the same bytes. The index is still requested by its digest, as `docker pull` does.
///
/// # Errors
/// When a signal interrupted it.
pub(in crate::verify) fn image(
    verifier: &Verifier<'_>,
    digest: &Digest,
    place: Place<'_>,
    known: Option<&Manifest>,
) -> Result<ObservedImage> {
    let (cosign, store) = reader(verifier, digest, place);
    let questions = Questions { cosign, store };
    let ask = |commands: &[VerifyCommand]| questions.ask(verifier, commands);
    let unpack = |parts: &Observed<Vec<Part>>| {
        contents::look(parts, |parts| contents::read_all(verifier, store, parts))
    };
    let check = |signature: &str, bytes: &[u8]| bundles::ask(verifier, signature, bytes);
    let hint = seen(verifier.hint());
    let known = known.map(|known| known.bytes.clone());
    let sources = Sources { store, ask: &ask, unpack: &unpack, check: &check, hint: &hint };
    look(&verifier.release, digest, place, known, sources)
}

/// The sources of the answers about an image.
#[derive(Clone, Copy)]
pub(in crate::verify) struct Sources<'a> {
    /// Has the image's bytes.
    pub(in crate::verify) store: &'a dyn Store,
    /// cosign's answer to each command.
    pub(in crate::verify) ask: &'a (dyn Fn(&[VerifyCommand]) -> Vec<Observed<Answer>> + Sync),
    /// The content of the layers of these parts.
    pub(in crate::verify) unpack: &'a (dyn Fn(&Observed<Vec<Part>>) -> Observed<ObservedContents> + Sync),
    /// cosign's answer about a signature of these bytes.
    pub(in crate::verify) check: &'a Check<'a>,
    /// The key hint that bundles carry.
    pub(in crate::verify) hint: &'a Observed<Hint>,
}

/// As [`image`], with answers from any source.
///
/// # Errors
/// When a signal interrupted it.
pub(in crate::verify) fn look(
    release: &Release<'_>,
    digest: &Digest,
    place: Place<'_>,
    known: Option<Vec<u8>>,
    sources: Sources<'_>,
) -> Result<ObservedImage> {
    let Sources { store, ask, unpack, check, hint } = sources;
    let by_digest = known.is_none().then(|| one(store, Wanted::Manifest(digest.clone())));
    let index_bytes = by_digest.clone().unwrap_or(Ok(known));
    crate::process::interrupt::check()?;
    let platforms = platforms(&index_bytes);
    let mut commands = of_index(release, digest, place);
    let of_parts = of_parts(release, &platforms, place);
    commands.extend(of_parts.iter().flatten().cloned());
    let referring = || match &index_bytes {
        Ok(Some(index)) => bundles::look(release, store, index, hint, check),
        Ok(None) | Err(Unavailable::Invalid(_) | Unavailable::DependsOn(_)) => {
            Err(Unavailable::DependsOn(claims::IMAGE_PRESENT))
        }
        Err(unknown @ (Unavailable::Failed(_) | Unavailable::Transient(_))) => Err(unknown.clone()),
    };
    let beside = || match place {
        Place::Registry => beside::look(store, &platforms).map(Some),
        Place::Layout(_) => Ok(None),
    };
    let (((found, contents), (bundles, beside)), answers) = both(
        || {
            both(
                || {
                    let found = parts::look(store, digest, by_digest, &platforms);
                    let contents = unpack(&found.parts);
                    Ok((found, contents))
                },
                || both(|| Ok(referring()), || Ok(beside())),
            )
        },
        || Ok(ask(&commands)),
    )?;
    crate::process::interrupt::check()?;
    let Contents { index, parts, attached } = found;
    let mut answers = answers.into_iter();
    let mut next =
        || answers.next().unwrap_or_else(|| Err(Unavailable::Failed("cosign was not run".to_owned())));
    let printed = next();
    // If the printed command reads bundles, the legacy signature, which all other programs read, is checked
    // separately.
    let reads_bundles = matches!(&printed, Ok(Answer::Accepted(output)) if is_of_bundles(output));
    let signature = if reads_bundles {
        let legacy = commands[0].clone().of_legacy();
        ask(&[legacy]).pop().unwrap_or_else(|| Err(Unavailable::Failed("cosign was not run".to_owned())))
    } else {
        printed
    };
    Ok(ObservedImage {
        index,
        parts,
        signature,
        provenance: next(),
        sbom: next(),
        test_result: next(),
        part_signatures: of_parts.map(|command| command.and_then(|_asked| next())),
        attached,
        bundles,
        beside,
        contents,
    })
}

/// Where to read the image: anonymously if possible. A private owner's image is read with the login, and a progress
/// line says so.
fn reader<'a>(
    verifier: &'a Verifier<'_>,
    digest: &Digest,
    place: Place<'a>,
) -> (&'a Cosign<'a>, &'a dyn Store) {
    let anonymous = verifier.anonymous;
    match place {
        Place::Layout(layout) => (&anonymous.cosign, layout),
        Place::Registry if verifier.registry.is_anonymous() => (&anonymous.cosign, verifier.registry),
        Place::Registry => match anonymous.registry.digest_of(digest) {
            Ok(Some(_)) => (&anonymous.cosign, &anonymous.registry),
            hidden => {
                let why =
                    hidden.map_or_else(|error| format!("{error:#}"), |_none| "there is none".to_owned());
                let image = verifier.release.image.pinned(digest);
                let detail =
                    format!("`{image}` cannot be read anonymously, and is read with the login: {why}");
                verifier.steps.line("not public", &detail);
                (verifier.cosign, verifier.registry)
            }
        },
    }
}

/// The page's three commands, and the one for the test result, which the page leaves out.
fn of_index(release: &Release<'_>, digest: &Digest, place: Place<'_>) -> Vec<VerifyCommand> {
    let mut commands = Vec::from(verify_commands(release, digest));
    commands.push(test_result_command(release, digest));
    match place {
        Place::Registry => commands,
        Place::Layout(layout) => {
            // `cosign save` leaves bundles out of the directory's index, but cosign 3 may find their blobs.
            commands.into_iter().map(|command| command.of_layout(layout.path()).of_legacy()).collect()
        }
    }
}

/// One command for the signatures of all platforms' manifests, which podman and skopeo check. `cosign save` leaves
/// these out.
fn of_parts(
    release: &Release<'_>,
    platforms: &Observed<Vec<(String, Digest)>>,
    place: Place<'_>,
) -> Option<Observed<VerifyCommand>> {
    let Place::Registry = place else { return None };
    let version = release.source.tag.version();
    let platforms = platforms.as_ref().map_err(Clone::clone);
    let platforms = platforms.and_then(|platforms| match &platforms[..] {
        [] => Err(Unavailable::DependsOn(claims::IMAGE_PLATFORMS)),
        some => Ok(some),
    });
    Some(platforms.map(|platforms| {
        let digests: Vec<_> = platforms.iter().map(|(_, digest)| digest).collect();
        VerifyCommand::signature(release.key_name, version, release.image, &digests)
    }))
}

fn platforms(index: &Observed<Option<Vec<u8>>>) -> Observed<Vec<(String, Digest)>> {
    match index {
        Ok(Some(index)) => {
            index::platforms(index).map_err(|_no_index| Unavailable::DependsOn(claims::IMAGE_PLATFORMS))
        }
        Ok(None) | Err(Unavailable::Invalid(_) | Unavailable::DependsOn(_)) => {
            Err(Unavailable::DependsOn(claims::IMAGE_PRESENT))
        }
        Err(unknown @ (Unavailable::Failed(_) | Unavailable::Transient(_))) => Err(unknown.clone()),
    }
}

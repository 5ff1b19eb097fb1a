//! `cargo xtask resign`: adds the bundles that a published release lacks, made from its attestations. Nothing else
//! about the release changes, and its other claims must hold first.

use anyhow::{Error, Result, anyhow, bail};

use crate::evidence::bundle::Subject;
use crate::inputs::Inputs;
use crate::inputs::source::Source;
use crate::oci::reference::Digest;
use crate::process::failure::{Refusal, refused};
use crate::refuse;
use crate::release::bundles::{self, Signature, Uploaded};
use crate::release::legacy::Legacy;
use crate::release::step::Step;
use crate::release::target::Target;
use crate::release::{Context, Session, Tools};
use crate::tool::docker::DockerConfig;
use crate::verify::claim::{Claim, Verdict};
use crate::verify::{self, Standing};

/// The maximum number of times that the bundles are stored: a run of the release may replace the attestations
/// meanwhile.
const MAX_ROUNDS: u32 = 3;

/// The result.
pub struct Resigned {
    /// The release's image.
    pub digest: Digest,
    /// Whether bundles were added.
    pub changed: bool,
}

/// Adds the missing bundles to the release of `source`.
///
/// # Errors
/// A [`crate::process::failure::Refusal`] when the release is not published, when another claim does not hold, or when
/// the private key is not the release's; after other errors, try again.
pub fn run(session: &Session<'_>, target: &Target, source: &Source) -> Result<Resigned> {
    let inputs = &Inputs::of_commit(session.git, &source.commit, session.config)?;
    let login = DockerConfig::new(session.environment, target.login())?;
    let anonymous = DockerConfig::new(session.environment, None)?;
    let tools = &Tools::new(session, target, &login, &anonymous);
    let context = &Context::new(session, tools, target, source, inputs)?;
    let tag = context.release.tag().registry_tag();
    let found = context.step(Step::Look, &context.release.tagged(), || tools.registry.digest_of(&tag));
    let Some(digest) = found.map_err(|error| target.registry_error("nothing was changed", error))? else {
        refuse!(
            "there is no `{}`: nothing was changed. If {tag} was never released, release it with `target/debug/xtask release \
             {tag}`; if it was removed from the registry, that would publish it again",
            context.release.tagged(),
            tag = context.release.tag()
        );
    };
    let stand = || verify::standing(&context.verifier(), &digest);
    match context.step(Step::Verify, digest.as_str(), stand)? {
        Standing::Bundled => Ok(Resigned { digest, changed: false }),
        Standing::Lacking => add(context, &digest).map(|()| Resigned { digest, changed: true }),
        Standing::Broken(claims) => {
            Err(broken(&claims, |text| Refusal::new(format!("nothing was added: {text}")).into()))
        }
    }
}

/// Adds the missing bundles, as reported by [`verify::standing`], to the published image `digest`.
///
/// # Errors
/// As [`run`].
pub(super) fn add(context: &Context<'_>, digest: &Digest) -> Result<()> {
    check_key(context)?;
    // The new signature says the same about the release as the older one.
    let sign = || {
        let build_type = Legacy::read(&context.tools.registry, digest)?.build_type(digest)?;
        Signature::new(context, digest, build_type)
    };
    let signature = context.step(Step::Sign, "bundle of the signature", sign)?;
    for _ in 0..MAX_ROUNDS {
        context.step(Step::Store, "bundles", || store(context, digest, &signature))?;
        let stand = || verify::standing(&context.verifier(), digest);
        match context.step(Step::Verify, "both formats", stand)? {
            Standing::Bundled => return Ok(()),
            Standing::Lacking => {}
            Standing::Broken(claims) => {
                return Err(broken(&claims, |text| {
                    anyhow!("the bundles were added, but the release does not verify: {text}")
                }));
            }
        }
    }
    bail!(
        "the bundles were stored {MAX_ROUNDS} times and are still not those of the attestations: another run may be writing \
         them; wait for it, then run the same command again"
    )
}

fn store(context: &Context<'_>, digest: &Digest, signature: &Signature) -> Result<()> {
    let registry = &context.tools.registry;
    let subject = Subject::of(&registry.known_manifest(digest)?.bytes)?;
    let legacy = Legacy::read(registry, digest)?;
    let uploaded = Uploaded::new(registry, &subject, &legacy, signature)?;
    crate::process::interrupt::check()?;
    bundles::show(registry, &subject, legacy, uploaded, signature)
}

/// Checks that the private key belongs to the release: a signature by another key would not be the release's.
///
/// # Errors
/// A [`crate::process::failure::Refusal`] when the private key is not the one that signed the release.
pub(super) fn check_key(context: &Context<'_>) -> Result<()> {
    let derived = context.tools.cosign.public_half(context.target.key()?).map_err(refused)?;
    let committed = context.verifier().public_key().map_err(refused)?;
    if derived != committed {
        refuse!(
            "the key in `COSIGN_PRIVATE_KEY` has the public half `{}`, and {} is signed by `{}`: set the secret that belongs \
             to that commit's public key; nothing was signed",
            derived.fingerprint(),
            context.release.tag(),
            committed.fingerprint()
        );
    }
    Ok(())
}

/// The error about `claims`, one of which does not hold. If that claim is false, `of_false` makes the error.
fn broken(claims: &[Claim], of_false: impl FnOnce(String) -> Error) -> Error {
    match verify::broken(claims) {
        Some((Verdict::Unchecked, text)) => verify::unchecked(claims, text),
        Some((_, text)) => of_false(format!("{text}; `cargo xtask verify` says more")),
        None => anyhow!("its claims hold, but what refers to the image could not be read"),
    }
}

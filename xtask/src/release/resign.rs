//! `cargo xtask resign`: the bundles that a published release lacks, from the attestations that it has. Nothing else about it
//! changes, and its other claims have to hold before.

use anyhow::{Result, bail};

use crate::evidence::bundle::Subject;
use crate::inputs::Inputs;
use crate::inputs::source::Source;
use crate::oci::reference::Digest;
use crate::process::failure::refused;
use crate::refuse;
use crate::release::bundles::{self, Legacy, Signature, Uploaded};
use crate::release::step::Step;
use crate::release::target::Target;
use crate::release::{Context, Session, Tools};
use crate::tool::docker::DockerConfig;
use crate::verify::{self, Standing};

/// What came of it.
pub struct Resigned {
    /// The release's image.
    pub digest: Digest,
    /// There were no bundles, and there are now.
    pub changed: bool,
}

/// Gives the release of `source` the bundles that it lacks.
///
/// # Errors
/// A [`crate::process::failure::Refusal`] where it is not published, where another claim does not hold, or where the key is
/// another one; other errors can be tried again.
pub fn run(session: &Session<'_>, target: &Target, source: &Source) -> Result<Resigned> {
    let inputs = &Inputs::of_commit(session.git, &source.commit, session.config).map_err(refused)?;
    let login = DockerConfig::new(session.environment, target.login())?;
    let anonymous = DockerConfig::new(session.environment, None)?;
    let tools = &Tools::new(session, target, &login, &anonymous);
    let context = &Context::new(session, tools, target, source, inputs)?;
    let tag = context.release.tag().registry_tag();
    let found =
        context.step(Step::Look, &context.release.tagged(), || tools.registry.digest_of(tag.as_str()));
    let Some(digest) = found.map_err(|error| target.registry_error("nothing was changed", error))? else {
        refuse!("there is no `{}`: nothing was changed; release it first", context.release.tagged());
    };
    let stand = || verify::standing(&context.verifier(), &digest);
    match context.step(Step::Verify, digest.as_str(), stand)? {
        Standing::Bundled => Ok(Resigned { digest, changed: false }),
        Standing::Lacking => add(context, &digest).map(|()| Resigned { digest, changed: true }),
        Standing::Broken(claims) => Err(broken(&claims)),
    }
}

/// Gives the published image `digest` the bundles that it lacks, as [`verify::standing`] tells.
///
/// # Errors
/// As [`run`].
pub(super) fn add(context: &Context<'_>, digest: &Digest) -> Result<()> {
    check_key(context)?;
    // It says of the release what its older signature says.
    let sign = || {
        let build_type = Legacy::read(&context.tools.registry, digest)?.build_type(digest)?;
        Signature::new(context, digest, build_type)
    };
    let signature = context.step(Step::Sign, "bundle of the signature", sign)?;
    context.step(Step::Store, "bundles", || store(context, digest, &signature))?;
    let stand = || verify::standing(&context.verifier(), digest);
    match context.step(Step::Verify, "both formats", stand)? {
        Standing::Bundled => Ok(()),
        Standing::Lacking => bail!("the bundles were stored and are not there; run the same command again"),
        Standing::Broken(claims) => Err(broken(&claims).context("after the bundles were stored")),
    }
}

fn store(context: &Context<'_>, digest: &Digest, signature: &Signature) -> Result<()> {
    let registry = &context.tools.registry;
    let subject = Subject::of(&registry.bytes_of(digest)?.bytes)?;
    let legacy = Legacy::read(registry, digest)?;
    let uploaded = Uploaded::new(registry, &subject, &legacy, signature)?;
    crate::process::interrupt::check()?;
    bundles::show(registry, &subject, legacy, uploaded, signature)
}

/// What another key than the release's signs would be somebody else's.
///
/// # Errors
/// A [`crate::process::failure::Refusal`] when the private key is another one's.
pub(super) fn check_key(context: &Context<'_>) -> Result<()> {
    let derived = context.tools.cosign.public_key(&context.target.key).map_err(refused)?;
    let verifier = context.verifier();
    let committed = verifier.public_key().map_err(refused)?;
    if derived.trim().as_bytes() != committed.trim_ascii() {
        refuse!(
            "the key in `COSIGN_PRIVATE_KEY` is not the one that signed {}: set the secret that belongs to that commit's \
             public key; nothing was changed",
            context.release.tag()
        );
    }
    Ok(())
}

fn broken(claims: &[verify::claim::Claim]) -> anyhow::Error {
    match verify::broken(claims) {
        Some((verify::claim::Verdict::Unchecked, text)) => verify::unchecked(claims, text),
        Some((_, text)) => {
            refused(anyhow::anyhow!("nothing was added: {text}; `cargo xtask verify` says more"))
        }
        None => anyhow::anyhow!("its claims hold, and what refers to the image could not be read"),
    }
}

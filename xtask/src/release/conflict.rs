//! A version tag that is there and does not verify as this release: nobody but a person can decide what to do.

use crate::build::rebuilt::Rebuilt;
use crate::oci::reference::Digest;
use crate::process::failure::Refusal;
use crate::release::Context;

/// The refusal where a claim about a public image is false, as `text` says: a conflict that nobody but a person can
/// resolve. Names both images: the public one, and what the tagged commit gives here.
pub(super) fn refusal(context: &Context<'_>, digest: &Digest, text: &str) -> anyhow::Error {
    let name = context.release.tagged();
    let compare = || {
        let ours = Rebuilt::of(&context.build, context.session.runner)?;
        let theirs = context.tools.registry.content_of(digest)?;
        Ok::<_, anyhow::Error>(match ours.content.difference(&theirs) {
            None => {
                "the commit gives the same image, but it is not signed as this release by this key".to_owned()
            }
            Some(platform) => {
                format!("the commit gives `{}`, with another image for {platform}", ours.digest)
            }
        })
    };
    let ours = compare().unwrap_or_else(|error| format!("could not build the commit to compare: {error:#}"));
    Refusal::new(format!(
        "`{name}` is public as `{digest}` and does not verify as this release: {text}\n\
         {ours}; nothing was changed: find out who pushed it, then delete that version in the registry or release the \
         next one"
    ))
    .into()
}

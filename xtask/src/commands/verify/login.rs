//! `verify --login`: which tokens of the environment are used, and for which hosts. Without the flag, none is used.

use anyhow::Result;

use crate::inputs::credentials::{forge_token, named_registry, registry_login, registry_of};
use crate::oci::keychain::Keychain;
use crate::process::environment::Environment;
use crate::process::failure::Misuse;

use super::Wanted;
use super::subject::Repository;

/// The tokens for the hosts that the checkout's configuration names. For a repository given by its address, the forge
/// is the one at that address, and the environment has to say which registry the token is for.
///
/// # Errors
/// [`Misuse`] when there is no token for these hosts; when a variable is invalid.
pub(super) fn keychain(
    environment: &Environment,
    repository: &Repository,
    wanted: &Wanted,
) -> Result<Keychain> {
    let own = repository.own_config()?;
    let mut keychain = Keychain::default();
    let registry = if repository.is_here() {
        Some(registry_of(environment, &own)?)
    } else {
        named_registry(environment)?
    };
    if let (Some(registry), Some(login)) = (registry, registry_login(environment, &own)?) {
        keychain = keychain.with_registry(registry, login);
    }
    if let Some(token) = forge_token(environment, &own)?
        && (repository.is_here() || repository.is_at_its_address(&own))
    {
        keychain = keychain.with_forge(own.forge, token);
    }
    if keychain.is_empty() {
        return Err(Misuse::new(
            "`--login`: there is no `REGISTRY_TOKEN` and no `FORGEJO_TOKEN` that is for these hosts; set the one that may \
             read what is private, and `REGISTRY` to the host that `REGISTRY_TOKEN` is for",
        )
        .into());
    }
    match (wanted, keychain.registry()) {
        (Wanted::Digest(image, _), Some(bound)) if bound.as_str() != image.registry.as_str() => Err(Misuse::new(format!(
            "`--login`: `REGISTRY_TOKEN` is for `{bound}`, and `{image}` is elsewhere; set `REGISTRY={}` if the token is for \
             that one",
            image.registry
        ))
        .into()),
        _ => Ok(keychain),
    }
}

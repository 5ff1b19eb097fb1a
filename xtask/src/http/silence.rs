//! A server that says nothing, told from one that refuses or is away.

use crate::process::failure::Transient;

/// Whether `error` is of a request that a server was silent to, in its last try.
#[must_use]
pub fn is_silent(error: &anyhow::Error) -> bool {
    error.chain().filter_map(|cause| cause.downcast_ref::<Transient>()).any(Transient::is_timeout)
}

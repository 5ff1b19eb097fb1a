//! Distinguishes a silent server from one that refuses or cannot be reached.

use crate::process::failure::Transient;

/// Whether `error` comes from a request whose last attempt timed out without an answer.
#[must_use]
pub fn is_silent(error: &anyhow::Error) -> bool {
    error.chain().filter_map(|cause| cause.downcast_ref::<Transient>()).any(Transient::is_timeout)
}

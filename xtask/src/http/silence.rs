//! A server that says nothing, told from one that refuses or is away.

use std::fmt;

/// No answer came in all the time that there was.
#[derive(Debug)]
pub(super) struct Silence(pub(super) String);

impl fmt::Display for Silence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Silence {}

/// Whether `error` is of a request that a server was silent to, in its last try.
#[must_use]
pub fn is_silent(error: &anyhow::Error) -> bool {
    error.chain().any(<dyn std::error::Error>::is::<Silence>)
}

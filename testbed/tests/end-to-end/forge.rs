//! `git tag` and `git push --tags` against a real forge: its runner, its registry, its release pages. Each test
//! makes its own user and repository, and no test depends on which forge it is.

mod adopted;
mod assets;
mod bundles;
mod cleaned;
mod conflicts;
mod credentials;
mod echo;
mod gate;
mod gates;
mod history;
mod hostile;
pub(crate) mod image;
mod newer_tool;
mod page;
mod plan;
mod poisoned;
mod policies;
mod private_owner;
pub(crate) mod project;
mod protections;
mod pulls;
pub(crate) mod rebuild;
mod rebuilt_by;
mod refused;
pub(crate) mod released;
pub(crate) mod releasing;
mod resume;
mod rotated;
mod signed;
mod signed_tags;
pub(crate) mod snapshot;
mod two_engines;
mod two_runs;
mod two_tags;
mod verifying;
mod workflow;

//! Each claim as a pure function of what was seen.

pub(super) mod assets;
mod attachments;
mod bundles;
mod form;
pub(super) mod image;
pub(super) mod keys;
pub(super) mod layers;
mod lines;
mod provenance;
pub(super) mod public;
pub(super) mod run;
mod smoke;
pub(super) mod source;
pub(super) mod unchanged;

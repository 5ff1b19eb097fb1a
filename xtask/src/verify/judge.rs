//! Each claim as a pure function of what was seen.

pub(super) mod image;
pub(super) mod layers;
mod provenance;
pub(super) mod public;
pub(super) mod source;

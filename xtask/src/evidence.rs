//! What a release leaves behind, and how it is read back: attestations and their envelopes, provenance, SBOM, page. All
//! of it is pure: nothing here sends a request.

pub mod assets;
pub mod attached;
pub mod attestation;
pub mod bundle;
pub mod candidate;
pub mod claims;
pub mod commands;
pub mod envelope;
#[cfg(test)]
mod hostile;
pub mod labels;
pub mod notes;
pub mod page;
pub mod provenance;
pub mod rebuild;
pub mod sbom;
pub mod signed_as;
pub mod statement;
pub mod test_result;

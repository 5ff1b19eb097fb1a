//! What the committed configuration of this repository calls its forge and itself: tests put their own in its place.

/// `forge` in `Cargo.toml`.
pub const FORGE: &str = "https://forge.wynning.tech";

/// `repository` in `Cargo.toml`.
pub const REPOSITORY: &str = "james/carol";

/// The repository's page.
pub const URL: &str = "https://forge.wynning.tech/james/carol";

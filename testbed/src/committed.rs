//! The forge and the name in the committed configuration of this repository. Tests replace them with their own.

/// `forge` in `Cargo.toml`.
pub const FORGE: &str = "https://forge.wynning.tech";

/// `repository` in `Cargo.toml`.
pub const REPOSITORY: &str = "james/carol";

/// The repository's page.
pub const URL: &str = "https://forge.wynning.tech/james/carol";

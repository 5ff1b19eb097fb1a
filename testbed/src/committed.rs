//! The forge, the name and the platforms in the committed configuration of this repository. Tests replace them with
//! their own.

/// `forge` in `Cargo.toml`.
pub const FORGE: &str = "https://forge.wynning.tech";

/// `repository` in `Cargo.toml`.
pub const REPOSITORY: &str = "james/carol";

/// The repository's page.
pub const URL: &str = "https://forge.wynning.tech/james/carol";

/// `platforms` in `Cargo.toml`.
pub const PLATFORMS: &str = "platforms = [\"linux/amd64\", \"linux/arm64\"]";

/// `platforms` with only this machine's own. The other platform is emulated: it repeats every request and push, and
/// most of its time is spent waiting until its service has started.
#[must_use]
pub fn one_platform() -> String {
    format!("platforms = [\"linux/{}\"]", native())
}

/// This machine's architecture in docker's terms.
#[must_use]
pub fn native() -> &'static str {
    if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" }
}

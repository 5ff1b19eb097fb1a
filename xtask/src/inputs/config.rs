//! `[workspace.metadata.release]` in the top `Cargo.toml`. It is read from the bytes that git has for a commit, so that
//! verifying needs no Rust toolchain. Unknown keys are errors. docs/configuration.md describes every key.

#[cfg(test)]
pub(crate) mod tests;

mod gates;
mod inputs;
mod limits;
mod native;
mod notes;
mod read;
mod signatures;
mod smoke;
mod values;

use anyhow::{Context as _, Result, ensure};
use serde::Deserialize;

use crate::http::WebUrl;
use crate::oci::platform::Platform;
use crate::oci::reference::{Digest, Image, Registry};

pub use gates::{Difference, TagPolicy, TagSigners};
pub use inputs::{BaseRegistry, Login, NamedSecrets, build_secrets, set_secrets};
pub use limits::Timeouts;
pub use native::{Archive, Decision, Native};
pub use notes::{Group, Groups, Notes, Show};
pub use signatures::Signatures;
pub use smoke::{ALIAS, Companion, Http, Platforms, Smoke, is_path};
pub use values::{Folder, RepositoryName, VariableName};

/// The file with the table, relative to the top of the repository.
pub const MANIFEST: &str = "Cargo.toml";

/// What is released, where to, and how long each step may take.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Config {
    /// The forge's public address, such as `https://forge.example.org`, as in links and provenance.
    pub forge: WebUrl,
    /// `owner/name` of the repository on the forge.
    pub repository: RepositoryName,
    /// The name of the image. The default is the forge's host and the repository's name in lower case.
    image: Option<String>,
    /// Who may pull the image.
    #[serde(default)]
    pub visibility: Visibility,
    /// `org.opencontainers.image.title`.
    pub title: String,
    /// `org.opencontainers.image.description`.
    pub description: String,
    /// `org.opencontainers.image.licenses`, an SPDX expression.
    pub licenses: String,
    /// The platforms of the index, such as `linux/amd64`.
    pub platforms: Vec<Platform>,
    /// Where the service's npm packages are in its image.
    #[serde(default)]
    pub dependencies: Dependencies,
    /// The branches on the forge from which a released commit may come.
    pub branches: Vec<String>,
    /// Whether the forge must report a successful status for the commit.
    #[serde(default)]
    pub ci_status: CiStatus,
    /// The status contexts that must exist and be successful, as the forge names them. If empty, all that exist.
    #[serde(default)]
    pub ci_contexts: Vec<String>,
    /// Which git tags may be released.
    #[serde(default)]
    pub tags: TagPolicy,
    /// How many people must sign a release with git tags.
    #[serde(default)]
    pub tag_signers: TagSigners,
    /// A buildx builder by name; empty for the current one.
    #[serde(default)]
    pub builder: String,
    /// `--network` of the build, such as `host`; empty for docker's default.
    #[serde(default)]
    pub build_network: String,
    /// The SHA-256 digests of the cosign binaries that may sign, including those that the word `known` stands for. If
    /// empty, any cosign may.
    #[serde(default, deserialize_with = "values::cosign_digests")]
    pub cosign_digests: Vec<Digest>,
    /// The formats of signatures and attestations.
    #[serde(default)]
    pub signatures: Signatures,
    /// The folder of the service's package.
    #[serde(default)]
    pub service: Folder,
    /// The decisions about packages with an install script.
    #[serde(default)]
    pub native: Vec<Native>,
    /// Environment variables that the build gets as secrets of the same names.
    #[serde(default)]
    pub build_secrets: Vec<VariableName>,
    /// Logins for the registries of base images.
    #[serde(default)]
    pub registries: Vec<BaseRegistry>,
    /// Hosts without TLS, in addition to loopback: the forge, the registry, or where a registry stores its blobs.
    #[serde(default)]
    pub plain_http: Vec<Registry>,
    /// The npm registries that the lockfile may name. If empty, all packages may come from any single host.
    #[serde(default)]
    pub npm_registries: Vec<WebUrl>,
    /// How release notes are grouped.
    #[serde(default)]
    pub notes: Notes,
    /// The smoke test of the image.
    pub smoke: Smoke,
    /// The timeouts of the steps.
    #[serde(default)]
    pub timeouts: Timeouts,
}

/// Where the service's npm packages are in its image.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Dependencies {
    /// In a `node_modules` directory, where npm puts them.
    #[default]
    Installed,
    /// In the service's own files, where a bundler puts them.
    Bundled,
}

/// Who may pull the image.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Visibility {
    /// Anyone, without a login. An image that cannot be pulled anonymously is not published.
    #[default]
    Public,
    /// Only those with a login for it.
    Private,
}

/// Whether a release needs a successful status of the commit on the forge.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CiStatus {
    /// A commit whose status is missing or failed is refused.
    #[default]
    Required,
    /// The status is ignored.
    Off,
}

impl Config {
    fn check(&self) -> Result<()> {
        let image = self.image()?;
        inputs::check_registries(&self.registries, &image.registry)?;
        self.check_forge()?;
        self.check_signers()?;
        inputs::check_npm_registries(&self.npm_registries, |host| self.is_plain_http(host))?;
        for (number, platform) in self.platforms.iter().enumerate() {
            ensure!(
                !self.platforms[..number].contains(platform),
                "`platforms` names `{platform}` twice: `linux/arm64/v8` is `linux/arm64`, and `linux/arm` is `linux/arm/v7`"
            );
            ensure!(
                platform.node_architecture().is_some(),
                "`platforms` names `{platform}`, for which Node.js has no name: write one such as `linux/amd64` or \
                 `linux/arm64`"
            );
        }
        for (number, name) in self.build_secrets.iter().enumerate() {
            ensure!(!self.build_secrets[..number].contains(name), "`build-secrets` names `{name}` twice");
        }
        ensure!(!self.platforms.is_empty(), "`platforms` is empty: name at least one, such as `linux/amd64`");
        ensure!(!self.branches.is_empty(), "`branches` is empty: name at least one, such as `main`");
        for (key, value) in
            [("title", &self.title), ("description", &self.description), ("licenses", &self.licenses)]
        {
            ensure!(
                !value.is_empty() && !value.chars().any(char::is_control),
                "`{key}` must be one line of text"
            );
        }
        self.smoke.check()
    }

    /// Without TLS, anyone on the network path can read the token in a request, so the configuration must explicitly
    /// allow it.
    fn check_forge(&self) -> Result<()> {
        if !self.forge.is_http() {
            return Ok(());
        }
        let host: Registry = self.forge.authority().parse().context("reading `forge`")?;
        ensure!(
            host.is_loopback() || self.is_plain_http(&host),
            "`forge` is `{}`, without TLS: tokens would cross the network in the clear; write `https://`, or, in a network \
             that you trust, name the host: `plain-http = [\"{host}\"]`",
            self.forge
        );
        Ok(())
    }

    /// The image's public name.
    ///
    /// # Errors
    /// When it is not a valid image name.
    pub fn image(&self) -> Result<Image> {
        let image = match &self.image {
            Some(name) => name.parse().context("reading `image`"),
            None => {
                format!("{}/{}", self.forge.authority(), self.repository.to_string().to_ascii_lowercase())
                    .parse()
                    .context("deriving `image` from `forge` and `repository`; set it by hand")
            }
        };
        image.map(|image| self.reached(image))
    }

    /// `image` with its registry in the form of [`Config::with_configured_scheme`].
    #[must_use]
    pub fn reached(&self, image: Image) -> Image {
        Image { registry: self.with_configured_scheme(image.registry), ..image }
    }

    /// `registry`, without TLS if this configuration says so.
    #[must_use]
    pub fn with_configured_scheme(&self, registry: Registry) -> Registry {
        if self.is_plain_http(&registry) { registry.over_http() } else { registry }
    }

    fn is_plain_http(&self, host: &Registry) -> bool {
        self.plain_http.iter().any(|named| named.as_str() == host.as_str())
    }

    /// The address of the repository on the forge, as in provenance and `org.opencontainers.image.source`.
    #[must_use]
    pub fn source_url(&self) -> String {
        format!("{}/{}", self.forge, self.repository)
    }
}

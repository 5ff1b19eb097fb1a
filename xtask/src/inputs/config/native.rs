//! `[[workspace.metadata.release.native]]`: the decisions about packages with an install script. The image's
//! `npm ci --ignore-scripts` does not run the scripts.

use anyhow::{Context as _, Result, bail, ensure};
use serde::Deserialize;

use crate::http::FileUrl;
use crate::oci::platform::Platform;
use crate::oci::reference::Digest;

/// A decision about one package, or about one of its versions.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Table")]
pub struct Native {
    /// The package's own name, such as `better-sqlite3`.
    pub package: String,
    /// The version that the decision is about, as in the lockfile; `None` for every version.
    pub version: Option<String>,
    /// What replaces its script.
    pub decision: Decision,
}

/// What replaces an install script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// The builder fetches the file that the script would have made or fetched for this platform.
    Archive(Archive),
    /// The Dockerfile builds it in a stage of the target platform, by emulation or on a native node of the builder.
    Target,
    /// Nothing: the package works without its script.
    Unneeded,
}

/// A file that the Dockerfile fetches with `ADD --checksum`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Archive {
    /// The platform that it is for.
    pub platform: Platform,
    /// The address, as in the Dockerfile.
    pub url: FileUrl,
    /// The digest of the file.
    pub sha256: Digest,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Table {
    package: String,
    version: Option<String>,
    platform: Option<Platform>,
    url: Option<FileUrl>,
    sha256: Option<String>,
    build: Option<String>,
    script: Option<String>,
}

impl TryFrom<Table> for Native {
    type Error = anyhow::Error;

    fn try_from(table: Table) -> Result<Self> {
        let package = table.package;
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "@/-_.~".contains(c);
        ensure!(
            !package.is_empty() && package.chars().all(is_plain),
            "`{package}` is not a package's name such as `better-sqlite3`"
        );
        let is_plain = |c: char| c.is_ascii_alphanumeric() || ".-+".contains(c);
        if let Some(version) = &table.version {
            ensure!(
                !version.is_empty() && version.chars().all(is_plain),
                "`native` for `{package}`: `version` is not one version such as `12.4.1`"
            );
        }
        let decision = match (
            table.platform,
            table.url,
            table.sha256,
            table.build.as_deref(),
            table.script.as_deref(),
        ) {
            (Some(platform), Some(url), Some(hex), None, None) => {
                let sha256 = format!("sha256:{hex}").parse();
                let sha256 =
                    sha256.with_context(|| format!("reading `sha256` of the archive for `{package}`"))?;
                Decision::Archive(Archive { platform, url, sha256 })
            }
            (None, None, None, Some("target"), None) => Decision::Target,
            (None, None, None, None, Some("unneeded")) => Decision::Unneeded,
            _ => bail!(
                "`native` for `{package}`: expected `platform`, `url` and `sha256`; or `build = \"target\"`; or \
                 `script = \"unneeded\"`"
            ),
        };
        Ok(Self { package, version: table.version, decision })
    }
}

impl Native {
    /// Whether the decision is about this version of the package.
    #[must_use]
    pub fn is_about(&self, package: &str, version: &str) -> bool {
        self.package == package && self.version.as_ref().is_none_or(|own| own == version)
    }

    /// The archive, if the decision is one, with its name in provenance: `native better-sqlite3 linux/amd64`. The
    /// archives of two versions have the same name, as the build type says, and differ in address and digest.
    #[must_use]
    pub fn archive(&self) -> Option<(String, &Archive)> {
        match &self.decision {
            Decision::Archive(archive) => {
                Some((format!("native {} {}", self.package, archive.platform), archive))
            }
            Decision::Target | Decision::Unneeded => None,
        }
    }
}

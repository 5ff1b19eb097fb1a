//! The versions of the predicate (docs/decisions/0015-formats-have-versions.md), and what a release of each has.

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::Value;

use crate::evidence::attached::Attested;

use super::{BUILD_SECRETS, NETWORK, Provenance, RUN, SMOKE};

/// A version of the predicate. Its address is a page at a tag that never moves. It is the same for everyone who uses
/// this tool, so that one policy can name it. Another form of the predicate gets another address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BuildType {
    /// The first version.
    V1,
    /// It names the steps that have a network. Signatures of its release name the commit, attestations name each
    /// platform, and one attestation is about the smoke test.
    V2,
}

impl BuildType {
    /// All versions, the oldest first.
    pub const ALL: [Self; 2] = [Self::V1, Self::V2];

    /// The version for new releases.
    pub const NEWEST: Self = Self::V2;

    /// The value of `buildType`.
    #[must_use]
    pub fn address(self) -> &'static str {
        match self {
            Self::V1 => {
                "https://forge.wynning.tech/james/carol/src/tag/provenance-v1/docs/buildtypes/forgejo-release-v1.md"
            }
            Self::V2 => {
                "https://forge.wynning.tech/james/carol/src/tag/provenance-v2/docs/buildtypes/forgejo-release-v2.md"
            }
        }
    }

    /// The version with that address.
    ///
    /// # Errors
    /// When this xtask does not know it.
    pub fn of(address: &str) -> Result<Self> {
        let Some(known) = Self::ALL.into_iter().find(|known| known.address() == address) else {
            let [older, newest] = Self::ALL.map(Self::address);
            bail!("the build type is `{address}`: expected `{newest}`, or `{older}` of an older release");
        };
        Ok(known)
    }

    /// The version of a predicate, which may otherwise have any form.
    ///
    /// # Errors
    /// When it names no version, or one that this xtask does not know.
    pub fn of_predicate(predicate: &Value) -> Result<Self> {
        let address = predicate.pointer("/buildDefinition/buildType").and_then(Value::as_str);
        Self::of(address.context("it names no build type")?)
    }

    /// Whether it names the steps that have a network.
    #[must_use]
    pub fn names_networked_steps(self) -> bool {
        self != Self::V1
    }

    /// Whether the signatures of its release name the commit (docs/decisions/0027-signatures-name-the-commit.md).
    #[must_use]
    pub fn has_signed_commit(self) -> bool {
        self != Self::V1
    }

    /// Whether this tool writes the statements of its release, and they name each platform. cosign's statements name
    /// only the index.
    #[must_use]
    pub fn has_own_statements(self) -> bool {
        self != Self::V1
    }

    /// The attestations of its release.
    #[must_use]
    pub fn attested(self) -> &'static [Attested] {
        match self {
            Self::V1 => &[Attested::Provenance, Attested::Sbom],
            Self::V2 => &Attested::ALL,
        }
    }

    /// Whether its release has an attestation of a test result.
    #[must_use]
    pub fn has_test_result(self) -> bool {
        self.attested().contains(&Attested::TestResult)
    }

    /// Whether its release also has its evidence as files on the page (docs/decisions/0030-files-on-the-page.md).
    #[must_use]
    pub fn has_assets(self) -> bool {
        self != Self::V1
    }

    /// Checks that a predicate of this type has all required groups of internal parameters, and otherwise only optional
    /// ones.
    ///
    /// # Errors
    /// When it has another group, or lacks one.
    pub fn check_groups(self, predicate: &Provenance) -> Result<()> {
        let found = &predicate.build_definition.internal_parameters;
        let mut known = vec![SMOKE, BUILD_SECRETS, RUN];
        if self.names_networked_steps() {
            known.push(NETWORK);
            for group in [SMOKE, NETWORK] {
                ensure!(found.contains_key(group), "it has no internal parameters `{group}`");
            }
        }
        let other = found.keys().find(|key| !known.contains(&key.as_str()));
        ensure!(other.is_none(), "it has internal parameters `{}`", other.map_or("", String::as_str));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::BuildType;
    use serde_json::json;

    #[test]
    fn each_build_type_is_recognized_by_exactly_its_own_address() {
        for known in BuildType::ALL {
            let predicate = json!({"buildDefinition": {"buildType": known.address()}});
            assert_eq!(BuildType::of_predicate(&predicate).unwrap(), known);
        }
        let newest = BuildType::NEWEST.address();
        for other in [newest.replace("v2", "v3"), newest.replace("-v2.md", "-v1.md"), String::new()] {
            assert!(BuildType::of(&other).is_err(), "{other}");
        }
        for none in [json!({}), json!({"buildDefinition": {"buildType": [newest]}}), json!(newest)] {
            assert!(BuildType::of_predicate(&none).is_err(), "{none}");
        }
    }
}

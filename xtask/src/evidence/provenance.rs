//! Build provenance of SLSA 1.2 (<https://slsa.dev/spec/v1.2/build-provenance>): the predicate of our attestation. The
//! page of each build type, below `docs/buildtypes`, describes the fields for verifiers. When a predicate is read back,
//! unknown fields are refused, as the specification asks of verifiers.

mod build_type;
mod facts;
mod smoked;

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, ensure};
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use build_type::BuildType;
pub use facts::{
    Facts, Inputs, Invocation, ToolSource, build_secrets, byproduct, network, resolved_dependencies,
    xtask_uri,
};
pub use smoked::{Smoked, Tried};

/// The file of the workflow that releases.
pub const RELEASE_WORKFLOW: &str = ".forgejo/workflows/release.yml";
/// The builder dependency that is this program: the checkout from which it was run.
pub const XTASK: &str = "xtask";
/// The annotation of [`XTASK`], with the value `true`, if its files differ from the commit.
pub const MODIFIED: &str = "modified";
/// The group of internal parameters that names the build's secrets.
pub const BUILD_SECRETS: &str = "buildSecrets";
/// The group of internal parameters that names the steps that have a network.
pub const NETWORK: &str = "network";
/// The origin of each secret.
pub const OF_ENVIRONMENT: &str = "environment";
/// The annotation of the source, with the value `true`, if it is a work tree: its commit is not in a repository.
pub const WORK_TREE: &str = "workTree";
/// The command with which a person releases.
pub const RELEASE: &str = "cargo xtask release";
/// The command with which a person tries out a release.
pub const REHEARSE: &str = "cargo xtask rehearse";

/// The group of internal parameters of a workflow run.
pub const RUN: &str = "forgejo";
/// The beginning of a local run's id.
pub const LOCAL_RUN: &str = "urn:xtask:local-run:";
/// The media type of the SBOM.
pub const SBOM_TYPE: &str = "application/vnd.cyclonedx+json";
/// The internal parameter that says how each platform's image was tested.
pub const SMOKE: &str = "smoke";
/// The command for a rehearsal of uncommitted files.
pub const REHEARSE_WORK_TREE: &str = "cargo xtask rehearse --work-tree";

/// The name of the SBOM among the products.
pub const SBOM_FILE: &str = "sbom.cdx.json";

/// The builder id for a run of the workflow. The repository's address says on which forge it ran.
pub const WORKFLOW_BUILDER: &str =
    "https://forge.wynning.tech/james/carol/src/tag/provenance-v1/docs/builder.md#forgejo-actions";
/// The builder id for a person's machine.
pub const LOCAL_BUILDER: &str =
    "https://forge.wynning.tech/james/carol/src/tag/provenance-v1/docs/builder.md#local-run";

/// The name of a platform's manifest among the products.
#[must_use]
pub fn manifest_name(platform: &str) -> String {
    format!("manifest {platform}")
}

/// The predicate of type `https://slsa.dev/provenance/v1`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Provenance {
    /// What was requested, and from which inputs it was made.
    pub build_definition: BuildDefinition,
    /// Who made it, and when.
    pub run_details: RunDetails,
}

/// The inputs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct BuildDefinition {
    /// The document that explains the parameters.
    pub build_type: String,
    /// What a person or a pushed tag decides.
    pub external_parameters: ExternalParameters,
    /// What the platform adds.
    pub internal_parameters: BTreeMap<String, BTreeMap<String, String>>,
    /// Everything that the build reads, with its digest.
    pub resolved_dependencies: Vec<Resource>,
}

/// Exactly one of `workflow` and `local_run` is set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ExternalParameters {
    /// The workflow run that built it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub workflow: Option<Workflow>,
    /// A person's command that built it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub local_run: Option<LocalRun>,
    /// The path of the Dockerfile in the source.
    pub dockerfile: String,
    /// The platforms of the index.
    pub platforms: Vec<String>,
}

/// A workflow of the forge.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Workflow {
    /// The address of the repository.
    pub repository: String,
    /// `refs/tags/v1.2.3`.
    #[serde(rename = "ref")]
    pub git_ref: String,
    /// The workflow's file.
    pub path: String,
}

/// A command on a person's machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LocalRun {
    /// The address of the repository.
    pub repository: String,
    /// `refs/tags/v1.2.3`.
    #[serde(rename = "ref")]
    pub git_ref: String,
    /// The command that was typed.
    pub command: String,
}

/// The in-toto resource descriptor, with the fields that are used here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Resource {
    /// Its role.
    pub name: String,
    /// Its origin.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub uri: Option<String>,
    /// Lower-case hexadecimal digits by algorithm.
    pub digest: BTreeMap<String, String>,
    /// The media type of a product.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub media_type: Option<String>,
    /// Additional facts for the reader.
    #[serde(skip_serializing_if = "BTreeMap::is_empty", default)]
    pub annotations: BTreeMap<String, String>,
}

/// The run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RunDetails {
    /// Who is trusted to have carried out the run.
    pub builder: Builder,
    /// Identifies the run.
    pub metadata: Metadata,
    /// The other products of the run.
    pub byproducts: Vec<Resource>,
}

/// The builder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Builder {
    /// A link to `docs/builder.md`, which says what the builder does and does not guarantee.
    pub id: String,
    /// The versions of its parts, by name.
    pub version: BTreeMap<String, String>,
    /// The origin of its own parts: exactly one, [`XTASK`].
    pub builder_dependencies: Vec<Resource>,
}

/// Times in RFC 3339, UTC.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Metadata {
    /// The address of the run and attempt, or a random URN for a local run.
    pub invocation_id: String,
    /// When the release began.
    pub started_on: String,
    /// When the image was built.
    pub finished_on: String,
}

impl Provenance {
    /// Parses a predicate, which must have the form that [`Provenance::new`] writes.
    ///
    /// # Errors
    /// When a field is missing, unknown, or in another form.
    pub fn read(predicate: &Value) -> Result<Self> {
        let read: Self = serde_json::from_value(predicate.clone()).context("it is not of our form")?;
        let written = serde_json::to_value(&read).context("writing it again")?;
        ensure!(&written == predicate, "it is not of our form: a field is `null`, empty or a list of values");
        Ok(read)
    }

    /// How the image was tested, for exactly these `platforms`. Empty if the predicate does not say it, as with older
    /// tools.
    ///
    /// # Errors
    /// As [`Smoked::of_words`].
    pub fn smoked(&self, platforms: &[String]) -> Result<Smoked> {
        match self.build_definition.internal_parameters.get(SMOKE) {
            Some(words) => Smoked::of_words(words, platforms),
            None => Ok(Smoked::default()),
        }
    }
}

impl ExternalParameters {
    /// The git ref for which it was built, for either kind of run.
    #[must_use]
    pub fn git_ref(&self) -> Option<&String> {
        let of_workflow = self.workflow.as_ref().map(|workflow| &workflow.git_ref);
        of_workflow.or(self.local_run.as_ref().map(|run| &run.git_ref))
    }

    /// The address of the repository from which it was built.
    #[must_use]
    pub fn repository(&self) -> Option<&String> {
        let of_workflow = self.workflow.as_ref().map(|workflow| &workflow.repository);
        of_workflow.or(self.local_run.as_ref().map(|run| &run.repository))
    }
}

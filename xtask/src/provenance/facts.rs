//! From the facts of a release to its predicate.

use std::collections::BTreeMap;

use super::{
    BuildDefinition, Builder, ExternalParameters, LOCAL_BUILDER, LocalRun, Metadata, Provenance, Resource,
    RunDetails, WORKFLOW_BUILDER, Workflow,
};
use crate::config::Config;
use crate::dockerfile::{BaseImage, BaseImages};
use crate::reference::Digest;
use crate::tool::git::Commit;
use crate::version::ReleaseTag;

/// Who runs the release.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Invocation {
    /// A run of the forge's Actions.
    Workflow {
        /// `.forgejo/workflows/release.yml`.
        path: String,
        /// What started it, such as `push`.
        event: String,
        /// The instance-wide id that the API takes.
        run_id: String,
        /// The number in the run's address.
        run_number: String,
        /// Counts from 1.
        attempt: String,
    },
    /// A person at a machine.
    Local {
        /// What was typed.
        command: String,
        /// Random, for the invocation's id.
        nonce: String,
    },
}

/// Everything that the predicate is made of.
pub struct Facts<'a> {
    /// The repository and the platforms.
    pub config: &'a Config,
    /// The released tag.
    pub tag: &'a ReleaseTag,
    /// What it points at.
    pub commit: &'a Commit,
    /// Who runs it.
    pub invocation: &'a Invocation,
    /// Path in the source and digest of each file that decides what is built.
    pub files: &'a [(String, Digest)],
    /// What the Dockerfile pins.
    pub base: &'a BaseImages,
    /// What stood in for a base image that could not be reached: as pinned, and where it was taken from.
    pub stand_ins: &'a [(String, String)],
    /// Versions of docker, buildx, `BuildKit`, cosign and of this program.
    pub versions: BTreeMap<String, String>,
    /// When the release began, in seconds since 1970.
    pub started: u64,
    /// When the image was built.
    pub finished: u64,
    /// Name, media type and digest of what else came out.
    pub byproducts: Vec<(String, String, Digest)>,
}

impl Provenance {
    /// Writes the predicate down.
    #[must_use]
    pub fn new(facts: &Facts<'_>) -> Self {
        let source = facts.config.source_url();
        Self {
            build_definition: BuildDefinition {
                build_type: build_type(facts.config),
                external_parameters: external_parameters(facts),
                internal_parameters: facts.invocation.internal_parameters(),
                resolved_dependencies: resolved_dependencies(facts),
            },
            run_details: RunDetails {
                builder: Builder {
                    id: builder_id(facts.config, facts.invocation.builder_anchor()),
                    version: facts.versions.clone(),
                },
                metadata: Metadata {
                    invocation_id: facts.invocation.id(&source),
                    started_on: crate::time::rfc3339(facts.started),
                    finished_on: crate::time::rfc3339(facts.finished),
                },
                byproducts: facts.byproducts.iter().map(byproduct).collect(),
            },
        }
    }
}

/// The document that explains the parameters: one address for all releases, so that a policy can name it.
#[must_use]
pub fn build_type(config: &Config) -> String {
    document(config, "buildtypes/forgejo-release-v1.md")
}

/// A page below `docs/` on the first branch that may be released.
fn document(config: &Config, page: &str) -> String {
    let branch = config.branches.first().map_or("main", String::as_str);
    format!("{}/src/branch/{branch}/docs/{page}", config.source_url())
}

/// The section of `docs/builder.md` that says what such a builder does and does not guarantee.
#[must_use]
pub fn builder_id(config: &Config, anchor: &str) -> String {
    document(config, &format!("builder.md#{anchor}"))
}

impl Invocation {
    fn builder_anchor(&self) -> &'static str {
        match self {
            Self::Workflow { .. } => WORKFLOW_BUILDER,
            Self::Local { .. } => LOCAL_BUILDER,
        }
    }

    fn id(&self, source: &str) -> String {
        match self {
            Self::Workflow { run_number, attempt, .. } => {
                format!("{source}/actions/runs/{run_number}/attempts/{attempt}")
            }
            Self::Local { nonce, .. } => format!("urn:xtask:local-run:{nonce}"),
        }
    }

    fn internal_parameters(&self) -> BTreeMap<String, BTreeMap<String, String>> {
        let Self::Workflow { event, run_id, run_number, .. } = self else { return BTreeMap::new() };
        let pairs = [("event_name", event), ("run_id", run_id), ("run_number", run_number)];
        let run = pairs.into_iter().map(|(key, value)| (key.to_owned(), value.clone())).collect();
        BTreeMap::from([("forgejo".to_owned(), run)])
    }
}

fn external_parameters(facts: &Facts<'_>) -> ExternalParameters {
    let (repository, git_ref) = (facts.config.source_url(), facts.tag.git_ref());
    let (workflow, local_run) = match facts.invocation {
        Invocation::Workflow { path, .. } => {
            (Some(Workflow { repository, git_ref, path: path.clone() }), None)
        }
        Invocation::Local { command, .. } => {
            (None, Some(LocalRun { repository, git_ref, command: command.clone() }))
        }
    };
    ExternalParameters {
        workflow,
        local_run,
        dockerfile: "Dockerfile".to_owned(),
        platforms: facts.config.platforms.iter().map(ToString::to_string).collect(),
    }
}

fn resolved_dependencies(facts: &Facts<'_>) -> Vec<Resource> {
    let (source, commit) = (facts.config.source_url(), facts.commit);
    let mut resources = vec![Resource {
        digest: BTreeMap::from([("gitCommit".to_owned(), commit.to_string())]),
        ..resource("source", format!("git+{source}@{}", facts.tag.git_ref()))
    }];
    for (path, digest) in facts.files {
        let name = path.rsplit('/').next().unwrap_or(path);
        resources.push(Resource {
            digest: sha256(digest),
            ..resource(name, format!("git+{source}@{commit}#{path}"))
        });
    }
    let image = |name: &str, base: &BaseImage| Resource {
        digest: sha256(&base.digest),
        ..resource(name, base.package_url())
    };
    resources.extend(facts.base.named().into_iter().map(|(name, base)| image(&name, base)));
    for (pinned, taken_from) in facts.stand_ins {
        let digest = taken_from.rsplit_once("@sha256:").map(|(_, hex)| ("sha256".to_owned(), hex.to_owned()));
        resources.push(Resource {
            digest: digest.into_iter().collect(),
            annotations: BTreeMap::from([("standsInFor".to_owned(), pinned.clone())]),
            ..resource("stand-in-image", format!("docker-image://{taken_from}"))
        });
    }
    resources
}

fn resource(name: &str, uri: String) -> Resource {
    Resource {
        name: name.to_owned(),
        uri: Some(uri),
        digest: BTreeMap::new(),
        media_type: None,
        annotations: BTreeMap::new(),
    }
}

fn byproduct((name, media_type, digest): &(String, String, Digest)) -> Resource {
    Resource {
        name: name.clone(),
        uri: None,
        digest: sha256(digest),
        media_type: Some(media_type.clone()),
        annotations: BTreeMap::new(),
    }
}

fn sha256(digest: &Digest) -> BTreeMap<String, String> {
    BTreeMap::from([("sha256".to_owned(), digest.hex().to_owned())])
}

#[cfg(test)]
mod tests {
    use super::{Facts, Invocation, Provenance};
    use crate::config::Config;
    use crate::dockerfile::{self, BaseImages};
    use crate::reference::Digest;
    use crate::tool::git::Commit;
    use serde_json::{Value, json};
    use std::collections::BTreeMap;

    fn config() -> Config {
        serde_json::from_value(json!({
            "forge": "https://forge.example.org", "repository": "acme/carol", "title": "carol",
            "description": "a service", "licenses": "MIT", "platforms": ["linux/amd64", "linux/arm64"],
            "branches": ["main"], "smoke": {"port": 3000, "health": "/healthz", "version": "/version"},
        }))
        .unwrap()
    }

    fn base() -> BaseImages {
        let digest = Digest::of(b"base");
        dockerfile::check(&format!("FROM node:22-slim@{digest} AS build\nFROM node:22-slim@{digest}\n"))
            .unwrap()
    }

    fn predicate(invocation: &Invocation, stand_ins: &[(String, String)]) -> Value {
        let provenance = Provenance::new(&Facts {
            config: &config(),
            tag: &"v1.0.0".parse().unwrap(),
            commit: &Commit::parse(&"7".repeat(40)).unwrap(),
            invocation,
            files: &[("service/package-lock.json".to_owned(), Digest::of(b"lock"))],
            base: &base(),
            stand_ins,
            versions: BTreeMap::from([("buildkit".to_owned(), "v0.13.2".to_owned())]),
            started: 0,
            finished: 60,
            byproducts: vec![(
                "sbom.cdx.json".to_owned(),
                "application/vnd.cyclonedx+json".to_owned(),
                Digest::of(b"sbom"),
            )],
        });
        let value = serde_json::to_value(&provenance).unwrap();
        assert_eq!(
            serde_json::from_value::<Provenance>(value.clone()).unwrap(),
            provenance,
            "it reads back as written"
        );
        value
    }

    fn local() -> Invocation {
        Invocation::Local { command: "cargo xtask rehearse".to_owned(), nonce: "0".repeat(32) }
    }

    #[test]
    fn a_workflow_run_is_named_by_its_number_and_attempt() {
        let run = |key: &str| key.to_owned();
        let predicate = predicate(
            &Invocation::Workflow {
                path: run(".forgejo/workflows/release.yml"),
                event: run("push"),
                run_id: run("117195"),
                run_number: run("42"),
                attempt: run("2"),
            },
            &[],
        );
        assert_eq!(
            predicate["buildDefinition"]["externalParameters"],
            json!({
                "workflow": {
                    "repository": "https://forge.example.org/acme/carol",
                    "ref": "refs/tags/v1.0.0",
                    "path": ".forgejo/workflows/release.yml",
                },
                "dockerfile": "Dockerfile",
                "platforms": ["linux/amd64", "linux/arm64"],
            })
        );
        assert_eq!(
            predicate["runDetails"]["metadata"]["invocationId"],
            "https://forge.example.org/acme/carol/actions/runs/42/attempts/2"
        );
    }

    #[test]
    fn a_person_is_said_to_be_one() {
        let predicate = predicate(&local(), &[]);
        let parameters = &predicate["buildDefinition"]["externalParameters"];
        assert_eq!(parameters["localRun"]["command"], "cargo xtask rehearse");
        assert!(parameters.get("workflow").is_none());
        assert!(
            predicate["runDetails"]["builder"]["id"].as_str().unwrap().ends_with("docs/builder.md#local-run")
        );
    }

    #[test]
    fn every_input_has_its_digest_and_a_stand_in_is_said() {
        let stand_in = format!("127.0.0.1:5000/library/node@{}", Digest::of(b"stand-in"));
        let predicate = predicate(&local(), &[("node:22-slim@sha256:…".to_owned(), stand_in)]);
        let resources = predicate["buildDefinition"]["resolvedDependencies"].as_array().unwrap();
        let names: Vec<_> = resources.iter().map(|resource| resource["name"].as_str().unwrap()).collect();
        assert_eq!(names, ["source", "package-lock.json", "builder-image", "base-image", "stand-in-image"]);
        assert!(resources.iter().all(|resource| !resource["digest"].as_object().unwrap().is_empty()));
        assert_eq!(resources[4]["annotations"]["standsInFor"], "node:22-slim@sha256:…");
    }

    #[test]
    fn an_unknown_parameter_is_refused_when_read_back() {
        let mut predicate = predicate(&local(), &[]);
        predicate["buildDefinition"]["externalParameters"]["extra"] = "x".into();
        assert!(serde_json::from_value::<Provenance>(predicate).is_err());
    }
}

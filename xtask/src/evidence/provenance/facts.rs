//! Makes the predicate from the facts of a release.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use super::{
    BUILD_SECRETS, BuildDefinition, BuildType, Builder, ExternalParameters, LOCAL_BUILDER, LOCAL_RUN,
    LocalRun, MODIFIED, Metadata, NETWORK, OF_ENVIRONMENT, Provenance, REHEARSE_WORK_TREE, RUN, Resource,
    RunDetails, SMOKE, Smoked, WORK_TREE, WORKFLOW_BUILDER, Workflow, XTASK,
};
use crate::inputs::DOCKERFILE;
use crate::inputs::config::{Config, Native};
use crate::inputs::dockerfile::{BaseImage, BaseImages, NetworkedStep};
use crate::inputs::stand_in::StandIn;
use crate::inputs::version::ReleaseTag;
use crate::oci::reference::Digest;
use crate::tool::git::Commit;

/// Who runs the release.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Invocation {
    /// A run of the forge's Actions.
    Workflow {
        /// `.forgejo/workflows/release.yml`.
        path: String,
        /// The event that started it, such as `push`.
        event: String,
        /// The id for the API, unique within the forge.
        run_id: String,
        /// The number in the run's address.
        run_number: String,
        /// The number of the attempt, from 1.
        attempt: String,
    },
    /// A person at a machine.
    Local {
        /// The command that was typed.
        command: String,
        /// Random text for the invocation's id.
        nonce: String,
    },
}

/// The origin of this program: the checkout from which it was run, or the dependency that the checkout pins. A newer
/// program may finish an older tag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToolSource {
    /// Its repository.
    pub url: String,
    /// Its commit.
    pub commit: Commit,
    /// Whether its files, or those that pin it, differ from the commit.
    pub is_modified: bool,
}

/// All facts for the predicate.
pub struct Facts<'a> {
    /// The repository and the platforms.
    pub config: &'a Config,
    /// The released tag.
    pub tag: &'a ReleaseTag,
    /// The commit of the tag.
    pub commit: &'a Commit,
    /// Who runs it.
    pub invocation: &'a Invocation,
    /// The path in the source and the digest of each file that decides what is built.
    pub files: &'a [(String, Digest)],
    /// The base images, from the Dockerfile.
    pub base: &'a BaseImages,
    /// The steps of the Dockerfile that have a network.
    pub networked: &'a [NetworkedStep],
    /// Stand-ins for base images that could not be reached: each pinned reference, with the source that was used
    /// instead.
    pub stand_ins: &'a [(String, StandIn)],
    /// The versions of docker, buildx, `BuildKit`, cosign and this program.
    pub versions: BTreeMap<String, String>,
    /// The origin of this program.
    pub tool: &'a ToolSource,
    /// How each platform's image was tested.
    pub smoked: &'a Smoked,
    /// When the release began, in seconds since 1970.
    pub started: u64,
    /// When the image was built.
    pub finished: u64,
    /// The name, media type and digest of each other product.
    pub byproducts: Vec<(String, String, Digest)>,
}

/// The inputs of a build, from the commit.
#[derive(Clone, Copy)]
pub struct Inputs<'a> {
    /// The repository, and the archives for packages whose install script is not run.
    pub config: &'a Config,
    /// The released tag.
    pub tag: &'a ReleaseTag,
    /// The commit of the tag.
    pub commit: &'a Commit,
    /// Whether the source is a work tree.
    pub is_of_work_tree: bool,
    /// As [`Facts::files`].
    pub files: &'a [(String, Digest)],
    /// As [`Facts::base`].
    pub base: &'a BaseImages,
    /// As [`Facts::stand_ins`].
    pub stand_ins: &'a [(String, StandIn)],
}

impl Provenance {
    /// Makes the predicate, of the type [`BuildType::NEWEST`].
    #[must_use]
    pub fn new(facts: &Facts<'_>) -> Self {
        let source = facts.config.source_url();
        Self {
            build_definition: BuildDefinition {
                build_type: BuildType::NEWEST.address().to_owned(),
                external_parameters: external_parameters(facts),
                internal_parameters: internal_parameters(facts),
                resolved_dependencies: resolved_dependencies(&Inputs {
                    config: facts.config,
                    tag: facts.tag,
                    commit: facts.commit,
                    is_of_work_tree: facts.invocation.is_of_work_tree(),
                    files: facts.files,
                    base: facts.base,
                    stand_ins: facts.stand_ins,
                }),
            },
            run_details: RunDetails {
                builder: Builder {
                    id: facts.invocation.builder().to_owned(),
                    version: facts.versions.clone(),
                    builder_dependencies: vec![tool(facts.tool)],
                },
                metadata: Metadata {
                    invocation_id: facts.invocation.id(&source),
                    started_on: crate::process::time::rfc3339(facts.started),
                    finished_on: crate::process::time::rfc3339(facts.finished),
                },
                byproducts: facts
                    .byproducts
                    .iter()
                    .map(|(name, media_type, digest)| byproduct(name, media_type, digest))
                    .collect(),
            },
        }
    }
}

impl Invocation {
    fn builder(&self) -> &'static str {
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
            Self::Local { nonce, .. } => format!("{LOCAL_RUN}{nonce}"),
        }
    }

    /// Whether it is a rehearsal of uncommitted files.
    #[must_use]
    pub fn is_of_work_tree(&self) -> bool {
        matches!(self, Self::Local { command, .. } if command == REHEARSE_WORK_TREE)
    }

    fn run(&self) -> Option<(String, BTreeMap<String, String>)> {
        let Self::Workflow { event, run_id, run_number, .. } = self else { return None };
        let pairs = [("event_name", event), ("run_id", run_id), ("run_number", run_number)];
        let run = pairs.into_iter().map(|(key, value)| (key.to_owned(), value.clone())).collect();
        Some((RUN.to_owned(), run))
    }
}

fn internal_parameters(facts: &Facts<'_>) -> BTreeMap<String, BTreeMap<String, String>> {
    let mut parameters: BTreeMap<_, _> = facts.invocation.run().into_iter().collect();
    parameters.insert(SMOKE.to_owned(), facts.smoked.words());
    parameters.insert(NETWORK.to_owned(), network(facts.networked));
    parameters.extend(build_secrets(facts.config).map(|names| (BUILD_SECRETS.to_owned(), names)));
    parameters
}

/// The words of each step that has a network, by its line in the Dockerfile, such as `Dockerfile:12`.
#[must_use]
pub fn network(steps: &[NetworkedStep]) -> BTreeMap<String, String> {
    steps.iter().map(|step| (format!("{DOCKERFILE}:{}", step.line), step.words.clone())).collect()
}

/// The names of the build's secrets, each with its origin; `None` if there are none.
#[must_use]
pub fn build_secrets(config: &Config) -> Option<BTreeMap<String, String>> {
    let names = config.build_secrets.iter().map(|name| (name.to_string(), OF_ENVIRONMENT.to_owned()));
    (!config.build_secrets.is_empty()).then(|| names.collect())
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
        dockerfile: DOCKERFILE.to_owned(),
        platforms: facts.config.platforms.iter().map(ToString::to_string).collect(),
    }
}

/// Everything that the build reads, in the order of the commit. The writer and the verifier both use this list.
#[must_use]
pub fn resolved_dependencies(facts: &Inputs<'_>) -> Vec<Resource> {
    let (source, commit) = (facts.config.source_url(), facts.commit);
    let work_tree = facts.is_of_work_tree.then(|| (WORK_TREE.to_owned(), "true".to_owned()));
    let mut resources = vec![Resource {
        digest: BTreeMap::from([("gitCommit".to_owned(), commit.to_string())]),
        annotations: work_tree.into_iter().collect(),
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
    let archives = facts.config.native.iter().filter_map(Native::archive);
    resources.extend(archives.map(|(name, archive)| Resource {
        digest: sha256(&archive.sha256),
        ..resource(&name, archive.url.to_string())
    }));
    for (pinned, stand_in) in facts.stand_ins {
        resources.push(Resource {
            digest: sha256(&stand_in.digest),
            annotations: BTreeMap::from([("standsInFor".to_owned(), pinned.clone())]),
            ..resource("stand-in-image", format!("docker-image://{stand_in}"))
        });
    }
    resources
}

/// The origin of this program, as a URI that git understands.
#[must_use]
pub fn xtask_uri(source: &str, commit: &Commit) -> String {
    format!("git+{source}@{commit}#{XTASK}")
}

fn tool(ToolSource { url, commit, is_modified }: &ToolSource) -> Resource {
    let modified = is_modified.then(|| (MODIFIED.to_owned(), "true".to_owned()));
    Resource {
        digest: BTreeMap::from([("gitCommit".to_owned(), commit.to_string())]),
        annotations: modified.into_iter().collect(),
        ..resource(XTASK, xtask_uri(url, commit))
    }
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

/// A product of the run.
#[must_use]
pub fn byproduct(name: &str, media_type: &str, digest: &Digest) -> Resource {
    Resource {
        name: name.to_owned(),
        uri: None,
        digest: sha256(digest),
        media_type: Some(media_type.to_owned()),
        annotations: BTreeMap::new(),
    }
}

fn sha256(digest: &Digest) -> BTreeMap<String, String> {
    BTreeMap::from([("sha256".to_owned(), digest.hex().to_owned())])
}

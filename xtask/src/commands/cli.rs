//! Every command and flag, on one screen.

use std::path::PathBuf;

use clap::{Parser, Subcommand};

use crate::commands::handover::Named;
use crate::inputs::version::ReleaseTag;

/// Builds, proves and publishes the releases of this repository's service.
///
/// Exit codes: 0 done; 1 something failed, or `verify` found a false claim; 2 wrong usage; 3 refused, nothing public was
/// changed; 4 `verify` could not check everything; 75 transient failure, the same command may succeed later; 129,
/// 130 or 143 stopped by a signal. Data goes to standard output, everything else to standard error.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", version, arg_required_else_help = true)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands. Each has its own file.
#[derive(Subcommand)]
pub enum Command {
    /// Release a tag: build, prove, sign, attest, publish. Also finishes what an earlier run began
    Release {
        /// A tag such as `v1.2.3` [default: the tag that the workflow runs for, else the tag at HEAD]
        #[arg(value_name = "TAG")]
        tag: Option<String>,
        /// Change nothing; print each step as done, to do, or in conflict, and the problems that would stop the
        /// release
        #[arg(long)]
        plan: bool,
        /// Print JSON instead of text: one event per line, or one document with `--plan`; docs/releasing.md describes
        /// both formats
        #[arg(long)]
        json: bool,
    },
    /// Release for real, but to a throwaway registry and with a throwaway key; the page goes to `target/rehearsal/`
    Rehearse {
        /// A tag, or a commit to release as the next version [default: the tag at HEAD, else HEAD]
        #[arg(value_name = "TAG or COMMIT")]
        what: Option<String>,
        /// Release the files of the work tree as they are: committed, changed and new files, but no ignored ones
        #[arg(long, conflicts_with = "what")]
        work_tree: bool,
        /// A registry on this machine as `127.0.0.1:PORT`, or a registry image with its digest to start [default: the
        /// testbed's registry in the tool's own repository, elsewhere one that is started]
        #[arg(long, value_name = "HOST:PORT or IMAGE@DIGEST")]
        registry: Option<String>,
    },
    /// Check every claim of a release: its image, signature, provenance, SBOM, page and tags
    Verify(crate::commands::verify::Options),
    /// Add the missing Sigstore bundles to a release from before the tool stored them, using its existing attestations
    Resign {
        /// A tag such as `v1.2.3`
        #[arg(value_name = "TAG")]
        tag: String,
    },
    /// Check the rules that a change must keep so that its commit can be released
    Check {
        /// Also ask registries about the base images, and npm about the packages
        #[arg(long)]
        online: bool,
        /// Print one JSON document instead of text; docs/rules.md describes its format
        #[arg(long)]
        json: bool,
    },
    /// Write policies for self-hosters' cosign, podman and skopeo to `policies/`, generated from the configuration
    Policies {
        /// Write nothing; refuse if a policy differs from what the configuration gives
        #[arg(long)]
        check: bool,
    },
    /// Print the changes as the release page will list them, or add them to CHANGELOG.md
    Notes {
        /// A tag, or a commit to treat as the next version [default: the tag at HEAD, else HEAD]
        #[arg(value_name = "TAG or COMMIT")]
        what: Option<String>,
        /// The version that the commit will have, before it has the tag [default: the next patch version]
        #[arg(long = "as", value_name = "TAG")]
        coming: Option<ReleaseTag>,
        /// The release to compare with [default: the previous release in the same line of history]
        #[arg(long, value_name = "TAG")]
        from: Option<ReleaseTag>,
        /// Print one JSON document, `xtask-notes/1`
        #[arg(long, conflicts_with = "changelog")]
        json: bool,
        /// Print nothing; add a section for this version to the work tree's `CHANGELOG.md` if it has none. The rest of
        /// the file does not change
        #[arg(long)]
        changelog: bool,
        /// Ask only git, not the forge: the result is what a release writes
        #[arg(long)]
        offline: bool,
    },
    /// Write the files that another repository needs to release its service with this tool; without `--update`, overwrites
    /// nothing but `policies/`
    Init(crate::commands::init::Options),
    /// Make the key pair that signs releases: the public half goes into the repository, the private half to DIR
    Keygen {
        /// A new directory outside the repository
        #[arg(value_name = "DIR")]
        directory: PathBuf,
    },
    /// Replace the signing key from the next version on. The present key, in `COSIGN_PRIVATE_KEY` with
    /// `COSIGN_PASSWORD`, endorses the new one. The same command completes an interrupted rotation
    Rotate {
        /// The directory for the new key pair, outside the repository: a new one, or that of an interrupted rotation
        #[arg(value_name = "DIR")]
        directory: PathBuf,
        /// Rotate without the present key because it is lost or stolen; `verify` reports WHY for ever
        #[arg(long, value_name = "WHY")]
        lost: Option<String>,
    },
    /// Check everything that a release needs of this machine and its secrets, and print the remedy for what is missing
    Doctor {
        /// First create the missing protection rules: only these forge accounts (comma-separated) may push release tags
        /// and approvals, and nobody may push to a released branch. Needs an administrator's `FORGEJO_TOKEN`
        #[arg(long, value_name = "ACCOUNT,…", value_delimiter = ',', value_parser = clap::builder::NonEmptyStringValueParser::new())]
        fix: Vec<String>,
    },
    /// Run everything that a change must pass: format, lint, unit tests, `check`, the service's tests and end-to-end
    /// tests; in a repository that uses the tool, only `check` and the service's tests
    Ci {
        /// Run only these stages [default: all]
        #[arg(value_name = "STAGE")]
        stages: Vec<crate::commands::ci::Stage>,
        /// Also run the end-to-end tests that are too long for every change
        #[arg(long, conflicts_with = "name")]
        all: bool,
        /// Run only the unit and end-to-end tests whose names contain NAME, including the long ones
        #[arg(value_name = "NAME", last = true)]
        name: Option<String>,
    },
}

impl Command {
    /// Whether the command reads variables that the configuration names: build secrets and logins for base images.
    #[must_use]
    pub fn named_variables(&self) -> Named {
        match self {
            Self::Release { .. }
            | Self::Rehearse { .. }
            | Self::Doctor { .. }
            | Self::Ci { .. }
            | Self::Check { online: true, .. }
            | Self::Verify(crate::commands::verify::Options { rebuild: true, .. }) => Named::Taken,
            _ => Named::Left,
        }
    }
}

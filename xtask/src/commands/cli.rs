//! Every command and flag, on one screen.

use std::path::PathBuf;

use clap::{Parser, Subcommand};

use crate::commands::handover::Named;
use crate::inputs::version::ReleaseTag;

/// Builds, proves and publishes the releases of this repository's service.
///
/// Exit codes: 0 done; 1 something failed, or for `verify` a claim is false; 2 wrong usage; 3 refused, nothing changed;
/// 4 `verify` could not check everything; 75 transient, the same command may succeed later; 130 or 143 stopped by a signal.
/// Data goes to standard output, everything else to standard error.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", version, arg_required_else_help = true)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands; each has a file of its own.
#[derive(Subcommand)]
pub enum Command {
    /// Release a tag: build, prove, sign, attest, publish; or finish what an earlier run began
    Release {
        /// Such as `v1.2.3` [default: the tag that the workflow runs for, else the tag at HEAD]
        #[arg(value_name = "TAG")]
        tag: Option<String>,
        /// Change nothing: print each step as done, to do, or in conflict
        #[arg(long)]
        plan: bool,
        /// Print JSON instead of text: an event a line, or with `--plan` one document; docs/releasing.md has their form
        #[arg(long)]
        json: bool,
    },
    /// Release for real, on a throwaway registry with a throwaway key; the page goes to `target/rehearsal/`
    Rehearse {
        /// A tag, or a commit to release as the next version [default: the tag at HEAD, else HEAD]
        #[arg(value_name = "TAG or COMMIT")]
        what: Option<String>,
        /// The files of the work tree instead, as they are: what is committed, changed or new, and not ignored
        #[arg(long, conflicts_with = "what")]
        work_tree: bool,
        /// A registry of this machine, as `127.0.0.1:PORT`, or the image with its digest of one to start [default: the
        /// testbed's in the tool's own repository, else one that is started]
        #[arg(long, value_name = "HOST:PORT or IMAGE@DIGEST")]
        registry: Option<String>,
    },
    /// Check every claim of a release: its image, signature, provenance, SBOM, page and tags
    Verify(crate::commands::verify::Options),
    /// Give a release from before Sigstore bundles the ones that it lacks, from the attestations that it has
    Resign {
        /// Such as `v1.2.3`
        #[arg(value_name = "TAG")]
        tag: String,
    },
    /// Check the rules that a change must keep so that its commit can be released
    Check {
        /// Also ask registries: about the base images and what npm knows of the packages
        #[arg(long)]
        online: bool,
        /// Print one JSON document instead of text; docs/rules.md has its form
        #[arg(long)]
        json: bool,
    },
    /// Write what self-hosters' cosign, podman and skopeo should accept, from the configuration, to `policies/`
    Policies {
        /// Write nothing; refuse when a policy is not what the configuration says
        #[arg(long)]
        check: bool,
    },
    /// Print what the release page will say of the changes, or add it to CHANGELOG.md
    Notes {
        /// A tag, or a commit as the next version [default: the tag at HEAD, else HEAD]
        #[arg(value_name = "TAG or COMMIT")]
        what: Option<String>,
        /// The release to compare with [default: the one before it on its own line]
        #[arg(long, value_name = "TAG")]
        from: Option<ReleaseTag>,
        /// Print one document, `xtask-notes/1`
        #[arg(long, conflicts_with = "changelog")]
        json: bool,
        /// Print nothing, and give `CHANGELOG.md` of the work tree a section of this version, where it has none; nothing else
        /// in the file changes
        #[arg(long)]
        changelog: bool,
        /// Ask nothing but git: what a release writes
        #[arg(long)]
        offline: bool,
    },
    /// Write into another repository what it needs to release its service with this tool; nothing is overwritten
    Init(crate::commands::init::Options),
    /// Make the key pair that signs releases: the public half goes into the repository, the private half to DIR
    Keygen {
        /// A new directory outside of the repository
        #[arg(value_name = "DIR")]
        directory: PathBuf,
    },
    /// Have another key sign from the next version on: the present one, in `COSIGN_PRIVATE_KEY` with `COSIGN_PASSWORD`,
    /// endorses it; the same command completes a rotation that was stopped
    Rotate {
        /// Where the new pair goes: a directory outside of the repository, new or of a rotation that was stopped
        #[arg(value_name = "DIR")]
        directory: PathBuf,
        /// Rotate without the present key, which is lost or stolen; `verify` reports these words for ever
        #[arg(long, value_name = "WHY")]
        lost: Option<String>,
    },
    /// Look at everything that a release needs of this machine and its secrets, with the remedy for what is missing
    Doctor {
        /// First protect the tags and branches that no rule of the forge protects, as far as `FORGEJO_TOKEN` may: of all
        /// accounts, these alone may push a release tag then
        #[arg(long, value_name = "NAME", value_delimiter = ',', value_parser = clap::builder::NonEmptyStringValueParser::new())]
        fix: Vec<String>,
    },
    /// Run everything that a change must pass: format, lints, unit, service and end-to-end tests
    Ci {
        /// Only these parts of it [default: all]
        #[arg(value_name = "STAGE")]
        stages: Vec<crate::commands::ci::Stage>,
        /// Only the unit and end-to-end tests whose names contain NAME; then not every end-to-end test has to run
        #[arg(value_name = "NAME", last = true)]
        name: Option<String>,
    },
}

impl Command {
    /// Whether it reads variables that the configuration names: secrets of a build, logins for base images.
    #[must_use]
    pub fn named_variables(&self) -> Named {
        match self {
            Self::Release { .. }
            | Self::Rehearse { .. }
            | Self::Doctor { .. }
            | Self::Verify(crate::commands::verify::Options { rebuild: true, .. }) => Named::Taken,
            _ => Named::Left,
        }
    }
}

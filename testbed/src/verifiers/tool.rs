//! The verifiers, and where each comes from. They are not parts of `up`: building them takes longer than all
//! tests, and no test needs them.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use xtask::process::environment::Environment;

use super::ask::Method;
use crate::context::Context;
use crate::files::private_dir;
use crate::parts::skopeo;
use crate::provision::{self, golang};

/// One program.
pub(super) struct Tool {
    /// Its name and version, as the table has them.
    pub(super) name: &'static str,
    /// Where it comes from.
    from: From,
    /// How it is asked.
    pub(super) method: Method,
}

/// Where a program comes from.
pub(super) enum From {
    /// A part of the testbed, whose path is in this export.
    Testbed(&'static str),
    /// A package of a Go module that `go install` builds.
    Package(&'static str, &'static str),
    /// A Go module that must be built in its own directory.
    Module(golang::Module),
    /// A Go program of our own, in one file, that uses a library.
    Program { source: &'static str, module: &'static str, version: &'static str },
    /// skopeo, as packaged by this release of Debian.
    Debian(&'static str),
}

/// A tool whose program is present.
pub(super) struct Found {
    pub(super) tool: Tool,
    pub(super) program: PathBuf,
}

/// All verifiers.
fn all() -> Vec<Tool> {
    vec![
        Tool { name: "cosign 2.5.0", from: From::Testbed("TESTBED_COSIGN_2"), method: Method::Cosign },
        Tool { name: "cosign 2.6.5", from: COSIGN_2_6, method: Method::Cosign },
        Tool { name: "cosign 2.6.5 `--trusted-root`", from: COSIGN_2_6, method: Method::CosignTrusting },
        Tool { name: "cosign 3.1.3", from: From::Testbed("TESTBED_COSIGN_3"), method: Method::Cosign },
        Tool { name: "skopeo 1.18.0", from: From::Testbed("TESTBED_SKOPEO"), method: Method::Skopeo },
        Tool { name: "skopeo 1.22.0", from: From::Debian("sid"), method: Method::Skopeo },
        Tool {
            name: "policy-controller 0.13.1",
            from: From::Module(golang::Module {
                path: "github.com/sigstore/policy-controller",
                version: "v0.13.1",
                package: "./cmd/tester",
                tags: "",
                reported: ("sigs.k8s.io/release-utils/version.gitVersion", "v0.13.1"),
                cgo: false,
            }),
            method: Method::PolicyController,
        },
        Tool {
            name: "Kyverno 1.19.1, type `Cosign`",
            from: From::Module(KYVERNO),
            method: Method::Kyverno("Cosign"),
        },
        Tool {
            name: "Kyverno 1.19.1, type `SigstoreBundle`",
            from: From::Module(KYVERNO),
            method: Method::Kyverno("SigstoreBundle"),
        },
        Tool {
            name: "sigstore-go 1.3.0",
            from: From::Program {
                source: include_str!("../../verifiers/sigstore-go.go"),
                module: "github.com/sigstore/sigstore-go",
                version: "v1.3.0",
            },
            method: Method::SigstoreGo,
        },
    ]
}

/// The last release of cosign 2.
pub(super) const COSIGN_2_6: From = From::Package("github.com/sigstore/cosign/v2/cmd/cosign", "v2.6.5");

/// Kyverno's command line.
const KYVERNO: golang::Module = golang::Module {
    path: "github.com/kyverno/kyverno",
    version: "v1.19.1",
    package: "./cmd/cli/kubectl-kyverno",
    tags: "",
    reported: ("github.com/kyverno/kyverno/pkg/version.BuildVersion", "v1.19.1"),
    cgo: false,
};

/// Finds all verifiers, and builds the missing ones.
pub(super) fn verifiers(cx: &Context, environment: &Environment) -> Result<Vec<Found>> {
    let found = |tool: Tool| Ok(Found { program: program(cx, environment, tool.name, &tool.from)?, tool });
    all().into_iter().map(found).collect()
}

/// The program called `name`, built if it is missing.
pub(super) fn program(cx: &Context, environment: &Environment, name: &str, from: &From) -> Result<PathBuf> {
    Ok(match from {
        From::Testbed(export) => {
            let program = environment.get(export)?;
            PathBuf::from(program.with_context(|| format!("`{export}` is not set: `cargo testbed up`"))?)
        }
        From::Package(package, version) => {
            let last = last(package);
            let prefix = provision::prefix(cx, last, &["verifiers", version, &golang::version(cx)?]);
            once(cx, name, &prefix, || {
                provision::complete(cx, &prefix, |partial| {
                    golang::install(cx, package, version, &partial.join("bin"))
                })
            })?;
            prefix.join("bin").join(last)
        }
        From::Module(module) => {
            let last = last(module.package);
            let prefix = module.prefix(cx, last)?;
            once(cx, name, &prefix, || module.provision(cx, &prefix, last))?;
            prefix.join("bin").join(last)
        }
        From::Program { source, module, version } => {
            let last = last(module);
            let prefix = provision::prefix(cx, last, &[source, version, &golang::version(cx)?]);
            once(cx, name, &prefix, || {
                provision::complete(cx, &prefix, |partial| {
                    golang::program(cx, source, &format!("{module}@{version}"), &partial.join(last))
                })
            })?;
            prefix.join(last)
        }
        From::Debian(release) => {
            let prefix = provision::prefix(cx, "skopeo", &["2", release]);
            once(cx, name, &prefix, || skopeo::unpack(cx, release, &prefix))?;
            prefix.join("bin/skopeo")
        }
    })
}

/// Makes `prefix` unless it exists.
fn once(cx: &Context, name: &str, prefix: &Path, make: impl FnOnce() -> Result<()>) -> Result<()> {
    if prefix.exists() {
        return Ok(());
    }
    cx.progress.line(name, "provisioning");
    private_dir(&cx.layout.prefix(""))?;
    make()?;
    cx.progress.line(name, "provisioned");
    Ok(())
}

/// The name of the program that Go builds from a package.
fn last(package: &str) -> &str {
    package.rsplit('/').next().unwrap_or(package)
}

//! What every step needs: the directories, the machine, a way to run programs, and a way to report.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use xtask::process::environment::Environment;
use xtask::process::{Call, Runner};

use crate::host::Host;
use crate::layout::Layout;
use crate::progress::Progress;
use crate::services::engine::{FIRST, SECOND};

/// Settings of Go, npm and pip for where they fetch from and where they keep things. They are not secret. The
/// runner's allow-list is for releases and leaves them out.
const PACKAGE_SETTINGS: [&str; 18] = [
    "GOPROXY",
    "GOSUMDB",
    "GONOSUMDB",
    "GONOPROXY",
    "GOPRIVATE",
    "GOTOOLCHAIN",
    "GOPATH",
    "GOMODCACHE",
    "GOCACHE",
    "npm_config_registry",
    "npm_config_cafile",
    "npm_config_cache",
    "npm_config_userconfig",
    "PIP_INDEX_URL",
    "PIP_CERT",
    "PIP_CONFIG_FILE",
    "PIP_CACHE_DIR",
    "PIP_DEFAULT_TIMEOUT",
];

/// Shared by all parts and services.
pub(crate) struct Context {
    /// Where things live.
    pub(crate) layout: Layout,
    /// What the machine is and has.
    pub(crate) host: Host,
    /// Runs programs with the machine's environment, without our own exports.
    pub(crate) runner: Runner,
    /// Reports progress to the user.
    pub(crate) progress: Progress,
    /// The repository whose testbed this is.
    pub(crate) repository: PathBuf,
    environment: Environment,
}

impl Context {
    /// Removes our own exports from `environment`: `up` in a shell that has them must not mistake them for the
    /// machine's own.
    pub(crate) fn new(environment: &Environment) -> Result<Self> {
        let layout = Layout::from_environment(environment)?;
        let path = environment.get("PATH")?.context("looking for programs: `PATH` is not set")?;
        let host = Host::of_this_machine(path, layout.root())?;
        let docker_host = environment.get("DOCKER_HOST")?.unwrap_or_default();
        let ours = [FIRST.address(&layout)?, SECOND.address(&layout)?];
        let mut overrides = vec![("PATH", host.path())];
        if ours.iter().any(|own| own == docker_host) {
            overrides.push(("DOCKER_HOST", String::new()));
        }
        let config = environment.get("DOCKER_CONFIG")?.unwrap_or_default();
        if Path::new(config).starts_with(layout.root()) {
            overrides.push(("DOCKER_CONFIG", String::new()));
        }
        let environment = environment.with(overrides);
        let runner = Runner::new(&environment);
        let repository = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("finding the workspace")?;
        let repository = repository.to_owned();
        Ok(Self { layout, host, runner, progress: Progress::start(), repository, environment })
    }

    /// A variable of the machine's environment.
    pub(crate) fn variable(&self, name: &str) -> Result<Option<&str>> {
        self.environment.get(name)
    }

    /// `call` with the user's settings for fetching packages.
    pub(crate) fn with_package_settings(&self, mut call: Call) -> Result<Call> {
        for name in PACKAGE_SETTINGS {
            if let Some(value) = self.environment.get(name)? {
                call = call.env(name, value);
            }
        }
        Ok(call)
    }

    /// A program that every machine with this workspace has. If it is missing, the error says how to install it.
    pub(crate) fn required(&self, program: &str) -> Result<PathBuf> {
        match self.host.which(program) {
            Some(path) => Ok(path),
            None => bail!(
                "`{program}` is not on the PATH; install it with `{}`",
                self.host.install_command(program)
            ),
        }
    }
}

//! The one place that reads the process environment. It takes a snapshot at start, which is then read by name, and
//! holds the allow-list of the variables that children may see.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, anyhow};

use crate::process::search;
use crate::process::secret::{Secret, register};

/// Names the directory for temporary files.
const TMPDIR: &str = "TMPDIR";

/// Names the builder that is used where the configuration names none.
pub const BUILDX_BUILDER: &str = "BUILDX_BUILDER";

/// What every child sees: where programs are, who the user is, how to reach the network and docker. Nothing that a
/// forge's runner adds (tokens, event files), no `COSIGN_*` (cosign binds each flag to one), and of `GIT_*` only the
/// CA certificates.
pub(crate) const INHERITED: [&str; 25] = [
    "PATH",
    "HOME",
    "USER",
    "LOGNAME",
    TMPDIR,
    "XDG_CACHE_HOME",
    "XDG_CONFIG_HOME",
    "XDG_RUNTIME_DIR",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "CURL_CA_BUNDLE",
    "GIT_SSL_CAINFO",
    "NODE_EXTRA_CA_CERTS",
    "DOCKER_HOST",
    "DOCKER_CONFIG",
    "DOCKER_CONTEXT",
    "DOCKER_CERT_PATH",
    "DOCKER_TLS",
    "DOCKER_TLS_VERIFY",
    BUILDX_BUILDER,
    "CARGO_HOME",
    "CARGO_TARGET_DIR",
    "RUSTUP_HOME",
    "RUSTUP_TOOLCHAIN",
    "NO_COLOR",
];

/// Addresses of proxies. Every child sees them too, and they may hold a password.
pub const PROXIES: [&str; 8] = [
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "ALL_PROXY",
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "all_proxy",
];

/// Where the agent with the user's SSH keys listens. Only programs that connect by SSH see it, because a program that
/// reaches the agent can sign with every key in it.
pub const SSH_AGENT: &str = "SSH_AUTH_SOCK";

/// Whether every child sees the variable `name`.
#[must_use]
pub fn is_inherited(name: &str) -> bool {
    INHERITED.contains(&name) || PROXIES.contains(&name)
}

/// A snapshot of the environment, taken once in `main`, so that all code below is a function of its arguments.
#[derive(Clone, Default)]
pub struct Environment {
    variables: BTreeMap<OsString, OsString>,
}

impl Environment {
    /// Reads the environment of this process.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "this is the one place that reads the environment")]
    pub fn from_process() -> Self {
        let mut variables: BTreeMap<_, _> = std::env::vars_os().collect();
        let temporary = variables.remove(OsStr::new(TMPDIR)).and_then(|named| usable(&named));
        variables.extend(temporary.map(|path| (TMPDIR.into(), path.into())));
        let environment = Self { variables };
        environment.hide_proxy_passwords();
        environment
    }

    /// An environment made of the given pairs.
    pub fn from_pairs<K: Into<OsString>, V: Into<OsString>>(pairs: impl IntoIterator<Item = (K, V)>) -> Self {
        Self { variables: pairs.into_iter().map(|(key, value)| (key.into(), value.into())).collect() }
    }

    /// The same environment with `pairs` added; they replace variables of the same name.
    #[must_use]
    pub fn with<K: Into<OsString>, V: Into<OsString>>(
        &self,
        pairs: impl IntoIterator<Item = (K, V)>,
    ) -> Self {
        let mut merged = self.clone();
        merged.variables.extend(pairs.into_iter().map(|(key, value)| (key.into(), value.into())));
        merged
    }

    /// The same environment without `names`.
    #[must_use]
    pub fn without(mut self, names: &[&str]) -> Self {
        self.variables.retain(|key, _| !names.iter().any(|name| OsStr::new(name) == key));
        self
    }

    /// The non-empty variables whose names satisfy `is_wanted`, with their values.
    #[must_use]
    pub fn only(&self, is_wanted: impl Fn(&OsStr) -> bool) -> Vec<(&OsStr, &OsStr)> {
        let variables = self.variables.iter().filter(|(_, value)| !value.is_empty());
        variables
            .filter(|(key, _)| is_wanted(key))
            .map(|(key, value)| (key.as_os_str(), value.as_os_str()))
            .collect()
    }

    /// The variable's value. An empty one counts as unset, because forges set a variable without a value to the empty
    /// string.
    ///
    /// # Errors
    /// When the value is not UTF-8.
    pub fn get(&self, name: &str) -> Result<Option<&str>> {
        match self.variables.get(OsStr::new(name)) {
            None => Ok(None),
            Some(value) => match value.to_str() {
                Some("") => Ok(None),
                Some(text) => Ok(Some(text)),
                None => Err(anyhow!("reading `{name}` from the environment: the value is not UTF-8")),
            },
        }
    }

    /// A variable of the forge's runner: `FORGEJO_X`, else `GITHUB_X` (Gitea's runner sets only these).
    ///
    /// # Errors
    /// As [`Environment::get`].
    pub fn runner(&self, suffix: &str) -> Result<Option<&str>> {
        match self.get(&format!("FORGEJO_{suffix}"))? {
            Some(value) => Ok(Some(value)),
            None => self.get(&format!("GITHUB_{suffix}")),
        }
    }

    /// A secret of one line, such as a token.
    ///
    /// # Errors
    /// When it is not UTF-8, or holds a control character, which would end the header or the line in which it is
    /// sent.
    pub fn token(&self, name: &str) -> Result<Option<Secret>> {
        self.get(name)?.map(|value| Secret::single_line(name, value)).transpose()
    }

    /// A secret that may be empty or span several lines, such as a key or its password. Set but empty is `Some`.
    ///
    /// # Errors
    /// When the value is not UTF-8.
    pub fn secret(&self, name: &str) -> Result<Option<Secret>> {
        match self.variables.get(OsStr::new(name)) {
            Some(value) if value.is_empty() => Ok(Some(Secret::new(""))),
            _ => Ok(self.get(name)?.map(Secret::new)),
        }
    }

    /// The testbed's exports (`TESTBED_…`), for the tests that run on it.
    ///
    /// # Errors
    /// When one is not UTF-8.
    pub fn testbed(&self) -> Result<Vec<(&str, &str)>> {
        let names =
            self.variables.keys().filter_map(|key| key.to_str()).filter(|key| key.starts_with("TESTBED_"));
        names.map(|name| Ok((name, self.get(name)?.unwrap_or_default()))).collect()
    }

    /// Where `program` is: `program` itself when it is a path, else the file that a call by this name would start.
    ///
    /// # Errors
    /// When the PATH is not UTF-8.
    pub fn find_program(&self, program: &Path) -> Result<Option<PathBuf>> {
        let name = program.as_os_str();
        if search::is_path(name) {
            return Ok(program.is_file().then(|| program.to_owned()));
        }
        Ok(search::program(name, OsStr::new(self.get("PATH")?.unwrap_or_default())))
    }

    /// The names of the proxy variables that are set. `BuildKit` knows all of [`PROXIES`].
    ///
    /// # Errors
    /// When one is not UTF-8.
    pub fn proxies(&self) -> Result<Vec<&'static str>> {
        let mut names = Vec::new();
        for name in PROXIES {
            names.extend(self.get(name)?.map(|_| name));
        }
        Ok(names)
    }

    /// Registers the passwords in proxy addresses, so that no message shows them.
    fn hide_proxy_passwords(&self) {
        let values = PROXIES.iter().filter_map(|name| self.variables.get(OsStr::new(name))?.to_str());
        for user in values.filter_map(|value| value.rsplit_once('@')).map(|(before, _)| before) {
            let user = user.rsplit_once("://").map_or(user, |(_, user)| user);
            register(user);
            if let Some((_, password)) = user.split_once(':') {
                register(password);
            }
        }
    }

    /// The value of [`SSH_AGENT`].
    #[must_use]
    pub fn ssh_agent(&self) -> Option<&OsStr> {
        self.variables.get(OsStr::new(SSH_AGENT)).map(OsString::as_os_str)
    }

    /// What a child may see of this environment.
    pub fn inherited(&self) -> impl Iterator<Item = (&OsStr, &OsStr)> {
        self.variables
            .iter()
            .filter(|(key, _)| key.to_str().is_some_and(is_inherited))
            .map(|(key, value)| (key.as_os_str(), value.as_os_str()))
    }
}

/// Where the command was started.
///
/// # Errors
/// When that directory is gone.
#[expect(clippy::disallowed_methods, reason = "this is the one place that reads it")]
pub fn current_directory() -> Result<PathBuf> {
    std::env::current_dir().context("finding the current directory")
}

/// Where temporary files go: `TMPDIR`, or `/tmp`.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "this is the one place that reads it")]
pub fn temporary_directory() -> PathBuf {
    let named = std::env::var_os(TMPDIR).and_then(|named| usable(&named));
    named.unwrap_or_else(|| PathBuf::from("/tmp"))
}

/// The directory that `named`, the value of `TMPDIR`, means as an absolute path, so that it is the same for every
/// program wherever it is started; `None` if the value is empty.
fn usable(named: &OsStr) -> Option<PathBuf> {
    // Without a current directory, the name stays relative, and the first use of it fails with a message.
    let absolute = || std::path::absolute(named).unwrap_or_else(|_no_directory| named.into());
    (!named.is_empty()).then(absolute)
}

//! Keeps secrets out of reach of children. Any process of the same user can read from `/proc` the environment that a
//! process was started with. So the program starts itself once more without the secrets and passes them to itself on
//! standard input.

use std::ffi::{OsStr, OsString};
use std::io::{self, IsTerminal as _, Read as _, Write as _};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail, ensure};
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::prctl;
use nix::sys::resource::{Resource, setrlimit};

use crate::inputs::config::VariableName;
use crate::process::environment::Environment;
use crate::process::failure::Misuse;

/// The variables that hold a release's own secrets. A configuration may name more ([`Named`]).
pub const SECRETS: [&str; 6] = [
    "COSIGN_PRIVATE_KEY",
    "COSIGN_PASSWORD",
    "REGISTRY_TOKEN",
    "FORGEJO_TOKEN",
    "GITEA_TOKEN",
    "GITHUB_TOKEN",
];

/// Whether the command reads variables that the configuration names. The configuration has not been read at this
/// point, so every variable that it could name is removed: each may hold a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Named {
    /// It may read them.
    Taken,
    /// It does not read them.
    Left,
}

/// Tells the second process that the secrets are on standard input.
const MARKER: &str = "XTASK_SECRETS_ON_STDIN";

/// The largest capacity that an unprivileged user may give a pipe (pipe(7)). A shell or a cluster may set large
/// variables that have nothing to do with a release, but that a configuration could name.
const MAX_BYTES: usize = 1 << 20;

/// The environment of this process including the secrets, which are then nowhere in `/proc`. If there are secrets, this
/// function returns in a second process that replaces this one.
///
/// # Errors
/// When the secrets cannot be handed over; [`Misuse`] when standard input holds something else.
pub fn environment(named: Named) -> Result<Environment> {
    // The secrets are in this process's memory: write no core file, and let no process of this user look into it.
    // Executing a program makes the process readable again, so both processes set this.
    setrlimit(Resource::RLIMIT_CORE, 0, 0).context("forbidding core dumps")?;
    prctl::set_dumpable(false).context("keeping other processes from reading this one")?;
    let environment = Environment::from_process();
    if environment.get(MARKER)?.is_some() {
        // Otherwise the process would be called `exe`.
        prctl::set_name(c"xtask").context("naming this process")?;
        let secrets = received().map_err(|error| {
            Misuse::new(format!(
                "`{MARKER}` is set, and standard input does not hold the secrets ({error:#}): unset it"
            ))
        })?;
        return Ok(environment.without(&[MARKER]).with(secrets));
    }
    let secrets = environment.only(|name| {
        is_secret(name) || (named == Named::Taken && name.to_str().is_some_and(VariableName::may_be_named))
    });
    if secrets.is_empty() { Ok(environment) } else { bail!(start_again(&secrets)?) }
}

fn is_secret(name: &OsStr) -> bool {
    SECRETS.iter().any(|known| OsStr::new(known) == name)
}

/// Returns only on failure.
fn start_again(secrets: &[(&OsStr, &OsStr)]) -> Result<anyhow::Error> {
    let (reader, mut writer) = io::pipe().context("making a pipe for the secrets")?;
    let bytes = encoded(secrets)?;
    let (size, too_large) = (bytes.len(), || too_large(secrets));
    // Nobody reads yet: the pipe must hold everything, or fail instead of waiting for ever.
    fcntl(&writer, FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).context("preparing the pipe for the secrets")?;
    fcntl(&writer, FcntlArg::F_SETPIPE_SZ(size.try_into()?))
        .with_context(|| format!("making room for {size} bytes in a pipe; {}", too_large()))?;
    writer.write_all(&bytes).with_context(|| format!("writing {size} bytes to a pipe; {}", too_large()))?;
    drop(writer);
    #[expect(clippy::disallowed_methods, reason = "this starts no child: the program replaces this process")]
    let mut command = Command::new("/proc/self/exe");
    let mut arguments = std::env::args_os();
    if let Some(name) = arguments.next() {
        command.arg0(name);
    }
    command.args(arguments).env(MARKER, "1").stdin(Stdio::from(reader));
    for (name, _) in secrets {
        command.env_remove(name);
    }
    Ok(anyhow::Error::new(command.exec()).context("starting `/proc/self/exe` again, without the secrets"))
}

/// The `secrets` in the format of the environment: `NAME=value`, each followed by a zero byte.
fn encoded(secrets: &[(&OsStr, &OsStr)]) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    for (name, value) in secrets {
        bytes.extend([name.as_bytes(), b"=", value.as_bytes(), b"\0"].concat());
    }
    ensure!(
        bytes.len() <= MAX_BYTES,
        "the variables in capitals, which could hold secrets, have {} bytes: expected {MAX_BYTES} at most; {}",
        bytes.len(),
        too_large(secrets)
    );
    Ok(bytes)
}

/// What to do about variables that are too large.
fn too_large(secrets: &[(&OsStr, &OsStr)]) -> String {
    let largest = secrets.iter().max_by_key(|(_, value)| value.len());
    let name = largest.map(|(name, _)| name.to_string_lossy()).unwrap_or_default();
    format!("unset what a release does not need; the largest is `{name}`")
}

fn received() -> Result<Vec<(OsString, OsString)>> {
    let stdin = io::stdin();
    ensure!(!stdin.is_terminal(), "it is a terminal");
    let (limit, mut bytes) = (u64::try_from(MAX_BYTES)? + 1, Vec::new());
    stdin.lock().take(limit).read_to_end(&mut bytes).context("reading it")?;
    read(&bytes)
}

fn read(bytes: &[u8]) -> Result<Vec<(OsString, OsString)>> {
    ensure!(bytes.len() <= MAX_BYTES, "it is longer than {MAX_BYTES} bytes");
    let Some(entries) = bytes.strip_suffix(b"\0") else { bail!("it is empty or truncated") };
    let mut secrets = Vec::<(OsString, OsString)>::new();
    for entry in entries.split(|byte| *byte == 0) {
        let at = entry.iter().position(|byte| *byte == b'=').context("an entry has no name")?;
        let (name, value) = (&entry[..at], &entry[at + 1..]);
        let is_named = std::str::from_utf8(name).is_ok_and(VariableName::may_be_named);
        let is_known = is_named || is_secret(OsStr::from_bytes(name));
        let is_new = secrets.iter().all(|(seen, _)| seen.as_bytes() != name);
        ensure!(is_known && is_new && !value.is_empty(), "an entry is unknown, empty or duplicated");
        secrets.push((OsStr::from_bytes(name).to_owned(), OsString::from_vec(value.to_vec())));
    }
    Ok(secrets)
}

#[cfg(test)]
mod tests {
    use super::{MAX_BYTES, encoded, read};
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt as _;

    #[test]
    fn secrets_that_are_handed_over_are_read_back_unchanged() {
        let key = OsStr::from_bytes(b"-----BEGIN\nx=y\n\xff\n-----END\n");
        let secrets = [(OsStr::new("COSIGN_PRIVATE_KEY"), key), (OsStr::new("NPM_TOKEN"), OsStr::new("t"))];
        let back = read(&encoded(&secrets).unwrap()).unwrap();
        let back: Vec<_> = back.iter().map(|(name, value)| (name.as_os_str(), value.as_os_str())).collect();
        assert_eq!(back, secrets);
    }

    #[test]
    fn secrets_that_are_too_large_malformed_or_unknown_are_refused() {
        let large = "x".repeat(MAX_BYTES);
        let too_much = [("GITHUB_TOKEN", "t"), ("FOO", &large)]
            .map(|(name, value)| (OsStr::new(name), OsStr::new(value)));
        assert!(encoded(&too_much).unwrap_err().to_string().ends_with("the largest is `FOO`"));
        let long = format!("GITHUB_TOKEN={large}\0");
        for bytes in [
            "",
            "\0",
            "GITHUB_TOKEN=t",
            "GITHUB_TOKEN\0",
            "GITHUB_TOKEN=\0",
            "PATH=/evil\0",
            "npm_token=t\0",
            "GITHUB_TOKEN=t\0LD_PRELOAD=x\0",
            "GITHUB_TOKEN=t\0GITHUB_TOKEN=u\0",
            "GITHUB_TOKEN=t\0\0",
            &long,
        ] {
            assert!(read(bytes.as_bytes()).is_err(), "{:?}", bytes.get(..40));
        }
    }
}

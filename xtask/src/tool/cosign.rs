//! cosign with a key pair and no transparency log, in the format that cosign 2 and 3, podman and skopeo all verify
//! (docs/facts.md#legacy-format). Every call of cosign is in this file and those below it.

mod blob;
mod generation;
mod known;
mod program;
mod public_key;
mod verify_command;

use std::path::Path;
use std::sync::{Mutex, OnceLock};
use std::time::Duration;

use anyhow::{Context as _, Result};
use xshell::cmd;

use crate::oci::reference::{Digest, Image};
use crate::process::secret::Secret;
use crate::process::{Call, Output, Runner};
use crate::tool::docker::DockerConfig;

use generation::TLOG;

pub use generation::Generation;
pub use known::known;
pub use program::Program;
pub use public_key::PublicKey;
pub use verify_command::VerifyCommand;

const INSTALL: &str =
    "install cosign 2.5 or 3.1: https://docs.sigstore.dev/cosign/system_config/installation/";

/// Enough to download an image's layers over a slow line.
const SAVE: Duration = Duration::from_secs(600);

/// How often the garbage collector of Go's runtime runs (<https://pkg.go.dev/runtime#hdr-Environment_Variables>).
/// With these settings, `cosign verify-attestation` needs 45 ms of processor time for a small image instead of 57 ms,
/// in the same 57 MB of memory (measured with cosign 2.5 on 2026-11-30). Above the memory limit the collector runs
/// more often.
const COLLECTOR: [(&str, &str); 2] = [("GOGC", "400"), ("GOMEMLIMIT", "256MiB")];

/// The predicate type of an SBOM, by cosign's short name for `https://cyclonedx.org/bom`.
pub const SBOM_TYPE: &str = "cyclonedx";

/// The private key, as a secret store provides it, and its password.
#[derive(Clone)]
pub struct SigningKey {
    private_key: Secret,
    password: Secret,
    /// Deriving it decrypts the private key, which by design takes cosign a third of a second (scrypt).
    public_half: OnceLock<PublicKey>,
}

impl SigningKey {
    /// `private_key` is the encrypted PEM; `password` may be empty.
    #[must_use]
    pub const fn new(private_key: Secret, password: Secret) -> Self {
        Self { private_key, password, public_half: OnceLock::new() }
    }
}

/// cosign with one docker configuration for the registry's credentials.
pub struct Cosign<'a> {
    runner: &'a Runner,
    program: Program,
    config: &'a DockerConfig,
    timeout: Duration,
    generation: Mutex<Option<Generation>>,
}

impl<'a> Cosign<'a> {
    /// `program` is `cosign` or another [`Program`].
    #[must_use]
    pub fn new(
        runner: &'a Runner,
        program: impl Into<Program>,
        config: &'a DockerConfig,
        timeout: Duration,
    ) -> Self {
        Self { runner, program: program.into(), config, timeout, generation: Mutex::new(None) }
    }

    /// The program that runs as cosign.
    #[must_use]
    pub const fn program(&self) -> &Program {
        &self.program
    }

    /// Makes a key pair: `<prefix>.key` (encrypted with `password`, mode 0600) and `<prefix>.pub`.
    ///
    /// # Errors
    /// When cosign fails; it never overwrites a key.
    pub fn generate_key_pair(&self, prefix: &Path, password: &Secret) -> Result<()> {
        // The flags are checked first: an unknown cosign may prompt for input or put the key elsewhere.
        self.generation()?;
        let prefix = prefix.display().to_string();
        let arguments = ["generate-key-pair", "--output-key-prefix", &prefix];
        self.call(&arguments)?.secret_env("COSIGN_PASSWORD", password).run()
    }

    /// The public half of `key`. This proves that the key can be read and that its password is right.
    ///
    /// # Errors
    /// When the key or its password is wrong.
    pub fn public_half(&self, key: &SigningKey) -> Result<PublicKey> {
        if let Some(derived) = key.public_half.get() {
            return Ok(derived.clone());
        }
        let derived = self.with_key(&["public-key", "--key", KEY], key)?.read()?;
        let derived =
            PublicKey::parse(derived.as_bytes()).context("reading the public key that cosign printed")?;
        Ok(key.public_half.get_or_init(|| derived).clone())
    }

    /// Signs `image@digest` and the manifest of each of its platforms, because podman and skopeo check the latter. The
    /// annotations are part of the signed payload. Signing again adds nothing.
    ///
    /// # Errors
    /// When cosign fails.
    pub fn sign(
        &self,
        key: &SigningKey,
        annotations: &[(&str, &str)],
        image: &Image,
        digest: &Digest,
    ) -> Result<()> {
        let annotations: Vec<_> = annotations.iter().map(|(key, value)| format!("{key}={value}")).collect();
        let mut arguments = vec!["sign", "--yes", "--recursive", "--key", KEY, TLOG];
        arguments.extend(annotations.iter().flat_map(|annotation| ["-a", annotation]));
        arguments.extend(self.legacy_format()?);
        arguments.extend(without_tls(image));
        let pinned = image.pinned(digest);
        arguments.push(&pinned);
        self.with_key(&arguments, key)?.repeatable().run()
    }

    /// Runs in `dir` a command that the release page prints, and returns cosign's output: for a signature a JSON array
    /// of payloads, for attestations one DSSE envelope per line. `Err` of the inner result is cosign's rejection.
    ///
    /// # Errors
    /// When cosign cannot be run or does not end in time.
    pub fn try_verify(&self, command: &VerifyCommand, dir: &Path) -> Result<Result<String, String>> {
        let output = self.call(&command.arguments())?.dir(dir).output()?;
        match judged(&output)? {
            Ok(()) => output.text().map(Ok),
            Err(words) => Ok(Err(words)),
        }
    }

    /// Saves `image@digest` with its signatures and attestations to the new directory `dir`, as an OCI layout.
    ///
    /// # Errors
    /// When cosign fails.
    pub fn save(&self, image: &Image, digest: &Digest, dir: &Path) -> Result<()> {
        let (dir, pinned) = (dir.display().to_string(), image.pinned(digest));
        let mut arguments = vec!["save", "--dir", &dir];
        arguments.extend(without_tls(image));
        arguments.push(&pinned);
        self.call(&arguments)?.timeout(SAVE).run()
    }

    /// By default cosign 3 writes bundles, which cosign 2, podman and skopeo do not verify.
    fn legacy_format(&self) -> Result<&'static [&'static str]> {
        Ok(match self.generation()? {
            Generation::Two => &[],
            Generation::Three => &["--use-signing-config=false", "--new-bundle-format=false"],
        })
    }

    fn with_key<S: AsRef<std::ffi::OsStr>>(&self, arguments: &[S], key: &SigningKey) -> Result<Call> {
        let call = self.call(arguments)?.secret_env("COSIGN_PRIVATE_KEY", &key.private_key);
        Ok(call.secret_env("COSIGN_PASSWORD", &key.password))
    }

    fn call<S: AsRef<std::ffi::OsStr>>(&self, arguments: &[S]) -> Result<Call> {
        let sh = self.runner.shell().context("running cosign")?;
        let program = self.program.path()?;
        let call = self.runner.call(cmd!(sh, "{program} {arguments...}")).install_hint(INSTALL);
        let call = COLLECTOR.iter().fold(call, |call, (key, value)| call.env(key, value));
        Ok(call.env("DOCKER_CONFIG", self.config.path()).timeout(self.timeout))
    }
}

/// Only for a registry that the configuration lists as being without TLS: cosign itself recognizes registries on this
/// machine.
pub(super) fn without_tls(image: &Image) -> Option<&'static str> {
    image.registry.is_plain_elsewhere().then_some("--allow-http-registry")
}

/// Whether cosign accepted what it was given to verify. `Err` of the inner result is its rejection.
///
/// # Errors
/// When cosign ended without a verdict.
fn judged(output: &Output) -> Result<Result<(), String>> {
    match output.status.code() {
        Some(0) => Ok(Ok(())),
        Some(code) if has_judged(code, &output.stderr) => Ok(Err(verdict(&output.stderr).to_owned())),
        Some(_) | None => Err(output.failure()),
    }
}

/// Whether cosign reached a verdict before it ended with `code` (docs/facts.md#exit-codes). It reached none if it is
/// a later cosign that does not know the flags, or if it was ended by Go's runtime (code 2) or by a signal below a
/// shell (code 128 and more).
fn has_judged(code: i32, stderr: &str) -> bool {
    let is_crash = |line: &str| line.starts_with("panic: ") || line.starts_with("fatal error: ");
    code != 2 && code < 128 && !stderr.contains("unknown flag") && !stderr.lines().any(is_crash)
}

/// The line of cosign's output that gives the reason. cosign first warns that it skips the transparency log, and
/// repeats the error afterwards.
fn verdict(stderr: &str) -> &str {
    let mut lines = stderr.lines().map(str::trim).filter(|line| !line.is_empty());
    let error = lines.clone().find_map(|line| line.strip_prefix("Error: "));
    error.or_else(|| lines.find(|line| !line.starts_with("WARNING"))).unwrap_or("it gives no reason")
}

/// Keys reach cosign only through the environment.
const KEY: &str = "env://COSIGN_PRIVATE_KEY";

#[cfg(test)]
mod tests {
    use super::{has_judged, verdict};

    #[test]
    fn the_verdict_is_the_error_and_not_the_warning_before_it() {
        let said = "WARNING: Skipping tlog verification\nError: no signatures found\nmain.go:69: error during command\n";
        assert_eq!(verdict(said), "no signatures found");
        assert_eq!(verdict("WARNING: x\n\ninvalid option\n"), "invalid option");
        assert_eq!(verdict("WARNING: x\n"), "it gives no reason");
    }

    #[test]
    fn a_crash_or_an_unknown_flag_is_not_a_rejection() {
        for (code, stderr, expected) in [
            (1, "Error: none of the attestations matched\n", true),
            (10, "Error: no signatures found\n", true),
            (12, "WARNING: x\nError: invalid signature: it says panic: no\n", true),
            (1, "", true),
            (1, "Error: unknown flag: --key\n", false),
            (2, "WARNING: x\npanic: runtime error: index out of range\n\ngoroutine 1 [running]:\n", false),
            (1, "panic: runtime error\n", false),
            (1, "fatal error: out of memory\n", false),
            (2, "", false),
            (137, "", false),
        ] {
            assert_eq!(has_judged(code, stderr), expected, "{code} {stderr:?}");
        }
    }
}

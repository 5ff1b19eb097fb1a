//! cosign with a key pair and no transparency log, in the format that cosign 2 and 3, podman and skopeo all verify
//! (docs/facts.md#legacy-format). Every way we call it is in this file.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use xshell::cmd;

use crate::environment::Environment;
use crate::reference::{Digest, Image};
use crate::secret::Secret;
use crate::tool::command_line;
use crate::tool::docker::DockerConfig;
use crate::tool::{Call, Runner};

const INSTALL: &str =
    "install cosign 2.5 or 3.1: https://docs.sigstore.dev/cosign/system_config/installation/";

/// An image's layers over a slow line.
const SAVE: Duration = Duration::from_secs(600);

/// The predicate type of provenance. The full URI: the short name re-marshals the predicate when it is used to sign,
/// and cosign 3.1 then signs even an empty one (docs/facts.md#short-predicate-type).
pub const PROVENANCE_TYPE: &str = "https://slsa.dev/provenance/v1";

/// The predicate type of an SBOM, by cosign's short name for `https://cyclonedx.org/bom`.
pub const SBOM_TYPE: &str = "cyclonedx";

/// What flags this cosign has: told by capability, as distributions build it with the version `devel`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Generation {
    /// 2.x: signs in the legacy format, with `--tlog-upload=false`.
    Two,
    /// 3.x: needs two flags more for the same.
    Three,
}

impl Generation {
    fn from_help(sign_help: &str) -> Result<Self> {
        if sign_help.contains("--use-signing-config") {
            Ok(Self::Three)
        } else if sign_help.contains("--tlog-upload") {
            Ok(Self::Two)
        } else {
            bail!("`cosign sign --help` knows neither `--tlog-upload` nor `--use-signing-config`; {INSTALL}")
        }
    }
}

/// The private key as it comes from a secret store, and its password.
#[derive(Clone)]
pub struct SigningKey {
    /// The encrypted PEM.
    pub private_key: Secret,
    /// May be empty.
    pub password: Secret,
}

/// cosign with one docker configuration for the registry's credentials.
pub struct Cosign<'a> {
    runner: &'a Runner,
    program: PathBuf,
    config: &'a DockerConfig,
    timeout: Duration,
    generation: OnceLock<Generation>,
}

/// A command for checking an image, as it is printed and as it is run: one source for both.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifyCommand {
    arguments: Vec<String>,
}

impl VerifyCommand {
    /// `cosign verify`: the signature, with the version signed along so that an older signed image is no match.
    #[must_use]
    pub fn signature(key: &str, version: &semver::Version, image: &Image, digests: &[&Digest]) -> Self {
        Self::new("verify", key, &["-a".to_owned(), format!("version={version}")], image, digests)
    }

    /// `cosign verify-attestation` for one predicate type.
    #[must_use]
    pub fn attestation(key: &str, predicate_type: &str, image: &Image, digest: &Digest) -> Self {
        Self::new(
            "verify-attestation",
            key,
            &["--type".to_owned(), predicate_type.to_owned()],
            image,
            &[digest],
        )
    }

    /// The same question about the image in a directory that `cosign save` made.
    #[must_use]
    pub fn of_layout(mut self, directory: &Path) -> Self {
        self.arguments.pop();
        self.arguments.extend(["--local-image".to_owned(), directory.display().to_string()]);
        self
    }

    /// Whether it asks for signatures, and not for an attestation.
    #[must_use]
    pub fn is_signature(&self) -> bool {
        self.arguments.first().is_some_and(|verb| verb == "verify")
    }

    fn new(verb: &str, key: &str, wanted: &[String], image: &Image, digests: &[&Digest]) -> Self {
        // The only network that is needed is the registry's: no log is asked, and the page says so.
        let fixed = [verb, "--key", key, "--insecure-ignore-tlog"].map(str::to_owned);
        let images: Vec<_> = digests.iter().map(|digest| image.pinned(digest)).collect();
        Self { arguments: [&fixed, wanted, &images].concat() }
    }
}

impl std::fmt::Display for VerifyCommand {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let arguments = self.arguments.iter().map(std::ffi::OsStr::new);
        f.write_str(&command_line::quoted(std::ffi::OsStr::new("cosign"), arguments))
    }
}

impl<'a> Cosign<'a> {
    /// `program` is `cosign`, or a path to another one.
    #[must_use]
    pub fn new(
        runner: &'a Runner,
        program: impl Into<PathBuf>,
        config: &'a DockerConfig,
        timeout: Duration,
    ) -> Self {
        Self { runner, program: program.into(), config, timeout, generation: OnceLock::new() }
    }

    /// Which flags it needs.
    ///
    /// # Errors
    /// When cosign is missing, or has neither generation's flags.
    pub fn generation(&self) -> Result<Generation> {
        if let Some(known) = self.generation.get() {
            return Ok(*known);
        }
        let help = self.call(&["sign", "--help"])?.read()?;
        let generation = Generation::from_help(&help)?;
        Ok(*self.generation.get_or_init(|| generation))
    }

    /// The digest of the binary that is run.
    ///
    /// # Errors
    /// When it is on no directory of the PATH or cannot be read.
    pub fn program_digest(&self, environment: &Environment) -> Result<Digest> {
        let path = environment.find_program(&self.program)?;
        let path =
            path.with_context(|| format!("`{}` is not on the PATH; {INSTALL}", self.program.display()))?;
        let bytes = std::fs::read(&path).with_context(|| format!("reading `{}`", path.display()))?;
        Ok(Digest::of(&bytes))
    }

    /// Makes a key pair: `<prefix>.key` (encrypted with `password`, mode 0600) and `<prefix>.pub`.
    ///
    /// # Errors
    /// When cosign fails; it never overwrites a key.
    pub fn generate_key_pair(&self, prefix: &Path, password: &Secret) -> Result<()> {
        let prefix = prefix.display().to_string();
        let arguments = ["generate-key-pair", "--output-key-prefix", &prefix];
        self.call(&arguments)?.secret_env("COSIGN_PASSWORD", password).run()
    }

    /// The public half of `key`, as PEM: proves that the key can be read and its password is right.
    ///
    /// # Errors
    /// When the key or its password is wrong.
    pub fn public_key(&self, key: &SigningKey) -> Result<String> {
        self.with_key(&["public-key", "--key", KEY], key)?.read()
    }

    /// Signs `image@digest` and the manifest of each platform in it, with the version in the signed payload: podman and
    /// skopeo check the manifest that they run. Signing again adds nothing.
    ///
    /// # Errors
    /// When cosign fails.
    pub fn sign(
        &self,
        key: &SigningKey,
        version: &semver::Version,
        image: &Image,
        digest: &Digest,
    ) -> Result<()> {
        let version = format!("version={version}");
        let mut arguments =
            vec!["sign", "--yes", "--recursive", "--key", KEY, "--tlog-upload=false", "-a", &version];
        arguments.extend(self.legacy_format()?);
        let pinned = image.pinned(digest);
        arguments.push(&pinned);
        self.with_key(&arguments, key)?.run()
    }

    /// Attests the predicate in `file`, replacing an earlier one of the same type. Never beside another `sign` or
    /// `attest` of the same image: both rewrite one tag, and one of the two is lost
    /// (docs/facts.md#one-attestation-is-lost).
    ///
    /// # Errors
    /// When cosign fails.
    pub fn attest(
        &self,
        key: &SigningKey,
        predicate_type: &str,
        file: &Path,
        image: &Image,
        digest: &Digest,
    ) -> Result<()> {
        let file = file.display().to_string();
        let mut arguments = vec!["attest", "--yes", "--key", KEY, "--tlog-upload=false", "--replace"];
        arguments.extend(["--type", predicate_type, "--predicate", &file]);
        arguments.extend(self.legacy_format()?);
        let pinned = image.pinned(digest);
        arguments.push(&pinned);
        self.with_key(&arguments, key)?.run()
    }

    /// Runs a command that the release page prints, from `dir`, and returns what cosign printed: for a signature a JSON
    /// array of payloads, for attestations one DSSE envelope a line. `Err` of the inner result is cosign's no.
    ///
    /// # Errors
    /// When cosign cannot be run or does not end in time.
    pub fn try_verify(&self, command: &VerifyCommand, dir: &Path) -> Result<Result<String, String>> {
        let output = self.call(&command.arguments)?.dir(dir).output()?;
        match output.status.code() {
            Some(0) => output.text().map(Ok),
            Some(_) => Ok(Err(output.stderr.trim().lines().next().unwrap_or_default().to_owned())),
            None => Err(output.failure()),
        }
    }

    /// Copies `image@digest` with its signatures and attestations to the new directory `dir`, as an OCI layout.
    ///
    /// # Errors
    /// When cosign fails.
    pub fn save(&self, image: &Image, digest: &Digest, dir: &Path) -> Result<()> {
        let (dir, pinned) = (dir.display().to_string(), image.pinned(digest));
        self.call(&["save", "--dir", &dir, &pinned])?.timeout(SAVE).run()
    }

    /// cosign 3 writes bundles by default, which cosign 2, podman and skopeo do not verify.
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
        let program = &self.program;
        let call = self.runner.call(cmd!(sh, "{program} {arguments...}")).install_hint(INSTALL);
        Ok(call.env("DOCKER_CONFIG", self.config.path()).timeout(self.timeout))
    }
}

/// Keys reach cosign by environment alone.
const KEY: &str = "env://COSIGN_PRIVATE_KEY";

#[cfg(test)]
mod tests {
    use super::{Generation, VerifyCommand};
    use crate::reference::Digest;

    #[test]
    fn the_commands_are_those_that_both_majors_accept() {
        let image = "forge.example.org/acme/carol".parse().unwrap();
        let digest = Digest::of(b"x");
        let version = semver::Version::new(1, 2, 3);
        let pinned = format!("forge.example.org/acme/carol@{digest}");
        assert_eq!(
            VerifyCommand::signature("cosign.pub", &version, &image, &[&digest]).to_string(),
            format!("cosign verify --key cosign.pub --insecure-ignore-tlog -a version=1.2.3 {pinned}")
        );
        assert_eq!(
            VerifyCommand::attestation("cosign.pub", "slsaprovenance1", &image, &digest).to_string(),
            format!(
                "cosign verify-attestation --key cosign.pub --insecure-ignore-tlog --type slsaprovenance1 {pinned}"
            )
        );
    }

    #[test]
    fn the_generation_is_told_by_capability() {
        for (help, expected) in [
            ("--tlog-upload=true", Some(Generation::Two)),
            ("--use-signing-config=true", Some(Generation::Three)),
            ("Usage: cosign sign", None),
        ] {
            assert_eq!(Generation::from_help(help).ok(), expected);
        }
    }
}

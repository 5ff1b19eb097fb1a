//! Which flags a cosign accepts. cosign is run with the flags themselves, because its help may not list them.

use std::sync::PoisonError;

use anyhow::{Result, bail};

use super::{Cosign, INSTALL};

/// Adds no entry to the transparency log.
pub(super) const TLOG: &str = "--tlog-upload=false";

/// Which flags this cosign needs. It is detected by capability, because distributions build cosign with the version
/// `devel`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Generation {
    /// 2.x: signs in the legacy format, with `--tlog-upload=false`.
    Two,
    /// 3.x: needs two more flags for the same format.
    Three,
}

impl Generation {
    /// Detects the generation by the accepted flags. `accepts` says whether a command accepts all of the given flags.
    fn by_flags(
        version: impl Fn() -> Result<String>,
        accepts: impl Fn(&str, &[&str]) -> Result<bool>,
    ) -> Result<Self> {
        let generations = [
            (Self::Three, &[TLOG, "--use-signing-config=false", "--new-bundle-format=false"][..]),
            (Self::Two, &[TLOG]),
        ];
        for (generation, flags) in generations {
            if !accepts("sign", flags)? {
                continue;
            }
            if !accepts("sign-blob", flags)? {
                bail!(
                    "this cosign ({}) cannot sign a statement: `cosign sign-blob` does not take `{}`; {INSTALL}",
                    version()?,
                    flags.join(" ")
                );
            }
            // docs/facts.md#legacy-format
            let version = if generation == Self::Three { version()? } else { String::new() };
            if version.starts_with("v2.") {
                bail!(
                    "this cosign ({version}) needs Sigstore's trusted root to verify an image that also has bundles; \
                     {INSTALL}"
                );
            }
            return Ok(generation);
        }
        bail!(
            "`cosign sign` of this cosign ({}) knows neither `--tlog-upload` nor `--use-signing-config`; {INSTALL}",
            version()?
        )
    }
}

impl Cosign<'_> {
    /// The generation, which decides the flags.
    ///
    /// # Errors
    /// When cosign is missing, or has neither generation's flags.
    pub fn generation(&self) -> Result<Generation> {
        // Checks in parallel call this: the second one waits for the result of the first.
        let mut known = self.generation.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = *known {
            return Ok(known);
        }
        let accepts = |command: &str, flags: &[&str]| self.accepts(command, flags);
        let generation = Generation::by_flags(|| self.version(), accepts)?;
        *known = Some(generation);
        Ok(generation)
    }

    /// The version that cosign reports, which is `devel` in builds of distributions.
    fn version(&self) -> Result<String> {
        let text = self.call(&["version"])?.read()?;
        let version = text.lines().find_map(|line| line.trim().strip_prefix("GitVersion:"));
        Ok(version.map_or("without a version", str::trim).to_owned())
    }

    /// Whether `command` accepts these flags. cosign reports an unknown flag before it evaluates `--help`.
    fn accepts(&self, command: &str, flags: &[&str]) -> Result<bool> {
        let mut arguments = vec![command];
        arguments.extend(flags);
        arguments.push("--help");
        let output = self.call(&arguments)?.output()?;
        match output.status.code() {
            Some(0) => Ok(true),
            Some(_) if output.stderr.contains("unknown flag") => Ok(false),
            _ => Err(output.failure()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Generation;

    #[test]
    fn the_generation_is_detected_by_the_accepted_flags() {
        const TWO: &[&str] = &["--tlog-upload=false"];
        const THREE: &[&str] =
            &["--tlog-upload=false", "--use-signing-config=false", "--new-bundle-format=false"];
        for (version, sign, sign_blob, expected) in [
            ("v2.5.3", TWO, TWO, Ok(Generation::Two)),
            ("v3.1.3", THREE, THREE, Ok(Generation::Three)),
            ("devel", THREE, THREE, Ok(Generation::Three)),
            ("v2.6.5", THREE, THREE, Err("this cosign (v2.6.5) needs Sigstore's trusted root")),
            (
                "v2.6.1",
                THREE,
                TWO,
                Err("this cosign (v2.6.1) cannot sign a statement: `cosign sign-blob` does not take"),
            ),
            ("v2.6.1", &[], TWO, Err("this cosign (v2.6.1) knows neither")),
        ] {
            let accepts = |command: &str, flags: &[&str]| {
                let known = if command == "sign" { sign } else { sign_blob };
                Ok(flags.iter().all(|flag| known.contains(flag)))
            };
            let found =
                Generation::by_flags(|| Ok(version.to_owned()), accepts).map_err(|error| error.to_string());
            match (expected, &found) {
                (Ok(expected), Ok(found)) => assert_eq!(*found, expected),
                (Err(words), Err(said)) => {
                    assert!(said.contains(words) && said.contains("install cosign 2.5 or 3.1"), "{said}");
                }
                _ => panic!("{sign:?}, {sign_blob:?}: {found:?}"),
            }
        }
    }
}

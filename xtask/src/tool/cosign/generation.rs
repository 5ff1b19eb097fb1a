//! Which flags a cosign takes, asked with the flags themselves: its help need not show them.

use std::sync::PoisonError;

use anyhow::{Result, bail};

use super::{Cosign, INSTALL};

/// No entry in the transparency log.
pub(super) const TLOG: &str = "--tlog-upload=false";

/// What flags this cosign has: told by capability, as distributions build it with the version `devel`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Generation {
    /// 2.x: signs in the legacy format, with `--tlog-upload=false`.
    Two,
    /// 3.x: needs two flags more for the same.
    Three,
}

impl Generation {
    /// By the flags that it takes, which its help need not show: `takes` says whether it takes all of those.
    fn by_flags(
        version: impl Fn() -> Result<String>,
        takes: impl Fn(&str, &[&str]) -> Result<bool>,
    ) -> Result<Self> {
        let generations = [
            (Self::Three, &[TLOG, "--use-signing-config=false", "--new-bundle-format=false"][..]),
            (Self::Two, &[TLOG]),
        ];
        for (generation, flags) in generations {
            if !takes("sign", flags)? {
                continue;
            }
            if !takes("sign-blob", flags)? {
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
                    "this cosign ({version}) does not verify an image that has bundles as well without Sigstore's trusted root; \
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
    /// Which flags it needs.
    ///
    /// # Errors
    /// When cosign is missing, or has neither generation's flags.
    pub fn generation(&self) -> Result<Generation> {
        // Checks side by side ask for it: the second one waits for the answer of the first.
        let mut known = self.generation.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = *known {
            return Ok(known);
        }
        let takes = |command: &str, flags: &[&str]| self.takes(command, flags);
        let generation = Generation::by_flags(|| self.version(), takes)?;
        *known = Some(generation);
        Ok(generation)
    }

    /// What it says of itself; distributions build it with the version `devel`.
    fn version(&self) -> Result<String> {
        let text = self.call(&["version"])?.read()?;
        let version = text.lines().find_map(|line| line.trim().strip_prefix("GitVersion:"));
        Ok(version.map_or("without a version", str::trim).to_owned())
    }

    /// Whether `command` takes these flags: an unknown one is an error before `--help` is looked at.
    fn takes(&self, command: &str, flags: &[&str]) -> Result<bool> {
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
    fn the_generation_is_told_by_capability() {
        const TWO: &[&str] = &["--tlog-upload=false"];
        const THREE: &[&str] =
            &["--tlog-upload=false", "--use-signing-config=false", "--new-bundle-format=false"];
        for (version, sign, sign_blob, expected) in [
            ("v2.5.3", TWO, TWO, Ok(Generation::Two)),
            ("v3.1.3", THREE, THREE, Ok(Generation::Three)),
            ("devel", THREE, THREE, Ok(Generation::Three)),
            (
                "v2.6.5",
                THREE,
                THREE,
                Err("this cosign (v2.6.5) does not verify an image that has bundles as well"),
            ),
            (
                "v2.6.1",
                THREE,
                TWO,
                Err("this cosign (v2.6.1) cannot sign a statement: `cosign sign-blob` does not take"),
            ),
            ("v2.6.1", &[], TWO, Err("this cosign (v2.6.1) knows neither")),
        ] {
            let takes = |command: &str, flags: &[&str]| {
                let known = if command == "sign" { sign } else { sign_blob };
                Ok(flags.iter().all(|flag| known.contains(flag)))
            };
            let found =
                Generation::by_flags(|| Ok(version.to_owned()), takes).map_err(|error| error.to_string());
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

//! npm: the strictness of `npm ci`, and the SBOM, both on an exported tree.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result};
use serde::Deserialize;
use xshell::cmd;

use crate::tool::Runner;

const INSTALL: &str = "install Node.js with npm 10 or newer";
const TIMEOUT: Duration = Duration::from_secs(120);

/// npm's codes for a lockfile that it does not take: one that does not fit package.json; one that lacks a package, which
/// npm would have to ask a registry for; versions that exclude each other. Every other code is trouble of this machine.
const REFUSALS: [&str; 3] = ["EUSAGE", "ENOTCACHED", "ERESOLVE"];

/// More lines of npm's words help nobody.
const MOST_LINES: usize = 40;

/// npm in one package's directory.
pub struct Npm<'a> {
    runner: &'a Runner,
    package: &'a Path,
}

impl<'a> Npm<'a> {
    /// `package` holds `package.json` and `package-lock.json`.
    #[must_use]
    pub fn new(runner: &'a Runner, package: &'a Path) -> Self {
        Self { runner, package }
    }

    /// `npm ci --dry-run`: whether the lockfile satisfies package.json. `Err` of the inner result is npm's own words.
    ///
    /// # Errors
    /// When npm cannot be run, or fails for another reason than the lockfile.
    pub fn check_lockfile(&self) -> Result<Result<(), String>> {
        let sh = self.runner.shell()?;
        let check =
            cmd!(sh, "npm ci --dry-run --offline --ignore-scripts --no-audit --no-fund --logs-max=0 --json");
        let output =
            self.runner.call(check).dir(self.package).install_hint(INSTALL).timeout(TIMEOUT).output()?;
        match output.status.code() {
            Some(0) => Ok(Ok(())),
            Some(1) => refusal(&output.stdout).map(Err).ok_or_else(|| output.failure()),
            _ => Err(output.failure()),
        }
    }

    /// The `CycloneDX` SBOM of the production dependencies, as npm writes it.
    ///
    /// # Errors
    /// When npm fails.
    pub fn sbom(&self) -> Result<String> {
        let sh = self.runner.shell()?;
        let sbom = cmd!(
            sh,
            "npm sbom --package-lock-only --omit=dev --sbom-format=cyclonedx --sbom-type=application --logs-max=0"
        );
        let call = self.runner.call(sbom).dir(self.package).install_hint(INSTALL).timeout(TIMEOUT);
        call.read().context("making the SBOM")
    }
}

/// npm's words, when the error that `--json` prints is one of [`REFUSALS`]. Its help, which follows them, is left out.
fn refusal(stdout: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct Answer {
        error: Failure,
    }
    #[derive(Deserialize)]
    struct Failure {
        code: String,
        summary: String,
        #[serde(default)]
        detail: String,
    }
    let Ok(Answer { error }) = serde_json::from_slice(stdout) else { return None };
    let paragraphs = [&error.summary, &error.detail].into_iter().flat_map(|text| text.split("\n\n").take(2));
    let lines: Vec<_> = paragraphs.flat_map(str::lines).take(MOST_LINES).collect();
    REFUSALS.contains(&&*error.code).then(|| lines.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::{MOST_LINES, refusal};
    use serde_json::json;

    #[test]
    fn npm_refuses_a_lockfile_by_code_and_everything_else_is_no_refusal() {
        let answer = |code: &str, summary: &str, detail: &str| {
            let answer = json!({"error": {"code": code, "summary": summary, "detail": detail}});
            refusal(answer.to_string().as_bytes())
        };
        let of = |code: &str, summary: &str| answer(code, summary, "");
        let summary =
            "not in sync.\n\nMissing: left-pad@1.3.0 from lock file\n\nClean install a project\n\nUsage:";
        let words = "not in sync.\nMissing: left-pad@1.3.0 from lock file";
        assert_eq!(of("EUSAGE", summary).as_deref(), Some(words));
        assert_eq!(of("ENOTCACHED", "request failed").as_deref(), Some("request failed"));
        let conflict = answer("ERESOLVE", "could not resolve", "While resolving: a@1\nFound: b@2");
        assert_eq!(conflict.as_deref(), Some("could not resolve\nWhile resolving: a@1\nFound: b@2"));
        for code in ["ENOSPC", "EACCES", "ENOENT", ""] {
            assert_eq!(of(code, words), None, "{code}");
        }
        for garbage in ["", "{}", "npm error code EUSAGE", "{\"error\": {\"code\": \"EUSAGE\"}}"] {
            assert_eq!(refusal(garbage.as_bytes()), None, "{garbage}");
        }
        let long = "one package\n".repeat(1000);
        assert_eq!(of("EUSAGE", &long).unwrap().lines().count(), MOST_LINES);
    }
}

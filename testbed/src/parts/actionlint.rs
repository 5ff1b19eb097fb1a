//! actionlint: a second reader of the workflows, which knows their grammar and the types of their expressions.

use std::path::PathBuf;

use anyhow::Result;
use xshell::cmd;

use super::{Found, Part};
use crate::context::Context;
use crate::exports::State;
use crate::provision::{self, golang};

/// Never the machine's own: another version reports other findings.
const VERSION: &str = "v1.7.12";

const PACKAGE: &str = "github.com/rhysd/actionlint/cmd/actionlint";

/// See [`Part`].
pub(crate) struct Actionlint;

impl Part for Actionlint {
    fn name(&self) -> &'static str {
        "actionlint"
    }

    fn find(&self, cx: &Context) -> Result<Option<Found>> {
        let prefix = prefix(cx);
        if !prefix.exists() {
            return Ok(None);
        }
        let program = prefix.join("bin/actionlint");
        let shell = cx.runner.shell()?;
        let said = cx.runner.call(cmd!(shell, "{program} -version")).read()?;
        let version = said.lines().next().unwrap_or_default().to_owned();
        Ok(Some(Found { version, program, prefix: Some(prefix) }))
    }

    fn obstacle(&self, cx: &Context) -> Option<String> {
        golang::obstacle(cx)
    }

    fn provision(&self, cx: &Context) -> Result<()> {
        provision::complete(cx, &prefix(cx), |partial| {
            golang::install(cx, PACKAGE, VERSION, &partial.join("bin"))
        })
    }

    fn export(&self, found: &Found, state: &mut State) {
        state.export("TESTBED_ACTIONLINT", found.program.display().to_string());
    }

    fn is_slow(&self) -> bool {
        true
    }
}

fn prefix(cx: &Context) -> PathBuf {
    provision::prefix(cx, "actionlint", &["1", VERSION])
}

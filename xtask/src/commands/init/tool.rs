//! Where an adopter's files say that this tool comes from.

use super::Options;
use crate::inputs::pin::HOME;

/// The address of the tool's documents at the version of this program.
pub(in crate::commands) fn documents() -> String {
    format!("{HOME}/src/tag/v{}/docs", env!("CARGO_PKG_VERSION"))
}

/// The arguments of `cargo install` for this version of the tool, for people who only verify.
pub(super) fn install() -> String {
    format!("--git {HOME} --tag v{} xtask", env!("CARGO_PKG_VERSION"))
}

/// The dependency line: by tag, unless the command line names a commit of a fork or of an unreleased version.
pub(super) fn dependency(options: &Options) -> String {
    let url = options.tool_url.as_ref().map_or_else(|| HOME.to_owned(), ToString::to_string);
    let choice = match &options.tool_rev {
        Some(rev) => format!("rev = \"{rev}\""),
        None => format!("tag = \"v{}\"", env!("CARGO_PKG_VERSION")),
    };
    format!("xtask = {{ git = \"{url}\", {choice} }}")
}

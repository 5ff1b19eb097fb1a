//! Where this tool is from, as an adopter's files name it.

use super::Options;
use crate::inputs::pin::HOME;

/// Its documents at the version of this program.
pub(in crate::commands) fn documents() -> String {
    format!("{HOME}/src/tag/v{}/docs", env!("CARGO_PKG_VERSION"))
}

/// The dependency line: by tag, unless the command line names a commit of a fork or of a version that is not out yet.
pub(super) fn dependency(options: &Options) -> String {
    let url = options.tool_url.as_deref().unwrap_or(HOME);
    let choice = match &options.tool_rev {
        Some(rev) => format!("rev = \"{rev}\""),
        None => format!("tag = \"v{}\"", env!("CARGO_PKG_VERSION")),
    };
    format!("xtask = {{ git = \"{url}\", {choice} }}")
}

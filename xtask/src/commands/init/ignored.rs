//! What git ignores.

use std::path::Path;

use anyhow::Result;

use super::existing;
use crate::process::file::replace;
use crate::process::stderr;

/// Makes git ignore what cargo builds, which nobody wants to commit.
pub(super) fn add_target(root: &Path) -> Result<()> {
    const FILE: &str = ".gitignore";
    let found = existing(root, FILE)?.unwrap_or_default();
    if let Some(text) = ignoring_target(&found) {
        replace(&root.join(FILE), text.as_bytes())?;
        stderr::line(format_args!("added    `/target/` to {FILE}"));
    }
    Ok(())
}

/// The `.gitignore` that was `found`, with a line for cargo's directory added; `None` if it has one already.
fn ignoring_target(found: &str) -> Option<String> {
    let is_it = |line: &str| matches!(line.trim(), "target" | "target/" | "/target" | "/target/");
    let end = if found.is_empty() || found.ends_with('\n') { "" } else { "\n" };
    (!found.lines().any(is_it)).then(|| format!("{found}{end}/target/\n"))
}

#[cfg(test)]
mod tests {
    use super::ignoring_target;

    #[test]
    fn cargos_directory_is_ignored_once() {
        for (found, expected) in [
            ("", Some("/target/\n")),
            ("node_modules\n", Some("node_modules\n/target/\n")),
            ("node_modules", Some("node_modules\n/target/\n")),
            ("# no target\n!target\n", Some("# no target\n!target\n/target/\n")),
            ("target/\n", None),
            ("x\n /target \n", None),
        ] {
            assert_eq!(ignoring_target(found).as_deref(), expected, "{found:?}");
        }
    }
}

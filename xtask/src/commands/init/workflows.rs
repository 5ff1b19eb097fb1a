//! The workflows that a repository has before it has this tool's.

use crate::commands::check::workflows::{DIRECTORIES, folder_in_use, is_below};

/// Those of the `tracked` files that are workflows which run now, and no longer once the first folder exists.
pub(super) fn unread(tracked: &[String]) -> Vec<String> {
    let is_workflow = |path: &&String| [".yml", ".yaml"].iter().any(|ending| path.ends_with(ending));
    let workflows = || tracked.iter().filter(is_workflow);
    match folder_in_use(workflows().map(String::as_str)) {
        Some(used) if used != DIRECTORIES[0] => {
            workflows().filter(|path| is_below(path, used)).cloned().collect()
        }
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::unread;

    #[test]
    fn only_workflows_that_run_now_are_named() {
        for (tracked, expected) in [
            (
                &[".github/workflows/a.yml", ".github/CODEOWNERS", "a.yml"][..],
                &[".github/workflows/a.yml"][..],
            ),
            (&[".gitea/workflows/b.yaml", ".github/workflows/a.yml"], &[".gitea/workflows/b.yaml"]),
            (&[".forgejo/workflows/ci.yml", ".github/workflows/a.yml"], &[]),
            (&["index.js"], &[]),
        ] {
            let tracked: Vec<_> = tracked.iter().map(ToString::to_string).collect();
            assert_eq!(unread(&tracked), expected, "{tracked:?}");
        }
    }
}

//! The workflows that a repository has before it has this tool's.

/// Where forges look for workflows besides `.forgejo/workflows`.
const OTHERS: [&str; 2] = [".gitea/workflows/", ".github/workflows/"];

/// Those of the `tracked` files that are workflows which run now, and no longer once `.forgejo/workflows` exists: a forge
/// reads only the first folder that it finds (docs/facts.md).
pub(super) fn unread(tracked: &[String]) -> Vec<String> {
    let below = |folder: &str| -> Vec<String> {
        let is_workflow = |path: &&String| {
            path.strip_prefix(folder).is_some_and(|name| {
                !name.contains('/') && [".yml", ".yaml"].iter().any(|ending| name.ends_with(ending))
            })
        };
        tracked.iter().filter(is_workflow).cloned().collect()
    };
    if !below(".forgejo/workflows/").is_empty() {
        return Vec::new();
    }
    OTHERS.into_iter().map(below).find(|found| !found.is_empty()).unwrap_or_default()
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

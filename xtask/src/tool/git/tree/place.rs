//! Where the entries of a tree are written. git pushes, clones and lists a tree even if `git fsck` complains about
//! it, so only these rules keep an export within its directory.

use std::collections::BTreeMap;
use std::path::{Component, Path};

use anyhow::Result;

use crate::refuse;

/// Refuses two entries of which one would be written over the other, or through it: a file below a link is written to
/// wherever the link leads.
pub(super) fn check_apart<'a>(paths: impl Iterator<Item = &'a str> + Clone) -> Result<()> {
    let mut spelled = BTreeMap::new();
    for path in paths.clone() {
        if let Some(other) = spelled.insert(path.to_lowercase(), path) {
            refuse!(
                "the commit has `{other}` and `{path}`, which are the same file where names ignore case; rename one of them"
            );
        }
    }
    for path in paths {
        let lower = path.to_lowercase();
        let above = lower.match_indices('/').find_map(|(end, _)| spelled.get(&lower[..end]));
        if let Some(other) = above {
            refuse!(
                "the commit has `{}` as a file or a link, and `{}` below it, perhaps in another spelling; rename one of them",
                other.escape_debug(),
                path.escape_debug()
            );
        }
    }
    Ok(())
}

/// Why the link at `path` may not lead to `target`; `None` if it stays within the tree.
///
/// Counting `..` is exact only before the first name, because the name may itself be a link, and `..` then goes up
/// from the link's target. The directories above `path` are real directories ([`check_apart`]).
pub(super) fn leads_astray(path: &str, target: &str) -> Option<&'static str> {
    const OUTSIDE: &str = "which is outside of the repository; replace the link by the file, or remove it";
    let mut depth = path.split('/').count() - 1;
    let mut has_name = false;
    for part in Path::new(target).components() {
        match part {
            Component::Normal(_) => has_name = true,
            Component::CurDir => {}
            Component::ParentDir if has_name => {
                return Some(
                    "which goes up again after a name; write the shortest path, with `..` only at its beginning",
                );
            }
            Component::ParentDir if depth > 0 => depth -= 1,
            Component::ParentDir | Component::RootDir | Component::Prefix(_) => return Some(OUTSIDE),
        }
    }
    target.is_empty().then_some(OUTSIDE)
}

#[cfg(test)]
mod tests {
    use super::{check_apart, leads_astray};

    #[test]
    fn no_entry_is_written_over_another_or_through_it() {
        for paths in [&["a", "b/c", "b/d"][..], &["a", "a.js", "ab/c"], &["x/a", "y/x/b"], &[]] {
            assert!(check_apart(paths.iter().copied()).is_ok(), "{paths:?}");
        }
        for (paths, refused) in [
            (&["README", "readme"][..], "`README` and `readme`"),
            (&["x", "x"], "`x` and `x`"),
            (&["x", "x/.config/evil"], "`x` as a file or a link, and `x/.config/evil` below it"),
            (&["x/a/b/c", "x/a"], "`x/a` as a file or a link"),
            (&["X", "x/y"], "`X` as a file or a link, and `x/y` below it"),
            (&["É/l", "z", "é/L/y"], "`É/l` as a file or a link, and `é/L/y` below it"),
        ] {
            let error = check_apart(paths.iter().copied()).unwrap_err();
            assert_eq!(crate::process::failure::exit_code(&error), 3, "{error:#}");
            assert!(error.to_string().contains(refused), "{error:#}");
        }
    }

    #[test]
    fn a_link_that_may_lead_out_of_the_tree_is_refused() {
        for (path, target) in
            [("a", "b"), ("a/b", "../c"), ("a/b/c", "../../x/y"), ("a", "."), ("a/b", "./../c/./d")]
        {
            assert_eq!(leads_astray(path, target), None, "{path} -> {target}");
        }
        for (path, target, why) in [
            ("a", "/etc", "outside"),
            ("a", "../x", "outside"),
            ("a/b", "../../x", "outside"),
            ("a", "", "outside"),
            ("a", "./b/../c", "goes up again"),
            ("a", "b/../../c", "goes up again"),
            ("x", "l/l/l/l/../../../../home/u", "goes up again"),
            ("a/b", "../l/..", "goes up again"),
        ] {
            let found = leads_astray(path, target);
            assert!(found.is_some_and(|found| found.contains(why)), "{path} -> {target}: {found:?}");
        }
    }
}

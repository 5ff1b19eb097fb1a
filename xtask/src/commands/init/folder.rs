//! The folder of the service's package.

use std::collections::BTreeSet;

use crate::inputs::{PACKAGE_LOCK, SHRINKWRAP};

/// What the paths in `folder` begin with: nothing for the top, or if no folder was found.
pub(super) fn prefix(folder: &str) -> String {
    if matches!(folder, "" | ".") { String::new() } else { format!("{folder}/") }
}

/// The `named` folder, else the only one with a package.json and a lockfile beside it. `linked`: the folders to which
/// the lockfile at the top links.
///
/// # Errors
/// A message that says what to do.
pub(super) fn of(
    tracked: &[String],
    named: Option<&str>,
    linked: &BTreeSet<String>,
) -> Result<String, String> {
    let folders: Vec<_> = tracked
        .iter()
        .filter_map(|path| path.strip_suffix(PACKAGE_LOCK))
        .map(|folder| if folder.is_empty() { "." } else { folder.trim_end_matches('/') })
        .collect();
    let shrinkwrap = |prefix: &str| tracked.iter().find(|path| **path == format!("{prefix}{SHRINKWRAP}"));
    let renamed = |prefix: &str| {
        format!(
            "the service's folder: its lockfile is `{prefix}{SHRINKWRAP}`, which npm takes for a published package's; rename it with \
             `git mv {prefix}{SHRINKWRAP} {prefix}{PACKAGE_LOCK}`"
        )
    };
    let words = match (named.map(|named| named.trim_end_matches('/')), &folders[..]) {
        (Some(named), all) if all.contains(&named) => return Ok(named.to_owned()),
        (None, [only]) => return Ok((*only).to_owned()),
        (None, all) if all.contains(&".") => return Ok(".".to_owned()),
        (Some(named), _) if linked.contains(named) => format!(
            "the service's folder: `{named}` is a workspace of `.`, whose lockfile is the one that counts; leave out `--service`, and \
             set `scripts.start` in the `package.json` at the top to a command such as `node {named}/server.js`"
        ),
        (Some(named), _) if shrinkwrap(&prefix(named)).is_some() => renamed(&prefix(named)),
        (Some(named), _) => format!(
            "the service's folder: `{named}` has no `{PACKAGE_LOCK}` that is tracked; make one with `npm install --package-lock-only` and `git add` it"
        ),
        (None, []) if shrinkwrap("").is_some() => renamed(""),
        (None, []) => format!(
            "the service's folder: there is no `{PACKAGE_LOCK}` that is tracked; make one with `npm install --package-lock-only` and `git add` it"
        ),
        (None, several) => {
            format!(
                "the service's folder: there are several packages; name it, such as `--service {}`",
                several[0]
            )
        }
    };
    Err(words)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::of;

    #[test]
    fn the_folder_is_the_named_one_or_the_only_one_with_a_lockfile() {
        let tracked = |paths: &[&str]| paths.iter().map(|path| (*path).to_owned()).collect::<Vec<_>>();
        let none = BTreeSet::new();
        assert_eq!(of(&tracked(&["package-lock.json", "a.js"]), None, &none).unwrap(), ".");
        assert_eq!(of(&tracked(&["web/package-lock.json"]), None, &none).unwrap(), "web");
        let two = tracked(&["api/package-lock.json", "web/package-lock.json"]);
        assert_eq!(of(&two, Some("web/"), &none).unwrap(), "web");
        assert!(of(&two, None, &none).unwrap_err().contains("--service api"));
        assert!(of(&two, Some("x"), &none).is_err() && of(&[], None, &none).is_err());
    }

    #[test]
    fn a_folder_without_a_lockfile_is_refused_with_a_remedy() {
        let tracked =
            ["package-lock.json", "apps/api/package.json", "old/npm-shrinkwrap.json"].map(str::to_owned);
        let linked = BTreeSet::from(["apps/api".to_owned()]);
        for (named, expected) in [
            (
                "apps/api",
                "leave out `--service`, and set `scripts.start` in the `package.json` at the top to a command such as `node apps/api/",
            ),
            ("old", "`git mv old/npm-shrinkwrap.json old/package-lock.json`"),
            ("new", "`npm install --package-lock-only`"),
        ] {
            let words = of(&tracked, Some(named), &linked).unwrap_err();
            assert!(words.contains(expected), "{words}");
        }
        let words = of(&["npm-shrinkwrap.json".to_owned()], None, &linked).unwrap_err();
        assert!(words.contains("`git mv npm-shrinkwrap.json package-lock.json`"), "{words}");
    }
}

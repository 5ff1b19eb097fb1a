//! Checks that the work tree has what the Dockerfile copies. A build would fail at a file that is missing; a folder
//! that was moved is the usual reason.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};

use crate::inputs::config::Config;
use crate::inputs::dockerfile::copied::{Copied, copied};
use crate::inputs::dockerfile::ignored::Ignored;
use crate::inputs::finding::{Finding, Rule};
use crate::inputs::{DOCKERFILE, PACKAGE_JSON, in_work_tree};
use crate::process::file::if_any;
use crate::process::shown::named;

/// The builder uses the first of these that exists.
const IGNORE_FILES: [&str; 2] = ["Dockerfile.dockerignore", ".dockerignore"];

/// A finding for each file that the Dockerfile copies and the builder does not get. A Dockerfile that cannot be read is
/// reported by the other checks.
pub(super) fn findings(root: &Path, config: &Config) -> Vec<Finding> {
    let Ok(Some(recipe)) = in_work_tree(root, DOCKERFILE) else { return Vec::new() };
    let (file, ignored) = match ignored(root) {
        Ok(found) => found,
        Err((file, error)) => {
            return vec![Finding::error(Rule::InputsUnreadable, file, format!("{error:#}"))];
        }
    };
    let mut findings = Vec::new();
    for Copied { line, instruction, paths } in copied(&String::from_utf8_lossy(&recipe)) {
        let mut found = |text: String| {
            let text = format!("`{instruction}`: {text}");
            findings.push(Finding::error(Rule::DockerfileCopySource, DOCKERFILE, text).at(line));
        };
        let (mut missing, mut left_out) = (Vec::new(), Vec::new());
        for path in paths {
            match place(root, &path) {
                Place::Missing => missing.push(path),
                Place::There { is_folder } => {
                    let is_out = ignored.as_ref().is_some_and(|ignored| ignored.leaves_out(&path, is_folder));
                    left_out.extend(is_out.then_some(path));
                }
                Place::UnknownOrigin => {}
            }
        }
        if !missing.is_empty() {
            let there = if root.join(config.service.join(PACKAGE_JSON)).is_file() {
                format!("; the service is {}", config.service.in_words())
            } else {
                String::new()
            };
            found(format!(
                "not in the repository: {}; write the path that each has now{there}",
                named(missing)
            ));
        }
        if !left_out.is_empty() {
            let lines: Vec<_> = left_out.iter().map(|path| format!("!{path}")).collect();
            found(format!(
                "`{file}` leaves out {}; add at its end, each on a line of its own: {}",
                named(left_out),
                named(lines)
            ));
        }
    }
    findings
}

/// The file that leaves paths out of the context, and its patterns if this program understands all of them.
fn ignored(root: &Path) -> Result<(&'static str, Option<Ignored>), (&'static str, anyhow::Error)> {
    for file in IGNORE_FILES {
        let read = || -> Result<Option<String>> {
            let Some(bytes) = in_work_tree(root, file)? else { return Ok(None) };
            String::from_utf8(bytes).map(Some).with_context(|| format!("reading `{file}`"))
        };
        if let Some(text) = read().map_err(|error| (file, error))? {
            return Ok((file, Ignored::read(&text)));
        }
    }
    Ok((IGNORE_FILES[1], None))
}

/// What is at a path of the work tree.
enum Place {
    Missing,
    There {
        is_folder: bool,
    },
    /// The path leads through a symbolic link, which the builder may follow to something other than this program does.
    UnknownOrigin,
}

fn place(root: &Path, path: &str) -> Place {
    let mut place = root.to_owned();
    let mut is_folder = true;
    for part in path.split('/') {
        place.push(part);
        match if_any(fs::symlink_metadata(&place)) {
            Ok(Some(found)) if found.is_symlink() => return Place::UnknownOrigin,
            Ok(Some(found)) => is_folder = found.is_dir(),
            Ok(None) => return Place::Missing,
            Err(_) if !is_folder => return Place::Missing,
            Err(_) => return Place::UnknownOrigin,
        }
    }
    Place::There { is_folder }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::findings;
    use crate::inputs::config::tests::example;
    use crate::process::temp_dir::TempDir;

    #[test]
    fn a_copied_file_that_is_missing_or_ignored_is_reported_with_its_line() {
        let scratch = TempDir::new().unwrap();
        let write = |path: &str, text: &str| fs::write(scratch.path().join(path), text).unwrap();
        fs::create_dir_all(scratch.path().join("api/src")).unwrap();
        symlink("api", scratch.path().join("link")).unwrap();
        write("api/package.json", "{}");
        let mut config = example();
        config.service = "api".to_owned().try_into().unwrap();
        for (copy, ignored, expected) in [
            ("COPY api/package.json ./", None, None),
            ("COPY api/src ./src", None, None),
            ("COPY --from=build /out/ /", None, None),
            ("COPY link/what ./", None, None),
            (
                "COPY service/package.json api/package.json service/src ./",
                None,
                Some("not in the repository: `service/package.json`, `service/src`; write the path"),
            ),
            ("COPY service/src ./", None, Some("has now; the service is in `api/`")),
            ("COPY api/package.json/x ./", None, Some("not in the repository: `api/package.json/x`;")),
            ("COPY api/package.json ./", Some("*\n!api\n"), None),
            (
                "COPY api/package.json ./",
                Some("*\n!service/package.json\n"),
                Some("`.dockerignore` leaves out `api/package.json`; add"),
            ),
            ("COPY api/src ./", Some("*\n!service/src\n"), Some("each on a line of its own: `!api/src`")),
            ("COPY api/src ./", Some("*\n!api/src/server.js\n"), None),
            ("COPY api/src ./", Some("[*\n"), None),
        ] {
            write("Dockerfile", &format!("FROM x\n{copy}\n"));
            match ignored {
                Some(text) => write(".dockerignore", text),
                None => drop(fs::remove_file(scratch.path().join(".dockerignore"))),
            }
            let found = findings(scratch.path(), &config);
            assert!(found.iter().all(|finding| finding.line == Some(2) && finding.is_error()), "{found:?}");
            match expected {
                None => assert!(found.is_empty(), "{copy} {ignored:?}: {found:?}"),
                Some(words) => {
                    assert!(found.len() == 1 && found[0].text.contains(words), "{copy}: {found:?}");
                }
            }
        }
        // A service that is not there is reported by the other checks.
        config.service = "elsewhere".to_owned().try_into().unwrap();
        write("Dockerfile", "FROM x\nCOPY service/src ./\n");
        assert!(findings(scratch.path(), &config)[0].text.ends_with("write the path that each has now"));
        write("Dockerfile", "FROM x\nCOPY api/src ./\n");
        // The builder looks for this one first.
        write("Dockerfile.dockerignore", "api\n");
        assert!(findings(scratch.path(), &config)[0].text.contains("`Dockerfile.dockerignore` leaves out"));
        fs::remove_file(scratch.path().join("Dockerfile.dockerignore")).unwrap();
        fs::create_dir(scratch.path().join("Dockerfile.dockerignore")).unwrap();
        let unread = &findings(scratch.path(), &config)[0];
        assert!(unread.text.contains("reading `Dockerfile.dockerignore`: it is not a file"), "{unread:?}");
    }
}

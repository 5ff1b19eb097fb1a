//! The folders and archives of the repository that the lockfile names. They must be copied: if `npm ci` does not find
//! the `package.json` of a folder, it installs nothing of that folder and does not fail.

use super::shipped::{Shipped, is_plain};
use super::survey::Survey;
use crate::inputs::lockfile;

/// Paths from the package's folder.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Local {
    /// The folders to which `npm ci` links.
    folders: Vec<String>,
    /// The archives that it installs.
    archives: Vec<String>,
    /// What is outside of the package's folder, or has a name that would need quotes in a shell.
    pub(super) by_hand: Vec<String>,
}

impl Local {
    pub(super) fn of(found: lockfile::Local) -> Self {
        let is_ours = |path: &String| !path.starts_with("..") && path.split('/').all(is_plain);
        let (folders, others): (_, Vec<_>) = found.folders.into_iter().partition(is_ours);
        let (archives, more): (_, Vec<_>) = found.archives.into_iter().partition(is_ours);
        Self { folders, archives, by_hand: [others, more].concat() }
    }

    /// Whether a folder is below `top`, a name at the top of the package's folder.
    pub(super) fn is_below(&self, top: &str) -> bool {
        self.folders.iter().any(|folder| self::top(folder) == top)
    }

    /// The directories at the top that contain the folders: the image needs them, whatever they are called.
    pub(super) fn tops(&self) -> impl Iterator<Item = &str> {
        self.folders.iter().map(|folder| top(folder))
    }

    /// The files that `npm ci` reads.
    fn files(&self) -> impl Iterator<Item = String> {
        self.folders
            .iter()
            .map(|folder| format!("{folder}/package.json"))
            .chain(self.archives.iter().cloned())
    }

    /// The lines that copy what `npm ci` reads to the same places.
    pub(super) fn copies(&self, survey: &Survey) -> String {
        let prefix = survey.prefix();
        let copy = |file: String| {
            let directory =
                file.rsplit_once('/').map_or(String::new(), |(directory, _)| format!("{directory}/"));
            format!("COPY {prefix}{file} ./{directory}\n")
        };
        self.files().map(copy).collect()
    }

    /// The same files, each with a space before it, to remove them again: the stage `service` copies the folders.
    pub(super) fn removed(&self) -> String {
        self.files().map(|file| format!(" {file}")).collect()
    }

    /// The command that removes what `npm ci` put into the folders for the build step.
    pub(super) const fn cleaned(&self) -> &'static str {
        if self.folders.is_empty() {
            ""
        } else {
            "find /out/app -name node_modules -prune -exec rm -rf {} + && \\\n    "
        }
    }

    /// What the build context needs in addition to what the image gets.
    pub(super) fn ignored(&self, shipped: &Shipped) -> impl Iterator<Item = &str> {
        let is_in = |path: &&String| shipped.all().any(|name| name == top(path));
        self.archives.iter().filter(move |path| !is_in(path)).map(String::as_str)
    }
}

fn top(path: &str) -> &str {
    path.split('/').next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::Local;
    use crate::commands::init::shipped::Shipped;
    use crate::commands::init::survey::Survey;
    use crate::commands::init::survey::tests::example;
    use crate::commands::init::{dockerfile, files, notes};
    use crate::inputs::{self, lockfile};

    fn survey(builds: bool) -> Survey {
        let set = |paths: &[&str]| paths.iter().map(|path| (*path).to_owned()).collect();
        let local = Local::of(lockfile::Local {
            folders: set(&["../shared", "apps/api", "docs/site", "packages/a b"]),
            archives: set(&["vendor/ms-2.1.3.tgz", "doc/x.tgz"]),
        });
        let mut shipped =
            Shipped::of(&["apps/api/x.js", "docs/site/x.js", "vendor/ms-2.1.3.tgz", "doc/x.tgz"]);
        shipped.take(local.tops());
        let base = format!("node:22-slim@sha256:{}", "a".repeat(64));
        Survey { builds, local, shipped, folder: "web".to_owned(), ..example(base) }
    }

    #[test]
    fn each_npm_ci_gets_what_the_lockfile_names_and_the_image_gets_the_folders() {
        let before = "COPY web/apps/api/package.json ./apps/api/\nCOPY web/docs/site/package.json ./docs/site/\n\
                      COPY web/doc/x.tgz ./doc/\nCOPY web/vendor/ms-2.1.3.tgz ./vendor/\nRUN";
        for (builds, times, folders) in [
            (false, 1, "COPY web/apps ./apps\nCOPY web/vendor ./vendor\nCOPY web/docs ./docs\n"),
            (true, 2, "find /out/app -name node_modules -prune -exec rm -rf {} +"),
        ] {
            let survey = survey(builds);
            let text = dockerfile::text(&survey);
            assert_eq!(text.matches(before).count(), times, "{text}");
            assert!(text.contains(folders) && !text.contains("shared") && !text.contains("a b"), "{text}");
            assert!(text.contains("rm -f package.json package-lock.json apps/api/package.json docs/site/package.json doc/x.tgz vendor/"), "{text}");
            let recipe = inputs::dockerfile::read(&text, &[]).unwrap();
            assert!(recipe.findings.is_empty(), "{:?}", recipe.findings);
            let ignored = files::dockerignore(&survey);
            for line in ["!web/apps\n", "!web/docs\n", "!web/vendor\n", "!web/doc/x.tgz\n"] {
                assert!(ignored.contains(line), "expected `{line}` in:\n{ignored}");
            }
            let notes = notes::of(&survey).join("\n");
            assert!(
                notes.contains("`../shared`, `packages/a b`") && notes.contains("services.md#"),
                "{notes}"
            );
        }
    }

    #[test]
    fn a_variable_in_npmrc_is_noted() {
        let survey = |has_variable| Survey { npmrc_has_variable: has_variable, ..survey(false) };
        let noted = |has_variable| notes::of(&survey(has_variable)).join("\n").contains("#private-packages");
        assert_eq!([true, false].map(noted), [true, false]);
    }
}

//! The Dockerfile that a repository has before it has this tool's.

use std::path::Path;

use anyhow::Result;

use super::package::read;
use crate::inputs::DOCKERFILE;
use crate::inputs::dockerfile::existing::{self, Existing};

/// Words in a path that say that an image is not the one that is released.
const NOT_RELEASED: [&str; 9] =
    ["devcontainer", "dev", "development", "test", "tests", "e2e", "ci", "example", "examples"];

/// An existing Dockerfile.
pub(super) struct Recipe {
    /// From the top of the repository.
    pub(super) path: String,
    /// What the paths in its build context begin with: a folder with a trailing slash, or nothing for the top.
    pub(super) context: String,
    pub(super) recipe: Existing,
}

/// The Dockerfile at the top, else that of the package's folder, which `prefix` names; else the only other one of the
/// `tracked` files, as in a repository of workspaces, which builds from its top. The second value names those that
/// were not read although nothing else was.
pub(super) fn existing(
    root: &Path,
    prefix: &str,
    tracked: &[String],
) -> Result<(Option<Recipe>, Vec<String>)> {
    for context in ["", prefix] {
        let path = format!("{context}{DOCKERFILE}");
        if root.join(&path).is_file() {
            return Ok((
                Some(Recipe { recipe: parse(root, &path)?, path, context: context.to_owned() }),
                Vec::new(),
            ));
        }
    }
    let others: Vec<_> = tracked.iter().filter(|path| may_be_released(path)).cloned().collect();
    Ok(match others.as_slice() {
        [path] => {
            let found = Recipe { recipe: parse(root, path)?, path: path.clone(), context: String::new() };
            (Some(found), Vec::new())
        }
        _ => (None, others),
    })
}

fn parse(root: &Path, path: &str) -> Result<Existing> {
    Ok(existing::read(&String::from_utf8_lossy(&read(&root.join(path))?)))
}

/// Whether the file is a Dockerfile by its name, and not one for development or tests.
fn may_be_released(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or_default().to_ascii_lowercase();
    let is_recipe = matches!(name.as_str(), "dockerfile" | "containerfile")
        || name.starts_with("dockerfile.")
        || name.ends_with(".dockerfile");
    let lower = path.to_ascii_lowercase();
    let mut words = lower.split(['/', '.', '-', '_']);
    is_recipe && !name.ends_with(".dockerignore") && !words.any(|word| NOT_RELEASED.contains(&word))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::{existing, may_be_released};
    use crate::process::temp_dir::TempDir;

    #[test]
    fn a_dockerfile_is_recognized_by_its_name_and_place() {
        for path in
            ["apps/api/Dockerfile", "docker/Dockerfile", "Dockerfile.prod", "api.Dockerfile", "Containerfile"]
        {
            assert!(may_be_released(path), "{path}");
        }
        for path in [
            ".devcontainer/Dockerfile",
            "Dockerfile.dev",
            "test/Dockerfile",
            "Dockerfile.dockerignore",
            "docs/dockerfile.md/x",
            "src/dockerfile-parser.js",
        ] {
            assert!(!may_be_released(path), "{path}");
        }
    }

    #[test]
    fn the_only_dockerfile_is_read_wherever_it_is_and_of_several_none() {
        let scratch = TempDir::new().unwrap();
        let found = |tracked: &[&str]| {
            for path in tracked {
                let file = scratch.path().join(path);
                fs::create_dir_all(file.parent().unwrap()).unwrap();
                fs::write(file, "FROM node:22\nEXPOSE 8080\n").unwrap();
            }
            let tracked: Vec<_> = tracked.iter().map(ToString::to_string).collect();
            let (found, others) = existing(scratch.path(), "api/", &tracked).unwrap();
            (found.map(|found| (found.path, found.context, found.recipe.port.unwrap().value)), others)
        };
        let read = |path: &str, context: &str| Some((path.to_owned(), context.to_owned(), 8080));
        assert_eq!(found(&["apps/web/Dockerfile"]), (read("apps/web/Dockerfile", ""), vec![]));
        let several = ["apps/web/Dockerfile", "docker/Dockerfile"];
        assert_eq!(found(&several), (None, several.map(str::to_owned).to_vec()));
        assert_eq!(found(&["api/Dockerfile", "docker/Dockerfile"]), (read("api/Dockerfile", "api/"), vec![]));
        assert_eq!(found(&["Dockerfile", "api/Dockerfile"]), (read("Dockerfile", ""), vec![]));
    }
}

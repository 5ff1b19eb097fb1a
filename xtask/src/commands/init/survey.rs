//! What a repository says about its service before it has this tool: its package.json, its Dockerfile if it has one,
//! its remote.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use serde::Deserialize;

use super::{Options, home};
use crate::inputs::config::{self, Config};
use crate::inputs::dockerfile::existing::{self, Existing};
use crate::inputs::{DOCKERFILE, PACKAGE_JSON, PACKAGE_LOCK};
use crate::process::failure::Misuse;
use crate::tool::git::Git;

/// A package.json is a few kilobytes.
const LARGEST: u64 = 1 << 20;

/// Names at the top of a package that no image needs.
const NOT_SHIPPED: [&str; 17] = [
    "test",
    "tests",
    "__tests__",
    "spec",
    "docs",
    "doc",
    "example",
    "examples",
    "xtask",
    "target",
    "policies",
    "coverage",
    "node_modules",
    "package.json",
    "package-lock.json",
    "cosign.pub",
    "renovate.json",
];

/// The part of package.json that is read here.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Package {
    #[serde(default)]
    pub(super) name: String,
    #[serde(default)]
    pub(super) description: String,
    #[serde(default)]
    pub(super) license: String,
    #[serde(default)]
    main: String,
    #[serde(default)]
    scripts: Scripts,
}

#[derive(Debug, Default, Deserialize)]
struct Scripts {
    start: Option<String>,
    build: Option<String>,
}

/// Everything that goes into the files.
pub(super) struct Survey {
    /// The top of the repository.
    pub(super) root: PathBuf,
    /// The folder of the package, `.` for the top.
    pub(super) folder: String,
    pub(super) package: Package,
    /// The forge's address; `repository` is `owner/name` there.
    pub(super) forge: String,
    pub(super) repository: String,
    pub(super) branch: String,
    /// The program and its arguments. The script's path is relative to the package's folder.
    pub(super) command: Vec<String>,
    pub(super) port: u16,
    pub(super) health: String,
    /// The image reference after `FROM`, with its digest.
    pub(super) base: String,
    /// The directories, then the files, that the image takes from the package's folder.
    pub(super) directories: Vec<String>,
    pub(super) files: Vec<String>,
    /// Files such as `tsconfig.json` that the build step reads.
    pub(super) build_files: Vec<String>,
    pub(super) has_npmrc: bool,
    /// Whether there is a build step.
    pub(super) builds: bool,
    /// The existing Dockerfile, if any.
    pub(super) dockerfile: Option<Existing>,
}

impl Survey {
    /// Reads the repository of `git`. `known` is its existing configuration, if any.
    ///
    /// # Errors
    /// [`Misuse`] that names the flag for a value that cannot be found.
    pub(super) fn of(git: &Git, options: &Options, known: Option<&Config>) -> Result<Self> {
        let root = git.root().to_owned();
        let tracked = git.tracked()?;
        let service = options.service.clone().or(known.map(|config| config.service.to_string()));
        let folder = folder(&tracked, service.as_deref())?;
        let prefix = if folder == "." { String::new() } else { format!("{folder}/") };
        let package: Package = serde_json::from_slice(&read(&root.join(&prefix).join(PACKAGE_JSON))?)
            .with_context(|| format!("reading `{prefix}{PACKAGE_JSON}`"))?;
        let dockerfile = match root.join(DOCKERFILE) {
            path if path.is_file() => Some(existing::read(&String::from_utf8_lossy(&read(&path)?))),
            _ => None,
        };
        let (forge, repository) = home::of(git, options, known)?;
        let old = dockerfile.as_ref();
        let inside: Vec<_> = tracked.iter().filter_map(|path| path.strip_prefix(&prefix)).collect();
        let (directories, files) = shipped(&inside);
        let builds = package.scripts.build.is_some();
        let is_build_file = |name: &&&str| !name.contains('/') && name.starts_with("tsconfig");
        let port = old.and_then(|old| old.port.as_ref()).map(|port| port.value);
        let http = known.and_then(|config| config.smoke.http());
        let port = options.port.or(http.as_ref().map(|http| http.port)).or(port);
        let health = options.health.clone().or(http.map(|http| http.health.to_owned()));
        let branch = known.and_then(|config| config.branches.first().cloned());
        Ok(Self {
            command: command(&package, old)?,
            port: port.ok_or_else(|| missing("port", "--port 3000"))?,
            health: health.unwrap_or_else(|| "/".to_owned()),
            base: super::base::pinned(options, old)?,
            build_files: inside.iter().filter(is_build_file).map(|name| (*name).to_owned()).collect(),
            has_npmrc: inside.contains(&".npmrc"),
            branch: branch.or(git.branch()?).unwrap_or_else(|| "main".to_owned()),
            root,
            folder,
            package,
            forge,
            repository,
            directories,
            files,
            builds,
            dockerfile,
        })
    }

    /// The package's folder with a trailing slash, or nothing for the top.
    pub(super) fn prefix(&self) -> String {
        if self.folder == "." { String::new() } else { format!("{}/", self.folder) }
    }

    /// The title of the release.
    pub(super) fn title(&self) -> &str {
        let name = self.package.name.rsplit('/').next().unwrap_or_default();
        let repository = self.repository.rsplit('/').next().unwrap_or_default();
        if name.is_empty() { repository } else { name }
    }
}

pub(super) fn missing(what: &str, example: &str) -> anyhow::Error {
    Misuse::new(format!("nothing in the repository says the {what}; name it, such as `{example}`")).into()
}

fn read(path: &Path) -> Result<Vec<u8>> {
    let reading = || format!("reading `{}`", path.display());
    let size = fs::metadata(path).with_context(reading)?.len();
    if size > LARGEST {
        bail!("{}: it has {size} bytes, and {LARGEST} are expected at most", reading());
    }
    fs::read(path).with_context(reading)
}

/// The `named` folder, else the only one with a package.json and a lockfile beside it.
fn folder(tracked: &[String], named: Option<&str>) -> Result<String> {
    let folders: Vec<_> = tracked
        .iter()
        .filter_map(|path| path.strip_suffix(PACKAGE_LOCK))
        .map(|folder| if folder.is_empty() { "." } else { folder.trim_end_matches('/') })
        .collect();
    let words = match (named.map(|named| named.trim_end_matches('/')), &folders[..]) {
        (Some(named), all) if all.contains(&named) => return Ok(named.to_owned()),
        (None, [only]) => return Ok((*only).to_owned()),
        (None, all) if all.contains(&".") => return Ok(".".to_owned()),
        (Some(named), _) => format!(
            "`{named}` has no `{PACKAGE_LOCK}` that is tracked; make one with `npm install --package-lock-only` and `git add` it"
        ),
        (None, []) => format!(
            "there is no `{PACKAGE_LOCK}` that is tracked; make one with `npm install --package-lock-only` and `git add` it"
        ),
        (None, several) => {
            format!("there are several packages; name the service's folder: `--service {}`", several[0])
        }
    };
    Err(Misuse::new(words).into())
}

/// The configuration, if `init` has run here before.
pub(super) fn configured(root: &Path) -> Result<Option<Config>> {
    let path = root.join(config::MANIFEST);
    if !path.is_file() || !Config::is_in(Some(&read(&path)?)) {
        return Ok(None);
    }
    Config::of_work_tree(root).map(Some)
}

/// The command that starts the service: the old Dockerfile's, else `npm start`'s, else `main`.
fn command(package: &Package, old: Option<&Existing>) -> Result<Vec<String>> {
    let of_dockerfile = old.and_then(|old| old.command.as_ref()).map(|command| command.value.clone());
    let of_start =
        package.scripts.start.as_ref().map(|start| start.split_whitespace().map(str::to_owned).collect());
    let of_main = (!package.main.is_empty()).then(|| vec!["node".to_owned(), package.main.clone()]);
    let is_node =
        |words: &Vec<String>| words.first().is_some_and(|word| word.rsplit('/').next() == Some("node"));
    let found = [of_dockerfile, of_start, of_main].into_iter().flatten().find(is_node);
    let mut words = found.ok_or_else(|| {
        Misuse::new(
            "neither the Dockerfile nor `scripts.start` nor `main` of package.json starts `node` with a file; set \
             `scripts.start` to such as `node src/server.js`",
        )
    })?;
    let script = words.iter_mut().skip(1).find(|word| !word.starts_with('-'));
    let script = script.ok_or_else(|| Misuse::new("the command that starts the service names no file"))?;
    *script = script.trim_start_matches("./").trim_start_matches("/app/").to_owned();
    Ok(words)
}

/// The directories and files that the image takes from the package's folder.
fn shipped(tracked: &[&str]) -> (Vec<String>, Vec<String>) {
    let (mut directories, mut files) = (Vec::new(), Vec::new());
    for path in tracked {
        let (top, is_directory) = match path.split_once('/') {
            Some((top, _)) => (top, true),
            None => (*path, false),
        };
        let lower = top.to_ascii_lowercase();
        let is_of_people = [
            "readme",
            "license",
            "changelog",
            "dockerfile",
            "docker-compose",
            "compose",
            "cargo",
            "tsconfig",
        ]
        .iter()
        .any(|name| lower.starts_with(name));
        let is_of_tools = top.starts_with('.') || lower.contains(".config.") || lower.ends_with(".md");
        if is_of_people || is_of_tools || NOT_SHIPPED.contains(&top) {
            continue;
        }
        let list = if is_directory { &mut directories } else { &mut files };
        if !list.contains(&top.to_owned()) {
            list.push(top.to_owned());
        }
    }
    (directories, files)
}

#[cfg(test)]
mod tests {
    use super::{Package, command, folder, shipped};

    #[test]
    fn the_folder_is_the_only_one_with_a_lockfile_or_named() {
        let tracked = |paths: &[&str]| paths.iter().map(|path| (*path).to_owned()).collect::<Vec<_>>();
        assert_eq!(folder(&tracked(&["package-lock.json", "a.js"]), None).unwrap(), ".");
        assert_eq!(folder(&tracked(&["web/package-lock.json"]), None).unwrap(), "web");
        let two = tracked(&["api/package-lock.json", "web/package-lock.json"]);
        assert_eq!(folder(&two, Some("web/")).unwrap(), "web");
        assert!(folder(&two, None).unwrap_err().to_string().contains("--service api"));
        assert!(folder(&two, Some("x")).is_err() && folder(&[], None).is_err());
    }

    #[test]
    fn the_command_is_that_of_start_or_main_without_shell_words() {
        let package = |json: &str| serde_json::from_str::<Package>(json).unwrap();
        let words = |json: &str| command(&package(json), None).map(|words| words.join(" "));
        assert_eq!(
            words(r#"{"scripts": {"start": "node --enable-source-maps ./dist/x.js"}}"#).unwrap(),
            "node --enable-source-maps dist/x.js"
        );
        assert_eq!(words(r#"{"main": "index.js"}"#).unwrap(), "node index.js");
        assert!(words(r#"{"scripts": {"start": "next start"}}"#).is_err() && words("{}").is_err());
    }

    #[test]
    fn the_image_takes_what_runs_and_not_what_people_read() {
        let tracked = [
            "index.js",
            "lib/a.js",
            "lib/b.js",
            "test/a.js",
            "README.md",
            ".github/x.yml",
            "package.json",
            "jest.config.js",
            "tsconfig.json",
        ];
        assert_eq!(shipped(&tracked), (vec!["lib".to_owned()], vec!["index.js".to_owned()]));
    }
}

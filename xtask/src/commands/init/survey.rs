//! What a repository says about its service before it has this tool: its package.json, its Dockerfile if it has one,
//! its remote.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::Result;

use super::command::{Command, HOME};
use super::local::Local;
use super::missing::Missing;
use super::old_paths::OldPaths;
use super::package::{self, Package, read};
use super::shipped::Shipped;
use super::{Options, base, folder, home};
use crate::inputs::config::{self, Config};
use crate::inputs::dockerfile::existing::{self, Existing};
use crate::inputs::{DOCKERFILE, NPMRC};
use crate::tool::git::Git;

/// Where the path of the smoke test was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Health {
    /// On the command line or in the configuration.
    Said,
    /// In the existing Dockerfile.
    Healthcheck,
    /// Nowhere.
    Guessed,
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
    /// The branch whose commits may be released.
    pub(super) branch: String,
    /// Where the branch was found, unless in the configuration.
    pub(super) branch_from: Option<&'static str>,
    pub(super) command: Command,
    pub(super) port: u16,
    pub(super) health: String,
    pub(super) health_from: Health,
    /// The image reference of the last `FROM`, with its digest.
    pub(super) base: String,
    /// The image reference of the other stages.
    pub(super) stages: String,
    pub(super) shipped: Shipped,
    /// What the lockfile names in the repository.
    pub(super) local: Local,
    pub(super) has_npmrc: bool,
    /// Whether `.npmrc` takes a value, such as a token, from the environment.
    pub(super) npmrc_has_variable: bool,
    /// Whether there is a build step.
    pub(super) builds: bool,
    /// The existing Dockerfile, if any.
    pub(super) dockerfile: Option<Existing>,
    /// The path of the existing Dockerfile.
    pub(super) replaces: Option<String>,
    /// Where the existing Dockerfile's image has the service.
    pub(super) old_paths: OldPaths,
}

impl Survey {
    /// Reads the repository of `git`. `known` is its existing configuration, if any.
    ///
    /// # Errors
    /// [`crate::process::failure::Misuse`] that lists every value that cannot be found, with the flag or the change
    /// that gives it.
    pub(super) fn of(git: &Git, options: &Options, known: Option<&Config>) -> Result<Self> {
        let root = git.root().to_owned();
        let tracked = git.tracked()?;
        let service = options.service.clone().or(known.map(|config| config.service.to_string()));
        let folder = folder::of(&tracked, service.as_deref(), &package::local(&root, "")?.folders);
        let prefix = folder::prefix(folder.as_deref().unwrap_or_default());
        let dockerfile = existing_dockerfile(&root, &prefix)?;
        let old = dockerfile.as_ref().map(|(_, old)| old);
        let mut missing = Missing::default();
        let (forge, repository) = home::of(git, options, known)?;
        let forge = missing.unless(forge, "the forge", "--forge https://forge.example.org");
        let repository = missing.unless(repository, "the repository's name there", "--repository owner/name");
        let http = known.and_then(|config| config.smoke.http());
        let port = options.port.or(http.as_ref().map(|http| http.port));
        let port = port.or(old.and_then(|old| old.port.as_ref()).map(|port| port.value));
        let port = missing.unless(port, "the port", "--port 3000");
        let folder = missing.or(folder);
        let package = package::of(&root, &prefix)?;
        missing.or(package.problem());
        let inside: Vec<_> = tracked.iter().filter_map(|path| path.strip_prefix(&prefix)).collect();
        let old_paths = dockerfile.as_ref().map_or_else(OldPaths::default, |(context, old)| {
            OldPaths::of(old, prefix.strip_prefix(context.as_str()).unwrap_or_default())
        });
        let mut command = missing.or(Command::in_files(&package, old, &old_paths, &inside));
        missing.none()?;
        let base = base::pinned(options, old)?;
        command.starts(base::node(&base));
        let local = Local::of(package::local(&root, &prefix)?);
        let of_healthcheck = old.and_then(|old| old.health.as_ref()).map(|health| health.value.clone());
        let said = options.health.clone().or(http.map(|http| http.health.to_owned()));
        let (health, health_from) = health(said, of_healthcheck);
        let (branch, branch_from) = released(git, known)?;
        let mut shipped = Shipped::of(&inside);
        shipped.take(local.tops());
        let has_npmrc = inside.contains(&NPMRC);
        Ok(Self {
            command,
            port,
            health,
            health_from,
            stages: base::of_stages(&base)?,
            base,
            shipped,
            local,
            has_npmrc,
            npmrc_has_variable: has_npmrc && package::has_variable(&root, &prefix)?,
            branch,
            branch_from,
            builds: package.scripts.build.is_some(),
            old_paths,
            root,
            folder,
            package,
            forge,
            repository,
            replaces: dockerfile.as_ref().map(|(context, _)| format!("{context}{DOCKERFILE}")),
            dockerfile: dockerfile.map(|(_, old)| old),
        })
    }

    /// The package's folder with a trailing slash, or nothing for the top.
    pub(super) fn prefix(&self) -> String {
        folder::prefix(&self.folder)
    }

    /// The directories in the existing Dockerfile's `VOLUME`, as paths in the new image. The service's own directory
    /// is left out: a volume there would hide the next version.
    pub(super) fn volumes(&self) -> BTreeSet<String> {
        let volumes = self.dockerfile.iter().flat_map(|old| &old.volumes);
        let moved = volumes.map(|volume| self.old_paths.relocated(&volume.value));
        moved.filter(|path| !matches!(path.as_str(), HOME | "/")).collect()
    }

    /// The title of the release.
    pub(super) fn title(&self) -> &str {
        let name = self.package.name.rsplit('/').next().unwrap_or_default();
        let repository = self.repository.rsplit('/').next().unwrap_or_default();
        if name.is_empty() { repository } else { name }
    }
}

/// The Dockerfile at the top, else that of the package's folder, and what the paths in its build context begin with.
fn existing_dockerfile(root: &Path, prefix: &str) -> Result<Option<(String, Existing)>> {
    for context in ["", prefix] {
        let path = root.join(context).join(DOCKERFILE);
        if path.is_file() {
            let text = read(&path)?;
            return Ok(Some((context.to_owned(), existing::read(&String::from_utf8_lossy(&text)))));
        }
    }
    Ok(None)
}

/// The released branch, and where it was found, unless in the configuration.
fn released(git: &Git, known: Option<&Config>) -> Result<(String, Option<&'static str>)> {
    match known.and_then(|config| config.branches.first().cloned()) {
        Some(configured) => Ok((configured, None)),
        None => Ok(branch(git.upstream()?.default, git.branch()?)),
    }
}

/// The released branch, and where it was found. The default branch of `origin` comes first, because a work branch may
/// be checked out while `init` runs.
fn branch(of_origin: Option<String>, checked_out: Option<String>) -> (String, Option<&'static str>) {
    match (of_origin, checked_out) {
        (Some(branch), _) => (branch, Some("the default branch of `origin`")),
        (None, Some(branch)) => (branch, Some("the branch that is checked out")),
        (None, None) => ("main".to_owned(), Some("a guess")),
    }
}

/// The path that answers 200, and where it was found.
fn health(said: Option<String>, of_healthcheck: Option<String>) -> (String, Health) {
    match (said, of_healthcheck) {
        (Some(said), _) => (said, Health::Said),
        (None, Some(path)) => (path, Health::Healthcheck),
        (None, None) => ("/".to_owned(), Health::Guessed),
    }
}

/// The configuration, if `init` has run here before.
pub(super) fn configured(root: &Path) -> Result<Option<Config>> {
    let path = root.join(config::MANIFEST);
    if !path.is_file() || !Config::is_in(Some(&read(&path)?))? {
        return Ok(None);
    }
    Config::of_work_tree(root).map(Some)
}

#[cfg(test)]
pub(super) mod tests {
    use std::path::PathBuf;

    use super::{Health, Survey, branch, health};
    use crate::commands::init::command;
    use crate::commands::init::local::Local;
    use crate::commands::init::old_paths::OldPaths;
    use crate::commands::init::shipped::Shipped;

    /// A service of one file.
    pub(in crate::commands::init) fn example(base: String) -> Survey {
        Survey {
            root: PathBuf::new(),
            folder: ".".to_owned(),
            package: serde_json::from_str("{}").unwrap(),
            forge: "https://forge.example.org".to_owned(),
            repository: "acme/app".to_owned(),
            branch: "main".to_owned(),
            branch_from: None,
            command: command::tests::of_main("node index.js"),
            port: 3000,
            health: "/".to_owned(),
            health_from: Health::Said,
            stages: base.clone(),
            base,
            shipped: Shipped::of(&["index.js"]),
            local: Local::default(),
            has_npmrc: false,
            npmrc_has_variable: false,
            builds: false,
            dockerfile: None,
            replaces: None,
            old_paths: OldPaths::default(),
        }
    }

    #[test]
    fn the_released_branch_is_the_default_branch_of_origin_if_known() {
        let some = |name: &str| Some(name.to_owned());
        assert_eq!(branch(some("trunk"), some("adopt")).0, "trunk");
        assert_eq!(branch(None, some("adopt")), ("adopt".to_owned(), Some("the branch that is checked out")));
        assert_eq!(branch(None, None).0, "main");
    }

    #[test]
    fn the_health_path_is_guessed_only_if_nothing_says_it() {
        let some = |path: &str| Some(path.to_owned());
        assert_eq!(health(some("/a"), some("/b")), ("/a".to_owned(), Health::Said));
        assert_eq!(health(None, some("/b")), ("/b".to_owned(), Health::Healthcheck));
        assert_eq!(health(None, None), ("/".to_owned(), Health::Guessed));
    }
}

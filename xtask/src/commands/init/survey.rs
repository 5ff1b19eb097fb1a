//! What a repository says about its service before it has this tool: its package.json, its Dockerfile if it has one,
//! its remote.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::Result;
use semver::Version;

use super::command::{Command, HOME};
use super::home::Home;
use super::local::Local;
use super::missing::Missing;
use super::old_paths::OldPaths;
use super::package::{self, Package, read};
use super::shipped::Shipped;
use super::{Options, base, folder, recipe, workflows};
use crate::inputs::NPMRC;
use crate::inputs::config::{self, Config};
use crate::inputs::dockerfile::existing::Existing;
use crate::inputs::source::release_tags;
use crate::inputs::version::ReleaseTag;
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
    /// Whether the forge's address was concluded from an address for SSH.
    pub(super) forge_is_guess: bool,
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
    /// Dockerfiles that were not read, because there are several and none is at the top or in the package's folder.
    pub(super) other_recipes: Vec<String>,
    /// The first tag to release.
    pub(super) first_tag: String,
    /// Workflows that the forge no longer runs once `.forgejo/workflows` exists.
    pub(super) unread_workflows: Vec<String>,
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
        let (dockerfile, other_recipes) = recipe::existing(&root, &prefix, &tracked)?;
        let old = dockerfile.as_ref().map(|old| &old.recipe);
        let mut missing = Missing::default();
        let home = Home::of(git, options, known)?;
        let (forge, repository) = (missing.or(home.forge), missing.or(home.repository));
        let http = known.and_then(|config| config.smoke.http());
        let port = options.port.or(http.as_ref().map(|http| http.port));
        let port = port.or(old.and_then(|old| old.port.as_ref()).map(|port| port.value));
        let port = missing.unless(port, "the port", "--port 3000");
        let folder = missing.or(folder);
        let package = package::of(&root, &prefix)?;
        missing.or(package.problem());
        let inside: Vec<_> = tracked.iter().filter_map(|path| path.strip_prefix(&prefix)).collect();
        let old_paths = dockerfile.as_ref().map_or_else(OldPaths::default, |old| {
            OldPaths::of(&old.recipe, prefix.strip_prefix(old.context.as_str()).unwrap_or_default())
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
            first_tag: first_tag(&git.tags()?, &package.version)?,
            old_paths,
            root,
            folder,
            package,
            forge,
            forge_is_guess: home.is_guess,
            repository,
            unread_workflows: workflows::unread(&tracked),
            other_recipes,
            replaces: dockerfile.as_ref().map(|old| old.path.clone()),
            dockerfile: dockerfile.map(|old| old.recipe),
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

/// The version of package.json if it is above all release tags in `tags`; else the patch after the highest of these.
fn first_tag(tags: &[String], version: &str) -> Result<String> {
    let highest = release_tags(tags).into_iter().max();
    let named = format!("v{version}").parse::<ReleaseTag>().ok().filter(ReleaseTag::is_stable);
    let is_next = |named: &ReleaseTag| match &highest {
        Some(highest) => named > highest,
        None => named.version() > &Version::new(0, 0, 0),
    };
    Ok(match (named.filter(is_next), &highest) {
        (Some(named), _) => named.to_string(),
        (None, Some(highest)) => format!("v{}", highest.next_patch()?),
        (None, None) => "v0.1.0".to_owned(),
    })
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

    use super::{Health, Survey, branch, first_tag, health};
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
            forge_is_guess: false,
            other_recipes: Vec::new(),
            first_tag: "v0.1.0".to_owned(),
            unread_workflows: Vec::new(),
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
    fn the_first_tag_follows_the_tags_and_the_version_of_the_package() {
        for (tags, version, expected) in [
            (&[][..], "", "v0.1.0"),
            (&[], "0.0.0", "v0.1.0"),
            (&[], "1.4.0", "v1.4.0"),
            (&["v2.0.0", "nightly"], "2.1.0", "v2.1.0"),
            (&["v2.0.0", "v1.9.0"], "2.0.0", "v2.0.1"),
            (&["v2.0.0"], "", "v2.0.1"),
            (&["v2.0.0"], "2.1.0-dev", "v2.0.1"),
            (&["v2.1.0-rc.1"], "2.0.0", "v2.1.1"),
        ] {
            let tags: Vec<_> = tags.iter().map(ToString::to_string).collect();
            assert_eq!(first_tag(&tags, version).unwrap(), expected, "{tags:?} {version:?}");
        }
    }

    #[test]
    fn the_health_path_is_guessed_only_if_nothing_says_it() {
        let some = |path: &str| Some(path.to_owned());
        assert_eq!(health(some("/a"), some("/b")), ("/a".to_owned(), Health::Said));
        assert_eq!(health(None, some("/b")), ("/b".to_owned(), Health::Healthcheck));
        assert_eq!(health(None, None), ("/".to_owned(), Health::Guessed));
    }
}

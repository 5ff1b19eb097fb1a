//! `cargo xtask init`: everything that another repository needs to release its service with this tool. Without
//! `--update`, it overwrites nothing but the generated `policies/`. Where a Dockerfile exists already, it reports
//! what became of each of its lines.

mod base;
mod carried;
mod command;
mod dockerfile;
mod files;
mod flags;
mod folder;
mod given;
mod home;
mod ignored;
mod local;
mod missing;
mod next;
mod notes;
mod old_paths;
mod package;
mod recipe;
mod shipped;
mod started;
mod survey;
pub(super) mod tool;
mod update;
mod verifying;
mod workflows;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result};
use xshell::cmd;

use crate::commands::policies;
use crate::http::WebUrl;
use crate::inputs::config::{Config, MANIFEST, RepositoryName};
use crate::inputs::dockerfile::BaseImage;
use crate::inputs::pin::CARGO_LOCK;
use crate::inputs::{DOCKERFILE, PUBLIC_KEY};
use crate::process::Runner;
use crate::process::environment::Environment;
use crate::process::failure::Misuse;
use crate::process::file::{if_any, replace};
use crate::process::stderr;
use crate::tool::git::{Commit, Git};

use files::File;
use survey::Survey;

/// Where the new Dockerfile is written if there is already one that does not follow this tool's rules.
const NEW: &str = "Dockerfile.new";

/// Time for cargo to fetch the tool and the package index.
const LOCK: Duration = Duration::from_secs(600);

/// The options that decide what goes into new files. They change nothing in existing ones.
const FOR_NEW_FILES: [&str; 9] =
    ["forge", "repository", "service", "port", "health", "base", "runner", "tool_url", "tool_rev"];

/// The command-line options.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct Options {
    /// The repository
    #[arg(value_name = "DIR")]
    pub directory: PathBuf,
    /// Write nothing; list the files that this version would write differently
    #[arg(long, conflicts_with_all = FOR_NEW_FILES)]
    pub check: bool,
    /// Write these files as this version does; they must be committed, so that `git diff` shows the changes
    #[arg(long, conflicts_with = "check", conflicts_with_all = FOR_NEW_FILES)]
    pub update: bool,
    /// The forge's address [default: the configuration's, else that of the remote `origin`]
    #[arg(long, value_name = "URL", value_parser = given::WebUrlParser)]
    pub forge: Option<WebUrl>,
    /// The repository's name there [default: the configuration's, else that of the remote `origin`]
    #[arg(long, value_name = "OWNER/NAME", value_parser = given::value::<RepositoryName>)]
    pub repository: Option<RepositoryName>,
    /// The service's folder [default: the configuration's, else the one with a package-lock.json]
    #[arg(long, value_name = "FOLDER")]
    pub service: Option<String>,
    /// The port that the service listens on [default: the configuration's, else that of `EXPOSE` in its Dockerfile]
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..))]
    pub port: Option<u16>,
    /// The path that answers 200 once the service is up [default: the configuration's, else that of `HEALTHCHECK` in its
    /// Dockerfile, else /]
    #[arg(long, value_name = "PATH", value_parser = given::path)]
    pub health: Option<String>,
    /// The base image, with its digest [default: that of the Dockerfile if it has a digest, else this project's own]
    #[arg(long, value_name = "IMAGE@DIGEST", value_parser = given::base)]
    pub base: Option<BaseImage>,
    /// The label of the runner that releases [default: docker, as for CI]
    #[arg(long, value_name = "LABEL", value_parser = given::label)]
    pub runner: Option<String>,
    /// The repository to fetch this tool from [default: its own]
    #[arg(long, value_name = "URL", value_parser = given::WebUrlParser)]
    pub tool_url: Option<WebUrl>,
    /// A commit of this tool [default: the tag of this version]
    #[arg(long, value_name = "COMMIT", value_parser = given::commit)]
    pub tool_rev: Option<Commit>,
}

/// Formats `all` as a list below a sentence, each item on a line of its own.
fn listed(all: &[String]) -> String {
    all.iter().map(|words| format!("\n- {words}")).collect()
}

/// Writes the files that are missing. With `check`, it only names those that are out of date; with `update`, it
/// rewrites them.
///
/// # Errors
/// [`crate::process::failure::Misuse`] when required values cannot be found and must be given, or an option would change
/// nothing; a [`crate::process::failure::Refusal`] when something is out of date. What needs a network is done last: when
/// that fails, everything else has been written, and the error says what to type.
pub fn run(environment: &Environment, options: &Options) -> Result<()> {
    let runner = &Runner::new(environment);
    let git = repository(runner, &options.directory)?;
    if options.check || options.update {
        let config = Config::of_work_tree(git.root())?;
        let policies = policies::files(git.root(), &config)?.into_iter();
        let mut ours = files::ours(&config, None)?;
        ours.extend(policies.map(|(path, text)| File { path, text }));
        return if options.update { update::update(&git, &ours) } else { update::check(git.root(), &ours) };
    }
    let known = survey::configured(git.root())?;
    flags::check(options, git.root(), known.as_ref())?;
    let survey = Survey::of(&git, options, known.as_ref())?;
    let is_kept = known.is_none() && survey.root.join(MANIFEST).exists();
    let config = known.map_or_else(|| new_config(&survey), Ok)?;
    let ours = files::ours(&config, options.runner.as_deref())?;
    let own = files::own(&survey, options, &config)?;
    for file in own.iter().chain(&ours) {
        write(&survey, file)?;
    }
    ignored::add_target(&survey.root)?;
    let needed: Vec<_> = own.iter().chain(&ours).map(|file| file.path.as_str()).collect();
    let hidden = git.ignored(&[&needed[..], &[CARGO_LOCK, PUBLIC_KEY]].concat())?;
    let mut left = next::Left::of(&survey.root);
    if is_kept {
        left.manifest(&files::tables(&survey));
    } else {
        left.unless(
            policies::write_all(&survey.root),
            "`policies/` is not written",
            "`cargo xtask policies`",
        );
        left.unless(lock(runner, &survey.root), "`Cargo.lock` is not written", "`cargo generate-lockfile`");
    }
    next::say(&survey, options, &hidden);
    left.conclude(&tool::dependency(options))
}

/// The configuration of the new manifest. Its values come from elsewhere, so an error names those places and not the
/// manifest.
fn new_config(survey: &Survey) -> Result<Config> {
    Config::from_manifest(&files::manifest(survey)).map_err(|error| {
        Misuse::new(format!(
            "nothing was written, because these values of the flags, `package.json` and the remote `origin` give no valid \
             configuration: {error:#}"
        ))
        .into()
    })
}

/// The repository to which `directory` belongs.
fn repository(runner: &Runner, directory: &Path) -> Result<Git> {
    let shown = directory.display();
    let absolute = match directory.canonicalize() {
        Ok(absolute) if absolute.is_dir() => absolute,
        _ => {
            let words = format!("`{shown}` is not a readable directory; make it with `git init {shown}`");
            return Err(Misuse::new(words).into());
        }
    };
    // A bare repository has these two at its top. git itself reports any other problem with a repository.
    let is_repository = |dir: &Path| {
        dir.join(".git").exists() || (dir.join("HEAD").is_file() && dir.join("objects").is_dir())
    };
    if !absolute.ancestors().any(is_repository) {
        let words = format!("`{shown}` is not in a git repository; run `git init` there first");
        return Err(Misuse::new(words).into());
    }
    Git::discover(runner, directory)
}

fn write(survey: &Survey, file: &File) -> Result<()> {
    if let Some(found) = existing(&survey.root, &file.path)? {
        let is_old = file.path == DOCKERFILE && survey.dockerfile.as_ref().is_some_and(|old| !old.is_ours);
        if is_old {
            return beside(survey, file);
        }
        if found != file.text {
            stderr::line(format_args!(
                "kept     {}: it is yours{}",
                file.path,
                files::advice(&file.path, &found)
            ));
        }
        return Ok(());
    }
    replace(&survey.root.join(&file.path), file.text.as_bytes())?;
    match survey.replaces.as_ref().filter(|_| file.path == DOCKERFILE) {
        Some(old) => {
            stderr::line(format_args!(
                "wrote    {DOCKERFILE}: it replaces `{old}`; what became of its lines:"
            ));
            say_carried(survey);
        }
        None => stderr::line(format_args!("wrote    {}", file.path)),
    }
    Ok(())
}

/// Writes the new Dockerfile beside an existing one that does not follow this tool's rules.
fn beside(survey: &Survey, file: &File) -> Result<()> {
    if existing(&survey.root, NEW)?.is_some_and(|found| found != file.text) {
        stderr::line(format_args!("kept     {NEW}: it is yours; remove it to have it written again"));
        return Ok(());
    }
    replace(&survey.root.join(NEW), file.text.as_bytes())?;
    stderr::line(format_args!(
        "wrote    {NEW}: to use it, `mv {NEW} {DOCKERFILE}`; what became of the old lines:"
    ));
    say_carried(survey);
    Ok(())
}

/// Reports what became of each line of the old Dockerfile.
fn say_carried(survey: &Survey) {
    for line in survey.dockerfile.iter().flat_map(|old| carried::lines(old, survey)) {
        stderr::line(format_args!("           {line}"));
    }
}

/// The text of the file `path` in the repository at `root`, if it is there.
fn existing(root: &Path, path: &str) -> Result<Option<String>> {
    if_any(fs::read_to_string(root.join(path))).with_context(|| format!("reading `{path}`"))
}

/// Pins the exact versions of the tool and its dependencies: a release builds with `--locked`.
fn lock(runner: &Runner, root: &Path) -> Result<()> {
    if root.join(CARGO_LOCK).try_exists().context("looking for `Cargo.lock`")? {
        return Ok(());
    }
    let sh = runner.shell()?;
    runner.call(cmd!(sh, "cargo generate-lockfile --quiet")).dir(root).timeout(LOCK).run()?;
    stderr::line(format_args!("wrote    {CARGO_LOCK}"));
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use clap::Args as _;

    use super::files::File;
    use super::survey::{Survey, tests::example};
    use super::{NEW, Options, beside};
    use crate::process::temp_dir::TempDir;

    #[test]
    fn a_new_dockerfile_that_was_edited_is_kept() {
        let scratch = TempDir::new().unwrap();
        let survey = Survey { root: scratch.path().to_owned(), ..example(String::new()) };
        let write = |text: &str| {
            beside(&survey, &File { path: "Dockerfile".to_owned(), text: text.to_owned() }).unwrap();
            fs::read_to_string(scratch.path().join(NEW)).unwrap()
        };
        assert_eq!(write("FROM a\n"), "FROM a\n");
        assert_eq!(write("FROM a\n"), "FROM a\n");
        fs::write(scratch.path().join(NEW), "FROM mine\n").unwrap();
        assert_eq!(write("FROM a\n"), "FROM mine\n");
    }

    #[test]
    fn help_says_that_the_path_of_the_smoke_test_may_come_from_the_dockerfile() {
        let command = Options::augment_args(clap::Command::new("init"));
        let health = command.get_arguments().find(|option| option.get_id() == "health").unwrap();
        assert!(health.get_help().unwrap().to_string().contains("`HEALTHCHECK` in its Dockerfile"));
    }
}

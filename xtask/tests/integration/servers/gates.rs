//! The forge client: what the default branch says if the clone does not have its head.

use anyhow::{Context as _, Result};
use serde_json::json;
use xshell::cmd;
use xtask::forge::Write as _;
use xtask::forge::default_branch::DefaultBranch;
use xtask::forge::forgejo::Forgejo;
use xtask::inputs::config::Config;
use xtask::process::Runner;
use xtask::process::environment::Environment;
use xtask::process::failure::exit_code;
use xtask::process::secret::Secret;
use xtask::process::temp_dir::TempDir;
use xtask::tool::git::{Commit, Git};

use super::server::{Answer, Asked, Server, curl, empty};

pub(super) const MANIFEST: &str = "[workspace.metadata.release]\nforge = \"https://forge.example.org\"\nrepository = \"acme/carol\"\n\
    title = \"carol\"\ndescription = \"d\"\nlicenses = \"MIT\"\nplatforms = [\"linux/amd64\"]\nbranches = [\"main\"]\n\
    [workspace.metadata.release.smoke]\nport = 3000\nhealth = \"/healthz\"\nversion = \"/version\"\n";

/// What `server` says about its default branch, for a clone that has nothing of it.
fn read(server: &Server) -> Result<Option<DefaultBranch>> {
    let scratch = TempDir::new()?;
    let runner = Runner::new(&Environment::from_process());
    let sh = runner.shell()?;
    runner.call(cmd!(sh, "git init --quiet")).dir(scratch.path()).run()?;
    let manifest = MANIFEST.replace("https://forge.example.org", &format!("http://{}", server.address));
    let git = Git::discover(&runner, scratch.path())?;
    DefaultBranch::read(&Forgejo::new(curl(), &git, &Config::from_manifest(&manifest)?, None, None), &git)
}

fn json_of(value: &serde_json::Value) -> Answer {
    (200, Vec::new(), value.to_string().into_bytes())
}

/// A forge with a default branch called `name`.
fn forge(name: &'static str, file: fn(&str) -> Answer) -> Result<Server> {
    Server::start(move |Asked { what, .. }, _| {
        let head = "b".repeat(40);
        match what.as_str() {
            "GET /api/v1/repos/acme/carol" => json_of(&json!({ "default_branch": name })),
            "GET /api/v1/repos/acme/carol/branches/main" => json_of(&json!({ "commit": { "id": head } })),
            other => match other.strip_prefix("GET /api/v1/repos/acme/carol/raw/") {
                Some(asked) => asked.strip_suffix(&format!("?ref={head}")).map_or_else(|| empty(404), file),
                None => empty(404),
            },
        }
    })
}

#[test]
fn a_head_that_is_not_in_the_clone_is_read_from_the_forge() -> Result<()> {
    let server = forge("main", |path| match path {
        "Cargo.toml" => (200, Vec::new(), MANIFEST.as_bytes().to_vec()),
        _ => empty(404),
    })?;
    let found = read(&server)?.context("there is a forge")?;
    assert_eq!((found.branch.name.as_str(), found.config.branches), ("main", vec!["main".to_owned()]));
    assert_eq!(found.allowed_signers, None);
    Ok(())
}

#[test]
fn a_default_branch_that_cannot_be_read_is_an_error_and_never_agrees() -> Result<()> {
    let code = |server: &Server| read(server).err().map(|error| (exit_code(&error), format!("{error:#}")));
    let (class, text) = code(&forge("main", |_| empty(404))?).context("no configuration")?;
    assert!(class == 1 && text.contains("has no `Cargo.toml`"), "{class}: {text}");
    let busy = forge("main", |_| (502, vec![("Retry-After", "0".to_owned())], Vec::new()))?;
    assert_eq!(code(&busy).context("a busy forge")?.0, 75);
    let (class, text) = code(&forge("other", |_| empty(404))?).context("an empty repository")?;
    assert!(class == 1 && text.contains("`other`"), "{class}: {text}");
    let (class, text) = code(&forge("main?x=../..", |_| empty(404))?).context("no name of a branch")?;
    assert!(class == 1 && text.contains("not a branch name"), "{class}: {text}");
    Ok(())
}

#[test]
fn a_commit_has_left_its_branch_only_if_the_clone_knows_where_the_branch_is() -> Result<()> {
    let scratch = TempDir::new()?;
    let runner = Runner::new(&Environment::from_process());
    let sh = runner.shell()?;
    runner.call(cmd!(sh, "git init --quiet")).dir(scratch.path()).run()?;
    let mut commits = Vec::new();
    for subject in ["before", "tagged", "after"] {
        let name = ["-c", "user.name=a", "-c", "user.email=a@example.org"];
        let commit = cmd!(sh, "git {name...} commit --quiet --no-gpg-sign --allow-empty --message {subject}");
        runner.call(commit).dir(scratch.path()).run()?;
        commits
            .push(runner.call(cmd!(sh, "git rev-parse HEAD")).dir(scratch.path()).read()?.trim().to_owned());
    }
    let [before, tagged, after] = &commits[..] else { panic!("{commits:?}") };
    let unknown = "b".repeat(40);
    for (head, has_left) in [
        (Some(before), true),
        (Some(tagged), false),
        (Some(after), false),
        (Some(&unknown), false),
        (None, true),
    ] {
        let at = head.cloned();
        let server = Server::start(move |_, _| match &at {
            Some(head) => json_of(&json!({ "commit": { "id": head } })),
            None => empty(404),
        })?;
        let manifest = MANIFEST.replace("https://forge.example.org", &format!("http://{}", server.address));
        let git = Git::discover(&runner, scratch.path())?;
        let token = Some(Secret::new("token-of-alice"));
        let forge = Forgejo::new(curl(), &git, &Config::from_manifest(&manifest)?, token, None);
        let left = forge.has_left_branches(&Commit::parse(tagged)?)?;
        assert_eq!(left.is_some(), has_left, "{head:?}: {left:?}");
    }
    Ok(())
}

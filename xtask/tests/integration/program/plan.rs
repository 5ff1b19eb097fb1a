//! `release --plan` reports what would refuse the release of a version that does not exist yet. It sends only
//! anonymous requests that change nothing.

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use anyhow::{Context as _, Result, anyhow, ensure};
use serde_json::{Value, json};
use xtask::process::Output;
use xtask::process::temp_dir::TempDir;

use super::server::{SECRETS, git, repository, said, xtask};
use crate::plain_git;
use crate::servers::server::{Answer, Server};

/// The state of CI if the forge does not answer requests for it.
const DOWN: &str = "down";

fn busy() -> Answer {
    (503, vec![("Retry-After", "0".to_owned())], Vec::new())
}

/// What the forge knows.
#[derive(Clone)]
struct Forge {
    /// Where the tag is.
    tag: Option<String>,
    /// The head of main.
    main: String,
    /// The state of the one context of CI.
    ci: &'static str,
}

impl Forge {
    /// The answer to a request. There is no image in the registry.
    fn answer(&self, what: &str) -> Answer {
        let (method, path) = what.split_once(' ').unwrap_or_default();
        let path = path.strip_prefix("/api/v1").unwrap_or(path);
        let commit = |id: &str| Some(json!({"id": id, "commit": {"sha": id, "id": id}}));
        let body = match path.strip_prefix("/repos/acme/carol") {
            _ if method != "GET" => None,
            Some("") => Some(json!({"default_branch": "main"})),
            Some("/tags/v0.1.0") => self.tag.as_deref().and_then(commit),
            Some("/branches/main") => commit(&self.main),
            Some(path) if path.contains("/status?") && self.ci == DOWN => return busy(),
            Some(path) if path.contains("/status?") && path.ends_with("&page=1") => {
                Some(json!({"statuses": [{"status": self.ci, "context": "ci / test (push)"}]}))
            }
            Some(path) if path.contains("/status?") => Some(json!({"statuses": []})),
            Some(_) => None,
            None if path.contains("/tags/list") => Some(json!({"name": "acme/carol", "tags": []})),
            None if path == "/version" => Some(json!({"version": "1.24.0"})),
            None if path == "/settings/attachment" => Some(json!({"enabled": true})),
            None => None,
        };
        let headers = vec![("Date", httpdate::fmt_http_date(SystemTime::now()))];
        let status = if body.is_some() { 200 } else { 404 };
        (status, headers, body.unwrap_or_default().to_string().into_bytes())
    }
}

/// A repository, and a forge that can be changed.
struct Scene {
    _scratch: TempDir,
    server: Server,
    forge: Arc<Mutex<Option<Forge>>>,
    dir: std::path::PathBuf,
    commit: String,
}

impl Scene {
    fn new() -> Result<Self> {
        let forge: Arc<Mutex<Option<Forge>>> = Arc::default();
        let known = Arc::clone(&forge);
        let server = Server::start(move |asked, _| {
            let known = known.lock().ok().and_then(|known| known.clone());
            known.map_or_else(busy, |known| known.answer(&asked.what))
        })?;
        let (scratch, host) = (TempDir::new()?, server.address.to_string());
        let dir = repository(&scratch, "own", &host, &format!("{host}/acme/carol"))?;
        std::fs::write(dir.join("cosign.pub"), include_str!("../../../../cosign.pub"))?;
        git(&dir, &["add", "cosign.pub"])?;
        let commit = commit(&dir)?;
        git(&dir, &["tag", "--force", "v0.1.0"])?;
        Ok(Self { _scratch: scratch, server, forge, dir, commit })
    }

    /// The plan when the state of the forge is `forge`, made without secrets.
    fn plan(&self, forge: Forge, more: &[&str]) -> Result<Output> {
        *self.forge.lock().map_err(|_poisoned| anyhow!("the server panicked"))? = Some(forge);
        drop(self.server.log()?);
        let unset = SECRETS.map(|(name, _)| (name, ""));
        let output = xtask(&self.dir, &[&["release", "v0.1.0", "--plan"], more].concat(), &unset)?;
        let asked = self.server.log()?;
        let is_read = |what: &str| what.starts_with("GET ") || what.starts_with("HEAD ");
        ensure!(asked.iter().all(|asked| is_read(&asked.what) && asked.authorization.is_none()), "{asked:?}");
        Ok(output)
    }

    fn good(&self) -> Forge {
        Forge { tag: Some(self.commit.clone()), main: self.commit.clone(), ci: "success" }
    }
}

fn commit(dir: &Path) -> Result<String> {
    git(dir, &["commit", "--quiet", "--allow-empty", "--message=x"])?;
    plain_git::call(dir, &["rev-parse", "HEAD"])?.read()
}

#[test]
fn a_plan_says_what_would_refuse_the_release() -> Result<()> {
    let scene = Scene::new()?;
    let good = scene.good();
    git(&scene.dir, &["checkout", "--quiet", "--orphan", "other"])?;
    let elsewhere = commit(&scene.dir)?;
    let cases = [
        (good.clone(), 0, "ok       ci status"),
        (Forge { ci: "pending", ..good.clone() }, 0, "waits for `ci / test (push)`"),
        (Forge { ci: "failure", ..good.clone() }, 3, "problem  ci status"),
        (Forge { ci: DOWN, ..good.clone() }, 75, "problem  ci status"),
        (Forge { tag: None, ..good.clone() }, 3, "problem  tag          `v0.1.0` is not on the forge"),
        (Forge { main: elsewhere, ..good.clone() }, 3, "is on none of the branches that may be released"),
    ];
    for (forge, code, words) in cases {
        let output = scene.plan(forge, &[])?;
        let text = said(&output);
        assert_eq!(output.status.code(), Some(code), "{text}");
        ensure!(text.contains(words) && text.contains("build    will do"), "no `{words}` in:\n{text}");
        ensure!(text.contains("`target/debug/xtask doctor`"), "{text}");
    }
    let output = scene.plan(Forge { ci: "failure", ..good.clone() }, &["--json"])?;
    let plan: Value = serde_json::from_slice(&output.stdout).with_context(|| said(&output))?;
    assert_eq!(
        (&plan["schema"], &plan["problems"][0]["check"]),
        (&json!("xtask-plan/3"), &json!("ci status"))
    );
    assert_eq!(output.status.code(), Some(3), "{plan:#}");
    let output = scene.plan(good, &["--json"])?;
    let plan: Value = serde_json::from_slice(&output.stdout).with_context(|| said(&output))?;
    assert_eq!((output.status.code(), &plan["problems"]), (Some(0), &json!([])));
    Ok(())
}

#[test]
fn a_plan_says_that_the_commit_has_no_public_key() -> Result<()> {
    let mut scene = Scene::new()?;
    git(&scene.dir, &["rm", "--quiet", "cosign.pub"])?;
    scene.commit = commit(&scene.dir)?;
    git(&scene.dir, &["tag", "--force", "v0.1.0"])?;
    let output = scene.plan(scene.good(), &[])?;
    let text = said(&output);
    ensure!(text.contains("problem  signing key  the commit has no `cosign.pub`"), "{text}");
    assert_eq!(output.status.code(), Some(3), "{text}");
    Ok(())
}

#[test]
fn a_plan_says_which_rule_the_commit_breaks_and_which_gate_it_sets_for_itself() -> Result<()> {
    let scene = Scene::new()?;
    let good = scene.good();
    let dockerfile = std::fs::read_to_string(scene.dir.join("Dockerfile"))?;
    std::fs::write(scene.dir.join("Dockerfile"), format!("{dockerfile}EXPOSE 3000\n"))?;
    let manifest = std::fs::read_to_string(scene.dir.join("Cargo.toml"))?;
    std::fs::write(
        scene.dir.join("Cargo.toml"),
        manifest.replace("title =", "ci-status = \"off\"\ntitle ="),
    )?;
    git(&scene.dir, &["commit", "--quiet", "--all", "--message=x"])?;
    git(&scene.dir, &["tag", "--force", "v0.1.0"])?;
    let tagged = plain_git::call(&scene.dir, &["rev-parse", "HEAD"])?.read()?;
    let output = scene.plan(Forge { tag: Some(tagged), ci: "failure", ..good }, &[])?;
    let text = said(&output);
    assert_eq!(output.status.code(), Some(3), "{text}");
    for words in [
        "problem  commit       `Dockerfile` line",
        "problem  gates        `ci-status` is `\"off\"`",
        "problem  branch",
    ] {
        ensure!(text.contains(words), "no `{words}` in:\n{text}");
    }
    Ok(())
}

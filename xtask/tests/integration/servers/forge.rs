//! The forge client: what CI says of a commit.

use std::fs;

use anyhow::{Context as _, Result};
use serde_json::{Value, json};
use xshell::cmd;
use xtask::forge::forgejo::Forgejo;
use xtask::forge::{CiState, Read as _};
use xtask::inputs::config::Config;
use xtask::process::Runner;
use xtask::process::environment::Environment;
use xtask::process::failure::exit_code;
use xtask::process::scratch::Scratch;
use xtask::tool::git::{Commit, Git};

use super::server::{Server, curl, empty};

/// As many contexts as a forge gives on one page, when it is not asked for more.
const ONE_PAGE: usize = 30;

/// The state of a commit on `server`, for which `contexts` must be green.
fn ci_state(server: &Server, contexts: &[&str]) -> Result<CiState> {
    let scratch = Scratch::new()?;
    let runner = Runner::new(&Environment::of_this_process());
    let sh = runner.shell()?;
    runner.call(cmd!(sh, "git init --quiet")).dir(scratch.path()).run()?;
    fs::write(scratch.path().join("x"), "x")?;
    let config: Config = serde_json::from_value(json!({
        "forge": format!("http://{}", server.address), "repository": "acme/carol", "title": "carol",
        "description": "a service", "licenses": "MIT", "platforms": ["linux/amd64"], "branches": ["main"],
        "ci-contexts": contexts, "smoke": {"port": 3000, "health": "/healthz", "version": "/version"},
    }))?;
    let git = Git::discover(&runner, scratch.path())?;
    Forgejo::new(curl(), &git, &config, None, None).ci_state(&Commit::parse(&"a".repeat(40))?)
}

/// A forge that gives `statuses` a page at a time, never more than `most`, whatever is asked for.
fn paging(statuses: Vec<Value>, most: usize) -> Result<Server> {
    Server::start(move |asked, _| {
        let page = asked.what.rsplit_once("page=").and_then(|(_, page)| page.parse::<usize>().ok());
        let Some(page) = page.filter(|_| asked.what.contains("/status?")) else { return empty(404) };
        let statuses: Vec<_> = statuses.iter().skip((page - 1) * most).take(most).collect();
        (200, Vec::new(), json!({ "state": "success", "statuses": statuses }).to_string().into_bytes())
    })
}

fn status(number: usize, state: &str) -> Value {
    json!({ "status": state, "context": format!("ci / job-{number} (push)") })
}

#[test]
fn a_red_status_counts_on_whichever_page_it_is() -> Result<()> {
    // The newest comes first, so that the one that failed first is the last of all.
    let mut statuses: Vec<_> = (1..=ONE_PAGE).map(|number| status(number, "success")).collect();
    assert_eq!(ci_state(&paging(statuses.clone(), ONE_PAGE)?, &[])?, CiState::Green);
    statuses.push(status(31, "failure"));
    let CiState::Red(text) = ci_state(&paging(statuses.clone(), ONE_PAGE)?, &[])? else {
        panic!("the 31st status is red");
    };
    assert!(text.contains("`ci / job-31 (push)` is failure"), "{text}");
    let required = ci_state(&paging(statuses, ONE_PAGE)?, &["ci / job-2 (push)", "ci / job-32 (push)"])?;
    assert_eq!(required, CiState::Pending(vec!["ci / job-32 (push)".to_owned()]));
    Ok(())
}

#[test]
fn statuses_without_an_end_are_none_and_a_busy_forge_is_transient() -> Result<()> {
    let endless = Server::start(|_, _| {
        (200, Vec::new(), json!({ "statuses": [status(1, "success")] }).to_string().into_bytes())
    })?;
    let error = ci_state(&endless, &[]).err().context("there is no end")?;
    assert!(error.to_string().contains("no end after"), "{error:#}");
    let busy = Server::start(|_, _| (502, vec![("Retry-After", "0".to_owned())], Vec::new()))?;
    assert_eq!(ci_state(&busy, &[]).err().map(|error| exit_code(&error)), Some(75));
    Ok(())
}

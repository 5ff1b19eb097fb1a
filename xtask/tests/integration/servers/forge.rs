//! The forge client: the state of CI, access, the files of a page, renamed repositories.

use std::collections::BTreeSet;
use std::fs;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use xshell::cmd;
use xtask::evidence::assets::{Asset, Listed, SUMS};
use xtask::evidence::page::{Page, PublishedPage};
use xtask::forge::forgejo::Forgejo;
use xtask::forge::forgejo::pulls::pulls;
use xtask::forge::{CiState, Read as _, Write as _};
use xtask::inputs::config::Config;
use xtask::process::Runner;
use xtask::process::environment::Environment;
use xtask::process::failure::exit_code;
use xtask::process::secret::Secret;
use xtask::process::temp_dir::TempDir;
use xtask::tool::git::{Commit, Git};

use super::server::{Server, curl, empty};

/// The number of contexts on a page, unless more are requested.
const ONE_PAGE: usize = 30;

/// The client of `server`, where `contexts` must be green, with or without a token.
pub(super) fn forge(server: &Server, contexts: &[&str], token: Option<Secret>) -> Result<Forgejo> {
    let scratch = TempDir::new()?;
    let runner = Runner::new(&Environment::from_process());
    let sh = runner.shell()?;
    runner.call(cmd!(sh, "git init --quiet")).dir(scratch.path()).run()?;
    fs::write(scratch.path().join("x"), "x")?;
    let git = Git::discover(&runner, scratch.path())?;
    Ok(Forgejo::new(curl(), &git, &config(server, contexts)?, token, None))
}

fn config(server: &Server, contexts: &[&str]) -> Result<Config> {
    let config = json!({
        "forge": format!("http://{}", server.address), "repository": "acme/carol", "title": "carol",
        "description": "a service", "licenses": "MIT", "platforms": ["linux/amd64"], "branches": ["main"],
        "ci-contexts": contexts, "smoke": {"port": 3000, "health": "/healthz", "version": "/version"},
    });
    Ok(serde_json::from_value(config)?)
}

/// The state of a commit on `server`, where `contexts` must be green.
fn ci_state(server: &Server, contexts: &[&str]) -> Result<CiState> {
    forge(server, contexts, None)?.ci_state(&Commit::parse(&"a".repeat(40))?)
}

/// A forge that gives `statuses` page by page, at most `most` per page, whatever is requested.
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
fn a_red_status_counts_on_any_page() -> Result<()> {
    // The newest status comes first, so the one that failed first is the very last.
    let mut statuses: Vec<_> = (1..=ONE_PAGE).map(|number| status(number, "success")).collect();
    assert_eq!(ci_state(&paging(statuses.clone(), ONE_PAGE)?, &[])?, CiState::Green);
    statuses.push(status(31, "failure"));
    let CiState::Red(text) = ci_state(&paging(statuses.clone(), ONE_PAGE)?, &[])? else {
        panic!("the 31st status is red");
    };
    assert!(text.contains("`ci / job-31 (push)` is failure"), "{text}");
    let required = ci_state(&paging(statuses, ONE_PAGE)?, &["ci / job-2 (push)", "ci / job-32 (push)"])?;
    let CiState::Pending(awaited) = required else { panic!("{required:?}") };
    assert_eq!((awaited.pending, awaited.missing), (Vec::new(), vec!["ci / job-32 (push)".to_owned()]));
    assert_eq!(awaited.present.len(), 31, "{:?}", awaited.present);
    Ok(())
}

#[test]
fn an_endless_list_of_statuses_is_an_error_and_a_busy_forge_is_transient() -> Result<()> {
    let endless = Server::start(|_, _| {
        (200, Vec::new(), json!({ "statuses": [status(1, "success")] }).to_string().into_bytes())
    })?;
    let error = ci_state(&endless, &[]).err().context("there is no end")?;
    assert!(error.to_string().contains("no end after"), "{error:#}");
    let busy = Server::start(|_, _| (502, vec![("Retry-After", "0".to_owned())], Vec::new()))?;
    assert_eq!(ci_state(&busy, &[]).err().map(|error| exit_code(&error)), Some(75));
    Ok(())
}

#[test]
fn a_token_may_write_pages_if_the_forge_answers_that_there_is_no_such_page() -> Result<()> {
    for (status, words) in [(404, None), (403, Some("may not write release pages")), (500, Some("500"))] {
        let server = Server::start(move |asked, _| match asked.what.ends_with("/releases/0") {
            true => empty(status),
            false if asked.what.ends_with("/version") => (200, date(), b"{}".to_vec()),
            false => (200, Vec::new(), b"{\"enabled\": true}".to_vec()),
        })?;
        let found = forge(&server, &[], Some(Secret::new("token-of-alice")))?.check_access();
        let said = match &found {
            Ok(problems) => {
                problems.iter().map(|problem| problem.text.as_str()).collect::<Vec<_>>().join("; ")
            }
            Err(error) => format!("{error:#}"),
        };
        assert_eq!(said.is_empty(), words.is_none(), "{status}: {said}");
        ensure!(said.contains(words.unwrap_or_default()), "{status}: {said}");
    }
    Ok(())
}

/// The header that the clock is read from.
fn date() -> Vec<(&'static str, String)> {
    vec![("Date", httpdate::fmt_http_date(std::time::SystemTime::now()))]
}

/// The content of a file of a page.
pub(super) fn file(forge: &Forgejo) -> Result<Option<Vec<u8>>> {
    let listed = Listed { id: 1, name: SUMS.to_owned(), size: 4 };
    forge.assets(&"v1.0.0".parse()?, &[&listed]).pop().context("no answer")?
}

pub(super) const FILE: &str = "GET /acme/carol/releases/download/v1.0.0/SHA256SUMS";

#[test]
fn a_file_is_first_requested_anonymously_and_the_token_goes_only_to_the_forge() -> Result<()> {
    let storage = Server::start(|_, _| (200, Vec::new(), b"sums".to_vec()))?;
    let elsewhere = format!("http://localhost:{}/bucket/x?signature=s", storage.address.port());
    let server = Server::start(move |asked, _| match &asked.authorization {
        Some(_) => (302, vec![("Location", elsewhere.clone())], Vec::new()),
        None => empty(404),
    })?;
    let token = Some(Secret::new("token-of-alice"));
    assert_eq!(file(&forge(&server, &[], token)?)?, Some(b"sums".to_vec()), "of a draft");
    let asked: Vec<_> = server.log()?.into_iter().map(|asked| (asked.what, asked.authorization)).collect();
    let with_token = Some("token token-of-alice".to_owned());
    assert_eq!(asked, [(FILE.to_owned(), None), (FILE.to_owned(), with_token)]);
    assert!(storage.log()?.iter().all(|asked| asked.authorization.is_none()));

    let public =
        Server::start(
            |asked, _| {
                if asked.what == FILE { (200, Vec::new(), b"sums".to_vec()) } else { empty(404) }
            },
        )?;
    let token = Some(Secret::new("token-of-alice"));
    assert_eq!(file(&forge(&public, &[], token)?)?, Some(b"sums".to_vec()));
    assert!(public.log()?.iter().all(|asked| asked.authorization.is_none()));
    Ok(())
}

#[test]
fn only_files_that_are_not_public_are_requested_with_the_token() -> Result<()> {
    let server = Server::start(|asked, _| match asked.authorization {
        None if asked.what != FILE => empty(404),
        _ => (200, Vec::new(), asked.what.rsplit('/').next().unwrap_or_default().into()),
    })?;
    let listed = ["a", SUMS, "b"].map(|name| Listed { id: 1, name: name.to_owned(), size: 4 });
    let forge = forge(&server, &[], Some(Secret::new("token-of-alice")))?;
    let found = forge.assets(&"v1.0.0".parse()?, &listed.each_ref());
    let found = found.into_iter().collect::<Result<Vec<_>>>()?;
    assert_eq!(found, ["a", SUMS, "b"].map(|name| Some(name.as_bytes().to_vec())));
    let asked = server.log()?.into_iter().map(|asked| (asked.what, asked.authorization.is_some()));
    let path = |name| FILE.replace(SUMS, name);
    let expected = [("a", false), (SUMS, false), ("b", false), ("a", true), ("b", true)];
    assert!(asked.eq(expected.map(|(name, has_token)| (path(name), has_token))));
    Ok(())
}

#[test]
fn a_file_that_redirects_in_a_circle_is_an_error() -> Result<()> {
    let circle =
        Server::start(|_, address| (302, vec![("Location", format!("http://{address}/again"))], Vec::new()))?;
    let error = file(&forge(&circle, &[], None)?).err().context("there is an end")?;
    assert!(format!("{error:#}").contains("leads nowhere"), "{error:#}");
    Ok(())
}

/// A forge whose repository acme/carol became acme/dave, and then new/dave. Its API answers only under the last name.
fn renamed() -> Result<Server> {
    Server::start(|asked, _| {
        let api = |rest: &str| format!("/api/v1/repos/{rest}");
        let path = asked.what.split_once(' ').map_or("", |(_, path)| path);
        for (from, to) in [("acme/carol", "new/carol"), ("new/carol", "new/dave")] {
            if let Some(rest) = path.strip_prefix(&api(from)) {
                return (307, vec![("Location", api(&format!("{to}{rest}")))], Vec::new());
            }
        }
        match path {
            "/api/v1/repos/new/dave/tags/v1.0.0" => {
                let tag = json!({ "id": "a".repeat(40), "commit": { "sha": "a".repeat(40) } });
                (200, Vec::new(), tag.to_string().into_bytes())
            }
            path if path.starts_with("/api/v1/repos/new/dave/pulls?") => {
                let pull = json!({ "number": 7, "merged": true, "merge_commit_sha": "a".repeat(40),
                    "updated_at": "2026-11-29T10:00:00Z" });
                let pulls = if path.ends_with("&page=1") { json!([pull]) } else { json!([]) };
                (200, Vec::new(), pulls.to_string().into_bytes())
            }
            "/new/dave/releases/download/v1.0.0/SHA256SUMS" => (200, Vec::new(), b"sums".to_vec()),
            "/api/v1/repos/new/dave" => (200, Vec::new(), b"{\"default_branch\": \"main\"}".to_vec()),
            "/api/v1/repos/new/dave/releases/7/assets/1" => empty(204),
            _ => empty(404),
        }
    })
}

#[test]
fn a_renamed_repository_is_queried_by_its_new_name_and_not_released_by_its_old_one() -> Result<()> {
    let (server, token) = (renamed()?, Some(Secret::new("token-of-alice")));
    let forge = forge(&server, &[], token)?;
    let (tag, commit) = ("v1.0.0".parse()?, Commit::parse(&"a".repeat(40))?);
    assert_eq!(forge.tag(&tag)?, Some(commit.clone()));
    assert_eq!(server.log()?.len(), 3, "the old name, the next one, the present one");
    assert_eq!(file(&forge)?, Some(b"sums".to_vec()));
    assert_eq!(server.log()?.len(), 1, "the present name is known by now");

    let problems = forge.preflight(&tag, &commit)?;
    let [problem] = &problems[..] else { panic!("{problems:?}") };
    ensure!(problem.text.contains("`acme/carol` is now `new/dave`"), "{problem:?}");
    ensure!(!problem.text.contains("image"), "it went with its owner: {problem:?}");
    Ok(())
}

#[test]
fn the_pull_requests_of_a_renamed_repository_are_listed_under_its_present_name() -> Result<()> {
    let server = renamed()?;
    let commit = "a".repeat(40);
    let runner = Runner::new(&Environment::from_process());
    let wanted = BTreeSet::from([commit.as_str()]);
    let found = pulls(&runner, &config(&server, &[])?, &wanted, 0, Duration::from_secs(30))?;
    assert_eq!(found.of(&Commit::parse(&commit)?), Some(7));
    let log = server.log()?;
    assert_eq!(log.len(), 4, "the first page under three names, the second under the present one: {log:?}");
    Ok(())
}

#[test]
fn an_upload_is_sent_once_and_a_refusal_names_the_settings() -> Result<()> {
    let page = Page {
        tag: "v1.0.0".parse()?,
        commit: Commit::parse(&"a".repeat(40))?,
        title: String::new(),
        body: String::new(),
        prerelease: false,
    };
    let published = PublishedPage { id: 7, page, draft: true, address: String::new(), assets: Vec::new() };
    let asset = Asset { name: SUMS.to_owned(), bytes: b"sums".to_vec() };
    for (status, code, words) in [(413, 1, "`MAX_SIZE`"), (400, 1, "`ALLOWED_TYPES`"), (502, 75, "502")] {
        let server = Server::start(move |_, _| empty(status))?;
        let error = forge(&server, &[], None)?.upload(&published, &asset).err().context("it is accepted")?;
        assert!(format!("{error:#}").contains(words) && exit_code(&error) == code, "{status}: {error:#}");
        assert_eq!(server.asked()?, ["POST /api/v1/repos/acme/carol/releases/7/assets?name=SHA256SUMS"]);
    }
    Ok(())
}

#[test]
fn a_token_without_access_is_reported_once() -> Result<()> {
    let (tag, commit) = ("v0.2.0".parse()?, Commit::parse(&"a".repeat(40))?);
    for status in [401, 403, 404] {
        let server = Server::start(move |_, _| empty(status))?;
        let problems = forge(&server, &[], Some(Secret::new("token-of-alice")))?.preflight(&tag, &commit)?;
        let [problem] = &problems[..] else { panic!("{status}: {problems:?}") };
        assert!(problem.text.contains("with `FORGEJO_TOKEN`, the forge answers"), "{problem:?}");
    }
    let server = Server::start(|_, _| empty(503))?;
    let problems = forge(&server, &[], Some(Secret::new("token-of-alice")))?.preflight(&tag, &commit)?;
    assert!(problems.len() == 1 && problems[0].is_transient, "{problems:?}");
    Ok(())
}

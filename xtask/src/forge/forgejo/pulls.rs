//! The pull requests that brought the commits of a range. Nothing depends on them, so the time spent on them is
//! bounded, and an incomplete answer counts as no answer.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use serde::Deserialize;

use super::{PAGE_SIZE, renamed};
use crate::http::{Curl, Method, Request};
use crate::inputs::config::Config;
use crate::inputs::pulls::Pulls;
use crate::process::Runner;
use crate::process::time::parse_rfc3339;
use crate::tool::git::Commit;

/// For all requests together.
pub const BUDGET: Duration = Duration::from_secs(5);

/// After this many pages, the answer counts as incomplete.
const MAX_PAGES: usize = 20;

/// The greatest number with nine digits; no forge has that many pull requests.
const GREATEST_NUMBER: u32 = 999_999_999;

/// `GET /repos/{o}/{r}/pulls`
#[derive(Deserialize)]
struct Pull {
    number: u32,
    merged: bool,
    /// A commit on the default branch: the merge, or the last commit of a squash, rebase or fast-forward. Gitea sets
    /// it before the merge as well. No other field names a commit reliably: `head` is the current head of the branch,
    /// which may have received other commits since.
    merge_commit_sha: Option<String>,
    /// RFC 3339.
    updated_at: String,
}

/// Queries the forge of `config` anonymously for the merged pull requests that brought `commits`. None of them was
/// merged before `since`, in seconds since 1970.
///
/// # Errors
/// When a complete answer did not arrive within `budget`, or has another format.
pub fn pulls(
    runner: &Runner,
    config: &Config,
    commits: &BTreeSet<&str>,
    since: u64,
    budget: Duration,
) -> Result<Pulls> {
    let api = format!("{}/api/v1/repos/", config.forge);
    let deadline = Instant::now() + budget;
    let mut name = config.repository.clone();
    read(commits, since, |page| {
        let address = format!("{api}{name}/pulls");
        let send = |request: &Request| {
            let left = deadline.saturating_duration_since(Instant::now());
            ensure!(!left.is_zero(), "asking `{address}`: no end after {} s", budget.as_secs_f32());
            Curl::new(runner, left).without_retries().send(request)
        };
        let query = format!("{address}?state=closed&sort=recentupdate&limit={PAGE_SIZE}&page={page}");
        let request = Request::new(Method::Get, query).header("Accept", "application/json");
        let (response, present) = renamed::follow(&api, request, send)?;
        name = present.unwrap_or_else(|| name.clone());
        ensure!(response.status == 200, response.unexpected());
        response.json()
    })
}

/// `ask` returns a page by its number, counted from 1; the most recently updated pull requests come first.
fn read(
    commits: &BTreeSet<&str>,
    since: u64,
    mut ask: impl FnMut(usize) -> Result<Vec<Pull>>,
) -> Result<Pulls> {
    let mut found = Pulls::default();
    for page in 1..=MAX_PAGES {
        let pulls = ask(page)?;
        for Pull { number, merged, merge_commit_sha, .. } in &pulls {
            ensure!((1..=GREATEST_NUMBER).contains(number), "the forge has a pull request {number}");
            let brought = merge_commit_sha.iter().filter(|_| *merged);
            for commit in brought.filter(|commit| commits.contains(commit.as_str())) {
                found.add(&Commit::parse(commit)?, *number);
            }
        }
        let Some(oldest) = pulls.last() else { return Ok(found) };
        let updated = parse_rfc3339(&oldest.updated_at).context("reading the time of a pull request")?;
        if updated < since {
            return Ok(found);
        }
    }
    bail!("more than {} pull requests changed since the previous release", MAX_PAGES * PAGE_SIZE)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::net::TcpListener;
    use std::time::{Duration, Instant};

    use serde_json::{Value, json};

    use super::{MAX_PAGES, Pull, pulls, read};
    use crate::inputs::config::tests::example;
    use crate::process::Runner;
    use crate::process::environment::Environment;
    use crate::tool::git::Commit;

    fn id(digit: &str) -> String {
        digit.repeat(40)
    }

    fn pull(number: u32, merged: bool, merge: Option<&str>, head: &str, minute: u32) -> Pull {
        let value = json!({
            "number": number, "merged": merged, "merge_commit_sha": merge.map(id), "head": {"sha": id(head)},
            "updated_at": format!("2026-11-29T10:{minute:02}:00Z"), "title": "more fields"
        });
        serde_json::from_value(value).unwrap()
    }

    /// The results for the commits `a` to `d`, and how many pages were requested.
    fn found(pages: Vec<Vec<Pull>>, since: u64) -> (Vec<Option<u32>>, usize) {
        let (ids, mut pages, mut asked) = (["a", "b", "c", "d"].map(id), pages.into_iter(), 0);
        let pulls = read(&ids.iter().map(String::as_str).collect(), since, |page| {
            asked += 1;
            assert_eq!(page, asked);
            Ok(pages.next().unwrap_or_default())
        });
        let pulls = pulls.unwrap();
        (ids.iter().map(|id| pulls.of(&Commit::parse(id).unwrap())).collect(), asked)
    }

    #[test]
    fn only_the_merge_commit_counts_and_the_lowest_pull_request_number_wins() {
        let pages = || {
            vec![
                vec![pull(9, true, Some("a"), "e", 30), pull(8, false, Some("b"), "b", 20)],
                // The branch of a merged pull request may have received other commits since.
                vec![pull(7, true, Some("a"), "c", 10), pull(6, true, Some("d"), "c", 5)],
            ]
        };
        assert_eq!(found(pages(), 0), (vec![Some(7), None, None, Some(6)], 3));
        // 2026-11-29T10:25:00Z
        assert_eq!(found(pages(), 1_795_947_900), (vec![Some(9), None, None, None], 1));
        assert_eq!(found(vec![], 0), (vec![None; 4], 1));
    }

    #[test]
    fn a_list_of_too_many_pages_is_an_error() {
        let none = BTreeSet::new();
        let of_page = |last: usize| {
            let asked = |page: usize| {
                let pulls = (page < last).then(|| pull(1, true, None, "d", 1));
                Ok(pulls.into_iter().collect())
            };
            read(&none, 0, asked)
        };
        assert!(of_page(MAX_PAGES).is_ok());
        let error = of_page(MAX_PAGES + 1).unwrap_err().to_string();
        assert!(error.contains("more than 1000"), "{error}");
    }

    #[test]
    fn a_pull_request_with_an_invalid_number_or_time_is_an_error() {
        let none = BTreeSet::new();
        for number in [0, 1_000_000_000] {
            assert!(read(&none, 0, |_| Ok(vec![pull(number, true, None, "a", 0)])).is_err(), "{number}");
        }
        let no_time = |_| {
            let value: Value = json!({"number": 1, "merged": true, "merge_commit_sha": null, "head": {"sha": ""}, "updated_at": "soon"});
            Ok(vec![serde_json::from_value(value)?])
        };
        assert!(read(&none, 0, no_time).is_err());
    }

    #[test]
    fn a_silent_forge_costs_no_more_than_the_budget() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut config = example();
        config.forge = format!("http://{}", listener.local_addr().unwrap()).try_into().unwrap();
        let runner = Runner::new(&Environment::from_process());
        let began = Instant::now();
        let error = pulls(&runner, &config, &BTreeSet::new(), 0, Duration::from_millis(300)).unwrap_err();
        assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
        assert!(error.to_string().contains("/repos/"), "{error:#}");
    }
}

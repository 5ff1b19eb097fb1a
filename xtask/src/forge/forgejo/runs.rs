//! A forge's record of an Actions run. Forgejo and Gitea serve it at the same address but in different fields
//! (docs/facts.md#runs-by-the-api).

use anyhow::{Context as _, Result, bail, ensure};
use serde::Deserialize;

use super::Forgejo;
use crate::forge::{RunLookup, RunRecord};
use crate::http::{Method, Request, Response};
use crate::tool::git::Commit;

/// `GET /repos/{o}/{r}/actions/runs/{id}`.
#[derive(Deserialize)]
struct RunAnswer {
    id: u64,
    #[serde(alias = "index_in_repo")]
    run_number: u64,
    event: String,
    #[serde(alias = "commit_sha")]
    head_sha: String,
    /// Gitea: `release.yml@refs/tags/v0.1.0`.
    path: Option<String>,
    /// Forgejo: `release.yml`.
    workflow_id: Option<String>,
    /// Forgejo: `v0.1.0`.
    prettyref: Option<String>,
}

impl RunAnswer {
    fn record(self) -> Result<RunRecord> {
        let (workflow, reference) = match (self.workflow_id, self.prettyref, self.path) {
            (Some(workflow), Some(reference), _) => (workflow, reference),
            (_, _, Some(path)) => {
                let named = path.split_once('@').map(|(file, at)| (file.to_owned(), at.to_owned()));
                named.with_context(|| format!("the path `{path}` of a run names no ref"))?
            }
            _ => bail!("run {} names neither its workflow nor its ref", self.id),
        };
        // Every ref but a tag keeps its full name, because a branch may have the name of a tag. Forgejo has only the
        // short form, which does not distinguish the two.
        let tag = reference.strip_prefix("refs/tags/");
        Ok(RunRecord {
            number: self.run_number,
            event: self.event,
            commit: Commit::parse(&self.head_sha).context("reading the commit of a run")?,
            reference: tag.unwrap_or(&reference).to_owned(),
            workflow: workflow.rsplit('/').next().unwrap_or_default().to_owned(),
        })
    }
}

impl Forgejo {
    /// As [`crate::forge::Read::run`].
    pub(super) fn read_run(&self, id: u64) -> Result<RunLookup> {
        let ask = |rest: &str| self.send(Request::new(Method::Get, self.url(&format!("actions/runs{rest}"))));
        let response = ask(&format!("/{id}"))?;
        match response.status {
            200 => {
                let answer: RunAnswer = response.json()?;
                ensure!(answer.id == id, "{response} with the run {}: expected {id}", answer.id);
                answer.record().with_context(|| format!("{response}: reading it")).map(RunLookup::Recorded)
            }
            // A forge without this API gives the same answer as one that has no such run.
            404 => of_missing(&response, &ask("?limit=1")?),
            _ => refused(&response),
        }
    }
}

/// What a 404 means: if the forge lists runs, it has none with that id.
fn of_missing(response: &Response, listed: &Response) -> Result<RunLookup> {
    match listed.status {
        200 => Ok(RunLookup::Missing),
        404 => Ok(RunLookup::Refused(response.to_string())),
        _ => refused(listed),
    }
}

/// [`RunLookup::Refused`] for a status that refuses the query permanently; an error for any other status.
fn refused(response: &Response) -> Result<RunLookup> {
    match response.status {
        401 | 403 | 405 | 410 | 501 => Ok(RunLookup::Refused(response.to_string())),
        _ => Err(response.unexpected()),
    }
}

#[cfg(test)]
mod tests {
    use super::{RunAnswer, of_missing, refused};
    use crate::forge::{RunLookup, RunRecord};
    use crate::http::Response;
    use crate::tool::git::Commit;
    use serde_json::json;

    #[test]
    fn forgejo_and_gitea_answers_are_read_as_the_same_record() {
        let commit = "8".repeat(40);
        let expected = RunRecord {
            number: 42,
            event: "push".to_owned(),
            commit: Commit::parse(&commit).unwrap(),
            reference: "v0.1.0".to_owned(),
            workflow: "release.yml".to_owned(),
        };
        let forgejo = json!({
            "id": 7, "index_in_repo": 42, "event": "push", "trigger_event": "push", "commit_sha": commit,
            "workflow_id": "release.yml", "prettyref": "v0.1.0", "status": "success",
        });
        let gitea = json!({
            "id": 7, "run_number": 42, "event": "push", "head_sha": commit, "head_branch": "v0.1.0",
            "path": "release.yml@refs/tags/v0.1.0", "status": "completed", "conclusion": "success",
        });
        for answer in [&forgejo, &gitea] {
            let read: RunAnswer = serde_json::from_value(answer.clone()).unwrap();
            assert_eq!(read.record().unwrap(), expected, "{answer}");
        }
        for (field, value) in
            [("head_sha", json!("8")), ("path", json!("release.yml")), ("path", json!(null))]
        {
            let mut wrong = gitea.clone();
            wrong[field] = value;
            let read = serde_json::from_value::<RunAnswer>(wrong.clone()).unwrap().record();
            assert!(read.is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_run_of_a_branch_named_like_a_tag_is_not_a_run_of_the_tag() {
        for (at, expected) in [
            ("refs/tags/v0.1.0", "v0.1.0"),
            ("refs/heads/v0.1.0", "refs/heads/v0.1.0"),
            ("refs/pull/1/head", "refs/pull/1/head"),
        ] {
            let answer = json!({
                "id": 7, "run_number": 42, "event": "push", "head_sha": "8".repeat(40),
                "path": format!("release.yml@{at}"),
            });
            let read: RunAnswer = serde_json::from_value(answer).unwrap();
            assert_eq!(read.record().unwrap().reference, expected);
        }
    }

    #[test]
    fn a_run_is_missing_only_where_the_forge_lists_runs() {
        let answer = |status: u16| Response::of(status, &[], b"{}");
        let said = |listed: u16| of_missing(&answer(404), &answer(listed));
        assert_eq!(said(200).unwrap(), RunLookup::Missing);
        for status in [401, 403, 404, 405] {
            assert!(matches!(said(status), Ok(RunLookup::Refused(_))), "{status}");
        }
        assert!(said(500).is_err());
        assert!(matches!(refused(&answer(403)), Ok(RunLookup::Refused(_))) && refused(&answer(503)).is_err());
    }
}

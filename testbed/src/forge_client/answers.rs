//! The forges' answers, told apart by shape. Gitea's shapes were recorded from 1.26.0. Forgejo's runs follow its
//! published API description and have not been recorded.

use anyhow::{Context as _, Result, bail};
use serde::Deserialize;

/// The state of a run, or of a commit's status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Not started: queued behind another, or not yet taken by a runner.
    Waiting,
    /// Started and not ended.
    Running,
    /// Green.
    Success,
    /// Red.
    Failure,
    /// Ended by a person, or by a newer run of its concurrency group.
    Cancelled,
    /// Skipped by a condition.
    Skipped,
}

impl State {
    /// Whether it can no longer change, except by a re-run.
    #[must_use]
    pub fn is_final(self) -> bool {
        !matches!(self, Self::Waiting | Self::Running)
    }

    fn parse(word: &str) -> Result<Self> {
        Ok(match word {
            "unknown" | "waiting" | "blocked" | "queued" | "pending" => Self::Waiting,
            "running" | "in_progress" => Self::Running,
            "success" => Self::Success,
            "failure" | "error" | "timed_out" => Self::Failure,
            "cancelled" => Self::Cancelled,
            "skipped" | "neutral" => Self::Skipped,
            other => bail!("`{other}` is not a known state of a run"),
        })
    }
}

/// One run of a workflow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// Unique on the forge: the run's `RUN_ID`.
    pub id: u64,
    /// Its count in the repository: the run's `RUN_NUMBER`.
    pub number: u64,
    /// The tag or branch of the run, in short form: `v0.1.0`.
    pub reference: String,
    /// The workflow's file name.
    pub workflow: String,
    /// Its state.
    pub state: State,
    /// Start and end in RFC 3339 with whole seconds, as the forge says. Empty or before 1971 means "not yet".
    pub times: (String, String),
}

/// `GET /repos/{o}/{r}/actions/runs`
#[derive(Deserialize)]
pub(super) struct Runs {
    workflow_runs: Option<Vec<RunAnswer>>,
}

#[derive(Deserialize)]
struct RunAnswer {
    id: u64,
    #[serde(alias = "index_in_repo")]
    run_number: u64,
    status: String,
    /// Gitea: the result of a run whose status is `completed`.
    conclusion: Option<String>,
    /// Gitea: `release.yml@refs/tags/v0.1.0`.
    path: Option<String>,
    /// Forgejo: `release.yml`.
    workflow_id: Option<String>,
    /// Forgejo: `v0.1.0`.
    prettyref: Option<String>,
    #[serde(alias = "started", default)]
    started_at: Option<String>,
    #[serde(alias = "stopped", default)]
    completed_at: Option<String>,
}

impl Runs {
    pub(super) fn runs(self) -> Result<Vec<Run>> {
        self.workflow_runs.unwrap_or_default().into_iter().map(RunAnswer::run).collect()
    }
}

impl RunAnswer {
    fn run(self) -> Result<Run> {
        let (workflow, reference) = match (self.workflow_id, self.prettyref, self.path) {
            (Some(workflow), Some(reference), _) => (workflow, reference),
            (_, _, Some(path)) => {
                let (workflow, reference) = path
                    .split_once('@')
                    .with_context(|| format!("the path `{path}` of a run names no ref"))?;
                (workflow.to_owned(), short(reference).to_owned())
            }
            _ => bail!("run {} names neither its workflow nor its ref", self.id),
        };
        let state = self.conclusion.filter(|conclusion| !conclusion.is_empty()).unwrap_or(self.status);
        let times = (self.started_at.unwrap_or_default(), self.completed_at.unwrap_or_default());
        Ok(Run {
            id: self.id,
            number: self.run_number,
            reference,
            workflow,
            state: State::parse(&state)?,
            times,
        })
    }
}

fn short(reference: &str) -> &str {
    let short = reference.strip_prefix("refs/tags/").or_else(|| reference.strip_prefix("refs/heads/"));
    short.unwrap_or(reference)
}

/// `GET /repos/{o}/{r}/actions/runs/{id}/jobs`: Gitea wraps the list, Forgejo 16 does not.
#[derive(Deserialize)]
#[serde(untagged)]
pub(super) enum Jobs {
    Wrapped { jobs: Option<Vec<Job>> },
    Bare(Vec<Job>),
}

#[derive(Deserialize)]
pub(super) struct Job {
    id: u64,
}

impl Jobs {
    pub(super) fn ids(self) -> Vec<u64> {
        let jobs = match self {
            Self::Wrapped { jobs } => jobs.unwrap_or_default(),
            Self::Bare(jobs) => jobs,
        };
        jobs.into_iter().map(|job| job.id).collect()
    }
}

/// A status of a commit.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
pub struct Status {
    /// Its source: `release / release (push)`.
    pub context: String,
    /// Its value: `pending`, `success`, `failure`, `error`.
    #[serde(rename = "status")]
    pub state: String,
    /// Its link. Gitea's has the run's id, Forgejo's has the run's number.
    pub target_url: String,
}

/// A release page.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
pub struct Release {
    /// The forge's own number for it.
    pub id: u64,
    /// Its tag.
    pub tag_name: String,
    /// The commit or branch that it was made for, or nothing.
    pub target_commitish: String,
    /// Its title.
    pub name: String,
    /// Its text, in Markdown.
    pub body: String,
    /// Whether it is hidden from the public.
    pub draft: bool,
    /// Whether it is marked as a pre-release.
    pub prerelease: bool,
    /// The address of the page.
    pub html_url: String,
    /// Its files.
    #[serde(default)]
    pub assets: Vec<Asset>,
}

/// A file of a release.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Asset {
    /// The forge's own number for it.
    pub id: u64,
    /// Its name; two may have the same.
    pub name: String,
}

#[cfg(test)]
mod tests {
    use super::{Jobs, Run, Runs, State};
    use serde_json::{Value, json};

    fn run(answer: &Value) -> Run {
        let runs: Runs =
            serde_json::from_value(json!({ "workflow_runs": [answer], "total_count": 1 })).unwrap();
        runs.runs().unwrap().remove(0)
    }

    #[test]
    fn a_run_is_read_the_same_from_either_shape() {
        let gitea = json!({ "id": 5, "run_number": 1, "path": "release.yml@refs/tags/v1.0.0", "event": "push",
            "status": "completed", "conclusion": "success",
            "started_at": "2026-11-23T19:10:59Z", "completed_at": "2026-11-23T19:11:02Z" });
        let forgejo = json!({ "id": 5, "index_in_repo": 1, "workflow_id": "release.yml", "prettyref": "v1.0.0",
            "event": "push", "status": "success",
            "started": "2026-11-23T19:10:59Z", "stopped": "2026-11-23T19:11:02Z" });
        assert_eq!(run(&gitea), run(&forgejo));
        assert_eq!(run(&gitea).state, State::Success);
        assert_eq!((run(&gitea).id, run(&gitea).number, &*run(&gitea).reference), (5, 1, "v1.0.0"));
    }

    #[test]
    fn a_run_in_progress_is_not_final_and_an_unknown_state_is_an_error() {
        let running =
            json!({ "id": 1, "run_number": 1, "path": "x.yml@refs/heads/main", "status": "in_progress" });
        assert!(!run(&running).state.is_final() && run(&running).reference == "main");
        assert!(State::parse("exploded").is_err());
        let none: Runs = serde_json::from_value(json!({ "workflow_runs": null })).unwrap();
        assert!(none.runs().unwrap().is_empty());
    }

    #[test]
    fn jobs_are_read_wrapped_and_bare() {
        for answer in [json!({ "jobs": [{ "id": 7 }], "total_count": 1 }), json!([{ "id": 7 }])] {
            assert_eq!(serde_json::from_value::<Jobs>(answer).unwrap().ids(), [7]);
        }
    }
}

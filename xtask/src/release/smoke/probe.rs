//! The program that queries the service: the node of the service's own image runs it, and it reaches the service by
//! name in the network. So it needs no port on the engine's machine, and no curl or shell in the image.

use std::time::Duration;

use anyhow::{Context as _, Error, Result, anyhow, bail, ensure};
use serde::Deserialize;
use serde_json::json;

use crate::inputs::config::{ALIAS, Http};
use crate::inputs::source::Source;
use crate::process::secret::redact;

/// The program.
pub(super) const PROGRAM: &str = include_str!("probe.js");

/// How much of the start of a wrong answer is shown, in characters. More would not help a reader.
const SHOWN: usize = 200;

/// The usual reason when nothing listens although the service runs: many frameworks listen on loopback by default.
const REFUSED: &str =
    " (does the service listen on all addresses, such as `0.0.0.0`, and not only on `127.0.0.1`?)";

/// The program's output.
#[derive(Deserialize)]
pub(super) struct Answers {
    health: Answer,
    version: Option<Answer>,
}

impl Answers {
    /// # Errors
    /// When the program printed something else.
    pub(super) fn parse(printed: &str) -> Result<Self> {
        serde_json::from_str(printed.trim()).context("reading what the probe of the service printed")
    }

    /// Whether the service reported that it is up.
    pub(super) fn is_healthy(&self) -> bool {
        self.health.status == Some(200)
    }
}

#[derive(Deserialize)]
struct Answer {
    status: Option<u16>,
    #[serde(default)]
    body: String,
    error: Option<String>,
}

/// The answer of the version path. A service may add other fields.
#[derive(Deserialize)]
struct Version {
    version: String,
    commit: String,
}

/// The program's argument.
pub(super) fn question(http: &Http<'_>, patience: Duration) -> String {
    let Http { port, health, version } = http;
    let patience = u64::try_from(patience.as_millis()).unwrap_or(u64::MAX);
    json!({"host": ALIAS, "port": port, "health": health, "version": version, "patience": patience})
        .to_string()
}

/// Why the program gave no answers. `node` should have run it, in the service's own container, or in a container
/// `beside` it, of the image for that platform.
pub(super) fn no_answers(code: Option<i32>, stderr: &str, node: &str, beside: Option<&str>) -> Error {
    let image = beside.map_or_else(|| "the image".to_owned(), |platform| format!("the image for {platform}"));
    let place = match beside {
        None => "within its container".to_owned(),
        Some(_) => format!("a container of {image}"),
    };
    match code {
        // docker's exit codes for a program that does not exist.
        Some(126 | 127) => anyhow!(
            "{image} has no `{node}`, which queries the service; for a service without node set `smoke.command` in \
             place of `port` and `health`"
        ),
        // The end of the service also kills this node, and the engine may report that end late.
        Some(137) if beside.is_none() => anyhow!(
            "`{node}`, which queries the service from {place}, was killed: the service ended, or memory \
             ran out (`smoke.memory`)"
        ),
        Some(137) => anyhow!(
            "`{node}`, which queries the service from {place}, was killed: probably memory ran out (`smoke.memory`)"
        ),
        code => anyhow!(
            "`{node}`, which queries the service from {place}, ended with {}: {stderr}",
            code.map_or_else(|| "a signal".to_owned(), |code| code.to_string()),
        ),
    }
}

/// Judges the answers.
///
/// # Errors
/// When the service did not become healthy, or reports another version or commit.
pub(super) fn judge(answers: &Answers, http: &Http<'_>, patience: Duration, source: &Source) -> Result<()> {
    let Answers { health, version } = answers;
    ensure!(
        answers.is_healthy(),
        "`{}` on port {} did not answer 200 within {} s: {}; `smoke.health` and `smoke.port` in `Cargo.toml` say what is \
         queried",
        http.health,
        http.port,
        patience.as_secs(),
        health.describe()
    );
    let Some(path) = http.version else { return Ok(()) };
    let answer = version.as_ref().context("the probe did not ask for the version")?;
    ensure!(answer.status == Some(200), "`{path}` did not answer 200: {}", answer.describe());
    let Ok(found) = serde_json::from_str::<Version>(&answer.body) else {
        bail!(
            "`{path}` must answer JSON with `version` and `commit`: {}; without `smoke.version` both are read from \
             the image",
            answer.describe()
        )
    };
    let (version, commit) = (source.tag.version().to_string(), source.commit.as_str());
    ensure!(
        (found.version.as_str(), found.commit.as_str()) == (version.as_str(), commit),
        "the service says that it is {} of {}: expected {version} of {commit}",
        shown(&found.version),
        shown(&found.commit)
    );
    Ok(())
}

impl Answer {
    fn describe(&self) -> String {
        match (&self.error, self.status) {
            (Some(error), _) => {
                let error = shown(error);
                let refused = if error.contains("ECONNREFUSED") { REFUSED } else { "" };
                format!("the last try ended with `{error}`{refused}")
            }
            (None, Some(status)) => format!("it answered {status}, `{}`", shown(&self.body)),
            (None, None) => "there was no answer".to_owned(),
        }
    }
}

/// The start of the service's answer, without characters that a terminal would act on. It is redacted first: the start
/// of a secret would not be recognized.
fn shown(text: &str) -> String {
    let plain = |c: char| if c.is_control() { ' ' } else { c };
    let start: String = redact(text).chars().take(SHOWN).map(plain).collect();
    start.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::{Answers, judge, no_answers, question};
    use crate::inputs::config::Http;
    use crate::inputs::source::Source;
    use crate::process::secret::Secret;
    use crate::tool::git::Commit;
    use anyhow::Result;
    use serde_json::{Value, json};
    use std::time::Duration;

    const HTTP: Http<'_> = Http { port: 3000, health: "/healthz", version: Some("/version") };
    const TIMEOUT: Duration = Duration::from_secs(30);

    fn source() -> Source {
        Source {
            tag: "v1.2.3".parse().unwrap(),
            commit: Commit::parse(&"7".repeat(40)).unwrap(),
            time: 0,
            is_tagged: true,
        }
    }

    fn judge_printed(printed: &str, http: &Http<'_>) -> Result<()> {
        judge(&Answers::parse(printed)?, http, TIMEOUT, &source())
    }

    #[test]
    fn a_node_that_gave_no_answers_is_described_by_where_it_ran() {
        const BESIDE: &str = "from a container of the image for linux/amd64";
        for (code, beside, words, others) in [
            (Some(127), None, "the image has no `/node`", "linux/amd64"),
            (Some(127), Some("linux/amd64"), "the image for linux/amd64 has no `/node`", "within"),
            (Some(137), None, "within its container, was killed: the service ended", "linux/amd64"),
            (Some(137), Some("linux/amd64"), "was killed: probably memory ran out (`smoke.memory`)", "ended"),
            (Some(137), Some("linux/amd64"), BESIDE, "within"),
            (Some(1), None, "within its container, ended with 1: oh", "linux/amd64"),
            (Some(125), Some("linux/amd64"), "ended with 125: oh", "within"),
            (None, Some("linux/amd64"), BESIDE, "within"),
        ] {
            let text = no_answers(code, "oh", "/node", beside).to_string();
            assert!(text.contains(words) && !text.contains(others), "{text}");
        }
    }

    #[test]
    fn only_an_answer_with_status_200_is_healthy() {
        for (printed, is_healthy) in [
            (json!({"health": {"status": 200}}), true),
            (json!({"health": {"status": 503}}), false),
            (json!({"health": {"error": "connect ECONNREFUSED"}}), false),
        ] {
            assert_eq!(Answers::parse(&printed.to_string()).unwrap().is_healthy(), is_healthy, "{printed}");
        }
    }

    #[test]
    fn the_probe_gets_the_host_the_port_the_paths_and_the_patience() {
        let question: Value = serde_json::from_str(&question(&HTTP, TIMEOUT)).unwrap();
        assert_eq!(
            question,
            json!({"host": "service", "port": 3000, "health": "/healthz", "version": "/version", "patience": 30000})
        );
    }

    #[test]
    fn a_secret_that_an_answer_echoes_is_shown_neither_whole_nor_in_part() {
        let _known = Secret::new("probed-secret-value");
        for before in 180..200 {
            let body = format!("{}probed-secret-value", "x".repeat(before));
            let printed = json!({"health": {"status": 503, "body": body}}).to_string();
            let error = judge_printed(&printed, &HTTP).unwrap_err().to_string();
            assert!(!error.contains("pro"), "{error}");
        }
    }

    #[test]
    fn a_service_must_be_healthy_and_report_the_right_version_and_commit() {
        let said =
            |version: &str| json!({"version": version, "commit": "7".repeat(40), "more": 1}).to_string();
        let answers = |version: Value| json!({"health": {"status": 200, "body": "ok"}, "version": version});
        let right = answers(json!({"status": 200, "body": said("1.2.3")}));
        judge_printed(&format!("{right}\n"), &HTTP).unwrap();
        let without = Http { version: None, ..HTTP };
        judge_printed(&json!({"health": {"status": 200, "body": ""}}).to_string(), &without).unwrap();
        for (wrong, expected) in [
            (
                json!({"health": {"status": 503, "body": "not \u{1b}[31myet"}}),
                "it answered 503, `not  [31myet`",
            ),
            (
                json!({"health": {"error": "connect ECONNREFUSED"}}),
                "`connect ECONNREFUSED` (does the service listen",
            ),
            (json!({"health": {"error": "read ECONNRESET"}}), "`read ECONNRESET`; `smoke.health`"),
            (json!({"health": {}}), "no answer; `smoke.health` and `smoke.port` in `Cargo.toml`"),
            (json!({"health": {"status": 200}}), "did not ask"),
            (answers(json!({"status": 404, "body": "x"})), "`/version` did not answer 200: it answered 404"),
            (answers(json!({"status": 200, "body": "1.2.3"})), "must answer JSON"),
            (answers(json!({"status": 200, "body": said("1.2.4")})), "it is 1.2.4 of"),
            (json!([]), "reading what the probe"),
        ] {
            let error = format!("{:#}", judge_printed(&wrong.to_string(), &HTTP).unwrap_err());
            assert!(error.contains(expected), "expected `{expected}` in: {error}");
        }
    }
}

//! `check --online` with a real registry, builder and base image. The npm registry is the real one, except for its
//! answer to `npm audit`. A mirror may not have that answer, and it may change from day to day, so a stand-in gives
//! it.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use xtask::process::temp_dir::random_hex;
use xtask::process::time::{now, rfc3339};

use crate::bad_input::REFUSED;
use crate::harness::checkout::Checkout;
use crate::harness::run::Xtask;
use crate::harness::{call, export, read, test};

/// The path at which npm requests advisories.
const ADVISORIES: &str = "/-/npm/v1/security/advisories/bulk";

/// Answers requests for advisories, and redirects npm to its own registry for everything else.
struct AuditStandIn {
    url: String,
    /// `None` for a registry that answers no such request, as a mirror does.
    answer: Arc<Mutex<Option<String>>>,
}

impl AuditStandIn {
    /// Runs for as long as the tests run.
    fn start() -> Result<Self> {
        let real = read("npm", &["config", "get", "registry"])?;
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let url = format!("http://{}/", listener.local_addr()?);
        let answer = Arc::new(Mutex::new(None));
        let shared = Arc::clone(&answer);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (answer, real) = (Arc::clone(&shared), real.trim_end_matches('/').to_owned());
                thread::spawn(move || reply(stream, &answer, &real));
            }
        });
        Ok(Self { url, answer })
    }

    fn answer(&self, advisories: Option<&Value>) {
        *self.answer.lock().unwrap_or_else(PoisonError::into_inner) = advisories.map(Value::to_string);
    }
}

fn reply(mut stream: TcpStream, answer: &Mutex<Option<String>>, real: &str) -> Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut head = Vec::new();
    for line in reader.by_ref().lines() {
        match line? {
            line if line.is_empty() => break,
            line => head.push(line),
        }
    }
    let length = head
        .iter()
        .find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ").map(str::to_owned));
    let mut body = vec![0; length.map_or(Ok(0), |length| length.parse())?];
    reader.read_exact(&mut body)?;
    let path = head.first().and_then(|line| line.split(' ').nth(1)).context("no path")?;
    let answer = answer.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let (status, more, body) = match (path, answer) {
        (ADVISORIES, Some(answer)) => ("200 OK", String::new(), answer),
        (ADVISORIES, None) => ("405 Method Not Allowed", String::new(), String::new()),
        _ => ("302 Found", format!("Location: {real}{path}\r\n"), String::new()),
    };
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n{more}Connection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes())?;
    Ok(stream.write_all(body.as_bytes())?)
}

/// The findings of `check --online --json` for these rules, as rule, severity and text.
fn found(checkout: &Checkout, stand_in: &str, rules: &[&str]) -> Result<Vec<(String, String, String)>> {
    let run = Xtask::new(checkout, &["check", "--online", "--json"])
        .env("TESTBED_BASE_STAND_IN", stand_in)
        .env("TESTBED_BASE_STAND_IN_FOR", "node:22-slim")
        .run()?;
    let document: Value = serde_json::from_str(&run.stdout).with_context(|| run.stderr.clone())?;
    let findings = document["findings"].as_array().context("a document without findings")?;
    let field = |finding: &Value, name: &str| finding[name].as_str().unwrap_or_default().to_owned();
    let all: Vec<_> = findings
        .iter()
        .map(|finding| (field(finding, "rule"), field(finding, "severity"), field(finding, "text")))
        .collect();
    let has_error = all.iter().any(|(_, severity, _)| severity == "error");
    ensure!(run.code == if has_error { REFUSED } else { 0 }, "exit code {}: {all:?}", run.code);
    let is_of_npm = |text: &str| text.contains("`npm audit signatures`");
    let broken = all.iter().find(|(_, _, text)| is_of_npm(text) && text.contains("it ended with"));
    ensure!(broken.is_none(), "`npm ci` in the build failed: {broken:?}");
    let wanted = |rule: &str, text: &str| rules.contains(&rule) && !is_of_npm(text);
    Ok(all.into_iter().filter(|(rule, _, text)| wanted(rule, text)).collect())
}

/// `package` in the service's lockfile, with its version.
fn locked(checkout: &Checkout, package: &str) -> Result<String> {
    let lock: Value = serde_json::from_slice(&checkout.committed("service/package-lock.json")?)?;
    let version = lock["packages"][format!("node_modules/{package}")]["version"].as_str();
    version.map(str::to_owned).with_context(|| format!("`{package}` is not in the lockfile"))
}

fn statement(package: &str, until: &str) -> Value {
    json!({"vulnerability": {"name": "GHSA-0000-0000-0000"}, "products": [{"@id": package}],
        "status": "under_investigation", "status_notes": format!("Until {until}: it is looked at")})
}

fn exceptions(statements: &[Value]) -> Result<String> {
    let day = 24 * 60 * 60;
    Ok(json!({"@context": "https://openvex.dev/ns/v0.2.0", "@id": "https://example.org/exceptions", "author": "e2e",
        "timestamp": rfc3339(now()? - 30 * day), "version": 1, "statements": statements})
    .to_string())
}

#[test]
fn an_npm_advisory_is_an_error_unless_a_valid_exception_covers_it() -> Result<()> {
    test(|| {
        let checkout = Checkout::new()?;
        let registry = AuditStandIn::start()?;
        let setting = "[workspace.metadata.release]\n";
        checkout.replace("Cargo.toml", setting, &format!("{setting}build-network = \"host\"\n"))?;
        let settings = String::from_utf8(checkout.committed("service/.npmrc")?)?;
        checkout.write("service/.npmrc", &format!("{settings}\nregistry={}\n", registry.url))?;
        let version = locked(&checkout, "fastify")?;
        let advisory = json!({"fastify": [{"id": 1, "url": "https://example.org/GHSA-0000-0000-0000", "title": "made up",
            "severity": "high", "vulnerable_versions": "<=99.0.0", "cwe": [], "cvss": {"score": 0, "vectorString": null}}]});
        let base = export("TESTBED_BASE_STAND_IN")?;
        let rules = ["package-advisory", "exception-expired", "exception-unused", "online-unanswered"];
        let ask = || found(&checkout, &base, &rules);

        registry.answer(Some(&advisory));
        let findings = ask()?;
        let [(rule, severity, text)] = &findings[..] else { anyhow::bail!("{findings:?}") };
        let package = format!("pkg:npm/fastify@{version}");
        ensure!((&**rule, &**severity) == ("package-advisory", "error"), "{findings:?}");
        ensure!(text.contains("GHSA-0000-0000-0000") && text.contains(&package), "{text}");

        let day = |days: u64| Ok::<_, anyhow::Error>(rfc3339(days * 24 * 60 * 60 + now()?)[..10].to_owned());
        let yesterday = rfc3339(now()? - 24 * 60 * 60)[..10].to_owned();
        let statements = [
            statement(&package, &day(30)?),
            statement("pkg:npm/fastify@0.0.1", &day(30)?),
            statement("pkg:npm/pino@0.0.1", &yesterday),
        ];
        checkout.write("security/exceptions.openvex.json", &exceptions(&statements)?)?;
        let findings: Vec<_> = ask()?.into_iter().map(|(rule, severity, _)| (rule, severity)).collect();
        let row = |rule: &str, severity: &str| (rule.to_owned(), severity.to_owned());
        ensure!(
            findings == [row("exception-unused", "note"), row("exception-expired", "error")],
            "{findings:?}"
        );

        registry.answer(None);
        let findings = ask()?;
        let [(rule, severity, text)] = &findings[..] else { anyhow::bail!("{findings:?}") };
        ensure!((&**rule, &**severity) == ("online-unanswered", "error"), "{findings:?}");
        ensure!(
            text.contains("audit endpoint returned an error") && text.contains("cargo xtask check --online"),
            "{text}"
        );
        Ok(())
    })
}

#[test]
#[ignore = "long: `cargo xtask ci --all`"]
fn a_base_image_is_compared_with_what_its_tag_names_now() -> Result<()> {
    test(|| {
        let checkout = Checkout::new()?;
        let (base, other) = (export("TESTBED_BASE_STAND_IN")?, export("TESTBED_COMPANION")?);
        let name = format!("{}/acme/e2e-{}", export("TESTBED_REGISTRY")?, &random_hex()?[..12]);
        let digest = base.split_once('@').context("a stand-in without a digest")?.1;
        let put = |tag: &str, image: &str| {
            call("docker", &["buildx", "imagetools", "create", "--tag", &format!("{name}:{tag}"), image])?
                .run()
        };
        put("22-slim", &base)?;
        let rules = ["base-stand-in", "base-behind", "base-tag", "base-index", "base-unavailable"];
        let ask = |tag: &str, digest: &str| {
            let found = found(&checkout, &format!("{name}:{tag}@{digest}"), &rules)?;
            let others = found.into_iter().filter(|(rule, _, _)| rule != "base-stand-in");
            Ok::<_, anyhow::Error>(others.collect::<Vec<_>>())
        };
        let findings = ask("22-slim", digest)?;
        ensure!(findings.is_empty(), "{findings:?}");

        put("22-slim", &other)?;
        let findings = ask("22-slim", digest)?;
        let [(rule, severity, text)] = &findings[..] else { anyhow::bail!("{findings:?}") };
        ensure!((&**rule, &**severity) == ("base-behind", "note"), "{findings:?}");
        ensure!(text.contains("than what the tag names now"), "{text}");

        let findings: Vec<_> = ask("24-slim", &format!("sha256:{}", "0".repeat(64)))?;
        let rules: Vec<_> = findings.iter().map(|(rule, severity, _)| (&**rule, &**severity)).collect();
        ensure!(rules == [("base-unavailable", "error"), ("base-tag", "error")], "{findings:?}");
        Ok(())
    })
}

//! The machine that the figures were measured on.

use std::fs;

use anyhow::{Context as _, Result};
use xshell::cmd;
use xtask::http::Method;
use xtask::process::Runner;
use xtask::process::environment::Environment;
use xtask::process::time::{now, rfc3339};

use crate::forge_client::Client;

/// The load averages over one, five and fifteen minutes (proc(5)).
pub(crate) fn load() -> Result<String> {
    Ok(line("/proc/loadavg")?.split(' ').take(3).collect::<Vec<_>>().join(" "))
}

/// The machine and the programs, as pairs of name and value.
pub(crate) fn describe(environment: &Environment, client: &Client) -> Result<Vec<(&'static str, String)>> {
    let runner = Runner::new(environment);
    let shell = runner.shell()?;
    // Docker looks for its plugins there.
    let config = environment.get("DOCKER_CONFIG")?.unwrap_or_default();
    let docker =
        |words: &[&str]| runner.call(cmd!(shell, "docker {words...}")).env("DOCKER_CONFIG", config).read();
    let git = |words: &[&str]| {
        let top = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
        runner.call(cmd!(shell, "git -C {top} {words...}")).read()
    };
    let cores = std::thread::available_parallelism().context("counting the cores")?;
    let commit = git(&["rev-parse", "--short=12", "HEAD"])?;
    let changed = if git(&["status", "--porcelain"])?.is_empty() { "" } else { ", with changes" };
    Ok(vec![
        ("measured", rfc3339(now()?)),
        ("commit", format!("`{commit}`{changed}")),
        ("processor", format!("{}, {cores} cores", field("/proc/cpuinfo", "model name")?)),
        ("memory", memory(&field("/proc/meminfo", "MemTotal")?)?),
        ("kernel", line("/proc/sys/kernel/osrelease")?),
        ("load before", load()?),
        ("docker", docker(&["version", "--format", "{{.Server.Version}}"])?),
        ("buildx", docker(&["buildx", "version"])?.split(' ').nth(1).unwrap_or_default().to_owned()),
        ("cosign", cosign(&runner.call(cmd!(shell, "cosign version")).output()?.success()?.text()?)),
        ("node", runner.call(cmd!(shell, "node --version")).read()?),
        ("forge", forge(client)?),
    ])
}

fn forge(client: &Client) -> Result<String> {
    #[derive(serde::Deserialize)]
    struct Version {
        version: String,
    }
    let answer = client.api(Method::Get, "/version", None)?;
    Ok(answer.json::<Version>()?.version)
}

fn line(path: &str) -> Result<String> {
    let text = fs::read_to_string(path).with_context(|| format!("reading `{path}`"))?;
    Ok(text.lines().next().unwrap_or_default().to_owned())
}

/// The value of the first line `name : value`.
fn field(path: &str, name: &str) -> Result<String> {
    let text = fs::read_to_string(path).with_context(|| format!("reading `{path}`"))?;
    let mut lines = text.lines().filter_map(|line| line.split_once(':'));
    Ok(lines.find(|(key, _)| key.trim() == name).map_or("unknown", |(_, value)| value.trim()).to_owned())
}

fn memory(total: &str) -> Result<String> {
    let kib = total.split(' ').next().unwrap_or_default().parse::<f64>();
    let kib = kib.with_context(|| format!("reading `{total}` as the machine's memory"))?;
    Ok(format!("{:.1} GiB", kib / f64::from(1 << 20)))
}

/// Distributions build cosign with the version `devel`; the Go version tells their builds apart.
fn cosign(text: &str) -> String {
    let value = |wanted: &str| {
        let mut lines = text.lines().filter_map(|line| line.split_once(':'));
        lines.find(|(key, _)| key.trim() == wanted).map_or("unknown", |(_, value)| value.trim())
    };
    format!("{}, built with {}", value("GitVersion"), value("GoVersion"))
}

#[cfg(test)]
mod tests {
    use super::{cosign, memory};

    #[test]
    fn the_memory_and_the_cosign_version_are_shortened() {
        assert_eq!(memory("24575000 kB").unwrap(), "23.4 GiB");
        assert!(memory("unknown").is_err());
        let text = "GitVersion:    v3.1.3\nGoVersion:     go1.26\n";
        assert_eq!(cosign(text), "v3.1.3, built with go1.26");
    }
}

//! Runs `npm audit` with the npm of the base image, inside a build. The build gets the service's manifests and
//! lockfile and nothing else from the work tree; npm's output comes out as files. npm never runs on this machine
//! itself, so nothing here acts on what a commit tells npm.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, anyhow, bail, ensure};
use serde_json::Value;

use super::Asker;
use crate::build::logins::docker_config;
use crate::build::missing_secrets;
use crate::inputs::config::build_secrets;
use crate::inputs::dockerfile::BaseImage;
use crate::inputs::{NPMRC, PACKAGE_JSON, PACKAGE_LOCK, stand_in};
use crate::oci::exact;
use crate::process::file;
use crate::process::progress::Steps;
use crate::process::secret::redact;
use crate::process::temp_dir::TempDir;
use crate::tool::docker::sources::Sources;
use crate::tool::docker::{Build, Cache, Docker, Output};

/// The largest output that is read, in bytes: more than npm prints for fifty thousand packages.
const MAX_SIZE: u64 = 32 << 20;

/// The longest part of npm's error output that an error quotes, in characters.
const MAX_QUOTE_LEN: usize = 600;

/// npm's answers: JSON, or the reason why there is none.
pub(super) struct Answers {
    pub(super) advisories: Result<Vec<u8>>,
    pub(super) signatures: Result<Vec<u8>>,
}

impl Asker<'_> {
    /// Queries the registry with the npm of the image that the first stage is built on.
    ///
    /// # Errors
    /// When the build itself fails; npm's own errors are in the answers.
    pub(super) fn ask_npm(&self) -> Result<Answers> {
        let image = self.inputs.base.builders.first().unwrap_or(&self.inputs.base.last);
        let (scratch, answers) = (TempDir::new()?, TempDir::new()?);
        for (path, bytes) in self.files()? {
            write(&scratch.path().join("files").join(path), &bytes)?;
        }
        let names: Vec<_> = self.config.build_secrets.iter().map(ToString::to_string).collect();
        let recipe = recipe(image, self.config.service.join("").trim_end_matches('/'), &names);
        write(&scratch.path().join("Dockerfile"), recipe.as_bytes())?;
        let config = docker_config(self.config, self.environment, None, &Steps::plain())?;
        let build = self.audit(image, scratch.path(), Output::Files(answers.path().to_owned()))?;
        Docker::new(self.runner, &config).build_files(&build).context("asking npm in a build")?;
        let installed = answer(answers.path(), "ci", |_text| Ok(()));
        let advisories = answer(answers.path(), "audit", is_answer);
        let signatures = installed.and_then(|_| answer(answers.path(), "signatures", is_answer));
        Ok(Answers { advisories, signatures })
    }

    /// The files that `npm ci` reads, by path.
    fn files(&self) -> Result<BTreeMap<String, Vec<u8>>> {
        let service = &self.config.service;
        let mut paths = [PACKAGE_JSON, PACKAGE_LOCK, NPMRC].map(|name| service.join(name)).to_vec();
        paths.extend(self.inputs.lockfile.local_manifests(service)?.into_iter().map(|(_, path)| path));
        let read = |path: String| {
            let bytes = super::file(self.root, &path)?;
            Ok(bytes.map(|bytes| (path, bytes)))
        };
        paths.into_iter().filter_map(|path| read(path).transpose()).collect()
    }

    fn audit(&self, image: &BaseImage, context: &Path, output: Output) -> Result<Build> {
        let stand_in = stand_in::of(&self.stand_ins, image).map(ToString::to_string);
        let pinned = format!("{}@{}", image.full_name(), image.digest);
        let secrets = build_secrets(&self.config.build_secrets, self.environment)?
            .map_err(|missing| anyhow!("{}", missing_secrets(&missing)))?;
        Ok(Build {
            context: context.to_owned(),
            platforms: Vec::new(),
            arguments: Vec::new(),
            labels: Vec::new(),
            annotations: Vec::new(),
            sources: Sources { images: vec![stand_in.clone().unwrap_or(pinned)], files: Vec::new() },
            stand_ins: stand_in.map(|image_of| (image.reference.clone(), image_of)).into_iter().collect(),
            ca_certificates: self.environment.get("NODE_EXTRA_CA_CERTS")?.map(Into::into),
            secrets,
            proxies: self.environment.proxies()?,
            builder: self.config.builder.clone(),
            network: self.config.build_network.clone(),
            // A fresh cache: the query is for what npm reports today, not for what it reported to an earlier build.
            cache: Cache::own()?,
            output,
            timeout: self.config.timeouts.build(),
        })
    }
}

/// A Dockerfile that runs npm's queries in `folder`, with each secret in the variable of its name. npm exits with 1
/// both when it found something and when a query failed, so the exit code is kept and the answer is parsed.
fn recipe(image: &BaseImage, folder: &str, secrets: &[String]) -> String {
    let all = "--include=dev --include=optional --include=peer";
    // By default npm waits 10 and then 60 seconds between its tries, for each of the three queries.
    let patience = "--fetch-retry-mintimeout=1000 --fetch-retry-maxtimeout=5000";
    let mounts: String = secrets.iter().map(|name| format!(" --mount=type=secret,id={name}")).collect();
    let exports: String = secrets
        .iter()
        .map(|name| format!("{name}=\"$(cat /run/secrets/{name})\"; export {name}; "))
        .collect();
    format!(
        "FROM {} AS audit\n\
         USER 0\n\
         COPY files/ /audit/\n\
         WORKDIR /audit/{folder}\n\
         RUN --mount=type=secret,id=ca{mounts} {exports}\
         if [ -s /run/secrets/ca ]; then export NODE_EXTRA_CA_CERTS=/run/secrets/ca; fi; \
         mkdir /answers; \
         ask() {{ name=$1; shift; npm \"$@\" --no-fund --no-update-notifier {patience} \
         > /answers/$name.json 2> /answers/$name.err; echo $? > /answers/$name.code; }}; \
         ask audit audit --json {all}; \
         ask ci ci --ignore-scripts --no-audit {all}; \
         ask signatures audit signatures --json {all}\n\
         FROM scratch\n\
         COPY --from=audit /answers/ /\n",
        image.reference
    )
}

/// The output of npm for `name` if `is_answer` accepts it; otherwise an error with what npm printed on standard error.
fn answer(dir: &Path, name: &str, is_answer: impl Fn(&[u8]) -> Result<()>) -> Result<Vec<u8>> {
    let part = |end: &str| read(&dir.join(format!("{name}.{end}")));
    let (code, printed) = (part("code")?, part("json")?);
    let code = String::from_utf8_lossy(&code).trim().to_owned();
    let said = || error_output(&part("err").unwrap_or_default());
    let is_ended = if name == "ci" { code == "0" } else { code == "0" || code == "1" };
    ensure!(is_ended, "it ended with {code}: {}", said());
    is_answer(&printed).with_context(said)?;
    Ok(printed)
}

/// Whether npm printed something other than an error.
fn is_answer(printed: &[u8]) -> Result<()> {
    let Value::Object(answer) = exact::parse_as_spelled(printed).context("it printed no JSON")? else {
        bail!("it printed no object");
    };
    ensure!(!answer.contains_key("error"), "it was not answered");
    Ok(())
}

/// npm's error output in one line, cut to its first [`MAX_QUOTE_LEN`] characters. It is redacted first: the start of
/// a secret would not be recognized.
fn error_output(bytes: &[u8]) -> String {
    let text = redact(&String::from_utf8_lossy(bytes));
    let lines: Vec<_> = text
        .lines()
        .map(|line| line.trim_start_matches("npm error").trim())
        .filter(|line| !line.is_empty() && !line.starts_with("A complete log of this run"))
        .collect();
    lines.join("; ").chars().take(MAX_QUOTE_LEN).collect()
}

fn read(path: &Path) -> Result<Vec<u8>> {
    let doing = || format!("reading `{}` of the build", path.file_name().unwrap_or_default().display());
    file::read(path, MAX_SIZE).with_context(doing)?.with_context(|| format!("{}: there is none", doing()))
}

fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    let doing = || format!("writing `{}`", path.display());
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).with_context(doing)?;
    }
    fs::write(path, bytes).with_context(doing)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::{answer, is_answer, recipe};
    use crate::inputs::dockerfile;
    use crate::oci::reference::Digest;
    use crate::process::temp_dir::TempDir;

    #[test]
    fn secrets_are_mounted_and_in_no_layer() {
        let text = format!("FROM node:22-slim@{}", Digest::of(b"x"));
        let image = dockerfile::read(&text, &[]).unwrap().base.last;
        let recipe = recipe(&image, "service", &["NPM_TOKEN".to_owned()]);
        assert!(recipe.starts_with(&format!("{text} AS audit\n")), "{recipe}");
        assert!(recipe.contains(" --mount=type=secret,id=NPM_TOKEN "), "{recipe}");
        assert!(!recipe.contains("ARG") && !recipe.contains("ENV"), "{recipe}");
    }

    #[test]
    fn a_query_that_failed_is_reported_with_npms_own_words() {
        let scratch = TempDir::new().unwrap();
        let put =
            |end: &str, text: &str| fs::write(scratch.path().join(format!("audit.{end}")), text).unwrap();
        let asked = || answer(scratch.path(), "audit", is_answer);
        assert!(asked().unwrap_err().to_string().contains("reading `audit.code`"));
        for (code, printed, said, words) in [
            (
                "1",
                r#"{"statusCode": 405, "error": {"summary": ""}}"#,
                "npm error audit endpoint returned an error\n",
                "audit endpoint returned an error: it was not answered",
            ),
            ("1", "", "npm error code ENOTFOUND\n", "code ENOTFOUND: it printed no JSON"),
            ("127", "", "sh: npm: not found\n", "it ended with 127: sh: npm: not found"),
            ("1", "[]", "", "no object"),
        ] {
            put("code", &format!("{code}\n"));
            put("json", printed);
            put("err", said);
            let error = format!("{:#}", asked().unwrap_err());
            assert!(error.contains(words), "{error}");
        }
        put("json", r#"{"vulnerabilities": {}}"#);
        assert!(asked().is_ok());
    }
}

//! The Dockerfile of a service, with or without a build step, following the rules of docs/reproducible.md.

#[cfg(test)]
mod tests;

use super::command::HOME;
use super::shipped::{Shipped, is_plain};
use super::survey::Survey;
use super::tool;
use crate::inputs::dockerfile::{NPM_CPU, says_musl};

/// The beginning of a `RUN` with npm: behind a proxy with its own certificate authority, npm must trust that
/// authority.
const AUTHORITY: &str = "RUN --mount=type=secret,id=ca --mount=type=cache,target=/root/.npm \\
    if [ -s /run/secrets/ca ]; then export NODE_EXTRA_CA_CERTS=/run/secrets/ca; fi && \\
";

const QUIET: &str = "--no-audit --no-fund --no-update-notifier";

/// The directory that a build step reads. The image gets what the step writes instead.
const SOURCES: &str = "src";

/// The text of the Dockerfile.
pub(super) fn text(survey: &Survey) -> String {
    let service = if survey.builds { built(survey) } else { plain(survey) };
    format!(
        "# The image of the service. The same commit gives the same content on every machine. `cargo xtask check` checks\n\
         # this file against the rules for that. The rules, and Dockerfiles for other kinds of services:\n\
         # {0}/reproducible.md\n\
         # {0}/services.md\n\
         {1}\n{service}\n{2}",
        tool::documents(),
        dependencies(survey),
        last(survey)
    )
}

/// The stage with the packages: it runs on the building machine and installs for the platform of the image.
fn dependencies(survey: &Survey) -> String {
    let base = &survey.stages;
    let libc = if says_musl(&survey.base) { "musl" } else { "glibc" };
    format!(
        "FROM --platform=$BUILDPLATFORM {base} AS dependencies\n\
         ARG TARGETARCH\n\
         WORKDIR /out/app\n\
         COPY {} ./\n{}\
         {AUTHORITY}    {NPM_CPU} && \\\n    npm ci --omit=dev --ignore-scripts --os=linux --cpu=\"$cpu\" --libc={libc} {QUIET} && \\\n    \
         rm -f package.json package-lock.json{}{} node_modules/.package-lock.json && \\\n    \
         find /out -exec touch --no-dereference --date=@499162500 {{}} +\n",
        manifests(survey),
        survey.local.copies(survey),
        if survey.has_npmrc { " .npmrc" } else { "" },
        survey.local.removed(),
    )
}

/// The stage that copies the service as it is in the repository.
fn plain(survey: &Survey) -> String {
    format!(
        "FROM --platform=$BUILDPLATFORM {} AS service\n\
         WORKDIR /out/app\n\
         COPY {} ./\n{}\
         ARG VERSION REVISION SOURCE SOURCE_DATE_EPOCH\n\
         RUN --network=none {}{}\\\n    find /out -exec touch --no-dereference --date=\"@$SOURCE_DATE_EPOCH\" {{}} +\n",
        survey.stages,
        paths(survey, ["package.json", "package-lock.json"]),
        sources(survey),
        write_facts("build.json"),
        volumes(survey),
    )
}

/// The stage that builds the service, with the development dependencies, once for all platforms.
fn built(survey: &Survey) -> String {
    let configured: String = match survey.shipped.build_files.as_slice() {
        [] => String::new(),
        files => format!("COPY {} ./\n", paths(survey, files.iter().map(String::as_str))),
    };
    format!(
        "# Built once for all platforms. The build tools are in no layer of the image.\n\
         FROM --platform=$BUILDPLATFORM {} AS service\n\
         WORKDIR /build\n\
         COPY {} ./\n{}\
         {AUTHORITY}    npm ci --ignore-scripts {QUIET}\n\
         {configured}{}\
         ARG VERSION REVISION SOURCE SOURCE_DATE_EPOCH\n\
         RUN --network=none npm run build && mkdir -p /out/app && cp -r {} package.json package-lock.json /out/app/ && \\\n    {}{}{}\\\n    \
         find /out -exec touch --no-dereference --date=\"@$SOURCE_DATE_EPOCH\" {{}} +\n",
        survey.stages,
        manifests(survey),
        survey.local.copies(survey),
        sources(survey),
        taken(survey).join(" "),
        survey.local.cleaned(),
        write_facts("/out/app/build.json"),
        volumes(survey),
    )
}

/// What the image gets: what the build step writes, and everything at the top except its sources.
pub(super) fn taken(survey: &Survey) -> Vec<&str> {
    if !survey.builds {
        return survey.shipped.all().collect();
    }
    let output = output(survey);
    let others = survey
        .shipped
        .all()
        .filter(|name| *name != output && (*name != SOURCES || survey.local.is_below(name)));
    [output].into_iter().chain(others).collect()
}

/// What a service might read, and the image does not get.
pub(super) fn left_out(survey: &Survey) -> Vec<&str> {
    let taken = taken(survey);
    let Shipped { build_files, left_out, .. } = &survey.shipped;
    let others = build_files.iter().chain(left_out).map(String::as_str);
    survey.shipped.all().filter(|name| !taken.contains(name)).chain(others).collect()
}

/// The file or directory at the top that the build step writes.
fn output(survey: &Survey) -> &str {
    let script = survey.command.script();
    match script.split_once('/') {
        Some((top, _)) => top,
        None if survey.shipped.all().any(|name| name == script) => "dist",
        None => script,
    }
}

/// The image itself: no command runs in this stage.
fn last(survey: &Survey) -> String {
    let old = survey.dockerfile.iter();
    let mut variables: Vec<_> =
        old.flat_map(|old| &old.variables).map(|env| survey.old_paths.relocated(&env.value)).collect();
    variables.extend(survey.command.variables.iter().map(|(name, value)| environment(name, value)));
    let is_mode = |word: &str| word.split('=').next() == Some("NODE_ENV");
    let is_set = variables.iter().any(|env| env.split_whitespace().any(is_mode));
    let mode = (!is_set).then(|| "NODE_ENV=production".to_owned());
    let variables: String = mode.into_iter().chain(variables).map(|env| format!("ENV {env}\n")).collect();
    let volumes: String = survey.volumes().iter().map(|path| format!("VOLUME {}\n", volume(path))).collect();
    format!(
        "FROM {}\n\
         COPY --link --from=dependencies /out/ /\n\
         COPY --link --from=service /out/ /\n\
         WORKDIR {HOME}\n\
         {variables}{volumes}\
         USER 1000:1000\n\
         STOPSIGNAL SIGTERM\n\
         {}\n",
        survey.base,
        survey.command.entrypoint(),
    )
}

/// A variable in the syntax of `ENV`.
fn environment(name: &str, value: &str) -> String {
    let is_plain = value.chars().all(|c| c.is_ascii_alphanumeric() || "._-/:=,+@%".contains(c));
    let quoted = || serde_json::Value::from(value).to_string().replace('$', "\\$");
    format!("{name}={}", if is_plain { value.to_owned() } else { quoted() })
}

/// The files that `npm ci` reads.
fn manifests(survey: &Survey) -> String {
    let npmrc = survey.has_npmrc.then_some(".npmrc");
    paths(survey, ["package.json", "package-lock.json"].into_iter().chain(npmrc))
}

fn paths<'a>(survey: &Survey, names: impl IntoIterator<Item = &'a str>) -> String {
    let prefix = survey.prefix();
    names.into_iter().map(|name| format!("{prefix}{name}")).collect::<Vec<_>>().join(" ")
}

/// The lines that copy the service's own files.
fn sources(survey: &Survey) -> String {
    let prefix = survey.prefix();
    let mut lines: String =
        survey.shipped.directories.iter().map(|name| format!("COPY {prefix}{name} ./{name}\n")).collect();
    if !survey.shipped.files.is_empty() {
        lines += &format!("COPY {} ./\n", paths(survey, survey.shipped.files.iter().map(String::as_str)));
    }
    lines
}

/// Writes the facts that the service can report about itself to `file`.
fn write_facts(file: &str) -> String {
    format!(
        "printf '{{\"version\":\"%s\",\"commit\":\"%s\",\"source\":\"%s\"}}\\n' \"$VERSION\" \"$REVISION\" \"$SOURCE\" > {file} && "
    )
}

/// Makes the directories of the volumes. They belong to the service's user, because the service writes to them.
fn volumes(survey: &Survey) -> String {
    let made = |path: &String| {
        let directory = if is_word(path) { format!("/out{path}") } else { format!("'/out{path}'") };
        format!("mkdir -p {directory} && chown 1000:1000 {directory} && ")
    };
    survey.volumes().iter().map(made).collect()
}

/// A path in the syntax of `VOLUME`.
pub(super) fn volume(path: &str) -> String {
    if is_word(path) { path.to_owned() } else { serde_json::json!([path]).to_string() }
}

fn is_word(path: &str) -> bool {
    path.split('/').all(is_plain)
}

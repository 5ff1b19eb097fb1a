//! The Dockerfile of a service, with or without a build step, following the rules of docs/reproducible.md.

use super::survey::Survey;
use super::tool;
use crate::inputs::dockerfile::says_musl;

/// Behind a proxy that has its own certificate authority, npm is given that authority.
const AUTHORITY: &str = "RUN --mount=type=secret,id=ca --mount=type=cache,target=/root/.npm \\
    if [ -s /run/secrets/ca ]; then export NODE_EXTRA_CA_CERTS=/run/secrets/ca; fi && \\
";

/// npm has its own names for processors.
const PROCESSOR: &str = "    case $TARGETARCH in amd64) cpu=x64 ;; 386) cpu=ia32 ;; ppc64le) cpu=ppc64 ;; *) cpu=$TARGETARCH ;; esac && \\
";

const QUIET: &str = "--no-audit --no-fund --no-update-notifier";

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
    let base = &survey.base;
    let libc = if says_musl(base) { "musl" } else { "glibc" };
    format!(
        "FROM --platform=$BUILDPLATFORM {base} AS dependencies\n\
         ARG TARGETARCH\n\
         WORKDIR /out/app\n\
         COPY {} ./\n\
         {AUTHORITY}{PROCESSOR}    npm ci --omit=dev --ignore-scripts --os=linux --cpu=\"$cpu\" --libc={libc} {QUIET} && \\\n    \
         rm -f package.json package-lock.json{} node_modules/.package-lock.json && \\\n    \
         find /out -exec touch --no-dereference --date=@499162500 {{}} +\n",
        manifests(survey),
        if survey.has_npmrc { " .npmrc" } else { "" },
    )
}

/// The stage that takes the service as it is in the repository.
fn plain(survey: &Survey) -> String {
    format!(
        "FROM --platform=$BUILDPLATFORM {} AS service\n\
         WORKDIR /out/app\n\
         COPY {} ./\n{}\
         ARG VERSION REVISION SOURCE SOURCE_DATE_EPOCH\n\
         RUN --network=none {}{}\\\n    find /out -exec touch --no-dereference --date=\"@$SOURCE_DATE_EPOCH\" {{}} +\n",
        survey.base,
        paths(survey, ["package.json", "package-lock.json"]),
        sources(survey),
        said("build.json"),
        volumes(survey),
    )
}

/// The stage that builds the service, with the development dependencies, once for all platforms.
fn built(survey: &Survey) -> String {
    let script = survey.command.iter().skip(1).find(|word| !word.starts_with('-'));
    let output = script.and_then(|script| script.split_once('/')).map_or("dist", |(top, _)| top);
    let configured: String = match survey.build_files.as_slice() {
        [] => String::new(),
        files => format!("COPY {} ./\n", paths(survey, files.iter().map(String::as_str))),
    };
    format!(
        "# Built once for all platforms. The build tools are in no layer of the image.\n\
         FROM --platform=$BUILDPLATFORM {} AS service\n\
         WORKDIR /build\n\
         COPY {} ./\n\
         {AUTHORITY}    npm ci --ignore-scripts {QUIET}\n\
         {configured}{}\
         ARG VERSION REVISION SOURCE SOURCE_DATE_EPOCH\n\
         RUN --network=none npm run build && mkdir -p /out/app && cp -r {output} package.json package-lock.json /out/app/ && \\\n    {}{}\\\n    \
         find /out -exec touch --no-dereference --date=\"@$SOURCE_DATE_EPOCH\" {{}} +\n",
        survey.base,
        manifests(survey),
        sources(survey),
        said("/out/app/build.json"),
        volumes(survey),
    )
}

/// The image itself: no command runs in this stage.
fn last(survey: &Survey) -> String {
    let old = survey.dockerfile.iter();
    let variables: String =
        old.clone().flat_map(|old| &old.variables).map(|env| format!("ENV {}\n", env.value)).collect();
    let volumes: String =
        old.flat_map(|old| &old.volumes).map(|volume| format!("VOLUME {}\n", volume.value)).collect();
    let mut script = false;
    let words = survey.command.iter().enumerate().map(|(number, word)| {
        let is_script = number > 0 && !script && !word.starts_with('-');
        script |= is_script;
        let word = if is_script { format!("/app/{word}") } else { word.clone() };
        format!("{word:?}")
    });
    format!(
        "FROM {}\n\
         COPY --link --from=dependencies /out/ /\n\
         COPY --link --from=service /out/ /\n\
         ENV NODE_ENV=production\n{variables}{volumes}\
         USER 1000:1000\n\
         STOPSIGNAL SIGTERM\n\
         ENTRYPOINT [{}]\n",
        survey.base,
        words.collect::<Vec<_>>().join(", "),
    )
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
        survey.directories.iter().map(|name| format!("COPY {prefix}{name} ./{name}\n")).collect();
    if !survey.files.is_empty() {
        lines += &format!("COPY {} ./\n", paths(survey, survey.files.iter().map(String::as_str)));
    }
    lines
}

/// Writes the facts that the service can report about itself to `file`.
fn said(file: &str) -> String {
    format!(
        "printf '{{\"version\":\"%s\",\"commit\":\"%s\",\"source\":\"%s\"}}\\n' \"$VERSION\" \"$REVISION\" \"$SOURCE\" > {file} && "
    )
}

/// Directories that the service writes to belong to its user.
fn volumes(survey: &Survey) -> String {
    let volumes = survey.dockerfile.iter().flat_map(|old| &old.volumes);
    volumes.map(|volume| format!("mkdir -p /out{0} && chown 1000:1000 /out{0} && ", volume.value)).collect()
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::text;
    use crate::commands::init::survey::Survey;
    use crate::inputs::dockerfile;
    use crate::inputs::finding::Finding;
    use crate::inputs::lockfile::Libc;

    fn survey(base: String) -> Survey {
        Survey {
            root: PathBuf::new(),
            folder: ".".to_owned(),
            package: serde_json::from_str("{}").unwrap(),
            forge: "https://forge.example.org".to_owned(),
            repository: "acme/app".to_owned(),
            branch: "main".to_owned(),
            command: vec!["node".to_owned(), "index.js".to_owned()],
            port: 3000,
            health: "/".to_owned(),
            base,
            directories: Vec::new(),
            files: vec!["index.js".to_owned()],
            build_files: Vec::new(),
            has_npmrc: false,
            builds: false,
            dockerfile: None,
        }
    }

    #[test]
    fn packages_are_for_the_c_library_of_the_base() {
        for (tag, expected) in
            [("22-slim", Libc::Glibc), ("22-alpine3.22", Libc::Musl), ("22-MUSL", Libc::Musl)]
        {
            for builds in [false, true] {
                let survey = Survey { builds, ..survey(format!("node:{tag}@sha256:{}", "a".repeat(64))) };
                let recipe = dockerfile::read(&text(&survey), &[]).unwrap();
                assert_eq!(recipe.libc, expected, "{tag}");
                assert!(!recipe.findings.iter().any(Finding::is_error), "{tag}: {:?}", recipe.findings);
            }
        }
    }
}

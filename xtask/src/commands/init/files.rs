//! The files of an adopter's repository: those that are this tool's, word for word, and those that are the adopter's own once
//! they are written.

use serde_json::json;

use super::survey::Survey;
use super::{Options, dockerfile, tool};
use crate::inputs::DOCKERFILE;

/// This repository's own, which an adopter gets as they are, or nearly.
const CI: &str = include_str!("../../../../.forgejo/workflows/ci.yml");
const RELEASE: &str = include_str!("../../../../.forgejo/workflows/release.yml");
const RENOVATE: &str = include_str!("../../../../renovate.json");
const TOOLCHAIN: &str = include_str!("../../../../rust-toolchain.toml");
const VERIFYING: &str = include_str!("../../../../docs/verifying.md");

/// What the documents of this project call itself.
const OWN_IMAGE: &str = "forge.wynning.tech/james/carol";
const OWN_NAME: &str = "carol";

/// One file.
pub(super) struct File {
    /// From the top of the repository.
    pub(super) path: &'static str,
    pub(super) text: String,
    /// It says the same in every repository, and a newer version of this tool may say something else.
    pub(super) is_ours: bool,
}

impl File {
    fn own(path: &'static str, text: String) -> Self {
        Self { path, text, is_ours: false }
    }

    fn ours(path: &'static str, text: String) -> Self {
        Self { path, text, is_ours: true }
    }
}

/// All of them.
pub(super) fn all(survey: &Survey, options: &Options) -> Vec<File> {
    vec![
        File::own("Cargo.toml", manifest(survey)),
        File::own("xtask/Cargo.toml", package(options)),
        File::own("xtask/src/main.rs", MAIN.to_owned()),
        File::own(DOCKERFILE, dockerfile::text(survey)),
        File::own(".dockerignore", dockerignore(survey)),
        File::own(".gitignore", "/target/\n".to_owned()),
        File::own("compose.example.yml", compose(survey)),
        File::ours(".cargo/config.toml", ALIAS.to_owned()),
        File::ours("rust-toolchain.toml", TOOLCHAIN.to_owned()),
        File::ours(".forgejo/workflows/ci.yml", CI.to_owned()),
        File::ours(".forgejo/workflows/release.yml", RELEASE.replace("--package xtask", "--package release")),
        File::ours("renovate.json", RENOVATE.to_owned()),
        File::ours("docs/verifying.md", verifying(survey)),
    ]
}

const MAIN: &str =
    "//! `cargo xtask`: the releases of this repository's service, by the tool that `xtask/Cargo.toml` pins.

fn main() -> std::process::ExitCode {
    xtask::main()
}
";

const ALIAS: &str = "[alias]
xtask = \"run --quiet --locked --package release --\"
";

fn manifest(survey: &Survey) -> String {
    let quoted = |text: &str| serde_json::Value::from(text).to_string();
    let or = |text: &str, otherwise: &str| quoted(if text.is_empty() { otherwise } else { text });
    let package = &survey.package;
    format!(
        "# The workspace of `cargo xtask`, which releases the service; the service is no part of it.\n\
         [workspace]\nresolver = \"3\"\nmembers = [\"xtask\"]\n\n\
         # What is released, and where: {}/configuration.md\n\
         [workspace.metadata.release]\n\
         forge = {}\nrepository = {}\ntitle = {}\ndescription = {}\nlicenses = {}\n\
         platforms = [\"linux/amd64\", \"linux/arm64\"]\nbranches = [{}]\nservice = {}\n\n\
         # How each platform's image is tried before it is signed.\n\
         [workspace.metadata.release.smoke]\nport = {}\nhealth = {}\n\n\
         # Short builds matter more than a debugger here; backtraces keep their line numbers.\n\
         [profile.dev]\ndebug = \"line-tables-only\"\n\n[profile.dev.package.\"*\"]\ndebug = false\n\n\
         # Layers are unpacked and hashed: unoptimized, that takes tens of times as long.\n{}",
        tool::documents(),
        quoted(&survey.forge),
        quoted(&survey.repository),
        quoted(survey.title()),
        or(&package.description, survey.title()),
        or(&package.license, "NOASSERTION"),
        quoted(&survey.branch),
        quoted(&survey.folder),
        survey.port,
        quoted(&survey.health),
        ["sha2", "flate2", "zlib-rs"]
            .map(|name| format!("[profile.dev.package.{name}]\nopt-level = 3\n"))
            .join("\n"),
    )
}

fn package(options: &Options) -> String {
    format!(
        "[package]\nname = \"release\"\nversion = \"0.0.0\"\nedition = \"2024\"\npublish = false\n\n\
         [[bin]]\nname = \"xtask\"\npath = \"src/main.rs\"\n\n[dependencies]\n{}\n",
        tool::dependency(options)
    )
}

/// The build context is the exported commit; of that, the image needs only the service.
fn dockerignore(survey: &Survey) -> String {
    let prefix = survey.prefix();
    let npmrc = survey.has_npmrc.then_some(".npmrc");
    let built = survey.build_files.iter().filter(|_| survey.builds).map(String::as_str);
    let names = ["package.json", "package-lock.json"].into_iter().chain(npmrc).chain(built);
    let own = survey.directories.iter().chain(&survey.files).map(String::as_str);
    let lines: String = names.chain(own).map(|name| format!("!{prefix}{name}\n")).collect();
    format!(
        "# The build context is the exported commit; of that, the image needs only the service.\n*\n{lines}"
    )
}

fn compose(survey: &Survey) -> String {
    let (title, port) = (survey.title(), survey.port);
    let ask = format!(
        "fetch('http://127.0.0.1:{port}{}').then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))",
        survey.health
    );
    format!(
        "# For those who host the service themselves: copy it, set the version, `docker compose up -d`.\n\
         services:\n  {title}:\n    \
         # A tag can be moved, a digest cannot: the release page names the digest.\n    \
         image: {}:v0.1.0\n    restart: unless-stopped\n    \
         # Only this machine can reach it; put a reverse proxy in front to let others in.\n    \
         ports:\n      - \"127.0.0.1:{port}:{port}\"\n    \
         read_only: true\n    cap_drop: [ALL]\n    security_opt: [\"no-new-privileges:true\"]\n    \
         healthcheck:\n      test: {}\n      interval: 30s\n      timeout: 3s\n      start_period: 10s\n",
        image(survey),
        json!(["CMD", "node", "-e", ask]),
    )
}

/// The image's name, as the configuration gives it.
fn image(survey: &Survey) -> String {
    let host = survey.forge.split_once("://").map_or(survey.forge.as_str(), |(_, host)| host);
    format!("{host}/{}", survey.repository.to_ascii_lowercase())
}

/// What strangers read, with the names of this repository, and with links to the tool's own documents.
fn verifying(survey: &Survey) -> String {
    let name = survey.repository.rsplit('/').next().unwrap_or_default().to_ascii_lowercase();
    let documents = tool::documents();
    // The addresses of formats are the same for everyone.
    let (mark, formats) = ("\u{0}", format!("https://{OWN_IMAGE}/src/tag/provenance-v1/"));
    let text = VERIFYING
        .replace(&formats, mark)
        .replace(&format!("https://{OWN_IMAGE}"), &format!("{}/{}", survey.forge, survey.repository));
    let text =
        text.replace(OWN_IMAGE, &image(survey)).replace(&format!("{OWN_NAME}.yaml"), &format!("{name}.yaml"));
    let text = text
        .replace(&format!("{OWN_NAME}.pub"), &format!("{name}.pub"))
        .replace(&format!("{OWN_NAME}-$"), &format!("{name}-$"));
    let mut linked = String::new();
    for (number, part) in text.split("](").enumerate() {
        if number > 0 {
            linked += "](";
            let is_kept = ["#", "http", "../"].iter().any(|start| part.starts_with(start));
            linked += &if is_kept { String::new() } else { format!("{documents}/") };
        }
        linked += part;
    }
    linked.replace(mark, &formats)
}

/// `text` without what an adopter may set in a workflow: the runner's label.
pub(super) fn comparable(text: &str) -> String {
    text.lines()
        .filter(|line| !line.trim_start().starts_with("runs-on:"))
        .map(|line| format!("{line}\n"))
        .collect()
}

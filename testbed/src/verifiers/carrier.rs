//! Programs that copy an image to another registry, and how much of its evidence they copy.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use xshell::cmd;
use xtask::evidence::bundle;
use xtask::http::Curl;
use xtask::oci::reference::{Digest, Image, Tag};
use xtask::oci::registry;
use xtask::process::environment::Environment;
use xtask::process::temp_dir::random_hex;

use super::subject::{self, Subject, TAG};
use super::tool::{COSIGN_2_6, From, program};
use crate::context::Context;
use crate::progress::Progress;
use crate::provision::text;

/// Enough for a copy of some hundred megabytes between two registries on this machine.
const TIMEOUT: Duration = Duration::from_secs(300);

/// One program and its command.
pub(super) struct Carrier {
    /// The name in the table.
    name: &'static str,
    from: From,
    /// The command in the table.
    command: &'static str,
    /// The arguments of each run that the copy takes.
    words: fn(&Copy<'_>) -> Vec<Vec<String>>,
}

/// The source and the destination.
struct Copy<'a> {
    /// `HOST/OWNER/NAME`
    from: &'a str,
    digest: &'a Digest,
    to: &'a Image,
    /// `host:port` of both registries.
    hosts: [&'a str; 2],
    /// The tags that are derived from digests.
    tags: &'a [String],
}

impl Copy<'_> {
    /// The released image, and its destination.
    fn image(&self) -> [String; 2] {
        [format!("{}@{}", self.from, self.digest), format!("{}:{TAG}", self.to)]
    }

    /// The image, and what each of the tags beside it names.
    fn each(&self) -> Vec<[String; 2]> {
        let beside =
            self.tags.iter().map(|tag| [format!("{}:{tag}", self.from), format!("{}:{tag}", self.to)]);
        [self.image()].into_iter().chain(beside).collect()
    }
}

/// What has arrived at the destination.
pub(super) struct Carried {
    name: &'static str,
    command: &'static str,
    legacy: bool,
    platforms: bool,
    bundles: bool,
    /// The claims that `xtask verify` finds false for the copy.
    wrong: Vec<String>,
}

/// Finds all carriers, and builds the missing ones.
pub(super) fn programs(cx: &Context, environment: &Environment) -> Result<Vec<(Carrier, PathBuf)>> {
    let found = |carrier: Carrier| {
        let program = program(cx, environment, carrier.name, &carrier.from)?;
        Ok((carrier, program))
    };
    carriers().into_iter().map(found).collect()
}

/// All carriers. crane and skopeo copy one thing at a time.
fn carriers() -> Vec<Carrier> {
    let cosign = |name, from| Carrier {
        name,
        from,
        command: "cosign copy",
        words: |copy| vec![words(&["copy"], copy.image())],
    };
    vec![
        Carrier {
            name: "crane 0.22.1",
            from: From::Testbed("TESTBED_CRANE"),
            command: "crane copy",
            words: |copy| copy.each().into_iter().map(|pair| words(&["copy"], pair)).collect(),
        },
        Carrier {
            name: "skopeo 1.18.0",
            from: From::Testbed("TESTBED_SKOPEO"),
            command: "skopeo copy --all --preserve-digests",
            words: |copy| {
                let fixed = [
                    "copy",
                    "--quiet",
                    "--all",
                    "--preserve-digests",
                    "--src-tls-verify=false",
                    "--dest-tls-verify=false",
                ];
                copy.each()
                    .into_iter()
                    .map(|pair| words(&fixed, pair.map(|name| format!("docker://{name}"))))
                    .collect()
            },
        },
        Carrier {
            name: "regctl 0.11.7",
            from: From::Package("github.com/regclient/regclient/cmd/regctl", "v0.11.7"),
            command: "regctl image copy --digest-tags --referrers",
            words: |copy| {
                let hosts = copy.hosts.map(|host| format!("--host=reg={host},tls=disabled"));
                let mut words = words(&["image", "copy", "--digest-tags", "--referrers"], copy.image());
                words.extend(hosts);
                vec![words]
            },
        },
        Carrier {
            name: "oras 1.3.6",
            from: From::Package("oras.land/oras/cmd/oras", "v1.3.6"),
            command: "oras cp --recursive",
            words: |copy| {
                vec![words(&["cp", "--recursive", "--from-plain-http", "--to-plain-http"], copy.image())]
            },
        },
        cosign("cosign 2.5.0", From::Testbed("TESTBED_COSIGN_2")),
        cosign("cosign 2.6.5", COSIGN_2_6),
        cosign("cosign 3.1.3", From::Testbed("TESTBED_COSIGN_3")),
    ]
}

fn words(fixed: &[&str], pair: [String; 2]) -> Vec<String> {
    fixed.iter().map(|&word| word.to_owned()).chain(pair).collect()
}

/// Copies `subject` with each carrier into the registry at `host`, and checks what has arrived.
pub(super) fn all(
    progress: &Progress,
    host: &str,
    carriers: &[(Carrier, PathBuf)],
    subject: &Subject,
    scratch: &Path,
) -> Result<Vec<Carried>> {
    let project = subject.project();
    let proxy = project.proxy.address().to_string();
    let tags = project.repository.registry_tags()?;
    let tags: Vec<_> = tags.into_iter().filter(|tag| tag.starts_with("sha256-")).collect();
    let mut carried = Vec::new();
    for (carrier, program) in carriers {
        let to: Image = format!("{host}/carried-{}/carol", &random_hex()?[..12]).parse()?;
        let from = &format!("{proxy}/{}", project.repository.full_name());
        let copy = Copy { from, digest: subject.digest(), to: &to, hosts: [host, &proxy], tags: &tags };
        for words in (carrier.words)(&copy) {
            let (runner, shell) = (&project.runner, project.runner.shell()?);
            // regctl keeps its settings in the home directory.
            let call = runner.call(cmd!(shell, "{program} {words...}")).env("HOME", text(scratch)?);
            call.timeout(TIMEOUT).run().with_context(|| format!("copying with {}", carrier.name))?;
        }
        carried.push(arrived(subject, &to, carrier)?);
        progress.line(carrier.name, "copied");
    }
    Ok(carried)
}

/// Compares what is beside the image in both registries.
fn arrived(subject: &Subject, to: &Image, carrier: &Carrier) -> Result<Carried> {
    let (here, digest) = (subject.project().repository.registry(), subject.digest());
    let there = registry::Client::new(Curl::new(&subject.project().runner, TIMEOUT), to.clone(), None);
    ensure!(
        there.digest_of(&TAG.parse::<Tag>()?)?.as_ref() == Some(digest),
        "{} did not copy the image",
        carrier.name
    );
    let same = |tag: &str| {
        let tag: &Tag = &tag.parse()?;
        let original = here.digest_of(tag)?.with_context(|| format!("the release has no `{tag}`"))?;
        anyhow::Ok(there.digest_of(tag)? == Some(original))
    };
    let tag = |digest: &Digest, end: &str| format!("{}{end}", bundle::tag(digest));
    let mut platforms = true;
    for platform in subject.platforms()? {
        platforms &= same(&tag(&platform, ".sig"))?;
    }
    Ok(Carried {
        name: carrier.name,
        command: carrier.command,
        legacy: same(&tag(digest, ".sig"))? && same(&tag(digest, ".att"))?,
        platforms,
        bundles: bundles(&there, digest)? == bundles(&here, digest)?,
        wrong: subject.wrong(&to.pinned(digest))?,
    })
}

/// The bundles that refer to `digest`, in any order.
fn bundles(registry: &registry::Client, digest: &Digest) -> Result<BTreeSet<String>> {
    let Some(index) = registry.manifest(&bundle::tag(digest))? else { return Ok(BTreeSet::new()) };
    let listed = subject::names(&index.bytes)?.manifests;
    listed.into_iter().map(|named| Ok(registry.known_manifest(&named.digest)?.digest.to_string())).collect()
}

/// One line for each program.
pub(super) fn render(carried: &[Carried]) -> String {
    let word = |kept: bool| if kept { "kept" } else { "lost" };
    let mut text = "| copied by | legacy format | signatures of the platforms' manifests | bundles | false for `xtask verify` |\n\
                    |---|---|---|---|---|\n"
        .to_owned();
    for Carried { name, command, legacy, platforms, bundles, wrong } in carried {
        let wrong: Vec<_> = wrong.iter().map(|id| format!("`{id}`")).collect();
        let wrong = if wrong.is_empty() { "nothing".to_owned() } else { wrong.join(", ") };
        let kept = [legacy, platforms, bundles].map(|kept| word(*kept)).join(" | ");
        text += &format!("| {name}: `{command}` | {kept} | {wrong} |\n");
    }
    text
}

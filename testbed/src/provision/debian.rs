//! Fetches and unpacks Debian packages without installing them. A private apt configuration has its own sources,
//! lists and cache. It reads the machine's keys and proxy settings, and changes nothing outside the state
//! directory.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use xshell::cmd;

use super::{sources, text};
use crate::context::Context;
use crate::files::private_dir;
use crate::files::remove_dir;
use crate::process;

/// Enough for a slow mirror.
const TIMEOUT: Duration = Duration::from_secs(15 * 60);

/// One release for one architecture.
pub(crate) struct Archive<'a> {
    cx: &'a Context,
    dir: PathBuf,
    configuration: PathBuf,
}

/// Which dependencies come with the named packages.
#[derive(Clone, Copy)]
pub(crate) enum Closure {
    /// None: their programs need nothing that a Debian machine lacks.
    Nothing,
    /// Those that this machine does not have yet.
    OnThisMachine,
    /// All of them, as for an empty machine.
    OnNothing,
}

impl<'a> Archive<'a> {
    /// Makes the private configuration and fetches the package lists. apt checks their signatures.
    pub(crate) fn open(cx: &'a Context, release: &str, architecture: &str) -> Result<Self> {
        let Some(debian) = &cx.host.debian else {
            bail!("unpacking Debian packages needs root on Debian 12 or later");
        };
        let dir = cx.layout.downloads(&format!("apt-{release}-{architecture}"));
        for sub in ["sources", "lists/partial", "cache/archives/partial", "none"] {
            private_dir(&dir.join(sub))?;
        }
        let list = sources::for_release(&sources::of_this_machine()?, &debian.codename, release)?;
        let archive = Self { cx, configuration: dir.join("apt.conf"), dir };
        // An apt that outlived a killed run holds the lock on the lists.
        for process in process::find(&archive.configuration)? {
            process.end(Duration::from_secs(5))?;
        }
        archive.write("sources/testbed.sources", &list)?;
        archive.write("empty-status", "")?;
        archive.write("apt.conf", &configuration(text(&archive.dir)?, architecture))?;
        let (shell, conf) = (cx.runner.shell()?, &archive.configuration);
        let update = cmd!(shell, "apt-get --config-file {conf} --quiet=2 update");
        cx.runner.call(update).timeout(TIMEOUT).run().context("fetching Debian's package lists")?;
        Ok(archive)
    }

    /// Fetches `packages` with their `closure` and unpacks them over `into`. Returns the package files.
    pub(crate) fn unpack(&self, packages: &[&str], closure: Closure, into: &Path) -> Result<Vec<PathBuf>> {
        let (runner, shell) = (&self.cx.runner, self.cx.runner.shell()?);
        let conf = &self.configuration;
        let options = &match closure {
            Closure::OnNothing => {
                vec!["-o".to_owned(), format!("Dir::State::status={}/empty-status", text(&self.dir)?)]
            }
            _ => Vec::new(),
        };
        let action: &[&str] = match closure {
            Closure::Nothing => &["download"],
            _ => &["--yes", "--download-only", "--reinstall", "install"],
        };
        // apt only lists what is not in its cache yet, so this call uses a cache that is always empty.
        let empty = format!("Dir::Cache::archives={}/", text(&self.dir.join("none"))?);
        let list = cmd!(
            shell,
            "apt-get --config-file {conf} {options...} -o {empty} --print-uris --quiet=2 {action...} {packages...}"
        );
        let names = parse_uris(&runner.call(list).read()?)?;
        let cache = self.dir.join("cache/archives");
        let fetch =
            cmd!(shell, "apt-get --config-file {conf} {options...} --quiet=2 {action...} {packages...}");
        let fetch = runner.call(fetch).dir(&cache).timeout(TIMEOUT);
        fetch.run().with_context(|| format!("fetching {}", packages.join(", ")))?;
        let files: Vec<_> = names.into_iter().map(|name| cache.join(name)).collect();
        for package in &files {
            runner.call(cmd!(shell, "dpkg-deb --extract {package} {into}")).timeout(TIMEOUT).run()?;
        }
        Ok(files)
    }

    fn write(&self, name: &str, text: &str) -> Result<()> {
        let path = self.dir.join(name);
        fs::write(&path, text).with_context(|| format!("writing `{}`", path.display()))
    }
}

/// Later settings override the machine's own. Its hooks are dropped, because they would act on the machine.
fn configuration(dir: &str, architecture: &str) -> String {
    format!(
        r#"#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
#clear DPkg::Pre-Invoke;
#clear DPkg::Post-Invoke;
#clear DPkg::Pre-Install-Pkgs;
#clear APT::Default-Release;
#clear APT::Architectures;
Dir::Etc::sourcelist "/dev/null";
Dir::Etc::sourceparts "{dir}/sources";
Dir::Etc::preferences "/dev/null";
Dir::Etc::preferencesparts "/dev/null";
Dir::State::lists "{dir}/lists/";
Dir::Cache "{dir}/cache/";
Dir::Cache::archives "archives/";
APT::Architecture "{architecture}";
APT::Architectures {{ "{architecture}"; }};
APT::Install-Recommends "false";
APT::Get::AllowUnauthenticated "false";
APT::Update::Error-Mode "any";
APT::Sandbox::User "root";
Acquire::AllowInsecureRepositories "false";
Acquire::Retries "3";
Acquire::Languages "none";
Acquire::IndexTargets::deb::DEP-11::DefaultEnabled "false";
Acquire::IndexTargets::deb::Contents-deb::DefaultEnabled "false";
"#
    )
}

/// The file names in the output of `--print-uris`, which has lines `'URI' NAME SIZE HASH`.
fn parse_uris(text: &str) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for line in text.lines().filter(|line| line.starts_with('\'')) {
        let name = line.rsplit_once("' ").and_then(|(_, rest)| rest.split(' ').next());
        match name {
            Some(name) if name.ends_with(".deb") && !name.contains('/') => names.push(name.to_owned()),
            _ => bail!("reading apt's list of files: not `'URI' NAME.deb SIZE HASH`: `{line}`"),
        }
    }
    if names.is_empty() {
        bail!("reading apt's list of files: it names none");
    }
    Ok(names)
}

/// What dpkg would record about `packages`, in the order of their names: a paragraph for each, which says that it is
/// installed.
pub(crate) fn status(cx: &Context, packages: &[PathBuf]) -> Result<String> {
    let shell = cx.runner.shell()?;
    let mut paragraphs = Vec::new();
    for package in packages {
        let fields = cx.runner.call(cmd!(shell, "dpkg-deb --field {package}")).read()?;
        let (first, rest) = fields.split_once('\n').unwrap_or((&fields, ""));
        paragraphs.push(format!("{first}\nStatus: install ok installed\n{}\n", rest.trim_end()));
    }
    paragraphs.sort();
    Ok(paragraphs.join("\n"))
}

/// A field of a package, read from its file.
pub(crate) fn field(cx: &Context, package: &Path, name: &str) -> Result<String> {
    let shell = cx.runner.shell()?;
    cx.runner.call(cmd!(shell, "dpkg-deb --field {package} {name}")).read()
}

/// Removes files that no program needs and that a small tree should not have.
pub(crate) fn remove_documentation(tree: &Path) -> Result<()> {
    for dir in ["doc", "doc-base", "man", "info", "locale", "lintian", "bug", "gcc", "gdb"] {
        remove_dir(&tree.join("usr/share").join(dir))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::parse_uris;

    #[test]
    fn file_names_are_taken_from_apt_and_unexpected_lines_are_errors() {
        let text = "Reading lists\n'http://m/p/a%2bb_1%3a2_amd64.deb' a+b_1%3a2_amd64.deb 10 SHA256:00\n\
                    'http://m/c_1_all.deb' c_1_all.deb 5 SHA256:11";
        assert_eq!(parse_uris(text).unwrap(), ["a+b_1%3a2_amd64.deb", "c_1_all.deb"]);
        assert!(parse_uris("'http://m/x' ../../x.deb 1 SHA256:00").is_err());
        assert!(parse_uris("").is_err());
    }
}

//! This machine: its Debian release, its architecture, whether we are root, and which programs it has.

use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

/// The oldest Debian release whose C library can run programs from the newer one.
const OLDEST_DEBIAN: u32 = 12;

/// The first Debian release that ships docker 26, buildx and cosign.
const COMPLETE_DEBIAN: u32 = 13;

/// The codename of [`COMPLETE_DEBIAN`].
const COMPLETE_CODENAME: &str = "trixie";

/// What must be known about the machine before anything is decided.
pub(crate) struct Host {
    /// Whether we are root.
    pub(crate) is_root: bool,
    /// Its Debian release, if programs can be unpacked from Debian's archive here.
    pub(crate) debian: Option<Debian>,
    /// Its architecture in Go's and docker's terms: `amd64`, `arm64`.
    pub(crate) architecture: &'static str,
    /// Where programs are looked up, without our own directories.
    pub(crate) path: Vec<PathBuf>,
}

/// A Debian release from which parts can be unpacked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Debian {
    /// Such as `bookworm`.
    pub(crate) codename: String,
    /// The release that has docker 26: this one, or the next.
    pub(crate) complete: String,
}

impl Host {
    /// Looks at this machine. `ours` is left out of the PATH, because a shell may have our own exports.
    pub(crate) fn of_this_machine(path: &str, ours: &Path) -> Result<Self> {
        let release = match fs::read_to_string("/etc/os-release") {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(error).context("reading `/etc/os-release`"),
        };
        let architecture = match std::env::consts::ARCH {
            "x86_64" => "amd64",
            "aarch64" => "arm64",
            other => bail!("this machine is {other}; the testbed supports x86_64 and aarch64"),
        };
        let path = path.split(':').filter(|dir| dir.starts_with('/') && !Path::new(dir).starts_with(ours));
        let is_root = is_root()?;
        Ok(Self {
            is_root,
            debian: if is_root { debian(&release) } else { None },
            architecture,
            path: path.map(PathBuf::from).collect(),
        })
    }

    /// The machine's PATH as a string.
    pub(crate) fn path(&self) -> String {
        let dirs: Vec<_> = self.path.iter().map(|dir| dir.to_string_lossy()).collect();
        dirs.join(":")
    }

    /// The first program of that name on the machine's PATH.
    pub(crate) fn which(&self, program: &str) -> Option<PathBuf> {
        self.path.iter().map(|dir| dir.join(program)).find(|file| is_executable(file))
    }

    /// The command with which a person installs a distribution's package.
    pub(crate) fn install_command(&self, package: &str) -> String {
        let managers = [
            ("apt-get", "apt-get install"),
            ("dnf", "dnf install"),
            ("pacman", "pacman -S"),
            ("apk", "apk add"),
            ("zypper", "zypper install"),
            ("brew", "brew install"),
        ];
        let found = managers.iter().find(|(program, _)| self.which(program).is_some());
        let (program, command) = found.unwrap_or(&managers[0]);
        let sudo = if *program == "brew" { "" } else { "sudo " };
        format!("{sudo}{command} {package}")
    }
}

/// The owner of a process's entry in `/proc` is its effective user. Without a `/proc` it is not Debian either.
fn is_root() -> Result<bool> {
    match fs::metadata("/proc/self") {
        Ok(entry) => Ok(entry.uid() == 0),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error).context("reading `/proc/self`"),
    }
}

fn is_executable(file: &Path) -> bool {
    // A file whose metadata cannot be read cannot be run either.
    fs::metadata(file).is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
}

/// The release that `/etc/os-release` names, if it is Debian and new enough. A derivative does not count: its
/// archive has other packages under the same names.
fn debian(os_release: &str) -> Option<Debian> {
    let field = |name: &str| {
        let line = os_release.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='))?;
        Some(line.trim_matches('"').to_owned())
    };
    let version = field("VERSION_ID")?;
    let Ok(version) = version.parse::<u32>() else { return None };
    let codename = field("VERSION_CODENAME")?;
    if field("ID")? != "debian" || version < OLDEST_DEBIAN {
        return None;
    }
    let complete = if version < COMPLETE_DEBIAN { COMPLETE_CODENAME.to_owned() } else { codename.clone() };
    Some(Debian { codename, complete })
}

#[cfg(test)]
mod tests {
    use super::{Debian, Host, debian};
    use std::path::Path;

    #[test]
    fn docker_comes_from_debian_13_even_on_debian_12() {
        let bookworm = "ID=debian\nVERSION_ID=\"12\"\nVERSION_CODENAME=bookworm\n";
        let expected = Debian { codename: "bookworm".to_owned(), complete: "trixie".to_owned() };
        assert_eq!(debian(bookworm), Some(expected));
        let trixie = "ID=debian\nVERSION_ID=\"13\"\nVERSION_CODENAME=trixie\n";
        assert_eq!(debian(trixie).unwrap().complete, "trixie");
    }

    #[test]
    fn a_derivative_and_an_old_release_of_debian_are_not_accepted() {
        assert_eq!(debian("ID=ubuntu\nID_LIKE=debian\nVERSION_ID=\"24.04\"\nVERSION_CODENAME=noble\n"), None);
        assert_eq!(debian("ID=debian\nVERSION_ID=\"11\"\nVERSION_CODENAME=bullseye\n"), None);
        assert_eq!(debian(""), None);
    }

    #[test]
    fn our_own_and_relative_directories_are_left_out_of_the_path() {
        let host = Host::of_this_machine("/usr/bin:/t/prefix/x/bin::bin:/bin", Path::new("/t")).unwrap();
        assert_eq!(host.path(), "/usr/bin:/bin");
    }
}

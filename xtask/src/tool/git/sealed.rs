//! git without the settings of this machine and its user. Such settings change git's output and the files that it
//! writes, and a release must not depend on who makes it.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt as _;
use std::path::Path;

use anyhow::{Context as _, Result};
use xshell::cmd;

use super::INSTALL;
use crate::process::{Call, Runner};

/// The directories of other users in which the user allows git to work.
const TRUSTED: &str = "safe.directory";

/// Overrides of settings that a repository itself may have and that must not count either, and one that keeps errors
/// short.
const SETTINGS: [(&str, &str); 12] = [
    // git warns that graft files are deprecated whenever one is named, even if that is `/dev/null`.
    ("advice.graftFileDeprecated", "false"),
    ("color.ui", "never"),
    ("column.ui", "never"),
    ("core.attributesFile", "/dev/null"),
    ("core.autocrlf", "false"),
    ("core.fsmonitor", "false"),
    ("core.hooksPath", "/dev/null"),
    ("core.quotePath", "false"),
    ("diff.autoRefreshIndex", "true"),
    ("diff.orderFile", "/dev/null"),
    ("i18n.commitEncoding", "UTF-8"),
    ("log.showSignature", "false"),
];

/// Keeps system and user configuration, attributes, replaced objects and grafts away from `call`. The directories in
/// `trusted` stay allowed: a checkout often belongs to another user in a container, and git then works only in
/// directories that are listed as safe.
pub(super) fn seal(call: Call, trusted: &[OsString]) -> Call {
    let trusted = trusted.iter().map(|directory| (TRUSTED, directory.clone()));
    let settings: Vec<_> =
        SETTINGS.iter().map(|(key, value)| (*key, OsString::from(value))).chain(trusted).collect();
    let mut call = call
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_ATTR_NOSYSTEM", "1")
        .env("GIT_NO_REPLACE_OBJECTS", "1")
        .env("GIT_GRAFT_FILE", "/dev/null")
        .env("GIT_CONFIG_COUNT", settings.len().to_string());
    for (number, (key, value)) in settings.iter().enumerate() {
        call = call.env(&format!("GIT_CONFIG_KEY_{number}"), key);
        call = call.env(&format!("GIT_CONFIG_VALUE_{number}"), value);
    }
    call
}

/// A setting of this machine or its user.
pub(super) struct Setting {
    /// As git prints it, such as `http.https://forge.example.org.proxy`: the first and the last part in lower case.
    key: Vec<u8>,
    /// `None` if there is only the key.
    value: Option<Vec<u8>>,
}

impl Setting {
    /// Whether it says how a server is reached and with what credentials, or which directories of other users the
    /// user trusts. A setting that is not listed here may change what is fetched, or from where.
    fn is_of_network(&self) -> bool {
        const SECTIONS: [&str; 2] = ["http.", "credential."];
        const KEYS: [&str; 6] =
            ["core.askpass", "core.gitproxy", "core.sshcommand", "protocol.version", "ssh.variant", TRUSTED];
        SECTIONS.iter().any(|section| self.key.starts_with(section.as_bytes()))
            || KEYS.iter().any(|key| self.key == key.as_bytes())
    }

    /// As it is written in a configuration file (git-config(1), "Syntax").
    fn written(&self) -> Vec<u8> {
        let mut parts = self.key.splitn(2, |byte| *byte == b'.');
        let (section, rest) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        let name = rest.rsplit(|byte| *byte == b'.').next().unwrap_or_default();
        let subsection = rest[..rest.len() - name.len()].strip_suffix(b".");
        let subsection =
            subsection.map(|subsection| [b" ", &quoted(subsection)[..]].concat()).unwrap_or_default();
        let value =
            self.value.as_ref().map(|value| [b" = ", &quoted(value)[..]].concat()).unwrap_or_default();
        [b"[", section, &subsection, b"]\n", name, &value, b"\n"].concat()
    }
}

fn quoted(bytes: &[u8]) -> Vec<u8> {
    let escaped = bytes.iter().flat_map(|byte| match byte {
        b'"' => b"\\\"",
        b'\\' => &b"\\\\"[..],
        b'\n' => b"\\n",
        byte => std::slice::from_ref(byte),
    });
    [b"\""].into_iter().flatten().chain(escaped).chain(b"\"").copied().collect()
}

/// The settings of this machine and its user, in git's order.
///
/// # Errors
/// When git is not installed or cannot read them.
fn settings(runner: &Runner) -> Result<Vec<Setting>> {
    let sh = runner.shell()?;
    // Without a repository, so that the settings of one do not count.
    let ask = runner.call(cmd!(sh, "git config --null --list")).env("GIT_DIR", "/dev/null");
    let output = ask.dir(Path::new("/")).install_hint(INSTALL).output()?.success()?;
    let lines = output.stdout.split(|byte| *byte == 0).filter(|line| !line.is_empty());
    let setting = |line: &[u8]| {
        let mut parts = line.splitn(2, |byte| *byte == b'\n').map(<[u8]>::to_vec);
        Setting { key: parts.next().unwrap_or_default(), value: parts.next() }
    };
    Ok(lines.map(setting).collect())
}

/// The values of `safe.directory` in the system and user configuration. git honours the setting only there.
///
/// # Errors
/// When git is not installed or cannot read its configuration.
pub(super) fn trusted_directories(runner: &Runner) -> Result<Vec<OsString>> {
    let trusted = settings(runner)?.into_iter().filter(|setting| setting.key == TRUSTED.as_bytes());
    Ok(trusted.map(|setting| OsString::from_vec(setting.value.unwrap_or_default())).collect())
}

/// The content of a file with those settings of the user that a clone over the network needs.
///
/// # Errors
/// When git is not installed or cannot read its configuration.
pub(super) fn network_settings(runner: &Runner) -> Result<Vec<u8>> {
    let settings = settings(runner).context("reading your git settings for the network")?;
    Ok(settings.iter().filter(|setting| setting.is_of_network()).flat_map(Setting::written).collect())
}

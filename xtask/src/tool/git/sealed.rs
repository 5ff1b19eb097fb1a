//! git without the settings of this machine and its user. They change git's output and the files that it writes, and a
//! release must not depend on who makes it.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt as _;
use std::path::Path;

use anyhow::Result;
use xshell::cmd;

use super::INSTALL;
use crate::process::{Call, Runner};

/// Settings that a repository itself may have and that must not count either, and one that keeps errors short.
const SETTINGS: [(&str, &str); 12] = [
    // git(1) says that the file with grafts is deprecated whenever one is named, also to have none.
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
    let trusted = trusted.iter().map(|directory| ("safe.directory", directory.clone()));
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

/// The values of `safe.directory` in the system and user configuration. git honours the setting only there.
///
/// # Errors
/// When git is not installed or cannot read its configuration.
pub(super) fn trusted_directories(runner: &Runner) -> Result<Vec<OsString>> {
    let sh = runner.shell()?;
    let ask = cmd!(sh, "git config --null --get-all safe.directory");
    let output = runner.call(ask).dir(Path::new("/")).install_hint(INSTALL).output()?;
    match output.status.code() {
        Some(0) => {
            let values = output.stdout.split(|byte| *byte == 0).filter(|value| !value.is_empty());
            Ok(values.map(|value| OsString::from_vec(value.to_vec())).collect())
        }
        // git-config(1): the key is not set.
        Some(1) => Ok(Vec::new()),
        _ => Err(output.failure()),
    }
}

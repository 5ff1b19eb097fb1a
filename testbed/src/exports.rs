//! The exports: variables in which tests find a running testbed. They are kept in `run/state.json`, and `env` prints
//! them.

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};

use crate::files::write_private;
use crate::layout::Layout;

/// Written at the end of `up`, by rename; gone while nothing runs.
#[derive(Serialize, Deserialize, Default, Debug, PartialEq, Eq)]
pub(crate) struct State {
    /// Variables for the tests, without `PATH`.
    pub(crate) exports: BTreeMap<String, String>,
    /// Directories that go before the user's own `PATH`.
    pub(crate) path: Vec<String>,
    /// Part → version and origin, for `status`.
    pub(crate) parts: Vec<(String, String)>,
    /// Services that must be running for the exports to hold.
    pub(crate) services: Vec<String>,
}

impl State {
    /// Adds an export.
    pub(crate) fn export(&mut self, key: &str, value: impl Into<String>) {
        self.exports.insert(key.to_owned(), value.into());
    }

    /// Puts a directory before the user's `PATH`.
    pub(crate) fn put_on_path(&mut self, dir: &Path) {
        let dir = dir.display().to_string();
        if !self.path.contains(&dir) {
            self.path.push(dir);
        }
    }

    /// Reads what `up` wrote; `None` when the testbed is not up.
    pub(crate) fn read(layout: &Layout) -> Result<Option<Self>> {
        let path = layout.state();
        match fs::read(&path) {
            Ok(bytes) => {
                let state = serde_json::from_slice(&bytes);
                state.map(Some).with_context(|| {
                    format!("reading `{}`: run `cargo testbed up` to write it again", path.display())
                })
            }
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error).with_context(|| format!("reading `{}`", path.display())),
        }
    }

    /// Writes the file completely or not at all. Only this user can read it, because it holds the forge's token.
    pub(crate) fn write(&self, layout: &Layout) -> Result<()> {
        let path = layout.state();
        let text = serde_json::to_string_pretty(self).context("rendering the testbed's state")?;
        write_private(&path, &text)
    }

    /// All exports, `PATH` included.
    pub(crate) fn variables(&self, machine_path: &str) -> BTreeMap<String, String> {
        let mut variables = self.exports.clone();
        let mut path = self.path.clone();
        path.push(machine_path.to_owned());
        variables.insert("PATH".to_owned(), path.join(":"));
        variables
    }
}

/// One line `export KEY='value'` for each variable.
pub(crate) fn for_shell(variables: &BTreeMap<String, String>) -> String {
    variables
        .iter()
        .map(|(key, value)| format!("export {key}='{}'\n", value.replace('\'', r"'\''")))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{State, for_shell};
    use std::path::Path;

    #[test]
    fn our_directories_come_once_and_before_the_users_path() {
        let mut state = State::default();
        state.put_on_path(Path::new("/t/a"));
        state.put_on_path(Path::new("/t/b"));
        state.put_on_path(Path::new("/t/a"));
        assert_eq!(state.variables("/usr/bin:/bin")["PATH"], "/t/a:/t/b:/usr/bin:/bin");
    }

    #[test]
    fn a_quote_in_a_value_survives_the_shell() {
        let mut state = State::default();
        state.export("KEY", "it's");
        assert!(for_shell(&state.variables("/bin")).contains(r"export KEY='it'\''s'"));
    }
}

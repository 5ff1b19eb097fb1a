//! Who may write to the repository. The forge gives the secrets to every workflow of a pushed branch or tag, so each of
//! these accounts can read them (docs/facts.md#secrets-of-workflows). `doctor` names them.

use anyhow::Result;
use serde::Deserialize;

use super::Forgejo;
use crate::process::shown::few;

/// The most names that are shown.
const MAX_NAMES: usize = 10;

/// `GET /repos/{o}/{r}/assignees`: who may write code, issues or pull requests. The list of collaborators lacks the
/// owner and the members of teams.
#[derive(Deserialize)]
struct Account {
    login: String,
}

impl Forgejo {
    /// Names those who may write. `None` if the forge does not list them.
    pub(super) fn writers(&self) -> Result<Option<String>> {
        let accounts: Option<Vec<Account>> = self.rules("assignees")?;
        Ok(said(accounts.into_iter().flatten().map(|account| account.login).collect()))
    }
}

/// `None` if there are no names.
fn said(mut names: Vec<String>) -> Option<String> {
    names.sort();
    let shown = few(names.iter().map(|name| format!("`{}`", name.escape_debug())), MAX_NAMES)?;
    Some(format!("everybody among {shown} who may push a branch can read the secrets"))
}

#[cfg(test)]
mod tests {
    use super::said;

    #[test]
    fn those_who_can_read_the_secrets_are_named_in_order() {
        let names = |names: &[&str]| said(names.iter().map(|name| (*name).to_owned()).collect()).unwrap();
        assert_eq!(
            names(&["owner", "dev"]),
            "everybody among `dev`, `owner` who may push a branch can read the secrets"
        );
        let text = names(&["m", "l", "k", "j", "i", "h", "g", "f", "e", "d", "c\u{202e}", "b"]);
        assert!(
            text.contains("`b`, `c\\u{202e}`, `d`") && text.contains("`k` and 2 more who may push"),
            "{text}"
        );
    }
}

//! Who may write to the repository. The forge gives the secrets to every workflow of a pushed branch or tag, so each of
//! these accounts can read them (docs/facts.md#secrets-of-workflows). `doctor` names them.

use anyhow::Result;
use serde::Deserialize;

use super::Forgejo;

/// So many names are shown.
const MOST_NAMES: usize = 10;

/// `GET /repos/{o}/{r}/assignees`: who may write code, issues or pull requests. The list of collaborators lacks the
/// owner and the members of teams.
#[derive(Deserialize)]
struct Account {
    login: String,
}

impl Forgejo {
    /// Names those who may write. `None` if the forge does not tell.
    pub(super) fn writers(&self) -> Result<Option<String>> {
        let accounts: Option<Vec<Account>> = self.rules("assignees")?;
        let names = accounts.into_iter().flatten().map(|account| account.login).collect::<Vec<_>>();
        Ok((!names.is_empty()).then(|| said(names)))
    }
}

fn said(mut names: Vec<String>) -> String {
    names.sort();
    let shown = names.iter().take(MOST_NAMES).map(|name| format!("`{}`", name.escape_debug()));
    let shown = shown.collect::<Vec<_>>().join(", ");
    let more = match names.len().saturating_sub(MOST_NAMES) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!("secrets by write access alone: whoever of {shown}{more} may push a branch can read them")
}

#[cfg(test)]
mod tests {
    use super::said;

    #[test]
    fn those_who_can_read_the_secrets_are_named_in_order() {
        let names = |names: &[&str]| said(names.iter().map(|name| (*name).to_owned()).collect());
        assert_eq!(
            names(&["owner", "dev"]),
            "secrets by write access alone: whoever of `dev`, `owner` may push a branch can read them"
        );
        let text = names(&["m", "l", "k", "j", "i", "h", "g", "f", "e", "d", "c\u{202e}", "b"]);
        assert!(
            text.contains("`b`, `c\\u{202e}`, `d`") && text.contains("`k` and 2 more may push"),
            "{text}"
        );
    }
}

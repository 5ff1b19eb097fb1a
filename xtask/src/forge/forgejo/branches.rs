//! Branch names in request addresses. A forge or a commit chooses these names.

use anyhow::{Result, ensure};

/// Longer than any name that people type.
const MAX_LEN: usize = 200;

/// Checks that `name` can be put into an address without escaping and without changing the address's meaning.
///
/// # Errors
/// When it cannot; git allows such names.
pub(super) fn check_name(name: &str) -> Result<()> {
    let plain = |word: &str| {
        !word.is_empty()
            && !word.starts_with('.')
            && word.chars().all(|c| c.is_ascii_alphanumeric() || "-_.+@=,".contains(c))
    };
    ensure!(
        name.len() <= MAX_LEN && name.split('/').all(plain),
        "`{}` is not a branch name that can be put into a request: expected letters, digits and `-_.+@=,/`, at most {MAX_LEN}",
        name.escape_debug()
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::check_name;

    #[test]
    fn only_a_plain_branch_name_is_put_into_an_address() {
        for good in ["main", "1.x", "release/v1.2", "fix_a-b+c@d"] {
            assert!(check_name(good).is_ok(), "{good}");
        }
        let long = "a".repeat(201);
        for bad in ["", "a?b", "a#b", "a%2e", "../main", "a/../b", "a//b", "/a", "a b", "a\nb", "ä", &long] {
            assert!(check_name(bad).is_err(), "{bad}");
        }
    }
}

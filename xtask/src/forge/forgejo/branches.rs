//! Branch names in request addresses. A forge or a commit chooses these names.

use anyhow::{Result, ensure};

/// People do not type longer ones.
const LONGEST: usize = 200;

/// Whether `name` can be put into an address as it is, without changing the address's meaning.
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
        name.len() <= LONGEST && name.split('/').all(plain),
        "`{}` is not the name of a branch that can be asked for: expected letters, digits and `-_.+@=,/`, at most {LONGEST}",
        name.escape_debug()
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::check_name;

    #[test]
    fn a_branch_is_asked_for_by_its_name_and_by_nothing_else() {
        for good in ["main", "1.x", "release/v1.2", "fix_a-b+c@d"] {
            assert!(check_name(good).is_ok(), "{good}");
        }
        let long = "a".repeat(201);
        for bad in ["", "a?b", "a#b", "a%2e", "../main", "a/../b", "a//b", "/a", "a b", "a\nb", "ä", &long] {
            assert!(check_name(bad).is_err(), "{bad}");
        }
    }
}

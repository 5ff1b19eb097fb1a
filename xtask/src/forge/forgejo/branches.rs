//! The names of branches, which a forge or a commit chooses, in addresses that are asked.

use anyhow::{Result, ensure};

/// Longer ones are none that people type.
const LONGEST: usize = 200;

/// Whether `name` can stand in an address as it is and be nothing else there.
///
/// # Errors
/// When it cannot, which git would allow of some names.
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

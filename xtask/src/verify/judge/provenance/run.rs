//! Whether the things that a provenance says about its run agree with each other. Only the forge knows whether they
//! are true.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, ensure};

use crate::evidence::provenance::LOCAL_RUN;
use crate::process::shown::named;

/// The keys in which a workflow run describes itself.
const RUN_KEYS: [&str; 3] = ["event_name", "run_id", "run_number"];

/// Checks the id of the run, and what else is `said` about it. `source` is the repository's address.
pub(super) fn check(
    source: &str,
    is_local: bool,
    id: &str,
    said: Option<&BTreeMap<String, String>>,
) -> Result<()> {
    if is_local {
        ensure!(said.is_none(), "a local run has parameters of a workflow's run");
        let nonce = id.strip_prefix(LOCAL_RUN).unwrap_or_default();
        ensure!(
            nonce.chars().any(|c| c.is_ascii_alphanumeric()),
            "the run is `{id}`: expected `{LOCAL_RUN}…`"
        );
        return Ok(());
    }
    let said = said.context("it does not say which run of the workflow it is of")?;
    ensure!(
        said.keys().eq(RUN_KEYS),
        "the parameters of its run are {}: expected {}",
        named(said.keys()),
        named(RUN_KEYS)
    );
    let is_number =
        |text: &str| text.parse::<u64>().is_ok_and(|number| number > 0 && number.to_string() == text);
    for (key, value) in said.iter().filter(|(key, _)| key.as_str() != RUN_KEYS[0]) {
        ensure!(is_number(value), "the `{key}` of its run is `{value}`: expected a number");
    }
    let page = format!("{source}/actions/runs/{}/attempts/", said[RUN_KEYS[2]]);
    let attempt = id.strip_prefix(&page).unwrap_or_default();
    ensure!(is_number(attempt), "the run is `{id}`: expected `{page}` and a number");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{RUN_KEYS, check};
    use std::collections::BTreeMap;

    const SOURCE: &str = "https://forge.example.org/acme/carol";

    fn is_consistent(is_local: bool, id: &str, said: Option<[&str; 3]>) -> bool {
        let said: Option<BTreeMap<_, _>> = said
            .map(|values| RUN_KEYS.iter().zip(values).map(|(k, v)| (k.to_string(), v.to_owned())).collect());
        check(SOURCE, is_local, id, said.as_ref()).is_ok()
    }

    #[test]
    fn the_id_of_a_workflow_run_is_the_page_that_its_numbers_give() {
        let of = |attempt: &str| format!("{SOURCE}/actions/runs/7/attempts/{attempt}");
        assert!(is_consistent(false, &of("1"), Some(["push", "1001", "7"])));
        for (id, said) in [
            (of("1"), None),
            (of("1"), Some(["push", "1001", "8"])),
            (of("1"), Some(["push", "", "7"])),
            (of("1"), Some(["push", "0", "7"])),
            (of("1"), Some(["push", "01001", "7"])),
            (of("1"), Some(["push", "+1001", "7"])),
            (of("1"), Some(["push", "1001", "seven"])),
            (of(""), Some(["push", "1001", "7"])),
            (of("0"), Some(["push", "1001", "7"])),
            (of("1/x"), Some(["push", "1001", "7"])),
            (of("1").replace("acme", "other"), Some(["push", "1001", "7"])),
            ("urn:xtask:local-run:a1".to_owned(), Some(["push", "1001", "7"])),
        ] {
            assert!(!is_consistent(false, &id, said), "{id} {said:?}");
        }
        let more = [("attempt", "1"), ("event_name", "push"), ("run_id", "1001"), ("run_number", "7")];
        let more = more.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
        assert!(check(SOURCE, false, &of("1"), Some(&more)).is_err(), "a key that no run has");
    }

    #[test]
    fn a_local_run_has_a_local_id_and_no_parameters_of_a_workflow_run() {
        assert!(is_consistent(true, "urn:xtask:local-run:a1", None));
        assert!(!is_consistent(true, "urn:xtask:local-run:a1", Some(["push", "1001", "7"])));
        for id in ["", "urn:xtask:local-run:", "urn:xtask:local-run:-", "urn:other:a1"] {
            assert!(!is_consistent(true, id, None), "{id}");
        }
    }
}

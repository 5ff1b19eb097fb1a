//! The stages of `cargo xtask ci`, with their names on the command line.

use std::fmt;

use anyhow::{Result, bail};
use clap::ValueEnum as _;

use crate::process::failure::Misuse;

/// A part of `ci`. The first three and the last are about the release tool itself, and run only in its own
/// repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Stage {
    /// `cargo fmt --check`
    Format,
    /// clippy, with warnings denied
    Lint,
    /// Unit tests, and tests on recorded answers
    Unit,
    /// `cargo xtask check`
    Check,
    /// The service's own tests
    Service,
    /// End-to-end tests against real programs
    EndToEnd,
}

impl Stage {
    /// The stages in the tool's own repository; `ANY` has those in a repository that uses the tool.
    const OWN: [Self; 6] = [Self::Format, Self::Lint, Self::Unit, Self::Check, Self::Service, Self::EndToEnd];
    const ANY: [Self; 2] = [Self::Check, Self::Service];

    pub(super) fn needs_testbed(self) -> bool {
        matches!(self, Self::Service | Self::EndToEnd)
    }

    /// The stages to run: the `named` ones, else all that a repository with or without a testbed has.
    pub(super) fn chosen(named: &[Self], has_testbed: bool, all: bool) -> Result<Vec<Self>> {
        let possible: &[Self] = if has_testbed { &Self::OWN } else { &Self::ANY };
        if all && !has_testbed {
            let words = "`--all` adds end-to-end tests, which only the release tool's own repository has; run `cargo xtask ci`";
            return Err(Misuse::new(words).into());
        }
        if let Some(absent) = named.iter().find(|stage| !possible.contains(stage)) {
            let words = format!(
                "`{absent}` is for the release tool's own repository; here there are `check` and `service`"
            );
            return Err(Misuse::new(words).into());
        }
        Ok(if named.is_empty() { possible } else { named }.to_vec())
    }
}

/// Checks that `name` can select tests: only unit and end-to-end tests have names.
///
/// # Errors
/// [`Misuse`] when none of `stages` has such tests.
pub(super) fn check_name(stages: &[Stage], name: Option<&str>) -> Result<(), Misuse> {
    match name {
        Some(name) if !stages.iter().any(|stage| matches!(stage, Stage::Unit | Stage::EndToEnd)) => {
            Err(Misuse::new(format!(
                "`{name}` would pick no test: only `unit` and `end-to-end` have tests with names"
            )))
        }
        _ => Ok(()),
    }
}

/// Checks that `name` selected a test in at least one of `stages`. If a misspelt name selects none, cargo reports
/// success.
///
/// # Errors
/// When `name` selected no test.
pub(super) fn check_picked(stages: &[Stage], name: Option<&str>, picked: bool) -> Result<()> {
    let Some(name) = name.filter(|_| !picked) else { return Ok(()) };
    let with_tests = stages.iter().filter(|stage| matches!(stage, Stage::Unit | Stage::EndToEnd));
    let with_tests: Vec<_> = with_tests.map(ToString::to_string).collect();
    bail!(
        "there is no {} test with `{name}` in its name; `cargo xtask ci {}` runs all that there are",
        with_tests.join(" or "),
        with_tests.join(" ")
    )
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.to_possible_value().map_or(Ok(()), |value| f.write_str(value.get_name()))
    }
}

/// Fails if any stage did.
///
/// # Errors
/// The error names each stage that failed, and how to run one of them again.
pub(super) fn check_passed(failed: &[Stage]) -> Result<()> {
    let Some(last) = failed.last() else { return Ok(()) };
    let names: Vec<_> = failed.iter().map(ToString::to_string).collect();
    bail!("these stages did not pass: {}; run one again with `cargo xtask ci {last}`", names.join(", "))
}

#[cfg(test)]
mod tests {
    use super::{Stage, check_name, check_passed, check_picked};

    #[test]
    fn a_repository_without_a_testbed_has_only_check_and_service() {
        assert_eq!(Stage::chosen(&[], true, true).unwrap().len(), 6);
        assert_eq!(Stage::chosen(&[], false, false).unwrap(), [Stage::Check, Stage::Service]);
        assert_eq!(Stage::chosen(&[Stage::Service], false, false).unwrap(), [Stage::Service]);
        let error = Stage::chosen(&[Stage::EndToEnd], false, false).unwrap_err().to_string();
        assert!(error.starts_with("`end-to-end` is for"), "{error}");
        let error = Stage::chosen(&[], false, true).unwrap_err().to_string();
        assert!(error.ends_with("run `cargo xtask ci`"), "{error}");
    }

    #[test]
    fn a_test_name_needs_a_stage_whose_tests_have_names() {
        for (stages, name, is_accepted) in [
            (&[Stage::Check, Stage::Service][..], None, true),
            (&[Stage::Check, Stage::Service], Some("x"), false),
            (&[Stage::Service, Stage::Unit], Some("x"), true),
            (&[Stage::EndToEnd], Some("x"), true),
        ] {
            assert_eq!(check_name(stages, name).is_ok(), is_accepted, "{stages:?} {name:?}");
        }
    }

    #[test]
    fn a_name_that_selects_no_test_in_any_stage_is_an_error() {
        let both = [Stage::Check, Stage::Unit, Stage::EndToEnd];
        check_picked(&both, None, false).unwrap();
        check_picked(&both, Some("lock"), true).unwrap();
        for (stages, which, what) in
            [(&both[..], "unit or end-to-end", "unit end-to-end"), (&both[..2], "unit", "unit")]
        {
            assert_eq!(
                check_picked(stages, Some("lokc"), false).unwrap_err().to_string(),
                format!(
                    "there is no {which} test with `lokc` in its name; `cargo xtask ci {what}` runs all that there are"
                )
            );
        }
    }

    #[test]
    fn failed_stages_are_named_as_they_are_typed() {
        check_passed(&[]).unwrap();
        assert_eq!(
            check_passed(&[Stage::Check, Stage::EndToEnd]).unwrap_err().to_string(),
            "these stages did not pass: check, end-to-end; run one again with `cargo xtask ci end-to-end`"
        );
    }
}

//! The variables before the first `FROM`, which are those that the builder and the build set, and the defaults of `ARG`;
//! and what an `ARG` or `ENV` in a stage makes of them.

use super::parse::Instruction;
use super::words::{self, Values};
use crate::oci::platform::Platform;

/// Build arguments that the build always sets, so that defaults in the Dockerfile have no effect.
pub(super) const BUILD_ARGUMENTS: [&str; 4] = ["VERSION", "REVISION", "SOURCE", "SOURCE_DATE_EPOCH"];

/// Variables that `BuildKit` sets for a platform before the first `FROM` (its package
/// `frontend/dockerfile/dockerfile2llb`).
const AUTOMATIC: [&str; 11] = [
    "BUILDPLATFORM",
    "BUILDOS",
    "BUILDOSVERSION",
    "BUILDARCH",
    "BUILDVARIANT",
    "TARGETPLATFORM",
    "TARGETOS",
    "TARGETOSVERSION",
    "TARGETARCH",
    "TARGETVARIANT",
    "TARGETSTAGE",
];

/// The variables before the first line: they are set, to a value that differs from build to build.
pub(super) fn automatic() -> Values {
    AUTOMATIC.map(|name| (name.to_owned(), None)).into()
}

/// Adds the defaults of an `ARG` before the first `FROM`. After a default that cannot be expanded or that the build
/// replaces, the value is unknown, whatever it was before.
pub(super) fn take_defaults(argument: &Instruction, known: &mut Values) {
    for (name, default) in words::assigned(argument) {
        let is_replaced = BUILD_ARGUMENTS.contains(&name);
        if is_replaced || default.is_some() {
            let value =
                default.filter(|_| !is_replaced).and_then(|default| words::expand(default, &[known]).ok());
            words::take(known, [(name, value)]);
        }
    }
}

/// What an `ARG` or `ENV` in a stage sets; `None` is a value that is not known here. Every value of a line is expanded
/// before any of them is set. An `ARG` without a default has the value from `before` the first `FROM`, which no other
/// line of a stage knows.
pub(super) fn of_stage<'i>(
    instruction: &'i Instruction,
    before: &Values,
    expand: impl Fn(&str) -> Option<String>,
) -> Vec<(&'i str, Option<String>)> {
    let is_argument = instruction.is("ARG");
    let set = |(name, value): (&'i str, Option<&'i str>)| match value {
        _ if is_argument && BUILD_ARGUMENTS.contains(&name) => Some((name, None)),
        Some(value) => Some((name, expand(value))),
        None if is_argument => Some((name, before.get(name)?.clone())),
        None => Some((name, None)),
    };
    words::assigned(instruction).into_iter().filter_map(set).collect()
}

/// Those of the automatic variables that the platform decides.
pub(super) fn of_platform(platform: &Platform) -> Values {
    let text = platform.to_string();
    let mut words = text.split('/');
    let mut word = || words.next().unwrap_or_default().to_owned();
    let (os, architecture, variant) = (word(), word(), word());
    [
        ("TARGETOS", os),
        ("TARGETARCH", architecture),
        ("TARGETVARIANT", variant),
        ("TARGETPLATFORM", text.clone()),
    ]
    .map(|(name, value)| (name.to_owned(), Some(value)))
    .into()
}

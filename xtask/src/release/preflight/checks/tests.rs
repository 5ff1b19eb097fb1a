//! How the checks judge versions, settings and answers.

use super::{at_least, old_git, secrets_set, speaks_http, unreachable};
use crate::inputs::config::TagPolicy;
use crate::inputs::config::tests::{example, example_with};

#[test]
fn the_secrets_of_the_build_are_named() {
    assert_eq!(secrets_set(&example().build_secrets), "none configured");
    let two = example_with("build-secrets = [\"NPM_TOKEN\", \"X_TOKEN\"]");
    assert_eq!(secrets_set(&two.build_secrets), "`NPM_TOKEN`, `X_TOKEN` set");
}

#[test]
fn an_engine_uses_http_for_its_insecure_registries() {
    let insecure = ["127.0.0.0/8", "10.99.0.0/16", "::1/128", "forge.lan:3000", "x/y"].map(str::to_owned);
    for (registry, expected) in [
        ("127.0.0.1:5000", true),
        ("10.99.3.1:5000", true),
        ("10.98.3.1:5000", false),
        ("forge.lan:3000", true),
        ("forge.lan", false),
        ("other.lan:3000", false),
    ] {
        assert_eq!(speaks_http(&insecure, registry), expected, "{registry}");
    }
    assert!(speaks_http(&["0.0.0.0/0".to_owned()], "192.0.2.1"));
}

#[test]
fn a_git_that_reads_the_users_settings_is_too_old() {
    for (version, tags, is_old) in [
        ("2.30.2", TagPolicy::Any, true),
        ("2.32.0", TagPolicy::Any, false),
        ("2.33.1", TagPolicy::Signed, true),
        ("2.39.5 (Apple Git-154)", TagPolicy::Signed, false),
    ] {
        assert_eq!(old_git(version, tags).is_some(), is_old, "{version}");
    }
}

#[test]
fn versions_are_compared_by_number() {
    for (version, enough) in
        [("26.1.5+dfsg1", true), ("26.0", true), ("25.9.9", false), ("100.0.0", true), ("x", false)]
    {
        assert_eq!(at_least(version, (26, 0)), enough, "{version}");
    }
    assert!(at_least("0.13.1", (0, 13)) && !at_least("0.9.0", (0, 13)));
}

#[test]
fn a_builder_that_cannot_reach_the_registry_is_named_with_where_it_was_set() {
    for (builder, of_variable, expected) in [
        (
            "",
            None,
            "the current builder runs in a container and cannot reach `127.0.0.1:5000` on this machine; run",
        ),
        ("", Some("x"), "the builder `x` of `BUILDX_BUILDER` runs in a container"),
        ("y", Some("x"), "the builder `y` runs in a container"),
    ] {
        let text = unreachable("127.0.0.1:5000", builder, of_variable);
        assert!(text.starts_with(expected), "{text}");
        assert_eq!(text.contains("unset that variable"), text.contains("BUILDX_BUILDER"), "{text}");
    }
}

//! What is recognized as a secret, what is not, and how long that takes.

use super::{SHAPES, is_in, masked};
use crate::process::time::of_this_thread;

/// Letters and digits as in a token, in place of a real secret.
fn random(length: usize) -> String {
    "a1B2c3D4e5F6g7H8".chars().cycle().take(length).collect()
}

#[test]
fn what_looks_like_a_secret_is_masked_except_for_the_prefix_that_shows_its_kind() {
    let (r, upper) = (random(36), random(20).to_uppercase());
    for (text, shown) in [
        (format!("fix: drop ghp_{r} from CI"), "fix: drop ghp_… from CI"),
        (format!("TOKEN=gho_{r}."), "TOKEN=gho_…."),
        (format!("github_pat_{r}_{r}"), "github_pat_…"),
        (format!("glpat-{r}.01.{r} and glrt-{r}"), "glpat-… and glrt-…"),
        (format!("(xoxb-123456789012-{r})"), "(xoxb-…)"),
        (format!("AKIA{upper}"), "AKIA…"),
        (format!("//registry/:_authToken=npm_{r}"), "//registry/:_authToken=npm_…"),
        (format!("AIza{r}"), "AIza…"),
        (format!("sk-{r}{r}"), "sk-…"),
        (format!("sk-proj-{r}-x_y"), "sk-…"),
        (format!("sk_live_{r}"), "sk_live_…"),
        (format!("Bearer eyJ{r}.eyJ{r}.{r}-_ stays"), "Bearer eyJ… stays"),
        (format!("é ghp_{r}é"), "é ghp_…é"),
        (
            format!("-----BEGIN RSA PRIVATE KEY----- {r} {r} -----END RSA PRIVATE KEY----- more"),
            "-----BEGIN RSA PRIVATE KEY-----… more",
        ),
        (format!("-----BEGIN PRIVATE KEY-----\n{r}\nghp_{r}"), "-----BEGIN PRIVATE KEY-----…"),
        (
            format!("-----BEGIN ENCRYPTED SIGSTORE PRIVATE KEY----- {r} -----END x"),
            "-----BEGIN ENCRYPTED SIGSTORE PRIVATE KEY-----…",
        ),
        ("see https://bob:hunter2@example.org/x".to_owned(), "see https://…@example.org/x"),
        ("postgres://bob:p@ss@db:5432 and amqp://a:b@c".to_owned(), "postgres://…@db:5432 and amqp://…@c"),
        (format!("HTTPS://{r}@example.org"), "HTTPS://…@example.org"),
        ("https://bob:é\u{301}x@example.org".to_owned(), "https://…@example.org"),
    ] {
        assert_eq!(masked(&text), shown);
        assert!(is_in(&text), "{text}");
        assert_eq!(masked(shown), shown, "masking is idempotent");
    }
}

#[test]
fn every_shape_is_masked_from_its_minimum_length_on() {
    for shape in &SHAPES {
        let tail = random(shape.least).to_uppercase();
        let (whole, short) = (format!("x {}{tail}", shape.prefix), &tail[1..]);
        assert_eq!(masked(&whole), format!("x {}…", shape.prefix));
        let short = format!("x {}{short}", shape.prefix);
        assert_eq!(masked(&short), short);
    }
}

#[test]
fn text_that_only_resembles_a_secret_is_not_masked() {
    let (r, digits) = (random(36), "0123456789".repeat(4));
    for text in [
        "",
        "fix: the parser (#12)",
        "ghp_ and glpat- are masked",
        "npm_config_registry, npm_lifecycle_event and npm_package_version_of_everything",
        "sk-learn-compatible-estimators-of-version-2 in task-force-of-2024-and-others",
        "hvs.example.org, eyJ",
        &format!("sha256:{digits}{digits}"),
        &format!("sk-{digits}"),
        &format!("xghp_{r}"),
        "4993ff5a4993ff5a4993ff5a4993ff5a4993ff5a",
        "-----BEGIN PUBLIC KEY----- abc -----END PUBLIC KEY-----",
        "-----BEGIN SSH SIGNATURE-----",
        "----- BEGIN PRIVATE KEY",
        "https://example.org/@scope/x:y@1.0.0 https://example.org?a=b:c@d",
        "ssh://git@example.org/a/b git@example.org:a/b",
        "postgres://postgres:PASSWORD@db http://$USER:$PASS@x https://user@x http://a:***@b",
        "https://@example.org",
        "[a](https://example.org)@bob",
        "a :// b: @c",
    ] {
        assert_eq!(masked(text), text);
        assert!(!is_in(text), "{text}");
    }
}

#[test]
fn a_megabyte_of_hostile_text_is_masked_within_seconds() {
    let many = |part: &str| part.repeat((1 << 20) / part.len());
    let parts = [
        "-----BEGIN ",
        "-----BEGIN PRIVATE KEY",
        "sk-",
        "eyJ.",
        "://",
        "://a:",
        "://a@",
        "xoxb-",
        "ghp_ ",
        "\u{e9}",
    ];
    for part in parts {
        let (text, before) = (many(part), of_this_thread());
        assert!(masked(&text).len() <= text.len());
        let took = of_this_thread() - before;
        assert!(took.as_secs() < 10, "{part}: {took:?}");
    }
}

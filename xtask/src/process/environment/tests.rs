//! What is read from the environment, and what children see of it.

use std::collections::BTreeSet;

use super::{Environment, PROXIES, usable};

#[test]
fn a_relative_tmpdir_is_made_absolute_and_an_empty_one_is_ignored() {
    assert_eq!(usable("".as_ref()), None);
    assert_eq!(usable("/var/tmp".as_ref()), Some("/var/tmp".into()));
    let relative = usable("tmp".as_ref()).unwrap();
    assert!(relative.is_absolute() && relative.ends_with("tmp"), "{}", relative.display());
}

#[test]
fn forgejo_wins_over_github_and_empty_is_unset() {
    let both = Environment::from_pairs([("FORGEJO_SHA", "f"), ("GITHUB_SHA", "g")]);
    assert_eq!(both.runner("SHA").unwrap(), Some("f"));
    let empty = Environment::from_pairs([("FORGEJO_SHA", ""), ("GITHUB_SHA", "g")]);
    assert_eq!(empty.runner("SHA").unwrap(), Some("g"));
}

#[test]
fn children_see_no_token_and_no_cosign_setting() {
    let environment = Environment::from_pairs([
        ("PATH", "/bin"),
        ("FORGEJO_TOKEN", "t"),
        ("COSIGN_REPOSITORY", "elsewhere"),
        ("GIT_DIR", "/elsewhere"),
        ("SSH_AUTH_SOCK", "/run/agent"),
    ]);
    let seen: Vec<_> = environment.inherited().map(|(key, _)| key.to_owned()).collect();
    assert_eq!(seen, ["PATH"]);
}

#[test]
fn children_see_how_to_reach_the_network() {
    let pairs = PROXIES.map(|name| (name, "x")).into_iter().chain([("SSL_CERT_FILE", "x")]);
    let environment = Environment::from_pairs(pairs);
    assert_eq!(environment.inherited().count(), PROXIES.len() + 1);
}

#[test]
fn children_see_only_those_variables_of_docker_that_choose_an_engine_or_builder() {
    let set = [
        "DOCKER_HOST",
        "DOCKER_CONTEXT",
        "DOCKER_CERT_PATH",
        "DOCKER_TLS",
        "DOCKER_TLS_VERIFY",
        "BUILDX_BUILDER",
    ];
    // These would change what the tool requests of docker, or override what it sets itself.
    let others = [
        "DOCKER_API_VERSION",
        "DOCKER_DEFAULT_PLATFORM",
        "DOCKER_CONTENT_TRUST",
        "DOCKER_AUTH_CONFIG",
        "BUILDKIT_HOST",
        "BUILDKIT_PROGRESS",
        "BUILDX_GIT_LABELS",
        "SOURCE_DATE_EPOCH",
        "SIGSTORE_ROOT_FILE",
        "TUF_ROOT",
    ];
    let environment = Environment::from_pairs(set.into_iter().chain(others).map(|name| (name, "x")));
    let seen: BTreeSet<_> = environment.inherited().filter_map(|(key, _)| key.to_str()).collect();
    assert_eq!(seen, set.into());
}

#[test]
fn proxy_passwords_are_redacted_and_only_set_proxy_variables_are_named() {
    let environment = Environment::from_pairs([
        ("https_proxy", "http://alice:proxy-password@proxy.example.org:3128"),
        ("NO_PROXY", "localhost"),
        ("HTTP_PROXY", ""),
    ]);
    assert_eq!(environment.proxies().unwrap(), ["NO_PROXY", "https_proxy"]);
    environment.hide_proxy_passwords();
    assert_eq!(crate::process::secret::redact("via alice:proxy-password@proxy"), "via ***@proxy");
    assert_eq!(crate::process::secret::redact("proxy-password"), "***");
}

#[test]
fn an_empty_key_password_is_a_password() {
    let environment = Environment::from_pairs([("COSIGN_PASSWORD", "")]);
    assert!(environment.secret("COSIGN_PASSWORD").unwrap().is_some());
    assert!(environment.secret("COSIGN_PRIVATE_KEY").unwrap().is_none());
}

//! Which configurations are read, and which keys and values are refused.

use super::Config;

const MANIFEST: &str = r#"
    [workspace]
    members = ["xtask"]

    [workspace.metadata.release]
    forge = "https://forge.example.org/"
    repository = "Acme/carol"
    title = "carol"
    description = "a service"
    licenses = "MIT"
    platforms = ["linux/amd64"]
    branches = ["main"]

    [workspace.metadata.release.smoke]
    port = 3000
    health = "/healthz"
    version = "/version"
"#;

/// A configuration for tests that need one.
pub(crate) fn example() -> Config {
    Config::from_manifest(MANIFEST).unwrap()
}

/// As [`example`], with an additional line.
pub(crate) fn example_with(line: &str) -> Config {
    Config::from_manifest(&MANIFEST.replacen("title =", &format!("{line}\ntitle ="), 1)).unwrap()
}

#[test]
fn the_image_and_the_source_follow_from_forge_and_repository() {
    let config = Config::from_manifest(MANIFEST).unwrap();
    assert_eq!(config.image().unwrap().to_string(), "forge.example.org/acme/carol");
    assert_eq!(config.source_url(), "https://forge.example.org/Acme/carol");
}

#[test]
fn an_invalid_key_or_value_is_refused_and_named() {
    let cases = [
        ("platforms =", "platfroms =", "platfroms"),
        ("port =", "prot =", "prot"),
        ("https://forge.example.org/", "forge.example.org", "forge.example.org"),
        ("https://", "https://user:password@", "not a web address"),
        ("Acme/carol", "acme/../carol", "not a repository"),
        (r#"["linux/amd64"]"#, "[]", "`platforms` is empty"),
        ("title =", "image = \"carol\"\ntitle =", "image"),
        ("title =", "service = \"../x\"\ntitle =", "not a folder"),
        ("title =", "service = \"/x\"\ntitle =", "not a folder"),
        ("title =", "service = \"a//b\"\ntitle =", "not a folder"),
        ("/healthz", "healthz", "smoke.health"),
        ("port = 3000", "port = ", "lists the keys"),
        (r#"["linux/amd64"]"#, r#"["linux/arm64", "linux/arm64/v8"]"#, "`linux/arm64` twice"),
        (r#"["linux/amd64"]"#, r#"["linux/x86_64"]"#, "write `linux/amd64`"),
        (
            r#"["linux/amd64"]"#,
            r#"["linux/mips64le"]"#,
            "`platforms` names `linux/mips64le`, for which Node.js",
        ),
        ("title =", "build-secrets = [\"COSIGN_PASSWORD\"]\ntitle =", "COSIGN_PASSWORD"),
        ("title =", "build-secrets = [\"A\", \"A\"]\ntitle =", "`A` twice"),
        ("title =", "tag-signers = 2\ntitle =", "add `tags = \"signed\"`"),
        ("title =", "tags = \"signed\"\ntag-signers = 3\ntitle =", "`3` is not a number of signers"),
        ("title =", "tags = \"signed\"\ntag-signers = 0\ntitle =", "`0` is not a number of signers"),
        ("title =", "tags = \"signed\"\ntag-signers = \"2\"\ntitle =", "tag-signers"),
        ("https://forge", "http://forge", "plain-http = [\"forge.example.org\"]"),
        (
            "title =",
            "timeouts = { http = 0 }\ntitle =",
            "`timeouts.http` is 0 seconds: write a number from 1 to 3600 for key",
        ),
        ("title =", "timeouts = { http = 3601 }\ntitle =", "timeouts` at line 8"),
        ("title =", "timeouts = { cosign = 3601 }\ntitle =", "timeouts.cosign"),
        ("title =", "timeouts = { build = 86401 }\ntitle =", "write a number from 1 to 86400"),
        ("title =", "timeouts = { ci = 4294967295 }\ntitle =", "timeouts.ci"),
        ("title =", "timeouts = { pull = 4294967296 }\ntitle =", "timeouts"),
        (
            "[workspace.metadata.release.smoke]",
            "[[workspace.metadata.release.registries]]\nhost = \"docker.io\"\n[workspace.metadata.release.smoke]",
            "token",
        ),
    ];
    for (from, to, expected) in cases {
        let error = Config::from_manifest(&MANIFEST.replacen(from, to, 1)).unwrap_err();
        let error = format!("{error:#}");
        assert!(error.contains(expected), "expected `{expected}` in: {error}");
    }
}

#[test]
fn only_named_hosts_and_loopback_may_be_without_tls() {
    let with = |forge: &str, more: &str| {
        let manifest = MANIFEST.replacen("https://forge.example.org/", forge, 1);
        Config::from_manifest(&manifest.replacen("title =", &format!("{more}\ntitle ="), 1))
    };
    let named = with("http://192.168.1.10:3000", "plain-http = [\"192.168.1.10:3000\"]").unwrap();
    assert_eq!(named.image().unwrap().registry.base_url(), "http://192.168.1.10:3000");
    let other = "forge.example.org/acme/carol".parse().unwrap();
    assert_eq!(named.reached(other).registry.base_url(), "https://forge.example.org");
    assert!(with("http://127.0.0.1:3000", "").is_ok() && with("http://localhost:3000", "").is_ok());
    for hosts in
        ["plain-http = []", "plain-http = [\"192.168.1.10\"]", "plain-http = [\"192.168.1.11:3000\"]"]
    {
        assert!(with("http://192.168.1.10:3000", hosts).is_err(), "{hosts}");
    }
}

#[test]
fn private_inputs_are_configured_by_the_names_of_their_variables() {
    let table = "build-secrets = [\"NPM_TOKEN\"]\ntitle =";
    let registries = "[[workspace.metadata.release.registries]]\nhost = \"docker.io\"\nuser-name = \"acme\"\n\
        token = \"HUB_TOKEN\"\n[workspace.metadata.release.smoke]";
    let manifest =
        MANIFEST.replacen("title =", table, 1).replacen("[workspace.metadata.release.smoke]", registries, 1);
    let config = Config::from_manifest(&manifest).unwrap();
    assert_eq!(config.build_secrets[0].as_str(), "NPM_TOKEN");
    assert_eq!(config.registries[0].docker_key(), "https://index.docker.io/v1/");
}

#[test]
fn the_error_about_a_missing_table_names_the_page_that_describes_it() {
    for manifest in ["", "[workspace]", "[package.metadata.release]"] {
        let error = Config::from_manifest(manifest).unwrap_err().to_string();
        assert!(error.contains("docs/configuration.md"), "{error}");
    }
}

#[test]
fn a_manifest_with_an_invalid_table_is_not_one_without_a_table() {
    let wrong = MANIFEST.replacen("port =", "prot =", 1);
    for manifest in [MANIFEST, &wrong] {
        assert!(Config::is_in(Some(manifest.as_bytes())).unwrap());
    }
    for before in
        [None, Some(""), Some("[workspace]\nmembers = []"), Some("[package.metadata.release]\nx = 1")]
    {
        assert!(!Config::is_in(before.map(str::as_bytes)).unwrap(), "{before:?}");
    }
}

#[test]
fn a_manifest_that_cannot_be_read_is_not_one_without_a_table() {
    let long = format!("{MANIFEST}# {}\n", "a".repeat(128 << 10));
    let nested = format!("{MANIFEST}x = {}{}\n", "[".repeat(20), "]".repeat(20));
    let twice = format!("{MANIFEST}[workspace.metadata.release]\n");
    for manifest in
        ["{}", "[workspace", &long, &nested, &twice].map(str::as_bytes).into_iter().chain([&b"\xff"[..]])
    {
        let error = Config::is_in(Some(manifest)).unwrap_err().to_string();
        assert!(error.starts_with("reading `Cargo.toml`"), "{error}");
    }
}

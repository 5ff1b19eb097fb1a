use super::{Platform, VariableName};

#[test]
fn a_platform_has_the_one_spelling_that_the_index_will_have() {
    for (written, meant) in [
        ("linux/amd64", "linux/amd64"),
        ("linux/amd64/v1", "linux/amd64"),
        ("linux/amd64/v2", "linux/amd64/v2"),
        ("linux/arm64", "linux/arm64"),
        ("linux/arm64/v8", "linux/arm64"),
        ("linux/arm", "linux/arm/v7"),
        ("linux/arm/7", "linux/arm/v7"),
        ("linux/arm/v6", "linux/arm/v6"),
        ("linux/riscv64", "linux/riscv64"),
    ] {
        assert_eq!(Platform::try_from(written.to_owned()).unwrap().to_string(), meant, "{written}");
    }
}

#[test]
fn another_name_of_an_architecture_is_refused_with_the_right_one() {
    for (written, right) in [
        ("linux/x86_64", "`linux/amd64`"),
        ("linux/x64", "`linux/amd64`"),
        ("linux/aarch64", "`linux/arm64`"),
        ("linux/armhf", "`linux/arm/v7`"),
        ("linux", "not a platform"),
        ("linux/ARM64", "not a platform"),
        ("linux//v8", "not a platform"),
        ("linux/arm/v7/x", "not a platform"),
    ] {
        let error = Platform::try_from(written.to_owned()).unwrap_err().to_string();
        assert!(error.contains(right), "{written}: {error}");
    }
}

#[test]
fn a_variable_of_a_commit_is_none_of_ours_and_none_that_a_tool_reads() {
    for good in ["NPM_TOKEN", "_X", "HUB_TOKEN_2", "REGISTRY_TOKEN_2"] {
        assert!(VariableName::try_from(good.to_owned()).is_ok(), "{good}");
    }
    for bad in [
        "",
        "npm_token",
        "2X",
        "NPM-TOKEN",
        "NPM TOKEN",
        "A=B",
        "A,B",
        "COSIGN_PASSWORD",
        "REGISTRY_TOKEN",
        "FORGEJO_TOKEN",
        "GITHUB_TOKEN",
        "PATH",
        "HTTPS_PROXY",
        "DOCKER_HOST",
        "LD_PRELOAD",
        "XTASK_SECRETS_ON_STDIN",
        "EXPERIMENTAL_BUILDKIT_SOURCE_POLICY",
    ] {
        assert!(VariableName::try_from(bad.to_owned()).is_err(), "{bad}");
    }
}

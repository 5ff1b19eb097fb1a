//! Which values of the configuration are refused.

use super::VariableName;

#[test]
fn a_commit_may_not_name_a_variable_that_this_tool_or_another_program_reads() {
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

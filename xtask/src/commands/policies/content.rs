//! The text of each policy.

use anyhow::{Context as _, Result};
use serde_json::json;

use crate::evidence::attached::PROVENANCE_PREDICATE;
use crate::evidence::provenance::{BuildType, LOCAL_BUILDER, RELEASE, RELEASE_WORKFLOW, WORKFLOW_BUILDER};
use crate::inputs::config::Config;
use crate::inputs::keys::Keys;

/// The tags that [`crate::inputs::version::ReleaseTag`] accepts, as a regular expression of CUE, which has no escapes
/// between `#"` and `"#`.
const REF: &str = r##"#"^refs/tags/v(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)(-[0-9a-z.-]+)?$"#"##;

/// Each file's path below `policies/`, and its text.
///
/// # Errors
/// When the configuration has no image name.
pub(super) fn files(config: &Config, keys: Option<&Keys>) -> Result<Vec<(String, String)>> {
    let name = config.repository.name.to_ascii_lowercase();
    Ok(vec![
        ("provenance.cue".to_owned(), provenance(config)?),
        ("policy.json".to_owned(), policy(config, &name, keys)?),
        (format!("registries.d/{name}.yaml"), registry(config)?),
    ])
}

/// For `cosign verify-attestation --policy`. Definitions are closed, and a field with `!` is required
/// (docs/facts.md#cue-policies).
fn provenance(config: &Config) -> Result<String> {
    let repository = quoted(&config.source_url())?;
    let workflow = format!(
        "workflow!: {{\n\t\t\t\trepository!: {repository}\n\t\t\t\tref!:        #Ref\n\t\t\t\tpath!:       {}\n\t\t\t}}",
        quoted(RELEASE_WORKFLOW)?
    );
    let local_run = format!(
        "localRun!: {{\n\t\t\t\trepository!: {repository}\n\t\t\t\tref!:        #Ref\n\t\t\t\tcommand!:    {}\n\t\t\t}}",
        quoted(RELEASE)?
    );
    let build_types = BuildType::ALL.map(BuildType::address).map(quoted);
    let build_types = build_types.into_iter().collect::<Result<Vec<_>>>()?;
    Ok(format!(
        "// Which provenance of `{}` is accepted. Written by `cargo xtask policies`.\n\
         // docs/verifying.md says how to use it, the page at `buildType` what the fields mean.\n\n\
         predicateType!: {}\n\n\
         // Only what the forge's workflow released. To accept what a person released as well, write\n\
         // `#ByWorkflow | #ByPerson`.\n\
         predicate!: #ByWorkflow\n\n\
         // Any release. To accept one alone, write its tag: `\"refs/tags/v1.2.3\"`.\n\
         #Ref: =~{REF}\n\n\
         // Those of every release so far. The last one alone is what a release is given today.\n\
         #BuildType: {}\n\n{}\n{}",
        config.image()?,
        quoted(PROVENANCE_PREDICATE)?,
        build_types.join(" |\n\t"),
        predicate("#ByWorkflow", config, &workflow, WORKFLOW_BUILDER)?,
        predicate("#ByPerson", config, &local_run, LOCAL_BUILDER)?,
    ))
}

/// The build type fixes the set of external parameters; all other objects may have further fields.
fn predicate(name: &str, config: &Config, run: &str, builder: &str) -> Result<String> {
    let platforms: Vec<_> =
        config.platforms.iter().map(|platform| quoted(&platform.to_string())).collect::<Result<_>>()?;
    Ok(format!(
        "{name}: {{\n\
         \tbuildDefinition!: {{\n\
         \t\tbuildType!: #BuildType\n\
         \t\texternalParameters!: {{\n\
         \t\t\t{run}\n\
         \t\t\tdockerfile!: \"Dockerfile\"\n\
         \t\t\tplatforms!: [{}]\n\
         \t\t}}\n\
         \t\t...\n\
         \t}}\n\
         \trunDetails!: {{\n\
         \t\tbuilder!: {{\n\
         \t\t\tid!: {}\n\
         \t\t\t...\n\
         \t\t}}\n\
         \t\t...\n\
         \t}}\n\
         \t...\n\
         }}\n",
        platforms.join(", "),
        quoted(builder)?,
    ))
}

/// A JSON string is also a CUE string.
fn quoted(text: &str) -> Result<String> {
    serde_json::to_string(text).context("quoting a value of the configuration")
}

/// For containers-policy.json(5): a part to merge into a machine's own file, which has a default already. It uses
/// `matchRepository`, because cosign signs the repository's name without a tag. With a history of keys, a signature by
/// any accepted key is enough, so a rotation leaves no gap.
fn policy(config: &Config, name: &str, keys: Option<&Keys>) -> Result<String> {
    let image = config.image()?.to_string();
    let mut requirement = json!({
        "type": "sigstoreSigned",
        "signedIdentity": { "type": "matchRepository" },
    });
    match keys {
        None => requirement["keyPath"] = json!(format!("/etc/containers/{name}.pub")),
        Some(keys) => {
            let numbers = keys.accepted().into_iter().map(|(number, _)| number);
            let paths: Vec<_> =
                numbers.map(|number| format!("/etc/containers/{name}-{number:04}.pub")).collect();
            // Podman before 5.2.2 does not know the field `keyPaths`: it refuses the whole file, and so every pull.
            match &paths[..] {
                [path] => requirement["keyPath"] = json!(path),
                paths => requirement["keyPaths"] = json!(paths),
            }
        }
    }
    let policy = json!({ "transports": { "docker": { image: [requirement] } } });
    Ok(serde_json::to_string_pretty(&policy).context("writing `policy.json`")? + "\n")
}

/// For containers-registries.d(5): without this file, podman and skopeo do not look for the signatures, which are
/// stored beside the image.
fn registry(config: &Config) -> Result<String> {
    Ok(format!(
        "# Written by `cargo xtask policies`; for `/etc/containers/registries.d/`.\n\
         docker:\n  {}:\n    use-sigstore-attachments: true\n",
        config.image()?
    ))
}

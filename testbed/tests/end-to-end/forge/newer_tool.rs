//! If the xtask of a tagged commit does not compile, the xtask of a later commit releases the tag, and the
//! provenance says so.

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use testbed::forge_client::State;

use super::project::Project;
use crate::evidence;
use crate::harness::run::Finished;
use crate::harness::test;

const MAIN: &str = "xtask/src/main.rs";

/// The only dependency of the builder, and the commit of the source.
fn named(project: &Project, run: &Finished) -> Result<(Value, Value)> {
    let provenance = evidence::provenance(&project.checkout, run)?;
    let tools = &provenance["runDetails"]["builder"]["builderDependencies"];
    ensure!(tools.as_array().is_some_and(|tools| tools.len() == 1), "expected one tool: {tools}");
    let source = &provenance["buildDefinition"]["resolvedDependencies"][0];
    ensure!(source["name"] == "source", "the first dependency is not the source: {source}");
    Ok((tools[0].clone(), source["digest"]["gitCommit"].clone()))
}

#[test]
#[ignore = "long: `cargo xtask ci --all`"]
fn a_newer_tool_releases_an_older_tag_and_the_provenance_names_it() -> Result<()> {
    test(|| {
        let project = Project::ready()?;
        let whole = String::from_utf8(project.checkout.committed(MAIN)?).context("reading main.rs")?;
        project.checkout.write(MAIN, "compile_error!(\"this xtask is broken\");\n")?;
        project.checkout.commit("fix: break the tool")?;
        let broken = project.head()?;
        project.push_main()?;
        project.set_status(&broken, State::Success)?;
        project.push_tag("v0.1.0")?;

        project.checkout.write(MAIN, &whole)?;
        project.checkout.commit("fix: a fault of the tool")?;
        let fixed = project.head()?;
        project.push_main()?;
        project.set_status(&fixed, State::Success)?;
        let released = project.laptop(&["release", "v0.1.0"]).run()?.success()?;

        let uri = |commit: &str| format!("git+{}@{commit}#xtask", project.repository.url());
        let tool = json!({"name": "xtask", "uri": uri(&fixed), "digest": {"gitCommit": fixed}});
        assert_eq!(named(&project, &released)?, (tool.clone(), json!(broken)));
        let verified = project.laptop(&["verify", "v0.1.0", "--rebuild"]).run()?.success()?;
        assert!(verified.stdout.contains(&format!("`xtask` of {fixed}")), "{}", verified.stdout);

        project.push_tag("v0.1.1")?;
        project.checkout.write(MAIN, &format!("{whole}// changed\n"))?;
        let released = project.laptop(&["release", "v0.1.1"]).run()?.success()?;
        let mut modified = tool;
        modified["annotations"] = json!({"modified": "true"});
        assert_eq!(named(&project, &released)?, (modified, json!(fixed)));
        Ok(())
    })
}

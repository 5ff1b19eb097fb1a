//! Lies about the workflow run that made a release: in the provenance, by the key, or in the forge's records.

use serde_json::Value;

use super::super::world::World;
use super::Lie;
use super::predicate::PARAMETERS;
use crate::evidence::provenance::{self, LOCAL_BUILDER, LOCAL_RUN, RELEASE};
use crate::forge::{RunLookup, RunRecord};
use crate::tool::git::Commit;

const RUN: &str = "/buildDefinition/internalParameters/forgejo";

/// A lie that only `provenance.run` detects.
const fn seen(name: &'static str, tell: fn(&mut World)) -> Lie {
    Lie { name, tell, wrong: &["provenance.run"], unchecked: &[] }
}

/// Changes the forge's record.
fn record(world: &mut World, change: impl FnOnce(&mut RunRecord)) {
    let RunLookup::Recorded(record) = &mut world.run.1 else { panic!("the forge has the run") };
    change(record);
}

/// Makes the provenance say, in every place, that a person ran `command` and not the workflow.
pub(in crate::verify::tests) fn by_a_person(world: &mut World, command: &str) {
    world.change_provenance(|provenance| {
        let parameters = provenance.pointer_mut(PARAMETERS).and_then(Value::as_object_mut);
        let parameters = parameters.expect("it has parameters");
        let mut run = parameters.remove("workflow").expect("a workflow ran it");
        run.as_object_mut().expect("a run").remove("path");
        run["command"] = command.into();
        parameters.insert("localRun".to_owned(), run);
        let internal = provenance["buildDefinition"]["internalParameters"].as_object_mut();
        internal.expect("it has some").remove(provenance::RUN);
        provenance["runDetails"]["builder"]["id"] = LOCAL_BUILDER.into();
        provenance["runDetails"]["metadata"]["invocationId"] = format!("{LOCAL_RUN}1").into();
    });
}

pub(super) const LIES: &[Lie] = &[
    seen("a run that the forge does not have", |world| world.run.1 = RunLookup::Missing),
    seen("the id of another run in the provenance", |world| world.set(&format!("{RUN}/run_id"), "999999")),
    seen("another event in the provenance", |world| {
        world.set(&format!("{RUN}/event_name"), "workflow_dispatch");
    }),
    seen("a run that the forge has for another commit", |world| {
        record(world, |run| run.commit = Commit::parse(&"8".repeat(40)).expect("a commit"));
    }),
    seen("a run that the forge has for a branch", |world| {
        record(world, |run| run.reference = "main".to_owned());
    }),
    seen("a run that the forge has for a branch with the name of the tag", |world| {
        let branch = format!("refs/heads/{}", world.tag);
        record(world, |run| run.reference = branch);
    }),
    seen("a run that the forge has of another workflow", |world| {
        record(world, |run| run.workflow = "ci.yml".to_owned());
    }),
    Lie {
        name: "a run by a workflow and by a person in the provenance",
        tell: |world| {
            world.change_provenance(|provenance| {
                let parameters = &mut provenance["buildDefinition"]["externalParameters"];
                let mut run = parameters["workflow"].clone();
                run.as_object_mut().expect("a run").remove("path");
                run["command"] = RELEASE.into();
                parameters["localRun"] = run;
            });
        },
        wrong: &["provenance.form"],
        unchecked: &[],
    },
    Lie {
        name: "another command in the provenance",
        tell: |world| by_a_person(world, "docker push"),
        wrong: &["provenance.builder"],
        unchecked: &[],
    },
];
